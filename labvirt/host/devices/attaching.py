"""Plugging a device in: a spec is completed, everything is looked at, then one plan does it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from labvirt.errors import ConflictError, LabvirtError, SpecError, UnsupportedError
from labvirt.host.actions import CreateVolume
from labvirt.host.devices.device import Device, read_devices
from labvirt.host.devices.device_actions import AttachDevice, ChangeDefinition
from labvirt.host.devices.media_check import look_at_medium
from labvirt.host.devices.nodedev import owners_of_devices
from labvirt.host.devices.plugging import require_pluggable
from labvirt.host.present import Present
from labvirt.host.storage.storing import Storing
from labvirt.host.validate import require_valid
from labvirt.model.device import ControllerSpec
from labvirt.model.disk import DiskSpec, NewVolume, place_disk
from labvirt.model.domain import DomainSpec
from labvirt.model.hotplug import verdict_of
from labvirt.model.ident import new_mac
from labvirt.model.interface import InterfaceSpec
from labvirt.model.redact import redact_xml
from labvirt.model.spec import Spec
from labvirt.model.spec_text import spec_text
from labvirt.model.units import Size
from labvirt.model.xml.chardev import ParallelXml, SerialXml
from labvirt.model.xml.devices import DeviceXml, DiskXml, FilesystemXml, HostdevXml
from labvirt.model.xml.domain import DEVICES, DomainXml
from labvirt.model.xml.links import ShmemXml
from labvirt.model.xml.text import XmlDoc
from labvirt.plan import Plan
from labvirt.status.device import own_name

if TYPE_CHECKING:
    from labvirt.host.devices.verbs import DeviceVerbs
    from labvirt.host.host import Host
    from labvirt.model.disk import Bus
    from labvirt.plan import Action
    from labvirt.status import DeviceRecord

__all__ = ["DIES", "HasXml", "dies_of_virtiofs", "plan_attach"]

#: What libvirt adds to a definition only when the whole of it is defined anew.
_WHOLE: Final = frozenset(
    {"graphics", "video", "memballoon", "tpm", "panic", "smartcard", "hub", "iommu"}
)
#: A domain has one of each at most.
_SINGLE: Final = frozenset({"memballoon", "tpm", "vsock", "iommu"})


#: Why a virtiofs folder waits for the next start with such a libvirt.
DIES: Final = "libvirt 9.0 crashes when virtiofs is plugged into a running domain"


class HasXml(Protocol):
    """Anything that can be written as a device: every device spec."""

    def device_xml(self) -> DeviceXml:
        """Return the element of the device."""


@dataclass
class _Wish:
    """One device on its way in."""

    domain: DeviceVerbs
    live: DomainXml | None
    stored: DomainXml | None
    actions: list[Action[Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def documents(self) -> tuple[DomainXml, ...]:
        return tuple(one for one in (self.live, self.stored) if one is not None)

    @property
    def first(self) -> DomainXml:
        return self.documents[0]

    @property
    def asked(self) -> str:
        return f"attach a device to domain {self.domain.name}"


def plan_attach(
    domain: DeviceVerbs, device: str | HasXml, *, live: bool | None, config: bool | None
) -> Plan[Device]:
    """Plan to plug a device in; see `Domain.attach`."""
    scope = domain.scope(live=live, config=config)
    wish = _Wish(
        domain,
        DomainXml.parse(domain.xml()) if scope[0] else None,
        DomainXml.parse(domain.xml(inactive=True)) if scope[1] else None,
    )
    text = _completed(wish, device)
    document = XmlDoc.parse(text)
    require_pluggable(domain, document)
    view = DEVICES.get(str(document.root.tag), DeviceXml)(document.root, document)
    _refuse_taken(wish, view)
    if wish.live is not None:
        _require_hotplug(wish, view)
    _look_at(wish, view)
    _add_scsi(wish, view)
    shown = spec_text(device) if isinstance(device, Spec) else repr(redact_xml(text))
    chosen = {"live": live, "config": config}
    options = [f"{word}={value}" for word, value in chosen.items() if value is not None]
    before = read_devices(domain)
    name = domain.name
    attach: Action[Any]
    if scope[1] and str(view.element.tag) in _WHOLE:
        attach = _by_definition(domain, view)
    else:
        attach = AttachDevice(name, domain.uuid, text, *scope, before=wish.first.text())
    warnings = list(wish.warnings)
    if scope[1] and not scope[0] and domain.is_active:
        warnings.append(f"takes effect at the next start of {name}")
    return Plan(
        title=attach.title,
        host=domain.host,
        actions=(*wish.actions, attach),
        result=lambda: _found(domain, view, before),
        warnings=tuple(warnings),
        python=f"{domain.host.python}.domains[{name!r}].attach({', '.join([shown, *options])})",
        journal=domain.host.journal,
    )


def _by_definition(domain: DeviceVerbs, view: DeviceXml) -> ChangeDefinition:
    """Return the action that adds a device to the stored definition as a whole."""
    before = domain.xml(inactive=True, secure=True)
    document = DomainXml.parse(before)
    tag = str(view.element.tag)
    for one in document.devices:
        # A balloon of model none is how libvirt writes that there is no balloon.
        if one.element.tag == tag and tag in _SINGLE:
            document.remove_device(one)
    document.add_device(view)
    require_valid(document.text())
    return ChangeDefinition(
        domain.name, domain.uuid, f"add {tag} to the definition", before, document.text()
    )


def _found(domain: DeviceVerbs, view: DeviceXml, before: tuple[DeviceRecord, ...]) -> Device:
    """Return the device that has come."""
    tag, name = str(view.element.tag), own_name(view)
    mine = [one for one in read_devices(domain) if one.type == tag]
    known = {one.uuid for one in before}
    named = [one for one in mine if name and one.name == name]
    fresh = [one for one in mine if one.uuid not in known]
    return Device(domain, (named or fresh or mine)[-1])


def _completed(wish: _Wish, device: str | HasXml) -> str:
    """Return the XML of a device with everything decided that was left open."""
    if not isinstance(device, str) and not hasattr(device, "device_xml"):
        raise SpecError(
            f"{wish.asked}: {type(device).__name__} is no device",
            hint="a spec such as DiskSpec(...), or XML",
        )
    if isinstance(device, str):
        return device
    if isinstance(device, DiskSpec):
        return _disk(wish, device).to_xml()
    if isinstance(device, InterfaceSpec):
        return _interface(wish, device).to_xml()
    if isinstance(device, ControllerSpec) and device.index is None:
        taken = {
            one.index
            for document in wish.documents
            for one in document.controllers
            if one.type == device.kind
        }
        free = next(number for number in range(1000) if number not in taken)
        device = device.replace(index=free)
    view = device.device_xml()
    if isinstance(view, SerialXml | ParallelXml):
        view.target_port = _free_port(wish, str(view.element.tag), view.target_port or 0)
    return view.text()


def _free_port(wish: _Wish, tag: str, wanted: int) -> int:
    """Return the number of a port that is wanted, or the next one that is free."""
    taken = {
        getattr(one, "target_port", None)
        for document in wish.documents
        for one in document.devices
        if one.element.tag == tag
    }
    return next(number for number in range(wanted, 1000) if number not in taken)


def _disk(wish: _Wish, disk: DiskSpec) -> DiskSpec:
    """Return the disk with bus, target and an image that exists or is planned."""
    taken = {one.target or "" for document in wish.documents for one in document.disks}
    placed = place_disk(disk, taken, drive_bus=_drive_bus(wish))
    host = wish.domain.host
    if isinstance(placed.source, NewVolume) and placed.source.name is None:
        placed = placed.replace(source=_named(wish, placed.source, placed.target or ""))
    whole = DomainSpec(
        name=wish.domain.name,
        memory=Size.parse("1 GiB"),
        disks=(placed,),
        interfaces=(),
        machine=wish.first.machine,
        virt="qemu",
    ).filled(default_pool=host.facts.default_pool)
    storing = Storing(host, wish.domain.name)
    settled, problems = storing.place_disks(whole)
    if problems:
        raise SpecError(f"{wish.asked}:", problems)
    wish.actions += storing.actions
    wish.warnings += storing.warnings
    return settled.disks[0]


def _named(wish: _Wish, source: NewVolume, target: str) -> NewVolume:
    """Return a new volume with a name that is free: that of a disk detached before stays taken."""
    host = wish.domain.host
    stem, ending = f"{wish.domain.name}-{target}", source.format
    pool = source.pool or host.facts.default_pool or "default"
    try:
        taken = {each.name for each in host.pools[pool].volumes.records}
    except LabvirtError:  # what is wrong with the pool is told where the volume is planned
        return source
    tries = (f"{stem}{'' if n == 1 else f'-{n}'}.{ending}" for n in range(1, 1000))
    return source.replace(name=next(name for name in tries if name not in taken))


def _drive_bus(wish: _Wish) -> Bus:
    """Return the bus of a CD drive that names none: one that can be plugged where it must be."""
    if wish.live is not None:
        has_usb = any(one.type == "usb" and one.model != "none" for one in wish.live.controllers)
        return "usb" if has_usb else "scsi"
    return (
        "ide"
        if (wish.first.machine or "pc").startswith(("pc-i440fx", "pc"))
        and not (wish.first.machine or "").startswith("pc-q35")
        else "sata"
    )


def _interface(wish: _Wish, spec: InterfaceSpec) -> InterfaceSpec:
    """Return the interface with network and MAC address decided; its network is started."""
    # Making whole domains needs this room's Domain, which is made of these verbs.
    from labvirt.host.create import default_interface, wanted_networks

    host = wish.domain.host
    if spec.kind == "default":
        base = default_interface(host)
        given = {name: getattr(spec, name) for name in spec.model_fields_set - {"kind"}}
        spec = base.replace(mac=None, **given)
    if spec.mac is None:
        spec = spec.replace(mac=new_mac(taken=set(Present(host).macs)))
    whole = DomainSpec(name=wish.domain.name, memory=Size.parse("1 GiB"), interfaces=(spec,))
    actions, problems = wanted_networks(host, whole)
    if problems:
        raise SpecError(f"{wish.asked}:", problems)
    wish.actions += actions
    return spec


def _refuse_taken(wish: _Wish, view: DeviceXml) -> None:
    """Refuse a name or a place that the domain has given away already."""
    tag, name = str(view.element.tag), own_name(view)
    for document, whose in ((wish.live, "the running domain"), (wish.stored, "its definition")):
        for one in document.devices if document is not None else ():
            if one.element.tag != tag:
                continue
            single = tag in _SINGLE and getattr(one, "model", None) != "none"
            if single or (name and own_name(one) == name):
                what = f"{tag} {name}".strip()
                raise ConflictError(
                    wish.asked,
                    uri=wish.domain.host.label,
                    libvirt_text=f"{whose} has the {what} already",
                    hint=f"update({name or tag!r}, ...) changes it"
                    + (", or leave the name to labvirt" if tag == "disk" else ""),
                )


def _require_hotplug(wish: _Wish, view: DeviceXml) -> None:
    assert wish.live is not None
    found = verdict_of(wish.live, view)
    if found.can and found.bus == "virtiofs" and dies_of_virtiofs(wish.domain.host):
        found = replace(found, can=False, why=DIES)
    if not found.can:
        raise UnsupportedError(
            f"{wish.asked} while it runs",
            uri=wish.domain.host.label,
            libvirt_text=f"{found.bus} {found.type}: {found.why}",
            hint="config=True adds it to the stored definition, for the next start",
        )


def dies_of_virtiofs(host: Host) -> bool:
    """Tell whether the host's libvirt ends when a virtiofs folder is plugged in (seen with 9.0)."""
    return host.version().daemon.startswith("9.0.")


def _look_at(wish: _Wish, view: DeviceXml) -> None:
    """Look at what stands behind the device on the host."""
    host = wish.domain.host
    if isinstance(view, DiskXml) and wish.live is not None and view.device == "cdrom":
        _require_medium(wish, view)
    made = any(isinstance(action, CreateVolume) for action in wish.actions)
    if isinstance(view, DiskXml) and (view.source_file or view.source_dev) and not made:
        path = view.source_path or ""
        wish.warnings += look_at_medium(host, path, view.device or "disk", wish.asked)
    if isinstance(view, ShmemXml):
        # QEMU makes it and never removes it.
        wish.warnings.append(f"the shared memory {view.name} stays on the host when it is off")
    if isinstance(view, HostdevXml):
        _require_ungiven(wish, view)
    if isinstance(view, FilesystemXml):
        if view.driver_type == "virtiofs" and any(
            one.memory_access != "shared" for one in wish.documents
        ):
            raise UnsupportedError(
                wish.asked,
                uri=host.label,
                libvirt_text="virtiofs needs memory that is shared, and this domain's is not",
                hint="DomainSpec(shared_memory=True), or FilesystemSpec(driver='9p', ...)",
            )
        if view.source_dir:
            _require_folder(wish, view.source_dir)


def _require_medium(wish: _Wish, drive: DiskXml) -> None:
    """Refuse to plug an empty drive in: libvirt 9.0 fails over the missing file name."""
    if drive.source_path is None and drive.source_volume is None and drive.source_name is None:
        raise UnsupportedError(
            f"{wish.asked} while it runs",
            uri=wish.domain.host.label,
            libvirt_text="libvirt plugs a CD drive in only with a disc in it",
            hint="CdromSpec(path=...), and eject() afterwards",
        )


def _require_ungiven(wish: _Wish, view: HostdevXml) -> None:
    """Refuse a device of the host that a running domain has."""
    host = wish.domain.host
    owners = owners_of_devices(host).get(own_name(view), set()) - {wish.domain.name}
    busy = sorted(name for name in owners if host.domains[name].is_active)
    if busy and wish.live is not None:
        raise ConflictError(
            wish.asked,
            uri=host.label,
            libvirt_text=f"domain {', '.join(busy)} has {own_name(view)}",
            hint="detach it there first",
        )
    if owners:
        listed = ", ".join(sorted(owners))
        wish.warnings.append(f"{own_name(view)} is also a device of {listed}: only one can run")


def _require_folder(wish: _Wish, path: str) -> None:
    try:
        look_at_medium(wish.domain.host, path, "folder", wish.asked)
    except SpecError:
        return  # a folder is what is wanted here
    if wish.domain.host.is_local:
        raise SpecError(f"{wish.asked}: {path} is no folder", hint="a folder on the host")


def _add_scsi(wish: _Wish, view: DeviceXml) -> None:
    """Plan the controller that a SCSI disk needs: libvirt itself would take an old LSI card."""
    if not (isinstance(view, DiskXml) and view.bus == "scsi"):
        return
    lacks = [
        document is not None and not any(one.type == "scsi" for one in document.controllers)
        for document in (wish.live, wish.stored)
    ]
    if any(lacks):
        xml = ControllerSpec(kind="scsi", index=0).to_xml()
        document = wish.live if lacks[0] and wish.live is not None else wish.first
        wish.actions.append(
            AttachDevice(
                wish.domain.name,
                wish.domain.uuid,
                xml,
                live=lacks[0],
                config=lacks[1],
                before=document.text(),
            )
        )
