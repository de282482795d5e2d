"""Starts a lab's keeper and follows it until the lab is up; nothing is left when it does not come up."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import pwd
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt import places
from labvirt.errors import LabError
from labvirt.lab.cleaning import end_lab
from labvirt.lab.records import RECORD_FILE, BackendName, HostRecord, LabRecord, Outcome
from labvirt.lab.refusal import tail
from labvirt.lab.store import new_socket_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labvirt.lab.store import Shelf

__all__ = ["Birth", "start_lab"]

_MIDWIFE_S, _CLEANING_S = 2.0, 10.0
_WIRE_PORTS = 15000, 12000
"""First multicast port, and how many: below the ports that the kernel gives to others."""


@dataclass(slots=True)
class Birth:
    """A lab that has just come up.

    Attributes:
        record: what was asked for.
        outcome: what came of it.
        lifeline: descriptor whose closing, at the latest with this process, ends an ephemeral
            lab; None for others.
    """

    record: LabRecord
    outcome: Outcome
    lifeline: int | None = None


def _daemon_user() -> tuple[int, int, str]:
    """Return uid, gid and name of who runs session daemons: never root.

    Raises:
        LabError: root has no other user to give.
    """
    uid = os.geteuid()
    if uid != 0:
        with contextlib.suppress(KeyError):
            return uid, os.getegid(), pwd.getpwuid(uid).pw_name
        return uid, os.getegid(), str(uid)
    with contextlib.suppress(KeyError, ValueError):
        caller = pwd.getpwuid(int(os.environ["SUDO_UID"]))
        if caller.pw_uid != 0:
            return caller.pw_uid, caller.pw_gid, caller.pw_name
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise LabError(
            "there is no user nobody to run session daemons",
            hint="make one, or start the lab as an ordinary user",
        ) from error
    return nobody.pw_uid, nobody.pw_gid, nobody.pw_name


def start_lab(
    shelf: Shelf,
    names: Sequence[str],
    backends: tuple[BackendName, ...],
    *,
    ephemeral: bool,
    timeout_s: float,
    lock: int,
    progress: Callable[[str], None] | None,
) -> Birth:
    """Start a lab that is not there yet.

    Args:
        shelf: where it will be on disk.
        names: names of its hosts.
        backends: back ends to try.
        ephemeral: let it end with this process.
        timeout_s: limit for all of it.
        lock: descriptor of the lab's lock, which is held.
        progress: told in words what is being done.

    Raises:
        LabError: it did not come up; what was made is removed again.
    """
    try:
        record = _write_record(shelf, names, backends, ephemeral=ephemeral)
        with _keeper(shelf, record, lock) as line:
            _follow(shelf, line, timeout_s, progress)
            outcome = _outcome_of(shelf)
            lifeline = os.dup(line.fileno()) if ephemeral else None
    except BaseException as error:
        # Also on an interrupt: a half-started lab is nobody's.
        end_lab(shelf)
        if isinstance(error, OSError):
            raise LabError(
                f"lab {shelf.name} cannot be started: {error}",
                hint="set LABVIRT_HOME to a folder that you can write to",
            ) from error
        raise
    return Birth(record, outcome, lifeline)


def _outcome_of(shelf: Shelf) -> Outcome:
    outcome = shelf.outcome()
    if outcome is None:
        raise LabError(f"lab {shelf.name} says it is up but wrote no outcome")
    return outcome


def _write_record(
    shelf: Shelf, names: Sequence[str], backends: tuple[BackendName, ...], *, ephemeral: bool
) -> LabRecord:
    identity = uuid.uuid4()
    uid, gid, user = _daemon_user()
    shelf.folder.mkdir(mode=0o700, parents=True)
    folder = shelf.folder.resolve()
    sockets = new_socket_folder(folder)
    record = LabRecord(
        id=str(identity),
        name=shelf.name,
        backends=backends,
        hosts=tuple(
            HostRecord(name, str(uuid.uuid4()), number) for number, name in enumerate(names, 1)
        ),
        ephemeral=ephemeral,
        starter=os.getpid(),
        folder=str(folder),
        spare_folder=f"/var/tmp/labvirt-{identity.hex[:12]}",  # noqa: S108 - mkdir refuses what is there
        sockets=str(sockets),
        capabilities=str(places.cache() / "capabilities"),
        keep=_kept_folders(sockets),
        uid=uid,
        gid=gid,
        user=user,
        wire_port=_WIRE_PORTS[0] + identity.int % _WIRE_PORTS[1],
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )
    record.write(shelf.folder / RECORD_FILE)
    return record


def _kept_folders(sockets: Path) -> tuple[str, ...]:
    """Return the folders that stay in place inside the lab, each of them there."""
    cache = places.cache()
    cache.mkdir(parents=True, exist_ok=True)
    return tuple(str(folder.resolve()) for folder in (places.home(), cache, sockets.parent))


@contextlib.contextmanager
def _keeper(shelf: Shelf, record: LabRecord, lock: int) -> Iterator[socket.socket]:
    """Start the keeper; yields this side of the line to it.

    What is started here only gives birth to the keeper, and has ended when the block ends.
    """
    ours, theirs = socket.socketpair()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "LABVIRT_LAB": record.id,
    }
    # -S: the keeper uses the standard library only, and site packages cost most of the start.
    words = [sys.executable, "-S", "-m", "labvirt.lab.keeper", str(shelf.folder / RECORD_FILE)]
    with ours:
        with theirs, shelf.log.open("ab") as log:
            midwife = subprocess.Popen(
                [*words, str(theirs.fileno()), str(lock)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd="/",
                pass_fds=(theirs.fileno(), lock),
                start_new_session=True,
            )
        try:
            yield ours
        except BaseException:
            # The keeper sees that nobody waits for it any more, and cleans up.
            ours.close()
            raise
        finally:
            try:
                midwife.wait(_MIDWIFE_S)
            except subprocess.TimeoutExpired:
                midwife.kill()
                midwife.wait()


def _follow(
    shelf: Shelf,
    line: socket.socket,
    timeout_s: float,
    progress: Callable[[str], None] | None,
) -> None:
    """Read what the keeper says until the lab is up.

    Raises:
        LabError: it failed, died, or took longer than allowed.
    """
    deadline = time.monotonic() + timeout_s
    stage, text = "starting the keeper", b""
    while True:
        line.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            part = line.recv(65536)
        except TimeoutError as error:
            raise LabError(
                f"lab {shelf.name} was not up within {timeout_s:g} s; last stage: {stage}"
                + _quoted(tail(shelf.log)),
                hint="a larger timeout_s on a busy machine; the first start takes longest",
            ) from error
        if not part:
            raise LabError(
                f"the keeper of lab {shelf.name} died while {stage}" + _quoted(tail(shelf.log)),
                hint="the log tells why; labvirt doctor checks this machine",
            )
        *lines, text = (text + part).split(b"\n")
        for each in lines:
            word: dict[str, Any] = json.loads(each)
            if word.get("ready"):
                return
            if "failed" in word:
                _await_end(line)
                raise LabError(word["failed"] + _quoted(word.get("log", "")), hint=word["hint"])
            stage = word.get("stage", stage)
            if progress is not None and "stage" in word:
                progress(stage)


def _await_end(line: socket.socket) -> None:
    """Wait until the keeper has cleaned up after itself and hung up."""
    line.settimeout(_CLEANING_S)
    with contextlib.suppress(OSError):
        while line.recv(65536):
            pass


def _quoted(log: str) -> str:
    return "\n  Log: " + log.replace("\n", "\n       ") if log else ""
