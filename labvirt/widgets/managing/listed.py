"""What can be done to networks, pools and volumes, in which states, and why not; pure tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labvirt.model.pool_types import POOL_TYPES
from labvirt.widgets.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.plan import Plan

__all__ = ["NETWORK", "POOL", "VOLUME", "ListAct", "ListField", "list_why_not"]


@dataclass(frozen=True, slots=True)
class ListField:
    """What an action has to be told before it can be planned.

    Attributes:
        name: keyword of the plan.
        label: what it is called.
        kind: ``text``, ``flag``, ``choice`` (of `choices`) or ``pool`` (one that runs on the host).
        default: what it is unless told otherwise; braces hold facts of the record.
        help: one sentence.
        choices: the values of a choice; an empty one stands for "as it is".
        optional: empty text is left out.
    """

    name: str
    label: str
    kind: str = "text"
    default: Any = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ListAct:
    """One thing that can be done to a network, pool or volume.

    Attributes:
        key: name in code.
        label: on its button.
        tip: one sentence: what it does.
        make: makes the plan of an object; gets the fields by name.
        active: it needs to be started (True), stopped (False), or either (None).
        autostart: it needs autostart to be on (True), off (False), or either (None).
        destroys: something may be lost, so that it always waits for Apply.
        fields: what has to be told before.
        free_of: whom it must not have as users: ``running`` domains, ``any`` user; empty: no
            matter.
        able: what the type of pool must be able to do: ``builds``, ``destroys``, or one of
            `PoolType.volumes`.
    """

    key: str
    label: str
    tip: str
    make: Callable[..., Plan[Any]]
    active: bool | None = None
    autostart: bool | None = None
    destroys: bool = False
    fields: tuple[ListField, ...] = ()
    free_of: str = ""
    able: str = ""


def _life(start: str, stop: str, delete: str, *, stop_loses: bool) -> tuple[ListAct, ...]:
    """Return what networks and pools have in common; the texts are tooltips."""
    autostart = {"on": N_("Start it with the host's daemon"), "off": N_("Start it by hand only")}
    return (
        ListAct("start", N_("Start"), start, lambda it: it.start.plan(), active=False),
        ListAct(
            *("stop", N_("Stop"), stop, lambda it: it.stop.plan()), active=True, destroys=stop_loses
        ),
        ListAct(
            *("autostart", N_("Autostart on"), autostart["on"]),
            lambda it: it.set_autostart.plan(True),  # noqa: FBT003 - the value itself
            autostart=False,
        ),
        ListAct(
            *("no_autostart", N_("Autostart off"), autostart["off"]),
            lambda it: it.set_autostart.plan(False),  # noqa: FBT003 - the value itself
            autostart=True,
        ),
        ListAct(
            *("delete", N_("Delete"), delete, lambda it: it.undefine.plan()),
            active=False,
            destroys=True,
        ),
    )


_PATH: Final = ListField(
    "path", N_("File"), help=N_("Path on the machine where this notebook's kernel runs")
)
#: libvirt's ways to overwrite; all but the first need ``scrub`` on the host.
_WIPES: Final = (
    *("zero", "random", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33"),
    "trim",
)

NETWORK: Final[tuple[ListAct, ...]] = (
    *_life(
        N_("Start the network"),
        N_("Stop the network: guests on it lose their link"),
        N_("Remove the network's definition"),
        stop_loses=True,
    ),
    ListAct(
        *("restart", N_("Restart"), N_("Stop and start it; guests are plugged in again")),
        lambda it: it.restart.plan(),
        active=True,
        destroys=True,
    ),
)

POOL: Final[tuple[ListAct, ...]] = (
    *_life(
        N_("Start the pool"),
        N_("Stop the pool; its files stay"),
        N_("Remove the pool's definition; its files stay"),
        stop_loses=True,
    ),
    ListAct(
        *("build", N_("Build"), N_("Make its folder, file system, label or volume group")),
        lambda it: it.build.plan(),
        active=False,
        able="builds",
    ),
    ListAct(
        *("delete_place", N_("Delete with its place"), N_("Delete the pool and its folder")),
        lambda it, **options: it.delete.plan(**options),
        destroys=True,
        able="destroys",
        fields=(
            ListField(
                "volumes", N_("Delete its volumes too"), "flag", default=False,
                help=N_("Without it a pool that has volumes is refused"),
            ),
        ),
    ),
    ListAct(
        *("upload_new", N_("Upload"), N_("Make a volume from a file: an ISO, a disk image")),
        lambda it, **options: it.upload.plan(**options),
        active=True,
        able="upload",
        fields=(
            _PATH,
            ListField(
                "name", N_("Name"), help=N_("That of the file when left empty"), optional=True
            ),
        ),
    ),
)  # fmt: skip

VOLUME: Final[tuple[ListAct, ...]] = (
    ListAct(
        *("resize", N_("Resize"), N_("Give the volume another size")),
        lambda it, **options: it.resize.plan(**options),
        free_of="running",
        able="resize",
        fields=(
            ListField("capacity", N_("Capacity"), default="{capacity}", help=N_("e.g. 40 GiB")),
            ListField("allocate", N_("Take the space at once"), "flag", default=False),
        ),
    ),
    ListAct(
        *("clone", N_("Clone"), N_("Make a new volume with the bytes of this one")),
        lambda it, **options: it.clone.plan(**options),
        free_of="running",
        able="clone",
        fields=(
            ListField("name", N_("Name"), default="{name}-copy"),
            ListField("pool", N_("Pool"), "pool", default="{pool}"),
            ListField(
                "format", N_("Format"), "choice", choices=("", "raw", "qcow2"),
                help=N_("The same when left empty"), optional=True,
            ),
        ),
    ),
    ListAct(
        *("download", N_("Download"), N_("Write its bytes into a file")),
        lambda it, **options: it.download.plan(**options),
        fields=(_PATH, ListField("overwrite", N_("Replace a file that exists"), "flag", default=False)),
    ),
    ListAct(
        *("upload", N_("Overwrite"), N_("Write a file into the volume")),
        lambda it, **options: it.upload.plan(**options),
        destroys=True,
        free_of="running",
        able="upload",
        fields=(_PATH,),
    ),
    ListAct(
        *("wipe", N_("Wipe"), N_("Overwrite the bytes of the volume")),
        lambda it, **options: it.wipe.plan(**options),
        destroys=True,
        free_of="any",
        able="wipe",
        fields=(
            ListField(
                "algorithm", N_("Way"), "choice", default="zero", choices=_WIPES,
                help=N_("zero needs nothing; the others need scrub on the host"),
            ),
        ),
    ),
    ListAct(
        *("delete_volume", N_("Delete volume"), N_("Delete the volume and its bytes")),
        lambda it: it.delete.plan(),
        destroys=True,
        free_of="any",
        able="delete",
    ),
)  # fmt: skip


def list_why_not(act: ListAct, look: Any, *, host: str, readonly: bool, link: str) -> str:
    """Return why something cannot be done; empty when it can.

    Args:
        act: the action.
        look: what is known of the network, pool or volume; None: nothing is selected.
        host: name of its host.
        readonly: the host was opened without the right to change anything.
        link: state of the link to the host.
    """
    if look is None:
        return _("nothing is selected")
    if link != "connected":
        return _("the link to {host} is {link}").format(host=host, link=_(link))
    if readonly:
        return _("{host} is open read-only").format(host=host)
    record = look.record
    autostart = act.autostart is not None
    reasons = (
        (act.active is True and not record.is_active, N_("{name} is not started")),
        (act.active is False and record.is_active, N_("{name} is started: stop it first")),
        (act.autostart is True and not record.autostart, N_("autostart of {name} is off")),
        (act.autostart is False and record.autostart, N_("autostart of {name} is on")),
        (autostart and not record.persistent, N_("{name} is transient")),
        (not _is_able(act, look), N_("pools of this type cannot do that")),
    )
    found = next((_(text).format(name=record.name) for stops, text in reasons if stops), "")
    return found or _in_use(act, look)


def _is_able(act: ListAct, look: Any) -> bool:
    kind = POOL_TYPES.get(getattr(look, "kind", "") or getattr(look.record, "type", ""))
    if not act.able or kind is None:
        return True
    if act.able in {"builds", "destroys"}:
        return bool(getattr(kind, act.able))
    return act.able in kind.volumes


def _in_use(act: ListAct, look: Any) -> str:
    users = [one for one in getattr(look, "users", ()) if one.active or act.free_of == "any"]
    if not act.free_of or not users:
        return ""
    names = ", ".join(dict.fromkeys(one.name for one in users))
    return _("{name} is in use: {users}").format(name=look.record.name, users=names)
