"""IDE and SATA disks, e1000 and rtl8139 cards turned into virtio in a definition, and back (chapter 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labvirt.errors import Problem, SpecError
from labvirt.model.disk import DiskSpec, FileSource, place_disk
from labvirt.model.hotplug import room_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from labvirt.model.xml.devices import DiskXml, InterfaceXml
    from labvirt.model.xml.domain import DomainXml

__all__ = ["Swap", "candidates", "swap_back", "to_virtio"]

_OLD_BUSES: Final = frozenset({"ide", "sata"})
_OLD_CARDS: Final = frozenset({"e1000", "e1000e", "rtl8139", "ne2k_pci", "pcnet", "e1000-82544gc"})


@dataclass(frozen=True)
class Swap:
    """One device that changes its bus or model.

    Attributes:
        type: ``disk`` or ``interface``.
        name: the device in the definition: target or MAC address, before.
        was: its bus or model before.
        now: target or MAC address after.
    """

    type: str
    name: str
    was: str
    now: str

    def __str__(self) -> str:
        """Return the swap in words."""
        if self.type == "disk":
            return f"disk {self.name} ({self.was}) becomes {self.now} (virtio)"
        return f"interface {self.name} ({self.was}) becomes virtio"


def candidates(domain: DomainXml) -> tuple[str, ...]:
    """Return the names of the devices that could be virtio and are not."""
    disks = [one.target or "" for one in domain.disks if _is_old_disk(one)]
    cards = [one.mac or "" for one in domain.interfaces if _is_old_card(one)]
    return tuple(disks + cards)


def to_virtio(domain: DomainXml, names: Collection[str] = ()) -> tuple[Swap, ...]:
    """Change the definition, and note in its metadata what was before.

    Args:
        domain: the stored definition; it is changed.
        names: which devices; all that can be when empty.

    Raises:
        SpecError: a name is no such device, nothing is to be changed, or there is no slot.
    """
    known = candidates(domain)
    for name in names:
        if name.lower() not in known:
            problem = Problem(
                "device",
                name,
                "is no IDE or SATA disk and no emulated card",
                f"there are: {', '.join(known) or 'none'}",
            )
            raise SpecError(f"domain {domain.name} cannot be converted:", (problem,))
    chosen = {name.lower() for name in names} or set(known)
    if not chosen:
        raise SpecError(f"domain {domain.name} has nothing that virtio could take the place of")
    swaps = [
        *_swap_disks(domain, chosen),
        *_swap_cards(domain, chosen),
    ]
    _drop_idle_controllers(domain)
    room = room_of(domain)
    more = sum(1 for one in swaps if one.type == "disk")
    if not room.has_ports and room.free < more:
        why = f"{more} virtio disks need a slot each, and there are {room}"
        raise SpecError(f"domain {domain.name} cannot be converted:", (Problem("disk", "", why),))
    domain.swapped = (*domain.swapped, *(_note(one) for one in swaps))
    return tuple(swaps)


def swap_back(domain: DomainXml) -> tuple[Swap, ...]:
    """Undo in a definition what `to_virtio` noted; later changes of other things stay.

    Raises:
        SpecError: nothing was noted.
    """
    notes = [note.split() for note in domain.swapped]
    if not notes:
        raise SpecError(f"domain {domain.name} was not converted by labvirt: no note says what was")
    swaps = []
    for kind, name, was, now, wwn in notes:
        if kind == "disk":
            disk = next((one for one in domain.disks if one.target == now), None)
            if disk is None:
                continue
            _drop_address(disk)
            disk.set(bus=was, target=name)
            disk.wwn = None if wwn == "-" else wwn
        else:
            card = next((one for one in domain.interfaces if one.mac == now), None)
            if card is None:
                continue
            if room_of(domain).has_ports:
                _drop_address(card)
            card.model = was
        swaps.append(Swap(kind, name, was, now))
    domain.swapped = ()
    return tuple(swaps)


def _note(swap: _Swapped) -> str:
    return f"{swap.type} {swap.name} {swap.was} {swap.now} {swap.wwn or '-'}"


@dataclass(frozen=True)
class _Swapped(Swap):
    wwn: str = ""


def _is_old_disk(disk: DiskXml) -> bool:
    return disk.bus in _OLD_BUSES and (disk.device or "disk") == "disk"


def _is_old_card(card: InterfaceXml) -> bool:
    return (card.model or "rtl8139") in _OLD_CARDS and card.type != "hostdev"


def _swap_disks(domain: DomainXml, chosen: set[str]) -> Iterator[_Swapped]:
    any_disk = DiskSpec(source=FileSource(path="/any"), bus="virtio")
    for disk in domain.disks:
        old = disk.target or ""
        if not _is_old_disk(disk) or old not in chosen:
            continue
        taken = [one.target or "" for one in domain.disks]
        new = place_disk(any_disk, taken).target or ""
        swapped = _Swapped("disk", old, disk.bus or "", new, disk.wwn or "")
        _drop_address(disk)
        disk.set(bus="virtio", target=new)
        # Only emulated disks have one.
        disk.wwn = None
        yield swapped


def _swap_cards(domain: DomainXml, chosen: set[str]) -> Iterator[_Swapped]:
    room = room_of(domain)
    for card in domain.interfaces:
        mac = (card.mac or "").lower()
        if not _is_old_card(card) or mac not in chosen:
            continue
        was = card.model or "rtl8139"
        if room.has_ports and was != "e1000e":
            # It sat behind a bridge for cards that are not Express; elsewhere the slot stays, and
            # with it the name that the guest gives the interface.
            _drop_address(card)
        card.model = "virtio"
        yield _Swapped("interface", mac, was, mac)


def _drop_address(device: DiskXml | InterfaceXml) -> None:
    address = device.element.find("address")
    if address is not None:
        device.doc.remove(address)


def _drop_idle_controllers(domain: DomainXml) -> None:
    busy = {one.bus for one in domain.disks}
    for controller in list(domain.controllers):
        if controller.type in _OLD_BUSES and controller.type not in busy:
            domain.controllers.remove(controller)
