// The screen: noVNC, its bar, and what becomes of a session that ends.
import RFB from "@novnc/novnc";
import { Channel } from "./channel.js";
import { Desk } from "./desk.js";
import { fill, make, press, say } from "./dom.js";
import { Login } from "./login.js";
import { Paste } from "./paste.js";
import { Still } from "./still.js";
import { MODIFIERS, Sticky } from "./sticky.js";

const F1 = 0xffbe;
const CTRL = [0xffe3, "ControlLeft"];
const ALT = [0xffe9, "AltLeft"];
// What the browser or the desktop keeps for itself: [label, keysym, code], pressed with Ctrl+Alt or alone.
const COMBINED = [
  ["Backspace", 0xff08, "Backspace"],
  ...Array.from({ length: 12 }, (_, n) => [`F${n + 1}`, F1 + n, `F${n + 1}`]),
];
const ALONE = [["Print", 0xff61, "PrintScreen"], ["Escape", 0xff1b, "Escape"], ["Tab", 0xff09, "Tab"]];
const AGAIN_MS = [500, 1000, 2000, 5000];

export class ScreenView {
  constructor(host, link) {
    Object.assign(this, { host, link, session: 0, tries: 0, why: "", state: "waiting" });
    host.dataset.lv = "waiting";
    host.lvView = this;
    this.root = make("div", { class: "lv-board lv-console", role: "group" });
    this.root.append(make("p", { class: "lv-status", role: "status" }, "…"));
    host.append(this.root);
    link.on("words", ({ words }) => this.words || this.build(words));
    link.on("state", (facts) => this.tell(facts));
    link.on("said", ({ text, good }) => this.desk?.speak(text, good));
    link.on("opened", ({ s, about }) => this.begin(s, about));
    link.on("b", (message, buffer) => message.s === this.session && this.channel?.take(message, buffer));
    link.on("end", ({ s, why }) => this.hungUp(s, why));
    link.on("still", ({ mime }, buffer) => this.still.show(mime, buffer));
    link.on("lost", () => this.draw());
    link.on("closed", () => this.close());
  }

  build(words) {
    this.words = words;
    const { look } = words;
    const tool = (name, fn) =>
      make("button", { type: "button", "data-do": name, title: words[`${name}_tip`], on: { click: fn } }, words[name]);
    this.sticky = new Sticky((name, on) => this.holdKey(name, on));
    this.holds = new Map(
      Object.entries(MODIFIERS)
        .filter(([name]) => name !== "Shift")
        .map(([name, { label }]) => {
          const title = fill(words.hold_tip, { key: label });
          const click = () => {
            this.sticky.toggle(name);
            this.rfb?.focus();
          };
          return [name, make("button", { type: "button", "data-hold": name, title, "aria-pressed": "false", on: { click } }, label)];
        }),
    );
    this.keys = make("select", { title: words.keys_tip, "aria-label": words.keys, "data-do": "keys", on: { change: () => this.sendChosen() } },
      make("option", { value: "" }, words.keys),
      ...COMBINED.map(([label], at) => make("option", { value: `c${at}` }, `Ctrl+Alt+${label}`)),
      ...ALONE.map(([label], at) => make("option", { value: `a${at}` }, label)),
    );
    this.scale = tool("scale", () => this.setScale(!this.scaled));
    this.only = tool("view_only", () => this.setOnly(!this.viewOnly));
    this.again = tool("again", () => this.open());
    this.tools = [tool("cad", () => this.rfb?.sendCtrlAltDel()), this.keys, ...this.holds.values(), tool("paste", () => this.paste.open(this.about.clipboard))];
    this.shot = tool("shot", () => this.save());
    this.full = tool("full", () => this.fill());
    this.desk = new Desk(this.link, words, ["run", "pause", "shutdown", "destroy"], [
      ...this.tools, this.scale, this.only, this.shot, this.full, this.again,
    ]);
    this.where = make("p", { class: "lv-where", hidden: true });
    this.screen = make("div", { class: "lv-screen", style: `height: ${look.height}px` });
    this.screen.dataset.lmSuppressShortcuts = "true";
    const at = () => performance.now();
    this.screen.addEventListener("keydown", (event) => event.repeat || this.sticky.down(event.key, at()), true);
    // After noVNC's own handlers: what is held must go down after the real key went up.
    this.screen.addEventListener("keyup", (event) => setTimeout(() => this.sticky.up(event.key), 0), true);
    const { desk } = this;
    this.still = new Still(() => this.link.send({ t: "still" }), (img) => {
      img.alt = fill(words.label, this.facts?.where);
      this.screen.replaceChildren(img);
      this.draw();
    });
    this.login = new Login(words, (given) => this.answer(given));
    this.paste = new Paste(words, {
      give: (text) => this.rfb?.clipboardPasteFrom(text),
      type: (key, code, shifted) => this.typeKey(key, code, shifted),
      speak: (text) => desk.speak(text),
      back: () => this.rfb?.focus(),
    });
    this.root.replaceChildren(desk.identity, this.where, desk.bar, desk.question, desk.status, this.login.el, this.paste.el, this.screen, desk.said);
    this.setScale(look.scale);
    this.setOnly(look.view_only);
    this.host.dataset.lv = "ready";
    if (this.facts) this.tell(this.facts);
  }

  // -- the session --------------------------------------------------------------------------------

  open() {
    clearTimeout(this.retry);
    this.shut();
    this.setState("connecting");
    this.link.send({ t: "open" });
  }

  begin(session, about) {
    this.shut();
    Object.assign(this, { session, about: about ?? {}, given: null });
    this.where.hidden = !this.about.text;
    say(this.where, this.about.text ?? "");
    this.where.dataset.open = String(Boolean(this.about.open));
    this.channel = new Channel(this.link, session);
    const rfb = (this.rfb = new RFB(this.screen, this.channel, { shared: true }));
    rfb.background = "transparent";
    rfb.scaleViewport = this.scaled;
    rfb.viewOnly = this.viewOnly;
    rfb.addEventListener("connect", () => this.entered(rfb));
    rfb.addEventListener("desktopname", ({ detail }) => this.check(rfb, detail.name));
    rfb.addEventListener("credentialsrequired", ({ detail }) => this.ask(detail.types));
    rfb.addEventListener("securityfailure", ({ detail }) => {
      if (this.rfb === rfb) this.refusal = detail.reason || this.words.refused;
    });
    rfb.addEventListener("clipboard", ({ detail }) => this.paste.copied(detail.text));
    rfb.addEventListener("disconnect", () => {
      if (this.rfb === rfb) this.hungUp(session, this.refusal);
    });
  }

  entered(rfb) {
    this.tries = 0;
    this.isWrong = false;
    if (this.given) this.given.password = ""; // noVNC would keep it as long as it lives
    this.setState("connected");
    rfb._canvas?.setAttribute("aria-label", fill(this.words.label, this.facts?.where));
  }

  /** QEMU's displays say whose they are. */
  check(rfb, name) {
    const [, guest] = /^QEMU \((.*)\)$/s.exec(name) ?? [];
    if (this.rfb !== rfb || guest === undefined || !this.about.guest || guest === this.about.guest) return;
    this.hungUp(0, fill(this.words.other, { name: this.about.guest, other: guest }));
  }

  hungUp(session, why) {
    if (session && session !== this.session) return;
    const wasRefused = Boolean(this.refusal);
    const wasAnswered = Boolean(this.given);
    this.shut();
    if (wasRefused && wasAnswered) {
      this.isWrong = true;
      return this.open(); // it asks again
    }
    this.why = why || this.words?.hung_up || "";
    // What the kernel said no to (session 0) is not asked again by itself, nor what the display did.
    // A VM that is gone from its host may have moved: the kernel knows where to.
    const running = ["running", "paused", ""].includes(this.facts?.vm ?? "");
    if (running && session && !wasRefused) {
      this.retry = setTimeout(() => this.open(), AGAIN_MS[Math.min(this.tries, AGAIN_MS.length - 1)]);
      this.tries += 1;
    }
    this.setState("ended");
    if (running && !this.retry) this.still.begin();
  }

  shut() {
    clearTimeout(this.retry);
    this.retry = null;
    const { rfb, channel } = this;
    this.rfb = this.channel = null;
    this.session = 0;
    this.refusal = "";
    this.given = null;
    this.login?.hide();
    this.still?.end();
    try {
      rfb?.disconnect();
    } catch {
      // It had ended already.
    }
    channel?.close();
    this.screen?.replaceChildren();
    this.sticky?.held.clear();
    for (const button of this.holds?.values() ?? []) press(button, false);
  }

  close() {
    this.link.isOver = true;
    this.shut();
    this.setState("closed");
  }

  // -- password -----------------------------------------------------------------------------------

  ask(types) {
    this.login.ask(types, this.isWrong);
    this.setState("asking");
  }

  answer(given) {
    this.given = given;
    this.setState("connecting");
    this.rfb?.sendCredentials(given);
  }

  // -- keys and the clipboard ---------------------------------------------------------------------

  holdKey(name, on) {
    const { key, code } = MODIFIERS[name];
    if (!this.viewOnly) this.rfb?.sendKey(key, code, on);
    const button = this.holds.get(name);
    if (button) press(button, on);
  }

  typeKey(key, code, shifted) {
    const { rfb } = this;
    if (!rfb || this.state !== "connected" || this.viewOnly) return false;
    const shift = [MODIFIERS.Shift.key, MODIFIERS.Shift.code];
    if (shifted) rfb.sendKey(...shift, true);
    rfb.sendKey(key, code);
    if (shifted) rfb.sendKey(...shift, false);
    return true;
  }

  sendChosen() {
    const { value } = this.keys;
    this.keys.value = "";
    if (!value || !this.rfb) return;
    const with_ = value[0] === "c" ? [CTRL, ALT] : [];
    const [, key, code] = (value[0] === "c" ? COMBINED : ALONE)[Number(value.slice(1))];
    for (const [sym, name] of with_) this.rfb.sendKey(sym, name, true);
    this.rfb.sendKey(key, code);
    for (const [sym, name] of [...with_].reverse()) this.rfb.sendKey(sym, name, false);
    this.rfb.focus();
  }

  // -- the picture --------------------------------------------------------------------------------

  setScale(on) {
    this.scaled = on;
    press(this.scale, on);
    this.screen.style.overflow = on ? "hidden" : "auto";
    if (this.rfb) this.rfb.scaleViewport = on;
  }

  setOnly(on) {
    this.viewOnly = on;
    press(this.only, on);
    if (this.rfb) this.rfb.viewOnly = on;
    this.draw();
  }

  fill() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.().then(() => this.rfb?.focus(), () => {});
  }

  save() {
    this.rfb?.toBlob((blob) => {
      const link = make("a", { href: URL.createObjectURL(blob), download: `${this.facts?.where?.name ?? "screen"}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    }, "image/png");
  }

  // -- state --------------------------------------------------------------------------------------

  tell(facts) {
    const before = this.facts?.vm;
    const hasMoved = this.facts?.where && this.facts.where.uri !== facts.where?.uri;
    this.facts = facts;
    if (!this.words) return;
    const on = facts.vm === "running" || facts.vm === "paused";
    const wasOn = before === "running" || before === "paused";
    if (on && (this.state === "waiting" || this.state === "stopped" || (this.state === "ended" && !wasOn) || (hasMoved && this.state !== "connecting"))) this.open();
    else if (!on && facts.vm && this.state !== "connected") this.setState("stopped");
    this.draw();
  }

  setState(state) {
    this.state = state;
    this.draw();
  }

  draw() {
    if (!this.desk) return;
    const { words, state, link } = this;
    this.host.dataset.state = link.isLost ? "disconnected" : state;
    const usable = state === "connected" && !link.isLost;
    for (const tool of [...this.tools, ...this.holds.values()]) tool.disabled = !usable || this.viewOnly;
    this.shot.disabled = !usable;
    this.again.hidden = state !== "ended";
    // Nothing will come here: no empty box.
    this.screen.hidden = state === "ended" && !this.retry && !this.still.img;
    if (link.isLost || state === "closed") return this.desk.lose(link.isLost ? words.disconnected : words.closed);
    const text = state === "ended" ? fill(words.ended, { why: this.why }) + (this.still.img ? `\n${words.still}` : "") : words[usable && this.viewOnly ? "viewing" : state];
    if (!this.facts) return say(this.desk.status, text ?? "");
    this.root.setAttribute("aria-label", fill(words.label, this.facts.where));
    const vm = this.facts.vm_text && state !== "stopped" ? `${this.facts.vm_text}. ` : "";
    this.desk.tell(this.facts, vm + (text ?? ""));
  }

  end() {
    this.shut();
    this.root.remove();
  }
}
