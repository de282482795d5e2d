"""The labs of this user on disk: their folders, their records, and the lock of each."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt import places
from labvirt.errors import LabError
from labvirt.lab import locks
from labvirt.lab.processes import Process
from labvirt.lab.records import KEEPER_FILE, OUTCOME_FILE, RECORD_FILE, LabRecord, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Shelf",
    "all_names",
    "forget_orphaned_sockets",
    "locked",
    "new_socket_folder",
]

OWNER_LINK = "lab"
_LOCK_LIMIT_S, _ORPHAN_AGE_S = 20.0, 60.0
_LONGEST_BASE = 22
"""Bytes that libvirt leaves for the folder of sockets: 107, less the 83 it appends itself for a
guest agent, less a slash and a letter."""


class Shelf:
    """What is on disk of one lab, whether it runs or not.

    Args:
        name: name of the lab.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = places.labs() / name

    @property
    def exists(self) -> bool:
        """True when there is a folder for it, whatever is in it."""
        return self.folder.is_dir()

    @property
    def log(self) -> Path:
        """The keeper's log."""
        return self.folder / "keeper.log"

    def record(self) -> LabRecord | None:
        """Return what was asked for, None when that is missing or damaged."""
        with contextlib.suppress(OSError, ValueError):
            return LabRecord.read(self.folder / RECORD_FILE)
        return None

    def outcome(self) -> Outcome | None:
        """Return what came of the start, None before it is complete."""
        with contextlib.suppress(OSError, ValueError):
            text = (self.folder / OUTCOME_FILE).read_text(encoding="utf-8")
            return Outcome.from_json(json.loads(text))
        return None

    def keeper(self) -> Process | None:
        """Return the keeper if it is alive."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            text = (self.folder / KEEPER_FILE).read_text(encoding="utf-8")
            process = Process(**json.loads(text))
            if process.is_alive:
                return process
        return None


def all_names() -> tuple[str, ...]:
    """Return the names of all labs that have a folder, in order."""
    with contextlib.suppress(OSError):
        return tuple(
            sorted(
                entry.name
                for entry in places.labs().iterdir()
                if entry.is_dir() and not entry.name.startswith(".")
            )
        )
    return ()


@contextlib.contextmanager
def locked(name: str, *, doing: str) -> Iterator[int]:
    """Keep other commands from one lab; yields the lock's descriptor.

    A descriptor that is handed to the keeper keeps the lock until the keeper closes it.

    Args:
        name: name of the lab.
        doing: what is about to be done, for the message.

    Raises:
        LabError: another command is busy with this lab for too long, or the folder is closed.
    """
    folder = places.labs() / name
    deadline = time.monotonic() + _LOCK_LIMIT_S
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        while (handle := locks.take(folder)) is None:
            if time.monotonic() > deadline:
                raise LabError(
                    f"cannot {doing} lab {name}: another command is busy with it",
                    hint="wait for it to end; labvirt lab list shows what it does",
                )
            time.sleep(0.02)
    except OSError as error:
        raise LabError(
            f"cannot {doing} lab {name}: {error}",
            hint="set LABVIRT_HOME to a folder that you can write to",
        ) from error
    try:
        yield handle
    finally:
        locks.release(folder, handle)


def new_socket_folder(owner: Path) -> Path:
    """Make a new folder for sockets whose path is short enough for what libvirt appends.

    Args:
        owner: the lab's folder.

    Raises:
        OSError: no folder can be made.
    """
    folder = _new_folder()
    # Root's labs may run daemons as an ordinary user, who must be able to pass through.
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    (folder / OWNER_LINK).symlink_to(owner)
    return folder


def _new_folder() -> Path:
    for token in _tokens():
        try:
            folder = places.runtime() / token
            if len(os.fsencode(folder)) > _LONGEST_BASE:
                break
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        except (OSError, LabError):
            break
        return folder
    # Large user ids make long names, some containers have no /run that root may write to, and
    # the root of a user namespace finds that of the machine's root there.
    return Path(tempfile.mkdtemp(prefix="lv", dir="/tmp"))


def _tokens() -> Iterator[str]:
    letters = "abcdefghijkmnpqrstuvwxyz23456789"
    for _ in range(2000):
        yield secrets.choice(letters) + secrets.choice(letters)


def forget_orphaned_sockets() -> None:
    """Remove folders of sockets whose lab has lost its folder, e.g. to somebody's ``rm -r``."""
    with contextlib.suppress(OSError, LabError):
        for folder in places.runtime().iterdir():
            mark = folder / OWNER_LINK
            if not mark.is_symlink() or mark.exists():
                continue
            if time.time() - folder.lstat().st_mtime > _ORPHAN_AGE_S:
                shutil.rmtree(folder, ignore_errors=True)
