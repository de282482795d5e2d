// Rows of the overview in the view: what rows.py sends, kept in arrays by slot, sorted and filtered.

import { Filter } from "./spark_filter.js";
import { grouped } from "./spark_groups.js";

export const VALUES = ["cpu", "share", "memory", "read", "write", "rx", "tx"];
export const METRICS = ["cpu", "memory", "disk", "net"];
const [CPU, SHARE, MEMORY, READ, WRITE, RX, TX] = VALUES.keys();
const USUAL = {
  uuid: "", name: "", id: null, state: "nostate", text: "", reason: "", vcpus: 0, memory_bytes: 0,
  tags: [], active: true, stalled_since: null, stale_since: null, title: "", description: "", os: "",
  addresses: [], macs: [], has: [], autostart: false, persistent: true,
};

const aligned = (view) => view instanceof ArrayBuffer
  ? view : view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);

export class Rows {
  constructor(points = 60) {
    this.points = points;
    this.filter = new Filter();
    this.headings = new Map(); // key -> what stands in the heading of a group
    this.clear(0);
  }

  clear(size) {
    this.size = size;
    this.filled = 0; // points of the past that are known
    this.head = 0; // where the next point goes
    this.times = new Float64Array(this.points).fill(NaN);
    this.rows = new Map(); // slot -> row
    this.hosts = new Map(); // name -> slot
    this.now = VALUES.map(() => new Float32Array(size).fill(NaN));
    this.past = METRICS.map(() => new Float32Array(size * this.points).fill(NaN));
  }

  // -- what comes from the kernel

  snap(meta, view) {
    const buffer = aligned(view);
    this.clear(meta.size);
    this.put(meta.rows);
    const { points, size } = meta;
    let from = 8 * points;
    const times = new Float64Array(buffer, 0, points);
    const floats = new Float32Array(buffer, from);
    VALUES.forEach((_, v) => this.now[v].set(floats.subarray(v * size, (v + 1) * size)));
    from = VALUES.length * size;
    for (let point = 0; point < points; point++) {
      this.times[point] = times[point];
      for (const past of this.past) {
        for (let slot = 0; slot < size; slot++) past[slot * this.points + point] = floats[from++];
      }
    }
    this.filled = points;
    this.head = points % this.points;
  }

  change(meta) {
    if (meta.size > this.size) this.grow(meta.size);
    this.put(meta.rows);
  }

  grow(size) {
    const wider = (old, each) => {
      const more = new Float32Array(size * each).fill(NaN);
      more.set(old);
      return more;
    };
    this.now = this.now.map((old) => wider(old, 1));
    this.past = this.past.map((old) => wider(old, this.points));
    this.size = size;
  }

  put(rows) {
    for (const [slot, facts] of rows) {
      const old = this.rows.get(slot);
      const row = facts && { ...USUAL, ...facts, slot };
      if (old && (!row || old.uuid !== row.uuid || old.host !== row.host)) this.forget(slot, old);
      if (!row) continue;
      row.plain = row.name.toLowerCase();
      row.fold = row.host;
      this.rows.set(slot, row);
      if (!row.uuid) this.hosts.set(row.host, slot);
    }
  }

  forget(slot, old) {
    this.rows.delete(slot);
    if (!old.uuid) this.hosts.delete(old.host);
    for (const now of this.now) now[slot] = NaN;
    for (const past of this.past) past.fill(NaN, slot * this.points, (slot + 1) * this.points);
  }

  // A tick: rows that came, changed or went; then the numbers that are other ones.
  delta({ rows }, view) {
    if (rows) this.change(rows);
    if (!view) return;
    const buffer = aligned(view);
    const floats = new Float32Array(buffer, 8);
    let from = VALUES.length;
    VALUES.forEach((_, v) => {
      const count = floats[v];
      if (count < 0) {
        this.now[v].set(floats.subarray(from, from + this.size));
        from += this.size;
        return;
      }
      for (let i = 0; i < count; i++) this.now[v][floats[from + i]] = floats[from + count + i];
      from += 2 * count;
    });
    this.times[this.head] = new Float64Array(buffer, 0, 1)[0];
    for (const slot of this.rows.keys()) {
      METRICS.forEach((metric, m) => {
        this.past[m][slot * this.points + this.head] = this.value(slot, metric);
      });
    }
    this.head = (this.head + 1) % this.points;
    this.filled = Math.min(this.filled + 1, this.points);
  }

  // -- what the view asks

  // The row of an entry of the table.
  get(entry) {
    if (typeof entry !== "string") return this.rows.get(entry);
    return this.headings.get(entry) ?? this.rows.get(parseInt(entry, 10));
  }

  get at() {
    return this.filled ? this.times[(this.head + this.points - 1) % this.points] : NaN;
  }

  // Place in an array of `past` of the i-th known point, counted from the oldest.
  place(slot, i) {
    return slot * this.points + ((this.head - this.filled + i + 2 * this.points) % this.points);
  }

  value(slot, key) {
    const now = this.now;
    const row = this.rows.get(slot);
    switch (key) {
      case "cpu": return now[CPU][slot];
      case "cpu_host": return now[CPU][slot] === 0 ? 0 : now[CPU][slot] * now[SHARE][slot];
      case "memory": {
        const seen = now[MEMORY][slot];
        return Number.isNaN(seen) && row?.active && row.uuid && row.memory_bytes
          ? row.memory_bytes : seen;
      }
      case "memory_host": {
        const host = this.rows.get(this.hosts.get(row?.host));
        return host?.memory_bytes ? (100 * this.value(slot, "memory")) / host.memory_bytes : NaN;
      }
      case "disk": return now[READ][slot] + now[WRITE][slot];
      case "net": return now[RX][slot] + now[TX][slot];
      case "read": return now[READ][slot];
      case "write": return now[WRITE][slot];
      case "rx": return now[RX][slot];
      case "tx": return now[TX][slot];
      case "name": return row.plain;
      case "state": return row.text;
      case "tags": return row.tags.join(", ");
      case "address": return row.addresses.join(", ");
      case "autostart": return row.autostart ? "a" : "b";
      default: return row[key] ?? NaN;
    }
  }

  // Greatest value of a metric in the past of all domains: sparklines of a column share a scale.
  greatest(metric) {
    const past = this.past[METRICS.indexOf(metric)];
    let most = 0;
    for (const [slot, row] of this.rows) {
      if (!row.uuid) continue;
      for (let i = slot * this.points; i < (slot + 1) * this.points; i++) {
        if (past[i] > most) most = past[i];
      }
    }
    return most;
  }

  // Active and inactive domains under a heading.
  counts(row) {
    if (row.counts) return row.counts;
    const { host } = row;
    let active = 0;
    let inactive = 0;
    for (const each of this.rows.values()) {
      if (each.host === host && each.uuid) each.active ? active++ : inactive++;
    }
    return { active, inactive };
  }

  // Entries in the order they are shown. look: {sort, down, inactive, group, folded: Set}
  order(look, words) {
    const { filter } = this;
    const shown = [];
    for (const [slot, row] of this.rows) {
      if (!row.uuid || (!row.active && !look.inactive)) continue;
      if (filter.on && !filter.fits(this, row)) continue;
      shown.push(slot);
    }
    shown.sort(this.compare(look.sort, look.down));
    return grouped(this, shown, look, words, filter.on);
  }

  // Compares two slots by a column; without a value always last; equal ones by name.
  compare(key, down) {
    const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
    const sign = down ? -1 : 1;
    const keys = new Map();
    const of = (slot) => {
      if (!keys.has(slot)) keys.set(slot, this.value(slot, key));
      return keys.get(slot);
    };
    const byName = (a, b) => {
      const [one, other] = [this.rows.get(a), this.rows.get(b)];
      return collator.compare(one.name, other.name) || (one.uuid < other.uuid ? -1 : 1);
    };
    return (a, b) => {
      const [one, other] = [of(a), of(b)];
      if (typeof one === "string") return sign * collator.compare(one, other) || byName(a, b);
      const [none, noOther] = [Number.isNaN(one), Number.isNaN(other)];
      if (none || noOther) return none - noOther || byName(a, b);
      return sign * (one - other) || byName(a, b);
    };
  }

  // The rows that use most of a metric over the past, and one point list each; the rest together.
  most(metric, count, kept = []) {
    const past = this.past[METRICS.indexOf(metric)];
    const means = [];
    for (const [slot, row] of this.rows) {
      if (!row.uuid) continue;
      let sum = 0;
      for (let i = 0; i < this.filled; i++) sum += past[this.place(slot, i)] * this.factor(slot, metric) || 0;
      // Who is shown already stays unless another uses clearly more: the picture must not flicker.
      if (sum > 0) means.push([sum * (kept.includes(slot) ? 1.1 : 1), slot]);
    }
    means.sort((a, b) => b[0] - a[0]);
    return means.slice(0, count).map(([, slot]) => slot);
  }

  // CPU is stacked as a share of the hosts, else four busy vCPUs would look like one.
  factor(slot, metric) {
    if (metric !== "cpu") return 1;
    const share = this.now[SHARE][slot];
    return Number.isNaN(share) ? 0 : share;
  }

  layers(metric, slots) {
    const past = this.past[METRICS.indexOf(metric)];
    const layers = slots.map((slot) => {
      const factor = this.factor(slot, metric);
      return Float64Array.from({ length: this.filled }, (_, i) => past[this.place(slot, i)] * factor || 0);
    });
    const others = new Float64Array(this.filled);
    for (const [slot, row] of this.rows) {
      if (!row.uuid || slots.includes(slot)) continue;
      const factor = this.factor(slot, metric);
      for (let i = 0; i < this.filled; i++) others[i] += past[this.place(slot, i)] * factor || 0;
    }
    return { layers, others };
  }
}
