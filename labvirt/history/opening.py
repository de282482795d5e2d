"""Opening what was kept: a recording or a folder of roll-ups, by what is found there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import NotFoundError
from labvirt.history.recording import Recording

if TYPE_CHECKING:
    from os import PathLike

    from labvirt.history.parquet import ParquetSource

__all__ = ["open"]


def open(path: str | PathLike[str]) -> Recording | ParquetSource:  # noqa: A001 - read as labvirt.history.open
    """Open a recording (a file) or a folder of roll-ups.

    Args:
        path: the file or folder.

    Raises:
        NotFoundError: there is nothing of that name.
        SpecError: it is something else; says what.
        LabvirtError: it is damaged so much that nothing can be read.
        UnsupportedError: a folder, and duckdb is not installed (extra ``history``).
    """
    place = Path(path).expanduser().absolute()
    if place.is_dir():
        from labvirt.history.parquet import ParquetSource

        return ParquetSource(place)
    if not place.exists():
        raise NotFoundError(f"open the history {place}", libvirt_text="no such file or folder")
    return Recording(place)
