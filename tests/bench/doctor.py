"""How long the doctor takes over a host with 20 guests: well, and while a guest and a daemon hang."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

import labvirt as lv
from labvirt.doctor.machine import Machine
from tests.bench.stalled import stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labvirt.doctor import Report

GUESTS = 20
GOAL_S = 10.0


@contextmanager
def stop_daemon(host: lv.Host) -> Iterator[None]:
    """Stop the daemon of a host as a hung disk would."""
    pid = Machine.of(host).daemon_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def show(words: Sequence[str]) -> int:
    """Print the table; 1 when an examination took longer than its goal."""
    count = int(words[0]) if words else GUESTS
    backends = words[1:] or ["session", "system"]
    table = Table(title=f"the doctor's run over {count} guests")
    for heading in ("Back end", "Case", "Seconds", "Goal", "Answers", "Late", "Slowest check"):
        table.add_column(heading)
    missed = 0
    for backend in backends:
        name = f"bench-doctor-{backend}-{os.getpid()}"
        with lv.Lab.start(name, hosts=2, backend=backend, ephemeral=True) as lab:
            missed += _rows(table, backend, lab, count)
            lab.stop()
    Console(width=160).print(table)
    return missed


def _rows(table: Table, backend: str, lab: lv.Lab, count: int) -> int:
    alpha, beta = lab["alpha"], lab["beta"]
    tiny = lv.DomainSpec(name="tiny", memory="128 MiB", source=lv.TinyGuest())
    small = lv.DomainSpec(name="x", memory="16 MiB", rng=False, disks=(lv.DiskSpec(size="1 MiB"),))
    guests = [alpha.plan(tiny.replace(name=f"tiny{number}")).apply() for number in range(2)]
    guests += [
        alpha.plan(small.replace(name=f"g{number}")).apply()
        for number in range(count - len(guests))
    ]
    for each in guests[:2]:
        each.wait_for("agent", timeout_s=120)
    missed = 0
    for case, hung_guest, hung_daemon in (
        ("all well", False, False),
        ("a guest stopped", True, False),
        ("a guest stopped, a second daemon hangs", True, True),
    ):
        with ExitStack() as stack:
            if hung_guest:
                stack.enter_context(stopped(guests[0]))
            if hung_daemon:
                stack.enter_context(stop_daemon(beta))
            began = time.monotonic()
            slow, report = _examined(alpha, beta)
            spent = time.monotonic() - began
        late = [one for one in report if one.evidence.startswith(("no answer in", "the time for"))]
        missed += spent > GOAL_S
        answers = f"{len(report)}: {report.summary}"
        table.add_row(backend, case, f"{spent:.2f}", f"{GOAL_S:g}", answers, str(len(late)), slow)
    return missed


def _examined(alpha: lv.Host, beta: lv.Host) -> tuple[str, Report]:
    """Examine, and tell which check was answered last."""
    last: list[str] = []
    report = lv.doctor.examine(
        alpha, others=(beta,), progress=lambda _done, _all, one: last.append(one.id)
    )
    return last[-1], report
