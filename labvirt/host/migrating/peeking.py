"""One small script on a host: what is at some paths, what time it is, and which machine it is."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labvirt.errors import LabvirtError
from labvirt.host.migrating.sides import FileSeen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.host.host import Host

__all__ = ["Peeked", "peek", "read_answer"]

_SECONDS = 5.0
#: Lines: seconds since 1970, boot id, and for each path three: identity and size, kind of its
#: file system, ``w`` or ``r``; or ``-`` three times.
_SCRIPT = """
date +%s.%N
cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo
for path; do
  if [ -e "$path" ]; then
    stat -L -c '%d:%i %s' -- "$path"; stat -L -f -c %T -- "$path"
    if [ -w "$path" ]; then echo w; else echo r; fi
  else
    echo -; echo -; echo -
  fi
done
"""


@dataclass(frozen=True)
class Peeked:
    """What the script told.

    Attributes:
        files: by path.
        boot_id: of the machine; empty when it has none.
        clock_ahead_s: by how much its clock is ahead of ours, to some ten milliseconds.
    """

    files: Mapping[str, FileSeen] = field(default_factory=dict)
    boot_id: str = ""
    clock_ahead_s: float | None = None


def peek(host: Host, paths: Sequence[str]) -> Peeked | None:
    """Look at paths and clock of a host; None when nothing can be run there.

    Args:
        host: the host; this machine, or one whose facts say how programs are run there.
        paths: absolute paths.
    """
    run = host.facts.run
    if run is None:
        if not host.is_local:
            return None
        run = _run_here
    argv = ["/bin/sh", "-c", _SCRIPT, "sh", *paths]
    before = time.time()
    try:
        code, out, _ = run(argv, _SECONDS)
    except (LabvirtError, OSError, subprocess.SubprocessError):
        return None
    return read_answer(out, paths, before, time.time()) if code == 0 else None


def _run_here(argv: Sequence[str], timeout_s: float) -> tuple[int, str, str]:
    done = subprocess.run(
        list(argv), capture_output=True, text=True, timeout=timeout_s, check=False
    )
    return done.returncode, done.stdout, done.stderr


def read_answer(out: str, paths: Sequence[str], before: float, after: float) -> Peeked | None:
    """Read what the script wrote; None when it is not whole.

    Args:
        out: its output.
        paths: what was asked for, in order.
        before: our time when it was started, seconds since 1970.
        after: our time when it had ended.
    """
    lines = out.splitlines()
    if len(lines) != 2 + 3 * len(paths):
        return None
    ahead: float | None
    try:
        ahead = float(lines[0]) - (before + after) / 2
    except ValueError:
        ahead = None
    files = {path: _seen(lines[2 + 3 * i : 5 + 3 * i]) for i, path in enumerate(paths)}
    # It ran somewhere between: what the middle is off by, at most, says nothing of the clock.
    if ahead is not None and abs(ahead) <= (after - before) / 2:
        ahead = 0.0
    return Peeked(files, lines[1].strip(), ahead)


def _seen(lines: Sequence[str]) -> FileSeen:
    first, kind, mode = lines
    if first == "-":
        return FileSeen(exists=False)
    identity, _, size = first.partition(" ")
    return FileSeen(
        exists=True,
        size=int(size) if size.isdecimal() and int(size) else None,
        identity=identity,
        file_system=kind,
        writable=mode == "w",
    )
