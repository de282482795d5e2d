// Entry of the serial console: one terminal per view.
import xtermStyle from "@xterm/xterm/css/xterm.css";
import shellStyle from "./shell.css";
import consoleStyle from "./console.css";
import { Link, linkTo } from "./link.js";
import { TerminalView } from "./terminal.js";

export function render({ model, el, inbox }) {
  const style = document.createElement("style");
  style.textContent = xtermStyle + shellStyle + consoleStyle;
  el.append(style);
  const link = new Link(model);
  const view = new TerminalView(el, link);
  const leave = linkTo(inbox, link);
  link.hello();
  return () => {
    leave();
    view.end();
    link.end();
  };
}
