// JupyterLab takes arrow keys in lists and on buttons for commands of the notebook, such as "next
// cell": what a view does not need of the plain keys must not reach it.
const BOXES = [".labvirt-details", ".labvirt-manager"];

function keep(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
}

/** Keep the keys of everything in the view that an element stands in; it may not be in the page yet. */
export function guard(el, tries = 50) {
  const found = BOXES.map((name) => el.closest(name)).filter(Boolean);
  for (const box of found) {
    if (box.dataset.lvKeys) continue;
    box.dataset.lvKeys = "own";
    box.addEventListener("keydown", keep);
  }
  if (!found.length && tries) setTimeout(() => guard(el, tries - 1), 100);
}
