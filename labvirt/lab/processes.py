"""Processes of this machine, named so that a recycled pid is never taken for the old process."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Process",
    "boot_id",
    "carrying",
    "children",
    "descendants",
    "kill_all",
    "outer_pids",
    "pids",
]

_GONE = "ZX"
"""States of /proc/PID/stat in which nothing of a process is left but its exit status."""


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Return the kernel's identity of this boot (start times count from it)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _stat(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/PID/stat`` from the state on, None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets; it may hold spaces and brackets itself.
    return text[text.rindex(")") + 2 :].split()


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its pid together with the moment it started.

    Attributes:
        pid: number in the pid namespace of whoever made this record.
        started: start time in clock ticks since boot, field 22 of proc(5)'s ``stat``.
        boot: the boot in which it runs.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the process that has this pid now, None when there is none alive."""
        fields = _stat(pid)
        if fields is None or fields[0] in _GONE:
            return None
        return cls(pid, int(fields[19]), boot_id())

    @property
    def is_alive(self) -> bool:
        """True while this very process runs; a zombie is not alive."""
        return Process.of(self.pid) == self

    def send(self, number: int) -> bool:
        """Send a signal to this very process.

        Args:
            number: the signal, e.g. ``signal.SIGKILL``.

        Returns:
            False when the process is gone already.

        Raises:
            PermissionError: it belongs to somebody else.
        """
        try:
            handle = os.pidfd_open(self.pid)
        except OSError as error:
            if error.errno == errno.ESRCH or not self.is_alive:
                return False
            # No pidfd here (an old kernel, a strict container): check, then send.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            return True
        try:
            # The handle pins the pid, so the check and the signal speak of one process.
            if not self.is_alive:
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def wait(self, timeout_s: float) -> bool:
        """Wait until the process has ended; True when it has."""
        deadline = time.monotonic() + timeout_s
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            handle = -1
        try:
            if handle >= 0 and self.is_alive:
                select.select([handle], [], [], timeout_s)
        finally:
            if handle >= 0:
                os.close(handle)
        while self.is_alive:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return True


def pids() -> Iterator[int]:
    """Yield the pid of every process that ``/proc`` shows."""
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                yield int(entry.name)


def _parents() -> dict[int, int]:
    """Return pid -> parent's pid of all that live."""
    found = {}
    for pid in pids():
        fields = _stat(pid)
        if fields is not None and fields[0] not in _GONE:
            found[pid] = int(fields[1])
    return found


def children(pid: int) -> tuple[int, ...]:
    """Return the living children of a process."""
    return tuple(child for child, parent in _parents().items() if parent == pid)


def descendants(pid: int) -> tuple[Process, ...]:
    """Return all living descendants of a process, the process itself left out."""
    parents = _parents()
    family = {pid}
    grew = True
    while grew:
        more = {child for child, parent in parents.items() if parent in family} - family
        family |= more
        grew = bool(more)
    return tuple(found for each in family - {pid} if (found := Process.of(each)) is not None)


def carrying(variables: Iterable[str]) -> tuple[Process, ...]:
    """Return the processes that were started with one of these environment variables.

    libvirt hands ``HOME`` on to QEMU and its helpers and replaces most other variables, so a
    private home is the mark by which the processes of a host are known again.

    Args:
        variables: whole settings, ``NAME=value``.
    """
    wanted = {os.fsencode(variable) for variable in variables}
    found = []
    for pid in pids():
        try:
            settings = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if pid != os.getpid() and not wanted.isdisjoint(settings):
            process = Process.of(pid)
            if process is not None:
                found.append(process)
    return tuple(found)


def outer_pids(keeper: int) -> dict[int, int]:
    """Return inner pid -> pid as seen from here, for the children of a keeper in its own pid namespace."""
    found = {}
    for pid in children(keeper):
        try:
            text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith("NSpid:"):
                found[int(line.split()[-1])] = pid
    return found


def kill_all(processes: Iterable[Process], timeout_s: float) -> tuple[Process, ...]:
    """Kill processes and wait for their end; return those that are still there."""
    victims = tuple(processes)
    for process in victims:
        with contextlib.suppress(PermissionError):
            process.send(signal.SIGKILL)
    deadline = time.monotonic() + timeout_s
    return tuple(
        process for process in victims if not process.wait(max(0.0, deadline - time.monotonic()))
    )
