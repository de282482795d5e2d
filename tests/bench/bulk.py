"""Ten guests started at once, against one after another in labvirt and in a loop of virsh."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from typing import TYPE_CHECKING

import labvirt as lv
from tests.bench.measure import Goal, interleave, timed

if TYPE_CHECKING:
    from tests.bench.measure import Result

GUESTS = 10


def run(rounds: int) -> Result:
    name = f"bench-{uuid.uuid4().hex[:6]}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        host = lab["alpha"]
        for number in range(GUESTS):
            spec = lv.DomainSpec(name=f"g{number}", memory="128 MiB", source=lv.TinyGuest())
            host.plan(spec, start=False).apply()

        def clean() -> None:
            host.domains.all.destroy(confirm=True)
            # Their last output is written and their memory given back before the next way begins.
            time.sleep(1)

        def at_once() -> float:
            spent = timed(host.domains.all.start)
            clean()
            return spent

        def in_turn() -> float:
            domains = list(host.domains)
            spent = timed(lambda: [domain.start() for domain in domains])
            clean()
            return spent

        def virsh() -> float:
            def loop() -> None:
                for number in range(GUESTS):
                    argv = ["virsh", "-q", "-c", host.uri, "start", f"g{number}"]
                    subprocess.run(argv, check=True, capture_output=True, timeout=60)

            spent = timed(loop)
            clean()
            return spent

        ways = {"labvirt, all at once": at_once, "labvirt, one after another": in_turn}
        goals = [Goal("labvirt, all at once", "labvirt, one after another", 0.5)]
        if shutil.which("virsh"):
            ways["virsh start in a loop"] = virsh
            goals.append(Goal("labvirt, all at once", "virsh start in a loop", 0.5))
        return interleave(f"start {GUESTS} guests", ways, tuple(goals), rounds)
