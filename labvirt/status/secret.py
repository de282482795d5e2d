"""What a secret object of libvirt is at one moment; never its value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["USAGES", "SecretRecord"]

#: Libvirt's usage types by number (``virSecretUsageType``).
USAGES = ("none", "volume", "ceph", "iscsi", "tls", "vtpm")


@dataclass(frozen=True, slots=True)
class SecretRecord:
    """One secret object (``virsh secret-list``).

    Attributes:
        uuid: the identity, dashed, lower case.
        usage_type: ``volume``, ``ceph``, ``iscsi``, ``tls``, ``vtpm`` or ``none``.
        usage: what it is found by: a path or a name; empty when it has none.
        read_at: when it was read, aware, UTC.
    """

    kind: ClassVar[str] = "secret"

    uuid: str
    usage_type: str
    usage: str
    read_at: datetime = field(compare=False)

    @property
    def name(self) -> str:
        """The usage, or the UUID of one without."""
        return self.usage or self.uuid
