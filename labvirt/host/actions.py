"""The actions of which plans on a host are made; each can be undone, also by another process."""

from __future__ import annotations

import datetime as dt
import logging
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import domain as domains
from labvirt.connection import network as networks
from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import ConflictError, HostError, NotFoundError
from labvirt.host.clones.clone_actions import CLONE_ACTIONS
from labvirt.host.devices.device_actions import AttachDevice, ChangeDefinition
from labvirt.host.keeping.keeping_actions import KEEPING_ACTIONS
from labvirt.host.migrating.migrating_actions import MIGRATING_ACTIONS
from labvirt.host.networks.network_actions import NETWORK_ACTIONS
from labvirt.host.shell import fed
from labvirt.model.redact import redact_xml
from labvirt.model.units import Size
from labvirt.model.xml.text import XmlDoc
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.connection import Connection
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = [
    "ACTIONS",
    "CreateVolume",
    "DefineDomain",
    "DefinePool",
    "StartDomain",
    "StartNetwork",
    "StartPool",
    "UploadVolume",
]


def _added(xml: str) -> str:
    """Return new XML as a diff that adds every line, without secrets."""
    return "\n".join(f"+{line}" for line in redact_xml(xml).splitlines())


@dataclass(frozen=True)
class StartPool(Action["Host"]):
    """Start a pool that is defined and not active."""

    kind: ClassVar[str] = "start-pool"
    name: str

    @property
    def title(self) -> str:
        return f"start pool {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["pool-start", self.name]),)

    def do(self, host: Host, control: JobControl) -> None:
        pools.start(host.connection, pools.find(host.connection, self.name))

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        if crash is not None:
            # Somebody may use it by now, and an active pool does no harm.
            return
        try:
            pools.stop(host.connection, pools.find(host.connection, self.name))
        except (NotFoundError, ConflictError):
            # Never started, or gone: as it was.
            return


@dataclass(frozen=True)
class DefinePool(Action["Host"]):
    """Define a pool and make its folder."""

    kind: ClassVar[str] = "define-pool"
    name: str
    uuid: str
    xml: str

    @property
    def title(self) -> str:
        return f"define pool {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed("pool-define", self.xml), shlex.join(["pool-build", self.name]))

    @property
    def diff(self) -> str:
        return _added(self.xml)

    def do(self, host: Host, control: JobControl) -> None:
        pools.define(host.connection, self.xml)
        pools.build(host.connection, self.uuid)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            # The folder stays: it may have been there before, with files in it.
            pools.undefine(host.connection, self.uuid)
        except NotFoundError:
            return


@dataclass(frozen=True)
class StartNetwork(Action["Host"]):
    """Start a virtual network that is defined and not active."""

    kind: ClassVar[str] = "start-network"
    name: str

    @property
    def title(self) -> str:
        return f"start network {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["net-start", self.name]),)

    def do(self, host: Host, control: JobControl) -> None:
        networks.start(host.connection, networks.find(host.connection, self.name))

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        if crash is not None:
            return
        try:
            networks.stop(host.connection, networks.find(host.connection, self.name))
        except (NotFoundError, ConflictError):
            return


_log = logging.getLogger("labvirt")

#: A volume that nothing has used yet and that changed later than this after its action began
#: was made by somebody else.
BIRTH_LIMIT = dt.timedelta(seconds=60)


def _delete_unused(host: Host, pool: str, name: str, crash: Crash | None) -> None:
    """Delete a volume that a plan made, unless it is another one or a domain uses it by now."""
    link = host.connection
    pool_uuid = pools.find(link, pool)
    try:
        record = volumes.read(link, pool_uuid, name)
    except NotFoundError:
        return
    if crash is not None and not crash.finished and _is_younger(link, pool_uuid, name, crash):
        _log.warning("%s stays: it was made later, by somebody else", record.path)
        return
    users = host.users_of(record.path)
    if users:
        raise ConflictError(
            f"delete volume {name} of pool {pool}",
            uri=host.label,
            libvirt_text=f"{', '.join(users)} uses it by now",
        )
    volumes.delete(link, pool_uuid, name)


def _is_younger(link: Connection, pool_uuid: str, name: str, crash: Crash) -> bool:
    """Return True when a volume came to be so late that the dead process cannot have made it."""
    stamps = XmlDoc.parse(volumes.xml(link, pool_uuid, name)).root.find("target/timestamps")
    told = 0.0 if stamps is None else float(stamps.findtext("ctime") or 0)
    return told == 0 or dt.datetime.fromtimestamp(told, dt.UTC) > crash.begun + BIRTH_LIMIT


@dataclass(frozen=True)
class CreateVolume(Action["Host"]):
    """Create a volume; one that exists is never overwritten and never removed."""

    kind: ClassVar[str] = "create-volume"
    pool: str
    name: str
    capacity: int
    format: str
    xml: str

    @property
    def title(self) -> str:
        size = Size(self.capacity) if self.capacity else "as large as its backing image"
        return f"create volume {self.name} ({size}, {self.format}) in pool {self.pool}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed(shlex.join(["vol-create", self.pool]), self.xml),)

    @property
    def diff(self) -> str:
        return _added(self.xml)

    def check(self, host: Host) -> None:
        require_new_volume(host, self.pool, self.name)

    def do(self, host: Host, control: JobControl) -> None:
        volumes.create(host.connection, pools.find(host.connection, self.pool), self.xml)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        _delete_unused(host, self.pool, self.name, crash)


def require_new_volume(host: Host, pool: str, name: str) -> None:
    """Make sure that a pool has no volume of a name, not even one it has not noticed yet.

    Raises:
        ConflictError: it has one.
    """
    try:
        pool_uuid = pools.find(host.connection, pool)
        if not pools.read(host.connection, pool_uuid).is_active:
            # Started by an action before; libvirt itself then refuses a name that exists.
            return
        pools.refresh(host.connection, pool_uuid)
        found = volumes.read(host.connection, pool_uuid, name)
    except NotFoundError:
        return
    raise ConflictError(
        f"create volume {name} in pool {pool}",
        uri=host.label,
        libvirt_text=f"{found.path} exists already",
        hint="choose another name, or use the volume as it is: VolumeSource(...)",
    )


@dataclass(frozen=True)
class UploadVolume(Action["Host"]):
    """Copy a file of this machine into a new volume of the host."""

    kind: ClassVar[str] = "upload-volume"
    pool: str
    name: str
    capacity: int
    xml: str
    path: str

    @property
    def title(self) -> str:
        return f"upload {Path(self.path).name} ({Size(self.capacity)}) to pool {self.pool}"

    @property
    def virsh(self) -> tuple[str, ...]:
        upload = ["vol-upload", self.name, self.path, "--pool", self.pool]
        return (fed(shlex.join(["vol-create", self.pool]), self.xml), shlex.join(upload))

    def check(self, host: Host) -> None:
        require_new_volume(host, self.pool, self.name)

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        pool_uuid = pools.find(link, self.pool)
        volumes.create(link, pool_uuid, self.xml)

        def progress(done: int) -> None:
            control.check()
            control.report(self.title, fraction=done / max(self.capacity, 1))

        with Path(self.path).open("rb") as source:
            volumes.upload(link, pool_uuid, self.name, source.read, progress)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        _delete_unused(host, self.pool, self.name, crash)


@dataclass(frozen=True)
class DefineDomain(Action["Host"]):
    """Store the definition of a new domain."""

    kind: ClassVar[str] = "define-domain"
    name: str
    uuid: str
    xml: str

    @property
    def title(self) -> str:
        return f"define domain {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed("define --validate", self.xml),)

    @property
    def diff(self) -> str:
        return _added(self.xml)

    def check(self, host: Host) -> None:
        require_new_domain(host, self.name)

    def do(self, host: Host, control: JobControl) -> None:
        domains.define(host.connection, self.xml)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            record = domains.read(host.connection, self.uuid)
            if record.id is not None:
                domains.destroy(host.connection, self.uuid)
            domains.undefine(host.connection, self.uuid, managed_save=True, nvram="remove")
        except NotFoundError:
            return


def require_new_domain(host: Host, name: str) -> None:
    """Make sure that the host has no domain of this name.

    Raises:
        ConflictError: it has one.
    """
    try:
        domains.find(host.connection, name)
    except NotFoundError:
        return
    raise ConflictError(
        f"create domain {name}",
        uri=host.label,
        libvirt_text=f"domain {name} exists already",
        hint=f"another name, or host.domains[{name!r}] to use the one that exists",
    )


@dataclass(frozen=True)
class StartDomain(Action["Host"]):
    """Start a domain that was defined before it, or create it transient from its XML."""

    kind: ClassVar[str] = "start-domain"
    name: str
    uuid: str
    paused: bool = False
    transient_xml: str = ""
    serial_log: str = ""

    @property
    def title(self) -> str:
        if self.transient_xml:
            return f"create transient domain {self.name}"
        return f"start domain {self.name}{' paused' if self.paused else ''}"

    @property
    def virsh(self) -> tuple[str, ...]:
        paused = ("--paused",) * self.paused
        if self.transient_xml:
            return (fed(shlex.join(["create", "--validate", *paused]), self.transient_xml),)
        return (shlex.join(["start", self.name, *paused]),)

    @property
    def diff(self) -> str:
        return _added(self.transient_xml) if self.transient_xml else ""

    def do(self, host: Host, control: JobControl) -> None:
        host.mark_serial(self.uuid, self.serial_log)
        if self.transient_xml:
            domains.create(host.connection, self.transient_xml, paused=self.paused)
        else:
            domains.start(host.connection, self.uuid, paused=self.paused)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            domains.destroy(host.connection, self.uuid)
        except (NotFoundError, ConflictError):
            return
        except HostError:
            # It may have ended between the look and the call.
            if domains.read(host.connection, self.uuid).id is not None:
                raise


ACTIONS: dict[str, type[Action[Any]]] = (
    CLONE_ACTIONS
    | {
        kind.kind: kind
        for kind in (
            StartPool,
            DefinePool,
            StartNetwork,
            CreateVolume,
            UploadVolume,
            DefineDomain,
            StartDomain,
            *NETWORK_ACTIONS,
            AttachDevice,
            ChangeDefinition,
        )
    }
    | KEEPING_ACTIONS
    | MIGRATING_ACTIONS
)
