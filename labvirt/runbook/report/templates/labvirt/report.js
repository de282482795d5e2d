"use strict";
(() => {
  const all = (what, where = document) => [...where.querySelectorAll(what)];
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // Only what really scrolls is a stop of the keyboard.
  const stops = () => {
    for (const box of all(".scroll")) {
      const wide = box.scrollWidth > box.clientWidth + 1;
      if (wide) { box.tabIndex = 0; box.setAttribute("role", "region"); }
      else { box.removeAttribute("tabindex"); box.setAttribute("role", "group"); }
    }
  };

  const bar = document.createElement("div");
  bar.className = "bar";
  for (const [label, open] of [["Show all code", true], ["Hide all code", false]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.onclick = () => { for (const one of all("details.code")) one.open = open; stops(); };
    bar.append(button);
  }
  if (all("details.code").length) document.querySelector("header").append(bar);

  // A link to a folded place opens it.
  const unfold = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    const found = name && document.getElementById(name);
    for (let at = found; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
  document.addEventListener("toggle", stops, true);
  addEventListener("resize", stops);
  stops();

  // Charts: the library is here once, packed.
  const themed = (layout, isDark) => {
    const made = structuredClone(layout);
    if (!isDark) return made;
    const template = made.template && typeof made.template === "object" ? made.template : {};
    const lines = { gridcolor: "#343d48", linecolor: "#5b6673", zerolinecolor: "#5b6673" };
    const old = template.layout || {};
    template.layout = {
      ...old, paper_bgcolor: "#12161c", plot_bgcolor: "#1b2129",
      font: { ...old.font, color: "#e3e8ee" },
      xaxis: { ...old.xaxis, ...lines }, yaxis: { ...old.yaxis, ...lines },
    };
    made.template = template;
    return made;
  };
  const config = { displaylogo: false, showSendToCloud: false, plotlyServerURL: "", responsive: true };
  const charts = all("figure.chart > .plot").map((plot) => ({
    plot, figure: JSON.parse(plot.nextElementSibling.textContent),
    static: plot.parentElement.querySelector(".static"),
  }));
  const draw = async (chart, isDark) => {
    const { plot, figure } = chart;
    plot.hidden = false;
    try {
      await window.Plotly.react(plot, structuredClone(figure.data), themed(figure.layout, isDark), config);
      chart.static.hidden = true;
    } catch (error) {
      plot.hidden = true;
      const why = document.createElement("p");
      why.className = "note";
      why.textContent = `This chart cannot be drawn here: ${error.message || error}`;
      chart.static.append(why);
    }
  };
  const drawAll = async (isDark) => { for (const chart of charts) await draw(chart, isDark); };
  const load = async () => {
    const packed = atob(document.getElementById("plotly-library").textContent);
    const bytes = Uint8Array.from(packed, (one) => one.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const url = URL.createObjectURL(new Blob([await new Response(stream).arrayBuffer()], { type: "text/javascript" }));
    await new Promise((done, fail) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = done;
      script.onerror = () => fail(new Error("the chart library cannot be loaded"));
      document.head.append(script);
    });
    URL.revokeObjectURL(url);
  };
  const state = document.documentElement.dataset;
  if (charts.length) {
    state.charts = "loading";
    load().then(() => drawAll(dark.matches)).then(
      () => { state.charts = "drawn"; }, (error) => { state.charts = "failed"; console.error(error); });
    dark.addEventListener("change", () => drawAll(dark.matches));
  }

  // On paper everything is unfolded, and light.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    for (const one of folded) one.open = true;
    // All at once: what is drawn later comes too late for the paper.
    if (dark.matches && window.Plotly) for (const chart of charts) draw(chart, false);
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
    if (dark.matches && window.Plotly) drawAll(true);
  });
})();
