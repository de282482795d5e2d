"""Still forms of migrations: a table that compares them, charts, and text; no kernel is needed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from labvirt.errors import SpecError
from labvirt.host.migrating.track import MigrationTrack
from labvirt.widgets.bundle import bundle_of, page_of, text_of
from labvirt.widgets.figures import figure_of
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.quantity import shown
from labvirt.widgets.svg import plain
from labvirt.widgets.track_board import track_panels
from labvirt.widgets.track_source import OUTCOMES, TrackSource
from labvirt.widgets.tracks import read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import pandas as pd

    from labvirt.widgets.scene import Theme
    from labvirt.widgets.tracks import Board

__all__ = [
    "TRACKS",
    "board_of",
    "bundle_of_tracks",
    "figure_of_tracks",
    "page_of_tracks",
    "table_of_tracks",
    "tracks_in",
]

_HEADS: Final = (
    N_("VM"),
    N_("How"),
    N_("From"),
    N_("To"),
    N_("Outcome"),
    N_("Seconds"),
    N_("Downtime, ms"),
    N_("Sent, MiB"),
    N_("Rounds"),
)
_MIB: Final = 1 << 20
#: The MIME type under which the tracks themselves stand in an output, so that a record has them.
TRACKS: Final = "application/vnd.labvirt.migration-tracks+json"


def tracks_in(path: str | PathLike[str]) -> list[MigrationTrack]:
    """Return the migrations that a notebook or the record of a run has in its outputs.

    Args:
        path: an executed notebook (``.ipynb``), or a file that `MigrationTrack.to_json` filled.

    Raises:
        SpecError: there is no such file, or no migration in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise SpecError(f"draw migrations: {str(path)[:200]!r} cannot be read: {error}") from error
    if not isinstance(found, dict) or "cells" not in found:
        return [MigrationTrack.from_json(text)]
    outputs = [each for cell in found["cells"] for each in cell.get("outputs", ())]
    kept = [json.dumps(one) for each in outputs for one in each.get("data", {}).get(TRACKS, ())]
    if not kept:
        raise SpecError(
            f"draw migrations: there is none in {str(path)[:200]}",
            hint="lv.ui.migration(...) shown in it and closed at the end leaves its tracks there",
        )
    return [MigrationTrack.from_json(each) for each in dict.fromkeys(kept)]


def board_of(tracks: Sequence[MigrationTrack]) -> Board:
    """Return the charts of migrations, ready to be drawn; several lie over each other."""
    source = TrackSource(tracks)
    return read(track_panels(source.runs), source, start=0.0)


def figure_of_tracks(
    tracks: Sequence[MigrationTrack], *, theme: Theme = "light", title: str = ""
) -> Any:
    """Return the charts of migrations as a ``plotly.graph_objects.Figure``."""
    return figure_of(board_of(tracks), theme=theme, title=title)


def rows_of(tracks: Sequence[MigrationTrack]) -> list[tuple[Any, ...]]:
    """Return what there is to say of each migration; see `table_of_tracks`."""
    made: list[tuple[Any, ...]] = []
    for run in TrackSource(tracks).runs:
        track, samples = run.track, run.track.samples
        last = samples[-1] if samples else None
        sent = [each.processed_bytes for each in samples if math.isfinite(each.processed_bytes)]
        done = track.phase == "done"
        made.append(
            (
                track.name,
                track.label,
                track.source,
                track.destination,
                run.outcome,
                math.nan if last is None else last.elapsed_s,
                last.downtime_ms if last is not None and done else math.nan,
                sent[-1] / _MIB if sent else math.nan,
                max((each.iteration for each in samples), default=0),
            )
        )
    return made


def table_of_tracks(tracks: Sequence[MigrationTrack]) -> pd.DataFrame:
    """Return one row per migration.

    Columns: domain, how, source, destination, phase, seconds (by QEMU's clock), downtime_ms (real;
    NaN unless it was moved), sent_mib, rounds.
    """
    import pandas as pd

    names = ["domain", "how", "source", "destination", "phase", "seconds", "downtime_ms"]
    return pd.DataFrame(rows_of(tracks), columns=[*names, "sent_mib", "rounds"])


def bundle_of_tracks(tracks: Sequence[MigrationTrack], *, title: str = "") -> dict[str, Any]:
    """Return migrations by MIME type, as every reader of a notebook shows them."""
    board = board_of(tracks)
    made = bundle_of(board, title=title)
    made["text/html"] = _with_table(tracks, board, title)
    made[TRACKS] = [json.loads(track.to_json()) for track in tracks]
    told = ["  ".join(_cell(value) for value in row) for row in rows_of(tracks)]
    made["text/plain"] = "\n".join([text_of(board, title=title), *told])
    return made


def page_of_tracks(tracks: Sequence[MigrationTrack], *, title: str = "") -> str:
    """Return table and charts of migrations as HTML without script, style sheet or class."""
    return _with_table(tracks, board_of(tracks), title)


def _with_table(tracks: Sequence[MigrationTrack], board: Board, title: str) -> str:
    root = etree.Element("table")
    etree.SubElement(root, "caption").text = _("Migrations")
    heads = etree.SubElement(etree.SubElement(root, "thead"), "tr")
    for words in _HEADS:
        etree.SubElement(heads, "th", scope="col").text = _(words)
    body = etree.SubElement(root, "tbody")
    for row in rows_of(tracks):
        line = etree.SubElement(body, "tr")
        for at, value in enumerate(row):
            text = _(OUTCOMES[value]) if at == 4 else _cell(value)
            kind = "th" if at == 0 else "td"
            cell = etree.SubElement(line, kind, style="text-align: left")
            if at == 0:
                cell.set("scope", "row")
            cell.text = plain(text)
    table = str(etree.tostring(root, encoding="unicode", method="html"))
    return page_of(board, title=title) + table


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return shown(round(value, 2), "") if math.isfinite(value) else "-"
