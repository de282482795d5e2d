// The terminal: xterm.js, its bar, and what it does with the kernel's messages.
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { Terminal } from "@xterm/xterm";
import { Desk } from "./desk.js";
import { fill, make, say } from "./dom.js";
import { bytesOf } from "./link.js";
import { isDark, watchTheme } from "./theme.js";

const ACK = 96 << 10;
// Tools that type, for which the line must be open.
const TYPING = ["interrupt", "paste", "size"];
const PASTE = 32 << 10;
// Modes that a guest which was cut off has left: bracketed paste, mouse, keys of an application.
const CALM = "\x1b[?2004l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[!p";
// What a terminal answers by itself when the guest asks it something.
const REPORT = /^\x1b(\[[?>]?[\d;]*[cRn]|\[\d+(;\d+)*t|[P\]].*)$/s;

// Contrast of every colour to its background is 4.5 or more (but for black and white themselves).
const LIGHT = {
  background: "#ffffff", foreground: "#1f1f1f", cursor: "#1f1f1f", cursorAccent: "#ffffff",
  selectionBackground: "#a8cdf0", black: "#1f1f1f", red: "#b3261e", green: "#1e6b2b",
  yellow: "#7a5900", blue: "#1a5fb4", magenta: "#87308f", cyan: "#0b6970", white: "#5c5c5c",
  brightBlack: "#666666", brightRed: "#c3352c", brightGreen: "#25762f", brightYellow: "#856200",
  brightBlue: "#2a6fc9", brightMagenta: "#9a3ea3", brightCyan: "#0f747c", brightWhite: "#1f1f1f",
};
const DARK = {
  background: "#111111", foreground: "#e6e6e6", cursor: "#e6e6e6", cursorAccent: "#111111",
  selectionBackground: "#2f5d8a", black: "#8c8c8c", red: "#ff8f86", green: "#7fd48a",
  yellow: "#e5c46b", blue: "#8ab8ff", magenta: "#e39be9", cyan: "#76d6dd", white: "#e6e6e6",
  brightBlack: "#a0a0a0", brightRed: "#ffb0a9", brightGreen: "#a3e6ac", brightYellow: "#f2da95",
  brightBlue: "#b0cfff", brightMagenta: "#f0bdf4", brightCyan: "#a4e8ed", brightWhite: "#ffffff",
};

export class TerminalView {
  constructor(host, link) {
    Object.assign(this, { host, link, position: null, drawn: 0, acked: 0 });
    host.dataset.lv = "waiting";
    host.lvView = this; // for tests and for who looks with the browser's tools
    this.root = make("div", { class: "lv-board lv-console", role: "group" });
    this.root.append(make("p", { class: "lv-status", role: "status" }, "…"));
    host.append(this.root);
    link.on("snap", (message, buffer) => this.snap(message, buffer));
    link.on("o", (message, buffer) => this.output(message, buffer));
    link.on("state", (facts) => this.tell(facts));
    link.on("said", ({ text, good }) => this.desk?.speak(text, good));
    link.on("slow", () => this.slow());
    link.on("refused", () => this.desk?.speak(this.words.refused, false));
    link.on("alive", ({ at }) => this.check(at));
    link.on("lost", (on) => this.tell(this.facts ?? {}, on));
  }

  // -- made ---------------------------------------------------------------------------------------

  build(words) {
    this.words = words;
    const { rows, scrollback, reader } = words.look;
    this.term = new Terminal({
      rows,
      scrollback,
      screenReaderMode: reader,
      allowProposedApi: true,
      cursorBlink: false,
      fontFamily: getComputedStyle(document.body).getPropertyValue("--jp-code-font-family") || "monospace",
      fontSize: 13,
      theme: isDark() ? DARK : LIGHT,
    });
    this.fit = new FitAddon();
    this.search = new SearchAddon();
    this.term.loadAddon(this.fit);
    this.term.loadAddon(this.search);
    this.tools = new Map();
    const tool = (name, fn) => {
      const button = make("button", { type: "button", "data-do": name, title: words[`${name}_tip`], on: { click: fn } }, words[name]);
      this.tools.set(name, button);
      return button;
    };
    this.size = tool("size", () => this.setSize());
    this.desk = new Desk(this.link, words, ["run", "pause", "shutdown", "destroy", "force"], [
      tool("interrupt", () => this.type("\x03")),
      tool("copy", () => this.copy()),
      tool("paste", () => this.paste()),
      tool("clear", () => this.term.clear()),
      tool("search", () => this.openSearch()),
      this.size,
    ]);
    this.bar = this.searchBar();
    this.screen = make("div", { class: "lv-terminal" });
    // Keys are the guest's, not JupyterLab's.
    this.screen.dataset.lmSuppressShortcuts = "true";
    this.note = make("p", { class: "lv-help" });
    const { desk } = this;
    this.root.replaceChildren(desk.identity, desk.bar, desk.question, this.bar, desk.status, this.screen, desk.said, this.note);
    this.term.open(this.screen);
    this.term.attachCustomKeyEventHandler((event) => this.key(event));
    this.term.onData((text) => this.heard(text));
    this.term.onBinary((text) => this.link.input(Uint8Array.from(text, (one) => one.charCodeAt(0) & 255)));
    this.term.onResize(() => this.sized());
    this.ends = [watchTheme(this.root, () => (this.term.options.theme = isDark() ? DARK : LIGHT))];
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.screen);
    this.resize();
    this.sized();
    this.host.dataset.lv = "ready";
  }

  resize() {
    // The width follows the page; the height is what was asked for.
    const found = this.fit.proposeDimensions();
    if (found?.cols > 1 && found.cols !== this.term.cols) this.term.resize(found.cols, this.words.look.rows);
  }

  sized() {
    const { cols, rows } = this.term;
    this.size.title = fill(this.words.size_tip, { cols, rows });
    this.host.dataset.cols = cols;
  }

  // -- output -------------------------------------------------------------------------------------

  snap({ at, words, skipped }, buffer) {
    if (!this.term) this.build(words);
    const bytes = bytesOf(buffer);
    const notice = skipped ? fill(words.skipped, { kb: Math.round(skipped / 1000) }) : "";
    // In the order of what is still to be drawn, hence no call of reset().
    this.term.write(`\x1bc${notice ? `${notice}\r\n` : ""}`);
    this.position = at + bytes.length;
    this.isSlow = false;
    this.acked = at;
    this.replaying = true;
    this.draw(bytes, this.position);
    this.term.write("", () => (this.replaying = false));
    if (!bytes.length) this.ack(this.position);
    this.host.dataset.snaps = Number(this.host.dataset.snaps ?? 0) + 1;
    if (this.facts) this.tell(this.facts);
  }

  output({ at }, buffer) {
    if (this.position === null || this.isSlow) return;
    const bytes = bytesOf(buffer);
    if (at + bytes.length <= this.position) return;
    if (at !== this.position) return this.again();
    this.position += bytes.length;
    this.draw(bytes, this.position);
  }

  draw(bytes, until) {
    this.term.write(bytes, () => {
      this.drawn = until;
      this.host.dataset.drawn = until;
      if (until - this.acked >= ACK) this.ack(until);
      else this.later ??= setTimeout(() => this.ack(this.drawn), 300);
    });
  }

  /** Say how far it is drawn: each message costs more than a few hundred bytes of output. */
  ack(at) {
    clearTimeout(this.later);
    this.later = undefined;
    this.acked = at;
    this.link.send({ t: "ack", at, hidden: document.hidden });
  }

  /** Something is missing: begin again. */
  again() {
    this.position = null;
    this.link.hello();
  }

  check(at) {
    if (this.position === null) this.link.hello();
    else if (at > this.position && !this.isSlow) {
      // It may be on its way; a second look decides.
      clearTimeout(this.checking);
      const seen = this.position;
      this.checking = setTimeout(() => this.position === seen && this.again(), 2000);
    }
  }

  slow() {
    this.isSlow = true;
    this.host.dataset.slow = Number(this.host.dataset.slow ?? 0) + 1;
    this.desk?.speak(this.words.slow, false);
    if (this.drawn === this.position) this.ack(this.drawn);
  }

  // -- input --------------------------------------------------------------------------------------

  type(text, focus = true) {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += PASTE) this.link.input(bytes.slice(at, at + PASTE));
    if (focus) this.term.focus();
  }

  /** Type what the terminal gives. Of several views, and of history, only one may answer a guest. */
  heard(text) {
    const answers = !this.replaying && this.screen.contains(document.activeElement);
    if (answers || !REPORT.test(text)) this.type(text, false);
  }

  key(event) {
    if (event.type !== "keydown") return true;
    if (event.key === "Escape" && event.shiftKey) {
      this.desk.bar.querySelector("button:not(:disabled)")?.focus();
      return false;
    }
    if (event.ctrlKey && event.shiftKey && event.code === "KeyF") {
      event.preventDefault();
      this.openSearch();
      return false;
    }
    if (event.ctrlKey && event.shiftKey && event.code === "KeyC") {
      event.preventDefault();
      this.copy();
      return false;
    }
    // Ctrl+V is the browser's paste, as in every text field; Ctrl+Shift+V too.
    if (event.ctrlKey && event.code === "KeyV" && !event.altKey) return false;
    return true;
  }

  setSize() {
    this.type(`stty cols ${this.term.cols} rows ${this.term.rows}`);
  }

  text() {
    const buffer = this.term.buffer.active;
    const lines = [];
    for (let at = 0; at < buffer.length; at += 1) {
      const line = buffer.getLine(at);
      const text = line.translateToString(true);
      if (line.isWrapped && lines.length) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    return lines.join("\n").trimEnd();
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.term.getSelection() || this.text());
      this.desk.speak(this.words.copied);
    } catch {
      this.desk.speak(this.words.not_copied, false);
    }
  }

  async paste() {
    try {
      this.term.paste(await navigator.clipboard.readText());
      this.term.focus();
    } catch {
      this.desk.speak(this.words.not_pasted, false);
    }
  }

  // -- search -------------------------------------------------------------------------------------

  searchBar() {
    const { words } = this;
    const find = (back) => {
      const found = this.field.value && this.search[back ? "findPrevious" : "findNext"](this.field.value);
      say(this.found, found || !this.field.value ? "" : words.found_none);
    };
    this.field = make("input", { type: "search", "aria-label": words.search_field });
    this.found = make("span", { role: "status" });
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") find(!event.shiftKey);
      else if (event.key === "Escape") {
        this.bar.hidden = true;
        this.term.focus();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    const button = (name, back) => make("button", { type: "button", on: { click: () => find(back) } }, words[name]);
    const bar = make("div", { class: "lv-toolbar lv-search", role: "search", hidden: true }, this.field, button("previous", true), button("next", false), this.found);
    bar.dataset.lmSuppressShortcuts = "true";
    return bar;
  }

  openSearch() {
    this.bar.hidden = false;
    this.field.focus();
    this.field.select();
  }

  // -- state --------------------------------------------------------------------------------------

  tell(facts, lost = false) {
    this.facts = facts;
    if (!this.desk) return;
    const { words } = this;
    if (facts.line === "stopped" && this.host.dataset.line === "open") this.calm();
    this.host.dataset.line = lost ? "disconnected" : facts.line;
    this.term.options.disableStdin = lost || facts.line !== "open";
    this.screen.classList.toggle("lv-off", this.term.options.disableStdin);
    for (const name of TYPING) this.tools.get(name).disabled = this.term.options.disableStdin;
    if (lost) return this.desk.lose(words.disconnected);
    if (facts.line === "closed") {
      this.link.isOver = true;
      return this.desk.lose(words.closed);
    }
    const name = facts.where?.name ?? "";
    this.root.setAttribute("aria-label", fill(words.label, { name }));
    this.term.textarea?.setAttribute("aria-label", fill(words.terminal, { name }));
    const vm = facts.vm_text && facts.line !== "stopped" ? `${facts.vm_text}. ` : "";
    this.desk.tell(facts, vm + facts.line_text);
    const path = facts.transcript;
    say(this.note, !path ? "" : facts.hole ? fill(words.hole, { path, why: facts.hole }) : fill(words.writes, { path }));
  }

  /** Leave the modes of a guest that is off: the next one has not asked for them. */
  calm() {
    this.term.write("", () => {
      const away = this.term.buffer.active.type === "alternate" ? "\x1b[?1049l" : "";
      this.term.write(away + CALM);
    });
  }

  end() {
    clearTimeout(this.checking);
    clearTimeout(this.later);
    for (const end of this.ends ?? []) end();
    this.sizes?.disconnect();
    this.term?.dispose();
    this.root.remove();
  }
}
