// Entry of the XML editor: a plain text area over a coloured copy of its text, with line numbers and
// the faults of each line. Being a text area it has the browser's own keys, undo and screen reader.
import shellStyle from "./shell.css";
import style from "./xmledit.css";
import { fill, make, say } from "./dom.js";
import { guard } from "./guard.js";
import { paint, START } from "./xml_paint.js";

const PAUSE = 350; // ms after the last key before the text is checked

class Editor {
  constructor(el, send) {
    Object.assign(this, { el, send, lines: [], faults: [], n: 0 });
    const id = crypto.randomUUID();
    this.label = make("label", { for: `${id}-t`, class: "lv-xml-label" });
    this.gutter = make("div", { class: "lv-xml-gutter", "aria-hidden": "true" });
    this.copy = make("div", { class: "lv-xml-copy", "aria-hidden": "true" });
    this.text = make("textarea", {
      ...{ id: `${id}-t`, class: "lv-xml-text", spellcheck: "false", wrap: "off", rows: 22 },
      ...{ autocomplete: "off", autocapitalize: "off", "aria-describedby": `${id}-s` },
    });
    this.said = make("p", { id: `${id}-s`, role: "status", class: "lv-status" });
    this.list = make("ul", { class: "lv-xml-faults" });
    const pane = make("div", { class: "lv-xml-pane" }, this.copy, this.text);
    const both = make("div", { class: "lv-xml-both" }, this.gutter, pane);
    this.root = make("section", { class: "lv-board lv-xml" }, this.label, both, this.said, this.list);
    // JupyterLab would take keys for commands.
    this.root.dataset.lmSuppressShortcuts = "true";
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
    this.text.addEventListener("input", () => this.typed());
    this.text.addEventListener("blur", () => this.flush());
    this.text.addEventListener("scroll", () => this.follow());
    el.append(this.root);
  }

  take(message) {
    if (message.t !== "xml") return;
    const { text, faults, words, readonly, n } = message;
    this.words = words;
    say(this.label, words.label);
    this.text.title = words.tip;
    this.text.readOnly = readonly;
    if (text !== undefined && text !== this.text.value && !this.timer) {
      this.text.value = text;
      this.draw();
    }
    // What was said of an older text is not said of this one.
    if (n >= this.n) this.mark(faults, message.said);
    Object.assign(this.el.dataset, { lv: "ready", faults: String(this.faults.length), seq: String(n) });
  }

  typed() {
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), PAUSE);
  }

  flush() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = 0;
    this.n += 1;
    this.send({ t: "set", text: this.text.value, n: this.n });
  }

  draw() {
    const texts = this.text.value.split("\n");
    let state = START;
    texts.forEach((text, at) => {
      const old = this.lines[at];
      if (old && old.text === text && old.from === state) {
        state = old.to;
        return;
      }
      const row = make("div");
      const to = paint(row, text, state);
      if (old) old.row.replaceWith(row);
      else this.copy.append(row);
      this.lines[at] = { text, from: state, to, row };
      state = to;
    });
    for (const old of this.lines.splice(texts.length)) old.row.remove();
    while (this.gutter.childElementCount > texts.length) this.gutter.lastChild.remove();
    while (this.gutter.childElementCount < texts.length) {
      this.gutter.append(make("div", {}, String(this.gutter.childElementCount + 1)));
    }
    this.follow();
  }

  follow() {
    this.copy.style.transform = `translate(${-this.text.scrollLeft}px, ${-this.text.scrollTop}px)`;
    this.gutter.style.transform = `translateY(${-this.text.scrollTop}px)`;
  }

  mark(faults, said) {
    this.faults = faults;
    const bad = new Map(faults.filter(([line]) => line > 0).map(([line, text]) => [line, text]));
    [...this.gutter.children].forEach((cell, at) => {
      cell.classList.toggle("lv-bad", bad.has(at + 1));
      cell.title = bad.get(at + 1) ?? "";
    });
    this.lines.forEach(({ row }, at) => row.classList.toggle("lv-bad", bad.has(at + 1)));
    this.text.setAttribute("aria-invalid", String(faults.length > 0));
    say(this.said, said);
    const items = faults.map(([line, text]) => {
      if (!line) return make("li", {}, text);
      const where = fill(this.words.line, { number: line });
      const go = make("button", { type: "button", title: this.words.go }, where);
      go.addEventListener("click", () => this.go(line));
      return make("li", {}, go, ` ${text}`);
    });
    this.list.replaceChildren(...items);
  }

  go(line) {
    const before = this.lines.slice(0, line - 1).reduce((sum, { text }) => sum + text.length + 1, 0);
    this.text.focus();
    this.text.setSelectionRange(before, before + (this.lines[line - 1]?.text.length ?? 0));
    const high = this.text.scrollHeight / Math.max(1, this.lines.length);
    this.text.scrollTop = Math.max(0, (line - 4) * high);
  }
}

export function render({ model, el, inbox }) {
  el.append(make("style", {}, shellStyle + style));
  guard(el);
  const editor = new Editor(el, (message) => model.send(message));
  const take = (message) => editor.take(message);
  // Every view of one widget gets what is sent to it.
  const takers = (inbox.takers ??= new Set());
  takers.add(take);
  inbox.take = (message) => takers.forEach((each) => each(message));
  for (const [message] of inbox.messages.splice(0)) take(message);
  model.send({ t: "hello" });
  return () => {
    editor.flush();
    takers.delete(take);
  };
}
