"""The actions of plans on virtual networks and filters; each can be undone, also by another process."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.connection import network as networks
from labvirt.connection import nwfilter as filters
from labvirt.errors import ConflictError, NotFoundError
from labvirt.host.handle import xml_diff
from labvirt.host.networks.network_guests import guests_of
from labvirt.host.networks.network_plug import ReplugGuests, replug
from labvirt.host.shell import fed
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = [
    "NETWORK_ACTIONS",
    "AutostartNetwork",
    "CreateNetwork",
    "DefineFilter",
    "DefineNetwork",
    "StopNetwork",
    "UndefineFilter",
    "UndefineNetwork",
    "UpdateNetwork",
]


def _note(host: Host, uuid: str) -> None:
    """Keep the record of a network that was just changed, without waiting for its event."""
    host.news.note("network", networks.read(host.connection, uuid))


def _remove(host: Host, uuid: str, name: str) -> None:
    """Take a network away that a plan made, unless a guest runs on it by now."""
    link = host.connection
    try:
        record = networks.read(link, uuid)
    except NotFoundError:
        return
    if record.is_active:
        guests = guests_of(host, record, active_only=True)
        if guests:
            raise ConflictError(
                f"remove network {name}",
                uri=host.label,
                libvirt_text=f"{', '.join(guest.domain for guest in guests)} uses it by now",
            )
        networks.stop(link, uuid)
    if record.persistent:
        networks.undefine(link, uuid)
    host.news.note("network", None, uuid)


@dataclass(frozen=True)
class DefineNetwork(Action["Host"]):
    """Store the definition of a network: a new one, or another one of the same network."""

    kind: ClassVar[str] = "define-network"
    name: str
    uuid: str
    xml: str
    before_xml: str = ""

    @property
    def title(self) -> str:
        return f"{'change the definition of' if self.before_xml else 'define'} network {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed("net-define --validate", self.xml),)

    @property
    def diff(self) -> str:
        return xml_diff(self.before_xml, self.xml, self.name)

    def check(self, host: Host) -> None:
        if not self.before_xml:
            require_new_network(host, self.name)

    def do(self, host: Host, control: JobControl) -> None:
        networks.define(host.connection, self.xml)
        _note(host, self.uuid)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        if not self.before_xml:
            _remove(host, self.uuid, self.name)
            return
        networks.define(host.connection, self.before_xml)
        _note(host, self.uuid)


def require_new_network(host: Host, name: str) -> None:
    """Make sure that the host has no network of this name.

    Raises:
        ConflictError: it has one.
    """
    try:
        networks.find(host.connection, name)
    except NotFoundError:
        return
    raise ConflictError(
        f"create network {name}",
        uri=host.label,
        libvirt_text=f"network {name} exists already",
        hint=f"another name, or host.networks[{name!r}] to use or edit the one that exists",
    )


@dataclass(frozen=True)
class CreateNetwork(Action["Host"]):
    """Start a transient network: it is gone when it is stopped."""

    kind: ClassVar[str] = "create-network"
    name: str
    uuid: str
    xml: str

    @property
    def title(self) -> str:
        return f"create transient network {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed("net-create --validate", self.xml),)

    @property
    def diff(self) -> str:
        return xml_diff("", self.xml, self.name)

    def check(self, host: Host) -> None:
        require_new_network(host, self.name)

    def do(self, host: Host, control: JobControl) -> None:
        networks.create(host.connection, self.xml)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        _remove(host, self.uuid, self.name)


@dataclass(frozen=True)
class AutostartNetwork(Action["Host"]):
    """Let a network start with the host's daemon, or no longer."""

    kind: ClassVar[str] = "autostart-network"
    name: str
    uuid: str
    on: bool
    before: bool = False

    @property
    def title(self) -> str:
        return f"{'start' if self.on else 'no longer start'} network {self.name} with the host"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["net-autostart", self.name, *(["--disable"] * (not self.on))]),)

    def do(self, host: Host, control: JobControl) -> None:
        networks.set_autostart(host.connection, self.uuid, self.on)
        _note(host, self.uuid)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            networks.set_autostart(host.connection, self.uuid, self.before)
        except (NotFoundError, ConflictError):
            return


@dataclass(frozen=True)
class StopNetwork(Action["Host"]):
    """Stop a network; guests on it lose their link."""

    kind: ClassVar[str] = "stop-network"
    name: str
    uuid: str
    loses: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        return f"stop network {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["net-destroy", self.name]),)

    @property
    def destroys(self) -> tuple[str, ...]:
        return tuple(self.loses)

    def do(self, host: Host, control: JobControl) -> None:
        networks.stop(host.connection, self.uuid)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            networks.start(host.connection, self.uuid)
        except (NotFoundError, ConflictError):
            return
        replug(host, self.name, [(uuid, mac) for uuid, mac in self.pairs])


@dataclass(frozen=True)
class UndefineNetwork(Action["Host"]):
    """Remove the definition of a network."""

    kind: ClassVar[str] = "undefine-network"
    name: str
    uuid: str
    before_xml: str
    autostart: bool = False

    @property
    def title(self) -> str:
        return f"undefine network {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["net-undefine", self.name]),)

    @property
    def diff(self) -> str:
        return xml_diff(self.before_xml, "", self.name)

    @property
    def destroys(self) -> tuple[str, ...]:
        return (f"the definition of network {self.name}",)

    def do(self, host: Host, control: JobControl) -> None:
        networks.undefine(host.connection, self.uuid)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            if networks.read(host.connection, self.uuid).persistent:
                return
        except NotFoundError:
            pass
        networks.define(host.connection, self.before_xml)
        if self.autostart:
            networks.set_autostart(host.connection, self.uuid, on=True)


_INVERSE = {"add": "delete", "delete": "add", "modify": "modify"}


@dataclass(frozen=True)
class UpdateNetwork(Action["Host"]):
    """Add, change or take away one entry of a network, also while it runs."""

    kind: ClassVar[str] = "update-network"
    name: str
    uuid: str
    command: str
    section: str
    xml: str
    before_xml: str = ""
    place: int = -1
    live: bool = False
    config: bool = False
    text: str = ""

    @property
    def title(self) -> str:
        words = {"add": "add", "delete": "remove", "modify": "change"}
        return f"{words[self.command]} {self.text or self.section} in network {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        index = ("--parent-index", str(self.place)) if self.place >= 0 else ()
        flags = ("--live",) * self.live + ("--config",) * self.config
        words = ("net-update", self.name, self.command, self.section, self.xml.strip())
        return (shlex.join([*words, *index, *flags]),)

    @property
    def diff(self) -> str:
        before, after = self.before_xml, self.xml
        if self.command == "delete":
            before, after = self.xml, ""
        return xml_diff(before, after, self.name)

    def do(self, host: Host, control: JobControl) -> None:
        self._send(host, self.command, self.xml)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            self._send(host, _INVERSE[self.command], self.before_xml or self.xml)
        except (NotFoundError, ConflictError):
            return

    def _send(self, host: Host, command: str, xml: str) -> None:
        networks.update(
            host.connection,
            self.uuid,
            command,
            self.section,
            xml,
            place=self.place,
            live=self.live,
            config=self.config,
        )


@dataclass(frozen=True)
class DefineFilter(Action["Host"]):
    """Store a network filter; guests that use it get a change at once."""

    kind: ClassVar[str] = "define-nwfilter"
    name: str
    uuid: str
    xml: str
    before_xml: str = ""

    @property
    def title(self) -> str:
        return f"{'change' if self.before_xml else 'define'} network filter {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed("nwfilter-define --validate", self.xml),)

    @property
    def diff(self) -> str:
        return xml_diff(self.before_xml, self.xml, self.name)

    def do(self, host: Host, control: JobControl) -> None:
        filters.define(host.connection, self.xml)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            if self.before_xml:
                filters.define(host.connection, self.before_xml)
            else:
                filters.undefine(host.connection, self.uuid)
        except NotFoundError:
            return


@dataclass(frozen=True)
class UndefineFilter(Action["Host"]):
    """Remove a network filter."""

    kind: ClassVar[str] = "undefine-nwfilter"
    name: str
    uuid: str
    before_xml: str

    @property
    def title(self) -> str:
        return f"undefine network filter {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["nwfilter-undefine", self.name]),)

    @property
    def diff(self) -> str:
        return xml_diff(self.before_xml, "", self.name)

    @property
    def destroys(self) -> tuple[str, ...]:
        return (f"the network filter {self.name}",)

    def do(self, host: Host, control: JobControl) -> None:
        filters.undefine(host.connection, self.uuid)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        filters.define(host.connection, self.before_xml)


NETWORK_ACTIONS = (
    DefineNetwork,
    CreateNetwork,
    AutostartNetwork,
    StopNetwork,
    UndefineNetwork,
    UpdateNetwork,
    ReplugGuests,
    DefineFilter,
    UndefineFilter,
)
