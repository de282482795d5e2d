// Text for the guest: into its clipboard, where something in the guest takes it, or typed as keys.
import { fill, make, say } from "./dom.js";
import { keysOf } from "./us_keys.js";

const MOST = 4096;
// A guest's keyboard holds few keys, and drops what comes faster than it reads.
const EACH_MS = 25;

export class Paste {
  /** `give` puts text into the guest's clipboard, `type` presses a key and says whether it could, `speak` says what came of it. */
  constructor(words, { give, type, speak, back }) {
    Object.assign(this, { words, give, type, speak, fromGuest: "" });
    this.text = make("textarea", { rows: "3", "aria-label": words.paste_text, placeholder: words.paste_text, maxlength: String(MOST) });
    this.text.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.close(back);
    });
    const button = (name, click) => make("button", { type: "button", "data-do": name, title: words[`${name}_tip`], on: { click } }, words[name]);
    this.why = make("small", {});
    this.giving = button("give", () => this.done(() => this.give(this.text.value), words.given, back));
    this.typing = button("type", () => this.typed(back));
    this.el = make("div", { class: "lv-question", role: "group", "aria-label": words.paste, hidden: true },
      this.text, this.typing, this.giving, button("close", () => this.close(back)), this.why);
    this.el.dataset.lmSuppressShortcuts = "true";
  }

  /** `why` says why the guest's clipboard cannot be had, or is empty. */
  async open(why) {
    this.giving.disabled = Boolean(why);
    say(this.why, why || "");
    this.el.hidden = false;
    this.text.value = this.fromGuest;
    this.text.focus();
    if (this.fromGuest) return this.text.select();
    try {
      this.text.value = (await navigator.clipboard.readText()).slice(0, MOST);
    } catch {
      // The page may not read it: whoever pastes does it by hand.
    }
  }

  /** Press one key after another, as long as the panel is open. */
  async typed(back) {
    const { keys, lost } = keysOf(this.text.value);
    this.typing.disabled = true;
    let count = 0;
    for (const key of keys) {
      if (this.el.hidden || !this.type(...key)) break;
      count += 1;
      await new Promise((go) => setTimeout(go, EACH_MS));
    }
    this.typing.disabled = false;
    this.done(() => {}, fill(lost ? this.words.typed_less : this.words.typed, { count, lost }), back);
  }

  done(act, said, back) {
    act();
    this.speak(said);
    this.close(back);
  }

  close(back) {
    this.el.hidden = true;
    this.text.value = this.fromGuest = "";
    back?.();
  }

  /** Take what the guest has copied. */
  async copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.speak(this.words.clipboard);
    } catch {
      this.fromGuest = text.slice(0, MOST);
      this.speak(this.words.clipboard_here);
    }
  }
}
