"""The verbs of a domain that moves to another host (G12.3-01): look first, move, look again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import domain_tuning as tuning
from labvirt.errors import LabvirtError, PreconditionError, UnsupportedError
from labvirt.host.handle import DomainHandle
from labvirt.host.migrating.asking import disks_uri_of, options_of, params_of, virsh_words
from labvirt.host.migrating.migrating_actions import MoveDomain
from labvirt.host.migrating.moving import Move, label_of
from labvirt.host.migrating.obstacles import all_shared
from labvirt.host.migrating.outcome import look
from labvirt.host.migrating.preflight import Preflight, examine, require_movable
from labvirt.host.migrating.storage_prep import Prepared, prepare
from labvirt.model.arguments import Count, Measuring, checked
from labvirt.model.migration import MigrationSpec
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from labvirt.connection import Connection
    from labvirt.host.host import Host
    from labvirt.host.migrating.outcome import Whereabouts
    from labvirt.host.migrating.result import MigrationResult
    from labvirt.host.migrating.track import MigrationTrack

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
        document = DomainXml.parse(self.xml())
        return examine(
            self,
            document,
            destination,
            wanted,
            self._landing(document, destination, wanted),
            data_uri=self._data_uri(wanted, destination),
            measure_s=checked(Measuring, f"look at {self.name}", measure_s=measure_s).measure_s,
        )

    @verb
    def migrate(
        self,
        /,
        destination: Host,
        spec: MigrationSpec | None = None,
        *,
        confirm: bool = False,
        **options: Any,
    ) -> Plan[MigrationResult]:
        """Move the domain to another host.

        Interrupting or cancelling aborts it; the domain then goes on where it was. Volumes for
        disks that are copied are made before, and removed again when it fails, also after the
        process was killed, at the next opening of this host.

        Args:
            destination: the other host, open for writing.
            spec: how; all defaults when left out.
            confirm: agree that volumes which are on the destination already are written over.
            options: fields of `MigrationSpec`, which change `spec`: ``live``, ``offline``,
                ``mode``, ``migrate_uri``, ``bandwidth_mib_s``, ``timeout_s`` ...

        Returns:
            The figures, and the domain on its new host.

        Raises:
            SpecError: an option is wrong, or two contradict each other.
            PreconditionError: it cannot work; every reason, before anything was changed.
            ConfirmationError: a volume for a copied disk exists there, and `confirm` is not given.
            UnsupportedError: libvirt cannot do this; says what to try.
            PlanError: it failed after volumes were made there; says what was removed.
            WaitTimeoutError: aborted because of ``timeout_s``.
            HostError: it failed; says on which host the domain is now, and how to recover.
        """
        wanted = (spec or MigrationSpec()).replace(**options)
        document = DomainXml.parse(self.xml())
        prepared = self._landing(document, destination, wanted)
        data_uri = self._data_uri(wanted, destination)
        require_movable(self, document, destination, wanted, prepared, data_uri=data_uri)
        warnings = tuple(
            f"disk {each.target} is copied to {each.path}; its image here, {each.source}, stays"
            for each in prepared.landings
        )
        return self._moving(
            destination,
            wanted,
            prepared,
            python=f".migrate({destination.python}{_python(wanted)})",
            warnings=warnings,
            confirm=confirm,
        )

    @verb
    def resume_postcopy(
        self, /, destination: Host, spec: MigrationSpec | None = None, **options: Any
    ) -> Plan[MigrationResult]:
        """Go on with a migration that was cut off after the switch to post-copy.

        Until then the guest waits on the destination for memory that only this host has; neither
        of the two may be stopped.

        Args:
            destination: the host to which it was switched over.
            spec: how the data goes; as in `migrate`.
            options: fields of `MigrationSpec`.

        Raises:
            PreconditionError: no migration of it was cut off after the switch.
            HostError: it failed again; says what each host has.
        """
        wanted = (spec or MigrationSpec()).replace(**{"postcopy": True, **options})
        found = look(self.host, destination, self.uuid, self.name)
        if found.where != "split":
            raise PreconditionError(
                f"resume the post-copy migration of {self.name} to {destination.name}: none was "
                f"cut off: {found.text}"
            )
        return self._moving(
            destination,
            wanted,
            Prepared(),
            python=f".resume_postcopy({destination.python}{_python(wanted)})",
            resume=True,
        )

    def _landing(self, document: DomainXml, destination: Host, spec: MigrationSpec) -> Prepared:
        """Return where disks that are copied land; nothing when that cannot be asked."""
        if not spec.copies_disks or destination == self.host or not self.is_active:
            return Prepared()
        try:
            return prepare(self, document, destination, spec)
        except LabvirtError as error:
            return Prepared(problems=[error.what])

    def _moving(
        self,
        destination: Host,
        spec: MigrationSpec,
        prepared: Prepared,
        *,
        python: str,
        warnings: tuple[str, ...] = (),
        confirm: bool = False,
        resume: bool = False,
    ) -> Plan[MigrationResult]:
        """Return the plan: volumes on the destination, then the move."""
        document = DomainXml.parse(self.xml())
        data_uri = self._data_uri(spec, destination)
        disks_uri = disks_uri_of(data_uri)
        if spec.tls and prepared.landings and disks_uri is not None:
            raise UnsupportedError(
                f"migrate domain {self.name} to {destination.name}",
                uri=self.host.label,
                libvirt_text="disks that are copied through a unix socket cannot be encrypted",
                hint="migrate_uri='tcp://ADDRESS' of the destination, or tls=False",
            )
        params = params_of(
            spec,
            disks=prepared.targets,
            disks_uri=disks_uri,
            xml=prepared.xml,
            persistent_xml=prepared.persistent_xml,
        )
        unsafe = spec.unsafe or all_shared(document, self.host, destination, prepared.targets)
        chosen = frozenset(options_of(spec) | ({"postcopy-resume"} if resume else set()))
        words = virsh_words(
            spec.replace(unsafe=unsafe),
            self.name,
            spec.peer_uri or destination.label,
            migrate_uri=data_uri,
            params=params,
            options=chosen,
        )
        label = f"{label_of(spec)}{', resumed' if resume else ''}"
        move = Move(self, destination, spec, chosen, data_uri, params, unsafe, label)
        action = MoveDomain(
            self.name,
            self.uuid,
            destination.label,
            destination.name,
            self.virsh(*words),
            tuple(prepared.destroys),
            run=move.run,
            destination=destination,
        )
        return Plan(
            title=action.title,
            host=self.host,
            actions=(*prepared.actions, action),
            result=lambda: action.results[-1],
            warnings=warnings,
            python=f"{self.host.python}.domains[{self.name!r}]{python}",
            confirmed=confirm,
            journal=self.host.journal,
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
            lambda link, _control: self._switched(link),
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

    def _switched(self, link: Connection) -> None:
        tuning.start_postcopy(link, self.uuid)
        track = self.migration
        if track is not None and not track.is_over:
            track.switch()

    def _data_uri(self, spec: MigrationSpec, destination: Host) -> str | None:
        """Return where the data goes; None lets the destination say."""
        if spec.migrate_uri is not None or spec.offline or spec.mode == "tunnelled":
            return spec.migrate_uri
        known = destination.facts.migrate_uri
        # The same name each time: what a migration that was broken off has left of it is taken
        # over by the next one.
        return None if known is None else known.format(id=self.uuid.replace("-", ""))


def _python(spec: MigrationSpec) -> str:
    """Return the options that were given, as Python's arguments."""
    given = {name: getattr(spec, name) for name in sorted(spec.model_fields_set)}
    return "".join(f", {name}={value!r}" for name, value in given.items())
