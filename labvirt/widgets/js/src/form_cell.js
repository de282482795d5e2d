// A new cell below the one that shows a widget, through the notebook's own model: JupyterLab and
// Notebook hand it to widgets with their manager; elsewhere there is none, and that is said.

/** Put source into a new code cell below `el`; returns whether there is such a notebook. */
export function insertBelow(model, el, source) {
  const notebook = model?.widget_manager?.context?.model?.sharedModel;
  const cell = el.closest(".jp-Cell");
  if (!notebook?.insertCell || !cell) return false;
  const own = Number(cell.dataset.windowedListIndex);
  const beside = [...cell.parentElement.children].filter((each) => each.classList.contains("jp-Cell"));
  const at = Number.isInteger(own) && cell.dataset.windowedListIndex ? own : beside.indexOf(cell);
  notebook.insertCell(at + 1, { cell_type: "code", source, metadata: {}, outputs: [] });
  return true;
}
