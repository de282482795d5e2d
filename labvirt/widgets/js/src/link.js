// The view's end of a console: a name, signs of life, and input that is sent until it is taken.
// The kernel's end is widgets/console_feed.py; the messages are described there.

const BEAT_MS = 4000;
const LOST_MS = 9500;
const AGAIN_MS = 2500;

export const bytesOf = (view) =>
  view instanceof ArrayBuffer ? new Uint8Array(view) : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

export class Link {
  constructor(model) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2, 12);
    this.listeners = new Map();
    this.unanswered = []; // [number, bytes], oldest first
    this.sent = this.got = 0;
    this.heard = this.resent = performance.now();
    this.isLost = this.isOver = false;
    this.left = () => this.send({ t: "bye" });
    addEventListener("pagehide", this.left);
    this.timer = setInterval(() => this.watch(), BEAT_MS / 2);
    this.beaten = performance.now();
  }

  on(kind, fn) {
    this.listeners.set(kind, fn);
  }

  emit(kind, ...values) {
    this.listeners.get(kind)?.(...values);
  }

  send(message, buffers) {
    try {
      this.model.send({ ...message, view: this.view }, undefined, buffers);
    } catch {
      // The kernel is gone; the view says so when it has heard nothing for some seconds.
    }
  }

  hello() {
    this.send({ t: "hello", n: this.got, hidden: document.hidden });
  }

  /** Send input; it stays here until the kernel says that it has it. */
  input(bytes) {
    this.sent += 1;
    if (!this.unanswered.length) this.resent = performance.now();
    this.unanswered.push([this.sent, bytes]);
    this.send({ t: "i", n: this.sent }, [bytes]);
  }

  resend() {
    this.resent = performance.now();
    for (const [n, bytes] of this.unanswered) this.send({ t: "i", n }, [bytes]);
  }

  watch() {
    const now = performance.now();
    if (this.isOver) return;
    if (now - this.beaten >= BEAT_MS - 50) {
      this.beaten = now;
      this.send({ t: "beat" });
    }
    if (this.unanswered.length && now - this.resent > AGAIN_MS) this.resend();
    if (now - this.heard > LOST_MS && !this.isLost) this.setLost(true);
  }

  setLost(on) {
    if (on === this.isLost) return;
    this.isLost = on;
    this.emit("lost", on);
  }

  take(message, buffers) {
    this.heard = performance.now();
    this.setLost(false);
    if (message.view && message.view !== this.view) return;
    if (message.got?.[this.view]) this.taken(message.got[this.view]);
    if (message.t === "got") {
      this.taken(message.n);
      if (message.refused) this.emit("refused");
    } else if (message.t === "who") this.hello();
    else this.emit(message.t, message, buffers?.[0]);
  }

  taken(number) {
    this.got = Math.max(this.got, number);
    this.unanswered = this.unanswered.filter(([n]) => n > number);
    this.resent = this.heard;
  }

  end() {
    this.isOver = true;
    clearInterval(this.timer);
    removeEventListener("pagehide", this.left);
    this.left();
  }
}

/** Let a link hear what comes for its model; several views of a model each have one. */
export function linkTo(inbox, link) {
  inbox.links ??= new Set();
  inbox.links.add(link);
  inbox.messages.length = 0; // each view asks for what it needs
  inbox.take = (message, buffers) => {
    for (const each of [...inbox.links]) each.take(message, buffers);
  };
  inbox.end = () => {
    for (const each of [...inbox.links]) each.end();
  };
  return () => inbox.links.delete(link);
}
