"""Collections: what a host has, by name, as objects, as a DataFrame and as HTML."""

from __future__ import annotations

import datetime as dt
import difflib
import fnmatch
from html import escape
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from labvirt.errors import NotFoundError, SpecError
from labvirt.status.filtering import facts_of_record, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pandas as pd

    from labvirt.host.bulk import Bulk
    from labvirt.host.host import Host

__all__ = ["Collection", "Table"]

T = TypeVar("T")

#: One column of a table: its name, its unit (empty for none), and how to read it from a record.
Column = tuple[str, str, "Callable[[Any], Any]"]


class Table:
    """Records as a DataFrame and as HTML, by one list of columns."""

    def __init__(self, kind: str, columns: Sequence[Column]) -> None:
        self.kind = kind
        self.columns = tuple(columns)

    def frame(self, records: Iterable[Any]) -> pd.DataFrame:
        """Return the records as a DataFrame; units are in ``.attrs["units"]``."""
        import pandas as pd

        rows = [[read(record) for _, _, read in self.columns] for record in records]
        frame = pd.DataFrame(rows, columns=[name for name, _, _ in self.columns])
        if "id" in frame:
            # A domain that is off has no number, and that must not turn the others into floats.
            frame["id"] = frame["id"].astype("Int64")
        frame.attrs["units"] = {name: unit for name, unit, _ in self.columns if unit}
        return frame

    def html(self, records: Sequence[Any], caption: str) -> str:
        """Return the records as a plain HTML table that follows the theme of the page."""
        head = "".join(f"<th scope='col'>{escape(name)}</th>" for name, _, _ in self.columns)
        body = "".join(
            "<tr>"
            + "".join(f"<td>{_shown(read(record))}</td>" for _, _, read in self.columns)
            + "</tr>"
            for record in records
        )
        empty = "" if records else f"<p>No {escape(self.kind)}s.</p>"
        return (
            f"<table class='labvirt-table'><caption style='text-align:left'>{escape(caption)}"
            f"</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{empty}"
        )


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return escape(", ".join(str(item) for item in value))
    return escape(str(value))


def age(read_at: dt.datetime | None, now: dt.datetime | None = None) -> str:
    """Return how old a reading is, in words."""
    if read_at is None:
        return "not read yet"
    seconds = ((now or dt.datetime.now(dt.UTC)) - read_at).total_seconds()
    if seconds < 2:
        return "just read"
    return f"read {seconds:.0f} s ago" if seconds < 120 else f"read {seconds / 60:.0f} min ago"


class Collection(Generic[T]):
    """Everything of one kind on a host: a mapping by name or UUID, read anew at each use.

    Args:
        kind: what it holds: ``domain``.
        where: name of the host, for messages.
        records: reads all records; they have ``name`` and ``uuid``.
        wrap: makes the object for a record.
        table: how to show the records.
        cached: returns the records last read, without asking the host, and since when they are
            stale (None: they are not).
        only: a filter, for `where`.
        host: the host, for verbs on all of them.
    """

    def __init__(
        self,
        kind: str,
        where: str,
        *,
        records: Callable[[], Sequence[Any]],
        wrap: Callable[[Any], T],
        table: Table,
        cached: Callable[[], tuple[Sequence[Any], dt.datetime | None]],
        only: Callable[[Any], bool] | None = None,
        host: Host | None = None,
    ) -> None:
        self._host = host
        self._kind, self._where_text = kind, where
        self._records, self._wrap, self._table = records, wrap, table
        self._cached, self._only = cached, only

    def _read(self) -> list[Any]:
        found = self._records()
        return [record for record in found if self._only is None or self._only(record)]

    def __len__(self) -> int:
        return len(self._read())

    def __iter__(self) -> Iterator[T]:
        return iter([self._wrap(record) for record in self._read()])

    def __contains__(self, key: object) -> bool:
        return any(key in (record.name, record.uuid) for record in self._read())

    def __getitem__(self, key: int | str) -> T:
        """Return the one with this name, UUID (with or without dashes) or number (G15-41).

        Raises:
            NotFoundError: nobody has it; suggests the nearest name (they are case-sensitive).
        """
        records = self._read()
        plain = str(key).replace("-", "").lower()
        for record in records:
            if key == (getattr(record, "id", None) if type(key) is int else record.name):
                return self._wrap(record)
        for record in records:
            if isinstance(key, str) and plain == record.uuid.replace("-", ""):
                return self._wrap(record)
        raise NotFoundError(
            f"find {self._kind} {str(key)!r} on {self._where_text}",
            hint=_suggestion(str(key), [record.name for record in records], self._kind),
        )

    @property
    def records(self) -> tuple[Any, ...]:
        """The records, read now."""
        return tuple(self._read())

    @property
    def names(self) -> list[str]:
        """Names, sorted."""
        return sorted(record.name for record in self._read())

    @property
    def df(self) -> pd.DataFrame:
        """All as a DataFrame: one row each, bytes as integers, times in UTC."""
        return self._table.frame(self._read())

    def where(self, name: str = "*", **fields: Any) -> Collection[T]:
        """Return those whose name matches a pattern and whose fields have these values.

        Args:
            name: a shell pattern: ``web*``.
            fields: fields of the record; a field that is a tuple (``tags``) must contain the value.
        """

        def matches(record: Any) -> bool:
            if self._only is not None and not self._only(record):
                return False
            if not fnmatch.fnmatchcase(record.name, name):
                return False
            for field, wanted in fields.items():
                value = getattr(record, field.rstrip("_"))
                fits = wanted in value if isinstance(value, tuple) else str(value) == str(wanted)
                if not fits:
                    return False
            return True

        return self._narrowed(matches)

    def filter(self, text: str) -> Collection[T]:
        """Return those that fit a filter: ``host.domains.filter("state:running tag:web -old")``.

        It is the language of the manager's table, see `labvirt.status.filtering`. What only a
        sample knows (``cpu``, ``disk``, ``net``) and addresses cannot be asked for here.

        Raises:
            SpecError: the text has a fault (says where), asks for what is not known here, or these
                are no domains.
        """
        asked = parse(text)
        if self._kind != "domain":
            raise SpecError(f"filter: {self._kind}s have no filter", hint="where(name, ...)")
        unknown = asked.fields & {"cpu", "cpu_host", "mem_host", "disk", "net", "address"}
        if unknown:
            raise SpecError(
                f"filter: {', '.join(sorted(unknown))} cannot be told without asking the guests",
                hint="lv.ui.overview(host) filters by it; host.sample() has the numbers",
            )
        before = self._only

        def fits(record: Any) -> bool:
            if before is not None and not before(record):
                return False
            return asked.fits(facts_of_record(record, self._where_text))

        return self._narrowed(fits)

    def _narrowed(self, only: Callable[[Any], bool]) -> Collection[T]:
        return Collection(
            self._kind,
            self._where_text,
            records=self._records,
            wrap=self._wrap,
            table=self._table,
            cached=self._cached,
            only=only,
            host=self._host,
        )

    @property
    def all(self) -> Bulk:
        """The verbs of all of them at once: ``host.domains.where("web*").all.start()``.

        Raises:
            SpecError: these objects have no verbs.
        """
        from labvirt.host.bulk import Bulk

        if self._host is None:
            raise SpecError(f"{self._kind}s have no verbs for all of them")
        return Bulk(self._host, self._kind, list(self))

    def __repr__(self) -> str:
        """Return one line from the last reading, without a call to the host."""
        records, _ = self._cached()
        return f"<{len(records)} {self._kind}s on {self._where_text}>"

    def _repr_html_(self) -> str:
        """Return a table from the last reading, with its age."""
        records, stale = self._cached()
        if not records and stale is None:
            records = self._read()
        shown = [record for record in records if self._only is None or self._only(record)]
        read_at = max((record.read_at for record in shown), default=None)
        words = age(read_at) + (f", stale since {stale:%H:%M:%S} UTC" if stale else "")
        return self._table.html(shown, f"{len(shown)} {self._kind}s on {self._where_text}, {words}")


def _suggestion(key: str, names: list[str], kind: str) -> str:
    same = [name for name in names if name.lower() == key.lower()]
    if same:
        return f"names are case-sensitive: {same[0]!r}"
    near = difflib.get_close_matches(key, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    if not names:
        return f"there is no {kind} here; another URI (system, session) may have it"
    return "there are: " + ", ".join(sorted(names)[:10])
