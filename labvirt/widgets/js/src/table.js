// The numbers behind the charts as a real table: newest, least, mean and most of what is shown.
import { make, say } from "./dom.js";
import { clock, format } from "./format.js";

export function summary(times, column, from, to) {
  let [newest, least, most, sum, count] = [NaN, Infinity, -Infinity, 0, 0];
  for (let i = 0; i < times.length; i += 1) {
    const value = column[i];
    if (times[i] < from || times[i] > to || value !== value) continue;
    newest = value;
    if (value < least) least = value;
    if (value > most) most = value;
    sum += value;
    count += 1;
  }
  if (!count) return { newest: NaN, least: NaN, mean: NaN, most: NaN, count };
  return { newest, least, mean: sum / count, most, count };
}

const COLUMNS = ["newest", "least", "mean", "most"];

export class Table {
  constructor(meta) {
    const { words } = meta;
    this.rows = [];
    const head = [words.panel, words.line, ...COLUMNS.map((name) => words[name])];
    this.caption = make("caption");
    const body = make("tbody");
    for (const panel of meta.panels) {
      panel.lines.forEach((line, at) => {
        const cells = COLUMNS.map(() => make("td"));
        const first = at
          ? null
          : make("th", { scope: "rowgroup", rowspan: panel.lines.length }, panel.title);
        const name = make("th", { scope: "row", title: line.definition }, line.label);
        body.append(make("tr", {}, first, name, ...cells));
        this.rows.push({ key: line.key, unit: panel.unit, cells });
      });
    }
    const headings = head.map((text) => make("th", { scope: "col" }, text));
    this.el = make(
      "div",
      { class: "lv-table", hidden: true, tabindex: "0", role: "region", "aria-label": words.table },
      make("table", {}, this.caption, make("thead", {}, make("tr", {}, ...headings)), body),
    );
  }

  show(data, from, to, words) {
    say(this.caption, `${words.table}, ${clock(from)} – ${clock(to)} ${words.zone}`.trim());
    for (const { key, unit, cells } of this.rows) {
      const values = summary(data.times, data.columns.get(key) ?? [], from, to);
      COLUMNS.forEach((name, i) => say(cells[i], format(values[name], unit)));
    }
  }
}

/** All rows as text of comma-separated values; times are UTC. */
export function toCsv(meta, data) {
  const lines = meta.panels.flatMap((panel) => panel.lines.map((line) => [panel, line]));
  // A name that begins like a formula must not become one in a spreadsheet.
  const quoted = (text) => `"${text.replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
  const head = lines.map(([panel, line]) =>
    quoted(`${panel.title} ${line.label}${panel.unit ? ` (${panel.unit})` : ""}`),
  );
  const elapsed = meta.clock === "elapsed";
  const rows = [[elapsed ? "seconds" : "time", ...head].join(",")];
  for (let i = 0; i < data.n; i += 1) {
    const values = lines.map(([, line]) => data.columns.get(line.key)[i]);
    const shown = values.map((value) => (value === value ? value : ""));
    const at = elapsed ? data.times[i] : new Date(data.times[i] * 1000).toISOString();
    rows.push([at, ...shown].join(","));
  }
  return `${rows.join("\n")}\n`;
}
