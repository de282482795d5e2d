"""The actions of a migration: volumes made on the destination before it, and the move itself."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import ConflictError
from labvirt.host.facts import HostFacts
from labvirt.host.migrating.recovery import clear_up
from labvirt.host.shell import fed
from labvirt.model.redact import redact_xml
from labvirt.model.units import Size
from labvirt.plan import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labvirt.connection import Connection
    from labvirt.host.host import Host
    from labvirt.host.migrating.result import MigrationResult
    from labvirt.plan import Crash, JobControl

__all__ = ["MIGRATING_ACTIONS", "MoveDomain", "PrepareVolume"]


@contextlib.contextmanager
def _opened(open_already: Host | None, uri: str, name: str) -> Iterator[Host]:
    """Give the destination: the open one, or in another process one that is opened for this."""
    if open_already is not None:
        yield open_already
        return
    from labvirt.host.host import Host

    with Host.open(uri, facts=HostFacts(name=name)) as host:
        yield host


def _journaled(action: Action[Any]) -> dict[str, Any]:
    """Return the fields that another process can use: no live objects, XML without secrets."""
    kept = {
        item.name: getattr(action, item.name)
        for item in dataclasses.fields(action)
        if item.name not in {"destination", "run", "results"}
    }
    return {
        "kind": action.kind,
        **{key: redact_xml(value) if key == "xml" else value for key, value in kept.items()},
    }


@dataclass(frozen=True)
class PrepareVolume(Action["Host"]):
    """Make the volume on the destination into which a disk is copied.

    Attributes:
        to_uri: the destination.
        to_name: its name.
        pool: name of the pool there.
        name: name of the volume.
        capacity: bytes.
        format: ``raw`` or ``qcow2``.
        xml: the volume.
        destination: the destination, open; None in a process that recovers.
    """

    kind: ClassVar[str] = "prepare-volume"
    to_uri: str
    to_name: str
    pool: str
    name: str
    capacity: int
    format: str
    xml: str
    destination: Host | None = field(default=None, compare=False, repr=False)

    @property
    def title(self) -> str:
        return (
            f"create volume {self.name} ({Size(self.capacity)}, {self.format}) in pool "
            f"{self.pool} of {self.to_name}"
        )

    @property
    def shell(self) -> tuple[str, ...]:
        line = shlex.join(["virsh", "-c", self.to_uri, "vol-create", self.pool])
        return (fed(line, self.xml),)

    @property
    def diff(self) -> str:
        return "\n".join(f"+{line}" for line in redact_xml(self.xml).splitlines())

    def to_record(self) -> dict[str, Any]:
        return _journaled(self)

    def check(self, host: Host) -> None:
        from labvirt.host.actions import require_new_volume

        with _opened(self.destination, self.to_uri, self.to_name) as there:
            require_new_volume(there, self.pool, self.name)

    def do(self, host: Host, control: JobControl) -> None:
        with _opened(self.destination, self.to_uri, self.to_name) as there:
            link = there.connection
            volumes.create(link, pools.find(link, self.pool), self.xml)

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        from labvirt.host.actions import CreateVolume

        made = CreateVolume(self.pool, self.name, self.capacity, self.format, self.xml)
        with _opened(self.destination, self.to_uri, self.to_name) as there:
            try:
                made.undo(there, crash)
            except ConflictError as error:
                # The guest came through, or what is left of it still stands on this disk.
                return f"stays: {error.libvirt_text}"
        return None


@dataclass(frozen=True)
class MoveDomain(Action["Host"]):
    """Move the domain.

    Attributes:
        name: the domain.
        uuid: its identity.
        to_uri: the destination.
        to_name: its name.
        line: the virsh command.
        loses: what is written over on the destination.
        run: the move; None in a process that recovers.
        destination: the destination, open; None in a process that recovers.
        results: takes what `run` returned.
    """

    kind: ClassVar[str] = "migrate-domain"
    name: str
    uuid: str
    to_uri: str
    to_name: str
    line: str = ""
    loses: Sequence[str] = ()
    run: Callable[[Connection, JobControl], MigrationResult] | None = field(
        default=None, compare=False, repr=False
    )
    destination: Host | None = field(default=None, compare=False, repr=False)
    results: list[MigrationResult] = field(default_factory=list, compare=False, repr=False)

    @property
    def title(self) -> str:
        return f"migrate to {self.to_name} the domain {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (self.line,) if self.line else ()

    @property
    def destroys(self) -> tuple[str, ...]:
        return tuple(self.loses)

    def to_record(self) -> dict[str, Any]:
        return _journaled(self)

    def check(self, host: Host) -> None:
        for each in filter(None, (host, self.destination)):
            each.require_writable(self.title)

    def do(self, host: Host, control: JobControl) -> None:
        assert self.run is not None
        self.results.append(self.run(host.connection, control))

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        if crash is None:
            # `run` has looked at both hosts, and its error says what it found.
            return None
        with _opened(self.destination, self.to_uri, self.to_name) as there:
            return clear_up(host, there, self.uuid, self.name, crash.begun)


MIGRATING_ACTIONS: dict[str, type[Action[Any]]] = {
    kind.kind: kind for kind in (PrepareVolume, MoveDomain)
}
