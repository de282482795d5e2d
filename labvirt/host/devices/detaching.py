"""Taking a device away: asked of the guest, waited for, and the reason when it does not let go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as calls
from labvirt.connection import domain_devices
from labvirt.errors import (
    ConflictError,
    HostError,
    NotFoundError,
    UnsupportedError,
    WaitTimeoutError,
)
from labvirt.host.devices.device import Device, find_view, pick, read_devices
from labvirt.host.devices.device_actions import scope_flags
from labvirt.host.handle import python_call, xml_diff
from labvirt.host.shell import fed
from labvirt.host.storage.mounted import mounted_from
from labvirt.host.watch import watch
from labvirt.model.arguments import Limit, checked
from labvirt.model.device_edit import is_as_described
from labvirt.model.disk import DiskSpec
from labvirt.model.hotplug import room_of, verdict_of
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.text import XmlDoc
from labvirt.status import DomainState
from labvirt.status.device import own_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.connection import Connection, Event
    from labvirt.host.devices.attaching import HasXml
    from labvirt.host.devices.verbs import DeviceVerbs
    from labvirt.model.xml.devices import DeviceXml
    from labvirt.plan import JobControl, Plan
    from labvirt.status import DeviceRecord

__all__ = ["plan_detach", "resolve"]


def resolve(domain: DeviceVerbs, device: str | Device | HasXml) -> DeviceRecord:
    """Return the device of a domain that is meant.

    Args:
        domain: the domain.
        device: a `Device`, a name as in `Domain.devices`, a spec, or XML.

    Raises:
        NotFoundError: it has no such device, or several.
    """
    records = read_devices(domain)
    if isinstance(device, Device):
        return pick(domain, records, device.record.uuid)
    if isinstance(device, str) and not device.lstrip().startswith("<"):
        return pick(domain, records, device)
    if isinstance(device, DiskSpec) and device.target is None:
        return pick(domain, records, str(getattr(device.source, "path", "")))
    view = _view_of(device)
    if own_name(view):
        return pick(domain, records, f"{view.element.tag}/{own_name(view)}")
    return _by_looks(domain, records, view)


def _view_of(device: str | HasXml | Any) -> DeviceXml:
    text = device if isinstance(device, str) else device.device_xml().text()
    document = DomainXml.new()
    return document.add_device(XmlDoc.parse(text))


def _by_looks(
    domain: DeviceVerbs, records: Sequence[DeviceRecord], wanted: DeviceXml
) -> DeviceRecord:
    """Return the device that has everything which the XML of one says."""
    documents = [DomainXml.parse(domain.xml(inactive=one)) for one in (False, True)]
    found = []
    for record in records:
        views = [find_view(document, record) for document in documents]
        if any(view is not None and is_as_described(view, wanted) for view in views):
            found.append(record)
    if not found:
        raise NotFoundError(
            f"find the {wanted.element.tag} of domain {domain.name}",
            uri=domain.host.label,
            libvirt_text="it has none that is as described",
            hint="domain.devices shows what it has",
        )
    return found[-1]


def plan_detach(
    domain: DeviceVerbs,
    device: str | Device | HasXml,
    *,
    live: bool | None,
    config: bool | None,
    timeout_s: float,
    confirm: bool = False,
) -> Plan[None]:
    """Plan to take a device away; see `Domain.detach`."""
    checked(Limit, f"detach a device from {domain.name}", timeout_s=timeout_s)
    record = resolve(domain, device)
    scope = _scope(domain, record, live=live, config=config)
    document = DomainXml.parse(domain.xml(inactive=not scope[0]))
    view = find_view(document, record)
    assert view is not None
    _refuse_used(domain, document, record)
    if scope[0]:
        _require_unplug(domain, document, view, record)
    before, xml = document.text(), view.text()
    document.remove_device(view)
    flags = scope_flags(live=scope[0], config=scope[1])
    mounted = mounted_from(domain, document, record) if scope[0] else ()
    paused = scope[0] and domain.state is DomainState.PAUSED

    def run(link: Connection, control: JobControl) -> None:
        if scope[0]:
            _unplug(domain, record, xml, control, timeout_s)
        if scope[1]:
            _forget(domain, link, record)

    return domain.one_call(
        f"detach {record.type} {record.name} from domain",
        run,
        virsh=(),
        line=fed(domain.virsh("detach-device", domain.name, *flags), xml),
        python=python_call("", "detach", (record.uuid,), {"live": live, "config": config}),
        diff=xml_diff(before, document.text(), domain.name),
        warnings=(
            *(("the domain is paused: its guest cannot let go of anything",) if paused else ()),
            *_pending(domain, scope),
        ),
        destroys=tuple(f"what the guest has not yet written to {one}" for one in mounted),
        confirm=confirm,
    )


def _pending(domain: DeviceVerbs, scope: tuple[bool, bool]) -> tuple[str, ...]:
    waits = scope[1] and not scope[0] and domain.is_active
    return (f"takes effect at the next start of {domain.name}",) if waits else ()


def _scope(
    domain: DeviceVerbs, record: DeviceRecord, *, live: bool | None, config: bool | None
) -> tuple[bool, bool]:
    """Settle where the device is taken away: by default wherever it is."""
    if live is None and config is None:
        return record.live, record.stored
    scope = domain.scope(live=live, config=config)
    for wanted, has, where in (
        (scope[0], record.live, "the running domain"),
        (scope[1], record.stored, "the stored definition"),
    ):
        if wanted and not has:
            raise NotFoundError(
                f"detach {record.type} {record.name} from domain {domain.name}",
                uri=domain.host.label,
                libvirt_text=f"{where} does not have it",
                hint="leave live and config out: it is removed wherever it is",
            )
    return scope


def _refuse_used(domain: DeviceVerbs, document: DomainXml, record: DeviceRecord) -> None:
    """Refuse to take a controller away under what sits on it."""
    if record.type != "controller":
        return
    bus, number = record.bus, record.name.removeprefix(record.bus)
    users = []
    for one in document.devices:
        address = one.element.find("address")
        if address is None:
            continue
        place = address.get("bus") if bus in {"pci", "usb"} else address.get("controller")
        on_bus = getattr(one, "bus", None) or address.get("type")
        if on_bus == bus and int(str(place or "0"), 0) == int(number or 0) and bus != "pci":
            users.append(own_name(one) or str(one.element.tag))
    if users:
        raise ConflictError(
            f"detach controller {record.name} from domain {domain.name}",
            uri=domain.host.label,
            libvirt_text=f"on it sit {', '.join(users)}",
            hint="detach those first",
        )


def _require_unplug(
    domain: DeviceVerbs, document: DomainXml, view: DeviceXml, record: DeviceRecord
) -> None:
    """Refuse what can never be unplugged, before the guest is asked."""
    found = verdict_of(document, view)
    why = "" if found.can or "free" in found.why else found.why
    on_root = record.address.startswith("pci 0000:00:")
    if not why and room_of(document).has_ports and on_root:
        why = "it sits on the root bus of PCI Express, where nothing can be unplugged"
    if why:
        raise UnsupportedError(
            f"detach {record.type} {record.name} from domain {domain.name} while it runs",
            uri=domain.host.label,
            libvirt_text=why,
            hint="config=True removes it from the stored definition, for the next start",
        )


def _unplug(
    domain: DeviceVerbs, record: DeviceRecord, xml: str, control: JobControl, timeout_s: float
) -> None:
    """Ask the guest for a device and wait until it is gone."""
    link = domain.host.connection
    refused: list[str] = []

    def on_event(event: Event) -> None:
        mine = event.uuid == domain.uuid and event.detail.get("device") == record.alias
        if mine and event.kind == "device-removal-failed":
            refused.append(record.alias)

    deadline = time.monotonic() + timeout_s
    subscription = link.listen(on_event)
    try:
        with watch(domain.host, domain.uuid) as changed:
            _ask(link, domain.uuid, record, xml)
            while _is_there(domain, record):
                left = deadline - time.monotonic()
                if left <= 0 or refused:
                    raise _too_late(domain, record, timeout_s, refused=bool(refused))
                control.report(f"waiting for the guest to release {record.name}")
                changed.wait(min(0.5, left))
                control.check()
    finally:
        subscription.close()


def _ask(link: Connection, uuid: str, record: DeviceRecord, xml: str) -> None:
    try:
        if record.alias:
            domain_devices.detach_alias(link, uuid, record.alias)
        else:
            calls.detach(link, uuid, xml, live=True)
    except HostError as error:
        # Asked before, and the guest still thinks about it.
        if "in the process of unplug" not in error.libvirt_text:
            raise


def _is_there(domain: DeviceVerbs, record: DeviceRecord) -> bool:
    return any(
        one.live and (one.alias == record.alias if record.alias else one.uuid == record.uuid)
        for one in read_devices(domain)
    )


def _forget(domain: DeviceVerbs, link: Connection, record: DeviceRecord) -> None:
    """Take a device out of the stored definition; what else is in it stays."""
    document = DomainXml.parse(domain.xml(inactive=True, secure=True))
    view = find_view(document, record)
    if view is None:
        return
    document.remove_device(view)
    calls.define(link, document.text())


def _too_late(
    domain: DeviceVerbs, record: DeviceRecord, timeout_s: float, *, refused: bool
) -> WaitTimeoutError:
    cause = _why(domain, refused=refused)
    return WaitTimeoutError(
        f"domain {domain.name} to release the {record.type} {record.name}",
        timeout_s=timeout_s,
        last_seen="the device is still in the domain",
        likely_cause=cause,
        hint="it goes when the guest lets it; detach again finishes the rest. "
        "Unmount it in the guest, or use config=True and restart the domain",
    )


def _why(domain: DeviceVerbs, *, refused: bool) -> str:
    """Return why a guest does not let go of a device, as far as it can be seen."""
    if domain.state is DomainState.PAUSED:
        return "the domain is paused: a guest lets go of a device only while it runs"
    if refused:
        return "the guest refused: it uses the device (mounted, swap, part of a volume group)"
    if domain.agent_answers():
        return (
            "a system runs in the guest and does not let go: it uses the device (mounted, swap), "
            "or has no driver for hot-plug (acpiphp, pciehp)"
        )
    return (
        "no system runs in the guest yet, or it uses the device; firmware and boot loaders ignore "
        "the request"
    )
