"""What can be done to networks, pools and volumes, in which states, and why not; pure tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labvirt.widgets.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.plan import Plan

__all__ = ["NETWORK", "POOL", "VOLUME", "ListAct", "list_why_not"]


@dataclass(frozen=True, slots=True)
class ListAct:
    """One thing that can be done to a network, pool or volume.

    Attributes:
        key: name in code.
        label: on its button.
        tip: one sentence: what it does.
        make: makes the plan of an object.
        active: it needs to be started (True), stopped (False), or either (None).
        autostart: it needs autostart to be on (True), off (False), or either (None).
        destroys: something may be lost, so that it always waits for Apply.
    """

    key: str
    label: str
    tip: str
    make: Callable[[Any], Plan[Any]]
    active: bool | None = None
    autostart: bool | None = None
    destroys: bool = False


NETWORK: Final[tuple[ListAct, ...]] = (
    ListAct(
        "start", N_("Start"), N_("Start the network"), lambda it: it.start.plan(), active=False
    ),
    ListAct(
        "stop",
        N_("Stop"),
        N_("Stop the network: guests on it lose their link"),
        lambda it: it.stop.plan(),
        active=True,
        destroys=True,
    ),
    ListAct(
        "autostart",
        N_("Autostart on"),
        N_("Start it with the host's daemon"),
        lambda it: it.set_autostart.plan(True),  # noqa: FBT003 - the value itself
        autostart=False,
    ),
    ListAct(
        "no_autostart",
        N_("Autostart off"),
        N_("Start it by hand only"),
        lambda it: it.set_autostart.plan(False),  # noqa: FBT003 - the value itself
        autostart=True,
    ),
    ListAct(
        "delete",
        N_("Delete"),
        N_("Remove the network's definition"),
        lambda it: it.undefine.plan(),
        active=False,
        destroys=True,
    ),
)

POOL: Final[tuple[ListAct, ...]] = (
    ListAct("start", N_("Start"), N_("Start the pool"), lambda it: it.start.plan(), active=False),
    ListAct(
        "stop",
        N_("Stop"),
        N_("Stop the pool; its files stay"),
        lambda it: it.stop.plan(),
        active=True,
        destroys=True,
    ),
    ListAct(
        "autostart",
        N_("Autostart on"),
        N_("Start it with the host's daemon"),
        lambda it: it.set_autostart.plan(True),  # noqa: FBT003 - the value itself
        autostart=False,
    ),
    ListAct(
        "no_autostart",
        N_("Autostart off"),
        N_("Start it by hand only"),
        lambda it: it.set_autostart.plan(False),  # noqa: FBT003 - the value itself
        autostart=True,
    ),
    ListAct(
        "delete",
        N_("Delete"),
        N_("Remove the pool's definition; its files stay"),
        lambda it: it.undefine.plan(),
        active=False,
        destroys=True,
    ),
)

VOLUME: Final[tuple[ListAct, ...]] = (
    ListAct(
        "delete_volume",
        N_("Delete volume"),
        N_("Delete the volume and its bytes"),
        lambda it: it.delete.plan(),
        destroys=True,
    ),
)


def list_why_not(act: ListAct, record: Any, *, host: str, readonly: bool, link: str) -> str:
    """Return why something cannot be done; empty when it can.

    Args:
        act: the action.
        record: of the network, pool or volume; None: nothing is selected.
        host: name of its host.
        readonly: the host was opened without the right to change anything.
        link: state of the link to the host.
    """
    if record is None:
        return _("nothing is selected")
    if link != "connected":
        return _("the link to {host} is {link}").format(host=host, link=_(link))
    if readonly:
        return _("{host} is open read-only").format(host=host)
    autostart = act.autostart is not None
    reasons = (
        (act.active is True and not record.is_active, N_("{name} is not started")),
        (act.active is False and record.is_active, N_("{name} is started: stop it first")),
        (act.autostart is True and not record.autostart, N_("autostart of {name} is off")),
        (act.autostart is False and record.autostart, N_("autostart of {name} is on")),
        (autostart and not record.persistent, N_("{name} is transient")),
    )
    return next((_(text).format(name=record.name) for stops, text in reasons if stops), "")
