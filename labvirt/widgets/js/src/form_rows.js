// Rows: one labelled control per field, groups and lists of them; updated in place, never rebuilt
// under the hands of whoever types.
import { fill, make, say } from "./dom.js";

let count = 0;

/** Show nodes in a box: rows are kept by their path, in the order given. */
export function arrange(box, nodes, form) {
  const old = (box.lvRows ??= new Map());
  const rows = new Map();
  const plain = [];
  const folded = [];
  for (const node of nodes) {
    let row = old.get(node.path);
    if (!row || row.kind !== node.kind || row.isOffered !== Boolean(node.offered)) {
      row?.el.remove();
      row = new Row(node, form);
    }
    row.update(node);
    rows.set(node.path, row);
    (node.more ? folded : plain).push(row);
  }
  for (const [path, row] of old) if (rows.get(path) !== row) row.el.remove();
  box.lvRows = rows;
  let more = null;
  if (folded.length) {
    more = box.lvMore ??= make("details", { class: "lv-more" }, make("summary", {}), make("div"));
    say(more.firstChild, form.words.more);
    more.firstChild.title = form.words.more;
    inOrder(more.lastChild, folded.map((row) => row.el));
    if (folded.some((row) => row.node.error)) more.open = true;
  } else box.lvMore?.remove();
  inOrder(box, [...plain.map((row) => row.el), ...(more ? [more] : [])]);
}

/** Let these be the children, in this order; who stands right is not touched, so keeps focus. */
export function inOrder(box, children) {
  const wanted = new Set(children);
  for (const child of [...box.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, at) => {
    if (box.children[at] !== child) box.insertBefore(child, box.children[at] ?? null);
  });
}

const INPUTS = { text: "text", number: "text", size: "text", words: "text", pairs: "text", secret: "password" };

class Row {
  constructor(node, form) {
    Object.assign(this, { kind: node.kind, form, path: node.path, id: `lv-f${++count}`, sent: 0 });
    this.isOffered = Boolean(node.offered);
    this.error = make("p", { class: "lv-error", id: `${this.id}-e` });
    this.help = make("p", { class: "lv-helptext", id: `${this.id}-h` });
    this.label = make("label", { for: this.id }, make("span"), make("span", { class: "lv-must" }));
    this.box = make("div", { class: "lv-inner" });
    this.control = this.makeControl();
    const leaf = this.control ? this.line() : null;
    if (this.kind === "list") this.el = this.makeList();
    else if (this.kind === "group") {
      this.summary = make("summary", {});
      this.el = make("details", { class: "lv-fold" }, this.summary, this.error, this.box);
    } else this.el = make("div", { class: "lv-field" }, leaf, this.box);
    this.el.dataset.path = node.path;
  }

  line() {
    this.unit = make("span", { class: "lv-unit" });
    return make(
      "div",
      { class: "lv-row" },
      this.label,
      make("div", { class: "lv-control" }, make("div", { class: "lv-box" }, this.control, this.unit), this.error),
      this.help,
    );
  }

  makeControl() {
    const { kind, id } = this;
    const shared = { id, "aria-describedby": `${id}-e ${id}-h`, spellcheck: "false" };
    const now = { change: () => this.give(true) };
    if (kind === "flag" || kind === "switch") return make("input", { ...shared, type: "checkbox", on: now });
    if (kind === "choice" || kind === "variant") return make("select", { ...shared, on: now });
    const typed = { ...now, input: () => this.give(false) };
    if (kind === "prose" || kind === "lines") return make("textarea", { ...shared, rows: 2, on: typed });
    if (!(kind in INPUTS)) return null;
    const extra = kind === "secret" ? { autocomplete: "new-password" } : { autocomplete: "off" };
    if (kind === "number") extra.inputmode = "numeric";
    if (this.isOffered) {
      this.offers = make("datalist", { id: `${id}-l` });
      extra.list = `${id}-l`;
    }
    return make("input", { ...shared, type: INPUTS[kind], ...extra, on: typed });
  }

  makeList() {
    this.legend = make("legend");
    this.add = make("button", { type: "button", on: { click: () => this.form.list("add", this.path) } });
    this.none = make("p", { class: "lv-note" });
    return make("fieldset", { class: "lv-list" }, this.legend, this.error, this.none, this.box, this.add);
  }

  get value() {
    return this.control.type === "checkbox" ? this.control.checked : this.control.value;
  }

  give(now) {
    this.form.give(this, now);
  }

  update(node) {
    this.node = node;
    const { words } = this.form;
    const named = `${node.label}`;
    say(this.label.firstChild, named);
    say(this.label.lastChild, node.required ? ` (${words.required})` : "");
    say(this.error, node.error ?? "");
    say(this.help, node.help ?? "");
    if (this.control) this.updateControl(node);
    if (this.kind === "list") return this.updateList(node);
    if (this.kind === "group") {
      say(this.summary, named);
      this.summary.title = node.help;
      if (node.error || node.nodes?.some((each) => each.error)) this.el.open = true;
    }
    arrange(this.box, node.nodes ?? [], this.form);
    this.box.hidden = !node.nodes?.length;
    if (this.kind !== "group" && node.nodes?.length) {
      this.box.setAttribute("role", "group");
      this.box.setAttribute("aria-label", named);
    } else {
      this.box.removeAttribute("role");
      this.box.removeAttribute("aria-label");
    }
  }

  updateControl(node) {
    const { control } = this;
    control.title = node.help ?? "";
    this.label.title = node.help ?? "";
    say(this.unit, node.unit ?? "");
    control.setAttribute("aria-invalid", String(Boolean(node.error)));
    if (node.required) control.setAttribute("aria-required", "true");
    if (node.choices) this.choose(control, node);
    if (this.offers) this.offer(node.offered);
    if (node.example && control.type === "text") control.placeholder = node.example;
    if (this.form.isAhead(this) || (node.kind === "secret" && node.given)) return;
    if (control.type === "checkbox") control.checked = Boolean(node.value);
    else if (control.value !== String(node.value ?? "")) control.value = node.value ?? "";
  }

  choose(select, node) {
    const pairs = [...node.choices];
    if (!pairs.some(([value]) => value === node.value)) pairs.push([node.value, node.value]);
    const key = JSON.stringify(pairs);
    if (this.pairs === key) return;
    this.pairs = key;
    const kept = this.form.isAhead(this) ? select.value : node.value;
    select.replaceChildren(...pairs.map(([value, text]) => make("option", { value }, text)));
    select.value = kept;
  }

  offer(names) {
    const key = JSON.stringify(names);
    if (this.offered === key) return;
    this.offered = key;
    this.offers.replaceChildren(...names.slice(0, 1000).map((value) => make("option", { value })));
    this.control.after(this.offers);
  }

  updateList(node) {
    const { words } = this.form;
    say(this.legend, node.label);
    this.legend.title = node.help;
    const tip = fill(words.add_tip, { label: node.one });
    say(this.add, `${words.add}: ${node.one}`);
    this.add.title = tip;
    this.add.dataset.do = `add-${node.path}`;
    say(this.none, node.elements.length ? "" : words.empty);
    const boxes = (this.elements ??= new Map());
    const shown = node.elements.map((element) => {
      if (!boxes.has(element.path)) boxes.set(element.path, this.element(element.path));
      const part = boxes.get(element.path);
      say(part.legend, element.label);
      say(part.error, element.error ?? "");
      say(part.remove, words.remove);
      part.remove.title = fill(words.remove_tip, { label: element.label });
      part.remove.setAttribute("aria-label", part.remove.title);
      arrange(part.box, element.nodes, this.form);
      return part.el;
    });
    inOrder(this.box, shown);
  }

  element(path) {
    const legend = make("legend");
    const error = make("p", { class: "lv-error" });
    const box = make("div");
    const remove = make("button", { type: "button", on: { click: () => this.form.list("remove", path) } });
    remove.dataset.do = `remove-${path}`;
    return { legend, error, box, remove, el: make("fieldset", {}, legend, error, box, remove) };
  }
}

/** Tabs of texts with a button to copy each. */
export class Tabs {
  constructor(words, insert) {
    this.insert = insert;
    this.list = make("div", { role: "tablist", class: "lv-tabs" });
    this.text = make("pre", { tabindex: "0" });
    this.copy = make("button", { type: "button", on: { click: () => this.copyText() } });
    this.cell = make("button", { type: "button", on: { click: () => this.insertText() } });
    this.cell.dataset.do = "cell";
    this.said = make("span", { role: "status", class: "lv-note" });
    const id = `lv-p${++count}`;
    this.panel = make("div", { role: "tabpanel", id }, this.text, this.copy, " ", this.cell, " ", this.said);
    this.el = make("div", {}, this.list, this.panel);
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.words = words;
  }

  show(tabs, words) {
    this.words = words;
    this.tabs = tabs;
    say(this.copy, words.copy);
    this.copy.title = words.copy_tip;
    say(this.cell, words.cell);
    this.cell.title = words.cell_tip;
    if (!tabs.some(([key]) => key === this.chosen)) this.chosen = tabs[0]?.[0];
    const key = tabs.map(([name]) => name).join();
    if (key !== this.keys) {
      this.keys = key;
      this.buttons = tabs.map(([name, title]) => {
        const button = make("button", { type: "button", role: "tab", "aria-controls": this.panel.id, title }, title);
        button.addEventListener("click", () => this.choose(name));
        return button;
      });
      this.list.replaceChildren(...this.buttons);
    }
    this.list.setAttribute("aria-label", words.preview);
    this.draw();
  }

  choose(name, focus = false) {
    this.chosen = name;
    say(this.said, "");
    this.draw();
    if (focus) this.buttons[this.tabs.findIndex(([each]) => each === name)].focus();
  }

  draw() {
    // Python is what a cell takes.
    this.cell.hidden = this.chosen !== "python";
    this.tabs.forEach(([name, title, text], at) => {
      const on = name === this.chosen;
      this.buttons[at].setAttribute("aria-selected", String(on));
      this.buttons[at].tabIndex = on ? 0 : -1;
      if (!on) return;
      say(this.text, text);
      this.text.setAttribute("aria-label", title);
      this.panel.setAttribute("aria-label", title);
    });
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = this.tabs.findIndex(([name]) => name === this.chosen);
    this.choose(this.tabs.at((at + step) % this.tabs.length)[0], true);
    event.preventDefault();
  }

  async copyText() {
    say(this.said, (await this.copied()) ? this.words.copied : this.words.not_copied);
  }

  async copied() {
    try {
      await navigator.clipboard.writeText(this.text.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(this.text);
      return document.execCommand("copy");
    }
  }

  async insertText() {
    const words = this.words;
    if (this.insert?.(`${words.cell_head}${this.text.textContent}\n`)) return say(this.said, words.inserted);
    say(this.said, (await this.copied()) ? words.no_cell : words.not_copied);
  }
}
