"""Recording 1,000 domains: a recorder's tick beside one row per value in SQLite and in DuckDB."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labvirt.history.recorder import Recorder
from labvirt.status.sample import Sample, Subject, Table
from labvirt.status.series import series_of
from tests.bench.measure import Goal, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOMAINS = 1000
TICKS = 120
#: A naive writer is slow enough to be known after a few ticks.
FEW = 5
KINDS = ("domain", "interface", "host")


def samples(count: int) -> Iterator[Sample]:
    """Thirty of a hundred domains are busy; the others have memory and nothing else."""
    random = np.random.default_rng(5)
    busy = random.random(DOMAINS) < 0.3
    uuids = [f"00000000-0000-4000-8000-{n:012d}" for n in range(DOMAINS)]
    who = {
        "domain": tuple(Subject("alpha", uuid) for uuid in uuids),
        "interface": tuple(Subject("alpha", uuid, "52:54:00:00:00:01") for uuid in uuids),
        "host": (Subject("alpha"),),
    }
    names = {uuid: f"web{n}" for n, uuid in enumerate(uuids)}
    steady = {name: column for column, name in enumerate(s.name for s in series_of("domain"))}
    for number in range(count):
        tables = {}
        for kind in KINDS:
            shape = (len(who[kind]), len(series_of(kind)))
            values = random.gamma(2.0, 50.0, shape)
            if kind != "host":
                values[~busy] = 0.0
            if kind == "domain":
                values[:, steady["memory_bytes"]] = 2.0**30
                values[:, steady["memory_host_percent"]] = 0.1
            tables[kind] = Table(kind, who[kind], values)
        yield Sample("alpha", number + 1, 1.8e9 + number, 1.0, tables, names)


def _both(run: Callable[[], object]) -> tuple[float, float]:
    """Return wall seconds and CPU seconds of the whole process."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def recorder(folder: Path, made: list[Sample]) -> Callable[[], object]:
    def run() -> None:
        with Recorder(folder / "ours.sqlite") as keeper:
            for sample in made:
                keeper.take(sample)
                keeper.flush()  # one tick, one transaction, as at 1 Hz

    return run


def rows_of(sample: Sample) -> Iterator[tuple[float, str, str, str, float]]:
    for kind, table in sample.tables.items():
        fields = [each.name for each in series_of(kind)]
        for subject, values in zip(table.subjects, table.values.tolist(), strict=True):
            for name, value in zip(fields, values, strict=True):
                yield sample.at, subject.uuid, subject.device, f"{kind}.{name}", value


def sqlite_rows(folder: Path, made: list[Sample]) -> Callable[[], object]:
    def run() -> None:
        db = sqlite3.connect(folder / "rows.sqlite")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE IF NOT EXISTS v (at, uuid, device, series, value)")
        db.execute("CREATE INDEX IF NOT EXISTS i ON v (at)")
        for sample in made:
            with db:
                db.executemany("INSERT INTO v VALUES (?, ?, ?, ?, ?)", rows_of(sample))
        db.close()

    return run


def duckdb_frames(folder: Path, made: list[Sample]) -> Callable[[], object]:
    def run() -> None:
        import duckdb
        import pandas as pd

        db = duckdb.connect(str(folder / "rows.duckdb"))
        for sample in made:
            for kind, table in sample.tables.items():
                frame = pd.DataFrame(table.values, columns=[s.name for s in series_of(kind)])
                frame.insert(0, "at", sample.at)
                frame.insert(1, "uuid", [subject.uuid for subject in table.subjects])
                db.register("frame", frame)
                db.execute(f"CREATE TABLE IF NOT EXISTS {kind}_v AS SELECT * FROM frame LIMIT 0")
                db.execute(f"INSERT INTO {kind}_v SELECT * FROM frame")
                db.unregister("frame")
        db.close()

    return run


def run(rounds: int) -> Result:
    """Seconds per tick, wall; the CPU of our own stands beside it."""
    made = list(samples(TICKS))
    ways = {
        "recorder, a tick": (recorder, made),
        "SQLite, one row per value": (sqlite_rows, made[:FEW]),
        "DuckDB, one insert per tick": (duckdb_frames, made[: FEW * 4]),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    seconds["recorder, CPU of a tick"] = []
    seconds["2 ms"] = []
    with tempfile.TemporaryDirectory() as place:
        for number in range(min(rounds, 5) + 1):
            folder = Path(place) / str(number)
            folder.mkdir()
            for way, (make, part) in ways.items():
                wall, cpu = _both(make(folder, part))
                if number:
                    seconds[way].append(wall / len(part))
                    if make is recorder:
                        seconds["recorder, CPU of a tick"].append(cpu / len(part))
                        seconds["2 ms"].append(0.002)
            size = (folder / "ours.sqlite").stat().st_size
    return Result(
        f"record {DOMAINS} domains ({size / TICKS / 1024:.0f} KiB a tick on disk)",
        seconds,
        (
            Goal("recorder, a tick", "2 ms", 1.0),
            Goal("recorder, a tick", "DuckDB, one insert per tick", 0.5),
            Goal("recorder, a tick", "SQLite, one row per value", 0.1),
        ),
    )
