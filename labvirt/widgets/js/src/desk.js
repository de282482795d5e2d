// The bar over a console: buttons of the VM, a question before what loses something, a state line.
import { fill, make, say } from "./dom.js";

export class Desk {
  /** `names` are the buttons in order; `extra` are elements that follow them. */
  constructor(link, words, names, extra) {
    Object.assign(this, { link, words });
    this.buttons = new Map(
      names.map((name) => [
        name,
        make(
          "button",
          { type: "button", "data-do": name, title: words[`${name}_tip`], on: { click: () => this.press(name) } },
          words[name],
        ),
      ]),
    );
    this.bar = make("div", { class: "lv-toolbar", role: "toolbar", "aria-label": words.toolbar }, ...this.buttons.values(), ...extra);
    this.identity = make("strong", { class: "lv-identity" });
    this.question = make("div", { class: "lv-question", role: "alertdialog", "aria-label": words.destroy, hidden: true });
    this.status = make("p", { class: "lv-status", role: "status" });
    this.said = make("p", { class: "lv-said", role: "status" });
    this.facts = {};
  }

  press(name) {
    const ask = this.words[`${name}_ask`];
    if (!ask) return this.link.send({ t: "act", do: name });
    const done = (yes) => {
      this.question.hidden = true;
      this.question.replaceChildren();
      if (yes) this.link.send({ t: "act", do: name, confirm: true });
      this.buttons.get(name).focus();
    };
    const no = make("button", { type: "button", "data-do": "no", on: { click: () => done(false) } }, this.words.no);
    this.question.replaceChildren(
      make("span", {}, ask),
      make("button", { type: "button", "data-do": "yes", on: { click: () => done(true) } }, this.words.yes),
      no,
    );
    this.question.hidden = false;
    this.question.onkeydown = (event) => {
      if (event.key === "Escape") done(false);
    };
    no.focus();
  }

  /** Take the state of the line and the VM; `text` is what the state line says. */
  tell(facts, text) {
    this.facts = facts;
    for (const [name, button] of this.buttons) {
      button.disabled = !facts.can?.[name];
      button.title = facts.why ? `${this.words[`${name}_tip`]}. ${facts.why}` : this.words[`${name}_tip`];
    }
    const force = this.buttons.get("force");
    if (force) force.hidden = !facts.can?.force;
    if (facts.where) {
      say(this.identity, fill(this.words.identity, facts.where));
      this.identity.title = fill(this.words.identity_tip, facts.where);
    }
    say(this.status, text);
  }

  lose(text) {
    for (const button of this.buttons.values()) button.disabled = true;
    say(this.status, text);
  }

  speak(text, good = true) {
    say(this.said, text);
    this.said.dataset.good = String(good);
    clearTimeout(this.timer);
    if (good) this.timer = setTimeout(() => say(this.said, ""), 6000);
  }
}
