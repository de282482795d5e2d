// Who uses most: the greatest users of one thing as areas on each other, the rest as one more.

import { make, say } from "./dom.js";
import { format } from "./format.js";

const LIGHT = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"];
const INK = ["#ffffff", "#000000", "#000000", "#000000", "#000000"]; // 4.5:1 on its colour
const OTHERS = { light: "#9a9a9a", dark: "#7d7d7d" };
const HEIGHT = 132;
const LEFT = 78;
const FOOT = 18;
export const STACK_UNITS = { cpu: "%", memory: "B", disk: "B/s", net: "B/s" };
const RESORT_MS = 5000;

export class Stack {
  constructor(rows, words, count) {
    Object.assign(this, { rows, words, count, metric: "cpu", slots: [], at: 0 });
    this.canvas = make("canvas", { role: "img", class: "lv-stack-canvas" });
    this.legend = make("ul", { class: "lv-stack-legend" });
    this.el = make("section", { class: "lv-stack", "aria-label": words.most },
      make("div", { class: "lv-stack-picture" }, this.canvas), this.legend);
    this.pen = this.canvas.getContext("2d");
    this.colours = new Map();
  }

  setTheme(theme) {
    this.theme = theme;
  }

  setMetric(metric) {
    if (metric !== this.metric) this.slots = [];
    this.metric = metric;
    this.at = 0;
  }

  // Who is on the picture changes seldom, and who stays keeps the colour.
  choose(now) {
    const gone = this.slots.some((slot) => !this.rows.rows.has(slot));
    if (!gone && this.at && now - this.at < RESORT_MS) return;
    this.at = now;
    const next = this.rows.most(this.metric, this.count, this.slots);
    for (const slot of [...this.colours.keys()]) if (!next.includes(slot)) this.colours.delete(slot);
    for (const slot of next) {
      if (this.colours.has(slot)) continue;
      const taken = [...this.colours.values()];
      this.colours.set(slot, LIGHT.findIndex((_, i) => !taken.includes(i)));
    }
    this.slots = next;
  }

  draw(now) {
    this.choose(now);
    const { rows, metric, slots } = this;
    const { layers, others } = rows.layers(metric, slots);
    const parts = slots.map((slot, i) => ({
      label: rows.rows.get(slot).name,
      colour: LIGHT[this.colours.get(slot)],
      ink: INK[this.colours.get(slot)],
      points: layers[i],
    }));
    parts.push({ label: this.words.others, colour: OTHERS[this.theme.dark ? "dark" : "light"], points: others });
    this.picture(parts);
    this.tell(parts);
  }

  picture(parts) {
    const { pen, canvas, theme, rows } = this;
    const width = canvas.parentElement.clientWidth;
    const ratio = globalThis.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(HEIGHT * ratio);
      Object.assign(canvas.style, { width: `${width}px`, height: `${HEIGHT}px` });
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, HEIGHT);
    const n = rows.filled;
    const sums = new Float64Array(n);
    for (const part of parts) for (let i = 0; i < n; i++) sums[i] += part.points[i];
    const top = ceiling(Math.max(...sums, 0), this.metric);
    const box = { x: LEFT, y: 8, wide: width - LEFT - 10, high: HEIGHT - FOOT - 8 };
    this.axes(box, top);
    if (n) this.areas(parts, box, top, n);
  }

  axes({ x, y, wide, high }, top) {
    const { pen, theme, rows, words } = this;
    pen.font = `11px ${theme.font}`;
    pen.textBaseline = "middle";
    pen.strokeStyle = theme.grid;
    pen.lineWidth = 1;
    for (const share of [0, 0.5, 1]) {
      const at = Math.round(y + high - share * high) + 0.5;
      pen.beginPath();
      pen.moveTo(x, at);
      pen.lineTo(x + wide, at);
      pen.stroke();
      pen.fillStyle = theme.muted;
      pen.textAlign = "right";
      const unit = STACK_UNITS[this.metric];
      const whole = unit === "%" && top >= 10;
      pen.fillText(whole ? `${Math.round(share * top)} %` : format(share * top, unit), x - 6, at);
    }
    pen.textBaseline = "bottom";
    pen.textAlign = "right";
    pen.fillText(words.now, x + wide, y + high + FOOT);
    const first = rows.times[(rows.head + rows.points - rows.filled) % rows.points];
    if (rows.filled < 2) return;
    pen.textAlign = "left";
    const from = x + wide * (1 - (rows.filled - 1) / (rows.points - 1));
    pen.fillText(`−${Math.round(rows.at - first)} s`, Math.min(from, x + wide - 80), y + high + FOOT);
  }

  areas(parts, { x, y, wide, high }, top, n) {
    const { pen, rows, theme } = this;
    const step = wide / (rows.points - 1);
    const px = (i) => x + (rows.points - n + i) * step;
    const py = (value) => y + high - (Math.min(value, top) / top) * high;
    let below = new Float64Array(n);
    parts.forEach((part, order) => {
      const above = below.map((value, i) => value + part.points[i]);
      pen.beginPath();
      for (let i = 0; i < n; i++) pen.lineTo(px(i), py(above[i]));
      for (let i = n - 1; i >= 0; i--) pen.lineTo(px(i), py(below[i]));
      pen.closePath();
      pen.fillStyle = part.colour;
      pen.fill();
      // A thin gap and a number tell the areas apart without their colours.
      if (py(below[n - 1]) - py(above[n - 1]) > 4) {
        pen.strokeStyle = theme.background;
        pen.lineWidth = 1;
        pen.stroke();
      }
      const [low, up] = [py(below[n - 1]), py(above[n - 1])];
      if (order < parts.length - 1 && low - up > 12 && n > 3) {
        pen.fillStyle = part.ink;
        pen.font = `bold 11px ${theme.font}`;
        pen.textAlign = "right";
        pen.textBaseline = "middle";
        pen.fillText(String(order + 1), x + wide - 4, (low + up) / 2);
      }
      below = above;
    });
  }

  // The legend is text: number, name and value now.
  tell(parts) {
    const { legend, metric, words } = this;
    while (legend.children.length > parts.length) legend.lastChild.remove();
    while (legend.children.length < parts.length) {
      legend.append(make("li", {}, make("b", { "aria-hidden": "true" }), make("span"), make("data")));
    }
    const unit = STACK_UNITS[metric];
    parts.forEach((part, order) => {
      const [swatch, name, value] = legend.children[order].children;
      Object.assign(swatch.style, { background: part.colour, color: part.ink });
      say(swatch, order < parts.length - 1 ? String(order + 1) : "");
      say(name, part.label);
      name.title = part.label;
      say(value, format(part.points[part.points.length - 1] ?? NaN, unit));
    });
    const who = parts.slice(0, -1).map((part) => part.label).join(", ");
    this.canvas.setAttribute("aria-label", `${words.most}: ${words.metrics[metric]}. ${who}`);
  }
}

// The upper end of the axis: a round number at or above the most.
function ceiling(most, metric) {
  const least = metric === "cpu" ? 1 : metric === "memory" ? 2 ** 20 : 1000;
  if (!(most > least)) return least;
  if (metric === "memory") {
    const unit = 1024 ** Math.floor(Math.log2(most) / 10);
    return Math.ceil(round(most / unit)) * unit;
  }
  return round(most);
}

function round(value) {
  const ten = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((each) => each * ten >= value) * ten;
}
