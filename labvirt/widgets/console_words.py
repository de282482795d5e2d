"""The texts of the serial console's view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.widgets.desk import desk_words
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from labvirt.host import Host
    from labvirt.host.line import LineState

__all__ = ["console_words", "line_words"]


def console_words() -> dict[str, str]:
    """Return the texts of the view, in the language of now."""
    return desk_words() | {
        "label": _("Serial console of {name}"),
        "terminal": _("Terminal of {name}. Shift+Escape leaves it."),
        "toolbar": _("Serial console"),
        "identity": _("{name} on {host}"),
        "identity_tip": _("UUID {uuid}, host {uri}"),
        "interrupt": "Ctrl+C",
        "interrupt_tip": _("Send Ctrl+C to the guest"),
        "copy": _("Copy"),
        "copy_tip": _("Copy what is selected, or everything"),
        "copied": _("Copied"),
        "not_copied": _("The browser does not let this page copy."),
        "paste": _("Paste"),
        "paste_tip": _("Type what is in the clipboard"),
        "not_pasted": _("The browser does not let this page read the clipboard: press Ctrl+V."),
        "clear": _("Clear"),
        "clear_tip": _("Clear the view; the guest knows nothing of it"),
        "search": _("Search"),
        "search_tip": _("Search the text (Ctrl+Shift+F)"),
        "search_field": _("Text to search for"),
        "next": _("Next"),
        "previous": _("Previous"),
        "found_none": _("Not found"),
        "size": _("Set size"),
        "size_tip": _(
            "A serial line has no size of its own: type “stty cols {cols} rows {rows}” "
            "for the shell in the guest; press Enter then"
        ),
        "shown": _("Shown: {cols} x {rows}"),
        "writes": _("Transcript: {path} (it holds everything printed, secrets too)"),
        "hole": _("The transcript {path} has a hole: {why}"),
        "skipped": _("[{kb} kB are left out here]"),
        "slow": _("This view is slow: it goes on with the newest output"),
        "refused": _("Not sent: the line is not open"),
    }


def line_words(state: LineState, host: Host) -> str:
    """Return what a line's state means for its user."""
    said = getattr(state.error, "libvirt_text", "") or str(state.error or "")
    words = {
        "connecting": _("Connecting"),
        "open": _("Connected"),
        "stopped": _("The VM is not running: press Run; the console attaches by itself"),
        "taken": _(
            "Another program has this console; it comes back when that one lets go, or take it over"
        ),
        "lost": _("The link to the host is lost; it is tried again"),
        "gone": _("{host} has no such VM any more").format(host=host.name),
        "closed": _("Closed"),
    }
    if state.kind == "refused" and host.readonly:
        return _("There is no console: {why}").format(
            why=_("The connection is read-only: open the host again without readonly=True.")
        )
    if state.kind == "refused":
        return _("There is no console: {why}").format(why=str(state.error or ""))
    text = words[state.kind]
    return f"{text} ({said})" if state.kind in {"taken", "lost"} and said else text
