"""Hypervisor processes: which runs which domain and in what state, and the ends of its logs.

All are read in one look at /proc of the host's machine; none of them is asked anything.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from labvirt.doctor.machine import Machine

__all__ = ["Process", "parse_processes", "read_processes", "tail"]

#: Libvirt starts QEMU with ``-uuid UUID``; the lines of ``stat`` tell the state.
_SCRIPT: Final = r"""
grep -hsE '^[0-9]+ \((qemu|kvm|xen)' /proc/[0-9]*/stat
grep -aszxFA1 -e -uuid /proc/[0-9]*/cmdline | tr '\0' '\n'
exit 0
"""
_STAT: Final = re.compile(r"(\d+) \((.*)\) (\S) (\d+)")
_UUID: Final = re.compile(r"/proc/(\d+)/cmdline-([0-9a-fA-F-]{36})")
_STATES: Final = {
    "R": "running",
    "S": "sleeping",
    "D": "waiting for a disk",
    "T": "stopped by a signal",
    "t": "stopped by a debugger",
    "Z": "dead and not yet reaped",
}


@dataclass(frozen=True, slots=True)
class Process:
    """The hypervisor process of a domain.

    Attributes:
        pid: its number on the machine.
        command: its name.
        state: the kernel's letter: ``R`` runs, ``S`` sleeps, ``D`` waits for a disk, ``T`` stopped.
        parent: process that has it as a child.
    """

    pid: int
    command: str
    state: str
    parent: int = 0

    @property
    def is_stopped(self) -> bool:
        """Whether it cannot do anything at all."""
        return self.state in {"T", "t", "Z", "X"}

    @property
    def words(self) -> str:
        """The state in words, with the kernel's letter."""
        return f"{_STATES.get(self.state, 'in a strange state')} (state {self.state})"

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid})"


def read_processes(machine: Machine) -> dict[str, Process]:
    """Return the processes that run domains on a machine, by UUID of the domain.

    Raises:
        LabvirtError: nothing can be run there.
    """
    return parse_processes(machine.run("sh", "-c", _SCRIPT).out)


def parse_processes(text: str) -> dict[str, Process]:
    """Return the processes from what the script printed."""
    known = {
        int(pid): Process(int(pid), command, state, int(parent))
        for pid, command, state, parent in _STAT.findall(text)
    }
    return {uuid.lower(): known[int(pid)] for pid, uuid in _UUID.findall(text) if int(pid) in known}


def tail(machine: Machine, path: str, size: int = 65536, *, since: int = 0) -> str | None:
    """Return the end of a file of the machine; None when it is not there or may not be read.

    Args:
        machine: whose file.
        path: which.
        size: at most so many bytes.
        since: nothing before this byte, where the file can be seen from here.
    """
    if machine.root is None:
        ran = machine.run("tail", "-c", str(size), path)
        return ran.out if ran else None
    try:
        with machine.path(path).open("rb") as file:
            file.seek(max(since, os.fstat(file.fileno()).st_size - size))
            return file.read().decode(errors="replace")
    except OSError:
        return None
