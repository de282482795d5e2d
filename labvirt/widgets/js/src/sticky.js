// Modifiers that stay: pressed three times alone, one is held until the next key (as in virt-manager).

export const MODIFIERS = {
  Control: { key: 0xffe3, code: "ControlLeft", label: "Ctrl" },
  Alt: { key: 0xffe9, code: "AltLeft", label: "Alt" },
  Shift: { key: 0xffe1, code: "ShiftLeft", label: "Shift" },
  Meta: { key: 0xffeb, code: "MetaLeft", label: "Super" },
};

const TIMES = 3;
const WITHIN_MS = 1200;

/** Keys go in as they happen; `hold(name, on)` is called when one begins or ends to be held. */
export class Sticky {
  constructor(hold) {
    Object.assign(this, { hold, held: new Set(), last: "", count: 0, at: 0 });
  }

  down(key, at) {
    if (!(key in MODIFIERS)) {
      this.count = 0;
      return;
    }
    const again = key === this.last && at - this.at < WITHIN_MS;
    this.count = again ? this.count + 1 : 1;
    this.last = key;
    this.at = at;
  }

  up(key) {
    if (!(key in MODIFIERS)) return this.release();
    if (this.count === TIMES && key === this.last) {
      this.count = 0;
      this.toggle(key);
    } else if (this.held.has(key)) this.hold(key, true); // the real key went up, the held one stays
  }

  toggle(key) {
    const on = !this.held.has(key);
    this.held[on ? "add" : "delete"](key);
    this.hold(key, on);
  }

  release() {
    for (const key of [...this.held]) this.toggle(key);
  }
}
