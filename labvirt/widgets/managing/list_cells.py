"""Columns, rows and details of networks, pools and volumes; pure: looks in, texts out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.table import Cell, Column
from labvirt.widgets.quantity import shown as quantity

if TYPE_CHECKING:
    from datetime import datetime

    from labvirt.host.networks.looking import NetworkLook
    from labvirt.host.storage.looking import PoolLook, VolumeLook
    from labvirt.host.storage.users import FileUser

__all__ = [
    "NETWORK_COLUMNS",
    "POOL_COLUMNS",
    "VOLUME_COLUMNS",
    "bytes_text",
    "network_cells",
    "network_detail",
    "pool_cells",
    "pool_detail",
    "volume_cells",
    "volume_detail",
    "yes_no",
]

#: From this share on the bar of a pool warns.
_FULL: Final = 0.9

NETWORK_COLUMNS: Final = (
    Column("name", N_("Name")),
    Column("state", N_("State")),
    Column("mode", N_("Mode"), N_("How it reaches the world")),
    Column("bridge", N_("Bridge"), N_("The host's bridge that guests are plugged into")),
    Column("addresses", N_("Addresses"), N_("Addresses of the host in it")),
    Column("dhcp", N_("DHCP range"), N_("Addresses that guests are given")),
    Column("leases", N_("Leases"), N_("Addresses that were given to guests"), "number"),
    Column("vms", N_("VMs"), N_("VMs that are connected to it: those that run, of all"), "number"),
    Column("autostart", N_("Autostart"), N_("It starts with the host's daemon")),
    Column("persistent", N_("Persistent"), N_("Its definition stays when it stops")),
    Column("host", N_("Host")),
)
POOL_COLUMNS: Final = (
    Column("name", N_("Name")),
    Column("state", N_("State")),
    Column("type", N_("Type")),
    Column("space", N_("Space taken"), N_("Taken, of its capacity")),
    Column("free", N_("Free"), "", "number"),
    Column(
        "promised", N_("Promised"),
        N_("What its volumes may grow to, as a part of its capacity; above 100 % it can become full"),
        "number",
    ),
    Column("volumes", N_("Volumes"), "", "number"),
    Column("autostart", N_("Autostart"), N_("It starts with the host's daemon")),
    Column("path", N_("Path")),
    Column("host", N_("Host")),
)  # fmt: skip
VOLUME_COLUMNS: Final = (
    Column("name", N_("Name")),
    Column("format", N_("Format")),
    Column("capacity", N_("Capacity"), N_("What a guest sees"), "number"),
    Column("allocation", N_("Allocated"), N_("What it takes on the host")),
    Column("users", N_("Used by"), N_("VMs, snapshots, and volumes that are laid over it")),
    Column("backing", N_("Backing image"), N_("What it is laid over, nearest first")),
    Column("path", N_("Path")),
)


def bytes_text(count: float) -> str:
    """Return bytes as people read them."""
    return quantity(float(count), "B")


def yes_no(on: bool) -> Cell:  # noqa: FBT001 - the value itself
    """Return a cell for yes or no."""
    return Cell(_("yes") if on else _("no"))


def _state(record: Any) -> Cell:
    on = record.is_active
    text = _("active") if on else _("inactive")
    state = getattr(record, "state", None)
    if state is not None and state.value in {"building", "degraded", "inaccessible"}:
        text = _(_POOL_STATES[state.value])
    return Cell(f"{'●' if on else '○'} {text}", value=float(not on))


_POOL_STATES: Final = {
    "building": N_("building"),
    "degraded": N_("degraded"),
    "inaccessible": N_("inaccessible"),
}


def network_cells(host: str, look: NetworkLook) -> tuple[Cell, ...]:
    """Return the row of a network."""
    record, domains = look.record, look.domains
    running = sum(domains.values())
    return (
        Cell(record.name),
        _state(record),
        Cell(f"{record.forward} → {look.device}" if look.device else record.forward),
        Cell(record.bridge),
        Cell(", ".join(look.addresses)),
        Cell(", ".join(look.ranges) or _("off")),
        Cell(str(len(look.leases)), value=len(look.leases)),
        Cell(
            f"{running}/{len(domains)}" if domains else "0",
            value=len(domains),
            tip=", ".join(domains),
        ),
        yes_no(record.autostart),
        yes_no(record.persistent),
        Cell(host),
    )


def network_detail(look: NetworkLook, pending: str = "") -> str:
    """Return what is shown of a network: leases and guests, as HTML."""
    record = look.record
    shown = parts.facts(
        [
            (_("Name"), record.name),
            (_("UUID"), record.uuid),
            (_("Forwarding"), record.forward),
            (_("Device"), look.device or _("any")),
            (_("DNS domain"), look.domain),
            (_("Addresses"), look.addresses),
            (_("DHCP range"), look.ranges or _("off")),
        ]
    )
    shown += parts.grid(
        _("Leases"),
        [_("VM"), _("Host name"), _("Address"), _("MAC address"), _("Until")],
        [
            (
                look.holder(each),
                each.hostname,
                f"{each.address}/{each.prefix}",
                each.mac,
                _until(each.expires_at),
            )
            for each in look.leases
        ],
        _("No leases."),
    )
    shown += parts.grid(
        _("VMs on it"),
        [_("VM"), _("Running"), _("MAC address"), _("Card"), _("Device"), _("Link")],
        [
            (
                each.domain,
                each.is_active,
                each.mac,
                each.model,
                each.device,
                _("up") if each.link_up else _("down"),
            )
            for each in look.guests
        ],
        _("No VM is connected to it."),
    )
    if pending:
        shown += parts.heading(_("Changes at the next start (pending)")) + parts.pre(pending)
    return shown


def _until(at: datetime | None) -> str:
    return _("for ever") if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def pool_cells(host: str, look: PoolLook) -> tuple[Cell, ...]:
    """Return the row of a pool."""
    record, taken, over = look.record, look.taken, look.overcommit
    space = Cell("")
    if taken is not None:
        text = _("{percent:.0f} % of {all}").format(
            percent=100 * taken, all=bytes_text(record.capacity)
        )
        tip = _("{taken} of {all} taken ({percent:.0f} %), {free} free").format(
            taken=bytes_text(record.allocation),
            all=bytes_text(record.capacity),
            percent=100 * taken,
            free=bytes_text(record.available),
        )
        space = Cell(text, value=taken, bar=taken, tip=tip, full=taken > _FULL)
    promised = Cell("")
    if over is not None and look.promised is not None:
        mark = "⚠ " if over > 1 else ""
        promised = Cell(
            f"{mark}{bytes_text(look.promised)} ({100 * over:.0f} %)", value=float(over)
        )
    return (
        Cell(record.name),
        _state(record),
        Cell(record.type),
        space,
        Cell(bytes_text(record.available), value=record.available) if record.capacity else Cell(""),
        promised,
        Cell("" if look.volumes is None else str(look.volumes), value=look.volumes),
        yes_no(record.autostart),
        Cell(record.path),
        Cell(host),
    )


def pool_detail(look: PoolLook) -> str:
    """Return what is shown of a pool, as HTML."""
    record = look.record
    pairs: list[tuple[str, Any]] = [
        (_("Name"), record.name),
        (_("UUID"), record.uuid),
        (_("Path"), record.path),
        (_("Persistent"), record.persistent),
    ]
    if record.capacity:
        pairs += [
            (_("Capacity"), bytes_text(record.capacity)),
            (_("Allocated"), bytes_text(record.allocation)),
            (_("Free"), bytes_text(record.available)),
        ]
    shown = parts.facts(pairs)
    if look.overcommit is not None and look.overcommit > 1:
        text = _("Its volumes may grow to more than it holds: it can become full.")
        shown += f"<p style='margin:6px 0'>⚠ {text}</p>"
    return shown


def volume_cells(look: VolumeLook) -> tuple[Cell, ...]:
    """Return the row of a volume."""
    record = look.record
    share = record.allocation / record.capacity if record.capacity else None
    return (
        Cell(record.name),
        Cell(record.format),
        Cell(bytes_text(record.capacity), value=record.capacity),
        Cell(bytes_text(record.allocation), value=record.allocation, bar=share),
        Cell(", ".join(dict.fromkeys(map(_user, look.users))), value=None),
        Cell(
            " ← ".join(path.rpartition("/")[2] for path in look.chain), tip=" ← ".join(look.chain)
        ),
        Cell(record.path),
    )


def _user(user: FileUser) -> str:
    return f"● {user.name}" if user.active else user.name


_KINDS: Final = {"domain": N_("VM"), "snapshot": N_("snapshot"), "volume": N_("volume")}


def volume_detail(look: VolumeLook, chain: tuple[str, ...]) -> str:
    """Return what is shown of a volume, as HTML.

    Args:
        look: what was read.
        chain: the images below it, with format and size, nearest first.
    """
    record = look.record
    shown = parts.facts(
        [
            (_("Name"), record.name),
            (_("Path"), record.path),
            (_("Format"), record.format),
            (_("Capacity"), bytes_text(record.capacity)),
            (_("Allocated"), bytes_text(record.allocation)),
        ]
    )
    if chain:
        shown += parts.grid(
            _("Backing chain"),
            [_("Image")],
            [[each] for each in chain],
            "",
        )
    users = [(_(_KINDS[one.kind]), one.name, one.how, one.active) for one in look.users]
    heads = [_("Kind"), _("Who"), _("As"), _("Running")]
    return shown + parts.grid(_("Used by"), heads, users, _("Nobody uses it."))
