// Presets of one's own: a name, and buttons to save and delete it.
import { make, say } from "./dom.js";

export class OwnPresets {
  constructor(view, press) {
    const id = `${view}-m`;
    const button = (run, name) => {
      const made = make("button", { type: "button", on: { click: run } });
      made.dataset.do = name;
      return made;
    };
    this.label = make("label", { for: id });
    this.offers = make("datalist", { id: `${id}l` });
    this.name = make("input", { id, type: "text", list: `${id}l`, maxlength: 60, autocomplete: "off" });
    this.save = button(() => press("save-preset", this.name.value), "save-preset");
    this.forget = button(() => press("delete-preset", this.name.value), "delete-preset");
    const line = make("div", { class: "lv-toolbar" }, this.label, this.name, this.offers, this.save, this.forget);
    this.el = make("details", { class: "lv-fold lv-mine" }, make("summary"), line);
  }

  show(mine, words) {
    this.el.hidden = !mine;
    if (!mine) return;
    say(this.el.firstChild, words.mine);
    this.el.firstChild.title = this.name.title = words.mine_tip;
    say(this.label, words.mine_label);
    say(this.save, words.mine_save);
    this.save.title = words.mine_tip;
    say(this.forget, words.mine_delete);
    this.forget.title = words.mine_delete_tip;
    this.forget.disabled = !mine.length;
    const key = JSON.stringify(mine);
    if (key !== this.key) this.offers.replaceChildren(...mine.map((value) => make("option", { value })));
    this.key = key;
  }
}
