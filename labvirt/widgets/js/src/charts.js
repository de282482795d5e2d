// Entry of the charts: a board of panels, drawn by one of several renderers.
import * as light from "./plot_light.js";
import uplotStyle from "uplot/dist/uPlot.min.css";
import shellStyle from "./shell.css";
import { streamOf } from "./stream.js";
import { createShell } from "./shell.js";
import { loadPlotly, plotlyNow } from "./plotly_loader.js";
import { plotlyRenderer } from "./plot_plotly.js";

export function render({ model, el, inbox }) {
  const stream = streamOf(model, inbox);
  const style = document.createElement("style");
  style.textContent = uplotStyle + shellStyle;
  el.append(style);
  const end = shellOf(el, stream, model.get("_engine"));
  const leave = stream.enter();
  return () => {
    end();
    leave();
  };
}

function shellOf(el, stream, engine) {
  if (engine !== "plotly") return createShell(el, stream, light);
  const here = plotlyNow();
  if (here) return createShell(el, stream, plotlyRenderer(here));
  // The light renderer draws until plotly.js is here, and for good where it cannot be had.
  return createShell(el, stream, light, loadPlotly(stream).then(plotlyRenderer));
}
