"""Whether a device of a host can be given to a domain, and why not; from its record alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.host.devices.nodedev import NO_IOMMU

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labvirt.status.nodedev import NodeDeviceRecord

__all__ = ["Passing", "passing_of", "tree_of"]


@dataclass(frozen=True, slots=True)
class Passing:
    """Whether a device can be given to a domain.

    Attributes:
        can: whether it can.
        why: what stands in the way, or what is to be known; empty when nothing.
    """

    can: bool
    why: str = ""


def passing_of(record: NodeDeviceRecord) -> Passing:
    """Return whether a device can be given to a domain: what `NodeDevice.detach` would say."""
    if record.type not in {"pci", "usb_device"}:
        where = f": the device it sits on may be, {record.parent}" if record.parent else ""
        return Passing(can=False, why=f"only PCI and USB devices are given{where}")
    if record.uses:
        return Passing(can=False, why=f"the host lives on it: {'; '.join(record.uses)}")
    if record.type == "pci" and record.iommu_group is None:
        return Passing(can=False, why=NO_IOMMU)
    if record.used_by:
        return Passing(can=True, why=f"domain {', '.join(record.used_by)} has it: only one can run")
    return Passing(can=True)


def tree_of(records: Iterable[NodeDeviceRecord]) -> tuple[tuple[int, NodeDeviceRecord], ...]:
    """Return devices in the order of a tree, each with its depth: a device below its parent.

    A device whose parent is not among them stands at the top.
    """
    known = {one.name: one for one in records}
    below: dict[str, list[NodeDeviceRecord]] = {}
    for one in known.values():
        parent = one.parent if one.parent in known and one.parent != one.name else ""
        below.setdefault(parent, []).append(one)
    found: list[tuple[int, NodeDeviceRecord]] = []
    seen: set[str] = set()

    def walk(parent: str, depth: int) -> None:
        for one in sorted(below.get(parent, ()), key=lambda each: (each.type, each.name)):
            if one.name not in seen:
                seen.add(one.name)
                found.append((depth, one))
                walk(one.name, depth + 1)

    walk("", 0)
    # Those that are each other's parents have no top.
    found += [(0, one) for one in known.values() if one.name not in seen]
    return tuple(found)
