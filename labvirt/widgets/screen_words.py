"""Texts of the graphical console, in the language of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.widgets.desk import desk_words
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from labvirt.host.display import ScreenPlace

__all__ = ["place_words", "screen_words"]


def screen_words() -> dict[str, str]:
    """Return the texts of the view."""
    return desk_words() | _tools() | _answers()


def _tools() -> dict[str, str]:
    return {
        "toolbar": _("Screen"),
        "label": _("Screen of {name}"),
        "identity": _("{name} on {host}"),
        "identity_tip": _("UUID {uuid}, host {uri}"),
        "cad": "Ctrl+Alt+Del",
        "cad_tip": _("Send Ctrl+Alt+Del to the guest"),
        "keys": _("Send keys"),
        "keys_tip": _("Send keys that the browser or the desktop keeps for itself"),
        "hold_tip": _("Hold {key} for the next key; pressing it three times does the same"),
        "scale": _("Fit"),
        "scale_tip": _("Fit the picture into the view, or show it in its own size"),
        "view_only": _("View only"),
        "view_only_tip": _("Send no keys and no mouse"),
        "shot": _("Screenshot"),
        "shot_tip": _("Save the picture as a PNG file"),
        "full": _("Full screen"),
        "full_tip": _("Use the whole screen; Esc ends it"),
        "paste": _("Paste"),
        "paste_tip": _("Give text to the guest: typed as keys, or into its clipboard"),
        "paste_text": _("Text for the guest"),
        "type": _("Type as keys"),
        "type_tip": _("Press the keys one after another, as on a US keyboard"),
        "give": _("Into its clipboard"),
        "give_tip": _("The guest's agent takes it"),
        "close": _("Close"),
        "close_tip": _("Close"),
        "again": _("Connect"),
        "again_tip": _("Connect again"),
        "password": _("Password of the screen"),
        "user": _("User name"),
        "send": _("Log in"),
    }


def _answers() -> dict[str, str]:
    return {
        "clipboard": _("The guest has copied text: it is in the clipboard now"),
        "clipboard_here": _("The guest has copied text: Paste shows it"),
        "given": _("The text has been offered to the guest's clipboard"),
        "typed": _("Typed: {count} characters"),
        "typed_less": _("Typed: {count} characters; {lost} have no key on a US keyboard"),
        "connecting": _("Connecting"),
        "asking": _("The screen asks for its password"),
        "connected": _("Connected"),
        "viewing": _("Connected, view only"),
        "stopped": _("The VM is not running: press Run"),
        "ended": _("Not connected: {why}"),
        "still": _("A picture taken every few seconds; keys and mouse are not sent"),
        "hung_up": _("the guest hung up"),
        "other": _("this is not the screen of {name}: it says that it is {other}'s"),
        "refused": _("The screen refused the password: give it again"),
        "crowded": _("too many views are open"),
    }


def place_words(place: ScreenPlace, host: str) -> dict[str, object]:
    """Return ``text`` (who reaches the display), ``open`` (a network does), ``clipboard`` (why not)."""
    values = {"address": place.address, "port": place.port, "path": place.path, "host": host}
    if place.path:
        said = _("VNC on the socket {path} of {host}")
    elif not place.port:
        said = _("VNC listens on nothing: only libvirt opens it")
    elif place.is_loopback:
        said = _("VNC on {address}, port {port}: reached from {host} itself only")
    elif place.is_everywhere:
        said = _(
            "Warning: VNC on {address}, port {port}: the whole network reaches it. "
            "GraphicsSpec(listen='127.0.0.1') keeps it to the host."
        )
    else:
        said = _("Warning: VNC on {address}, port {port}: whoever reaches this address reaches it")
    clipboard = _(
        "This VM has no clipboard channel (qemu-vdagent): its text can be typed as keys only"
    )
    return {
        "text": said.format(**values),
        "open": bool(place.port) and not place.is_loopback,
        "clipboard": "" if place.has_clipboard else clipboard,
    }
