"""Every fault of a lab: made for real, noticed by its check, mended, undone.

``python -m tests.bench faults [session|system] [id ...]``. The slow tests of
`tests/lab/test_faults.py` play the same rows.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

import labvirt as lv
from labvirt.doctor import examine
from labvirt.errors import LabError, LabvirtError
from labvirt.lab.faults import all_faults
from labvirt.model.xml.domain import DomainXml
from tests.bench.faults_told import CAUSES, COMMANDS, HANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.lab.faults import Fault, Planted

_QUIET: Final = {"domain", "disk", "interface"}
#: Broken on the domain that is off, though one that runs could be broken too.
_OFF: Final = {"image-unreadable", "image-renamed", "backing-gone", "boot-order"}
#: Asked of the host from which guests would move to the one that is broken.
_MOVING: Final = {"destination-network", "migration-port-closed", "cpu-incompatible"}
#: So long things may take to be as they were; the guest boots within it.
_BACK_S: Final = 90.0
_WELL: Final = {"ok", "n/a"}

Findings = dict[str, Any]


@dataclass
class Row:
    """How a fault went; `wrong` is empty when all is as it must be."""

    fault: Fault
    backend: str
    verdict: str = ""
    cause: str = ""
    with_it: tuple[str, ...] = ()
    mended: str = ""
    restored: str = ""
    wrong: str = ""
    seconds: float = 0.0

    def blame(self, why: str) -> None:
        """Keep what was wrong; several things may be."""
        self.wrong = f"{self.wrong}; {why}" if self.wrong else why


class Stage:
    """A lab with a guest that runs, and one that is off with two images and a boot record."""

    def __init__(self, lab: lv.Lab) -> None:
        self.lab = lab
        self.host = lab["alpha"]
        disk = (lv.DiskSpec(size="16 MiB", pool="shared"),)
        tiny = lv.DomainSpec(name="web1", memory="128 MiB", source=lv.TinyGuest(), disks=disk)
        self.web = self.host.plan(tiny).apply()
        self.mac = DomainXml.parse(self.web.xml()).interfaces[0].mac
        bare = lv.DomainSpec(name="off1", memory="32 MiB", disks=disk, agent=False)
        self.host.plan(bare, start=False).apply()
        self.web.wait_for("agent", timeout_s=120)
        self.layered()
        self.settle()

    def layered(self) -> None:
        """Give off1 an image that lies over another one, which begins with a boot record."""
        path = Path(DomainXml.parse(self.host.domains["off1"].xml()).disks[0].source_file or "")
        base = path.with_name("base.qcow2")
        path.rename(base)
        over = f"qemu-img create -q -f qcow2 -F qcow2 -b {base} {path}"
        # cli; hlt; jmp: all that a BIOS needs to be content.
        code = (
            "write -P 0xfa 0 1",
            "write -P 0xf4 1 1",
            "write -P 0x55 510 1",
            "write -P 0xaa 511 1",
        )
        record = [
            "qemu-io",
            "-f",
            "qcow2",
            *(word for one in code for word in ("-c", one)),
            str(base),
        ]
        for words in (record, over.split()):
            done = self.lab.run("alpha", words)
            assert done.code == 0, done
        self.host.pools["shared"].refresh()

    def target(self, fault: Fault) -> dict[str, str]:
        """Return what `Lab.inject` is told."""
        if fault.id in {"destination-network", "migration-port-closed"}:
            return {"host": "beta"}
        if fault.of in _QUIET:
            return {"domain": "off1" if fault.state == "off" or fault.id in _OFF else "web1"}
        return {}

    def look(self, fault: Fault) -> Findings:
        """Examine the host that shows it; every finding, by id."""
        others = [self.lab["beta"]] if fault.id in _MOVING else []
        deep = fault.check == "disk.damaged"
        return {one.id: one for one in examine(self.lab["alpha"], others=others, deep=deep)}

    def play(self, fault: Fault) -> Row:
        """Break, look, undo, look; then break again, mend as the check says, look, undo, look."""
        row = Row(fault, self.lab.backend)
        began = time.monotonic()
        before = self.look(fault)
        planted = self.plant(fault)
        try:
            self.judge(row, before, self.look(fault))
        finally:
            row.restored = self.undo(row, planted)
        self.back(row, before, "the undo")
        planted = self.plant(fault)
        try:
            self.remedy(row, before)
        finally:
            said = self.undo(row, planted)
        self.back(row, before, f"remedy and undo ({said})")
        row.seconds = time.monotonic() - began
        return row

    def plant(self, fault: Fault) -> Planted:
        """Break it."""
        planted = self.lab.inject(fault.id, **self.target(fault))
        if fault.id == "certificate-expired":
            self.settle()
        return planted

    def judge(self, row: Row, before: Findings, found: Findings) -> None:
        """Compare what fails with what failed before: its check must, for the right reason."""
        fault = row.fault
        red = [
            one
            for one in found.values()
            if one.verdict == "fail" and (one.id not in before or before[one.id].verdict != "fail")
        ]
        mine = [one for one in red if one.kind == fault.check]
        if not mine:
            seen = {one.verdict for one in found.values() if one.kind == fault.check}
            row.verdict = ", ".join(sorted(seen))
            row.blame(f"{fault.check} did not fail")
        else:
            row.verdict, row.cause = mine[0].verdict, mine[0].cause
            if not re.search(CAUSES[fault.id], mine[0].cause):
                row.blame(f"another cause was found: {mine[0].cause}")
        others = {one.kind: one.id for one in red if one.kind != fault.check}
        row.with_it = tuple(sorted(others))
        strange = sorted(
            one
            for kind, one in others.items()
            if not any(fnmatch.fnmatch(kind, p) for p in fault.also)
        )
        if strange:
            row.blame(f"unrelated: {', '.join(strange)}")

    def remedy(self, row: Row, before: Findings) -> None:
        """Do what the check advises, with all that it finds; then it must be well."""
        until = time.monotonic() + _BACK_S
        done: set[str] = set()
        ill = self.ill(row.fault, before)
        while ill and time.monotonic() < until:
            bad = next((one for one in ill if one.id not in done), None)
            if bad is not None:
                done.add(bad.id)
                try:
                    row.mended = self.follow(row.fault, bad)
                except (LabvirtError, AssertionError) as error:
                    row.blame(f"the remedy failed: {error}; {bad.remedy}")
                    return
            self.settle()
            ill = self.ill(row.fault, before)
        for one in ill:
            row.blame(f"after the remedy {one.id} is still {one.verdict}")

    def ill(self, fault: Fault, before: Findings) -> list[Any]:
        """Return what the fault's check finds and did not find before; what fails first."""
        found = [
            one
            for one in self.look(fault).values()
            if one.kind == fault.check
            and one.verdict not in _WELL
            and (one.id not in before or one.verdict != before[one.id].verdict)
        ]
        return sorted(found, key=lambda one: one.verdict != "fail")

    def follow(self, fault: Fault, bad: Any) -> str:
        """Apply the finding's plan, run the command of its remedy, or do by hand what it says."""
        if bad.fix is not None:
            bad.fix().apply(confirm=True)
            return "plan"
        if fault.id in HANDS:
            HANDS[fault.id](self.lab, bad)
            return "by hand"
        match = re.search(COMMANDS[fault.id], bad.remedy)
        assert match is not None, f"it says nothing like {COMMANDS[fault.id]}"
        done = self.lab.run(self.target(fault).get("host", "alpha"), ["sh", "-c", match[0]])
        assert done.code == 0, done.stderr
        return match[0]

    def undo(self, row: Row, planted: Planted) -> str:
        """Undo; returns what was said."""
        try:
            return planted.undo().partition(": ")[2]
        except LabvirtError as error:
            row.blame(f"undo: {error}")
            return str(error)

    def back(self, row: Row, before: Findings, after: str) -> None:
        """Every finding must have the verdict that it had before."""
        wanted = {key: one.verdict for key, one in before.items()}
        until = time.monotonic() + _BACK_S
        while True:
            self.settle()
            now = {key: one.verdict for key, one in self.look(row.fault).items()}
            if now == wanted or time.monotonic() > until:
                break
        for key in sorted(set(now) ^ set(wanted) | {k for k in now if now[k] != wanted.get(k)}):
            row.blame(f"after {after} {key} is {now.get(key)}, it was {wanted.get(key)}")

    def settle(self) -> None:
        """Wait until host and guest are back."""
        with contextlib.suppress(LabvirtError):
            self.lab["alpha"].connection.wait_link(20)
            if self.web.is_active:
                self.web.wait_for("agent", timeout_s=5)
            until = time.monotonic() + 15
            while self.lab.backend == "system" and self.web.is_active and not self.has_lease():
                if time.monotonic() > until:
                    return
                time.sleep(0.5)

    def has_lease(self) -> bool:
        """Whether the guest that runs has an address."""
        return any(one.mac == self.mac for one in self.host.networks["default"].leases())


@contextlib.contextmanager
def stage(backend: str) -> Iterator[Stage]:
    """Give a lab for the faults of a back end."""
    name = f"faults-{backend}-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend=backend, ephemeral=True) as lab:  # type: ignore[arg-type]
        yield Stage(lab)


def chosen(words: list[str], backend: str) -> list[Fault]:
    """Return the faults of a back end whose ids are named; all when none is."""
    ids = [one for one in words if one not in {"session", "system"}]
    return [one for one in all_faults() if backend in one.backends and (not ids or one.id in ids)]


def rows(backend: str, faults: list[Fault], console: Console | None = None) -> Iterator[Row]:
    """Play faults on one lab."""
    with stage(backend) as here:
        for fault in faults:
            try:
                row = here.play(fault)
            except Exception as error:  # noqa: BLE001 - the next one is played all the same
                row = Row(fault, backend, wrong=f"{type(error).__name__}: {error}")
            if console is not None:
                told = f"{row.wrong or 'ok'} | {row.mended} | with it: {', '.join(row.with_it)}"
                console.print(fault.id, backend, f"{row.seconds:.0f} s", told, markup=False)
            yield row


def never_seen(played: list[Row]) -> list[str]:
    """Return what faults say turns red too, and was not seen on any back end; each was played."""
    seen: dict[str, set[str]] = {}
    backends: dict[str, set[str]] = {}
    for row in played:
        seen.setdefault(row.fault.id, set()).update(row.with_it)
        backends.setdefault(row.fault.id, set()).add(row.backend)
    return [
        f"{one.id}: {kind} never turned red"
        for one in {row.fault.id: row.fault for row in played}.values()
        if backends[one.id] == set(one.backends)
        for kind in one.also
        if not fnmatch.filter(seen[one.id], kind)
    ]


def table(played: list[Row]) -> Table:
    """Return what was played as a table."""
    found = Table(title="Faults: made, noticed, mended, undone")
    heads = ("Fault", "Back end", "Check", "Verdict", "Cause", "Red too", "Remedy", "Undo")
    for head in (*heads, "s", "Wrong"):
        found.add_column(head)
    for row in played:
        cells = (row.fault.id, row.backend, row.fault.check, row.verdict, row.cause[:60])
        more = (", ".join(row.with_it), row.mended[:40], row.restored[:40], f"{row.seconds:.0f}")
        found.add_row(*cells, *more, row.wrong[:200] or "-")
    return found


def show(words: list[str]) -> int:
    """Run the faults whose id or back end is named, and print the table."""
    console = Console(width=220)
    played: list[Row] = []
    for backend in [one for one in ("session", "system") if one in words] or ["session", "system"]:
        try:
            played += rows(backend, chosen(words, backend), console)
        except LabError as error:
            console.print(f"{backend}: {error.what}", markup=False)
    console.print(table(played))
    for one in (unseen := never_seen(played)):
        console.print(one, markup=False)
    return 1 if unseen or any(row.wrong for row in played) else 0
