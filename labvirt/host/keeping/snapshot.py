"""Snapshot: one snapshot of a domain, with its verbs; and the collection of them, as a tree."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from labvirt.connection import snapshot as calls
from labvirt.errors import SpecError
from labvirt.host.collection import Collection, Table
from labvirt.host.handle import python_call
from labvirt.host.keeping.judging_back import descendants, judge_delete, judge_revert
from labvirt.host.keeping.reverting import revert_external, revert_internal
from labvirt.host.keeping.sizes import snapshot_sizes
from labvirt.host.keeping.snapshot_actions import DeleteSnapshot
from labvirt.host.keeping.snapshot_text_actions import DescribeSnapshot, PointSnapshot
from labvirt.host.storage.disk_actions import DeleteFile
from labvirt.model.arguments import Labels, checked
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.handle import DomainHandle
    from labvirt.host.keeping.verdict import Verdict
    from labvirt.model.units import Size
    from labvirt.plan import Action
    from labvirt.status import SnapshotRecord

__all__ = ["Snapshot", "Snapshots", "snapshots_of"]

SNAPSHOTS = Table(
    "snapshot",
    [
        ("name", "", lambda r: r.name),
        ("parent", "", lambda r: r.parent),
        ("current", "", lambda r: r.is_current),
        ("state", "", lambda r: r.state),
        ("disks", "", lambda r: r.location),
        ("memory", "", lambda r: r.memory),
        ("created", "UTC", lambda r: r.created),
        ("description", "", lambda r: r.description),
        (
            "files",
            "",
            lambda r: (*r.overlays.values(), *([r.memory_file] if r.memory_file else [])),
        ),
        ("read_at", "UTC", lambda r: r.read_at),
    ],
)


class Snapshot:
    """A snapshot of a domain."""

    def __init__(self, domain: DomainHandle, name: str) -> None:
        self.domain = domain
        self.name = name

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<Snapshot {self.name} of {self.domain.name}>"

    @property
    def _python(self) -> str:
        host = self.domain.host
        return f"{host.python}.domains[{self.domain.name!r}].snapshots[{self.name!r}]"

    def info(self) -> SnapshotRecord:
        """Read the snapshot now.

        Raises:
            NotFoundError: it is gone.
        """
        return calls.read(self.domain.host.connection, self.domain.uuid, self.name)

    def xml(self, *, secure: bool = False) -> str:
        """Return its XML (``virsh snapshot-dumpxml``), with the domain of that time."""
        return calls.xml(self.domain.host.connection, self.domain.uuid, self.name, secure=secure)

    @property
    def parent(self) -> Snapshot | None:
        """The snapshot it grew from, None for a root."""
        name = self.info().parent
        return Snapshot(self.domain, name) if name else None

    @property
    def children(self) -> tuple[Snapshot, ...]:
        """The snapshots that grew from it."""
        return tuple(
            Snapshot(self.domain, one.name)
            for one in calls.list_all(self.domain.host.connection, self.domain.uuid)
            if one.parent == self.name
        )

    def verdict(self, action: str = "revert", **options: Any) -> Verdict:
        """Tell what reverting to it, or deleting it, would do; nothing is changed.

        Args:
            action: ``revert`` or ``delete``.
            options: those of `delete`: ``children``, ``children_only``, ``metadata_only``.

        Raises:
            SpecError: nobody knows the action.
        """
        if action == "revert":
            return judge_revert(self.domain, self.info())
        if action == "delete":
            return judge_delete(self.domain, self.info(), **options)
        raise SpecError(f"there is no verdict on {action!r}", hint="revert or delete")

    @verb
    def revert(
        self,
        *,
        running: bool = False,
        paused: bool = False,
        force: bool = False,
        confirm: bool = False,
    ) -> Plan[None]:
        """Put the domain back to this snapshot.

        An internal one is reverted by libvirt: what came after is lost. Of an external one the
        old state gets a new overlay, and the definition names it: nothing is lost, it can be
        undone, and the files that the domain no longer uses are named.

        Args:
            running: run afterwards, whatever it was then.
            paused: be paused afterwards, whatever it was then.
            force: also when QEMU must be started anew for it (internal).
            confirm: agree to what is lost.

        Raises:
            ConflictError: it is not in a state to be reverted; says what to do.
        """
        record = self.info()
        verdict = judge_revert(self.domain, record)
        verdict.require()
        make = revert_external if record.is_external else revert_internal
        actions = make(self.domain, record, verdict, running=running, paused=paused, force=force)
        options = {"running": running, "paused": paused, "force": force, "confirm": confirm}
        return self._plan(
            verdict.what,
            actions,
            lambda: None,
            python_call("", "revert", (), options),
            warnings=(*verdict.warnings, *(f"{path} stays, unused" for path in verdict.leaves)),
            confirm=confirm,
        )

    @verb
    def delete(
        self,
        *,
        children: bool = False,
        children_only: bool = False,
        metadata_only: bool = False,
        confirm: bool = False,
    ) -> Plan[None]:
        """Delete this snapshot; the domain goes on as it is.

        An external one is merged into the file below, also while the domain runs.

        Args:
            children: and all that grew from it.
            children_only: only what grew from it.
            metadata_only: forget it; its data and files stay.
            confirm: agree to lose the states.

        Raises:
            UnsupportedError: libvirt cannot merge it; says why and what to do by hand.
        """
        options = {
            "children": children,
            "children_only": children_only,
            "metadata_only": metadata_only,
        }
        record = self.info()
        verdict = judge_delete(self.domain, record, **options)
        verdict.require()
        return self._plan(
            verdict.what,
            self._deletions(record, verdict, **options),
            lambda: None,
            python_call("", "delete", (), {**options, "confirm": confirm}),
            warnings=(*verdict.warnings, *(f"{path} stays" for path in verdict.leaves)),
            confirm=confirm,
        )

    def _deletions(
        self,
        record: SnapshotRecord,
        verdict: Verdict,
        *,
        children: bool,
        children_only: bool,
        metadata_only: bool,
    ) -> list[Action[Any]]:
        uuid, name = self.domain.uuid, self.domain.name
        every = calls.list_all(self.domain.host.connection, uuid)
        below = descendants(every, record.name) if children or children_only else ()
        going = below if children_only else (record, *below)
        if metadata_only or not any(one.is_external for one in going):
            return [
                DeleteSnapshot(
                    uuid,
                    name,
                    record.name,
                    children=children,
                    children_only=children_only,
                    metadata_only=metadata_only,
                    loses=() if metadata_only else verdict.discards,
                )
            ]
        actions: list[Action[Any]] = []
        for one in reversed(going):  # libvirt merges external ones only one by one
            lost = f"the state of snapshot {one.name}"
            actions.append(
                DeleteSnapshot(uuid, name, one.name, targets=tuple(one.overlays), loses=(lost,))
            )
            if one.memory_file:
                actions.append(DeleteFile(one.memory_file, f"the memory of snapshot {one.name}"))
        return actions

    @verb
    def set_description(self, text: str | None) -> Plan[None]:
        """Write another description; None removes it.

        Raises:
            SpecError: no text, or characters that XML cannot carry.
        """
        asked = checked(Labels, f"describe snapshot {self.name}", description=text or None)
        before = self.info().description
        action = DescribeSnapshot(
            self.domain.uuid, self.domain.name, self.name, before, asked.description or ""
        )
        return self._plan(
            action.title, [action], lambda: None, python_call("", "set_description", (text,), {})
        )

    @verb
    def make_current(self) -> Plan[None]:
        """Say that the domain goes on from this snapshot; no data are touched."""
        every = calls.list_all(self.domain.host.connection, self.domain.uuid)
        current = next((one.name for one in every if one.is_current), "")
        self.info()
        action = PointSnapshot(
            self.domain.uuid, self.domain.name, self.name, current, before={}, after={}
        )
        return self._plan(action.title, [action], lambda: None, ".make_current()")

    def _plan(
        self,
        title: str,
        actions: Sequence[Action[Any]],
        result: Callable[[], None],
        python: str,
        *,
        warnings: tuple[str, ...] = (),
        confirm: bool = False,
    ) -> Plan[None]:
        return Plan(
            title=title,
            host=self.domain.host,
            actions=tuple(actions),
            result=result,
            warnings=warnings,
            python=f"{self._python}{python}",
            confirmed=confirm,
            journal=self.domain.host.journal,
        )


class Snapshots(Collection[Snapshot]):
    """The snapshots of a domain, by name, parents before their children."""

    domain: DomainHandle

    def sizes(self) -> dict[str, Size | None]:
        """Return the bytes that each takes, by name, as far as this machine can see it.

        Of an external one its files, of an internal one the memory inside the image.
        """
        return snapshot_sizes(self.domain, self._read())

    @property
    def current(self) -> Snapshot | None:
        """The snapshot from which the domain goes on, None without one."""
        found = next((record for record in self._read() if record.is_current), None)
        return self._wrap(found) if found is not None else None

    @property
    def roots(self) -> tuple[Snapshot, ...]:
        """The snapshots that grew from none."""
        return tuple(self._wrap(record) for record in self._read() if not record.parent)

    @property
    def tree(self) -> str:
        """The snapshots as a tree in text; the current one is marked."""
        return "\n".join(_branches(self._read(), "", ""))

    def _repr_html_(self) -> str:
        """Return the table, and the tree above it."""
        records = self._read()
        tree = "\n".join(_branches(records, "", ""))
        shown = f"<pre>{escape(tree)}</pre>" if records else ""
        return shown + self._table.html(records, f"{len(records)} snapshots of {self._where_text}")


def _branches(records: Sequence[SnapshotRecord], parent: str, indent: str) -> list[str]:
    own = [record for record in records if record.parent == parent]
    lines = []
    for number, record in enumerate(own):
        last = number == len(own) - 1
        mark = " ← now" if record.is_current else ""
        lines.append(
            f"{indent}{'└─ ' if last else '├─ '}{record.name} ({record.location}, {record.state}, "
            f"{record.created:%Y-%m-%d %H:%M:%S}){mark}"
        )
        lines += _branches(records, record.name, indent + ("   " if last else "│  "))
    return lines


def snapshots_of(domain: DomainHandle) -> Snapshots:
    """Return the snapshots of a domain."""
    found = Snapshots(
        "snapshot",
        f"domain {domain.name} of {domain.host.name}",
        records=lambda: calls.list_all(domain.host.connection, domain.uuid),
        wrap=lambda record: Snapshot(domain, record.name),
        table=SNAPSHOTS,
        cached=lambda: ((), None),
    )
    found.domain = domain
    return found
