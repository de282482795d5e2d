// Entry of the overview: all domains in one table, and who uses most.
import shellStyle from "./shell.css";
import style from "./overview.css";
import { make } from "./dom.js";
import { Overview } from "./spark_shell.js";
import { Rows } from "./spark_rows.js";
import { streamOf } from "./stream.js";

export function render({ model, el, inbox }) {
  const stream = streamOf(model, inbox, { store: () => new Rows() });
  el.append(make("style", {}, shellStyle + style));
  const overview = new Overview(el, stream);
  const leave = stream.enter();
  return () => {
    overview.end();
    leave();
  };
}
