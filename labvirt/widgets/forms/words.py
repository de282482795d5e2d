"""Words of every form: texts that belong to no field."""

from __future__ import annotations

from labvirt.widgets.i18n import _

__all__ = ["words"]


def words() -> dict[str, str]:
    """Return the texts by key, in the language of the views."""
    return {
        "required": _("required"),
        "default": _("default"),
        "more": _("More settings"),
        "add": _("Add"),
        "add_tip": _("Add one more: {label}"),
        "remove": _("Remove"),
        "remove_tip": _("Remove {label}"),
        "empty": _("None."),
        "clear": _("Start over"),
        "clear_tip": _("Take back everything that was given"),
        "loading": _("Asking the host what it offers …"),
        "failed": _("The host did not say what it offers:"),
        "reload": _("Ask again"),
        "reload_tip": _("Ask the host once more for pools, networks, machines and numbers"),
        "back": _("Back"),
        "back_tip": _("Go to the page before"),
        "next": _("Forward"),
        "next_tip": _("Go to the next page"),
        "wizard": _("Step by step"),
        "wizard_tip": _("Show one page after another, or everything on one page"),
        "page": _("Page {number} of {count}"),
        "pages": _("Pages"),
        "copy": _("Copy"),
        "copy_tip": _("Copy this text to the clipboard"),
        "copied": _("Copied"),
        "not_copied": _("The browser does not let the page copy; select the text and copy it"),
        "cell": _("Insert as cell"),
        "cell_tip": _("Put this call into a new cell below; it is not run"),
        "cell_head": "import labvirt as lv\n\n",
        "inserted": _("A new cell below has it; run it there"),
        "no_cell": _("This page has no notebook to put a cell into; it was copied instead"),
        "preview": _("What will be done"),
        "steps": _("Steps"),
        "warnings": _("Warnings"),
        "working": _("Working out the plan …"),
        "none": _("The plan is shown here when nothing is missing."),
        "cancel": _("Cancel"),
        "cancel_tip": _("Stop, and undo what was done so far"),
        "presets": _("Presets"),
        "preset_tip": _("Fill the form with: {label}"),
        "import": _("From a virt-install line or XML"),
        "import_label": _("virt-install line or libvirt XML"),
        "import_do": _("Take over"),
        "import_tip": _("Fill the form from this text; nothing is made"),
        "checklist": _("Checklist"),
        "parameter": _("Parameter"),
        "value": _("Value"),
        "state": _("State"),
        "lost": _("No answer yet: the kernel is busy with a cell, or gone."),
        "progress": _("Progress"),
        "number_of": _("{label}, {count}"),
        "errors": _("{count} wrong"),
        "tip_secret": _("Not shown, and never written down"),
    }
