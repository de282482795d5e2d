"""Systems: the operating system fills in what it needs, where nobody has given anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import SpecError
from labvirt.model.units import Size
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.model.osinfo import GuestOs
    from labvirt.widgets.forms.raw import Raw
    from labvirt.widgets.forms.state import FormState

__all__ = ["fill", "too_little"]

#: Sources of a system that is yet to be installed, so that it needs a disk.
_INSTALLS: Final = frozenset({"", "iso-install", "network-boot", "kernel-boot"})


def fill(state: FormState[Any], system: GuestOs, before: dict[str, Raw]) -> dict[str, Raw]:
    """Fill in what a system needs; what was given by hand stays.

    Args:
        state: the form's values.
        system: the system.
        before: what an earlier call has filled in; it may be replaced.

    Returns:
        What is filled in now.
    """
    for path, value in before.items():
        if state.raw.get(path) == value:
            state.raw.pop(path)
    # A disk that was added for an earlier system, and of which nothing else was given.
    is_bare = not any(path.startswith("disks[0]") for path in state.raw)
    if "disks[0].source" in before and is_bare and state.counts.get("disks") == 1:
        state.counts.pop("disks")
    done: dict[str, Raw] = {}
    for path, value in _wanted(state, system):
        if path not in state.raw:
            state.set(path, value)
            done[path] = value
    return done


def _wanted(state: FormState[Any], system: GuestOs) -> Iterator[tuple[str, Raw]]:
    if system.memory is not None:
        yield "memory", str(system.memory)
    if system.cpus is not None and system.cpus > 1:
        yield "vcpus", str(system.cpus)
    is_new = str(state.raw.get("source", "")) in _INSTALLS
    disks = state.counts.get("disks", 0)
    if system.disk is not None and is_new:
        is_disk = state.raw.get("disks[0].device", "disk") == "disk"
        if not disks or ("disks[0].source" not in state.raw and is_disk):
            disks = max(disks, 1)
            yield "disks[0].source", "new-volume"
        if state.raw.get("disks[0].source", "new-volume") == "new-volume":
            yield "disks[0].source.size", str(system.disk)
    is_old = str(state.raw.get("machine", "pc")).startswith(("pc", "pc-i440fx"))
    for number in range(disks):
        is_drive = state.raw.get(f"disks[{number}].device", "disk") != "disk"
        if not system.virtio_disk and not is_drive:
            yield f"disks[{number}].bus", "ide" if is_old else "sata"
    if not system.virtio_net and state.counts.get("interfaces", 1):
        yield "interfaces[0].model", "e1000"
    if system.family == "winnt":
        yield "clock.offset", "localtime"


def too_little(state: FormState[Any], system: GuestOs) -> Iterator[str]:
    """Yield what is below the least that a system needs (G2.2-09)."""
    for path, least in (
        ("memory", system.least_memory),
        ("disks[0].source.size", system.least_disk),
    ):
        given = state.raw.get(path)
        if not isinstance(given, str) or least is None:
            continue
        try:
            size = Size.parse(given if not given.strip().isdecimal() else _bare(path, given))
        except SpecError:
            continue
        if size < least:
            text = _("{system} needs {least} at least, {given} are given ({field})")
            label = _(state.find(path).label)
            yield text.format(system=system.name, least=least, given=size, field=label)


def _bare(path: str, given: str) -> str:
    return f"{given} {'MiB' if path == 'memory' else 'GiB'}"
