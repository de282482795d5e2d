"""The keeper's birth: ``python -m labvirt.lab.keeper RECORD LINE LOCK``.

Tries the back ends in order by building their foundation. The first that this machine allows
becomes the keeper, an orphan in a session of its own; then this process ends. Standard library
only, so that a lab starts quickly and a fault of a library cannot end it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.lab import kernel, spaces
from labvirt.lab.processes import Process
from labvirt.lab.records import KEEPER_FILE, LabRecord, Limit, write_json
from labvirt.lab.refusal import Refusal
from labvirt.lab.report import Reporter
from labvirt.lab.running import RunningLab
from labvirt.lab.session import SessionBackend
from labvirt.lab.system import SystemBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.lab.backend import Backend
    from labvirt.lab.records import BackendName

__all__ = ["main"]

_VERDICT_LIMIT_S = 10.0


def main(arguments: list[str]) -> int:
    """Become the keeper of a lab.

    Args:
        arguments: path of the record; descriptors of the line to the starter and of the lock.

    Returns:
        Exit code of the process that was started: 0 when a keeper is at work.
    """
    record = LabRecord.read(Path(arguments[0]))
    line = socket.socket(fileno=int(arguments[1]))
    lock = int(arguments[2])
    for fd in (line.fileno(), lock):
        # They had to pass to this process; the daemons must not have them.
        os.set_inheritable(fd, False)  # noqa: FBT003 - takes no keyword
    reporter = Reporter(line, _watch(record.starter))
    # A refused keeper must come back to this process to be reaped.
    kernel.become_subreaper()
    refused: list[Limit] = []
    for name in record.backends:
        reporter.stage(f"trying the {name} back end")
        refusal = _attempt(name, record, reporter, lock, tuple(refused))
        if refusal is None:
            return 0
        refused.append(Limit(f"the {name} back end", refusal.why, refusal.remedy))
    reasons = "; ".join(f"{limit.what}: {limit.why}" for limit in refused)
    remedies = "; or ".join(limit.remedy for limit in refused if limit.remedy)
    reporter.say(failed=f"this machine cannot run lab {record.name}: {reasons}", hint=remedies)
    return 1


def _watch(starter: int) -> int:
    """Return a descriptor that becomes readable when the starter ends, -1 without support."""
    try:
        handle = os.pidfd_open(starter)
    except OSError:
        return -1
    # Only a parent that is still there is the starter, and not a later owner of its pid.
    if os.getppid() != starter:
        os.close(handle)
        return -1
    return handle


def _attempt(
    name: BackendName, record: LabRecord, reporter: Reporter, lock: int, refused: tuple[Limit, ...]
) -> Refusal | None:
    """Fork a keeper with one back end; return why it was refused, None when it is at work."""
    told, say = os.pipe()
    between = os.fork()
    if between == 0:
        code = 1
        try:
            os.close(told)
            code = _beget(name, record, reporter, lock=lock, refused=refused, say=say)
        finally:
            os._exit(code)
    os.close(say)
    keeper: Process | None = None
    accepted = False
    refusal = Refusal("its keeper did not get ready", "look at the end of the lab's keeper.log")
    try:
        for word in _words(told):
            if "pid" in word:
                keeper = Process.of(word["pid"])
                if keeper is not None:
                    write_json(Path(record.folder, KEEPER_FILE), asdict(keeper))
            elif word.get("accepted"):
                accepted = True
            else:
                refusal = Refusal(word["why"], word["remedy"])
            # The pid comes from the process between, the verdict from the keeper: any order.
            if accepted and keeper is not None:
                os.waitpid(between, 0)
                return None
    finally:
        os.close(told)
    if keeper is not None:
        keeper.send(signal.SIGKILL)
    _reap_all()
    return refusal


def _reap_all() -> None:
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _words(fd: int) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines that arrive in time."""
    deadline = time.monotonic() + _VERDICT_LIMIT_S
    text = b""
    while True:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        part = os.read(fd, 65536) if ready else b""
        if not part:
            return
        *lines, text = (text + part).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _beget(
    name: BackendName,
    record: LabRecord,
    reporter: Reporter,
    *,
    lock: int,
    refused: tuple[Limit, ...],
    say: int,
) -> int:
    """Fork the keeper into the namespaces it will own; this process is only between."""
    rootless = False
    try:
        if name == "system":
            rootless = spaces.enter_new_space(os.geteuid(), os.getegid())
    except Refusal as refusal:
        _write(say, why=refusal.why, remedy=refusal.remedy)
        return 0
    pid = os.fork()
    if pid:
        _write(say, pid=pid)
        return 0
    kernel.become_subreaper()
    backend: Backend = (
        SystemBackend(record, rootless=rootless) if name == "system" else SessionBackend(record)
    )
    try:
        backend.prepare()
    except Refusal as refusal:
        _write(say, why=refusal.why, remedy=refusal.remedy)
        return 0
    except OSError as error:
        _write(say, why=str(error), remedy="")
        return 0
    lab = RunningLab(record, backend, reporter, refused)
    _write(say, accepted=True)
    os.close(say)
    lab.run(lock)
    return 0


def _write(fd: int, **word: Any) -> None:
    os.write(fd, json.dumps(word).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
