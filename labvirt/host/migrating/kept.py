"""The track of a migration as JSON, so that a record or report can show it again."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import SpecError
from labvirt.status.migration import MigrationSample

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FORMAT", "packed", "unpacked"]

#: What a file says that it is; another number where the columns mean something else.
FORMAT: Final = "labvirt-migration-track/1"
_PHASES: Final = ("setup", "precopy", "postcopy", "done", "failed", "cancelled")
_COLUMNS: Final = tuple(field.name for field in fields(MigrationSample))


def packed(
    head: dict[str, str],
    samples: Iterable[MigrationSample],
    marks: Iterable[tuple[float, str, str]],
) -> str:
    """Return a track as JSON; NaN (unknown) becomes null, for JSON knows no such number.

    Args:
        head: name, source, destination, label.
        samples: what was seen, oldest first.
        marks: what happened: seconds, kind, text.
    """
    rows = [sample.as_dict() for sample in samples]
    columns = {name: [_told(row[name]) for row in rows] for name in _COLUMNS}
    made = {"format": FORMAT, **head, "samples": columns, "marks": [list(each) for each in marks]}
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def unpacked(
    text: str,
) -> tuple[dict[str, str], list[MigrationSample], list[tuple[float, str, str]]]:
    """Return head, samples and marks of a track that was written by `packed`.

    Raises:
        SpecError: it is no such text.
    """
    try:
        found = json.loads(text)
        _require_ours(found["format"])
        head = {name: str(found[name]) for name in ("name", "source", "destination", "label")}
        columns = {name: found["samples"][name] for name in _COLUMNS}
        count = len(columns["elapsed_s"])
        samples = [
            _sample({name: column[at] for name, column in columns.items()}) for at in range(count)
        ]
        marks = [(float(at), str(what), str(words)) for at, what, words in found["marks"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise SpecError(
            f"read the track of a migration: {text[:60]!r} is none ({error})",
            hint=f"the text that MigrationTrack.to_json() gave: {FORMAT}",
        ) from error
    return head, samples, marks


def _require_ours(name: object) -> None:
    if name != FORMAT:
        raise ValueError(f"its format is {name!r}")


def _told(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value


def _sample(row: dict[str, Any]) -> MigrationSample:
    if row["phase"] not in _PHASES:
        raise ValueError(f"there is no phase {row['phase']!r}")
    phase, iteration = row.pop("phase"), int(row.pop("iteration"))
    values: dict[str, Any] = {
        name: math.nan if value is None else float(value) for name, value in row.items()
    }
    return MigrationSample(phase=phase, iteration=iteration, **values)
