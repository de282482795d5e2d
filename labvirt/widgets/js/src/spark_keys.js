// Keyboard and pointer of the overview's table.

import { fill } from "./dom.js";
import { ROW, UNITS } from "./spark_grid.js";
import { cellText } from "./spark_table.js";
import { format } from "./format.js";

export function bindGrid(view) {
  const ends = [];
  const on = (el, name, fn, options) => {
    el.addEventListener(name, fn, options);
    ends.push(() => el.removeEventListener(name, fn, options));
  };
  on(view.reader, "keydown", (event) => key(view, event));
  on(view.reader, "focus", () => {
    if (view.order.indexOf(view.current) < 0) view.go(0);
    view.soon();
  });
  on(view.reader, "blur", () => view.soon());
  on(view.headings, "keydown", (event) => heading(view, event));
  on(view.scroller, "scroll", () => {
    view.tip.hidden = true;
    view.soon();
  }, { passive: true });
  on(view.scroller, "pointerdown", (event) => press(view, event));
  on(view.scroller, "dblclick", (event) => {
    const { slot } = under(view, event);
    if (slot !== undefined) view.open(slot);
  });
  on(view.scroller, "contextmenu", (event) => {
    if (!view.meta.menu) return;
    event.preventDefault();
    event.stopPropagation();
    const { slot, index } = under(view, event);
    const row = view.rows.get(slot);
    if (!row?.uuid) return;
    view.reader.focus({ preventScroll: true });
    view.go(index);
    if (!view.chosen.has(row.uuid)) view.choose([row.uuid]);
    view.menu.ask(event.clientX, event.clientY);
  });
  on(view.scroller, "pointermove", (event) => hover(view, event));
  on(view.scroller, "pointerleave", () => (view.tip.hidden = true));
  return () => ends.forEach((end) => end());
}

function under(view, event) {
  const box = view.canvas.getBoundingClientRect();
  const { scrollLeft, scrollTop } = view.scroller;
  return view.grid.at(event.clientX - box.left, event.clientY - box.top, scrollLeft, scrollTop);
}

function key(view, event) {
  const { order, rows } = view;
  const index = order.indexOf(view.current);
  const page = Math.max(1, Math.floor(view.scroller.clientHeight / ROW) - 1);
  const row = rows.get(view.current);
  const all = event.ctrlKey || event.metaKey;
  const moves = {
    ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: order.length - 1,
    PageDown: index + page, PageUp: index - page,
  };
  if (event.key in moves) {
    view.go(moves[event.key]);
    if (event.shiftKey) span(view, index);
  } else if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) menu(view, index, row);
  else if (event.key === "Enter") view.open(view.current);
  else if (event.key === " ") toggle(view, row);
  else if (event.key === "Escape") view.choose([]);
  else if (event.key === "a" && all) {
    view.choose(order.map((slot) => rows.get(slot)?.uuid).filter(Boolean));
  } else if (["ArrowLeft", "ArrowRight"].includes(event.key) && row && view.look.group) {
    // The heading above; its place is the same when what is below it goes.
    let head = index;
    while (head > 0 && rows.get(order[head])?.uuid) head--;
    view.fold(rows.get(order[head])?.fold ?? row.fold, event.key === "ArrowLeft");
    if (event.key === "ArrowLeft") view.go(head);
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

function menu(view, index, row) {
  if (!view.meta.menu || !row?.uuid) return;
  if (!view.chosen.has(row.uuid)) view.choose([row.uuid]);
  const box = view.canvas.getBoundingClientRect();
  view.menu.ask(box.left + 40, box.top + (index + 1) * ROW - view.scroller.scrollTop);
}

function toggle(view, row) {
  if (!row) return;
  if (!row.uuid) return view.fold(row.fold);
  const chosen = new Set(view.chosen);
  chosen[chosen.has(row.uuid) ? "delete" : "add"](row.uuid);
  view.choose(chosen);
}

// Select from a row to the one one is on.
function span(view, from) {
  const to = view.order.indexOf(view.current);
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  const between = view.order.slice(Math.max(0, low), high + 1);
  const uuids = between.map((slot) => view.rows.get(slot)?.uuid).filter(Boolean);
  view.choose([...view.chosen, ...uuids]);
}

function heading(view, event) {
  const buttons = [...view.headings.children];
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (event.key === "Enter" || event.key === " ") event.stopPropagation();
  if (to === undefined || !buttons[to]) return;
  event.preventDefault();
  event.stopPropagation();
  buttons[at].tabIndex = -1;
  buttons[to].tabIndex = 0;
  buttons[to].focus();
}

function press(view, event) {
  const box = view.scroller.getBoundingClientRect();
  const onBar = event.clientX - box.left > view.scroller.clientWidth
    || event.clientY - box.top > view.scroller.clientHeight;
  if (event.button !== 0 || onBar) return;
  event.preventDefault();
  view.reader.focus({ preventScroll: true });
  const { slot, index, column } = under(view, event);
  const row = view.rows.get(slot);
  if (!row) return;
  const before = view.order.indexOf(view.current);
  view.go(index);
  if (!row.uuid) {
    if (column === "name") view.fold(row.fold);
  } else if (event.shiftKey && before >= 0) span(view, before);
  else if (event.ctrlKey || event.metaKey) toggle(view, row);
  else view.choose([row.uuid]);
}

function hover(view, event) {
  const { slot, column } = under(view, event);
  const row = view.rows.get(slot);
  const text = row && column ? tipText(view, row, column) : "";
  view.tip.hidden = !text;
  if (!text) return;
  if (view.tip.textContent !== text) view.tip.textContent = text;
  const box = view.stage.getBoundingClientRect();
  const [wide, high] = [view.tip.offsetWidth, view.tip.offsetHeight];
  const x = Math.min(event.clientX - box.left + 12, box.width - wide - 4);
  const below = event.clientY - box.top + 18;
  const y = below + high > box.height ? below - high - 30 : below;
  view.tip.style.transform = `translate(${Math.max(0, x)}px, ${Math.max(0, y)}px)`;
}

function tipText(view, row, column) {
  const { words, rows } = view;
  const [title, definition] = words.columns[column];
  const part = (key) => `${words.parts[key]} ${format(rows.value(row.slot, key), UNITS[key])}`;
  if (column === "name") {
    const more = [row.title, row.description.slice(0, 300)].filter(Boolean).join("\n");
    return `${row.name}\n${more && `${more}\n`}${row.uuid || fill(words.counts, rows.counts(row))}`;
  }
  if (column === "state") {
    const why = row.reason && row.reason !== "unknown" ? `\n${words.reasons[row.reason] ?? row.reason}` : "";
    return cellText(rows, row, column, words) + why;
  }
  if (!row.active && !["tags", "os", "address", "title", "autostart", "host"].includes(column)) return "";
  if (column === "disk") return `${part("read")}\n${part("write")}\n${definition}`;
  if (column === "net") return `${part("rx")}\n${part("tx")}\n${definition}`;
  const text = cellText(rows, row, column, words);
  return text ? `${title}: ${text}\n${definition}` : "";
}
