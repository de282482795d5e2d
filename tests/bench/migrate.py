"""Migration by labvirt beside ``virsh migrate`` of the same guest, and what watching it costs."""

from __future__ import annotations

import functools
import os
import subprocess
import time

import labvirt as lv
from labvirt.connection import domain as calls
from tests.bench.measure import Goal, Result
from tests.bench.migrations import Stage

OURS, VIRSH, LIMIT = "labvirt", "virsh migrate", "2 % of a core"


@functools.cache
def measured(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Move one guest to and fro, in turn by us and by virsh; total seconds and downtimes."""
    totals: dict[str, list[float]] = {OURS: [], VIRSH: []}
    downs: dict[str, list[float]] = {OURS: [], VIRSH: []}
    costs: dict[str, list[float]] = {OURS: [], LIMIT: []}
    name = f"bench-moves-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend="session", ephemeral=True) as lab:
        stage = Stage(lab)
        for number in range(rounds + 1):
            for way, run in ((OURS, _ours), (VIRSH, _virsh)):
                seconds, down = run(stage)
                if number:
                    totals[way].append(seconds)
                    downs[way].append(down / 1000)
        for _ in range(2):
            costs[OURS].append(_cost(stage))
            costs[LIMIT].append(0.02)
    return {"total": totals, "downtime": downs, "cost": costs}


def _ours(stage: Stage) -> tuple[float, float]:
    source = stage.here
    began = time.perf_counter()
    result = stage.domain.migrate(stage.other)
    seconds = time.perf_counter() - began
    stage.domain, stage.other = result.domain, source
    return seconds, float(result.downtime_ms or 0)


def _virsh(stage: Stage) -> tuple[float, float]:
    line = stage.domain.migrate.plan(stage.other).virsh
    began = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", line], check=True, capture_output=True)
    seconds = time.perf_counter() - began
    source = stage.here
    moved = stage.other.domains[stage.domain.uuid]
    stats = calls.job_stats(stage.other.connection, moved.uuid, completed=True)
    stage.domain, stage.other = moved, source
    return seconds, float(stats["downtime"])


def _cost(stage: Stage) -> float:
    """Return the part of a core that this process takes while it watches a slow migration."""
    source = stage.here
    job = stage.domain.migrate.job(stage.other, bandwidth_mib_s=16)
    time.sleep(1.0)
    track = stage.domain.migration
    assert track is not None
    looks, began, cpu = len(track), time.perf_counter(), time.process_time()
    time.sleep(3.0)
    cpu, passed = time.process_time() - cpu, time.perf_counter() - began
    looks = len(track) - looks
    assert not job.done(), "it was over before it was measured"
    assert looks >= 5 * passed * 0.95, f"{looks} looks in {passed:.1f} s"
    stage.domain, stage.other = job.result(60).domain, source
    return cpu / passed


def total(rounds: int) -> Result:
    """Seconds from the call to its end; ours looks at both hosts afterwards."""
    goals = (Goal(OURS, VIRSH, 1.1),)
    return Result("migration: total time", measured(rounds)["total"], goals)


def downtime(rounds: int) -> Result:
    """How long the guest stood still, as QEMU says."""
    goals = (Goal(OURS, VIRSH, 1.1),)
    return Result("migration: downtime", measured(rounds)["downtime"], goals)


def watching(rounds: int) -> Result:
    """Part of a core for more than five looks a second; the times are parts of a second."""
    goals = (Goal(OURS, LIMIT, 1.0),)
    return Result("migration: CPU of watching", measured(rounds)["cost"], goals)
