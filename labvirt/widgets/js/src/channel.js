// What noVNC takes for a data channel: bytes of one session, numbered both ways.
import { bytesOf } from "./link.js";

const ACK = 1 << 20;

export class Channel {
  constructor(link, session) {
    Object.assign(this, { link, session, binaryType: "arraybuffer", protocol: "", readyState: "open" });
    this.onopen = this.onmessage = this.onclose = this.onerror = null;
    this.sent = this.got = this.bytes = this.acked = 0;
  }

  send(data) {
    if (this.readyState !== "open") return;
    this.sent += 1;
    // noVNC uses its buffer again, so the bytes are copied.
    this.link.send({ t: "w", s: this.session, n: this.sent }, [bytesOf(data).slice()]);
  }

  take({ n }, buffer) {
    if (this.readyState !== "open") return;
    if (n !== this.got + 1) return this.over("a message was lost");
    this.got = n;
    const bytes = bytesOf(buffer).slice();
    this.bytes += bytes.length;
    if (this.bytes - this.acked >= ACK) {
      this.acked = this.bytes;
      this.link.send({ t: "ack", s: this.session, n: this.bytes });
    }
    this.onmessage?.({ data: bytes.buffer });
  }

  over(reason) {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.onclose?.({ code: 1000, reason, wasClean: true });
  }

  close() {
    if (this.readyState === "closed") return;
    this.link.send({ t: "hangup", s: this.session });
    this.over("");
  }
}
