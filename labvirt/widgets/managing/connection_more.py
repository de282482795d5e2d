"""More about a connection: the parameters of table 13.1 that its transport has, and a jump host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w

from labvirt import places
from labvirt.hostprep.ssh_config import HostSettings, program
from labvirt.model.uri_table import PARAMETERS
from labvirt.widgets.i18n import _
from labvirt.widgets.managing.parts import put, show

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labvirt.model.uri import Uri

__all__ = ["MoreFields", "jump_program"]

#: `auth` is an old name of another one.
_OFFERED: Final = tuple(name for name in PARAMETERS if name != "auth")


def _tool(uri: Uri, jump: str) -> Path:
    words = "-".join(filter(None, (jump, uri.user, uri.host, str(uri.port or ""))))
    return places.home() / "ssh" / f"ssh-{re.sub(r'[^A-Za-z0-9.]+', '-', words).strip('-')}"


def jump_program(uri: Uri, jump: str) -> tuple[Uri, Callable[[], object]]:
    """Return the URI that goes by way of a jump host, and what must be done before it is opened.

    libvirt's URIs have no parameter for one: ``command=`` names a program that knows the way. It
    heeds the user's own settings of ssh too.

    Args:
        uri: with the transport ssh.
        jump: ``[user@]host[:port]``; several with commas.

    Raises:
        SpecError: the way cannot be right.
    """
    tool = _tool(uri, jump)
    made = [HostSettings(uri.host, jump=jump)]
    if key := uri.param("keyfile"):
        made.append(HostSettings("*", keyfile=key))
    plan = program(tool, *made, heed_user=True)
    return uri.with_param("command", str(tool)), plan.apply


class MoreFields:
    """Fields for parameters; only those that the transport understands are shown.

    Args:
        changed: is called after each change.
    """

    def __init__(self, changed: Callable[[], object]) -> None:
        wide = {"style": {"description_width": "10em"}, "layout": {"width": "34em"}}
        self.jump = w.Text(
            description=_("Jump host"),
            placeholder="me@gate.example.com",
            tooltip=_("A host on the way, from which the other one can be reached"),
            **wide,
        )
        self.fields: dict[str, Any] = {}
        for name in _OFFERED:
            known = PARAMETERS[name]
            common = {"description": name, "tooltip": _(known.text)}
            if known.is_flag:
                made = w.Checkbox(
                    description=f"{name}: {_(known.text)}", indent=False, layout={"width": "auto"}
                )
            elif known.values:
                options = [("", ""), *((value, value) for value in known.values)]
                made = w.Dropdown(options=options, **common, **wide)
            else:
                made = w.Text(placeholder=_(known.text), **common, **wide)
            self.fields[name] = made
        for each in (self.jump, *self.fields.values()):
            each.observe(lambda _change: changed(), names="value")
        # All of them, so that they end with the box; those that do not count are hidden.
        inner = w.VBox((self.jump, *self.fields.values()))
        self.box = w.Accordion(children=(inner,), titles=(_("More about the connection"),))
        self.box.selected_index = None

    def shown_for(self, transport: str) -> tuple[str, ...]:
        """Return the names of the parameters that a transport understands."""
        return tuple(
            name
            for name in _OFFERED
            if not PARAMETERS[name].transports or transport in PARAMETERS[name].transports
        )

    def show(self, transport: str, *, disabled: bool) -> None:
        """Show the fields of a transport; ``unix`` for this machine."""
        names = self.shown_for(transport)
        show(self.jump, on=transport == "ssh")
        put(self.jump, disabled=disabled)
        for name, field in self.fields.items():
            show(field, on=name in names)
            put(field, disabled=disabled)

    def add_to(self, uri: Uri) -> tuple[Uri, Callable[[], object] | None]:
        """Return the URI with what the fields say, and what must be done before it is opened.

        Raises:
            SpecError: a value cannot be right.
        """
        transport = uri.effective_transport
        for name in self.shown_for(transport):
            value = self.fields[name].value
            if value is True:
                uri = uri.with_param(name, "1")
            elif isinstance(value, str) and value.strip():
                uri = uri.with_param(name, value.strip())
        if transport == "ssh" and self.jump.value.strip():
            return jump_program(uri, self.jump.value.strip())
        return uri, None
