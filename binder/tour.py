"""The tour of binder/demo: a lab, a guest by the runbook, a live migration, and the record."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

import labvirt as lv
from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "demo"


class Times:
    """How long each step took."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float]] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Say what is being done, and time it."""
        print(f"== {title}", flush=True)
        began = time.monotonic()
        yield
        self.rows.append((title, time.monotonic() - began))

    def show(self) -> None:
        """Print the table."""
        table = Table(title="Times")
        table.add_column("Step")
        table.add_column("Seconds", justify="right")
        for title, seconds in self.rows:
            table.add_row(title, f"{seconds:.2f}")
        Console().print(table)


def counter(domain: lv.Domain) -> tuple[str, int]:
    """Read the boot's own number and the counter inside the guest."""
    text = domain.run(["/bin/cat", "/run/bootid", "/run/counter"]).stdout.split()
    return text[0], int(text[1])


def tour(times: Times) -> None:
    """Do everything, on a lab of its own."""
    with times.step("start a lab of two libvirt hosts"):
        lab = lv.Lab.start(NAME, hosts=2)
    try:
        print(f"   {lab}")
        for limit in lab.limits:
            print(f"   not here: {limit.what}: {limit.why}")
        with times.step("install a guest by the runbook"):
            record = lv.run("install", {"host": f"lab:{NAME}/alpha", "name": "web1"}).require_ok()
        web1 = lab["alpha"].domains["web1"]
        with times.step("wait for the guest agent"):
            web1.wait_for("agent")
        boot, before = counter(web1)
        with times.step("migrate it live to the second host"):
            moved = web1.migrate(lab["beta"])
        print(f"   {moved}")
        boot_after, after = counter(moved.domain)
        if boot_after != boot or after <= before:
            raise LabvirtError(f"the guest was restarted: counter {before} -> {after}")
        print(f"   the counter inside went on: {before} -> {after}, boot {boot[:8]} unchanged")
    finally:
        with times.step("stop everything"):
            lab.stop()
    times.show()
    print(f"Record:  {record.notebook}\nReport:  {record.html}")
    print("To open the notebooks:  .venv/bin/labvirt notebook")


def main() -> None:
    """Run the tour; an error is a sentence, not a traceback."""
    times = Times()
    try:
        tour(times)
    except LabvirtError as error:
        print(f"labvirt: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
