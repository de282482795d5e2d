// The overview as a real HTML table, and the text of a cell.

import { make, say } from "./dom.js";
import { format } from "./format.js";
import { COLUMNS, UNITS, stateText } from "./spark_grid.js";

const MOST = 1000;

export function cellText(rows, row, key, words) {
  switch (key) {
    case "name": return row.name;
    case "id": return row.id === null ? "" : String(row.id);
    case "state": return stateText(row, words);
    case "vcpus": return row.vcpus ? String(row.vcpus) : "";
    case "host": return row.host;
    case "tags": return row.tags.join(", ");
    case "address": return row.addresses.join(", ");
    case "os":
    case "title": return row[key];
    case "autostart": return row.autostart ? words.yes : "";
    default: return row.active ? format(rows.value(row.slot, key), UNITS[key]) : "";
  }
}

export class AllRows {
  constructor(rows, words) {
    Object.assign(this, { rows, words, at: 0, columns: [] });
    this.caption = make("caption");
    this.head = make("tr");
    this.body = make("tbody");
    this.el = make("div", {
      class: "lv-all", role: "region", tabindex: "0", hidden: true, "aria-label": words.all,
    }, make("table", {}, this.caption, make("thead", {}, this.head), this.body));
  }

  // Only what changed is touched, at most once in so many milliseconds.
  show(order, columns, chosen, pause) {
    const now = performance.now();
    if (now - this.at < pause) return;
    this.at = now;
    const { rows, words, body } = this;
    if (this.columns.join() !== columns.join()) {
      this.columns = [...columns];
      this.head.replaceChildren(...columns.map((key) =>
        make("th", { scope: "col", class: COLUMNS[key].left ? "lv-left" : "" }, words.columns[key][0])));
      body.replaceChildren();
    }
    const shown = order.slice(0, MOST);
    while (body.children.length > shown.length) body.lastChild.remove();
    while (body.children.length < shown.length) {
      body.append(make("tr", {}, ...columns.map((key) => key === "name"
        ? make("th", { scope: "row" })
        : make("td", { class: COLUMNS[key].left ? "lv-left" : "" }))));
    }
    shown.forEach((slot, i) => {
      const line = body.children[i];
      const row = rows.get(slot);
      if (!row) return;
      line.setAttribute("aria-selected", String(Boolean(row.uuid) && chosen.has(row.uuid)));
      columns.forEach((key, c) => {
        const cell = line.children[c];
        say(cell, cellText(rows, row, key, words));
        if (key === "name") cell.title = row.name;
      });
    });
    const left = order.length - shown.length;
    say(this.caption, left ? words.more.replace("{count}", left) : "");
  }
}
