// The table of the overview on a canvas: only the rows in sight are drawn.

import { fill } from "./dom.js";
import { clock, format } from "./format.js";
import { METRICS } from "./spark_rows.js";

export const ROW = 26;
const PAD = 8;
const SPARK = [24, 62]; // least and most width of a sparkline
const ELLIPSIS = "…";

// Least widths in pixels. `spark` is drawn beside the number, and takes what is left over first.
export const COLUMNS = {
  name: { width: 150, grow: true, left: true },
  id: { width: 42 },
  state: { width: 116, left: true },
  vcpus: { width: 52 },
  cpu: { width: 66, spark: "cpu" },
  cpu_host: { width: 88 },
  memory: { width: 74 },
  memory_host: { width: 82 },
  disk: { width: 78, spark: "disk" },
  net: { width: 78, spark: "net" },
  host: { width: 90, left: true },
  tags: { width: 110, left: true },
  os: { width: 110, left: true },
  address: { width: 118, left: true },
  title: { width: 130, left: true },
  autostart: { width: 74, left: true },
};

const LEAST = Object.fromEntries(Object.entries(COLUMNS).map(([key, { width }]) => [key, width]));

export class Grid {
  constructor(canvas, rows, words) {
    Object.assign(this, { canvas, rows, words, slots: [], widths: [], columns: [] });
    this.pen = canvas.getContext("2d");
    this.cut = new Map();
    this.drawn = 0;
  }

  // Widths of the columns for a box so wide; what is left over goes to the names.
  layout(columns, width) {
    this.columns = columns;
    this.least = { ...LEAST, state: this.stateWidth() };
    for (const key of columns) {
      const more = COLUMNS[key].spark ? SPARK[0] + PAD : 0;
      this.least[key] = Math.max(this.least[key], this.titleWidth(key) - more);
    }
    const sum = (list) => list.reduce((total, each) => total + each, 0);
    const least = sum(columns.map((key) => this.least[key]));
    const sparks = columns.filter((key) => COLUMNS[key].spark).length;
    const room = sparks ? Math.floor((width - least) / sparks) - PAD : 0;
    this.sparkWidth = Math.min(SPARK[1], Math.max(SPARK[0], room));
    const asked = columns.map((key) =>
      this.least[key] + (COLUMNS[key].spark ? this.sparkWidth + PAD : 0));
    const left = Math.max(0, width - sum(asked));
    this.widths = columns.map((key, i) => asked[i] + (COLUMNS[key].grow ? left : 0));
    this.total = sum(this.widths);
    return this.total;
  }

  // As wide as the longest word of the heading, which takes as many lines as it needs.
  titleWidth(key) {
    this.pen.font = `600 12px ${this.theme?.font ?? "sans-serif"}`;
    const words = (this.words.columns[key]?.[0] ?? "").split(/\s+|(?<=-)/);
    return Math.ceil(Math.max(0, ...words.map((word) => this.pen.measureText(word).width))) + 2 * PAD + 8;
  }

  // As wide as the states that are there: they are longer in other languages.
  stateWidth() {
    const texts = new Set([...this.rows.rows.values()].map((row) => stateText(row, this.words, true)));
    this.pen.font = `italic ${this.theme?.size ?? 12}px ${this.theme?.font ?? "sans-serif"}`;
    const wide = Math.max(0, ...[...texts].map((text) => this.pen.measureText(text).width));
    return Math.min(190, Math.max(LEAST.state, Math.ceil(wide) + 2 * PAD + 20));
  }

  resize(width, height) {
    const ratio = globalThis.devicePixelRatio || 1;
    if (this.width === width && this.height === height && this.ratio === ratio) return;
    Object.assign(this, { width, height, ratio });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
  }

  setTheme(theme) {
    this.theme = paint(theme);
    this.cut.clear();
  }

  // Which column and row is at a point of the canvas.
  at(x, y, scrollLeft, scrollTop) {
    const index = Math.floor((y + scrollTop) / ROW);
    let from = -scrollLeft;
    const column = this.columns.findIndex((_, i) => (from += this.widths[i]) > x);
    return { index, slot: this.slots[index], column: this.columns[column], inside: x + scrollLeft };
  }

  // look: {left, top, current, selected: Set of UUIDs, focused, folded, group}
  draw(look) {
    const { pen, theme, width, height } = this;
    this.look = look;
    this.scales = Object.fromEntries(METRICS.map((each) => [each, this.rows.greatest(each)]));
    this.scales.cpu = Math.max(100, this.scales.cpu);
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.fillStyle = theme.background;
    pen.fillRect(0, 0, width, height);
    pen.textBaseline = "middle";
    const first = Math.floor(look.top / ROW);
    const last = Math.min(this.slots.length, Math.ceil((look.top + height) / ROW));
    for (let index = first; index < last; index++) {
      const row = this.rows.get(this.slots[index]);
      if (row) this.row(row, index, index * ROW - look.top);
    }
    this.drawn = Math.max(0, last - first);
  }

  row(row, index, y) {
    const { pen, theme, look } = this;
    const chosen = row.uuid && look.selected.has(row.uuid);
    const back = chosen ? theme.selected : row.uuid ? (index % 2 ? theme.stripe : null) : theme.band;
    if (back) {
      pen.fillStyle = back;
      pen.fillRect(0, y, this.width, ROW);
    }
    if (chosen) {
      pen.fillStyle = theme.accent;
      pen.fillRect(0, y, 3, ROW);
    }
    const style = row.uuid ? (row.active ? "" : "italic ") : "bold ";
    pen.font = `${style}${theme.size}px ${theme.font}`;
    this.style = style;
    this.ink = row.active || !row.uuid ? theme.ink : theme.soft;
    let x = -look.left;
    this.columns.forEach((key, i) => {
      const wide = this.widths[i];
      if (x + wide > 0 && x < this.width) this.cell(row, key, x, y, wide, chosen);
      x += wide;
    });
    if (look.current === index && look.focused) {
      pen.strokeStyle = theme.accent;
      pen.lineWidth = 2;
      pen.strokeRect(1, y + 1, Math.min(this.width, this.total - look.left) - 2, ROW - 2);
    }
  }

  cell(row, key, x, y, wide, chosen) {
    const { pen } = this;
    const column = COLUMNS[key];
    const middle = y + ROW / 2;
    pen.fillStyle = this.ink;
    if (key === "name") return this.name(row, x, middle, wide, chosen);
    if (key === "state") return this.state(row, x, middle, wide);
    const text = this.text(row, key);
    if (column.left) return this.label(text, x + PAD, middle, wide - 2 * PAD);
    const room = wide - PAD - (column.spark ? this.sparkWidth + PAD : 0);
    pen.textAlign = "right";
    pen.fillText(text, x + room, middle);
    pen.textAlign = "left";
    if (column.spark && row.active) this.spark(row, column.spark, x + room + PAD, y + 4, this.sparkWidth - 2, ROW - 8);
  }

  text(row, key) {
    if (key === "id") return row.id === null ? "" : String(row.id);
    if (key === "vcpus") return row.vcpus ? String(row.vcpus) : "";
    if (key === "host") return row.host;
    if (key === "tags") return row.tags.join(", ");
    if (key === "address") return row.addresses.join(", ");
    if (key === "os" || key === "title") return row[key];
    if (key === "autostart") return row.autostart ? `✓ ${this.words.yes}` : "";
    if (!row.active) return "";
    return format(this.rows.value(row.slot, key), UNITS[key]);
  }

  name(row, x, middle, wide, chosen) {
    const { pen, look, theme } = this;
    let from = x + PAD;
    if (!row.uuid) {
      const folded = look.folded.has(row.fold);
      this.shape(folded ? FOLDED : UNFOLDED, from + 5, middle, this.ink);
      from += 16;
    } else if (look.group) {
      from += 16;
    }
    if (chosen) {
      pen.fillText("✓", from, middle);
      from += 16;
    }
    pen.fillStyle = this.ink;
    let text = row.name || row.uuid;
    if (!row.uuid) {
      // A host has no number: its counts may reach into that column.
      if (row.counts) wide = this.total - x;
      else if (this.columns[1] === "id") wide += this.widths[1];
      const counts = fill(this.words.counts, this.rows.counts(row));
      const used = this.label(text, from, middle, x + wide - PAD - from);
      pen.font = `${theme.size}px ${theme.font}`;
      this.style = "";
      from += used + PAD;
      text = counts;
      pen.fillStyle = theme.soft;
    }
    this.label(text, from, middle, x + wide - PAD - from);
  }

  state(row, x, middle, wide) {
    const { theme } = this;
    if (!row.state) return;
    const [shape, colour] = signOf(row, theme);
    this.shape(shape, x + PAD + 5, middle, colour);
    this.pen.fillStyle = this.ink;
    this.label(stateText(row, this.words, true), x + PAD + 17, middle, wide - 2 * PAD - 17);
  }

  shape(points, x, y, colour) {
    const { pen } = this;
    pen.fillStyle = colour;
    pen.beginPath();
    for (const part of points) {
      part.forEach(([dx, dy], i) => (i ? pen.lineTo(x + dx, y + dy) : pen.moveTo(x + dx, y + dy)));
      pen.closePath();
    }
    pen.fill();
  }

  // Writes a text, cut with an ellipsis where it is too long; returns its width.
  label(text, x, y, room) {
    if (room < 8) return 0;
    const key = `${this.style}|${Math.round(room)}|${text}`;
    let known = this.cut.get(key);
    if (!known) {
      if (this.cut.size > 4000) this.cut.clear();
      known = this.shortened(text, room);
      this.cut.set(key, known);
    }
    this.pen.fillText(known[0], x, y);
    return known[1];
  }

  shortened(text, room) {
    const { pen } = this;
    const plain = text.replace(/\s+/g, " ").slice(0, 400);
    const wide = pen.measureText(plain).width;
    if (wide <= room && plain.length === text.length) return [plain, wide];
    const letters = Array.from(SEGMENTS ? Array.from(SEGMENTS.segment(plain), (s) => s.segment) : plain);
    let [low, high] = [0, letters.length];
    while (low < high) {
      const half = (low + high + 1) >> 1;
      if (pen.measureText(letters.slice(0, half).join("") + ELLIPSIS).width <= room) low = half;
      else high = half - 1;
    }
    const cut = letters.slice(0, low).join("") + ELLIPSIS;
    return [cut, pen.measureText(cut).width];
  }

  // A host is more than any of its domains: it has a scale of its own.
  greatestOf(row, metric, past) {
    let most = metric === "cpu" ? 100 : 0;
    for (let i = 0; i < this.rows.filled; i++) {
      const value = past[this.rows.place(row.slot, i)];
      if (value > most) most = value;
    }
    return most;
  }

  spark(row, metric, x, y, wide, high) {
    const { pen, rows, theme } = this;
    const past = rows.past[METRICS.indexOf(metric)];
    const top = row.uuid ? this.scales[metric] : this.greatestOf(row, metric, past);
    const step = wide / (rows.points - 1);
    const start = rows.points - rows.filled;
    const line = new Path2D();
    const area = new Path2D();
    let open = -1;
    for (let i = 0; i <= rows.filled; i++) {
      const value = i < rows.filled ? past[rows.place(row.slot, i)] : NaN;
      const px = x + (start + i) * step;
      if (Number.isNaN(value)) {
        if (open >= 0) area.lineTo(px - step, y + high);
        open = -1;
        continue;
      }
      const py = y + high - (top > 0 ? Math.min(1, value / top) : 0) * high;
      if (open < 0) {
        line.moveTo(px, py);
        area.moveTo(px, y + high);
        area.lineTo(px, py);
        open = i;
      } else {
        line.lineTo(px, py);
        area.lineTo(px, py);
      }
    }
    pen.fillStyle = theme.fill[metric];
    pen.fill(area);
    pen.strokeStyle = theme.line[metric];
    pen.lineWidth = 1.2;
    pen.stroke(line);
  }
}

// What the theme of the page does not say. Text has a contrast of 4.5:1 and more, shapes 3:1.
function paint(theme) {
  const { dark } = theme;
  const line = dark
    ? { cpu: "#56b4e9", memory: "#cc79a7", disk: "#e69f00", net: "#2fc79a" }
    : { cpu: "#0072b2", memory: "#a34a7d", disk: "#b36b00", net: "#00805f" };
  return {
    ...theme,
    size: 12,
    ink: theme.text,
    soft: dark ? "#b4b4b4" : "#5c5c5c",
    stripe: dark ? "rgba(255,255,255,0.035)" : "rgba(0,0,0,0.03)",
    band: dark ? "rgba(255,255,255,0.11)" : "rgba(0,0,0,0.075)",
    selected: dark ? "#123a5c" : "#d6e9fb",
    accent: dark ? "#64b5f6" : "#1565c0",
    good: dark ? "#2fc79a" : "#00805f",
    warn: dark ? "#e69f00" : "#9a5b00",
    bad: dark ? "#ff8a65" : "#c23b00",
    line,
    fill: Object.fromEntries(Object.entries(line).map(([key, colour]) => [key, `${colour}40`])),
  };
}

export const UNITS = {
  cpu: "%", cpu_host: "%", memory: "B", memory_host: "%", disk: "B/s", net: "B/s",
  read: "B/s", write: "B/s", rx: "B/s", tx: "B/s",
};

const SEGMENTS = globalThis.Intl?.Segmenter ? new Intl.Segmenter() : null;
const box = (a, b, c, d) => [[a, b], [c, b], [c, d], [a, d]];
const FOLDED = [[[-3, -5], [4, 0], [-3, 5]]];
const UNFOLDED = [[[-5, -3], [5, -3], [0, 4]]];
const PLAY = [[[-4, -5], [5, 0], [-4, 5]]];
const PAUSE = [box(-4, -5, -1, 5), box(1, -5, 4, 5)];
const STOP = [box(-4, -4, 4, 4)];
const CROSS = [[[-5, -3], [-3, -5], [5, 3], [3, 5]], [[5, -3], [3, -5], [-5, 3], [-3, 5]]];
const WARN = [[[0, -6], [6, 5], [-6, 5]]];
const MOON = [box(-5, -1, 5, 1)];
const DOT = [[[0, -4], [4, 0], [0, 4], [-4, 0]]];
const SHAPES = {
  running: [PLAY, "good"], blocked: [PLAY, "good"], paused: [PAUSE, "warn"],
  shutdown: [STOP, "warn"], shutoff: [STOP, "soft"], crashed: [CROSS, "bad"],
  pmsuspended: [MOON, "warn"], connected: [DOT, "good"], lost: [CROSS, "bad"],
  reconnecting: [WARN, "warn"], closed: [CROSS, "bad"],
};

function signOf(row, theme) {
  if (row.stalled_since !== null || row.stale_since !== null) return [WARN, theme.bad];
  const [shape, colour] = SHAPES[row.state] ?? [DOT, "soft"];
  return [shape, theme[colour]];
}

export function stateText(row, words, short = false) {
  const text = row.stale_since !== null ? words.row_stale
    : row.stalled_since !== null ? words.row_stalled : null;
  if (!text) return words.states[row.text] ?? row.text;
  return short ? text[0] : fill(text[1], { at: clock(row.stale_since ?? row.stalled_since) });
}
