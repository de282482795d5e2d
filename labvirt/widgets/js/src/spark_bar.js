// The bar above the table: filter with completion, help and faults, groups.

import { fill, make, say } from "./dom.js";
import { completions } from "./spark_filter.js";
import { GROUPS } from "./spark_groups.js";

export class FilterBar {
  constructor(view) {
    this.view = view;
    const { words, look } = view;
    const id = `lv-filter-${view.stream.view}`;
    this.list = make("datalist", { id: `${id}-list` });
    this.input = make("input", {
      type: "search", placeholder: words.filter, "aria-label": words.filter, "data-do": "filter",
      title: words.filter_tip, value: look.filter, list: `${id}-list`, autocomplete: "off",
      spellcheck: "false", "aria-describedby": `${id}-fault`,
      on: {
        input: ({ target }) => this.typed(target.value),
        keydown: (event) => event.stopPropagation(),
      },
    });
    this.fault = make("p", { class: "lv-fault", role: "alert", id: `${id}-fault`, hidden: true });
    this.help = make("details", { class: "lv-menu lv-filter-help", on: {
      keydown: (event) => {
        event.stopPropagation();
        if (event.key === "Escape") {
          this.help.open = false;
          this.help.firstChild.focus();
        }
      },
      focusout: ({ relatedTarget }) => {
        if (relatedTarget && !this.help.contains(relatedTarget)) this.help.open = false;
      },
    } }, make("summary", { "aria-label": words.filter_help, title: words.filter_help }, "?"),
    make("div", { tabindex: "0", role: "region", "aria-label": words.filter_help },
      ...words.filter_lines.map((line) => make("p", {}, line)),
      make("dl", {}, ...Object.entries(words.filter_fields).flatMap(([key, text]) =>
        [make("dt", {}, key), make("dd", {}, text)]))));
  }

  get parts() {
    return [this.input, this.list, this.help];
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
    const options = completions(text, view.rows, view.words);
    this.list.replaceChildren(...options.map((value) => make("option", { value })));
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
