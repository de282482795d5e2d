// The form as a whole: its parts, pages, plan, progress; what is typed goes to the kernel.
import { fill, make, press, say } from "./dom.js";
import { drawChecklist } from "./form_checklist.js";
import { OwnPresets } from "./form_presets.js";
import { arrange, inOrder, Tabs } from "./form_rows.js";

const PAUSE = 250; // ms after the last key before a value is sent
const PATIENCE = 6000; // ms without an answer before that is said

export class FormShell {
  constructor(el, send, insert) {
    Object.assign(this, { el, send, insert, view: crypto.randomUUID(), n: 0, seen: 0, page: 0, isPaged: false });
    this.pending = new Map();
    this.focused = 0;
    this.words = {};
    this.build();
    el.append(this.root);
    // JupyterLab would take keys in buttons and lists for commands.
    this.root.dataset.lmSuppressShortcuts = "true";
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
    // What comes while a button is held must not move it away from under the pointer.
    this.root.addEventListener("pointerdown", () => (this.isHeld = true));
    this.release = () => {
      this.isHeld = false;
      setTimeout(() => this.late && this.draw(this.late));
    };
    addEventListener("pointerup", this.release);
    addEventListener("pointercancel", this.release);
  }

  build() {
    const button = (name, run) => {
      const made = make("button", { type: "button", on: { click: run } });
      made.dataset.do = name;
      return made;
    };
    this.title = make("h3", { class: "lv-title" });
    this.presets = make("div", { class: "lv-toolbar", role: "group" });
    this.paged = button("wizard", () => this.setPaged(!this.isPaged));
    this.clear = button("clear", () => this.press("clear"));
    this.reload = button("reload", () => this.press("reload"));
    this.loading = make("p", { class: "lv-note", role: "status" });
    this.source = make("textarea", { rows: 4, spellcheck: "false", id: `${this.view}-i` });
    this.sourceLabel = make("label", { for: `${this.view}-i` });
    this.sourceDo = button("import", () => this.press("import", this.source.value));
    this.sourceBox = make("details", { class: "lv-fold" }, make("summary"), this.sourceLabel, this.source, this.sourceDo);
    this.mine = new OwnPresets(this.view, (name, value) => this.press(name, value));
    this.tops = make("div", { class: "lv-tops" });
    this.notes = make("div", { class: "lv-notes" });
    this.status = make("p", { class: "lv-status", role: "status" });
    this.general = make("p", { class: "lv-notice", role: "alert" });
    this.pages = make("nav", { class: "lv-pages" }, make("ol"));
    this.sections = make("div");
    this.options = make("div", { class: "lv-section" });
    this.back = button("back", () => this.go(this.page - 1));
    this.next = button("next", () => this.go(this.page + 1));
    this.verb = button("make", () => this.press("make"));
    this.verb.classList.add("lv-make");
    this.cancel = button("cancel", () => this.press("cancel"));
    this.why = make("p", { class: "lv-note", id: `${this.view}-w` });
    this.verb.setAttribute("aria-describedby", this.why.id);
    this.bar = make("progress", { max: 1 });
    this.stage = make("p", { role: "status", class: "lv-status" });
    this.outcome = make("pre", { class: "lv-notice", role: "alert" });
    this.tabs = new Tabs({}, this.insert);
    this.steps = make("ol");
    this.warnings = make("ul", { class: "lv-warnings" });
    this.planHead = make("h4");
    this.planSaid = make("p", { class: "lv-note" });
    this.badge = make("div", { class: "lv-badge", role: "status" }, make("strong"), make("ul"));
    this.plan = make("section", { class: "lv-plan" }, this.planHead, this.planSaid, this.badge, this.steps, this.warnings, this.tabs.el);
    this.checklist = make("details", { class: "lv-fold" }, make("summary"), make("table", {}, make("thead"), make("tbody")));
    this.lost = make("p", { class: "lv-notice", role: "alert", hidden: true });
    this.end_ = make(
      "div",
      { class: "lv-end" },
      this.options,
      this.plan,
    );
    this.buttons = make("div", { class: "lv-toolbar lv-buttons" }, this.back, this.next, this.verb, this.cancel);
    const top = make("div", { class: "lv-toolbar" }, this.paged, this.clear, this.reload);
    this.root = make(
      "section",
      { class: "lv-board lv-form" },
      ...[this.title, top, this.presets, this.sourceBox, this.mine.el, this.loading, this.tops, this.notes],
      ...[this.pages, this.sections, this.end_, this.checklist, this.general, this.status, this.buttons, this.why],
      ...[this.bar, this.stage, this.outcome, this.lost],
    );
  }

  hello() {
    this.send({ t: "hello", view: this.view });
  }

  // -- to the kernel --------------------------------------------------------------------------

  post(message) {
    this.n += 1;
    this.send({ ...message, view: this.view, n: this.n });
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.isLost(true), PATIENCE);
    return this.n;
  }

  give(row, now) {
    clearTimeout(this.pending.get(row.path)?.timer);
    const flush = () => {
      this.pending.delete(row.path);
      row.sent = this.post({ t: "set", path: row.path, value: row.value });
    };
    if (now) {
      if (!this.pending.has(row.path) && row.last === row.value) return;
      row.last = row.value;
      flush();
    } else {
      row.last = row.value;
      this.pending.set(row.path, { timer: setTimeout(flush, PAUSE), flush });
    }
  }

  flush() {
    for (const { timer, flush } of [...this.pending.values()]) {
      clearTimeout(timer);
      flush();
    }
  }

  press(name, value = "") {
    this.flush();
    this.post({ t: "press", name, value });
  }

  list(kind, path) {
    this.flush();
    const number = this.post({ t: kind, path });
    this.follow = kind === "add" ? path : "";
    this.followed = number;
  }

  /** Whether a control has what the kernel has not heard of yet. */
  isAhead(row) {
    return this.pending.has(row.path) || row.sent > this.seen;
  }

  isLost(on) {
    this.lost.hidden = !on;
    say(this.lost, on ? this.words.lost : "");
  }

  // -- from the kernel ------------------------------------------------------------------------

  take(message) {
    if (message.t === "closed") {
      say(this.status, message.text);
      for (const each of this.root.querySelectorAll("button, input, select, textarea")) each.disabled = true;
      this.el.dataset.lv = "closed";
      return;
    }
    if (message.t !== "form") return;
    if (this.isHeld) this.late = message;
    else this.draw(message);
  }

  draw(form) {
    this.late = null;
    this.form = form;
    this.words = form.words;
    this.seen = form.seen[this.view] ?? 0;
    if (this.seen >= this.n) {
      clearTimeout(this.waiting);
      this.isLost(false);
    }
    this.root.lang = form.language;
    this.root.setAttribute("aria-label", form.title);
    say(this.title, form.title);
    this.drawTop(form);
    this.drawSections(form);
    this.drawEnd(form);
    this.drawPages();
    say(this.general, form.general);
    this.general.hidden = !form.general;
    say(this.status, form.status);
    this.status.classList.toggle("lv-bad", form.is_wrong);
    if (form.focus[0] > this.focused) {
      this.focused = form.focus[0];
      this.goTo(form.focus[1]);
    } else if (this.follow && this.seen >= this.followed) {
      const list = this.root.querySelector(`[data-path="${CSS.escape(this.follow)}"] > .lv-inner`);
      list?.lastElementChild?.querySelector("input, select, textarea")?.focus();
      this.follow = "";
    }
    Object.assign(this.el.dataset, { lv: "ready", phase: form.job?.phase ?? "", seq: this.seen });
    this.el.dataset.preview = form.preview?.state ?? "";
  }

  label(button, text, tip) {
    say(button, text);
    button.title = tip ?? text;
  }

  drawTop({ words, presets, mine, tops, loading, loading_error: error, can_import: can, notes }) {
    this.label(this.paged, words.wizard, words.wizard_tip);
    press(this.paged, this.isPaged);
    this.label(this.clear, words.clear, words.clear_tip);
    this.label(this.reload, words.reload, words.reload_tip);
    this.reload.hidden = loading === "none";
    const failed = `${words.failed} ${error}`;
    say(this.loading, loading === "loading" ? words.loading : loading === "failed" ? failed : "");
    this.mine.show(mine, words);
    arrange(this.tops, tops ?? [], this);
    this.tops.hidden = !tops?.length;
    this.presets.hidden = !presets?.length;
    this.presets.setAttribute("aria-label", words.presets);
    const key = JSON.stringify(presets ?? []);
    if (key !== this.presetKey) {
      this.presetKey = key;
      const made = (presets ?? []).map(([name, label, tip]) => {
        const button = make("button", { type: "button", title: tip }, label);
        button.dataset.do = `preset-${name}`;
        button.addEventListener("click", () => this.press("preset", name));
        return button;
      });
      this.presets.replaceChildren(make("span", {}, `${words.presets}:`), ...made);
    }
    this.sourceBox.hidden = !can;
    say(this.sourceBox.firstChild, words.import);
    this.sourceBox.firstChild.title = words.import_tip;
    say(this.sourceLabel, words.import_label);
    this.source.title = words.import_tip;
    this.label(this.sourceDo, words.import_do, words.import_tip);
    const lines = (notes ?? []).map(([tone, text]) => make("p", { class: `lv-${tone}` }, text));
    const shown = JSON.stringify(notes ?? []);
    if (shown !== this.noteKey) this.notes.replaceChildren(...lines);
    this.noteKey = shown;
  }

  drawSections({ sections }) {
    const boxes = (this.boxes ??= new Map());
    const shown = sections.map(({ key, title, nodes }) => {
      if (!boxes.has(key)) {
        const legend = make("h4");
        const box = make("div");
        const id = `${this.view}-${key}`;
        legend.id = id;
        const el = make("section", { class: "lv-section", "aria-labelledby": id }, legend, box);
        boxes.set(key, { legend, box, el });
      }
      const part = boxes.get(key);
      say(part.legend, title);
      part.legend.hidden = sections.length < 2 && title === this.form?.title;
      arrange(part.box, nodes, this);
      return part.el;
    });
    inOrder(this.sections, shown);
  }

  drawEnd({ words, options, preview, verb, blocked, job, checklist }) {
    arrange(this.options, options ?? [], this);
    this.options.hidden = !options?.length;
    this.verb.hidden = !verb;
    if (verb) this.label(this.verb, verb.label, verb.tip);
    this.verb.disabled = Boolean(blocked);
    say(this.why, blocked ?? "");
    const busy = job?.phase === "planning" || job?.phase === "running";
    this.label(this.cancel, words.cancel, words.cancel_tip);
    this.cancel.hidden = !busy;
    this.bar.hidden = !busy;
    this.bar.setAttribute("aria-label", words.progress);
    const part = ((job?.step || 1) - 1 + (job?.fraction ?? 0)) / (job?.steps || 1);
    this.bar.value = Math.min(1, Math.max(0, part));
    const at = job?.steps ? ` (${job.step}/${job.steps})` : "";
    const ended = job?.phase === "done" || job?.phase === "cancelled";
    say(this.stage, busy ? `${job.stage ?? ""}${at}` : ended ? job.said : "");
    this.stage.classList.toggle("lv-good", job?.phase === "done");
    say(this.outcome, job?.phase === "failed" ? job.said : "");
    this.outcome.hidden = job?.phase !== "failed";
    this.plan.hidden = !preview;
    if (preview) this.drawPlan(preview, words);
    if (checklist) drawChecklist(this.checklist, checklist, words);
  }

  drawPlan(preview, words) {
    say(this.planHead, words.preview);
    const said = { none: words.none, working: words.working, failed: preview.error, ready: preview.title };
    say(this.planSaid, said[preview.state] ?? "");
    this.planSaid.classList.toggle("lv-bad", preview.state === "failed");
    const items = (list, texts) => {
      const key = JSON.stringify(texts ?? []);
      if (list.lvKey !== key) list.replaceChildren(...(texts ?? []).map((text) => make("li", {}, text)));
      list.lvKey = key;
      list.hidden = !texts?.length;
    };
    const has = preview.steps && preview.state !== "none" && preview.state !== "failed";
    const { badge } = preview;
    this.badge.hidden = !has || !badge;
    if (badge) {
      say(this.badge.firstChild, badge.title);
      this.badge.classList.toggle("lv-no", badge.is_bad);
      items(this.badge.lastChild, badge.texts);
    }
    this.steps.setAttribute("aria-label", words.steps);
    this.warnings.setAttribute("aria-label", words.warnings);
    items(this.steps, has ? preview.steps : []);
    items(this.warnings, has ? [...preview.warnings, ...preview.destroys] : []);
    this.tabs.el.hidden = !has;
    if (has) this.tabs.show(preview.tabs, words);
  }

  // -- pages ------------------------------------------------------------------------------------

  get last() {
    return this.form.sections.length;
  }

  setPaged(on) {
    this.isPaged = on;
    this.page = 0;
    press(this.paged, on);
    this.drawPages();
  }

  go(page, focus = true) {
    this.flush();
    this.page = Math.max(0, Math.min(this.last, page));
    this.drawPages();
    if (!focus) return;
    const box = this.page < this.last ? this.boxes.get(this.form.sections[this.page].key).el : this.end_;
    box.querySelector("input, select, textarea, summary, button")?.focus();
  }

  drawPages() {
    const { words, sections } = this.form;
    const paged = this.isPaged;
    sections.forEach(({ key }, at) => (this.boxes.get(key).el.hidden = paged && at !== this.page));
    const isLast = !paged || this.page === this.last;
    this.end_.hidden = !isLast;
    // The first page says what will be asked for (guide 2.2, step 4), the last what was given.
    this.paged.hidden = sections.length < 2;
    this.checklist.hidden = !this.form.checklist || (paged && this.page > 0 && !isLast);
    this.pages.hidden = this.back.hidden = this.next.hidden = !paged;
    this.label(this.back, words.back, words.back_tip);
    this.label(this.next, words.next, words.next_tip);
    this.back.disabled = this.page === 0;
    this.next.disabled = isLast;
    if (this.form.verb) this.verb.hidden = !isLast;
    if (!paged) return;
    this.pages.setAttribute("aria-label", words.pages);
    const titles = [...sections.map(({ title, wrong }) => [title, wrong]), [words.preview, 0]];
    const list = this.pages.firstChild;
    while (list.children.length > titles.length) list.lastChild.remove();
    titles.forEach(([title, wrong], at) => {
      if (!list.children[at]) {
        const button = make("button", { type: "button", on: { click: () => this.go(at) } });
        list.append(make("li", {}, button));
      }
      const button = list.children[at].firstChild;
      const text = wrong ? `${title} (${fill(words.errors, { count: wrong })})` : title;
      this.label(button, text, `${fill(words.page, { number: at + 1, count: titles.length })}: ${text}`);
      if (at === this.page) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
  }

  /** Go to the control of a field: its page, out of every fold. */
  goTo(path) {
    const name = path.split(/[.[]/)[0];
    const rows = [...this.root.querySelectorAll("[data-path]")];
    const row = rows.find((each) => each.dataset.path === path) ?? rows.find((each) => each.dataset.path === name);
    if (!row) return this.general.scrollIntoView({ block: "nearest" });
    const at = this.form.sections.findIndex(({ key }) => this.boxes.get(key).el.contains(row));
    if (this.isPaged && at >= 0) this.go(at, false);
    for (let el = row; el && el !== this.root; el = el.parentElement) if (el.tagName === "DETAILS") el.open = true;
    const target = row.querySelector("input, select, textarea, summary, button");
    target?.focus();
    target?.scrollIntoView({ block: "center" });
  }

  end() {
    removeEventListener("pointerup", this.release);
    removeEventListener("pointercancel", this.release);
    clearTimeout(this.waiting);
    for (const { timer } of this.pending.values()) clearTimeout(timer);
  }
}
