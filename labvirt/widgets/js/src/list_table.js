// A table of records: sorted and filtered in the page, one row is selected, by pointer or keyboard.
import { fill, make, say } from "./dom.js";

const MOST = 400; // rows in the page at once; a filter finds the others
const FILTER_FROM = 8; // rows from which a filter is of use

export class ListTable {
  constructor(el, send) {
    Object.assign(this, { el, send, id: crypto.randomUUID(), rows: [], shown: [], columns: [], words: {} });
    this.sort = { at: -1, down: false };
    this.selected = null;
    this.find = make("input", { type: "search", on: { input: () => this.draw() } });
    this.count = make("span", { class: "lv-muted", role: "status" });
    this.bar = make("div", { class: "lv-toolbar", hidden: true }, this.find, this.count);
    this.caption = make("caption");
    this.head = make("tr", { on: { keydown: (event) => this.heading(event) } });
    this.body = make("tbody");
    this.table = make(
      "table",
      { role: "grid", tabindex: 0, on: { keydown: (event) => this.key(event) } },
      this.caption, make("thead", {}, this.head), this.body,
    );
    this.body.addEventListener("pointerdown", (event) => this.point(event));
    this.body.addEventListener("dblclick", (event) => this.rowOf(event) && this.open());
    this.scroller = make("div", { class: "lv-list-scroll" }, this.table);
    this.empty = make("p", { class: "lv-note", role: "status" });
    this.more = make("p", { class: "lv-note" });
    this.root = make("section", { class: "lv-board lv-list" }, this.bar, this.scroller, this.more, this.empty);
    // JupyterLab would take keys in the table for commands.
    this.root.dataset.lmSuppressShortcuts = "true";
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
    el.append(this.root);
    this.watching = setInterval(() => this.look(), 1000);
    this.lookedAt = Date.now();
  }

  hello() {
    this.send({ t: "hello" });
  }

  /** Tell the kernel now and then that somebody sees this: it reads what has no events. */
  look() {
    const seen = !document.hidden && this.root.offsetParent !== null;
    if (!this.every || !seen || Date.now() - this.lookedAt < this.every * 1000) return;
    this.lookedAt = Date.now();
    this.send({ t: "look" });
  }

  take(message) {
    if (message.t === "select") {
      this.selected = message.key;
      this.mark(true);
    } else if (message.t === "table") {
      const { columns, rows, selected, label, words, tree, look_s: every, empty } = message;
      const other = JSON.stringify(columns) !== JSON.stringify(this.columns);
      Object.assign(this, { columns, rows, words, label, tree, every, emptyText: empty });
      this.selected = selected;
      if (other) this.drawHead();
      this.draw();
    }
  }

  // -- drawn ----------------------------------------------------------------------------------

  drawHead() {
    const cells = this.columns.map(({ title, tip, kind }, at) => {
      const attributes = { scope: "col", class: kind === "number" ? "lv-number" : null };
      if (this.tree) return make("th", { ...attributes, title: tip }, title);
      // One stop of the Tab key for all headings; arrows go from one to the next.
      const attributesOf = { type: "button", title: tip, tabindex: at ? -1 : 0 };
      const knob = make("button", { ...attributesOf, on: { click: () => this.order(at) } }, title);
      return make("th", attributes, knob);
    });
    this.head.replaceChildren(...cells);
    this.caption.textContent = this.label;
    this.table.setAttribute("role", this.tree ? "treegrid" : "grid");
    this.table.setAttribute("aria-label", this.label);
    this.find.setAttribute("aria-label", `${this.words.filter}: ${this.label}`);
    this.find.placeholder = this.words.filter;
  }

  draw() {
    const { rows, sort, words } = this;
    const wanted = this.find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const texts = (row) => row.cells.map((cell) => cell.s).join(" ").toLowerCase();
    const found = wanted.length ? rows.filter((row) => wanted.every((word) => texts(row).includes(word))) : [...rows];
    if (sort.at >= 0 && !this.tree) found.sort((one, two) => compare(one.cells[sort.at], two.cells[sort.at], sort.down));
    this.shown = found.slice(0, MOST);
    this.body.replaceChildren(...this.shown.map((row, at) => this.row(row, at)));
    this.table.setAttribute("aria-rowcount", found.length + 1);
    for (const [at, th] of [...this.head.children].entries()) {
      const way = at === sort.at ? (sort.down ? "descending" : "ascending") : "none";
      if (!this.tree) th.setAttribute("aria-sort", way);
    }
    this.bar.hidden = rows.length < FILTER_FROM && !wanted.length;
    say(this.count, wanted.length ? fill(words.count, { shown: found.length, all: rows.length }) : "");
    const left = found.length - this.shown.length;
    say(this.more, left ? fill(words.more, { count: left }) : "");
    this.scroller.hidden = !rows.length;
    say(this.empty, rows.length ? "" : this.emptyText);
    this.mark(false);
    Object.assign(this.el.dataset, { lv: "ready", rows: rows.length });
  }

  row(row, at) {
    const cells = row.cells.map((cell, number) => {
      const kind = this.columns[number]?.kind;
      const made = make(number ? "td" : "th", {
        class: kind === "number" ? "lv-number" : null,
        scope: number ? null : "row",
        title: cell.tip || cell.s,
      });
      if (typeof cell.bar === "number") made.append(meter(cell.bar, cell.full));
      made.append(make("span", {}, cell.s));
      if (!number && row.level) made.style.paddingLeft = `${10 + 16 * row.level}px`;
      return made;
    });
    const made = make("tr", { id: `${this.id}-${at}`, "aria-rowindex": at + 2 }, ...cells);
    if (this.tree) made.setAttribute("aria-level", (row.level ?? 0) + 1);
    made.dataset.at = at;
    return made;
  }

  /** Show which row is selected; bring it into sight when the keyboard or the kernel did it. */
  mark(move) {
    const at = this.at;
    for (const [number, row] of [...this.body.children].entries()) {
      row.setAttribute("aria-selected", String(number === at));
    }
    const row = this.body.children[at];
    if (!row) return this.table.removeAttribute("aria-activedescendant");
    this.table.setAttribute("aria-activedescendant", row.id);
    if (!move) return;
    const { offsetTop, offsetHeight } = row;
    const { scroller } = this;
    const under = this.head.offsetHeight;
    if (offsetTop - under < scroller.scrollTop) scroller.scrollTop = offsetTop - under;
    const end = offsetTop + offsetHeight - scroller.clientHeight;
    if (end > scroller.scrollTop) scroller.scrollTop = end;
  }

  // -- what people do ---------------------------------------------------------------------------

  get at() {
    return this.shown.findIndex((row) => row.key === this.selected);
  }

  rowOf(event) {
    return event.target.closest("tr[data-at]");
  }

  point(event) {
    const row = this.rowOf(event);
    if (row && event.button === 0) this.choose(Number(row.dataset.at));
  }

  choose(at) {
    const row = this.shown[Math.max(0, Math.min(at, this.shown.length - 1))];
    if (!row || row.key === this.selected) return;
    this.selected = row.key;
    this.mark(true);
    this.send({ t: "select", key: row.key });
  }

  open() {
    if (this.at >= 0) this.send({ t: "open", key: this.selected });
  }

  order(at) {
    const same = this.sort.at === at;
    this.sort = same && this.sort.down ? { at: -1, down: false } : { at, down: same };
    this.draw();
  }

  heading(event) {
    const knobs = [...this.head.querySelectorAll("button")];
    const at = knobs.indexOf(event.target);
    const next = knobs[at + { ArrowLeft: -1, ArrowRight: 1 }[event.key]];
    if (at < 0 || !next) return;
    for (const knob of knobs) knob.tabIndex = knob === next ? 0 : -1;
    next.focus();
    event.preventDefault();
  }

  key(event) {
    if (event.target !== this.table) return;
    const { at } = this;
    const page = 10;
    const last = this.shown.length - 1;
    const moves = {
      ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: last,
      PageDown: at + page, PageUp: Math.max(0, at - page),
    };
    if (event.key in moves) this.choose(moves[event.key]);
    else if (event.key === "Enter") this.open();
    else if (event.key === "ArrowLeft") this.scroller.scrollLeft -= 80;
    else if (event.key === "ArrowRight") this.scroller.scrollLeft += 80;
    else return;
    event.preventDefault();
  }

  end() {
    clearInterval(this.watching);
    this.root.remove();
  }
}

/** A bar for a share of 1; the number stands beside it as text. */
function meter(share, isFull) {
  const inside = make("span", { class: isFull ? "lv-full" : null });
  inside.style.width = `${Math.max(0, Math.min(100, share * 100))}%`;
  return make("span", { class: "lv-meter", "aria-hidden": "true" }, inside);
}

function compare(one, two, down) {
  const [a, b] = [one.v ?? one.s, two.v ?? two.s];
  const numbers = typeof a === "number" && typeof b === "number";
  const order = numbers ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  return down ? -order : order;
}
