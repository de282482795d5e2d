// What is left where no session is possible: pictures that libvirt takes, one after another.
import { bytesOf } from "./link.js";
import { make } from "./dom.js";

const EVERY_MS = 3000;

export class Still {
  /** `ask` asks for a picture, `place` puts the element of the first one into the page. */
  constructor(ask, place) {
    Object.assign(this, { ask, place, img: null, isOn: false });
  }

  begin() {
    this.isOn = true;
    this.ask();
  }

  show(mime, buffer) {
    if (!this.isOn || !buffer || mime !== "image/png") return;
    const url = URL.createObjectURL(new Blob([bytesOf(buffer)], { type: mime }));
    const isFirst = !this.img;
    this.img ??= make("img", { class: "lv-still" });
    URL.revokeObjectURL(this.img.src);
    this.img.src = url;
    if (isFirst) this.place(this.img);
    this.later();
  }

  later() {
    clearTimeout(this.timer);
    // Nobody looks at a page that is hidden.
    this.timer = setTimeout(() => (document.hidden ? this.later() : this.ask()), EVERY_MS);
  }

  end() {
    this.isOn = false;
    clearTimeout(this.timer);
    if (this.img) URL.revokeObjectURL(this.img.src);
    this.img = null;
  }
}
