"""The store: records by kind and identity, and the changes between two readings of them.

It is pure: no clock, no thread, no libvirt. Records go in, changes come out, so its tests are
lists. Whoever shares a store between threads brings the lock.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["Change", "Record", "Store"]


class Record(Hashable, Protocol):
    """Anything the store keeps: frozen, compared by value, with a kind and an identity."""

    @property
    def kind(self) -> str:
        """``domain``, ``network``, ``pool``, ``volume`` ..."""
        ...

    @property
    def uuid(self) -> str:
        """The identity, unique within the kind."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """One real difference between two readings.

    Attributes:
        kind: kind of the record: ``domain``, ``network``, ``pool``, ``volume`` ...
        uuid: the identity of the record.
        before: the record before; None when it is new.
        after: the record now; None when it is gone.
    """

    kind: str
    uuid: str
    before: Record | None
    after: Record | None


class Store:
    """What is known of a host, by kind and identity.

    A reading that differs from the last only in the time it was read is kept (so that its age is
    right) but is no change.
    """

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Record]] = {}
        self._stale_since: datetime | None = None

    @property
    def stale_since(self) -> datetime | None:
        """Since when the records can no longer be trusted; None while they can."""
        return self._stale_since

    def mark_stale(self, since: datetime) -> bool:
        """Say that the records are out of date since a moment; the first moment counts.

        Returns:
            Whether this was news.
        """
        if self._stale_since is not None:
            return False
        self._stale_since = since
        return True

    def mark_fresh(self) -> bool:
        """Say that everything has been read again.

        Returns:
            Whether this was news.
        """
        was_stale = self._stale_since is not None
        self._stale_since = None
        return was_stale

    def get(self, kind: str, uuid: str) -> Record | None:
        """Return one record, None when it is not known."""
        return self._records.get(kind, {}).get(uuid)

    def all(self, kind: str) -> tuple[Record, ...]:
        """Return every record of a kind, in the order in which they were first seen."""
        return tuple(self._records.get(kind, {}).values())

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds that have records, in the order in which they were first seen."""
        return tuple(kind for kind, records in self._records.items() if records)

    def put(self, record: Record) -> tuple[Change, ...]:
        """Keep a new reading of one record.

        Returns:
            One change, or none when nothing but the time of reading differs.
        """
        records = self._records.setdefault(record.kind, {})
        before = records.get(record.uuid)
        records[record.uuid] = record
        return () if before == record else (Change(record.kind, record.uuid, before, record),)

    def drop(self, kind: str, uuid: str) -> tuple[Change, ...]:
        """Forget a record that is gone.

        Returns:
            One change, or none when it was not known.
        """
        before = self._records.get(kind, {}).pop(uuid, None)
        return () if before is None else (Change(kind, uuid, before, None),)

    def replace_all(self, kind: str, records: Iterable[Record]) -> tuple[Change, ...]:
        """Take a complete listing of a kind; every record must be of that kind.

        Returns:
            The changes: new and different records in the order of the listing, then those gone.
        """
        listed = tuple(records)
        changes = [change for record in listed for change in self.put(record)]
        present = {record.uuid for record in listed}
        gone = [uuid for uuid in self._records.get(kind, {}) if uuid not in present]
        changes += [change for uuid in gone for change in self.drop(kind, uuid)]
        return tuple(changes)
