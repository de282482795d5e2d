// Entry of the graphical console: noVNC, one session per view.
import shellStyle from "./shell.css";
import consoleStyle from "./console.css";
import { Link, linkTo } from "./link.js";
import { ScreenView } from "./vnc.js";

export function render({ model, el, inbox }) {
  const style = document.createElement("style");
  style.textContent = shellStyle + consoleStyle;
  el.append(style);
  const link = new Link(model);
  const view = new ScreenView(el, link);
  const leave = linkTo(inbox, link);
  link.hello();
  return () => {
    leave();
    view.end();
    link.end();
  };
}
