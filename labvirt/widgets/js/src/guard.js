// JupyterLab takes arrow keys in lists and on buttons for commands of the notebook, such as "next
// cell", unless an element above says that it has keys of its own.
const BOXES = [".labvirt-details", ".labvirt-manager"];

/** Keep the keys of everything in the view that an element stands in; it may not be in the page yet. */
export function guard(el, tries = 50) {
  const found = BOXES.map((name) => el.closest(name)).filter(Boolean);
  for (const box of found) box.dataset.lmSuppressShortcuts = "true";
  if (!found.length && tries) setTimeout(() => guard(el, tries - 1), 100);
}
