// What a screen asks before it lets anybody in. The answer goes to noVNC, which needs it for the
// display's challenge; it is kept nowhere, and never goes to the kernel.
import { make, say } from "./dom.js";

export class Login {
  constructor(words, done) {
    this.words = words;
    this.user = this.field("text", words.user);
    this.password = this.field("password", words.password);
    this.why = make("span", { role: "alert" });
    const send = () => {
      const given = { username: this.user.value, password: this.password.value };
      this.hide();
      done(given);
    };
    for (const field of [this.user, this.password])
      field.addEventListener("keydown", (event) => {
        event.stopPropagation();
        if (event.key === "Enter") send();
      });
    this.el = make("div", { class: "lv-question", role: "group", "aria-label": words.password, hidden: true },
      this.why, this.user, this.password,
      make("button", { type: "button", "data-do": "login", on: { click: send } }, words.send));
    this.el.dataset.lmSuppressShortcuts = "true";
  }

  field(type, label) {
    return make("input", { type, "aria-label": label, placeholder: label, autocomplete: "off", maxlength: "255" });
  }

  /** `types` are what the display wants; `wrong` says that the last answer was refused. */
  ask(types, wrong) {
    this.user.hidden = !types.includes("username");
    this.el.hidden = false;
    say(this.why, wrong ? this.words.refused : "");
    // Only who has just answered is typing here; anybody else keeps the focus where it is.
    if (wrong) (this.user.hidden ? this.password : this.user).focus();
  }

  hide() {
    this.el.hidden = true;
    this.user.value = this.password.value = "";
  }
}
