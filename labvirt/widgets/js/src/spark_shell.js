// The overview's frame: toolbar, headings, canvas, words for a screen reader, keyboard, pointer.

import { fill, make, press, say } from "./dom.js";
import { clock, format } from "./format.js";
import { COLUMNS, Grid, ROW, UNITS, stateText } from "./spark_grid.js";
import { FilterBar } from "./spark_bar.js";
import { bindGrid } from "./spark_keys.js";
import { Menu } from "./spark_menu.js";
import { Stack } from "./spark_stack.js";
import { AllRows, cellText } from "./spark_table.js";
import { readTheme, watchTheme } from "./theme.js";

const LIVE = new Set(["cpu", "cpu_host", "memory", "memory_host", "disk", "net"]);
// Numbers dance; rows must not. A row that comes or goes may move the others sooner.
const RESORT_MS = 5000;
const CHANGED_MS = 600;

export class Overview {
  constructor(host, stream) {
    Object.assign(this, { host, stream, order: [], chosen: new Set(), current: null, sorted: 0 });
    this.root = make("div", { class: "lv-board lv-overview", role: "group" });
    this.root.dataset.lmSuppressShortcuts = "true";
    host.append(this.root);
    host.dataset.lv = "waiting";
    this.sizes = new ResizeObserver(() => this.resize());
    this.menu = new Menu(this);
    this.insight = true;
    // A busy page tells several at once, the newest last.
    this.sight = new IntersectionObserver((entries) => {
      this.insight = entries.at(-1).isIntersecting;
      if (this.insight) this.soon();
    });
    this.sight.observe(this.root);
    this.ends = [
      stream.on("snap", () => this.build()),
      stream.on("delta", (message) => this.step(message)),
      stream.on("selected", ({ uuids }) => this.choose(uuids, false)),
      stream.on("filter", (message) => this.bar?.take(message)),
      stream.on("menu", (message) => this.menu.show(message)),
      stream.on("state", () => this.tell()),
      stream.on("link", () => this.tell()),
      watchTheme(this.root, () => this.retheme()),
    ];
    this.timer = setInterval(() => this.second(), 1000);
    if (stream.meta) this.build();
    else this.root.append(make("p", { class: "lv-status", role: "status" }, "…"));
  }

  // -- building -------------------------------------------------------------------------------

  build() {
    const { meta, store } = this.stream;
    const hadFocus = this.reader && this.reader === document.activeElement;
    const scrolled = this.scroller ? this.scroller.scrollTop : 0;
    Object.assign(this, { meta, rows: store, words: meta.words });
    this.look ??= { ...meta.look, folded: new Set(meta.look.folded), filter: meta.look.filter };
    this.chosen = new Set(meta.selected);
    this.canvas = make("canvas", { role: "img" });
    this.inner = make("div", {}, this.canvas);
    this.scroller = make("div", { class: "lv-scroller", tabindex: "-1" }, this.inner);
    this.reader = make("div", {
      class: "lv-reader", role: "grid", tabindex: "0", "aria-multiselectable": "true",
      "aria-label": meta.title,
    });
    this.headings = make("div");
    this.head = make("div", { class: "lv-head" }, this.headings);
    this.status = make("p", { class: "lv-status", role: "status" });
    this.notice = make("p", { class: "lv-notice", role: "alert", hidden: true });
    this.detail = make("p", { class: "lv-detail" });
    this.tip = make("div", { class: "lv-tip", hidden: true });
    this.overlay = make("div", { class: "lv-overlay", hidden: true }, make("span"));
    this.stack = new Stack(this.rows, this.words, meta.top);
    this.grid = new Grid(this.canvas, this.rows, this.words);
    this.all = new AllRows(this.rows, this.words);
    this.stack.setMetric(this.look.metric || "cpu");
    this.stack.el.prepend(this.metrics());
    this.bar = new FilterBar(this);
    if (meta.filter.text === this.look.filter) store.filter.take(meta.filter);
    else if (!store.filter.type(this.look.filter)) sendLook(this);
    this.bar.show();
    this.stage = make("div", { class: "lv-stage" },
      this.head, this.reader, this.scroller, this.tip, this.overlay);
    this.root.setAttribute("aria-label", meta.title);
    this.root.replaceChildren(
      make("h3", { class: "lv-title" }, meta.title),
      this.toolbar(), ...this.bar.below, ...this.moments(), this.status, this.notice, this.stage, this.detail, this.stack.el,
      this.all.el, make("p", { class: "lv-help" }, this.words.overview_help),
    );
    this.unbind?.();
    this.unbind = bindGrid(this);
    this.sizes.disconnect();
    this.sizes.observe(this.root);
    this.retheme(false);
    this.arrange();
    this.scroller.scrollTop = scrolled;
    if (hadFocus) this.reader.focus({ preventScroll: true });
    if (this.refocus) this.root.querySelector("[data-do=seek]")?.focus({ preventScroll: true });
    this.refocus = false;
    this.host.dataset.lv = "ready";
    this.tell();
  }

  toolbar() {
    const { words, look } = this;
    const check = (key, text, tip) => make("label", { title: tip },
      make("input", { type: "checkbox", "data-do": key, checked: look[key], on: {
        change: ({ target }) => this.change({ [key]: target.checked }),
      } }), text);
    this.tableButton = make("button", {
      type: "button", "data-do": "table", "aria-pressed": "false", title: words.all_tip,
      on: { click: () => this.toggleTable() },
    }, words.all);
    return make("div", { class: "lv-toolbar", role: "toolbar", "aria-label": words.toolbar },
      ...this.bar.parts, check("inactive", words.inactive, words.inactive_tip),
      this.bar.groups(), this.columnMenu(), this.tableButton);
  }

  columnMenu() {
    const boxes = Object.keys(COLUMNS).filter((key) => key !== "name").map((key) =>
      make("label", { title: this.words.columns[key][1] }, make("input", {
        type: "checkbox", "data-column": key, checked: this.look.columns.includes(key), on: {
          change: ({ target }) => {
            const wanted = new Set(this.look.columns);
            wanted[target.checked ? "add" : "delete"](key);
            this.change({ columns: Object.keys(COLUMNS).filter((each) => wanted.has(each)) });
          },
        },
      }), this.words.columns[key][0]));
    const menu = make("details", { class: "lv-menu", on: {
      keydown: (event) => {
        event.stopPropagation();
        if (event.key === "Escape") menu.open = false;
      },
      focusout: ({ relatedTarget }) => {
        if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
      },
    } }, make("summary", {}, this.words.choose), make("div", {}, ...boxes));
    return menu;
  }

  // Of a recording: the moment that is shown.
  moments() {
    const { meta, words } = this;
    if (!meta.replay) return [];
    const [min, max] = meta.replay.span;
    const shown = make("output", {}, `${clock(meta.moment)} UTC`);
    const where = make("input", {
      type: "range", min, max, step: "any", value: meta.moment, "aria-label": words.moment,
      "data-do": "seek",
      on: {
        input: () => say(shown, `${clock(+where.value)} UTC`),
        change: () => {
          this.refocus = true;
          this.stream.send({ t: "seek", at: +where.value });
        },
        keydown: (event) => event.stopPropagation(),
      },
    });
    return [make("div", { class: "lv-replay" }, where, shown)];
  }

  metrics() {
    const options = [...Object.entries(this.words.metrics), ["", this.words.none]].map(([key, text]) =>
      make("option", { value: key, selected: key === this.look.metric }, text));
    const select = make("select", {
      "aria-label": this.words.most, "data-do": "metric",
      on: {
        change: ({ target }) => this.change({ metric: target.value }),
        keydown: (event) => event.stopPropagation(),
      },
    }, ...options);
    return make("h4", {}, this.words.most, select);
  }

  retheme(draw = true) {
    if (!this.grid) return;
    const theme = readTheme(this.root);
    this.grid.setTheme(theme);
    this.stack.setTheme(theme);
    if (draw) this.soon();
  }

  // -- what is shown --------------------------------------------------------------------------

  change(look, draw = true) {
    Object.assign(this.look, look);
    sendLook(this);
    this.stack.setMetric(this.look.metric || "cpu");
    if (draw) this.arrange();
  }

  sortBy(key) {
    const down = this.look.sort === key ? !this.look.down : LIVE.has(key);
    this.change({ sort: key, down });
  }

  fold(key, on = !this.look.folded.has(key)) {
    this.look.folded[on ? "add" : "delete"](key);
    this.change({});
  }

  arrange() {
    this.resort();
    this.layout();
    this.headingsNow();
    this.resize();
    this.tell();
  }

  resort() {
    this.sorted = performance.now();
    this.dirty = false;
    this.order = this.rows.order(this.look, this.words);
    this.grid.slots = this.order;
    const rows = Math.max(2, this.order.length);
    this.inner.style.height = `${rows * ROW}px`;
    this.read();
  }

  layout() {
    const columns = Object.keys(COLUMNS).filter((key) => key === "name" || this.look.columns.includes(key));
    this.columns = columns;
    const wide = this.grid.layout(columns, this.scroller.clientWidth);
    this.inner.style.width = `${wide}px`;
    // Whole rows; and room for the bar where the columns do not fit.
    const most = Math.floor(this.meta.height / ROW) * ROW;
    const bar = wide > this.scroller.clientWidth ? 16 : 0;
    this.scroller.style.height = `${Math.min(Math.max(2, this.order.length) * ROW, most) + bar + 1}px`;
  }

  headingsNow() {
    const { look, words, grid } = this;
    const buttons = this.columns.map((key, i) => {
      const [title, definition] = words.columns[key];
      const sorted = look.sort === key;
      const arrow = sorted ? (look.down ? " ▼" : " ▲") : "";
      const said = sorted ? `, ${look.down ? words.descending : words.ascending}` : "";
      const button = make("button", {
        type: "button", class: COLUMNS[key].left ? "lv-left" : "", "data-sort": key, tabindex: "-1",
        title: `${definition}\n${words.sort}`, "aria-label": `${words.sort}: ${title}${said}`,
        on: { click: () => this.sortBy(key) },
      }, title + arrow);
      button.style.width = `${grid.widths[i]}px`;
      return button;
    });
    // One stop of the Tab key for all headings; the arrows go on from there.
    (buttons.find((each) => each.dataset.sort === look.sort) ?? buttons[0]).tabIndex = 0;
    const had = this.headings.contains(document.activeElement);
    this.headings.replaceChildren(...buttons);
    if (had) this.headings.querySelector("[tabindex='0']").focus({ preventScroll: true });
  }

  resize() {
    if (!this.grid || !this.scroller.clientWidth) return;
    const wide = this.scroller.clientWidth;
    this.layout();
    // A bar may have come or gone with the new height.
    if (this.grid.width !== wide || this.scroller.clientWidth !== wide) {
      this.layout();
      this.headingsNow();
    }
    this.grid.resize(this.scroller.clientWidth, this.scroller.clientHeight);
    this.soon();
  }

  soon() {
    if (this.waiting || !this.insight || !this.grid) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      this.draw();
    });
  }

  draw() {
    const { scroller, look, grid } = this;
    const began = performance.now();
    grid.draw({
      left: scroller.scrollLeft, top: scroller.scrollTop, selected: this.chosen,
      current: this.order.indexOf(this.current), focused: this.reader === document.activeElement,
      folded: look.folded, group: look.group,
    });
    this.headings.style.transform = `translateX(${-scroller.scrollLeft}px)`;
    this.stack.el.lastChild.hidden = this.stack.el.querySelector(".lv-stack-picture").hidden = !look.metric;
    if (look.metric && this.freshStack !== this.stream.seq + look.metric + this.root.clientWidth + grid.theme.dark) {
      this.freshStack = this.stream.seq + look.metric + this.root.clientWidth + grid.theme.dark;
      this.stack.draw(performance.now());
    }
    this.drawing = performance.now() - began;
    Object.assign(this.host.dataset, {
      seq: this.stream.seq ?? "", drawn: grid.drawn, rows: this.order.length,
      ms: this.drawing.toFixed(1), first: this.rows.get(this.order[0])?.name ?? "",
    });
  }

  // A tick: new numbers, perhaps new rows.
  step({ rows }) {
    const now = performance.now();
    if (this.rows.at !== this.lastAt) this.moved = now;
    this.lastAt = this.rows.at;
    const age = now - this.sorted;
    this.dirty ||= Boolean(rows);
    const moves = LIVE.has(this.look.sort) || this.rows.filter.moves;
    if ((moves && age > RESORT_MS) || (this.dirty && age > CHANGED_MS)) {
      this.resort();
      this.resize();
    }
    this.soon();
    this.tell();
    const row = this.rows.get(this.current);
    if (row && this.order.includes(this.current)) say(this.detail, this.describe(row));
    if (!this.all.el.hidden) this.all.show(this.order, this.columns, this.chosen, 2000);
  }

  second() {
    if (this.dirty) this.step({});
    this.tell();
  }

  // -- which row ------------------------------------------------------------------------------

  // Go to a row; it comes into sight.
  go(index) {
    if (!this.order.length) return;
    const to = Math.min(this.order.length - 1, Math.max(0, index));
    this.current = this.order[to];
    const { scroller } = this;
    const [top, high] = [to * ROW, scroller.clientHeight];
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW > scroller.scrollTop + high) scroller.scrollTop = top + ROW - high;
    this.read();
    this.soon();
  }

  // What a screen reader is told: the headings and the row one is on.
  read() {
    const { words, rows } = this;
    const index = this.order.indexOf(this.current);
    const row = rows.get(this.current);
    const columns = this.columns ?? ["name"];
    const heads = columns.map((key) => make("span", { role: "columnheader" }, words.columns[key][0]));
    const parts = [make("div", { role: "row", "aria-rowindex": "1" }, ...heads)];
    this.reader.setAttribute("aria-rowcount", this.order.length + 1);
    this.reader.removeAttribute("aria-activedescendant");
    if (row && index >= 0) {
      const id = `lv-row-${this.stream.view}`;
      const cells = columns.map((key) =>
        make("span", { role: "gridcell" }, `${cellText(rows, row, key, words)} `));
      parts.push(make("div", {
        role: "row", id, "aria-rowindex": index + 2, "aria-selected": String(this.chosen.has(row.uuid)),
      }, ...cells));
      this.reader.setAttribute("aria-activedescendant", id);
    }
    this.reader.replaceChildren(...parts);
    say(this.detail, row && index >= 0 ? this.describe(row) : "");
    this.host.dataset.current = row?.name ?? "";
  }

  describe(row) {
    const { words, rows } = this;
    const parts = [row.name, stateText(row, words)];
    const told = row.stale_since === null && row.stalled_since === null;
    if (told && row.reason && row.reason !== "unknown") {
      parts[1] += ` (${words.reasons[row.reason] ?? row.reason})`;
    }
    if (!row.state) return `${row.name} · ${fill(words.counts, rows.counts(row))}`;
    if (row.title) parts.splice(1, 0, row.title);
    if (row.uuid) parts.push(row.uuid, row.host);
    if (row.os) parts.push(row.os);
    parts.push(...row.addresses);
    for (const key of ["cpu", "memory", "read", "write", "rx", "tx"]) {
      if (row.active) parts.push(`${words.parts[key]} ${format(rows.value(row.slot, key), UNITS[key])}`);
    }
    return parts.join(" · ");
  }

  choose(uuids, told = true) {
    this.chosen = new Set(uuids);
    this.host.dataset.selected = this.chosen.size;
    if (told) this.stream.send({ t: "select", uuids: [...this.chosen] });
    if (!this.grid) return;
    this.read();
    this.soon();
    this.tell();
  }

  open(slot) {
    const row = this.rows.get(slot);
    if (row?.uuid) this.stream.send({ t: "open", uuid: row.uuid, host: row.host });
    else if (row) this.fold(row.fold);
  }

  // -- what is said ---------------------------------------------------------------------------

  tell() {
    if (!this.meta) return;
    const { words } = this;
    const [kind, text] = this.situation();
    this.host.dataset.state = kind;
    // Hosts without VMs are to be seen all the same.
    const covers = !["live", "replay", "empty"].includes(kind);
    this.overlay.hidden = !covers;
    this.overlay.className = `lv-overlay lv-${kind}`;
    if (covers) say(this.overlay.firstChild, text);
    this.stack.el.hidden = ["empty", "loading"].includes(kind);
    let all = 0;
    for (const row of this.rows.rows.values()) all += row.uuid ? 1 : 0;
    // A domain of several groups is one.
    const seen = new Set(this.order.map((entry) => this.rows.get(entry)).filter((row) => row?.uuid));
    const shown = seen.size;
    const counts = fill(words.shown, { all, shown, selected: this.chosen.size });
    say(this.status, covers || kind === "empty" ? text : `${text} · ${counts}`);
    const picture = `${this.meta.title}. ${counts}`;
    if (this.canvas.getAttribute("aria-label") !== picture) this.canvas.setAttribute("aria-label", picture);
    const troubled = [...this.rows.rows.values()].filter((row) => row.stalled_since !== null);
    this.notice.hidden = !troubled.length;
    say(this.notice, troubled.length ? fill(words.trouble, {
      count: troubled.length, names: troubled.slice(0, 5).map((row) => row.name).join(", "),
    }) : "");
  }

  situation() {
    const { words, stream, meta, rows } = this;
    const { state } = stream;
    if (state.closed) return ["closed", words.closed];
    if (stream.link === "lost") {
      const since = Date.now() / 1000 - (stream.now() - stream.heard) / 1000;
      return ["lost", fill(words.lost, { at: clock(since) })];
    }
    if (state.error) return ["error", state.error];
    if (![...rows.rows.values()].some((row) => row.uuid)) {
      return rows.filled ? ["empty", words.no_domains] : ["loading", words.loading];
    }
    if (!this.order.length) return ["filtered", words.no_match];
    if (meta.replay) return ["replay", fill(words.at, { at: clock(rows.at) })];
    if (!rows.filled) return ["loading", words.loading];
    this.moved ??= performance.now();
    if (performance.now() - this.moved > 3500 * Math.max(1, meta.interval_s)) {
      return ["stale", fill(words.stale, { at: clock(rows.at) })];
    }
    return ["live", words.live_now];
  }

  toggleTable() {
    this.all.el.hidden = !this.all.el.hidden;
    press(this.tableButton, !this.all.el.hidden);
    if (!this.all.el.hidden) this.all.show(this.order, this.columns, this.chosen, 0);
  }

  end() {
    clearInterval(this.timer);
    this.menu.shut();
    if (this.waiting) cancelAnimationFrame(this.waiting);
    this.sizes.disconnect();
    this.sight.disconnect();
    this.unbind?.();
    for (const end of this.ends) end();
    this.root.remove();
  }
}

function sendLook({ look, stream }) {
  const { folded, ...rest } = look;
  stream.send({ t: "look", look: { ...rest, folded: [...folded] } });
}
