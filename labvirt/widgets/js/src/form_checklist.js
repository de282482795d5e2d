// The checklist of a form: a line for every value.
import { make, say } from "./dom.js";

/** Show what is given, default and missing. */
export function drawChecklist(box, lines, words) {
  const [summary, table] = box.children;
  say(summary, words.checklist);
  summary.title = words.checklist;
  const key = JSON.stringify(lines);
  if (key === box.lvKey) return;
  box.lvKey = key;
  const heads = [words.parameter, words.value, words.state];
  table.tHead.replaceChildren(make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text))));
  const rows = lines.map(([path, label, value, state, said]) =>
    make(
      "tr",
      { class: `lv-${state}` },
      make("th", { scope: "row", title: path }, label),
      make("td", {}, value || "–"),
      make("td", {}, said),
    ),
  );
  table.tBodies[0].replaceChildren(...rows);
}
