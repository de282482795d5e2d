// Entry of lists: a table of records, one of which can be selected.
import shellStyle from "./shell.css";
import style from "./lists.css";
import { make } from "./dom.js";
import { ListTable } from "./list_table.js";

export function render({ model, el, inbox }) {
  el.append(make("style", {}, shellStyle + style));
  const table = new ListTable(el, (message) => model.send(message));
  const take = (message) => table.take(message);
  // Every view of one widget gets what is sent to it.
  const takers = (inbox.takers ??= new Set());
  takers.add(take);
  inbox.take = (message) => takers.forEach((each) => each(message));
  for (const [message] of inbox.messages.splice(0)) take(message);
  table.hello();
  return () => {
    takers.delete(take);
    table.end();
  };
}
