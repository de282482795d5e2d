"""Checkpoint: since when changed blocks of a domain's disks are known; and the chain of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import checkpoint as calls
from labvirt.host.collection import Collection, Table
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from labvirt.host.handle import DomainHandle
    from labvirt.status import CheckpointRecord

__all__ = ["Checkpoint", "Checkpoints", "checkpoints_of"]

CHECKPOINTS = Table(
    "checkpoint",
    [
        ("name", "", lambda r: r.name),
        ("parent", "", lambda r: r.parent),
        ("created", "UTC", lambda r: r.created),
        ("disks", "", lambda r: r.targets),
        ("description", "", lambda r: r.description),
        ("read_at", "UTC", lambda r: r.read_at),
    ],
)


class Checkpoint:
    """A checkpoint of a domain."""

    kind: ClassVar[str] = "checkpoint"

    def __init__(self, domain: DomainHandle, name: str) -> None:
        self.domain = domain
        self.name = name

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<Checkpoint {self.name} of {self.domain.name}>"

    def info(self) -> CheckpointRecord:
        """Read the checkpoint now.

        Raises:
            NotFoundError: it is gone.
        """
        return calls.read(self.domain.host.connection, self.domain.uuid, self.name)

    def xml(self, *, secure: bool = False) -> str:
        """Return its XML (``virsh checkpoint-dumpxml``)."""
        return calls.xml(self.domain.host.connection, self.domain.uuid, self.name, secure=secure)

    @verb
    def delete(
        self, *, children: bool = False, metadata_only: bool = False, confirm: bool = False
    ) -> Plan[None]:
        """Delete this checkpoint; its changes count for the one before it from now on.

        Args:
            children: and all that came after it.
            metadata_only: forget it; the bitmaps stay in the images.
            confirm: agree that no backup can be made since then.
        """
        options = {"children": children, "metadata_only": metadata_only}
        words: list[Any] = ["checkpoint-delete", self.domain.name, self.name]
        words += ["--children"] * children + ["--metadata"] * metadata_only
        return self.domain.one_call(
            f"delete checkpoint {self.name} of domain",
            lambda link, _: calls.delete(link, self.domain.uuid, self.name, **options),
            virsh=tuple(words),
            python=f".checkpoints[{self.name!r}].delete(confirm=True)",
            destroys=(f"the record of what changed since checkpoint {self.name}",),
            confirm=confirm,
        )


class Checkpoints(Collection[Checkpoint]):
    """The checkpoints of a domain, by name, the first one first."""

    @property
    def latest(self) -> Checkpoint | None:
        """The last one, None without any."""
        records = self._read()
        return self._wrap(records[-1]) if records else None


def checkpoints_of(domain: DomainHandle) -> Checkpoints:
    """Return the checkpoints of a domain."""
    return Checkpoints(
        "checkpoint",
        f"domain {domain.name} of {domain.host.name}",
        records=lambda: calls.list_all(domain.host.connection, domain.uuid),
        wrap=lambda record: Checkpoint(domain, record.name),
        table=CHECKPOINTS,
        cached=lambda: ((), None),
    )
