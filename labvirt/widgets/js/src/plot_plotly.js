// The plotly renderer: one plot per panel, each tick added by `extendTraces`. See plot_light.js for
// what a renderer is.
//
// Times are plain seconds on a linear axis with ticks of our own: plotly's date axis shows numbers in
// the browser's zone and converts every point again at each tick. Ranges and ticks are put into the
// layout just before `extendTraces`, so that a tick is one drawing.
import { make } from "./dom.js";
import { clock, format, lately } from "./format.js";
import { levels, moments } from "./ticks.js";

const HEIGHT = 150;
const MARGIN = { l: 70, r: 10, t: 8, b: 24 };
const CONFIG = {
  showSendToCloud: false,
  displaylogo: false,
  displayModeBar: false,
  doubleClick: false,
  scrollZoom: false,
  showTips: false,
};

/** Names of guests are text; plotly would read markup in them. */
const plain = (text) =>
  String(text ?? "").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export const plotlyRenderer = (Plotly) => ({
  name: "plotly",
  create: (el, board, theme, hooks) => create(Plotly, el, board, theme, hooks),
});

function create(Plotly, el, board, theme, hooks = {}) {
  const context = {
    Plotly,
    theme,
    hooks,
    clock: board.clock,
    marks: [...(board.marks ?? [])],
    follow: board.window_s,
    range: null,
  };
  const charts = board.panels.map((panel) => {
    const slot = hooks.slots?.get(panel.key) ?? el.appendChild(make("div"));
    return new Chart(slot, panel, context);
  });
  const each = (name) => (...args) => charts.forEach((chart) => chart[name](...args));
  context.point = each("setCursor");
  return {
    draw: each("draw"),
    extend: each("extend"),
    setVisible: each("setVisible"),
    setRange(from, to) {
      context.range = to === null ? null : [from, to];
      if (to === null) context.follow = from;
      each("place")();
    },
    setTheme(next) {
      context.theme = next;
      each("place")();
    },
    setThresholds: (key, list) =>
      charts.filter((chart) => chart.panel.key === key).forEach((chart) => chart.setThresholds(list)),
    addMarks(marks) {
      context.marks.push(...marks);
      each("place")();
    },
    setCursor: each("setCursor"),
    resize: each("resize"),
    destroy: each("destroy"),
  };
}

class Chart {
  constructor(slot, panel, context) {
    Object.assign(this, { slot, panel, context });
    this.thresholds = panel.thresholds ?? [];
    this.hidden = new Set();
    this.data = null;
    this.waiting = 0;
    this.drawnTo = -Infinity;
    this.isDrawn = this.isBehind = this.isHeld = false;
    this.isSeen = true;
    this.node = make("div");
    this.when = make("span");
    this.cursor = make("div", { class: "lv-cursor", hidden: true }, this.when);
    this.cursor.style.inset = `${MARGIN.t}px auto ${MARGIN.b}px 0`;
    this.box = make("div", { style: `position:relative;height:${HEIGHT}px` }, this.node, this.cursor);
    this.slot.append(this.box);
    // A drag is lost when the plot is drawn anew under it.
    this.node.addEventListener("pointerdown", () => (this.isHeld = true), true);
    this.release = () => this.isHeld && setTimeout(() => this.go());
    for (const event of ["pointerup", "pointercancel"]) addEventListener(event, this.release, true);
    this.sight = new IntersectionObserver((entries) => this.look(entries.at(-1).isIntersecting));
    this.sight.observe(this.box);
  }

  get isStack() {
    return this.panel.style === "stack";
  }

  get isResting() {
    return this.isHeld || !this.isSeen;
  }

  go() {
    this.isHeld = false;
    this.catchUp();
  }

  look(seen) {
    this.isSeen = seen;
    this.catchUp();
  }

  catchUp() {
    if (this.isBehind && !this.isResting && this.data) this.draw(this.data);
  }

  // -- data ---------------------------------------------------------------------------------

  draw(data) {
    this.data = data;
    this.isBehind = this.isDrawn && this.isResting;
    if (this.isBehind) return;
    this.noteDrawn(data);
    const { Plotly } = this.context;
    const traces = this.panel.lines.map((line) => this.trace(line, data));
    const layout = { ...this.looks(), ...this.frame() };
    if (this.isDrawn) Plotly.react(this.node, traces, layout, CONFIG);
    else {
      Plotly.newPlot(this.node, traces, layout, CONFIG);
      this.isDrawn = true;
      this.listen();
    }
  }

  extend(data, added) {
    this.data = data;
    const { range, Plotly } = this.context;
    this.waiting += added;
    if (this.isSoon(data)) return;
    const from = Math.max(0, data.n - this.waiting);
    // What is new lies outside of what is shown: it can wait.
    const isOutside = range !== null && data.times[from] > range[1];
    if (!this.isDrawn || this.isBehind || this.isResting || isOutside) {
      this.isBehind = true;
      if (!isOutside) this.catchUp();
      return;
    }
    const lines = this.panel.lines;
    const times = Array.from(data.times.subarray(from, data.n));
    const values = lines.map((line) => this.values(line, data, from));
    const more = {
      x: lines.map(() => times.slice()),
      y: values,
      customdata: lines.map((line) => this.words(line, data, from)),
    };
    this.noteDrawn(data);
    Object.assign(this.node.layout, this.frame());
    Plotly.extendTraces(this.node, more, lines.map((_, at) => at), data.n);
  }

  /**
   * Less than a pixel and a half is new: it can wait for the next tick, two seconds at most. A drawing
   * costs plotly some 15 ms per panel; the numbers in the legend are new at each tick.
   */
  isSoon(data) {
    const { range, follow } = this.context;
    if (range !== null || this.isBehind || !this.isDrawn) return false;
    const pixel = follow / Math.max(100, this.node.layout.width - MARGIN.l - MARGIN.r);
    const since = data.times[data.n - 1] - this.drawnTo;
    return since >= 0 && since < Math.min(1.5 * pixel, 2);
  }

  noteDrawn(data) {
    this.waiting = 0;
    this.drawnTo = data.n ? data.times[data.n - 1] : -Infinity;
  }

  values(line, data, from) {
    const column = data.columns.get(line.key).subarray(from, data.n);
    return line.negated ? Array.from(column, (value) => -value) : Array.from(column);
  }

  words(line, data, from) {
    const { unit } = this.panel;
    return Array.from(data.columns.get(line.key).subarray(from, data.n), (value) => format(value, unit));
  }

  trace(line, data) {
    return {
      type: "scatter",
      mode: "lines",
      name: plain(line.label),
      visible: !this.hidden.has(line.key),
      x: Array.from(data.times.subarray(0, data.n)),
      y: this.values(line, data, 0),
      customdata: this.words(line, data, 0),
      hovertemplate: "%{customdata}",
      connectgaps: false,
      line: { color: line.colour, dash: line.dash, width: this.isStack ? 1 : 1.5 },
      ...(this.isStack ? { stackgroup: "all", fillcolor: `${line.colour}73` } : {}),
    };
  }

  // -- what is shown --------------------------------------------------------------------------

  setVisible(key, on) {
    const at = this.panel.lines.findIndex((line) => line.key === key);
    if (at < 0) return;
    this.hidden[on ? "delete" : "add"](key);
    if (!this.isDrawn) return;
    Object.assign(this.node.layout, this.frame());
    this.context.Plotly.restyle(this.node, { visible: on }, [at]);
  }

  setThresholds(list) {
    this.thresholds = list;
    this.place();
  }

  /** Draw with other ranges, marks or colours. */
  place() {
    if (!this.isDrawn) return;
    if (this.isBehind && !this.isResting) this.draw(this.data);
    else this.context.Plotly.relayout(this.node, { ...this.looks(), ...this.frame() });
  }

  setCursor(seconds) {
    const axis = this.node._fullLayout?.xaxis;
    const x = seconds === null || !axis ? NaN : MARGIN.l + axis.l2p(seconds);
    this.cursor.hidden = !(x >= MARGIN.l && x <= this.slot.clientWidth - MARGIN.r);
    if (this.cursor.hidden) return;
    this.cursor.style.left = `${x}px`;
    this.when.textContent = clock(seconds);
  }

  resize() {
    const width = this.slot.clientWidth;
    if (this.isDrawn && width > 0 && width !== this.node.layout.width) {
      this.node.layout.width = width;
      this.place();
    }
  }

  destroy() {
    for (const event of ["pointerup", "pointercancel"]) removeEventListener(event, this.release, true);
    this.sight.disconnect();
    if (this.isDrawn) this.context.Plotly.purge(this.node);
    this.box.remove();
  }

  listen() {
    const { hooks, point } = this.context;
    this.node.on("plotly_hover", ({ points }) => {
      point(points[0].x);
      hooks.cursor?.(points[0].x);
    });
    this.node.on("plotly_unhover", () => {
      point(null);
      hooks.cursor?.(null);
    });
    this.node.on("plotly_relayout", (change) => {
      const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (Number.isFinite(from) && Number.isFinite(to)) hooks.range?.(from, to);
    });
    this.node.on("plotly_doubleclick", () => hooks.range?.(null));
  }

  // -- layout -----------------------------------------------------------------------------------

  /** Colours and sizes. */
  looks() {
    const { theme } = this.context;
    return {
      template: {},
      width: this.slot.clientWidth || 420,
      height: HEIGHT,
      margin: MARGIN,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { size: 11, color: theme.muted, family: theme.font },
      showlegend: false,
      hovermode: "x",
      dragmode: "zoom",
    };
  }

  /** Ranges, ticks, thresholds and marks for what is known now. */
  frame() {
    const { theme, range, follow } = this.context;
    const { data } = this;
    const nothing = this.context.clock === "elapsed" ? 0 : Date.now() / 1000;
    const newest = data?.n ? data.times[data.n - 1] : nothing;
    const [from, to] = range ?? lately(newest, follow, this.context);
    const room = (this.node.layout?.width ?? this.slot.clientWidth) - MARGIN.l - MARGIN.r;
    const times = moments(from, to, Math.max(2, Math.floor(room / 65)));
    const [low, high, steps] = this.ends(from, to);
    const axis = {
      gridcolor: theme.grid, zeroline: false, ticklabeloverflow: "allow",
      ticks: "outside", ticklen: 4, tickcolor: theme.grid,
    };
    return {
      xaxis: { ...axis, type: "linear", range: [from, to], tickvals: times.values, ticktext: times.texts },
      yaxis: {
        ...axis,
        fixedrange: true,
        range: [low, high],
        tickvals: steps,
        ticktext: steps.map((value) => format(Math.abs(value), this.panel.unit)),
      },
      ...this.lines(from, to),
    };
  }

  /** Ends and steps of the axis of values, for what lies between two times. */
  ends(from, to) {
    const { top, unit } = this.panel;
    let [least, most] = this.extremes(from, to);
    for (const { value } of this.thresholds) most = Math.max(most, value);
    const isCapped = top !== null && top !== undefined && most <= top * 1.02;
    if (isCapped) most = top;
    if (most === 0 && least === 0) most = unit === "%" ? 100 : unit === "s" ? 0.001 : 1;
    const steps = levels(least, most, unit);
    const high = isCapped ? top : steps.at(-1);
    return [steps[0], high + (high - steps[0]) * 0.03, steps.filter((step) => step <= high * 1.001)];
  }

  extremes(from, to) {
    const { data } = this;
    let [least, most] = [0, 0];
    if (!data) return [least, most];
    const shown = this.panel.lines.filter((line) => !this.hidden.has(line.key));
    const columns = shown.map((line) => [data.columns.get(line.key), line.negated ? -1 : 1]);
    for (let i = data.n - 1; i >= 0 && data.times[i] >= from; i -= 1) {
      if (data.times[i] > to) continue;
      let sum = 0;
      for (const [column, sign] of columns) {
        const value = sign * column[i];
        if (!Number.isFinite(value)) continue;
        sum = this.isStack ? sum + value : value;
        if (sum > most) most = sum;
        else if (sum < least) least = sum;
      }
    }
    return [least, most];
  }

  /** Thresholds across, marks upright, with their words. */
  lines(from, to) {
    const { theme, marks } = this.context;
    const red = theme.dark ? "#ff8a80" : "#b00020";
    const shapes = [];
    const annotations = [];
    for (const { value, label } of this.thresholds) {
      shapes.push({
        type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: value, y1: value,
        line: { color: red, dash: "dash", width: 1 },
      });
      annotations.push({
        text: plain(label), showarrow: false, font: { size: 10, color: red },
        xref: "paper", x: 1, xanchor: "right", yref: "y", y: value, yanchor: "bottom", borderpad: 0,
      });
    }
    let free = -Infinity;
    for (const mark of marks) {
      if (mark.at < from || mark.at > to) continue;
      shapes.push({
        type: "line", xref: "x", x0: mark.at, x1: mark.at, yref: "paper", y0: 0, y1: 1,
        line: { color: theme.muted, dash: "dot", width: 1 },
      });
      if (mark.at < free) continue;
      const words = String(mark.text || mark.kind);
      annotations.push({
        text: plain(words.length > 40 ? `${words.slice(0, 39)}…` : words),
        showarrow: false, font: { size: 10, color: theme.muted },
        xref: "x", x: mark.at, xanchor: mark.at > (from + to) / 2 ? "right" : "left",
        yref: "paper", y: 1, yanchor: "top", borderpad: 0,
      });
      free = mark.at + ((to - from) * Math.min(words.length, 40)) / 60;
    }
    return { shapes, annotations };
  }
}
