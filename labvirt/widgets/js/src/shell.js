// The shell around every renderer: toolbar, legend, table, keyboard, and what state the board is in.
import { fill, make, press, say } from "./dom.js";
import { clock, lately } from "./format.js";
import { bindKeys } from "./keys.js";
import { PanelFrame } from "./panel.js";
import { replayBar } from "./replay.js";
import { Table, toCsv } from "./table.js";
import { readTheme, watchTheme } from "./theme.js";

const WINDOWS = [60, 300, 900, 3600];

/** `better`: a promise of a renderer to go on with. */
export function createShell(el, stream, renderer, better) {
  const shell = new Shell(el, stream, renderer);
  better?.then(
    (other) => shell.change(other),
    (error) => shell.lack("no_plotly", error),
  );
  return () => shell.end();
}

/** States in which nothing lies over the charts. */
const OPEN = new Set(["live", "paused", "held", "zoomed", "replay", "over"]);

let boards = 0;

export class Shell {
  constructor(host, stream, renderer) {
    Object.assign(this, { host, stream, renderer });
    this.id = `${(boards += 1)}`;
    this.hidden = new Set();
    this.range = null; // [from, to] while zoomed or paused
    this.paused = false;
    this.cursor = null; // seconds
    this.window = null;
    this.root = make("div", { class: "lv-board", tabindex: "0", role: "group" });
    // JupyterLab's own shortcuts leave the keys to us.
    this.root.dataset.lmSuppressShortcuts = "true";
    host.append(this.root);
    host.dataset.lv = "waiting";
    host.lvShell = this; // for tests and for who looks with the browser's tools
    this.ends = [
      stream.on("snap", () => this.build()),
      stream.on("delta", ({ data, added }) => this.extend(data, added)),
      stream.on("marks", (marks) => this.plot?.addMarks(marks)),
      stream.on("thresholds", (told) => this.plot?.setThresholds(told.panel, told.thresholds)),
      stream.on("state", () => this.tell()),
      stream.on("link", () => this.tell()),
      watchTheme(this.root, (theme) => this.plot?.setTheme(theme)),
      bindKeys(this),
    ];
    this.sizes = new ResizeObserver(() => this.plot?.resize());
    this.sizes.observe(this.root);
    this.timer = setInterval(() => this.tell(), 1000);
    if (stream.meta) this.build();
    else this.root.append(make("p", { class: "lv-status", role: "status" }, "…"));
  }

  // -- renderers ----------------------------------------------------------------------------------

  change(renderer) {
    if (this.isOver) return;
    this.renderer = renderer;
    if (this.plot) this.build();
  }

  /** Say for good what this view goes without. */
  lack(word, error) {
    this.lacking = [word, error];
    this.tell();
  }

  // -- building -------------------------------------------------------------------------------

  build() {
    const { meta } = this.stream;
    if (this.plot && meta.clock === "elapsed" && sameLook(meta, this.meta)) return this.renew(meta);
    this.meta = meta;
    this.words = meta.words;
    this.window ??= meta.window_s;
    this.plot?.destroy();
    const hadFocus = this.root.contains(document.activeElement) && document.activeElement !== this.root;
    this.frames = meta.panels.map((panel) => new PanelFrame(panel, this.words, this));
    const tableShown = this.table && !this.table.el.hidden;
    this.table = new Table(meta);
    this.table.el.hidden = !tableShown;
    this.status = make("p", { class: "lv-status", role: "status" });
    this.notice = make("p", { class: "lv-notice", role: "alert", hidden: true });
    this.overlay = make("div", { class: "lv-overlay", hidden: true }, make("span"));
    this.grid = make("div", { class: "lv-grid" }, ...this.frames.map((frame) => frame.el));
    this.replay = meta.replay ? replayBar(this) : null;
    this.root.setAttribute("aria-label", meta.title ?? this.words.board);
    this.root.replaceChildren(
      make("h3", { class: "lv-title" }, meta.title ?? ""),
      this.toolbar(),
      ...(this.replay ? [this.replay.el] : []),
      this.status,
      this.notice,
      make("div", { class: "lv-stage" }, this.grid, this.overlay),
      this.table.el,
      make("p", { class: "lv-help" }, this.words.help),
    );
    if (hadFocus) this.root.focus({ preventScroll: true });
    this.host.dataset.lv = "ready";
    this.draw();
  }

  /** Only values are others: the page stays, and the keyboard where it is. */
  renew(meta) {
    this.meta = meta;
    this.plot.destroy();
    this.draw();
  }

  toolbar() {
    const { words } = this;
    const button = (name, title, click, more = {}) =>
      make("button", { type: "button", title, "data-do": more.name ?? name, on: { click }, ...more.with }, name);
    this.pauseButton = button(words.pause, words.pause_tip, () => this.pause(!this.paused), { name: "pause" });
    this.windows = WINDOWS.map((seconds) => {
      const minutes = seconds / 60;
      const tip = fill(words.window_tip, { minutes });
      return button(fill(words.range, { minutes }), tip, () => this.setWindow(seconds), {
        name: `window-${seconds}`,
        with: { "aria-pressed": String(seconds === this.window) },
      });
    });
    this.resetButton = button(words.reset, words.reset_tip, () => this.reset(), { name: "reset" });
    this.tableButton = button(words.table, words.table_tip, () => this.toggleTable(), {
      name: "table",
      with: { "aria-pressed": String(!this.table.el.hidden) },
    });
    const csv = button("CSV", words.csv_tip, () => this.download(), { name: "csv" });
    return make(
      "div",
      { class: "lv-toolbar", role: "toolbar", "aria-label": words.toolbar },
      ...(this.meta.replay ? [] : [this.pauseButton]),
      make("span", { class: "lv-group", role: "group", "aria-label": words.window }, ...this.windows),
      this.resetButton,
      this.tableButton,
      csv,
    );
  }

  /** Give the renderer everything anew. */
  draw() {
    const hooks = {
      id: this.id,
      slots: new Map(this.frames.map((frame) => [frame.panel.key, frame.slot])),
      range: (from, to) => (from === null ? this.reset() : this.zoom(from, to)),
      cursor: (seconds) => this.point(seconds, false),
    };
    // A panel without lines only says why.
    const panels = this.meta.panels.filter((panel) => panel.lines.length);
    const board = { ...this.meta, panels, window_s: this.window, marks: this.stream.marks };
    this.host.dataset.engine = this.renderer.name ?? "light";
    this.plot = this.renderer.create(this.grid, board, readTheme(this.root), hooks);
    this.data = this.stream.ring.data();
    this.place();
    this.plot.draw(this.data);
    for (const key of this.hidden) this.showLine(key, false);
    this.values();
    this.tell();
  }

  extend(data, added) {
    this.moved = this.stream.now();
    if (this.paused || !this.plot) return;
    this.data = data;
    this.plot.extend(data, added);
    this.values();
    this.tell();
  }

  // -- what is looked at ------------------------------------------------------------------------

  get newest() {
    return this.data?.n ? this.data.times[this.data.n - 1] : NaN;
  }

  /** [from, to] of what is shown, in seconds. */
  get extent() {
    return this.range ?? lately(this.newest, this.window, this.meta);
  }

  place() {
    if (this.range) this.plot.setRange(...this.range);
    else this.plot.setRange(this.window, null);
    this.resetButton.disabled = !this.zoomed;
  }

  pause(on) {
    if (on === this.paused) return;
    this.paused = on;
    if (on) this.range ??= this.extent;
    else {
      this.range = null;
      this.zoomed = false;
    }
    this.data = this.stream.ring.data();
    // Drawn from a copy: the ring goes on while the picture stands.
    if (on) this.data = frozen(this.data);
    this.place();
    this.plot.draw(this.data);
    this.values();
    this.tell();
  }

  zoom(from, to) {
    if (!(to - from > this.meta.interval_s)) return;
    this.range = [from, to];
    this.zoomed = true;
    this.place();
    this.values();
    this.tell();
  }

  /** Zoom by a factor around the cursor, or the middle. */
  scale(factor) {
    const [from, to] = this.extent;
    const around = this.cursor ?? (this.range ? (from + to) / 2 : to);
    this.zoom(around - (around - from) * factor, around + (to - around) * factor);
  }

  reset() {
    this.zoomed = false;
    this.range = this.paused ? lately(this.newest, this.window, this.meta) : null;
    this.place();
    this.values();
    this.tell();
  }

  setWindow(seconds) {
    this.window = seconds;
    this.windows.forEach((button, i) => press(button, WINDOWS[i] === seconds));
    this.stream.send({ t: "window", seconds });
    this.reset();
  }

  toggle(key, alone = false) {
    const keys = this.frames
      .map((frame) => frame.panel.lines.map((line) => line.key))
      .find((all) => all.includes(key));
    if (!alone) this.showLine(key, this.hidden.has(key));
    else {
      const only = keys.every((each) => (each === key) !== this.hidden.has(each));
      for (const each of keys) this.showLine(each, only || each === key);
    }
  }

  showLine(key, on) {
    if (on) this.hidden.delete(key);
    else this.hidden.add(key);
    this.plot.setVisible(key, on);
    for (const frame of this.frames) frame.setVisible(key, on);
  }

  point(seconds, byKey = true) {
    this.cursor = seconds;
    if (byKey) this.plot.setCursor?.(seconds);
    this.values();
  }

  /** Move the cursor by some samples; from nowhere it comes to the newest one. */
  step(by) {
    if (!this.data?.n) return;
    const at = this.row(this.cursor ?? this.newest) + (this.cursor === null ? 0 : by);
    this.point(this.data.times[Math.min(this.data.n - 1, Math.max(0, at))]);
  }

  row(seconds) {
    const { times, n } = this.data;
    let [low, high] = [0, n - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < seconds) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && seconds - times[low - 1] < times[low] - seconds) low -= 1;
    return low;
  }

  // -- what is said ---------------------------------------------------------------------------

  values() {
    const { data } = this;
    const at = data.n ? (this.cursor === null ? data.n - 1 : this.row(this.cursor)) : -1;
    const window = fill(this.words.minutes, { minutes: +(this.window / 60).toFixed(1) });
    for (const frame of this.frames) {
      frame.show(data, at);
      frame.describe(window);
    }
    if (!this.table.el.hidden) this.table.show(data, ...this.extent, this.words);
    this.host.dataset.seq = this.stream.seq ?? "";
    this.host.dataset.rows = data.n;
  }

  /** Say what state the board is in: lost, closed, stale, empty, paused or live. */
  tell() {
    if (!this.meta) return;
    const { words, stream } = this;
    const { state } = stream;
    const [kind, text] = this.situation();
    this.host.dataset.state = kind;
    const covers = !OPEN.has(kind);
    this.overlay.hidden = !covers;
    this.overlay.className = `lv-overlay lv-${kind}`;
    if (covers) say(this.overlay.firstChild, text);
    const at = this.cursor === null ? "" : ` · ${words.cursor} ${clock(this.cursor)} ${words.zone}`;
    say(this.status, `${text}${at}`);
    press(this.pauseButton, this.paused);
    say(this.pauseButton, this.paused ? words.resume : words.pause);
    this.resetButton.disabled = !this.zoomed;
    const stalled = (state.stalled ?? []).map((each) =>
      fill(words.stalled, { name: each.name, at: clock(each.since) }),
    );
    if (state.note) stalled.push(state.note);
    if (this.lacking) stalled.push(fill(words[this.lacking[0]], { why: this.lacking[1].message }));
    this.notice.hidden = !stalled.length;
    say(this.notice, stalled.join(" "));
    for (const frame of this.frames) frame.setNote(state.notes?.[frame.panel.key]);
    this.replay?.tell(state);
  }

  situation() {
    const { words, stream, meta } = this;
    const { state } = stream;
    if (state.closed) return ["closed", words.closed];
    if (stream.link === "lost") {
      const since = Date.now() / 1000 - (stream.now() - stream.heard) / 1000;
      return ["lost", fill(words.lost, { at: clock(since) })];
    }
    if (state.error) return ["error", state.error];
    if (meta.replay) return ["replay", words.replay];
    if (state.empty) return ["empty", state.empty];
    if (state.held) return ["held", words.held];
    if (state.over) return ["over", state.over];
    if (this.paused) return ["paused", fill(words.paused, { at: clock(this.newest) })];
    const limit = 1000 * Math.max(5, 3.5 * meta.interval_s);
    this.moved ??= stream.now();
    if (stream.now() - this.moved > limit) {
      const newest = stream.ring.n ? clock(stream.ring.newest) : null;
      return ["stale", newest ? fill(words.stale, { at: newest }) : words.nothing];
    }
    if (this.zoomed) return ["zoomed", words.zoomed];
    return ["live", fill(words.live, { at: clock(this.newest) })];
  }

  toggleTable() {
    this.table.el.hidden = !this.table.el.hidden;
    press(this.tableButton, !this.table.el.hidden);
    this.values();
  }

  download() {
    const file = new Blob([toCsv(this.meta, this.data)], { type: "text/csv" });
    const link = make("a", { href: URL.createObjectURL(file), download: "labvirt.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  end() {
    this.isOver = true;
    clearInterval(this.timer);
    this.sizes.disconnect();
    for (const end of this.ends) end();
    this.plot?.destroy();
    this.root.remove();
  }
}

function sameLook(a, b) {
  const look = ({ title, panels, words }) => JSON.stringify([title, panels, words]);
  return look(a) === look(b);
}

function frozen(data) {
  const columns = new Map();
  for (const [key, column] of data.columns) columns.set(key, column.slice());
  return { n: data.n, times: data.times.slice(), columns };
}
