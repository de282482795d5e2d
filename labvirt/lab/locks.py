"""The lock of a lab: a file beside its folder, gone when the lab is gone and nobody is busy with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_held", "lock_file", "release", "take"]


def lock_file(folder: Path) -> Path:
    """Return the lock file of the lab with this folder."""
    return folder.with_name(f".{folder.name}.lock")


def take(folder: Path) -> int | None:
    """Return a locked descriptor, None when somebody else has the lock.

    A descriptor that another process inherits keeps the lock until both have closed it.

    Args:
        folder: the lab's folder; the one around it exists.

    Raises:
        OSError: no file can be made there.
    """
    path = lock_file(folder)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it before may have removed the file with the lab.
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    os.close(handle)
    return None


def release(folder: Path, handle: int) -> None:
    """Give a lock back, and remove its file when the lab is gone.

    Args:
        folder: the lab's folder.
        handle: what `take` gave.
    """
    if not folder.exists():
        lock_file(folder).unlink(missing_ok=True)
    os.close(handle)


def is_held(folder: Path) -> bool:
    """Tell whether a command is busy with a lab, or a lab is just starting."""
    try:
        handle = os.open(lock_file(folder), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
