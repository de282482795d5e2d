"""Copying an image byte by byte: by reference where the file system can, else holes left out."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import shlex
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from labvirt.errors import CancelledError, ConflictError, HostError
from labvirt.images.actions import MakeImage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.plan import JobControl

__all__ = ["CopyImage", "copy_file", "kept_from_writers"]

#: ioctl that lets two files share their blocks (linux/fs.h).
_FICLONE = 0x40049409
_PIECE = 16 << 20
#: Stretches from this size on are written around the page cache, by so many threads.
_MUCH = 64 << 20
_THREADS = 4
#: Bytes of a file by whose locks QEMU processes tell each other what they do (block/file-posix.c):
#: 100 + n: I do n; 200 + n: nobody else may do n. 0 is reading, 1 writing, 3 resizing.
_DOES, _FORBIDS, _READ, _WRITE, _RESIZE = 100, 200, 0, 1, 3
_FLOCK = "hhqqi4x"


def _lock(fd: int, kind: int, byte: int, *, command: int) -> int:
    """Set or test a lock of one byte; return the kind that stands in the way (F_UNLCK: none)."""
    asked = struct.pack(_FLOCK, kind, os.SEEK_SET, byte, 1, 0)
    told: int = struct.unpack(_FLOCK, fcntl.fcntl(fd, command, asked))[0]
    return told


@contextlib.contextmanager
def kept_from_writers(fd: int, path: str, asked: str) -> Iterator[None]:
    """Keep every QEMU process from writing to an open file, as QEMU's own processes do.

    Raises:
        ConflictError: one writes to it now.
    """
    try:
        for byte in (_DOES + _READ, _FORBIDS + _WRITE, _FORBIDS + _RESIZE):
            _lock(fd, fcntl.F_RDLCK, byte, command=fcntl.F_OFD_SETLK)
        busy = _lock(fd, fcntl.F_WRLCK, _DOES + _WRITE, command=fcntl.F_OFD_GETLK) != fcntl.F_UNLCK
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            busy = True
        elif error.errno in (errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP):
            busy = False  # a file system without locks: QEMU does without them there too
        else:
            raise
    if busy:
        raise ConflictError(
            asked,
            libvirt_text=f"a running QEMU writes to {path}",
            hint="shut the domain down, or clone it with live=True",
        )
    yield


def copy_file(source: str, target: str, *, control: JobControl, asked: str) -> None:
    """Copy a file that nobody may write to meanwhile; holes stay holes.

    Args:
        source: the file.
        target: a new file.
        control: is told how far it is, and may cancel.
        asked: what it is for, for messages.

    Raises:
        ConflictError: a QEMU process writes to the source.
        HostError: it cannot be read or written: no space, no right.
        CancelledError: the job was cancelled.
    """
    try:
        with (
            Path(source).open("rb") as old,
            kept_from_writers(old.fileno(), source, asked),
            Path(target).open("xb") as new,
        ):
            _copy(old.fileno(), new.fileno(), control, asked)
    except OSError as error:
        text = f"{source} to {target}: {error.strerror}"
        hint = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise HostError(asked, libvirt_text=text, hint=hint) from error


def _copy(old: int, new: int, control: JobControl, asked: str) -> None:
    size = os.fstat(old).st_size
    try:
        fcntl.ioctl(new, _FICLONE, old)
    except OSError:
        pass
    else:
        return
    os.ftruncate(new, size)
    begin = 0
    while begin < size:
        try:
            begin = os.lseek(old, begin, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole to the end
                return
            raise
        end = os.lseek(old, begin, os.SEEK_HOLE)
        if end - begin >= _MUCH:
            begin = _pour(old, new, begin, end, _Meter(control, asked, size))
        while begin < end:
            if control.cancelled:
                raise CancelledError(f"{asked} was cancelled")
            done = _move(old, new, begin, min(end - begin, _PIECE))
            if not done:
                raise HostError(asked, libvirt_text="the source became shorter meanwhile")
            begin += done
            control.report(asked, fraction=begin / size)


def _move(old: int, new: int, offset: int, length: int) -> int:
    try:
        return os.copy_file_range(old, new, length, offset, offset)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    return os.pwrite(new, os.pread(old, min(length, 1 << 20), offset), offset)


class _Meter:
    """Adds up what several threads have done, and stops them when the job is cancelled."""

    def __init__(self, control: JobControl, asked: str, size: int) -> None:
        self._control = control
        self._asked = asked
        self._size = size
        self._done = 0
        self._lock = threading.Lock()

    def add(self, count: int, begin: int) -> None:
        """Count bytes of a stretch that begins at `begin`."""
        if self._control.cancelled:
            raise CancelledError(f"{self._asked} was cancelled")
        with self._lock:
            self._done += count
            fraction = min((begin + self._done) / self._size, 1.0)
        self._control.report(self._asked, fraction=fraction)


def _pour(old: int, new: int, begin: int, end: int, meter: _Meter) -> int:
    """Write a long stretch from the page cache of the source straight to the disk.

    Several threads, no second copy in memory: three times as fast as a copy through the cache when
    memory has to be found for it. Returns how far it came: where a file system cannot do this,
    nowhere.
    """
    stop = begin + (end - begin) // mmap.PAGESIZE * mmap.PAGESIZE
    flags = fcntl.fcntl(new, fcntl.F_GETFL)
    try:
        fcntl.fcntl(new, fcntl.F_SETFL, flags | os.O_DIRECT)
    except OSError:
        return begin
    try:
        _allocate(new, begin, stop - begin)
        base = begin // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        with (
            mmap.mmap(old, stop - base, prot=mmap.PROT_READ, offset=base) as pages,
            memoryview(pages) as view,
            ThreadPoolExecutor(_THREADS) as threads,
        ):

            def write(at: int) -> None:
                last = min(at + _PIECE // 2, stop)
                while at < last:
                    meter.add(0, begin)
                    with view[at - base : last - base] as piece:
                        done = os.pwritev(new, [piece], at)
                    meter.add(done, begin)
                    at += done

            # The first alone: it shows whether the file system does this at all.
            write(begin)
            list(threads.map(write, range(begin + _PIECE // 2, stop, _PIECE // 2)))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.EFAULT):
            raise
        return begin
    finally:
        fcntl.fcntl(new, fcntl.F_SETFL, flags)
    return stop


def _allocate(fd: int, begin: int, length: int) -> None:
    """Find the space at once; a file system that cannot do this does without."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if libc.fallocate(fd, 0, begin, length) and ctypes.get_errno() == errno.ENOSPC:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@dataclass(frozen=True)
class CopyImage(MakeImage):
    """Copy an image that stands on no other, with all it has inside.

    Attributes:
        source: the image.
    """

    kind: ClassVar[str] = "copy-image"
    source: str = ""

    @property
    def shell(self) -> tuple[str, ...]:
        return (shlex.join(["cp", "--reflink=auto", "--sparse=auto", self.source, self.path]),)

    def make(self, control: JobControl) -> None:
        copy_file(self.source, self.part, control=control, asked=self.text)
