// plotly.js, once per page, from where it costs least.
import { make } from "./dom.js";

const page = () => (globalThis.__labvirt ??= {});
const usable = (found) => (found?.extendTraces && found?.newPlot ? found : null);

/** Plotly when the page has it already, else null. */
export const plotlyNow = () => usable(globalThis.Plotly);

/** A promise of Plotly, the same for all who ask in this page; after a failure one may ask anew. */
export function loadPlotly(stream) {
  const here = plotlyNow();
  if (here) return Promise.resolve(here);
  page().plotly ??= fromLab()
    .catch(() => fromKernel(stream))
    .catch((error) => {
      delete page().plotly;
      throw error;
    });
  return page().plotly;
}

const late = (seconds, what) =>
  new Promise((_, reject) => setTimeout(() => reject(new Error(what)), seconds * 1000));

/** JupyterLab's extension for plotly outputs has the library; drawing an empty figure loads it. */
async function fromLab() {
  const container = globalThis._JUPYTERLAB?.["jupyterlab-plotly"];
  if (!container) throw new Error("no plotly extension");
  const factory = await Promise.race([container.get("./mimeExtension"), late(20, "no module")]);
  const found = factory().default;
  const extension = [found].flat().find((each) => each?.rendererFactory);
  const renderer = extension.rendererFactory.createRenderer({ mimeType: "application/vnd.plotly.v1+json" });
  const place = make("div", { style: "position:absolute;left:-9999px;width:99px;height:99px", "aria-hidden": "true" });
  document.body.append(place);
  place.append(renderer.node);
  const empty = { data: [], layout: { width: 90, height: 90 } };
  try {
    const drawn = renderer.renderModel({
      data: { "application/vnd.plotly.v1+json": empty },
      metadata: {},
      setData() {},
    });
    await Promise.race([drawn, late(20, "not drawn")]);
    for (let turn = 0; turn < 40 && !plotlyNow(); turn += 1) await new Promise((go) => setTimeout(go, 50));
  } finally {
    plotlyNow()?.purge(renderer.node);
    place.remove();
  }
  if (!plotlyNow()) throw new Error("the extension shows no Plotly");
  return plotlyNow();
}

/** The kernel has the library in its plotly package; it comes as one message. */
async function fromKernel(stream) {
  let end;
  const came = new Promise((resolve, reject) => {
    end = stream.on("library", ({ code, error }) => (code ? resolve(code) : reject(new Error(error))));
    stream.send({ t: "library" });
  });
  try {
    return await asScript(await Promise.race([came, late(60, "the kernel does not send it")]));
  } finally {
    end();
  }
}

function asScript(code) {
  // Pages with an AMD loader would take it as a module and set no global.
  const { define } = globalThis;
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const script = make("script", { src: url });
  const done = new Promise((resolve, reject) => {
    script.onload = () => (plotlyNow() ? resolve(plotlyNow()) : reject(new Error("no Plotly in it")));
    script.onerror = () => reject(new Error("the page runs no such script"));
  });
  globalThis.define = undefined;
  document.head.append(script);
  return done.finally(() => {
    globalThis.define = define;
    URL.revokeObjectURL(url);
    script.remove();
  });
}
