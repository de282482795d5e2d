"""The actions of which plans on devices are made: attach one, change a stored definition."""

from __future__ import annotations

import datetime as dt
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import domain as domains
from labvirt.errors import ConflictError, HostError, NotFoundError
from labvirt.host.handle import xml_diff
from labvirt.host.shell import fed
from labvirt.model.redact import MASK
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Action
from labvirt.status.device import own_name, records_of

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.model.xml.devices import DeviceXml
    from labvirt.plan import Crash, JobControl

__all__ = ["AttachDevice", "ChangeDefinition", "scope_flags"]

#: How long a roll-back waits for a guest to let go of a device, seconds.
RELEASE_S = 5.0


def scope_flags(*, live: bool, config: bool) -> tuple[str, ...]:
    """Return virsh's options for what a change applies to."""
    return ("--live",) * live + ("--config",) * config


@dataclass(frozen=True)
class AttachDevice(Action["Host"]):
    """Plug a device into a domain, running or stored."""

    kind: ClassVar[str] = "attach-device"
    name: str
    uuid: str
    xml: str
    live: bool
    config: bool
    before: str = ""

    @property
    def title(self) -> str:
        view = _parsed(self.xml)
        named = f" {own_name(view)}" if own_name(view) else ""
        return f"attach {view.element.tag}{named} to domain {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        flags = scope_flags(live=self.live, config=self.config)
        line = shlex.join(["attach-device", self.name, *flags])
        return (fed(line, self.xml),)

    @property
    def diff(self) -> str:
        document = DomainXml.parse(self.before)
        document.add_device(self.xml)
        return xml_diff(self.before, document.text(), self.name)

    def to_record(self) -> dict[str, Any]:
        """Return the fields for the journal, without what only the preview needs."""
        return {**super().to_record(), "before": ""}

    def check(self, host: Host) -> None:
        host.require_writable(self.title)

    def do(self, host: Host, control: JobControl) -> None:
        domains.attach(host.connection, self.uuid, self.xml, live=self.live, config=self.config)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        """Take the device away again, when it is surely this one."""
        wanted = _parsed(self.xml)
        if not own_name(wanted):
            return
        try:
            record = domains.read(host.connection, self.uuid)
        except NotFoundError:
            return
        active = record.id is not None
        if self.config and record.persistent and self._has(host, wanted, inactive=True):
            domains.detach(host.connection, self.uuid, self.xml, config=True)
        if not (self.live and active and self._has(host, wanted, inactive=False)):
            return
        domains.detach(host.connection, self.uuid, self.xml, live=True)
        deadline = time.monotonic() + RELEASE_S
        while self._has(host, wanted, inactive=False):
            if time.monotonic() > deadline:
                raise ConflictError(
                    f"take {own_name(wanted)} away from domain {self.name} again",
                    uri=host.label,
                    libvirt_text="the guest does not let go of it",
                )
            time.sleep(0.1)

    def _has(self, host: Host, wanted: DeviceXml, *, inactive: bool) -> bool:
        document = DomainXml.parse(domains.xml(host.connection, self.uuid, inactive=inactive))
        return any(
            one.element.tag == wanted.element.tag
            and own_name(one) == own_name(wanted)
            and _file(one) == _file(wanted)
            for one in document.devices
        )


def _parsed(xml: str) -> DeviceXml:
    document = DomainXml.new()
    return document.add_device(xml)


def _file(view: DeviceXml) -> str:
    return getattr(view, "source_path", None) or ""


@dataclass(frozen=True)
class ChangeDefinition(Action["Host"]):
    """Put another stored definition in the place of the one a domain has.

    `before_xml` and `after_xml` are whole, with secrets; the journal gets them without. A definition
    with secrets is therefore not put back after a crash: its journal says what remains.
    """

    kind: ClassVar[str] = "change-definition"
    name: str
    uuid: str
    what: str
    before_xml: str
    after_xml: str
    virsh_line: str = ""

    @property
    def title(self) -> str:
        return f"{self.what} of domain {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (
            (self.virsh_line,) if self.virsh_line else (fed("define --validate", self.after_xml),)
        )

    @property
    def diff(self) -> str:
        return xml_diff(self.before_xml, self.after_xml, self.name)

    def check(self, host: Host) -> None:
        host.require_writable(self.title)
        now = domains.xml(host.connection, self.uuid, inactive=True, secure=True)
        if now != self.before_xml:
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text="its definition was changed since the plan was made",
                hint="make the plan again",
            )

    def do(self, host: Host, control: JobControl) -> None:
        domains.define(host.connection, self.after_xml)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            now = domains.xml(host.connection, self.uuid, inactive=True, secure=crash is None)
        except NotFoundError:
            return
        if crash is None:
            domains.define(host.connection, self.before_xml)
            return
        if MASK in self.before_xml:
            raise HostError(
                f"put the definition of domain {self.name} back",
                uri=host.label,
                libvirt_text="it holds secrets, which the journal does not keep",
            )
        if now != self.before_xml and _summary(now) == _summary(self.after_xml):
            domains.define(host.connection, self.before_xml)


def _summary(xml: str) -> set[tuple[str, ...]]:
    """Return what tells one definition from another, whatever libvirt adds to it."""
    records = records_of(DomainXml.parse(xml), dt.datetime.now(dt.UTC), live=False)
    return {(one.uuid, one.bus, one.model, one.source) for one in records if one.type in _TOLD}


#: Kinds that libvirt does not add by itself.
_TOLD = frozenset({"disk", "interface", "graphics", "filesystem", "hostdev"})
