// One panel of the shell: heading, note, place for the renderer, legend with values.
import { fill, make, press, say } from "./dom.js";
import { format } from "./format.js";

/** `shell` gives: toggle(key, on, alone). */
export class PanelFrame {
  constructor(panel, words, shell) {
    Object.assign(this, { panel, words });
    this.slot = make("div", { class: "lv-plot", role: "img", "data-panel": panel.key });
    this.slot.hidden = !panel.lines.length;
    this.note = make("p", { class: "lv-note", hidden: true });
    this.entries = panel.lines.map((line) => {
      const value = make("span", { class: "lv-value" });
      const swatch = make("span", { class: `lv-swatch lv-${line.dash}`, "aria-hidden": "true" });
      swatch.style.borderTopColor = line.colour;
      const button = make(
        "button",
        {
          type: "button",
          class: "lv-entry",
          "aria-pressed": "true",
          "data-line": line.key,
          title: [line.title, line.definition, words.toggle].filter(Boolean).join("\n"),
          on: {
            click: (event) => shell.toggle(line.key, event.shiftKey || event.altKey),
            dblclick: () => shell.toggle(line.key, true),
          },
        },
        swatch,
        make("span", { class: "lv-name" }, line.label),
        value,
      );
      return { line, button, value };
    });
    this.el = make(
      "section",
      { class: "lv-panel", "aria-label": panel.title },
      make("h4", {}, panel.title, panel.unit ? make("small", {}, ` ${panel.unit}`) : null),
      this.note,
      this.slot,
      make("div", { class: "lv-legend" }, ...this.entries.map((entry) => entry.button)),
    );
  }

  setNote(text) {
    this.note.hidden = !text;
    say(this.note, text ?? "");
  }

  setVisible(key, on) {
    for (const { line, button } of this.entries) if (line.key === key) press(button, on);
  }

  /** Values at row `at`, those that are known last when `at` is the newest. */
  show(data, at) {
    for (const { line, value } of this.entries) {
      say(value, at < 0 ? "–" : format(data.columns.get(line.key)?.[at], this.panel.unit));
    }
  }

  describe(window) {
    const shown = this.entries.map(({ line, value }) => `${line.label} ${value.textContent}`);
    const values = { title: this.panel.title, window, values: shown.join(", ") };
    this.slot.setAttribute("aria-label", fill(this.words.described, values));
  }
}
