"""The verbs of a domain that moves to another host (G12.3-01): look first, move, look again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import domain_tuning as tuning
from labvirt.errors import (
    CancelledError,
    HostError,
    LabvirtError,
    WaitTimeoutError,
)
from labvirt.host.handle import DomainHandle
from labvirt.host.line import moved as lines_moved
from labvirt.host.migrating.asking import params_of, virsh_words
from labvirt.host.migrating.obstacles import all_shared, copied_disks
from labvirt.host.migrating.outcome import look, settled
from labvirt.host.migrating.preflight import Preflight, examine, require_movable
from labvirt.host.migrating.result import MigrationResult, result_of
from labvirt.host.migrating.running import Running
from labvirt.host.migrating.track import MigrationTrack
from labvirt.model.arguments import Count, Measuring, checked
from labvirt.model.migration import MigrationSpec
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from labvirt.connection import Connection
    from labvirt.host.host import Host
    from labvirt.host.migrating.outcome import Whereabouts
    from labvirt.plan import JobControl

__all__ = ["MigratingVerbs"]


class MigratingVerbs(DomainHandle):
    """Migration."""

    @property
    def migration(self) -> MigrationTrack | None:
        """What is or was seen of this domain's newest migration from this host; None: of none."""
        return self.host.migrations.get(self.uuid)

    def can_migrate(
        self,
        destination: Host,
        spec: MigrationSpec | None = None,
        *,
        measure_s: int = 1,
        **options: Any,
    ) -> Preflight:
        """Look at both hosts before a migration, item by item (12.1); nothing is changed.

        Hosts, versions, machine type, processor, each disk, each interface, ports, clocks, names,
        memory, devices, snapshots, jobs: each with a verdict, evidence and a remedy; and how long
        it will take.

        Args:
            destination: the other host.
            spec: how; all defaults when left out.
            measure_s: for how long the guest's writing is measured, for the prediction; 0: not.
            options: fields of `MigrationSpec`, which change `spec`.

        Returns:
            The findings: ``.can``, ``.why``, ``.df()``, ``["disk:vda"]``.

        Raises:
            SpecError: an option is wrong, or two contradict each other.
            NotFoundError: the domain is gone.
        """
        wanted = (spec or MigrationSpec()).replace(**options)
        return examine(
            self,
            DomainXml.parse(self.xml()),
            destination,
            wanted,
            data_uri=self._data_uri(wanted, destination),
            measure_s=checked(Measuring, f"look at {self.name}", measure_s=measure_s).measure_s,
        )

    @verb
    def migrate(
        self, /, destination: Host, spec: MigrationSpec | None = None, **options: Any
    ) -> Plan[MigrationResult]:
        """Move the domain to another host.

        Interrupting or cancelling aborts it; the domain then goes on where it was.

        Args:
            destination: the other host, open for writing.
            spec: how; all defaults when left out.
            options: fields of `MigrationSpec`, which change `spec`: ``live``, ``offline``,
                ``mode``, ``migrate_uri``, ``bandwidth_mib_s``, ``timeout_s`` ...

        Returns:
            The figures, and the domain on its new host.

        Raises:
            SpecError: an option is wrong, or two contradict each other.
            PreconditionError: it cannot work; every reason, before anything was changed.
            WaitTimeoutError: aborted because of ``timeout_s``.
            HostError: it failed; says on which host the domain is now, and how to recover.
        """
        wanted = (spec or MigrationSpec()).replace(**options)
        document = DomainXml.parse(self.xml())
        data_uri = self._data_uri(wanted, destination)
        require_movable(self, document, destination, wanted, data_uri=data_uri)
        copied = copied_disks(document, self.host, destination, wanted)
        params = params_of(wanted, disks=copied)
        unsafe = wanted.unsafe or all_shared(document, self.host, destination)
        words = virsh_words(
            wanted.replace(unsafe=unsafe),
            self.name,
            wanted.peer_uri or destination.label,
            migrate_uri=data_uri,
            params=params,
        )

        def run(link: Connection, control: JobControl) -> MigrationResult:
            track = MigrationTrack(self.name, self.host.name, destination.name, _label(wanted))
            self.host.migrations[self.uuid] = track
            running = Running(
                self,
                destination,
                wanted,
                track,
                data_uri=data_uri,
                params=params,
                unsafe=unsafe,
            )
            try:
                seconds = running.run(link, control)
            except LabvirtError as error:
                raise self._explained(error, destination, control, running, wanted) from error
            return self._verified(destination, seconds, running, wanted)

        return self.one_call(
            f"migrate to {destination.name} the domain",
            run,
            virsh=tuple(words),
            python=f".migrate({destination.python}{_python(wanted)})",
            warnings=tuple(
                f"disk {target} is copied: it must be on {destination.name} already, of the same "
                "size, or in an active pool of the same path"
                for target in copied
            ),
        )

    @verb
    def set_migration_speed(self, mib_s: int) -> Plan[None]:
        """Limit the data of migrations, also of one that runs (``virsh migrate-setspeed``).

        Args:
            mib_s: MiB/s.

        Raises:
            SpecError: no number above zero.
        """
        checked(Count, f"limit the migration of {self.name}", count=mib_s)
        return self.one_call(
            "limit the migration speed of domain",
            lambda link, _control: self._tuned(
                lambda: tuning.set_max_speed(link, self.uuid, mib_s), f"speed {mib_s} MiB/s"
            ),
            virsh=("migrate-setspeed", self.name, mib_s),
            python=f".set_migration_speed({mib_s})",
        )

    @verb
    def set_migration_downtime(self, ms: int) -> Plan[None]:
        """Say how long the guest may stand still at the end of a migration, also of one that runs.

        Args:
            ms: milliseconds (``virsh migrate-setmaxdowntime``); QEMU's own limit is 300.

        Raises:
            SpecError: no number above zero.
            ConflictError: the domain is not running.
        """
        checked(Count, f"limit the downtime of {self.name}", count=ms)
        return self.one_call(
            "limit the migration downtime of domain",
            lambda link, _control: self._tuned(
                lambda: tuning.set_max_downtime(link, self.uuid, ms), f"downtime {ms} ms"
            ),
            virsh=("migrate-setmaxdowntime", self.name, ms),
            python=f".set_migration_downtime({ms})",
        )

    @verb
    def switch_to_postcopy(self) -> Plan[None]:
        """Let a guest that is being migrated run on the destination now; the rest follows.

        From then on it has memory on both hosts: if one of them fails, it is lost.

        Raises:
            ConflictError: no migration with ``postcopy=True`` is under way.
        """
        return self.one_call(
            "switch over to post-copy the domain",
            lambda link, _control: self._tuned(
                lambda: tuning.start_postcopy(link, self.uuid), "switched over"
            ),
            virsh=("migrate-postcopy", self.name),
            python=".switch_to_postcopy()",
        )

    def whereabouts(self, destination: Host) -> Whereabouts:
        """Ask this host and another where the domain is, and what to do if it is not just once."""
        return look(self.host, destination, self.uuid, self.name)

    def _tuned(self, change: Any, text: str) -> None:
        change()
        track = self.migration
        if track is not None and not track.is_over:
            track.mark("tuned", text)

    def _data_uri(self, spec: MigrationSpec, destination: Host) -> str | None:
        """Return where the data goes; None lets the destination say."""
        if spec.migrate_uri is not None or spec.offline or spec.mode == "tunnelled":
            return spec.migrate_uri
        known = destination.facts.migrate_uri
        # The same name each time: what a migration that was broken off has left of it is taken
        # over by the next one.
        return None if known is None else known.format(id=self.uuid.replace("-", ""))

    def _explained(
        self,
        error: LabvirtError,
        destination: Host,
        control: JobControl,
        running: Running,
        spec: MigrationSpec,
    ) -> LabvirtError:
        """Say on which host the domain is after a migration that failed, and what to do."""
        found = settled(self.host, destination, self.uuid, self.name)
        now = f"; now: {found.text}"
        hint = "; ".join(found.recover)
        if control.cancelled:
            return CancelledError(f"the migration of {self.name} was cancelled{now}", hint=hint)
        if running.timed_out:
            last = running.track.samples[-2:-1]
            seen = f"{last[0].remaining_bytes / (1 << 20):.0f} MiB left" if last else "nothing yet"
            return WaitTimeoutError(
                f"the migration of {self.name} to {destination.name}{now}",
                timeout_s=spec.timeout_s,
                last_seen=seen,
                hint=hint
                or "a longer timeout_s, more bandwidth, auto_converge=True, postcopy=True",
            )
        if isinstance(error, HostError):
            return type(error)(
                f"migrate domain {self.name} to {destination.name}{now}: this",
                uri=self.host.label,
                code=error.code,
                domain=error.domain,
                libvirt_text=error.libvirt_text or error.what,
                hint="; ".join(one for one in (error.hint, hint) if one),
            )
        return error

    def _verified(
        self, destination: Host, seconds: float, running: Running, spec: MigrationSpec
    ) -> MigrationResult:
        """Look at both hosts: it must be there, and run only there."""
        self.host.note_move(self.uuid, destination)
        # One that is shut off has no process anywhere, and nothing is to be waited for.
        limit_s = 0.0 if spec.offline else 30.0
        found = settled(self.host, destination, self.uuid, self.name, timeout_s=limit_s)
        is_there = found.there is not None and found.here_is_off
        if not (is_there if spec.offline else found.where == "moved"):
            raise HostError(
                f"verify the migration of {self.name}",
                uri=destination.label,
                libvirt_text=found.text,
                hint="; ".join(found.recover),
            )
        moved = destination.domains[self.uuid]
        if found.here is None:
            self.host.news.note("domain", None, self.uuid)
        lines_moved(self, moved)
        return result_of(moved, found, seconds, running.stats, running.track)


def _label(spec: MigrationSpec) -> str:
    """Return what was asked in short, for charts that compare."""
    if spec.offline:
        return "offline"
    words = ["live"] if spec.live else ["paused"]
    words += ["post-copy"] * spec.postcopy + ["auto-converge"] * spec.auto_converge
    words += [spec.compression] * (spec.compression is not None)  # type: ignore[list-item]
    words += [f"{spec.parallel} connections"] * (spec.parallel is not None)
    words += ["TLS"] * spec.tls + [spec.mode] * spec.p2p + ["disks"] * spec.copies_disks
    words += [f"{spec.bandwidth_mib_s} MiB/s"] * (spec.bandwidth_mib_s is not None)
    return ", ".join(words)


def _python(spec: MigrationSpec) -> str:
    """Return the options that were given, as Python's arguments."""
    given = {name: getattr(spec, name) for name in sorted(spec.model_fields_set)}
    return "".join(f", {name}={value!r}" for name, value in given.items())
