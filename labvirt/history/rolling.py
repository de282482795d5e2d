"""Roll-ups: mean, lowest, highest and last value of each minute, in Parquet files.

A folder of roll-ups has ``labvirt.json`` (format, length of a bin), ``marks.parquet``, and for each
kind of subject one file an hour (a day for bins of five minutes or more, a month for an hour or
more). Rows are sorted by host, domain, device and time, so that one domain is read without the
others. Files are written beside their place and renamed; rolling up again changes nothing, and
bins that the recording has meanwhile forgotten stay.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labvirt.errors import AccessDeniedError, LabvirtError, SpecError
from labvirt.history.amounts import seconds_of
from labvirt.history.bins import Rows, gather
from labvirt.history.extras import need
from labvirt.history.recording import Recording
from labvirt.status.series import KINDS, series_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from labvirt.status.series import Kind

__all__ = ["ABOUT", "STATISTICS", "RolledUp", "rollup"]

ABOUT: Final = "labvirt.json"
STATISTICS: Final = ("mean", "min", "max", "last")
KEYS: Final = ("host", "uuid", "device", "time")
_FORMAT: Final = 1
#: Rows of a row group: an hour of about 128 domains.
_GROUP: Final = 8192


@dataclass(frozen=True, slots=True)
class RolledUp:
    """What a roll-up did.

    Attributes:
        folder: where the files are.
        written: files that were written or changed.
        kept: files that had everything already.
        rows: rows of the files that were written.
    """

    folder: Path
    written: tuple[Path, ...]
    kept: int
    rows: int

    def __str__(self) -> str:
        return (
            f"{self.folder}: {len(self.written)} files written ({self.rows} rows), {self.kept} kept"
        )


def rollup(
    recording: Recording | str | PathLike[str],
    folder: str | PathLike[str],
    every: float | str = "1 min",
) -> RolledUp:
    """Roll a recording up into Parquet files, which `ParquetSource` and any other tool reads.

    Args:
        recording: the recording, or its file; it may still be written.
        folder: where the files go; made when it is absent. Further recordings may go there too.
        every: length of a bin, 1 s to 1 day; the same for everything in a folder.

    Raises:
        SpecError: `every` is no such length or not that of the folder; the folder is something
            else.
        AccessDeniedError: the folder cannot be written.
        UnsupportedError: pyarrow is not installed (extra ``history``).
    """
    need("pyarrow", "history", "roll up a recording")
    every_s = seconds_of(every, "every")
    if not 1 <= every_s <= 86400 or 86400 % every_s:
        raise SpecError(f"every: {every!r} is not 1 s to 1 day, or no part of a day")
    source = recording if isinstance(recording, Recording) else Recording(recording)
    place = Path(folder).expanduser().absolute()
    try:
        return _Roller(source, place, every_s).run()
    except OSError as error:
        if error.errno == 28:
            raise LabvirtError(f"roll up to {place} failed: no space left on its disk") from None
        raise AccessDeniedError(f"roll up to {place}", libvirt_text=str(error)) from None


class _Roller:
    """One roll-up."""

    def __init__(self, source: Recording, folder: Path, every_s: float) -> None:
        self._source = source
        self._folder = folder
        self._every_s = every_s
        self._written: list[Path] = []
        self._kept = self._rows = 0

    def run(self) -> RolledUp:
        self._prepare()
        span = self._source.span()
        if span is not None:
            for begin, end, name in _periods(*span, self._every_s):
                complete = span[1] >= end
                todo = [kind for kind in KINDS if not self._is_complete(kind, name)]
                self._kept += len(KINDS) - len(todo)
                if todo:
                    self._period(todo, begin, end, name, complete=complete)
            self._marks()
        return RolledUp(self._folder, tuple(self._written), self._kept, self._rows)

    def _prepare(self) -> None:
        about = self._folder / ABOUT
        if self._folder.exists() and not about.exists() and any(self._folder.iterdir()):
            raise SpecError(
                f"{self._folder} holds something else than roll-ups",
                hint="name a new or empty folder",
            )
        if about.exists():
            known = read_about(self._folder)
            if known["every_s"] != self._every_s:
                raise SpecError(
                    f"{self._folder} has bins of {known['every_s']:g} s, not {self._every_s:g} s",
                    hint="name another folder for other bins",
                )
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": _FORMAT, "every_s": self._every_s})
        with _beside(about) as new:
            new.write_text(text)

    def _file(self, kind: Kind, name: str) -> Path:
        return self._folder / kind / f"{name}.parquet"

    def _is_complete(self, kind: Kind, name: str) -> bool:
        """Tell whether this recording has nothing to add to a file."""
        path = self._file(kind, name)
        return path.exists() and self._source.identity in _complete_of(path)

    def _period(
        self, kinds: list[Kind], begin: float, end: float, name: str, *, complete: bool
    ) -> None:
        rows: dict[Kind, Rows] = {kind: Rows(kind) for kind in kinds}
        samples = self._source.samples(start=begin, end=np.nextafter(end, begin))
        for kind, found in gather(samples, self._every_s):
            if kind in rows:
                rows[kind].add(found, self._source.name)
        for kind, made in rows.items():
            if made.count:
                self._store(kind, name, made, complete=complete)

    def _store(self, kind: Kind, name: str, made: Rows, *, complete: bool) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._file(kind, name)
        table = pa.table(made.columns())
        done: set[str] = set()
        old = None
        if path.exists():
            old = read_table(path)
            done = _complete_of(path)
            table = pa.concat_tables([old, table], promote_options="default")
        table = _sorted_once(table)
        if complete:
            done |= {self._source.identity}
        elif old is not None and old.equals(table):
            self._kept += 1
            return
        table = table.cast(_schema(kind, table.schema, self._every_s, done))
        path.parent.mkdir(exist_ok=True)
        with _beside(path) as new:
            pq.write_table(table, new, compression="zstd", row_group_size=_GROUP)
        self._written.append(path)
        self._rows += table.num_rows

    def _marks(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._folder / "marks.parquet"
        names = ("at", "kind", "host", "uuid", "text")
        found = {(m.at, m.kind, m.host, m.uuid, m.text) for m in self._source.marks()}
        known = set()
        if path.exists():
            known = {tuple(row[name] for name in names) for row in read_table(path).to_pylist()}
        if found <= known:
            return
        rows = sorted(found | known)
        table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})
        with _beside(path) as new:
            pq.write_table(table, new, compression="zstd")
        self._written.append(path)


def read_about(folder: Path) -> dict[str, Any]:
    """Return what a folder says of itself.

    Raises:
        SpecError: it is no folder of roll-ups, or of a later labvirt.
    """
    try:
        about = json.loads((folder / ABOUT).read_text())
        version, every_s = int(about["format"]), float(about["every_s"])
    except (OSError, ValueError, KeyError, TypeError):
        raise SpecError(f"{folder} is no folder of roll-ups: it has no sound {ABOUT}") from None
    if version > _FORMAT:
        raise SpecError(f"{folder} was written by a later labvirt", hint="bring labvirt up to date")
    return {"format": version, "every_s": every_s}


def read_table(path: Path) -> Any:
    """Return a Parquet file as a table of pyarrow.

    Raises:
        LabvirtError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read().replace_schema_metadata(None)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> LabvirtError:
    return LabvirtError(
        f"the roll-up {path} is damaged: {str(error).splitlines()[0]}",
        hint="move it away, then roll up again",
    )


def _complete_of(path: Path) -> set[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        meta = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None
    return set(json.loads(meta.get(b"labvirt", b"{}")).get("complete", ()))


def _periods(first: float, last: float, every_s: float) -> Iterator[tuple[float, float, str]]:
    """Return begin, end and name of the files that a span of time falls into."""
    at = dt.datetime.fromtimestamp(first, dt.UTC).replace(minute=0, second=0, microsecond=0)
    shape = "%Y-%m-%dT%H"
    if every_s >= 300:
        at, shape = at.replace(hour=0), "%Y-%m-%d"
    if every_s >= 3600:
        at, shape = at.replace(day=1), "%Y-%m"
    while at.timestamp() <= last:
        if every_s < 300:
            following = at + dt.timedelta(hours=1)
        elif every_s < 3600:
            following = at + dt.timedelta(days=1)
        else:
            following = (at + dt.timedelta(days=32)).replace(day=1)
        yield at.timestamp(), following.timestamp(), at.strftime(shape)
        at = following


def _sorted_once(table: Any) -> Any:
    """Return rows sorted, each bin once: of two the one that saw more samples, then the newer."""
    keys = [(key, "ascending") for key in (*KEYS, "samples")]
    table = table.sort_by(keys)
    if table.num_rows < 2:
        return table
    differs = np.zeros(table.num_rows - 1, dtype=bool)
    for key in KEYS:
        column = table.column(key).combine_chunks()
        differs |= np.asarray(column[1:].to_numpy(zero_copy_only=False)) != np.asarray(
            column[:-1].to_numpy(zero_copy_only=False)
        )
    return table.take(np.flatnonzero(np.append(differs, True)))


def _schema(kind: Kind, schema: Any, every_s: float, done: set[str]) -> Any:
    """Return the schema with unit and definition of every column, and what is complete."""
    about = {
        f"{each.name}_{statistic}": {
            b"unit": each.unit.encode(),
            b"definition": f"{statistic} of: {each.definition}".encode(),
        }
        for each in series_of(kind)
        for statistic in STATISTICS
    }
    for index, each in enumerate(schema):
        schema = schema.set(index, each.with_metadata(about.get(each.name)))
    told = {"format": _FORMAT, "every_s": every_s, "kind": kind, "complete": sorted(done)}
    return schema.with_metadata({"labvirt": json.dumps(told)})


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a file beside a place, and rename it to that place when it is complete."""
    new = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        yield new
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
