// The view's end of the protocol: one Stream per model, a ring of the newest values, and what the
// link is like. The kernel's end is widgets/feed.py; the messages are described there.

/** A sliding window of rows in typed arrays: `data()` gives views on it, nothing is copied. */
export class Ring {
  constructor(keys, capacity) {
    this.keys = keys;
    this.capacity = Math.max(2, capacity | 0);
    this.start = this.end = 0;
    this.times = new Float64Array(2 * this.capacity);
    this.columns = new Map(keys.map((key) => [key, new Float64Array(2 * this.capacity)]));
  }

  get n() {
    return this.end - this.start;
  }

  get newest() {
    return this.end > this.start ? this.times[this.end - 1] : NaN;
  }

  /** Append a row; `value(i)` is that of the i-th key. */
  push(time, value) {
    if (this.end === 2 * this.capacity) this.#shift();
    this.times[this.end] = time;
    let i = 0;
    for (const column of this.columns.values()) column[this.end] = value(i++);
    this.end += 1;
    if (this.n > this.capacity) this.start = this.end - this.capacity;
  }

  #shift() {
    for (const column of [this.times, ...this.columns.values()]) {
      column.copyWithin(0, this.start, this.end);
    }
    this.end -= this.start;
    this.start = 0;
  }

  /** {n, times: Float64Array, columns: Map(key -> Float64Array)}: all valid in [0, n). */
  data() {
    const { start, end } = this;
    const columns = new Map();
    for (const [key, column] of this.columns) columns.set(key, column.subarray(start, end));
    return { n: end - start, times: this.times.subarray(start, end), columns };
  }
}

const copy = (view) =>
  new Float64Array(
    view instanceof ArrayBuffer
      ? view
      : view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength),
  );

export const keysOf = (meta) => meta.panels.flatMap((panel) => panel.lines.map((line) => line.key));

const name = () => Math.random().toString(36).slice(2, 10);

/**
 * Events: snap {meta, data}, delta {data, added}, marks [..], state {..}, thresholds {..},
 * link "live" | "waiting" | "lost". `added` is how many rows at the end of `data` are new.
 *
 * `store` makes something else than the ring to keep values in: {snap(meta, buffer),
 * delta(message, buffer | undefined)}; "delta" then carries the message itself.
 */
export class Stream {
  constructor(model, { keys = keysOf, now = () => performance.now(), store } = {}) {
    Object.assign(this, { model, keysOf: keys, now, view: name(), seq: null, meta: null });
    this.views = 0; // that are shown in this page
    this.ring = new Ring([], 2);
    this.store = store?.();
    this.state = {};
    this.marks = [];
    this.link = "waiting";
    this.received = { messages: 0, bytes: 0, hellos: 0 };
    this.listeners = new Map();
    this.heard = this.now();
    this.seen = () => this.visible(!document.hidden);
    document.addEventListener("visibilitychange", this.seen);
    this.left = () => this.send({ t: "bye" });
    addEventListener("pagehide", this.left);
    this.timer = setInterval(() => this.watch(), 1000);
    this.beaten = this.now();
  }

  on(event, fn) {
    const all = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, all.add(fn));
    return () => all.delete(fn);
  }

  emit(event, value) {
    for (const fn of [...(this.listeners.get(event) ?? [])]) fn(value);
  }

  send(message) {
    try {
      this.model.send({ ...message, view: this.view });
    } catch {
      // The kernel is gone; the board says so when it has heard nothing for some seconds.
    }
  }

  hello() {
    this.asked = this.now();
    this.received.hellos += 1;
    this.send({ t: "hello" });
    if (document.hidden) this.send({ t: "pause", on: true });
  }

  visible(on) {
    if (!this.views) return;
    this.send({ t: "pause", on: !on });
    if (on) this.hello();
  }

  /** A view is shown: hello, unless another one is shown already. Returns what ends it. */
  enter() {
    if ((this.views += 1) === 1) this.hello();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      // Its output was cleared or its cell deleted: nobody looks any more.
      if ((this.views -= 1) === 0) this.left();
    };
  }

  /** Say once a second whether the kernel is heard; send a sign of life every five. */
  watch() {
    const now = this.now();
    if (!this.views) return;
    if (now - this.beaten >= 5000) {
      this.beaten = now;
      this.send({ t: "beat" });
      if (this.seq === null || this.link === "lost") this.hello();
    }
    if (now - this.heard > 6500 && this.state.closed !== true && !document.hidden) this.setLink("lost");
  }

  setLink(link) {
    if (link === this.link) return;
    this.link = link;
    this.emit("link", link);
  }

  take(message, buffers) {
    this.heard = this.now();
    this.received.messages += 1;
    for (const each of buffers ?? []) this.received.bytes += each.byteLength;
    if (message.t === "snap") this.#snap(message, buffers);
    else if (message.t === "d") this.#delta(message, buffers);
    else if (message.t === "alive") {
      if (this.seq !== null && message.seq !== this.seq) this.#lost();
    } else if (message.t === "library") {
      if (message.view === this.view) this.emit("library", { code: buffers?.[0], error: message.error });
    } else this.#rest(message);
    this.setLink("live");
  }

  #rest(message) {
    if (message.t === "marks") {
      this.marks.push(...message.marks);
      this.emit("marks", message.marks);
    } else if (message.t === "state") {
      this.state = message;
      this.emit("state", message);
    } else if (message.t === "thresholds") {
      for (const panel of this.meta?.panels ?? []) {
        if (panel.key === message.panel) panel.thresholds = message.thresholds;
      }
      this.emit("thresholds", message);
    } else this.emit(message.t, message);
  }

  #snap({ seq, meta }, buffers) {
    const same = this.meta && this.seq === seq && this.meta.version === meta.version;
    if (same && this.meta.window_s === meta.window_s) return;
    this.seq = seq;
    this.meta = meta;
    this.marks = [...meta.marks];
    this.state = meta.state ?? {};
    if (this.store) {
      this.store.snap(meta, buffers[0]);
      this.emit("snap", { meta });
      this.emit("state", this.state);
      return;
    }
    const keys = this.keysOf(meta);
    const all = copy(buffers[0]);
    const n = keys.length + 1 ? all.length / (keys.length + 1) : 0;
    // Half as much again: ticks may be late, and a gap takes a row.
    this.ring = new Ring(keys, Math.max(n, (1.5 * meta.window_s) / meta.interval_s + 8));
    for (let row = 0; row < n; row += 1) this.#row(all[row], (i) => all[(i + 1) * n + row]);
    this.emit("snap", { meta, data: this.ring.data() });
    this.emit("state", this.state);
  }

  #delta(message, buffers) {
    const { seq } = message;
    if (this.seq === null) return;
    if (seq <= this.seq) return;
    if (seq !== this.seq + 1) return this.#lost();
    this.seq = seq;
    if (this.store) {
      this.store.delta(message, buffers?.[0]);
      this.emit("delta", message);
      return;
    }
    const all = copy(buffers[0]);
    const width = this.ring.keys.length + 1;
    let added = 0;
    for (let at = 0; at + width <= all.length; at += width) {
      added += this.#row(all[at], (i) => all[at + 1 + i]);
    }
    this.emit("delta", { data: this.ring.data(), added });
  }

  /** Append a row, after an empty one where time is missing, so that no line bridges it. */
  #row(time, value) {
    const gap = 3.5 * this.meta.interval_s;
    const last = this.ring.newest;
    let added = 1;
    if (time - last > gap) {
      this.ring.push(last + gap / 2, () => NaN);
      added = 2;
    }
    this.ring.push(time, value);
    return added;
  }

  #lost() {
    this.seq = null;
    if (this.views) this.hello();
  }

  end() {
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.seen);
    removeEventListener("pagehide", this.left);
    this.left();
  }
}

/** Return the stream of a model, made when its first view is shown, with what came before. */
export function streamOf(model, inbox, options) {
  if (!inbox.stream) {
    const stream = (inbox.stream = new Stream(model, options));
    inbox.take = (message, buffers) => stream.take(message, buffers);
    inbox.end = () => stream.end();
    for (const [message, buffers] of inbox.messages.splice(0)) inbox.take(message, buffers);
  }
  return inbox.stream;
}
