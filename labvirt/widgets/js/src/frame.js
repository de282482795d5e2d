// Entry of the frame: what ipywidgets in JupyterLab lack. Keys in a view are the view's own, the
// keyboard never falls out of it when a button goes, and tabs fit however many there are.
import style from "./frame.css";
import { make } from "./dom.js";

const PATIENCE = 250; // ms: a button that is off for a moment keeps the keyboard
const REACHABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

const isUsable = (el) =>
  el.isConnected && !el.disabled && el.tabIndex >= 0 && el.checkVisibility({ visibilityProperty: true });

class Guard {
  constructor(root) {
    Object.assign(this, { root, past: [] });
    const { signal } = (this.over = new AbortController());
    root.addEventListener("focusin", ({ target }) => this.note(target), { signal });
    root.addEventListener("focusout", ({ relatedTarget }) => relatedTarget || this.soon(), { signal });
    // Arrows and letters would else move cells, or delete them; Ctrl+S is JupyterLab's all the same.
    root.addEventListener("keydown", (event) => {
      const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
      if (isPlain || event.key === "Enter") event.stopPropagation();
    }, { signal });
    // Who clicks or goes elsewhere has not lost the keyboard.
    addEventListener("pointerdown", () => (this.last = null), { signal, capture: true });
    addEventListener("focusin", ({ target }) => root.contains(target) || (this.last = null), { signal });
    this.watch = new MutationObserver(() => {
      this.tidy();
      this.rove();
      if (this.last) this.soon();
    });
    this.watch.observe(root, {
      attributes: true, attributeFilter: ["disabled", "style", "class", "hidden"], childList: true, subtree: true,
    });
    this.tidy();
    this.rove();
  }

  /** ipywidgets write "null" where no tooltip is. */
  tidy() {
    for (const el of this.root.querySelectorAll('[title="null"]')) el.removeAttribute("title");
  }

  /** Let Tab come to the tab that is open; Lumino leaves it at the one that keys came to last. */
  rove() {
    for (const bar of this.root.querySelectorAll(".lm-TabBar-content")) {
      const open = bar.querySelector(":scope > .lm-mod-current");
      if (!open || open.tabIndex === 0 || bar.contains(document.activeElement)) continue;
      for (const each of bar.children) each.tabIndex = each === open ? 0 : -1;
    }
  }

  note(el) {
    this.last = el;
    this.past = [...this.past.filter((each) => each !== el && each.isConnected), el].slice(-20);
    // Where it was, for when it is gone.
    this.trail = [];
    for (let box = el.parentElement; box && this.root.contains(box); box = box.parentElement) this.trail.push(box);
  }

  soon() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.look();
    }, PATIENCE);
  }

  look() {
    const { last } = this;
    const at = document.activeElement;
    const isLost = !at || at === document.body || (at === last && !isUsable(last));
    if (!last || !isLost || !document.hasFocus()) return;
    // What was only put into another place, or was off for a moment, gets the keyboard back.
    const next = isUsable(last) ? last : this.beside() ?? this.past.filter(isUsable).at(-1) ?? this.first(this.root);
    next?.focus({ preventScroll: next === last });
  }

  /** What stands nearest in the row that it was in; a row only, not the whole page. */
  beside() {
    for (const box of this.trail.slice(0, 2)) {
      if (!box.isConnected || !box.matches(".widget-hbox, .lv-toolbar")) continue;
      const found = this.first(box);
      if (found) return found;
    }
    return null;
  }

  first(box) {
    return [...box.querySelectorAll(REACHABLE)].find(isUsable);
  }

  end() {
    clearTimeout(this.timer);
    this.over.abort();
    this.watch.disconnect();
  }
}

export default {
  render({ el }) {
    el.append(make("style", {}, style));
    let guard;
    let timer;
    const join = () => {
      // Lumino puts a child into its parent after it was rendered.
      const root = el.closest(".labvirt-frame");
      if (!root) return (timer = setTimeout(join, 50));
      root.dataset.frame = "ready";
      // A view inside another one is that one's care.
      if (!root.parentElement.closest(".labvirt-frame")) guard = new Guard(root);
    };
    join();
    return () => {
      clearTimeout(timer);
      guard?.end();
    };
  },
};
