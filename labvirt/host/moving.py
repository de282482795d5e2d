"""Moving a running domain to another host (G12.3-01): look first, move, then verify both hosts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as calls
from labvirt.connection import network as networks
from labvirt.errors import CancelledError, HostError, LabvirtError, NotFoundError, PreconditionError
from labvirt.host.files import files_of
from labvirt.host.following_jobs import followed
from labvirt.host.handle import DomainHandle
from labvirt.host.line import moved as lines_moved
from labvirt.model.arguments import Count, Wait, checked
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.connection import Connection
    from labvirt.host.domain import Domain
    from labvirt.host.host import Host
    from labvirt.plan import JobControl

__all__ = ["MigrationResult", "MovingVerbs"]


@dataclass(frozen=True)
class MigrationResult:
    """How a migration went.

    Attributes:
        domain: the domain, on its new host.
        source: name of the host it left.
        destination: name of the host it came to.
        seconds: the whole call.
        total_ms: the hypervisor's own job time; None when it did not say.
        downtime_ms: how long the guest stood still; None when unknown.
        sent: memory that went over the wire.
        iterations: how often memory was gone over.
        stats: everything the hypervisor said of the job.
    """

    domain: Domain
    source: str
    destination: str
    seconds: float
    total_ms: int | None
    downtime_ms: int | None
    sent: Size
    iterations: int
    stats: dict[str, Any] = field(repr=False, default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.domain.name}: {self.source} -> {self.destination} in {self.seconds:.2f} s, "
            f"downtime {self.downtime_ms} ms, {self.sent.mib:.0f} MiB sent"
        )


class MovingVerbs(DomainHandle):
    """Migration."""

    @verb
    def migrate(
        self,
        destination: Host,
        *,
        live: bool = True,
        migrate_uri: str | None = None,
        persistent: bool = True,
        undefine: bool = True,
        copy_storage: bool = False,
        bandwidth_mib_s: int | None = None,
        max_downtime_ms: int | None = None,
        timeout_s: float = 600.0,
    ) -> Plan[MigrationResult]:
        """Move the running domain to another host.

        Interrupting or cancelling aborts it; the domain then goes on where it was.

        Args:
            destination: the other host, open for writing.
            live: let the guest run while its memory is copied.
            migrate_uri: how the data goes (``tcp://host``, ``unix:///path``); by default what the
                destination is known by.
            persistent: the destination keeps the definition.
            undefine: the definition is removed here.
            copy_storage: copy the disks that both hosts do not share. They must be there, of the
                same size, or in an active pool of the same path, where libvirt makes them.
            bandwidth_mib_s: limit in MiB/s.
            max_downtime_ms: how long the guest may stand still at the end, milliseconds.
            timeout_s: abort after that time.

        Returns:
            The figures, and the domain on its new host.

        Raises:
            SpecError: a limit is no number above zero.
            PreconditionError: it cannot work; every reason, before anything was changed.
            HostError: it failed; says on which host the domain is now.
        """
        checked(Wait, f"migrate {self.name}", timeout_s=timeout_s)
        if bandwidth_mib_s is not None:
            checked(Count, f"limit the migration of {self.name}", count=bandwidth_mib_s)
        if max_downtime_ms is not None:
            checked(Count, f"limit the downtime of {self.name}", count=max_downtime_ms)
        document = DomainXml.parse(self.xml())
        reasons = list(_obstacles(self, document, destination, copied=copy_storage))
        if reasons:
            raise PreconditionError(
                f"migrate domain {self.name} from {self.host.name} to {destination.name}: "
                + "; ".join(reasons)
            )
        data_uri = migrate_uri
        if data_uri is None and destination.facts.migrate_uri is not None:
            # The same name each time: what a migration that was broken off has left of it is
            # taken over by the next one.
            data_uri = destination.facts.migrate_uri.format(id=self.uuid.replace("-", ""))
        words = ["migrate", *("--live",) * live, *("--persistent",) * persistent]
        words += [*("--undefinesource",) * undefine, *("--copy-storage-all",) * copy_storage]
        words += ["--bandwidth", str(bandwidth_mib_s)] if bandwidth_mib_s is not None else []
        words += [self.name, destination.label]
        words += [data_uri] if data_uri else []

        options = {
            "live": (live, True),
            "persistent": (persistent, True),
            "undefine": (undefine, True),
            "copy_storage": (copy_storage, False),
            "bandwidth_mib_s": (bandwidth_mib_s, None),
            "max_downtime_ms": (max_downtime_ms, None),
        }
        given = "".join(
            f", {name}={value!r}" for name, (value, usual) in options.items() if value != usual
        )

        def run(link: Connection, control: JobControl) -> MigrationResult:
            began = time.monotonic()
            control.on_cancel(lambda: calls.abort_job(link, self.uuid))
            try:
                if max_downtime_ms is not None:
                    calls.set_max_downtime(link, self.uuid, max_downtime_ms)
                with followed(self.host, self.uuid, control):
                    calls.migrate(
                        link,
                        self.uuid,
                        destination.connection,
                        live=live,
                        migrate_uri=data_uri,
                        persistent=persistent,
                        undefine_source=undefine,
                        unsafe=_all_shared(document, self.host, destination),
                        options=("copy-storage-all",) * copy_storage,
                        bandwidth_mib_s=bandwidth_mib_s,
                        timeout_s=timeout_s,
                    )
            except LabvirtError as error:
                raise self._explained(error, destination, control) from error
            self.host.note_move(self.uuid, destination)
            return self._verified(destination, time.monotonic() - began)

        return self.one_call(
            f"migrate to {destination.name} the domain",
            run,
            virsh=tuple(words),
            python=f".migrate({destination.python}{given})",
            warnings=tuple(_doubts(document, self.host, destination, copied=copy_storage)),
        )

    def _explained(
        self, error: LabvirtError, destination: Host, control: JobControl
    ) -> LabvirtError:
        """Say on which host the domain is after a migration that failed."""
        where = [
            f"on {host.name} it is {found.state.text}"
            for host in (self.host, destination)
            if (found := _look(host, self.uuid)) is not None
        ]
        now = "; now: " + (" and ".join(where) or "neither host answers for it")
        if control.cancelled:
            return CancelledError(f"the migration of {self.name} was cancelled{now}")
        if isinstance(error, HostError):
            return type(error)(
                f"migrate domain {self.name} to {destination.name}{now}: this",
                uri=self.host.label,
                code=error.code,
                domain=error.domain,
                libvirt_text=error.libvirt_text or error.what,
                hint=error.hint,
            )
        return error

    def _verified(self, destination: Host, seconds: float) -> MigrationResult:
        """Look at both hosts: it must run there, and only there."""
        moved = destination.domains[self.uuid]
        left = _look(self.host, self.uuid)
        if not moved.is_active or (left is not None and left.id is not None):
            raise HostError(
                f"verify the migration of {self.name}",
                uri=destination.label,
                libvirt_text=f"{self.host.name}: {left.state.text if left else 'gone'}; "
                f"{destination.name}: {moved.state.text}",
            )
        if left is None:
            self.host.news.note("domain", None, self.uuid)
        lines_moved(self, moved)
        stats = _stats(destination, self.uuid) or _stats(self.host, self.uuid)
        return MigrationResult(
            domain=moved,
            source=self.host.name,
            destination=destination.name,
            seconds=seconds,
            total_ms=stats.get("time_elapsed"),
            downtime_ms=stats.get("downtime"),
            sent=Size(stats.get("memory_processed", 0)),
            iterations=stats.get("memory_iteration", 0),
            stats=stats,
        )


def _look(host: Host, uuid: str) -> Any:
    try:
        return calls.read(host.connection, uuid)
    except LabvirtError:
        return None


def _stats(host: Host, uuid: str) -> dict[str, Any]:
    try:
        return dict(calls.job_stats(host.connection, uuid, completed=True))
    except LabvirtError:
        return {}


def _doubts(document: DomainXml, source: Host, destination: Host, *, copied: bool) -> Iterator[str]:
    """Yield what may yet go wrong and nobody can see before."""
    for path in files_of(document) if copied else ():
        if not _is_shared(path, source, destination):
            yield f"{path} is copied: it must be on {destination.name}, of the same size"


def _obstacles(
    domain: DomainHandle, document: DomainXml, destination: Host, *, copied: bool = False
) -> Iterator[str]:
    """Yield every reason why a migration cannot work, as far as it can be seen before."""
    if not domain.is_active:
        yield f"{domain.name} is not running"
    if destination.readonly:
        yield f"{destination.name} is open read-only"
    if destination == domain.host:
        yield "source and destination are the same host"
        return
    present = {record.name: record for record in calls.list_all(destination.connection)}
    namesake = present.get(domain.name)
    if namesake is not None and (namesake.uuid != domain.uuid or namesake.id is not None):
        yield f"{destination.name} has a domain {domain.name} ({namesake.state.text}) already"
    yield from _missing_networks(document, destination)
    for path in files_of(document):
        if not copied and not _is_shared(path, domain.host, destination):
            yield f"{path} is not on storage that both hosts share"


def _missing_networks(document: DomainXml, destination: Host) -> Iterator[str]:
    for name in {i.source_network for i in document.interfaces if i.source_network}:
        link = destination.connection
        try:
            found = networks.read(link, networks.find(link, name))
        except NotFoundError:
            yield f"{destination.name} has no network {name}"
            continue
        if not found.is_active:
            yield f"network {name} of {destination.name} is not active"


def _is_shared(path: str, source: Host, destination: Host) -> bool:
    """Return True when both hosts are known to see the same file at this path."""
    both = set(source.facts.shared_folders) & set(destination.facts.shared_folders)
    return any(Path(path).is_relative_to(folder) for folder in both)


def _all_shared(document: DomainXml, source: Host, destination: Host) -> bool:
    """Return True when libvirt's own check, which knows only network file systems, may be off."""
    return all(_is_shared(path, source, destination) for path in files_of(document))
