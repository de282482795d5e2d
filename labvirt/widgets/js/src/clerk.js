// Puts the still form of a view into the notebook itself, where the page no longer knows which output
// is meant: after a reload JupyterLab has forgotten the display ids that a kernel updates by.
const VIEW = "application/vnd.jupyter.widget-view+json";

function lay(manager, ids, data) {
  // JupyterLab's widget manager knows its notebook; that of other front ends does not.
  for (const cell of manager?.context?.model?.cells ?? []) {
    const outputs = cell.outputs;
    for (let at = 0; at < (outputs?.length ?? 0); at += 1) {
      if (ids.includes(outputs.get(at).data?.[VIEW]?.model_id)) {
        outputs.set(at, { output_type: "display_data", data, metadata: {} });
      }
    }
  }
}

export default {
  initialize({ model }) {
    model.on("msg:custom", (message) => {
      if (message.t === "lay") lay(model.widget_manager, message.ids, message.data);
    });
  },
};
