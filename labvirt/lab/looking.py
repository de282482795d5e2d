"""Tells how labs are, from what is on disk, in ``/proc``, and from their keepers; trusts none alone."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabError
from labvirt.lab import wire
from labvirt.lab.cleaning import remains_of
from labvirt.lab.locks import is_held
from labvirt.lab.processes import Process, outer_pids
from labvirt.lab.records import HostStatus, LabStatus, Outcome
from labvirt.lab.requests import request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.lab.records import LabRecord
    from labvirt.lab.store import Shelf

__all__ = ["look_at", "wait_for_daemon"]

_ASK_S, _PING_S, _DYING_S = 2.0, 0.5, 0.3
_STATE_FOLDERS = {"session": "run/libvirt/qemu/run", "system": "run/qemu"}
_PID_FILES = {"session": "run/libvirtd.pid", "system": "run/libvirtd.pid"}


def look_at(shelf: Shelf) -> LabStatus:
    """Return how a lab is now.

    Args:
        shelf: the lab on disk.
    """
    record = shelf.record()
    if record is None:
        busy = is_held(shelf.folder)
        return LabStatus(
            name=shelf.name,
            state="starting" if busy else "broken",
            backend="",
            rootless=False,
            hosts=(),
            ephemeral=False,
            keeper_pid=None,
            created="",
            folder=shelf.folder,
            note="" if busy else f"its record is lost; labvirt lab stop {shelf.name} removes it",
        )
    keeper, outcome = shelf.keeper(), shelf.outcome()
    state, note, answers = _judge(shelf, record, keeper, outcome)
    hosts: tuple[HostStatus, ...] = ()
    if outcome is not None and state != "starting":
        hosts = _look_at_hosts(record, outcome, keeper, answers)
    return LabStatus(
        name=shelf.name,
        state=state,
        backend=outcome.backend if outcome is not None else "",
        rootless=outcome.rootless if outcome is not None else False,
        hosts=hosts,
        ephemeral=record.ephemeral,
        keeper_pid=keeper.pid if keeper is not None else None,
        created=record.created,
        folder=shelf.folder,
        note=note,
    )


def wait_for_daemon(shelf: Shelf, host: str, state: str, timeout_s: float) -> None:
    """Wait until a host's libvirtd is in a state.

    Args:
        shelf: the lab on disk.
        host: name of the host.
        state: the state, as `HostStatus` has it.
        timeout_s: limit in seconds.

    Raises:
        LabError: it does not get there in time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        for found in look_at(shelf).hosts:
            if found.name == host and found.state == state:
                # One that is stopped on purpose may still be ending.
                if state != "stopped" or found.daemon_pid is None:
                    return
                break
        if time.monotonic() > deadline:
            raise LabError(
                f"libvirtd of host {host} is not {state} after {timeout_s:g} s",
                hint=f"its log: {shelf.folder}/hosts/{host}/libvirtd.log",
            )
        time.sleep(0.02)


def _judge(
    shelf: Shelf, record: LabRecord, keeper: Process | None, outcome: Outcome | None
) -> tuple[str, str, list[dict[str, Any]]]:
    """Return the lab's state, what to say of it, and what the keeper tells of the daemons."""
    if keeper is not None and outcome is not None:
        try:
            return "running", "", request(record, {"op": "status"}, timeout_s=_ASK_S)["hosts"]
        except LabError as error:
            # One that was just killed hangs up a little before it is gone.
            if not keeper.wait(_DYING_S):
                return "not answering", error.what, []
            keeper = None
    if keeper is not None or is_held(shelf.folder):
        return "starting", "", []
    left = len(remains_of(record))
    remains = f"{left} of its processes run on unkept" if left else "none of its processes is left"
    return "broken", f"its keeper is gone, {remains}; labvirt lab stop {shelf.name} cleans up", []


def _look_at_hosts(
    record: LabRecord, outcome: Outcome, keeper: Process | None, answers: list[dict[str, Any]]
) -> tuple[HostStatus, ...]:
    # In a system lab all pids on file are those of its own pid namespace.
    seen = None
    if outcome.backend == "system":
        seen = outer_pids(keeper.pid) if keeper is not None else {}
    told = {answer["name"]: answer for answer in answers}

    def look(name: str) -> HostStatus:
        return _look_at_host(name, record, outcome, told.get(name), seen)

    with ThreadPoolExecutor(max_workers=len(record.names)) as workers:
        return tuple(workers.map(look, record.names))


def _look_at_host(
    name: str,
    record: LabRecord,
    outcome: Outcome,
    told: dict[str, Any] | None,
    seen: Mapping[int, int] | None,
) -> HostStatus:
    folder = Path(outcome.data, "hosts", name)
    home = f"HOME={folder / 'home'}"
    pid = told["pid"] if told is not None else _number(folder / _PID_FILES[outcome.backend])
    daemon = _as_seen(pid, seen, f"LABVIRT_LAB={record.id}")
    state = told["state"] if told is not None else ("running" if daemon else "gone")
    if daemon is None and state == "running":
        # The keeper is about to notice.
        state = "restarting"
    if state == "running":
        path = outcome.uris[name].partition("socket=")[2]
        if not wire.answers(path, _PING_S):
            state = "not answering"
    domains = [
        file.stem
        for file in sorted((folder / _STATE_FOLDERS[outcome.backend]).glob("*.pid"))
        # A running domain has both; other pid files lie there too.
        if file.with_suffix(".xml").exists() and _as_seen(_number(file), seen, home) is not None
    ]
    return HostStatus(
        name=name,
        state=state,
        daemon_pid=daemon,
        uri=outcome.uris[name],
        domains=tuple(domains),
        restarts=told["restarts"] if told is not None else 0,
    )


def _number(file: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(file.read_text(encoding="ascii"))
    return None


def _as_seen(pid: int | None, seen: Mapping[int, int] | None, mark: str) -> int | None:
    """Return the pid as this process sees it, None when that process is not alive or not the lab's."""
    if pid is None:
        return None
    if seen is not None:
        return seen.get(pid)
    with contextlib.suppress(OSError):
        settings = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if mark.encode() in settings and Process.of(pid) is not None:
            return pid
    return None
