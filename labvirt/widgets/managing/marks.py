"""Marks: how domains were when something was planned, so that a stale plan is not applied."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from labvirt.errors import ConflictError, LabvirtError, NotFoundError
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.host.domain import Domain

__all__ = ["marks_of", "require_same"]


def marks_of(domains: Sequence[Domain]) -> dict[str, str]:
    """Return a mark for each domain: its state and definition; empty where it is gone.

    One that cannot be asked has none: the plan itself will say why.
    """
    found = {}
    for domain in domains:
        try:
            state = domain.info().state.value
            xml = domain.xml(inactive=True)
        except NotFoundError:
            found[domain.name] = ""
        except LabvirtError:
            continue
        else:
            found[domain.name] = f"{state} {hashlib.sha256(xml.encode()).hexdigest()}"
    return found


def require_same(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Check that nobody else has changed them meanwhile.

    Raises:
        NotFoundError: one is gone.
        ConflictError: one was changed.
    """
    gone = [name for name, mark in before.items() if mark and now.get(name) == ""]
    if gone:
        raise NotFoundError(
            _("apply the plan: {names}").format(names=", ".join(gone)),
            libvirt_text=_("somebody else has removed it meanwhile; nothing was done"),
        )
    other = [name for name, mark in before.items() if now.get(name, mark) != mark]
    if other:
        raise ConflictError(
            _("apply the plan: {names}").format(names=", ".join(other)),
            libvirt_text=_(
                "somebody else has changed it since this was planned (state or definition); "
                "nothing was done"
            ),
            hint=_("press the button again and look at the new plan"),
        )
