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


def recorder(folder: Path, made: list[Sample], waits: list[float]) -> Callable[[], object]:
    def run() -> None:
        waited = 0.0
        with Recorder(folder / "ours.sqlite") as keeper:
            for sample in made:
                began = time.perf_counter()
                keeper.take(sample)
                waited += time.perf_counter() - began
                keeper.flush()  # one tick, one transaction, as at 1 Hz
        waits.append(waited / len(made))

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
    """Seconds per tick. The goal is CPU time: the wall belongs to the disk, on a thread apart."""
    made = list(samples(TICKS))
    ways = ("recorder", "SQLite, one row per value", "DuckDB, one insert per tick")
    seconds: dict[str, list[float]] = {f"{way}{part}": [] for way in ways for part in ("", ", CPU")}
    waits: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        for number in range(min(rounds, 5) + 1):
            folder = Path(place) / str(number)
            folder.mkdir()
            for way, call, ticks in (
                (ways[0], recorder(folder, made, waits), TICKS),
                (ways[1], sqlite_rows(folder, made[:FEW]), FEW),
                (ways[2], duckdb_frames(folder, made[: FEW * 4]), FEW * 4),
            ):
                wall, cpu = _both(call)
                if number:
                    seconds[way].append(wall / ticks)
                    seconds[f"{way}, CPU"].append(cpu / ticks)
            size = (folder / "ours.sqlite").stat().st_size
    count = len(seconds["recorder"])
    seconds["what the sampler waits for it"] = waits[-count:]
    seconds["2 ms"] = [0.002] * count
    return Result(
        f"record {DOMAINS} domains, a tick ({size / TICKS / 1024:.0f} KiB on disk)",
        seconds,
        (
            Goal("recorder, CPU", "2 ms", 1.0),
            Goal("recorder, CPU", "DuckDB, one insert per tick, CPU", 0.2),
            Goal("recorder, CPU", "SQLite, one row per value, CPU", 0.1),
        ),
    )
