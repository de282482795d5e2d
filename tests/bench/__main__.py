"""Run the benchmarks and print the table: ``python -m tests.bench [rounds] [group ...]``.

``python -m tests.bench sizes`` prints how large the JavaScript of the views is, and its licences.
``python -m tests.bench migration_matrix`` prints how every kind of migration ends.
``python -m tests.bench doctor [guests] [back end ...]`` prints how long the doctor takes.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from tests.bench import (
    bulk,
    charts,
    console,
    create,
    doctor,
    images,
    imports,
    manager,
    migrate,
    migrations,
    networks,
    overview,
    rates,
    recording,
    runbooks,
    sampling,
    schema,
    screen,
    sizes,
    stalled,
    storage,
    truth,
)
from tests.bench.truth import Facts

ALL = {
    "start": (imports.run,),
    "schema": (schema.run,),
    "create": (create.run,),
    "runbooks": (
        runbooks.cold,
        runbooks.over_nbclient,
        runbooks.processor,
        runbooks.warm,
        runbooks.many,
        runbooks.two_hundred,
    ),
    "storage": (storage.upload, storage.download, storage.inventory),
    "networks": (networks.calls, networks.speed),
    "bulk": (bulk.run,),
    "migrate": (migrate.total, migrate.downtime, migrate.watching),
    "images": (images.convert, images.clones),
    "truth": (truth.cpu, truth.disk, truth.network, truth.memory, truth.latency),
    "stalled": (stalled.run,),
    "sampling": (sampling.wall, sampling.cpu, sampling.simulated),
    "rates": (rates.run, rates.history),
    "charts": (charts.processor, charts.browser, charts.kernel, charts.volume, charts.flat),
    "overview": (overview.browser, overview.kernel, overview.volume),
    "manager": (manager.usable,),
    "recording": (recording.run,),
    "console": (console.echoed, console.flooded),
    "screen": (screen.begun, screen.drawn),
}


def main() -> int:
    shows = {
        "sizes": lambda _words: sizes.show(),
        "migration_matrix": migrations.show,
        "doctor": doctor.show,
    }
    if sys.argv[1:2] and sys.argv[1] in shows:
        return shows[sys.argv[1]](sys.argv[2:])
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    table = Table(title=f"labvirt benchmarks, {rounds} interleaved rounds")
    for heading in ("Benchmark", "Way", "Median ms", "Min ms", "Ratio", "Goal"):
        table.add_column(heading, justify="left" if heading in ("Benchmark", "Way") else "right")
    truths = Table(title="labvirt's values beside those of others")
    for heading in ("Case", "Who", "Value", "Off", "Goal"):
        truths.add_column(heading, justify="left" if heading in ("Case", "Who") else "right")
    missed = 0
    groups = sys.argv[2:] or list(ALL)
    for run in (run for group in groups for run in ALL[group]):
        result = run(rounds)
        if isinstance(result, Facts):
            result.add_to(truths)
            missed += result.missed
            continue
        for way, seconds in result.seconds.items():
            table.add_row(
                result.title, way, f"{result.median(way) * 1000:.1f}", f"{min(seconds) * 1000:.1f}"
            )
        for goal in result.goals:
            ratio = result.ratio(goal)
            met = ratio <= goal.limit
            missed += not met
            mark = "met" if met else "MISSED"
            words = f"{goal.way} / {goal.peer}" + (f", less {goal.minus}" if goal.minus else "")
            table.add_row("", words, "", "", f"{ratio:.3f}", f"<= {goal.limit} {mark}")
    for each in (table, truths):
        if each.row_count:
            Console(width=140).print(each)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
