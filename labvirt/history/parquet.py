"""ParquetSource: a folder of roll-ups as a history, read by DuckDB."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from labvirt.errors import LabvirtError, SpecError
from labvirt.history.extras import need
from labvirt.history.frames import columns_of, frame
from labvirt.history.rolling import read_about
from labvirt.history.source import Window
from labvirt.history.windows import Loaded, limits
from labvirt.status.sample import Mark, Subject
from labvirt.status.series import series_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    import pandas as pd

    from labvirt.history.source import Form
    from labvirt.status.series import Kind

__all__ = ["ParquetSource", "Statistic"]

Statistic = Literal["mean", "min", "max", "last"]


class ParquetSource:
    """The roll-ups in a folder; a `Source`. Times are the beginnings of the bins.

    Args:
        folder: the folder that `rollup` wrote.
        statistic: what a value is: ``mean`` of a bin, its ``min``, ``max`` or ``last``.

    Raises:
        SpecError: it is no such folder; there is no such statistic.
        UnsupportedError: duckdb is not installed (extra ``history``).
    """

    def __init__(self, folder: str | PathLike[str], *, statistic: Statistic = "mean") -> None:
        if statistic not in get_args(Statistic):
            raise SpecError(
                f"there is no statistic {statistic!r}", hint=", ".join(get_args(Statistic))
            )
        self.folder = Path(folder).expanduser().absolute()
        self.statistic = statistic
        self.every_s = float(read_about(self.folder)["every_s"])
        duckdb = need("duckdb", "history", "read roll-ups")
        self._error: type[Exception] = duckdb.Error
        self._db = duckdb.connect(":memory:")
        self._db.execute("SET autoinstall_known_extensions = false; SET TimeZone = 'UTC'")
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}

    def __repr__(self) -> str:
        """Return one line."""
        return f"<ParquetSource {self.folder}: {self.statistic} of {self.every_s:g} s>"

    def close(self) -> None:
        """Close DuckDB; calling it twice is harmless."""
        self._db.close()

    # -- as a Source ------------------------------------------------------------------------

    def span(self) -> tuple[float, float] | None:
        """Return the beginnings of the first and last bin; None when there is none."""
        ends = []
        for kind in ("host", "domain"):
            if files := self._files(kind):
                sql = "SELECT epoch(min(time)), epoch(max(time)) FROM read_parquet($files)"
                ends += self._ask(sql, {"files": sorted({files[0], files[-1]})})
        if not ends:
            return None
        return float(min(low for low, _ in ends)), float(max(high for _, high in ends))

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom there are roll-ups of, those that are gone included."""
        columns_of(kind, None)
        files = self._files(kind)
        if not files:
            return ()
        sql = (
            "SELECT host, uuid, device, arg_max(domain, time) FROM read_parquet($files)"
            " GROUP BY ALL ORDER BY ALL"
        )
        rows = self._ask(sql, {"files": files})
        self._names.update({uuid: name for _, uuid, _, name in rows if uuid})
        return tuple(Subject(*row[:3]) for row in rows)

    def name(self, uuid: str) -> str:
        """Return the last known name of a domain, its UUID when none is known."""
        if uuid not in self._names and uuid:
            self.subjects("domain")
        return self._names.get(uuid, uuid)

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one subject; see `Source.window`.

        Raises:
            SpecError: there is no such series.
        """
        return self._windows(kind, fields, start, end, subject)[subject]

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened, in order of time."""
        path = self.folder / "marks.parquet"
        if not path.exists():
            return ()
        low, high = limits(start, end)
        sql = (
            'SELECT "at", kind, host, uuid, text FROM read_parquet($files)'
            ' WHERE "at" BETWEEN $low AND $high ORDER BY "at"'
        )
        rows = self._ask(sql, {"files": [str(path)], "low": low, "high": high})
        return tuple(Mark(*row) for row in rows)

    def df(
        self,
        kind: Kind = "domain",
        *,
        fields: Sequence[str] | None = None,
        domains: Iterable[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        form: Form = "long",
    ) -> pd.DataFrame:
        """Return roll-ups as a table; see `Source.df`.

        Raises:
            SpecError: there is no such series, kind or form.
        """
        names = [series_of(kind)[column].name for column in columns_of(kind, fields)]
        loaded = Loaded(self, lambda: self._windows(kind, names, start, end, None))
        return frame(loaded, kind, fields=names, domains=domains, start=start, end=end, form=form)

    # -- more -------------------------------------------------------------------------------

    def top(
        self,
        field: str = "cpu_percent",
        count: int = 10,
        *,
        kind: Kind = "domain",
        start: float | None = None,
        end: float | None = None,
    ) -> pd.DataFrame:
        """Return who had most of something: host, domain, uuid, device, and the mean over the span.

        Args:
            field: name of a series.
            count: how many.
            kind: of whom.
            start: from when, seconds since 1970; None from the first.
            end: until when.

        Raises:
            SpecError: there is no such series or kind.
        """
        import pandas as pd

        columns_of(kind, [field])
        rows = []
        if files := self._files(kind, start, end):
            low, high = limits(start, end)
            column = f"{field}_{self.statistic}"
            sql = (
                f"SELECT host, arg_max(domain, time), uuid, device, avg({column}) AS v"  # noqa: S608 - names of our table
                " FROM read_parquet($files, union_by_name = true)"
                " WHERE epoch(time) BETWEEN $low AND $high GROUP BY host, uuid, device"
                " HAVING v IS NOT NULL AND NOT isnan(v) ORDER BY v DESC, uuid LIMIT $count"
            )
            rows = self._ask(sql, {"files": files, "low": low, "high": high, "count": count})
        return pd.DataFrame(rows, columns=["host", "domain", "uuid", "device", field])

    # -- inside -----------------------------------------------------------------------------

    def _windows(
        self,
        kind: Kind,
        fields: Sequence[str],
        start: float | None,
        end: float | None,
        subject: Subject | None,
    ) -> dict[Subject, Window]:
        """Return windows of one subject, or of all when None."""
        columns_of(kind, fields)
        out = {} if subject is None else {subject: _empty(len(fields))}
        files = self._files(kind, start, end)
        if not files:
            return out
        low, high = limits(start, end)
        given: dict[str, Any] = {"files": files, "low": low, "high": high}
        where = "epoch(time) BETWEEN $low AND $high"
        if subject is not None:
            where = "host = $host AND uuid = $uuid AND device = $device AND " + where
            given |= {"host": subject.host, "uuid": subject.uuid, "device": subject.device}
        columns = ", ".join(f"{name}_{self.statistic}" for name in fields)
        sql = (
            f"SELECT host, uuid, device, epoch(time) AS seconds, {columns}"  # noqa: S608 - names of our table
            " FROM read_parquet($files, union_by_name = true)"
            f" WHERE {where} ORDER BY host, uuid, device, seconds"
        )
        found = self._columns(sql, given)
        who = list(zip(found["host"], found["uuid"], found["device"], strict=True))
        edges = [0, *(n for n in range(1, len(who)) if who[n] != who[n - 1]), len(who)]
        for begin, stop in pairwise(edges):
            if stop > begin:
                values = [found[f"{name}_{self.statistic}"][begin:stop] for name in fields]
                out[Subject(*who[begin])] = Window(
                    np.asarray(found["seconds"][begin:stop], dtype=np.float64),
                    np.array(values, dtype=np.float64).reshape(len(fields), stop - begin),
                )
        return out

    def _files(self, kind: str, start: float | None = None, end: float | None = None) -> list[str]:
        """Return the files that can have something of a span of time; their names sort by time."""
        import datetime as dt

        names = sorted(path.name for path in (self.folder / kind).glob("[0-9]*.parquet"))
        low, high = limits(start, end)
        out = []
        for number, name in enumerate(names):
            begin = dt.datetime.fromisoformat(_whole(name)).replace(tzinfo=dt.UTC).timestamp()
            # A file ends at the latest where the next begins; the last may be a month long.
            following = names[number + 1] if number + 1 < len(names) else None
            stop = (
                dt.datetime.fromisoformat(_whole(following)).replace(tzinfo=dt.UTC).timestamp()
                if following
                else np.inf
            )
            if begin <= high and stop > low:
                out.append(str(self.folder / kind / name))
        return out

    def _ask(self, sql: str, given: dict[str, Any]) -> list[Any]:
        with self._lock:
            try:
                return list(self._db.execute(sql, given).fetchall())
            except self._error as error:
                raise self._told(error) from None

    def _columns(self, sql: str, given: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            try:
                found = self._db.execute(sql, given).fetchnumpy()
            except self._error as error:
                raise self._told(error) from None
        return {
            name: column.filled(np.nan) if isinstance(column, np.ma.MaskedArray) else column
            for name, column in found.items()
        }

    def _told(self, error: Exception) -> LabvirtError:
        return LabvirtError(
            f"the roll-ups in {self.folder} cannot be read: {str(error).splitlines()[0]}",
            hint="move the damaged file away, then roll up again",
        )


def _whole(name: str) -> str:
    """Return the time in a file's name, as ISO 8601."""
    stem = name.removesuffix(".parquet")
    return {7: f"{stem}-01T00:00", 10: f"{stem}T00:00", 13: f"{stem}:00"}.get(len(stem), stem)


def _empty(fields: int) -> Window:
    return Window(np.empty(0), np.empty((fields, 0)))
