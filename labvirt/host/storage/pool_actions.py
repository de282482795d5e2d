"""The actions of plans on storage pools; each can be undone, also by another process."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import ConflictError, HostError, NotFoundError
from labvirt.host.handle import xml_diff
from labvirt.host.shell import fed
from labvirt.model.redact import redact_xml
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["POOL_ACTIONS", "AutostartPool", "BuildPool", "DefineStoragePool", "EditPool"]


def _stop_unused(host: Host, uuid: str) -> None:
    """Stop a pool that a dead process started, unless somebody has made volumes in it by now."""
    link = host.connection
    if not pools.read(link, uuid).is_active:
        return
    pools.refresh(link, uuid)
    if not set(volumes.names(link, uuid)) - {"lost+found"}:
        pools.stop(link, uuid)


@dataclass(frozen=True)
class DefineStoragePool(Action["Host"]):
    """Store the definition of a new pool; nothing of its place is touched."""

    kind: ClassVar[str] = "define-storage-pool"
    name: str
    uuid: str
    xml: str

    @property
    def title(self) -> str:
        return f"define pool {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed("pool-define --validate", self.xml),)

    @property
    def diff(self) -> str:
        return "\n".join(f"+{line}" for line in redact_xml(self.xml).splitlines())

    def check(self, host: Host) -> None:
        host.require_writable(self.title)

    def do(self, host: Host, control: JobControl) -> None:
        pools.define(host.connection, self.xml)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            if crash is not None:
                _stop_unused(host, self.uuid)
            pools.undefine(host.connection, self.uuid)
        except NotFoundError:
            return


@dataclass(frozen=True)
class BuildPool(Action["Host"]):
    """Make the place of a pool.

    Attributes:
        name: its name.
        uuid: its UUID.
        overwrite: format the device even if there are data on it.
        no_overwrite: format it only if it is empty.
        device: what is formatted; empty when nothing is.
        made: the folder did not exist, so it goes again when this is undone.
    """

    kind: ClassVar[str] = "build-pool"
    name: str
    uuid: str
    overwrite: bool = False
    no_overwrite: bool = False
    device: str = ""
    made: bool = False

    @property
    def title(self) -> str:
        return f"build pool {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        flags = ["--overwrite"] * self.overwrite + ["--no-overwrite"] * self.no_overwrite
        return (shlex.join(["pool-build", self.name, *flags]),)

    @property
    def destroys(self) -> tuple[str, ...]:
        return (f"everything on {self.device}",) if self.overwrite and self.device else ()

    def do(self, host: Host, control: JobControl) -> None:
        try:
            pools.build(
                host.connection,
                self.uuid,
                overwrite=self.overwrite,
                no_overwrite=self.no_overwrite,
            )
        except ConflictError as error:
            # The folder is ours, though the device has somebody's data.
            self.undo(host)
            error.hint = "start it as it is: leave out build; or lose what is on it: overwrite=True"
            raise

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        if not self.made:
            return
        try:
            if crash is not None:
                _stop_unused(host, self.uuid)
            # Libvirt removes a folder only when it is empty.
            pools.delete(host.connection, self.uuid)
        except (NotFoundError, HostError):
            return


@dataclass(frozen=True)
class AutostartPool(Action["Host"]):
    """Start a pool with the host's daemon, or no longer."""

    kind: ClassVar[str] = "autostart-pool"
    name: str
    uuid: str
    on: bool

    @property
    def title(self) -> str:
        return f"{'set' if self.on else 'clear'} autostart of pool {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["pool-autostart", self.name, *(["--disable"] * (not self.on))]),)

    def do(self, host: Host, control: JobControl) -> None:
        pools.set_autostart(host.connection, self.uuid, self.on)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            pools.set_autostart(host.connection, self.uuid, not self.on)
        except (NotFoundError, ConflictError):
            return


@dataclass(frozen=True)
class EditPool(Action["Host"]):
    """Put another definition in the place of a pool's."""

    kind: ClassVar[str] = "edit-pool"
    name: str
    uuid: str
    before_xml: str
    xml: str

    @property
    def title(self) -> str:
        return f"edit pool {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed("pool-define --validate", self.xml),)

    @property
    def diff(self) -> str:
        return xml_diff(self.before_xml, self.xml, self.name)

    def check(self, host: Host) -> None:
        host.require_writable(self.title)

    def do(self, host: Host, control: JobControl) -> None:
        pools.define(host.connection, self.xml)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            pools.read(host.connection, self.uuid)
        except NotFoundError:
            return
        pools.define(host.connection, self.before_xml)


POOL_ACTIONS = (DefineStoragePool, BuildPool, AutostartPool, EditPool)
