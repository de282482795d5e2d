"""Readings: several records read together, as a tuple, a DataFrame and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from labvirt.host.collection import Column, Table

__all__ = ["Readings", "columns_of"]

R = TypeVar("R")
_UNITS = {"_bytes": "bytes", "_ns": "ns", "_s": "s", "_percent": "%", "_at": "UTC"}


def columns_of(kind: type[Any], *, without: Sequence[str] = ()) -> list[Column]:
    """Return the columns of a table of records: their fields; the unit is the end of the name."""

    def column(name: str) -> Column:
        unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")
        return (name, unit, lambda record: getattr(record, name))

    return [column(each.name) for each in fields(kind) if each.name not in without]


class Readings(Sequence[R]):
    """Records of one kind, read together.

    ``.df`` has one row each; the units stand in its ``.attrs["units"]``.

    Args:
        table: shows them.
        caption: what they are, in words.
        records: the records.
    """

    def __init__(self, table: Table, caption: str, records: Iterable[R]) -> None:
        self._table, self._caption = table, caption
        self._records = tuple(records)

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[R, ...]: ...
    def __getitem__(self, index: int | slice) -> R | tuple[R, ...]:
        return self._records[index]

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Readings: {self._caption}>"

    @property
    def df(self) -> pd.DataFrame:
        """One row each; a counter that is not known is ``<NA>``."""
        frame = self._table.frame(self._records)
        units = frame.attrs
        for name in frame.columns:
            values = [getattr(one, name) for one in self._records]
            if values and all(value is None or type(value) is int for value in values):
                frame[name] = frame[name].astype("Int64")
        frame.attrs = units
        return frame

    def _repr_html_(self) -> str:
        return self._table.html(self._records, self._caption)
