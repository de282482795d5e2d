"""Every fault of a lab: made for real, noticed by its check, undone; ``python -m tests.bench faults``.

Words after it choose faults. The slow tests of `tests/lab/test_faults.py` run the same cases.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

import labvirt as lv
from labvirt.doctor import examine
from labvirt.errors import LabError, LabvirtError
from labvirt.lab.faults import all_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.lab.faults import Fault, Planted

_BAD = ("fail", "warning")
_QUIET = {"domain": ("off", "blank"), "disk": ("off", "blank"), "interface": ("off", "blank")}


def _told(one: Any) -> tuple[str, str]:
    return one.verdict, one.cause


@dataclass
class Row:
    """How a fault went; `wrong` is empty when all is as it must be."""

    fault: Fault
    backend: str
    verdict: str = ""
    cause: str = ""
    unrelated: tuple[str, ...] = ()
    mended: str = ""
    restored: str = ""
    wrong: str = ""
    seconds: float = 0.0


class Stage:
    """A lab with a guest that runs, one that is off with two images, and one that is off and bare."""

    def __init__(self, lab: lv.Lab) -> None:
        self.lab = lab
        self.host = lab["alpha"]
        disk = (lv.DiskSpec(size="16 MiB", pool="shared"),)
        tiny = lv.DomainSpec(name="web1", memory="128 MiB", source=lv.TinyGuest(), disks=disk)
        self.web = self.host.plan(tiny).apply()
        bare = lv.DomainSpec(name="off1", memory="32 MiB", disks=disk, agent=False)
        self.host.plan(bare, start=False).apply()
        self.web.wait_for("agent", timeout_s=120)
        self.layered()

    def layered(self) -> None:
        """Give off1 an image that lies over another one."""
        from pathlib import Path

        from labvirt.model.xml.domain import DomainXml

        path = Path(DomainXml.parse(self.host.domains["off1"].xml()).disks[0].source_file or "")
        base = path.with_name("base.qcow2")
        path.rename(base)
        words = [
            "qemu-img",
            "create",
            "-q",
            "-f",
            "qcow2",
            "-F",
            "qcow2",
            "-b",
            str(base),
            str(path),
        ]
        done = self.lab.run("alpha", words)
        assert done.code == 0, done
        self.host.pools["shared"].refresh()

    def target(self, fault: Fault) -> dict[str, str]:
        """Return what `Lab.inject` is told."""
        if fault.id in {"destination-network", "migration-port-closed"}:
            return {"host": "beta"}
        if fault.of in _QUIET:
            bare = {"image-unreadable", "image-renamed", "backing-gone", "boot-order"}
            return {"domain": "off1" if fault.state == "off" or fault.id in bare else "web1"}
        return {}

    def look(self, fault: Fault) -> dict[str, Any]:
        """Examine the host that is broken; what is not well, by id."""
        name = self.target(fault).get("host", "alpha")
        others: list[Any] = []
        if fault.check in {"domain.movable", "host.migration-ports"}:
            name, others = "alpha", [self.lab["beta"]]
        report = examine(self.lab[name], others=others, deep=fault.check == "disk.damaged")
        # A daemon that hangs is told by a check that got no answer in its time.
        return {
            one.id: one
            for one in report
            if one.verdict in _BAD or (one.kind, one.verdict) == ("connection.answers", "unknown")
        }

    def play(self, fault: Fault) -> Row:
        """Break, look, mend by the remedy where there is one, undo, look again."""
        row = Row(fault, self.lab.backend)
        began = time.monotonic()
        before = self.look(fault)
        planted = self.lab.inject(fault.id, **self.target(fault))
        try:
            if fault.id == "certificate-expired":
                self.settle(fault)
            found = self.look(fault)
            self.judge(row, before, found)
            self.remedy(row, found)
        finally:
            row.restored = self.undo(row, planted)
        self.settle(fault)
        left = {
            key
            for key, one in self.look(fault).items()
            if key not in before and one.verdict == "fail" and one.kind == fault.check
        }
        if left:
            row.wrong = row.wrong or f"after the undo: {', '.join(sorted(left))}"
        row.seconds = time.monotonic() - began
        return row

    def judge(self, row: Row, before: dict[str, Any], found: dict[str, Any]) -> None:
        """Compare what is not well with what was not well before."""
        fault = row.fault
        new = {k: v for k, v in found.items() if k not in before or _told(v) != _told(before[k])}
        mine = [one for one in new.values() if one.kind == fault.check]
        if mine:
            row.verdict, row.cause = mine[0].verdict, mine[0].cause
        else:
            row.wrong = f"{fault.check} did not notice"
        red = (one for one in new.values() if one.verdict == "fail" and one.kind != fault.check)
        row.unrelated = tuple(
            sorted(
                one.id for one in red if not any(fnmatch.fnmatch(one.kind, p) for p in fault.also)
            )
        )
        if row.unrelated:
            row.wrong = row.wrong or f"unrelated: {', '.join(row.unrelated)}"

    def remedy(self, row: Row, found: dict[str, Any]) -> None:
        """Apply the plan of the check when it has one."""
        mine = [o for o in found.values() if o.kind == row.fault.check and o.fix is not None]
        if not mine:
            row.mended = "by hand"
            return
        try:
            mine[0].fix().apply(confirm=True)
        except LabvirtError as error:
            row.mended = f"no: {error}"
            row.wrong = row.wrong or f"the remedy failed: {error}"
            return
        after = self.look(row.fault).get(mine[0].id)
        row.mended = "yes" if after is None else f"still {after.verdict}"

    def undo(self, row: Row, planted: Planted) -> str:
        """Undo; returns what was said."""
        try:
            return planted.undo()
        except LabvirtError as error:
            row.wrong = row.wrong or f"undo: {error}"
            return str(error)

    def settle(self, fault: Fault) -> None:
        """Wait until host and guest are back."""
        with contextlib.suppress(LabvirtError):
            self.lab["alpha"].connection.wait_link(20)
        if self.web.is_active and fault.of == "domain":
            with contextlib.suppress(LabvirtError):
                self.web.wait_for("agent", timeout_s=60)


@contextlib.contextmanager
def stage(backend: str) -> Iterator[Stage]:
    """Give a lab for the faults of a back end."""
    name = f"faults-{backend}-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend=backend, ephemeral=True) as lab:  # type: ignore[arg-type]
        yield Stage(lab)


def show(words: list[str]) -> int:
    """Run the faults whose id or back end is named, and print the table."""
    console = Console(width=200)
    table = Table(title="Faults: made, noticed, mended, undone")
    for head in ("Fault", "Back end", "Check", "Verdict", "Cause", "Remedy", "Undo", "s", "Wrong"):
        table.add_column(head)
    bad = 0
    backends = [one for one in ("session", "system") if one in words] or ["session", "system"]
    chosen = [one for one in words if one not in {"session", "system"}]
    for backend in backends:
        try:
            with stage(backend) as here:
                for fault in all_faults():
                    if backend not in fault.backends or (chosen and fault.id not in chosen):
                        continue
                    try:
                        row = here.play(fault)
                    except Exception as error:  # noqa: BLE001 - the next one is played all the same
                        row = Row(fault, backend, wrong=f"{type(error).__name__}: {error}")
                    bad += bool(row.wrong)
                    cells = (fault.id, backend, fault.check, row.verdict, row.cause[:40])
                    table.add_row(
                        *cells, row.mended, row.restored[:40], f"{row.seconds:.0f}", row.wrong[:400]
                    )
                    console.print(fault.id, backend, row.wrong or "ok", markup=False)
        except LabError as error:
            console.print(f"{backend}: {error.what}", markup=False)
    console.print(table)
    return 1 if bad else 0
