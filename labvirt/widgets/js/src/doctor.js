// Entry of the doctor's view: buttons, progress, and the tree of what was found.
import shellStyle from "./shell.css";
import style from "./doctor.css";
import { DoctorTree } from "./doctor_tree.js";
import { fill, make, say } from "./dom.js";

const PATIENCE = 8000; // ms without an answer before that is said
const BEAT = 5000;

class DoctorShell {
  constructor(el, send) {
    Object.assign(this, { el, send, view: crypto.randomUUID(), words: {} });
    const button = (name, run) =>
      make("button", { type: "button", "data-do": name, on: { click: run } });
    this.title = make("h3", { class: "lv-title" });
    this.again = button("again", () => this.ask({ t: "again", deep: this.deep.checked }));
    this.again.classList.add("lv-make");
    this.cancel = button("cancel", () => this.ask({ t: "cancel" }));
    this.deep = make("input", { type: "checkbox" });
    this.deepLabel = make("span");
    this.deepBox = make("label", {}, this.deep, this.deepLabel);
    this.json = button("json", () => this.ask({ t: "export", what: "json", view: this.view }));
    this.html = button("html", () => this.ask({ t: "export", what: "html", view: this.view }));
    this.summary = make("p", { class: "lv-summary", role: "status" });
    this.bar = make("progress", { max: 1, value: 0 });
    this.step = make("span", { class: "lv-step" });
    this.asked = make("span", { class: "lv-muted", lang: "en", "data-raw": "" });
    this.progress = make("div", { class: "lv-progress" }, this.bar, this.step, this.asked);
    this.said = make("p", { class: "lv-said", role: "status" });
    this.stale = make("p", { class: "lv-notice", role: "status" });
    this.lost = make("p", { class: "lv-notice", role: "alert", hidden: true });
    this.tree = new DoctorTree((message) => this.ask(message), (text) => say(this.said, text));
    this.root = make(
      "section",
      { class: "lv-board lv-doctor" },
      this.title,
      make("div", { class: "lv-toolbar" }, this.again, this.deepBox, this.cancel, this.json, this.html),
      ...[this.summary, this.progress, this.said, this.stale, this.lost, this.tree.el],
    );
    // JupyterLab would take keys in buttons and lists for commands.
    this.root.dataset.lmSuppressShortcuts = "true";
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
    el.append(this.root);
    this.heard = Date.now();
    this.beating = setInterval(() => this.watch(), BEAT);
  }

  hello() {
    this.ask({ t: "hello" });
  }

  ask(message) {
    try {
      this.send(message);
    } catch {
      // The kernel is gone; the view says so when it has heard nothing for some seconds.
    }
  }

  watch() {
    this.ask({ t: "beat" });
    if (Date.now() - this.heard > BEAT + PATIENCE) this.lost.hidden = false;
  }

  take(message) {
    this.heard = Date.now();
    this.lost.hidden = true;
    if (message.t === "words") this.setWords(message);
    else if (message.t === "tree") this.tree.set(message);
    else if (message.t === "state") this.draw(message);
    else if (message.t === "progress") this.drawProgress(message);
    else if (message.t === "file" && message.view === this.view) save(message);
  }

  setWords({ words, title, lang }) {
    this.words = words;
    this.root.lang = lang;
    say(this.title, title);
    for (const name of ["again", "cancel"]) {
      say(this[name], words[name]);
      this[name].title = words[`${name}_tip`];
    }
    say(this.deepLabel, words.deep);
    this.deepBox.title = words.deep_tip;
    for (const name of ["json", "html"]) {
      say(this[name], name.toUpperCase());
      this[name].title = words[`${name}_tip`];
    }
    say(this.lost, words.lost);
    this.bar.setAttribute("aria-label", words.looking);
    this.tree.setWords(words);
  }

  draw(state) {
    const { running, still, deep, said, stale, summary, why, progress } = state;
    this.again.hidden = still;
    this.deepBox.hidden = still;
    this.again.disabled = running;
    this.deep.disabled = running;
    if (running) this.deep.checked = deep;
    this.cancel.hidden = !running;
    this.progress.hidden = !running;
    this.json.disabled = this.html.disabled = running || !this.tree.known;
    say(this.summary, summary);
    say(this.said, said);
    this.said.hidden = !said;
    say(this.stale, stale);
    this.stale.hidden = !stale;
    if (running) this.drawProgress(progress);
    this.tree.allow(why);
    this.tree.el.classList.toggle("lv-old", running);
    this.root.dataset.running = String(running);
    this.root.dataset.stale = String(Boolean(stale));
    this.el.dataset.lv = "ready";
  }

  drawProgress({ done = 0, all = 0, question = "" }) {
    if (all) this.bar.value = done / all;
    else this.bar.removeAttribute("value");
    say(this.step, fill(this.words.progress, { done, all }));
    say(this.asked, question);
  }

  end() {
    clearInterval(this.beating);
    this.root.remove();
  }
}

function save({ name, mime, text }) {
  const url = URL.createObjectURL(new Blob([text], { type: `${mime};charset=utf-8` }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function render({ model, el, inbox }) {
  el.append(make("style", {}, shellStyle + style));
  const shell = new DoctorShell(el, (message) => model.send(message));
  const take = (message) => shell.take(message);
  // Every view of one widget gets what is sent to it.
  const takers = (inbox.takers ??= new Set());
  takers.add(take);
  inbox.take = (message) => takers.forEach((each) => each(message));
  inbox.messages.length = 0; // a view asks for what it needs
  shell.hello();
  return () => {
    takers.delete(take);
    shell.end();
  };
}
