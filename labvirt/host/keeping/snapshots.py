"""Snapshots of a domain: making them, looking at them, taking them along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import snapshot as calls
from labvirt.errors import SpecError
from labvirt.host.handle import DomainHandle
from labvirt.host.keeping.judging import judge_create
from labvirt.host.keeping.snapshot import Snapshot, Snapshots, snapshots_of
from labvirt.host.keeping.snapshot_actions import FreezeGuest, MakeSnapshot, ThawGuest
from labvirt.host.keeping.snapshot_text_actions import RedefineSnapshots
from labvirt.host.validate import require_valid
from labvirt.model.snapshot import SnapshotSpec
from labvirt.model.spec_text import spec_text
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.snapshot import SnapshotXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labvirt.host.keeping.verdict import Verdict
    from labvirt.plan import Action

__all__ = ["SnapshotVerbs"]


def _spec(what: SnapshotSpec | str, options: dict[str, Any]) -> SnapshotSpec:
    if isinstance(what, SnapshotSpec):
        return what.replace(**options) if options else what
    return SnapshotSpec(name=what, **options)


class SnapshotVerbs(DomainHandle):
    """Verbs about snapshots."""

    @property
    def snapshots(self) -> Snapshots:
        """The snapshots of the domain, by name; also as a tree."""
        return snapshots_of(self)

    def snapshot_verdict(self, wanted: SnapshotSpec | str, /, **options: Any) -> Verdict:
        """Tell what making a snapshot would do; nothing is changed.

        Args:
            wanted: a spec, or a name.
            options: fields of `SnapshotSpec`.

        Raises:
            SpecError: the spec cannot be right.
        """
        return judge_create(self, _spec(wanted, options))[0]

    @verb
    def snapshot(self, wanted: SnapshotSpec | str, /, **options: Any) -> Plan[Snapshot]:
        """Make a snapshot: ``web1.snapshot("before", disks="external", quiesce=True)``.

        Args:
            wanted: a spec, or a name.
            options: fields of `SnapshotSpec`.

        Raises:
            SpecError: the spec cannot be right: kinds are mixed, a disk does not exist.
            ConflictError: the name or a file exists, other snapshots are of the other kind, a
                block job runs, there is too little space, the guest's agent does not answer.
            UnsupportedError: an image cannot hold snapshots.
        """
        spec = _spec(wanted, options)
        verdict, filled, memory = judge_create(self, spec)
        verdict.require()
        xml = filled.to_xml(memory="no" if memory == "none" else memory)
        require_valid(xml, "snapshot")
        make = MakeSnapshot(
            self.uuid,
            self.name,
            spec.name,
            xml,
            disk_only=memory == "none" and spec.disks == "external",
            live=memory == "external",
            files=verdict.makes,
        )
        actions: list[Action[Any]] = [make]
        if spec.quiesce:
            freeze = FreezeGuest(self.uuid, self.name)
            freeze.check(self.host)
            actions = [freeze, make, ThawGuest(self.uuid, self.name)]
        return Plan(
            title=verdict.what,
            host=self.host,
            actions=tuple(actions),
            result=lambda: Snapshot(self, spec.name),
            warnings=verdict.warnings,
            python=f"{self.host.python}.domains[{self.name!r}].snapshot({spec_text(spec)})",
            journal=self.host.journal,
        )

    def export_snapshots(self) -> tuple[str, ...]:
        """Return the XML of all snapshots, parents first, to be taken along (``redefine``).

        The text holds the passwords of the domain, if it has any.
        """
        link = self.host.connection
        return tuple(
            calls.xml(link, self.uuid, record.name, secure=True)
            for record in calls.list_all(link, self.uuid)
        )

    @verb
    def redefine_snapshots(
        self, xmls: Iterable[str], *, current: str | None = None
    ) -> Plan[Snapshots]:
        """Take over snapshots whose data are in the images already, e.g. after a move.

        Args:
            xmls: what `export_snapshots` gave, parents first.
            current: name of the snapshot the domain goes on from; the last one when None.

        Raises:
            SpecError: not the XML of a snapshot, of another domain, or a parent is missing.
            ConflictError: the domain has a snapshot of that name.
        """
        asked = f"take over snapshots of {self.name}"
        texts = tuple(xmls)
        names: list[str] = []
        known = {record.name for record in calls.list_all(self._link, self.uuid)}
        for text in texts:
            document = SnapshotXml.parse(text)
            domain = document.element.find("domain")
            uuid = DomainXml(domain, document.doc).uuid if domain is not None else None
            if uuid not in (None, self.uuid):
                raise SpecError(f"cannot {asked}: {document.name} belongs to domain {uuid}")
            if document.parent and document.parent not in (*known, *names):
                raise SpecError(
                    f"cannot {asked}: {document.name} grew from {document.parent}, which is not "
                    "there",
                    hint="parents come before their children",
                )
            names.append(document.name or "")
        if not names:
            raise SpecError(f"cannot {asked}: there are none")
        action = RedefineSnapshots(self.uuid, self.name, tuple(names), texts, current or names[-1])
        action.check(self.host)
        return Plan(
            title=action.title,
            host=self.host,
            actions=(action,),
            result=lambda: snapshots_of(self),
            python=f"{self.host.python}.domains[{self.name!r}].redefine_snapshots(xmls)",
            journal=self.host.journal,
        )
