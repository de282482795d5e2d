"""What an overview looks like, and what it can be of."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Self

from labvirt.errors import Problem, SpecError
from labvirt.history.source import Source
from labvirt.status.filtering import parse, read
from labvirt.widgets.row_live import LiveRows
from labvirt.widgets.row_order import COLUMNS
from labvirt.widgets.row_recorded import RecordedRows
from labvirt.widgets.rows import METRICS

if TYPE_CHECKING:
    from labvirt.widgets.row_feed import RowDriver

__all__ = ["GROUPS", "Look", "row_driver_of"]

#: What the table may have headings of.
GROUPS: Final = ("host", "state", "tag", "os", "")


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown, and in which order.

    Attributes:
        columns: keys of `COLUMNS` without the name.
        sort: key of the column that is sorted by.
        down: the greatest first.
        inactive: domains too that are not running.
        metric: what "who uses most" is about; empty hides it.
        filter: text of the filter language (`labvirt.status.filtering`).
        group: what has headings: ``host``, ``state``, ``tag``, ``os``; empty: none.
        folded: keys of headings whose domains are hidden.
        top: how many users are told apart.
        height: pixels of the table.
    """

    columns: tuple[str, ...]
    sort: str = "name"
    down: bool = False
    inactive: bool = False
    metric: str = "cpu"
    filter: str = ""
    group: str = "host"
    folded: tuple[str, ...] = field(default=())
    top: int = 5
    height: int = 440

    @classmethod
    def checked(cls, **given: Any) -> Self:
        """Return a look of a caller's arguments.

        Raises:
            SpecError: one is wrong; names the nearest.
        """
        problems: list[Problem] = []
        columns = given["columns"]
        if isinstance(columns, str) or not all(isinstance(each, str) for each in columns):
            problems.append(Problem("columns", str(columns)[:40], "must be a list of names"))
            columns = ()
        for name, known, values in (
            ("columns", COLUMNS, columns),
            ("sort", COLUMNS, (given["sort"],)),
            ("metric", (*METRICS, ""), (given["metric"],)),
            ("group", GROUPS, (given.get("group", "host"),)),
        ):
            for value in values:
                if value not in known:
                    near = get_close_matches(str(value), known, 1)
                    hint = (
                        f"did you mean {near[0]!r}?"
                        if near
                        else f"one of {', '.join(filter(None, known))}"
                    )
                    problems.append(Problem(name, str(value)[:40], "is none", hint))
        for name, low, high in (("top", 1, 5), ("height", 78, 4000)):
            value = given[name]
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                why = f"must be a whole number from {low} to {high}"
                problems.append(Problem(name, str(value)[:40], why))
        asked = given.get("filter", "")
        if not isinstance(asked, str) or read(asked)[1] is not None:
            try:
                parse(asked)
            except SpecError as error:
                problems.append(Problem("filter", str(asked)[:40], error.what, error.hint))
        if problems:
            raise SpecError("show an overview:", problems)
        kept = tuple(key for key in COLUMNS if key in columns and key != "name")
        bools = {name: bool(given[name]) for name in ("down", "inactive")}
        return cls(**{**given, "columns": kept, **bools})

    @property
    def all_columns(self) -> tuple[str, ...]:
        """The columns with the name."""
        return ("name", *self.columns)

    @property
    def needs_disk(self) -> bool:
        """Whether anything of it is about disks."""
        asked = read(self.filter)[0].fields if "disk" in self.filter else ()
        return "disk" in self.columns or "disk" in {self.metric, self.sort, *asked}

    def for_view(self) -> dict[str, Any]:
        """Return what a view takes over."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def changed(self, told: Any) -> Self:
        """Return the look that a view has now; what cannot be is left as it was."""
        if not isinstance(told, dict):
            return self
        new: dict[str, Any] = {}
        for name in ("columns", "folded"):
            value = told.get(name)
            if isinstance(value, list) and all(isinstance(each, str) for each in value):
                new[name] = tuple(value)
        for name in ("down", "inactive"):
            if isinstance(told.get(name), bool):
                new[name] = told[name]
        for name, known in (("sort", COLUMNS), ("metric", (*METRICS, "")), ("group", GROUPS)):
            if told.get(name) in known:
                new[name] = told[name]
        if isinstance(told.get("filter"), str):
            new["filter"] = told["filter"][:1000]
        if "columns" in new:
            new["columns"] = tuple(key for key in COLUMNS if key in new["columns"])
        return replace(self, **new)


def row_driver_of(target: Any, look: Look) -> tuple[RowDriver, str]:
    """Return what drives an overview, and a key that stands for it.

    Raises:
        SpecError: there is nothing to show of such a target.
        NotFoundError: a recording holds nothing.
    """
    if isinstance(target, Source):
        return RecordedRows(target), f"overview of recording {id(target)}"
    given = getattr(target, "hosts", None)
    members = target if given is None and isinstance(target, (list, tuple)) else given
    hosts = [target] if members is None else list(members)
    if not hosts or not all(hasattr(each, "sampler") and hasattr(each, "news") for each in hosts):
        raise SpecError(
            f"show an overview: there is nothing to show of {target!r:.200}",
            hint="give a host, a lab, a list of hosts, or a recording",
        )
    title = ", ".join(host.name for host in hosts[:6])
    if len(hosts) > 6:
        title += f" and {len(hosts) - 6} more"
    return LiveRows(title, hosts, disk=look.needs_disk), f"overview of {title}"
