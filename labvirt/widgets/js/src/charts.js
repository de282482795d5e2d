// Entry of the charts: a board of panels, drawn by one of several renderers.
import * as light from "./plot_light.js";
import uplotStyle from "uplot/dist/uPlot.min.css";
import shellStyle from "./shell.css";
import { streamOf } from "./stream.js";
import { createShell } from "./shell.js";

// Engine -> { create }, or a function that gives a promise of it.
const RENDERERS = {
  light,
};

export function render({ model, el, inbox }) {
  const stream = streamOf(model, inbox);
  const engine = model.get("_engine");
  const style = document.createElement("style");
  style.textContent = uplotStyle + shellStyle;
  el.append(style);
  return createShell(el, stream, RENDERERS[engine] ?? light);
}
