"""Changing a device in place: while the domain runs where libvirt can, else for the next start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.connection import domain as calls
from labvirt.connection import domain_devices
from labvirt.errors import ConflictError, LabvirtError, NotFoundError, SpecError, UnsupportedError
from labvirt.host.devices.detaching import resolve
from labvirt.host.devices.device import find_view
from labvirt.host.devices.device_actions import scope_flags
from labvirt.host.devices.media_check import look_at_medium
from labvirt.host.handle import xml_diff
from labvirt.host.present import Present, twins
from labvirt.host.shell import fed
from labvirt.host.validate import require_valid
from labvirt.model.device_edit import edit_device, live_changes, medium_of
from labvirt.model.disk import VolumeSource
from labvirt.model.spec import MASK, did_you_mean
from labvirt.model.spec_text import spec_text
from labvirt.model.xml.devices import DiskXml, InterfaceXml, MemballoonXml
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.connection import Connection
    from labvirt.host.devices.attaching import HasXml
    from labvirt.host.devices.device import Device
    from labvirt.host.devices.verbs import DeviceVerbs
    from labvirt.model.xml.devices import DeviceXml
    from labvirt.plan import JobControl, Plan
    from labvirt.status import DeviceRecord

__all__ = ["plan_update"]

_LIMITS: Final = {
    "total_bytes_sec": "total_bytes_s",
    "read_bytes_sec": "read_bytes_s",
    "write_bytes_sec": "write_bytes_s",
    "total_iops_sec": "total_iops",
    "read_iops_sec": "read_iops",
    "write_iops_sec": "write_iops",
}


def plan_update(
    domain: DeviceVerbs,
    device: str | Device | HasXml,
    changes: Mapping[str, Any],
    *,
    live: bool | None,
    config: bool | None,
    force: bool,
) -> Plan[None]:
    """Plan to change a device; see `Domain.update`."""
    record = resolve(domain, device)
    asked = f"change {record.type} {record.name} of domain {domain.name}"
    if not changes:
        raise SpecError(f"cannot {asked}: no change is named", hint="update('vda', cache='none')")
    scope = _scope(domain, record, changes, asked, live=live, config=config)
    now = _Edited(domain, record, changes, inactive=False) if scope[0] else None
    then = _Edited(domain, record, changes, inactive=True) if scope[1] else None
    first = now or then
    assert first is not None
    warnings = _look_at(domain, first.view, changes, asked)
    _refuse_twins(domain, first, changes, asked)
    _require_filter(domain, changes, asked)
    waits = scope[1] and not scope[0] and domain.is_active
    if waits:
        slow = sorted(set(changes) - live_changes(first.view)) if record.live else []
        why = f"{', '.join(slow)} cannot change while it runs: " if slow else ""
        warnings += (f"{why}takes effect at the next start of {domain.name}",)

    def run(link: Connection, _: JobControl) -> None:
        if then is not None:
            if domain.xml(inactive=True, secure=True) != then.before:
                raise ConflictError(
                    asked,
                    uri=domain.host.label,
                    libvirt_text="its definition was changed since the plan was made",
                    hint="make the plan again",
                )
            calls.define(link, then.after)
        if now is None:
            return
        try:
            _change_live(domain, now, record, changes, force=force)
        except LabvirtError:
            if then is not None:
                calls.define(link, then.before)
            raise

    flags = scope_flags(live=scope[0], config=scope[1])
    shown = [f"{name}={_shown(name, value)}" for name, value in changes.items()]
    asked_for = {"live": live, "config": config, "force": force or None}
    chosen = [f"{name}={value}" for name, value in asked_for.items() if value is not None]
    return domain.one_call(
        f"change {', '.join(changes)} of {record.type} {record.name} of domain",
        run,
        line=fed(
            domain.virsh("update-device", domain.name, *flags, *(("--force",) * force)),
            first.view.text(),
        ),
        python=f".update({', '.join([repr(record.uuid), *chosen, *shown])})",
        diff=xml_diff(first.before, first.after, domain.name),
        warnings=warnings,
    )


def _shown(name: str, value: Any) -> str:
    return repr(MASK) if name == "password" and value is not None else spec_text(value)


class _Edited:
    """A domain's XML before and after the change of one device, with its secrets."""

    def __init__(
        self,
        domain: DeviceVerbs,
        record: DeviceRecord,
        changes: Mapping[str, Any],
        *,
        inactive: bool,
    ) -> None:
        # Without its secrets the domain would lose them.
        secure = not domain.host.readonly
        self.before = domain.xml(inactive=inactive, secure=secure)
        self.document = DomainXml.parse(self.before)
        found = find_view(self.document, record)
        if found is None:
            raise NotFoundError(f"find {record.type} {record.name} of domain {domain.name}")
        self.view: DeviceXml = found
        edit_device(found, changes)
        self.after = self.document.text()
        require_valid(self.after)


def _scope(
    domain: DeviceVerbs,
    record: DeviceRecord,
    changes: Mapping[str, Any],
    asked: str,
    *,
    live: bool | None,
    config: bool | None,
) -> tuple[bool, bool]:
    """Settle where the change is made: everywhere when it can be live, else for the next start."""
    document = DomainXml.parse(domain.xml(inactive=not record.live))
    view = find_view(document, record)
    can = live_changes(view) if view is not None else frozenset()
    slow = sorted(set(changes) - can)
    if "password" in changes and changes["password"] is None:
        slow.append("password=None")
    if live is None and config is None:
        if not record.stored and slow:
            raise _not_live(domain, asked, slow, "the stored definition does not have the device")
        return record.live and not slow, record.stored
    scope = domain.scope(live=live, config=config)
    if scope[0] and slow:
        raise _not_live(domain, asked, slow, "leave live out: the change waits for the next start")
    for wanted, has, where in (
        (scope[0], record.live, "the running domain"),
        (scope[1], record.stored, "the stored definition"),
    ):
        if wanted and not has:
            raise NotFoundError(
                asked, uri=domain.host.label, libvirt_text=f"{where} does not have it"
            )
    return scope


def _not_live(domain: DeviceVerbs, asked: str, slow: list[str], hint: str) -> UnsupportedError:
    return UnsupportedError(
        f"{asked} while it runs",
        uri=domain.host.label,
        libvirt_text=f"{', '.join(slow)} cannot change in a running domain",
        hint=hint,
    )


def _look_at(
    domain: DeviceVerbs, view: DeviceXml, changes: Mapping[str, Any], asked: str
) -> tuple[str, ...]:
    """Look at what is put in."""
    if isinstance(view, DiskXml) and changes.get("source") is not None:
        source = medium_of(changes["source"], view.device or "disk")
        if isinstance(source, VolumeSource):
            return ()
        return look_at_medium(domain.host, source.path, view.device or "disk", asked)
    return ()


def _require_filter(domain: DeviceVerbs, changes: Mapping[str, Any], asked: str) -> None:
    """Refuse an nwfilter that the host does not have: libvirt notices only with rules half made."""
    wanted = changes.get("filter")
    if wanted is None:
        return
    known = domain_devices.filter_names(domain.host.connection)
    if wanted not in known:
        raise NotFoundError(
            asked,
            uri=domain.host.label,
            libvirt_text=f"the host has no nwfilter {wanted!r}",
            hint=did_you_mean(str(wanted), known) or "it has no nwfilter at all",
        )


def _refuse_twins(
    domain: DeviceVerbs, edited: _Edited, changes: Mapping[str, Any], asked: str
) -> None:
    """Refuse an image or a MAC address that somebody else has."""
    found: list[str] = []
    if isinstance(edited.view, DiskXml) and "source" in changes and not edited.view.readonly:
        only = DomainXml.new()
        only.disks.append(edited.view)
        found += twins(domain.host, only, domain.uuid)
    if isinstance(edited.view, InterfaceXml) and "mac" in changes:
        owner = Present(domain.host).macs.get((edited.view.mac or "").lower())
        found += [f"the MAC address belongs to domain {owner}"] if owner else []
    if found:
        raise ConflictError(asked, uri=domain.host.label, libvirt_text="; ".join(found))


def _change_live(
    domain: DeviceVerbs,
    edited: _Edited,
    record: DeviceRecord,
    changes: Mapping[str, Any],
    *,
    force: bool,
) -> None:
    link, view = domain.host.connection, edited.view
    if isinstance(view, MemballoonXml):
        domain_devices.set_memory_stats_period(link, domain.uuid, view.stats_period_s or 0)
        return
    if isinstance(view, DiskXml) and set(changes) - {"source"}:
        limits = {
            name: value
            for name, fact in _LIMITS.items()
            if (value := getattr(view, fact)) is not None
        }
        lifted = {name: 0 for name in ("total_bytes_sec", "total_iops_sec") if name not in limits}
        domain_devices.set_disk_limits(link, domain.uuid, record.name, {**lifted, **limits})
    if not isinstance(view, DiskXml) or "source" in changes:
        calls.update_device(link, domain.uuid, view.text(), live=True, force=force)
