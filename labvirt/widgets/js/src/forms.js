// Entry of forms: controls for a spec, the plan that comes of it, and the button that makes it.
import shellStyle from "./shell.css";
import style from "./forms.css";
import { make } from "./dom.js";
import { insertBelow } from "./form_cell.js";
import { FormShell } from "./form_shell.js";

export function render({ model, el, inbox }) {
  el.append(make("style", {}, shellStyle + style));
  const shell = new FormShell(
    el,
    (message) => model.send(message),
    (source) => insertBelow(model, el, source),
  );
  const take = (message) => shell.take(message);
  // Every view of one widget gets what is sent to it.
  const takers = (inbox.takers ??= new Set());
  takers.add(take);
  inbox.take = (message) => takers.forEach((each) => each(message));
  for (const [message] of inbox.messages.splice(0)) take(message);
  shell.hello();
  return () => {
    takers.delete(take);
    shell.end();
  };
}
