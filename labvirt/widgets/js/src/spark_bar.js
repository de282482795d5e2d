// The bar above the table: filter with completion, help and faults, groups.

import { fill, make, say } from "./dom.js";
import { completions } from "./spark_filter.js";
import { GROUPS } from "./spark_groups.js";

export class FilterBar {
  constructor(view) {
    this.view = view;
    const { words, look } = view;
    const id = `lv-filter-${view.stream.view}`;
    this.list = make("div", {
      class: "lv-completions", role: "group", "aria-label": words.completions, hidden: true,
      on: {
        keydown: (event) => event.stopPropagation(),
        focusout: (event) => this.left(event),
      },
    });
    this.input = make("input", {
      type: "search", placeholder: words.filter, "aria-label": words.filter, "data-do": "filter",
      title: words.filter_tip, value: look.filter, autocomplete: "off",
      spellcheck: "false", "aria-describedby": `${id}-fault`,
      on: {
        input: ({ target }) => this.typed(target.value),
        keydown: (event) => event.stopPropagation(),
        focusout: (event) => this.left(event),
      },
    });
    this.fault = make("p", { class: "lv-fault", role: "alert", id: `${id}-fault`, hidden: true });
    // In the flow: what floats is cut off where the output ends.
    this.lines = make("div", {
      class: "lv-filter-help", id: `${id}-help`, tabindex: "0", role: "region", hidden: true,
      "aria-label": words.filter_help,
      on: { keydown: (event) => {
        event.stopPropagation();
        if (event.key === "Escape") this.explain(false);
      } },
    },
    ...words.filter_lines.map((line) => make("p", {}, line)),
    make("dl", {}, ...Object.entries(words.filter_fields).flatMap(([key, text]) =>
      [make("dt", {}, key), make("dd", {}, text)])));
    this.help = make("button", {
      type: "button", "data-do": "filter-help", "aria-expanded": "false",
      "aria-controls": `${id}-help`, "aria-label": words.filter_help, title: words.filter_help,
      on: { click: () => this.explain(this.lines.hidden) },
    }, "?");
  }

  explain(on) {
    this.lines.hidden = !on;
    this.help.setAttribute("aria-expanded", String(on));
    if (!on) this.help.focus();
  }

  get parts() {
    return [this.input, this.help];
  }

  // What stands below the bar.
  get below() {
    return [this.list, this.fault, this.lines];
  }

  left({ relatedTarget }) {
    if (relatedTarget !== this.input && !this.list.contains(relatedTarget)) this.list.hidden = true;
  }

  groups() {
    const { words, look } = this.view;
    const select = make("select", {
      "data-do": "group", "aria-label": words.group, title: words.group_tip,
      on: {
        change: ({ target }) => this.view.change({ group: target.value, folded: new Set() }),
        keydown: (event) => event.stopPropagation(),
      },
    }, ...GROUPS.map((key) =>
      make("option", { value: key, selected: key === look.group }, words.groups[key || "none"])));
    return make("label", { title: words.group_tip }, words.group, select);
  }

  typed(text) {
    const { view } = this;
    const options = completions(text, view.rows, view.words).filter((each) => each !== text);
    this.list.hidden = !options.length;
    this.list.replaceChildren(...options.map((value) => make("button", {
      type: "button", on: { click: () => {
        this.input.value = value;
        this.input.focus();
        this.typed(value);
      } },
    }, value.slice(text.search(/\S*$/)))));
    const known = view.rows.filter.type(text);
    if (known) this.show();
    view.change({ filter: text }, known);
  }

  // What the kernel has read of it.
  take(message) {
    if (message.text !== this.view.look.filter) return;
    this.view.rows.filter.take(message);
    this.show();
    this.view.arrange();
  }

  show() {
    const { text, fault } = this.view.rows.filter;
    this.input.setAttribute("aria-invalid", String(Boolean(fault)));
    this.fault.hidden = !fault;
    if (!fault) return say(this.fault, "");
    const wrong = text.slice(fault.at, fault.end) || text.slice(fault.at - 1);
    const parts = [
      text.slice(Math.max(0, fault.at - 40), fault.at), make("mark", {}, wrong.slice(0, 60)),
      text.slice(fault.end, fault.end + 40),
    ];
    const words = [` — ${fault.why}`];
    if (fault.hint) words.push(` (${fill(this.view.words.filter_try, { hint: fault.hint })})`);
    this.fault.replaceChildren("✖ ", ...parts, ...words);
  }
}
