"""Which old runs may go, and their removal: never more than was named."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from typing import TYPE_CHECKING

from labvirt.errors import ConfirmationError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from labvirt.runbook.records import RunRecord

__all__ = ["choose", "own_folder", "remove"]


def choose(
    runs: Sequence[RunRecord],
    *,
    older_than: dt.timedelta | None,
    keep: int | None,
    now: dt.datetime | None = None,
) -> tuple[RunRecord, ...]:
    """Return which runs may go.

    Args:
        runs: all runs, newest first.
        older_than: only runs that ended (or, when that is unknown, began) longer ago than this.
        keep: how many of the newest to keep, running ones counted.
        now: the present time; the clock's when None.

    Raises:
        RunError: neither limit is given, or one is negative; code 2.
    """
    if older_than is None and keep is None:
        raise RunError(
            "prune needs a limit, or it would remove every run",
            code=2,
            hint="older_than (--older-than 30d), keep (--keep 20), or both",
        )
    if (keep is not None and keep < 0) or (older_than is not None and older_than < dt.timedelta()):
        raise RunError("prune: a limit cannot be negative", code=2)
    now = now or dt.datetime.now(dt.UTC)
    needed = {run.parent for run in runs if run.outcome == "running"}
    return tuple(
        run
        for run in runs[keep or 0 :]
        if run.outcome != "running"
        and run.id not in needed
        and (older_than is None or _age(run, now) > older_than)
    )


def remove(chosen: Sequence[RunRecord], runs: Path, *, confirm: bool) -> Iterator[RunRecord]:
    """Remove the folders of runs, oldest first; yield each run when its folder is gone.

    Args:
        chosen: the runs, newest first.
        runs: the folder below which alone anything is removed.
        confirm: that they may really be destroyed.

    Raises:
        ConfirmationError: `confirm` is False and there is something to remove.
        RunError: a folder cannot be removed; its run and the later ones are still in the ledger.
    """
    if chosen and not confirm:
        raise ConfirmationError(
            f"prune of {len(chosen)} runs", destroys=[_told(run, runs) for run in chosen]
        )
    for run in reversed(chosen):
        folder = own_folder(run, runs)
        if folder is not None:
            try:
                shutil.rmtree(folder)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise RunError(
                    f"the folder of the run {run.id} cannot be removed: {error}"
                ) from error
        yield run


def own_folder(run: RunRecord, runs: Path) -> Path | None:
    """Return the folder that labvirt made for a run, None when its user chose it.

    Only a real folder directly below `runs` that is this run's own: no link, nobody else's.
    """
    folder = run.folder
    if folder.is_symlink() or not folder.is_dir():
        return None
    if folder.resolve().parent != runs.resolve():
        return None
    if folder.name.startswith(run.id):
        return folder
    try:
        left = json.loads((folder / "run.json").read_text())
        return folder if left["id"] == run.id else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _told(run: RunRecord, runs: Path) -> str:
    folder = own_folder(run, runs)
    what = f"with {folder}" if folder else f"(its folder {run.folder} stays)"
    return f"{run.id} {run.book} {run.outcome} {what}"


def _age(run: RunRecord, now: dt.datetime) -> dt.timedelta:
    for text in (run.ended, run.began):
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            continue
        return now - (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
    return dt.timedelta.max
