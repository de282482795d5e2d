// The light renderer: one uPlot per panel, their cursors moved together.
//
// A renderer is a module that exports `create(el, board, theme, hooks)`:
//   el       where it draws; hooks.slots: Map(panel key -> div) when the shell made one per panel
//   board    the meta of the snapshot
//   hooks    { slots, range(from, to) the user zoomed, cursor(seconds | null) the pointer moved }
// and returns { draw(data), extend(data, added), setVisible(lineKey, on), setRange(from, to),
//   setTheme(theme), setThresholds(panelKey, list), addMarks(marks), resize(), destroy(),
//   setCursor(seconds | null) }.
// setRange(from, to) stands still; setRange(seconds, null) follows the newest time and shows so
// much before it. `data` is {n, times, columns}, valid until the next call.
import uPlot from "uplot";
import { format, lately } from "./format.js";

const DASHES = { solid: undefined, dash: [7, 4], dot: [2, 3] };
const HEIGHT = 150;
const KEY = "labvirt";
const MINUTE = 60;

const withAlpha = (colour, alpha) => `${colour}${Math.round(alpha * 255).toString(16).padStart(2, "0")}`;

/** Steps of an axis of bytes: powers of two. */
const BYTES = Array.from({ length: 50 }, (_, power) => 2 ** power);

export function create(el, board, theme, hooks = {}) {
  const { clock } = board;
  const context = { theme, hooks, clock, marks: [...(board.marks ?? [])], follow: board.window_s, range: null };
  const charts = board.panels.map((panel) => {
    const slot = hooks.slots?.get(panel.key) ?? el.appendChild(document.createElement("div"));
    return new Chart(slot, panel, context);
  });
  const each = (name) => (...args) => charts.forEach((chart) => chart[name](...args));
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
      each("rebuild")();
    },
    setThresholds: (key, list) =>
      charts.filter((chart) => chart.panel.key === key).forEach((chart) => chart.setThresholds(list)),
    addMarks(marks) {
      context.marks.push(...marks);
      each("redraw")();
    },
    setCursor: each("setCursor"),
    resize: each("resize"),
    destroy: each("destroy"),
  };
}

class Chart {
  constructor(slot, panel, context) {
    Object.assign(this, { slot, panel, context });
    this.hidden = new Set();
    this.thresholds = panel.thresholds ?? [];
    this.times = [];
    this.raw = panel.lines.map(() => []);
    this.build();
  }

  get isStack() {
    return this.panel.style === "stack";
  }

  // -- data ---------------------------------------------------------------------------------

  draw(data) {
    this.times = [];
    this.raw = this.panel.lines.map(() => []);
    this.append(data, 0);
    this.show();
  }

  extend(data, added) {
    this.append(data, Math.max(0, data.n - added));
    const surplus = this.times.length - data.n;
    if (surplus > 0) for (const column of [this.times, ...this.raw]) column.splice(0, surplus);
    this.show();
  }

  append(data, from) {
    for (let i = from; i < data.n; i += 1) this.times.push(data.times[i]);
    this.panel.lines.forEach((line, at) => {
      const column = data.columns.get(line.key);
      const sign = line.negated ? -1 : 1;
      const into = this.raw[at];
      for (let i = from; i < data.n; i += 1) {
        const value = column[i];
        into.push(value === value ? sign * value : null);
      }
    });
  }

  /** What uPlot draws: the values, or their running sums where areas stand on each other. */
  shown() {
    if (!this.isStack) return [this.times, ...this.raw];
    const sums = new Array(this.times.length).fill(0);
    return [
      this.times,
      ...this.raw.map((column, at) => {
        if (this.hidden.has(this.panel.lines[at].key)) return column;
        return column.map((value, i) => (value === null ? null : (sums[i] += value)));
      }),
    ];
  }

  show() {
    this.plot.setData(this.shown(), false);
    this.place();
  }

  place() {
    const { range, follow } = this.context;
    const nothing = this.context.clock === "elapsed" ? 0 : Date.now() / 1000;
    const newest = this.times.length ? this.times[this.times.length - 1] : nothing;
    const [min, max] = range ?? lately(newest, follow, this.context);
    this.setting = true;
    this.plot.batch(() => {
      this.plot.setScale("x", { min, max });
    });
    this.setting = false;
  }

  // -- what is shown --------------------------------------------------------------------------

  setVisible(key, on) {
    const at = this.panel.lines.findIndex((line) => line.key === key);
    if (at < 0) return;
    this.hidden[on ? "delete" : "add"](key);
    this.plot.setSeries(at + 1, { show: on });
    if (this.isStack) {
      this.plot.delBand(null);
      this.bands().forEach((band) => this.plot.addBand(band));
      this.show();
    }
  }

  setThresholds(list) {
    this.thresholds = list;
    this.show();
  }

  redraw() {
    this.plot.redraw(false);
  }

  setCursor(seconds) {
    if (seconds === null) this.plot.setCursor({ left: -10, top: -10 });
    else {
      const left = this.plot.valToPos(seconds, "x");
      this.plot.setCursor({ left, top: this.plot.bbox.height / devicePixelRatio / 2 });
    }
  }

  resize() {
    const width = this.slot.clientWidth;
    if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  rebuild() {
    this.plot.destroy();
    this.build();
    this.show();
  }

  destroy() {
    this.plot.destroy();
  }

  // -- uPlot ----------------------------------------------------------------------------------

  build() {
    this.plot = new uPlot(this.options(), [[], ...this.panel.lines.map(() => [])], this.slot);
  }

  options() {
    const { panel, context } = this;
    return {
      width: this.slot.clientWidth || 420,
      height: HEIGHT,
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: {
        sync: {
          key: KEY + (context.hooks.id ?? ""),
          setSeries: false,
          // A drag is one chart's; the others follow through the shell.
          filters: { pub: (type) => type === "mousemove" || type === "mouseleave" },
        },
        drag: { x: true, y: false, dist: 6, setScale: false },
        bind: { dblclick: () => () => void context.hooks.range?.(null) },
        points: { size: 7 },
      },
      scales: { x: { time: true }, y: { range: (_, low, high) => this.ends(low, high) } },
      series: [{}, ...panel.lines.map((line) => this.series(line))],
      bands: this.bands(),
      axes: this.axes(),
      padding: [8, 20, 0, 0],
      hooks: {
        drawClear: [(plot) => this.backdrop(plot)],
        draw: [(plot) => this.foreground(plot)],
        setSelect: [(plot) => this.zoomed(plot)],
        setCursor: [(plot) => this.pointed(plot)],
      },
    };
  }

  series(line) {
    return {
      label: line.label,
      show: !this.hidden.has(line.key),
      stroke: line.colour,
      dash: DASHES[line.dash],
      width: 1.5,
      fill: this.isStack ? withAlpha(line.colour, 0.45) : undefined,
      points: { show: false },
    };
  }

  /** Fill between a line and the visible one below it. */
  bands() {
    if (!this.isStack) return [];
    const shown = this.panel.lines
      .map((line, at) => [line.key, at + 1])
      .filter(([key]) => !this.hidden.has(key))
      .map(([, at]) => at);
    return shown.slice(1).map((at, below) => ({ series: [at, shown[below]], dir: -1 }));
  }

  axes() {
    const { theme } = this.context;
    const common = {
      stroke: theme.muted,
      font: `11px ${theme.font}`,
      grid: { stroke: theme.grid, width: 1 },
      ticks: { stroke: theme.grid, width: 1, size: 4 },
    };
    const { unit } = this.panel;
    const labels = (_, values) => values.map((value) => format(Math.abs(value), unit));
    const incrs = unit === "B" ? { incrs: BYTES } : {};
    return [
      { ...common, size: 26, space: 62, values: (plot, at) => at.map((time) => this.time(plot, time)) },
      { ...common, ...incrs, size: 74, space: 24, values: labels },
    ];
  }

  /** Time of day; nothing where it would be cut off at the end. */
  time(plot, seconds) {
    if (plot.valToPos(seconds, "x") > plot.bbox.width / devicePixelRatio - 16) return "";
    const text = new Date(seconds * 1000).toISOString();
    const [from, to] = [this.plot.scales.x.min, this.plot.scales.x.max];
    return to - from > 15 * MINUTE ? text.slice(11, 16) : text.slice(11, 19);
  }

  ends(low, high) {
    const { top, unit } = this.panel;
    const levels = this.thresholds.map((each) => each.value);
    let most = Math.max(0, high ?? 0, ...levels);
    const least = Math.min(0, low ?? 0);
    if (top !== null && top !== undefined && most <= top * 1.02) return [least, top];
    if (most === 0 && least === 0) most = unit === "%" ? 100 : unit === "s" ? 0.001 : 1;
    const room = (most - least) * 0.08;
    return [least < 0 ? least - room : 0, most + room];
  }

  /** Marks: vertical lines behind the values, their words at the top. */
  backdrop(plot) {
    const { ctx, bbox } = plot;
    const { min, max } = plot.scales.x;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${10 * devicePixelRatio}px ${this.context.theme.font}`;
    ctx.fillStyle = ctx.strokeStyle = this.context.theme.muted;
    ctx.lineWidth = devicePixelRatio;
    let free = -Infinity;
    for (const mark of this.context.marks) {
      if (mark.at < min || mark.at > max) continue;
      const x = Math.round(plot.valToPos(mark.at, "x", true)) + 0.5;
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (x < free) continue;
      const words = mark.text || mark.kind;
      const width = ctx.measureText(words).width;
      const fits = x + 4 + width < bbox.left + bbox.width;
      ctx.textAlign = fits ? "left" : "right";
      ctx.textBaseline = "top";
      ctx.fillText(words, fits ? x + 4 : x - 4, bbox.top + 2);
      free = x + width + 12;
    }
    ctx.restore();
  }

  /** Thresholds: red lines above the values, with their words. */
  foreground(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = this.context.theme.dark ? "#ff8a80" : "#b00020";
    ctx.font = `${10 * devicePixelRatio}px ${this.context.theme.font}`;
    ctx.lineWidth = devicePixelRatio;
    for (const { value, label } of this.thresholds) {
      const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.setLineDash([6, 3]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.textAlign = "right";
      const low = y - bbox.top < 14 * devicePixelRatio;
      ctx.textBaseline = low ? "top" : "bottom";
      ctx.fillText(label, bbox.left + bbox.width - 4, y + (low ? 2 : -2));
    }
    ctx.restore();
  }

  zoomed(plot) {
    if (this.setting || plot.select.width < 4) return;
    const from = plot.posToVal(plot.select.left, "x");
    const to = plot.posToVal(plot.select.left + plot.select.width, "x");
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.context.hooks.range?.(from, to);
  }

  pointed(plot) {
    const { left, idx } = plot.cursor;
    if (this.context.quiet) return;
    const at = left >= 0 && idx !== null && idx !== undefined ? this.times[idx] : null;
    this.context.hooks.cursor?.(at);
  }
}
