"""Frames: windows of any source as a pandas table, and the checks that all sources share."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, get_args

import numpy as np

from labvirt.errors import Problem, SpecError
from labvirt.history.source import Form
from labvirt.status.series import KINDS, find_series, series_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from labvirt.history.source import Source, Window
    from labvirt.status.sample import Subject
    from labvirt.status.series import Kind

__all__ = ["check_form", "check_kind", "columns_of", "find_domains", "frame"]


def check_kind(kind: str) -> Kind:
    """Return the kind.

    Raises:
        SpecError: there is none of that name.
    """
    for each in KINDS:
        if each == kind:
            return each
    raise _refuse("kind", kind, KINDS, "kind")


def check_form(form: str) -> Form:
    """Return the form.

    Raises:
        SpecError: there is none of that name.
    """
    forms: tuple[Form, ...] = get_args(Form)
    for each in forms:
        if each == form:
            return each
    raise _refuse("form of table", form, forms, "form")


def columns_of(kind: str, fields: Sequence[str] | None) -> list[int]:
    """Return the columns of some series, of all when None.

    Raises:
        SpecError: there is no such kind or series; names the nearest.
    """
    known = check_kind(kind)
    if fields is None:
        return list(range(len(series_of(known))))
    columns = []
    for each in [fields] if isinstance(fields, str) else fields:
        try:
            columns.append(find_series(known, each))
        except KeyError:
            names = [series.name for series in series_of(known)]
            raise _refuse(f"series of kind {known!r}", each, names, "fields") from None
    return columns


def find_domains(source: Source, kind: Kind, domains: Iterable[str] | None) -> tuple[Subject, ...]:
    """Return the subjects of some domains, given by name or UUID; of all when None.

    Raises:
        SpecError: nothing is known of a domain of that name or UUID; names the nearest.
    """
    subjects = source.subjects(kind)
    if domains is None:
        return subjects
    known: dict[str, set[str]] = {}
    for uuid in dict.fromkeys(each.uuid for each in (*subjects, *source.subjects("domain"))):
        known.setdefault(uuid, set()).add(uuid)
        known.setdefault(source.name(uuid), set()).add(uuid)
    wanted: set[str] = set()
    for each in [domains] if isinstance(domains, str) else domains:
        if each not in known:
            raise _refuse("domain in this history", each, [k for k in known if k], "domains")
        wanted |= known[each]
    return tuple(each for each in subjects if each.uuid in wanted)


def frame(
    source: Source,
    kind: str = "domain",
    *,
    fields: Sequence[str] | None = None,
    domains: Iterable[str] | None = None,
    start: float | None = None,
    end: float | None = None,
    form: str = "long",
) -> pd.DataFrame:
    """Return windows of a source as a table.

    ``long``: one row per value that is known: ``time`` (datetime64, UTC, microseconds), ``host``,
    ``domain`` (name), ``uuid``, ``device``, ``series``, ``value`` (float), ``unit``. ``wide``: one
    row per time and subject of which anything is known: ``time``, ``host``, ``domain``, ``uuid``,
    ``device``, and one column per series, NaN where there is no data. Columns of text are
    categories. Rows stand subject by subject, in order of time; in long form series by series.

    Raises:
        SpecError: there is no such series, kind, form or domain; names the nearest.
    """
    known, shape = check_kind(kind), check_form(form)
    columns = columns_of(known, fields)
    names = [series_of(known)[column].name for column in columns]
    subjects = find_domains(source, known, domains)
    windows = _windows(source, known, subjects, names, start=start, end=end)
    if shape == "wide":
        return _wide(source, subjects, names, windows)
    units = [series_of(known)[column].unit for column in columns]
    return _long(source, subjects, names, units, windows)


def _windows(
    source: Source,
    kind: Kind,
    subjects: Sequence[Subject],
    names: Sequence[str],
    *,
    start: float | None,
    end: float | None,
) -> list[Window]:
    """Return a window per subject; all at once from a source that has a quicker way."""
    together: Callable[..., list[Window]] | None = getattr(source, "windows", None)
    if together is not None:
        return together(kind, subjects, names, start=start, end=end)
    return [source.window(kind, each, names, start=start, end=end) for each in subjects]


def _refuse(what: str, given: object, allowed: Sequence[str], field: str) -> SpecError:
    near = difflib.get_close_matches(str(given), allowed, n=1, cutoff=0.4)
    shown = ", ".join(list(allowed)[:20]) + (", ..." if len(allowed) > 20 else "")
    hint = f"did you mean {near[0]!r}?" if near else f"there is: {shown}" if shown else ""
    return SpecError(
        f"there is no {what} {str(given)[:80]!r}",
        (Problem(field, str(given)[:80], "unknown", hint),),
    )


def _codes(kept: Sequence[int]) -> NDArray[np.intp]:
    """Return which subject each row tells of, when it has that many rows."""
    return np.repeat(np.arange(len(kept)), kept)


def _who(
    source: Source, subjects: Sequence[Subject], codes: NDArray[np.intp]
) -> dict[str, pd.Categorical]:
    """Return the columns that say whom each row tells of."""
    texts = {
        "host": [each.host for each in subjects],
        "domain": [source.name(each.uuid) if each.uuid else "" for each in subjects],
        "uuid": [each.uuid for each in subjects],
        "device": [each.device for each in subjects],
    }
    return {name: _categories(values, codes) for name, values in texts.items()}


def _categories(values: Sequence[str], codes: NDArray[np.intp]) -> pd.Categorical:
    import pandas as pd

    kinds = list(dict.fromkeys(values))
    place = {each: number for number, each in enumerate(kinds)}
    coded = np.array([place[each] for each in values], dtype=np.intp)
    return pd.Categorical.from_codes(coded[codes], categories=pd.Index(kinds, dtype="str"))


def _times(pieces: Sequence[NDArray[np.float64]]) -> pd.DatetimeIndex:
    import pandas as pd

    seconds = np.concatenate(pieces) if pieces else np.empty(0)
    stamps = np.round(seconds * 1e6).astype("int64").view("datetime64[us]")
    return pd.DatetimeIndex(stamps).tz_localize("UTC")


def _wide(
    source: Source, subjects: Sequence[Subject], names: Sequence[str], windows: Sequence[Window]
) -> pd.DataFrame:
    import pandas as pd

    known = [~np.isnan(each.values).all(axis=0) for each in windows]
    codes = _codes([int(each.sum()) for each in known])
    data: dict[str, object] = {
        "time": _times([w.times[k] for w, k in zip(windows, known, strict=True)])
    }
    data |= _who(source, subjects, codes)
    for row, name in enumerate(names):
        pieces = [w.values[row, k] for w, k in zip(windows, known, strict=True)]  # noqa: PD011
        data[name] = np.concatenate(pieces) if pieces else np.empty(0)
    return pd.DataFrame(data)


def _long(
    source: Source,
    subjects: Sequence[Subject],
    names: Sequence[str],
    units: Sequence[str],
    windows: Sequence[Window],
) -> pd.DataFrame:
    import pandas as pd

    times, values, subject, series = [], [], [], []
    for number, window in enumerate(windows):
        known = ~np.isnan(window.values)
        times.append(np.broadcast_to(window.times, known.shape)[known])
        values.append(window.values[known])  # noqa: PD011
        subject.append(np.full(len(values[-1]), number, dtype=np.intp))
        series.append(np.nonzero(known)[0])
    none = np.empty(0, dtype=np.intp)
    rows = np.concatenate(series) if series else none
    data: dict[str, object] = {"time": _times(times)}
    data |= _who(source, subjects, np.concatenate(subject) if subject else none)
    data["series"] = _categories(names, rows)
    data["value"] = np.concatenate(values) if values else np.empty(0)
    data["unit"] = _categories(units, rows)
    return pd.DataFrame(data)
