// Text for the guest: into its clipboard, where something in the guest takes it, or typed as keys.
import { fill, make, say } from "./dom.js";

const KEYS = { "\n": [0xff0d, "Enter"], "\t": [0xff09, "Tab"] };
const MOST = 4096;

/** The keys that type a text, and how many of its characters no keyboard of the display has. */
export function keysOf(text) {
  const keys = [];
  let lost = 0;
  for (const each of text.replace(/\r\n?/g, "\n").slice(0, MOST)) {
    const code = each.codePointAt(0);
    if (each in KEYS) keys.push(KEYS[each]);
    else if (code >= 0x20 && code < 0x7f) keys.push([code, ""]);
    else lost += 1;
  }
  return { keys, lost };
}

export class Paste {
  /** `give` puts text into the guest's clipboard, `type` presses a key, `speak` says what came of it. */
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

  typed(back) {
    const { keys, lost } = keysOf(this.text.value);
    this.done(() => keys.forEach((key) => this.type(...key)), fill(lost ? this.words.typed_less : this.words.typed, { count: keys.length, lost }), back);
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
