// The menu of what can be done to the selected rows. Who does it is in the kernel.

import { make } from "./dom.js";

export class Menu {
  constructor(view) {
    Object.assign(this, { view, el: null, at: null });
  }

  // Ask for the menu of what is selected; it comes by `show`.
  ask(x, y) {
    this.at = [x, y];
    this.view.stream.send({ t: "menu" });
  }

  show({ items }) {
    if (!this.at) return;
    const [x, y] = this.at;
    this.shut();
    const { view } = this;
    const entries = items.map(({ key, label, why }) => make("button", {
      type: "button", role: "menuitem", tabindex: "-1", "data-act": key, title: why || label,
      "aria-disabled": String(Boolean(why)), "aria-label": why ? `${label} (${why})` : label,
      on: { click: () => {
        if (why) return;
        this.shut(true);
        view.stream.send({ t: "act", key });
      } },
    }, label));
    this.el = make("div", {
      class: `lv-board lv-overview lv-context${view.root.classList.contains("lv-dark") ? " lv-dark" : ""}`,
      role: "menu", "aria-label": view.words.menu,
      on: {
        keydown: (event) => this.key(event, entries),
        focusout: ({ relatedTarget }) => this.el?.contains(relatedTarget) || this.shut(),
        contextmenu: (event) => event.preventDefault(),
      },
    }, ...entries);
    this.el.dataset.lmSuppressShortcuts = "true";
    document.body.append(this.el);
    const { offsetWidth, offsetHeight } = this.el;
    this.el.style.left = `${Math.max(4, Math.min(x, innerWidth - offsetWidth - 4))}px`;
    this.el.style.top = `${Math.max(4, Math.min(y, innerHeight - offsetHeight - 4))}px`;
    (entries.find((each) => each.getAttribute("aria-disabled") === "false") ?? entries[0])?.focus();
  }

  key(event, entries) {
    const at = entries.indexOf(document.activeElement);
    const to = {
      ArrowDown: (at + 1) % entries.length, ArrowUp: (at - 1 + entries.length) % entries.length,
      Home: 0, End: entries.length - 1,
    }[event.key];
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") this.shut(true);
    else if (to !== undefined) entries[to]?.focus();
    else return;
    event.preventDefault();
  }

  shut(back = false) {
    const { el } = this;
    this.el = this.at = null;
    el?.remove();
    if (el && back) this.view.reader.focus({ preventScroll: true });
  }
}
