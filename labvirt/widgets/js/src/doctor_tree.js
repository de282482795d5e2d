// The tree of findings: subjects, things, answers; what is well is folded. Search and filter in the page.
import { fill, make, press, say } from "./dom.js";

const GOOD = new Set(["ok", "n/a"]);
const ILL = new Set(["fail"]);

export class DoctorTree {
  /** `send` gives a message to the kernel, `speak` says what came of a button. */
  constructor(send, speak) {
    Object.assign(this, { send, speak, words: {}, sources: [], known: false, why: "" });
    this.folds = new Map(); // key -> whether somebody has opened it
    this.only = new Set();
    this.chips = make("div", { class: "lv-chips", role: "group" });
    this.find = make("input", { type: "search", on: { input: () => this.draw() } });
    this.count = make("span", { class: "lv-muted", role: "status" });
    this.open = make("button", { type: "button", "data-do": "unfold", on: { click: () => this.foldAll(true) } });
    this.shut = make("button", { type: "button", "data-do": "fold", on: { click: () => this.foldAll(false) } });
    this.bar = make("div", { class: "lv-toolbar lv-filter" }, this.chips, this.find, this.open, this.shut, this.count);
    this.body = make("div", { class: "lv-tree", role: "region", on: { keydown: (event) => this.key(event) } });
    this.empty = make("p", { class: "lv-note", role: "status" });
    this.el = make("div", { class: "lv-found" }, this.bar, this.body, this.empty);
  }

  setWords(words) {
    this.words = words;
    this.find.placeholder = words.search;
    this.find.setAttribute("aria-label", words.search);
    this.chips.setAttribute("aria-label", words.filter);
    this.body.setAttribute("aria-label", words.tree);
    say(this.open, words.unfold);
    say(this.shut, words.fold);
    this.draw();
  }

  set({ sources, known }) {
    Object.assign(this, { sources, known });
    this.draw();
  }

  /** Let findings be mended, or say why not. */
  allow(why) {
    this.why = why;
    for (const knob of this.body.querySelectorAll("[data-fix]")) this.tellFix(knob);
  }

  tellFix(knob) {
    knob.disabled = Boolean(this.why);
    knob.title = this.why || this.words.fix_tip;
  }

  // -- drawn ----------------------------------------------------------------------------------

  get all() {
    return this.sources.flatMap((source) => source.groups.flatMap((group) => group.things.flatMap((thing) => thing.findings)));
  }

  draw() {
    if (!this.words.verdicts) return;
    const { words, all } = this;
    this.wanted = this.find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    this.isNarrow = Boolean(this.wanted.length || this.only.size);
    this.shown = 0;
    this.drawChips(all);
    const parts = this.sources.map((source, number) => this.source(source, number)).filter(Boolean);
    this.keep(() => this.body.replaceChildren(...parts));
    this.bar.hidden = !all.length;
    this.body.hidden = !parts.length;
    const nothing = all.length ? words.nothing_shown : words.nothing;
    say(this.empty, parts.length || !this.known ? "" : nothing);
    say(this.count, this.isNarrow ? fill(words.count, { shown: this.shown, all: all.length }) : "");
    this.allow(this.why);
    Object.assign(this.el.dataset, { findings: all.length, shown: this.shown });
  }

  /** Draw anew, and let the keyboard stand where it stood. */
  keep(change) {
    const at = document.activeElement;
    const key = this.body.contains(at) ? at.dataset.at : null;
    change();
    if (key) this.body.querySelector(`[data-at="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  }

  drawChips(all) {
    for (const [verdict, { mark, word }] of Object.entries(this.words.verdicts)) {
      const count = all.filter((one) => one.verdict === verdict).length;
      let knob = this.chips.querySelector(`[data-verdict="${verdict}"]`);
      if (!knob) {
        knob = make("button", { type: "button", "data-verdict": verdict, on: { click: () => this.narrow(verdict) } });
        this.chips.append(knob);
      }
      say(knob, `${mark} ${word}: ${count}`);
      press(knob, this.only.has(verdict));
      knob.hidden = !count && !this.only.has(verdict);
    }
  }

  narrow(verdict) {
    if (!this.only.delete(verdict)) this.only.add(verdict);
    this.draw();
  }

  fits(one) {
    if (this.only.size && !this.only.has(one.verdict)) return false;
    if (!this.wanted.length) return true;
    const text = [one.id, one.question, one.evidence, one.cause, one.remedy].join(" ").toLowerCase();
    return this.wanted.every((word) => text.includes(word));
  }

  source(source, number) {
    const key = `${number}`;
    const groups = source.groups.map((group) => this.group(group, `${key}/${group.key}`, number)).filter(Boolean);
    if (source.error) {
      groups.unshift(make("p", { class: "lv-notice", role: "alert", "data-raw": "" }, source.error));
    }
    if (!groups.length) return null;
    if (this.sources.length === 1) return make("div", { class: "lv-source" }, ...groups);
    const verdict = source.error ? "fail" : source.verdict;
    return this.fold(key, "lv-source", this.head(verdict, source.title, source.error ? null : findingsOf(source)), groups, true);
  }

  group(group, key, number) {
    const things = group.things.map((thing) => this.thing(thing, `${key}/${thing.name}`, number)).filter(Boolean);
    if (!things.length) return null;
    const head = this.head(group.verdict, group.title, group.things.flatMap((thing) => thing.findings));
    return this.fold(key, "lv-topic", head, things, !GOOD.has(group.verdict));
  }

  thing(thing, key, number) {
    const found = thing.findings.filter((one) => this.fits(one));
    if (!found.length) return null;
    this.shown += found.length;
    const ill = found.filter((one) => this.isNarrow || !GOOD.has(one.verdict));
    const well = found.filter((one) => !ill.includes(one));
    const parts = ill.map((one) => this.finding(one, `${key}/${one.id}`, number));
    if (well.length) {
      const title = make("span", {}, `${this.words.verdicts.ok.mark} ${fill(this.words.well, { count: well.length })}`);
      const lazy = () => well.map((one) => this.finding(one, `${key}/${one.id}`, number));
      parts.push(this.fold(`${key}/well`, "lv-well", title, lazy, false));
    }
    if (!thing.name) return make("div", { class: "lv-thing" }, ...parts);
    return this.fold(key, "lv-thing", this.head(thing.verdict, thing.name, thing.findings, true), parts, ILL.has(thing.verdict) || this.isNarrow);
  }

  head(verdict, title, findings, isRaw = false) {
    const counts = Object.entries(this.words.verdicts)
      .map(([each, { mark, word }]) => [mark, word, (findings ?? []).filter((one) => one.verdict === each).length])
      .filter(([, , count]) => count)
      .map(([mark, word, count]) => make("span", { class: "lv-tally", title: word }, `${mark} ${count}`, make("span", { class: "lv-unseen" }, ` ${word}`)));
    return make(
      "span",
      { class: "lv-head-line" },
      make("b", { class: `lv-mark lv-v-${slug(verdict)}`, "aria-hidden": "true" }, this.words.verdicts[verdict].mark),
      make("span", { class: "lv-what", "data-raw": isRaw ? "" : null }, title),
      ...counts,
    );
  }

  /** `children` may be a function: then they are made when somebody opens it. */
  fold(key, kind, head, children, isOpen) {
    const summary = make("summary", { "data-at": key }, head);
    const made = make("details", { class: kind, "data-key": key }, summary);
    const fill_ = () => {
      if (made.dataset.filled) return;
      made.dataset.filled = "yes";
      made.append(...(typeof children === "function" ? children() : children));
      for (const knob of made.querySelectorAll("[data-fix]")) this.tellFix(knob);
    };
    made.open = this.isNarrow ? true : this.folds.get(key) ?? isOpen;
    if (made.open || typeof children !== "function") fill_();
    made.fill = fill_;
    made.addEventListener("toggle", () => {
      if (made.open) fill_();
      if (!this.isNarrow) this.folds.set(key, made.open);
    });
    return made;
  }

  finding(one, key, number) {
    const { words } = this;
    const { mark, word } = words.verdicts[one.verdict];
    const raw = { lang: "en", "data-raw": "" };
    const parts = [
      make(
        "div",
        { class: "lv-line" },
        make("b", { class: `lv-mark lv-v-${slug(one.verdict)}` }, `${mark} ${word}`),
        make("span", { class: "lv-question", ...raw }, one.question),
      ),
    ];
    if (one.cause) parts.push(make("p", { class: "lv-cause" }, make("span", { class: "lv-label" }, `${words.cause}: `), make("span", raw, one.cause)));
    if (one.remedy || one.fixable) parts.push(this.remedy(one, key, number));
    if (one.evidence || one.guide) {
      const summary = make("summary", { "data-at": `${key}/seen` }, words.evidence, make("span", { class: "lv-unseen", ...raw }, ` ${one.question}`));
      parts.push(make(
        "details",
        { class: "lv-seen" },
        summary,
        one.evidence ? make("pre", { tabindex: 0, ...raw }, one.evidence) : null,
        make("p", { class: "lv-note", ...raw }, [one.id, one.guide].filter(Boolean).join(" · ")),
      ));
    }
    return make("div", { class: "lv-finding", "data-finding": one.id, "data-verdict": one.verdict }, ...parts);
  }

  remedy(one, key, number) {
    const { words } = this;
    const knobs = [];
    if (one.fixable) {
      const ask = () => this.send({ t: "fix", key: one.id, target: number });
      knobs.push(make("button", { type: "button", "data-fix": one.id, "data-raw": "", "data-at": `${key}/fix`, "aria-label": `${words.fix} ${one.question}`, on: { click: ask } }, words.fix));
    }
    if (one.remedy) {
      knobs.push(make("button", { type: "button", "data-copy": one.id, "data-raw": "", "data-at": `${key}/copy`, title: words.copy_tip, "aria-label": `${words.copy_tip}: ${one.question}`, on: { click: () => this.copy(one.remedy) } }, words.copy));
    }
    return make(
      "div",
      { class: "lv-remedy" },
      make("span", { class: "lv-label" }, `${words.remedy}: `),
      one.remedy ? make("code", { lang: "en", "data-raw": "" }, one.remedy) : null,
      make("span", { class: "lv-knobs" }, ...knobs),
    );
  }

  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", {});
      area.value = text;
      const at = document.activeElement;
      this.el.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      at?.focus();
    }
    this.speak("");
    setTimeout(() => this.speak(this.words.copied), 50);
  }

  // -- what people do ---------------------------------------------------------------------------

  foldAll(on) {
    // What is inside may come only when it is opened.
    for (let deep = 0; deep < 4; deep += 1) {
      for (const each of this.body.querySelectorAll("details:not(.lv-seen)")) {
        if (on) each.fill?.();
        each.open = on;
      }
    }
  }

  /** Arrows go from one line to the next, open and shut, as in every tree. */
  key(event) {
    if (!event.target.matches("summary") || event.ctrlKey || event.metaKey || event.altKey) return;
    const lines = [...this.body.querySelectorAll("summary")].filter((each) => each.checkVisibility());
    const at = lines.indexOf(event.target);
    const box = event.target.parentElement;
    const go = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 }[event.key];
    if (go !== undefined) lines[Math.max(0, Math.min(go, lines.length - 1))]?.focus();
    else if (event.key === "ArrowRight") box.open = true;
    else if (event.key === "ArrowLeft" && box.open) box.open = false;
    else if (event.key === "ArrowLeft") box.parentElement.closest("details")?.querySelector("summary").focus();
    else return;
    event.preventDefault();
  }
}

const slug = (verdict) => verdict.replace("/", "");
const findingsOf = (source) => source.groups.flatMap((group) => group.things.flatMap((thing) => thing.findings));
