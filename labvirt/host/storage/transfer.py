"""Bytes on their way between files here and volumes there: paced, counted, compared, resumed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from labvirt.connection import volume as volumes
from labvirt.errors import HostError, SpecError
from labvirt.model.units import Size

if TYPE_CHECKING:
    from labvirt.connection import Connection
    from labvirt.plan import JobControl

__all__ = ["FileHoles", "Meter", "Transfer", "compare", "first_difference", "rate_of", "send"]

#: Seconds between two reports of progress.
_REPORT_S = 0.1


@dataclass(frozen=True, slots=True)
class Transfer:
    """What was moved.

    Attributes:
        path: the file on this machine.
        size: bytes of the whole.
        sent: bytes moved this time; less than `size` after a resume.
        offset: where it began.
        seconds: how long it took, without the comparison.
        sha256: of the whole, as both sides have it; empty when it was not verified.
    """

    path: str
    size: int
    sent: int
    offset: int
    seconds: float
    sha256: str = ""

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.sent / max(self.seconds, 1e-9)


def rate_of(rate: int | str | None) -> int | None:
    """Return a rate in bytes per second.

    Raises:
        SpecError: it is none.
    """
    if rate is None:
        return None
    found = int(Size.of(rate) if isinstance(rate, str) else rate)
    if found <= 0:
        raise SpecError(f"the rate {rate!r} is none", hint="bytes per second: '50 MiB', or None")
    return found


class Meter:
    """Counts bytes, reports them, keeps a rate, and notices cancelling.

    Args:
        control: of the job.
        title: what is done, for reports.
        total: bytes in all.
        rate: most bytes per second; None for no limit.
        already: bytes that were there before.
    """

    def __init__(
        self,
        control: JobControl,
        title: str,
        total: int,
        *,
        rate: int | None = None,
        already: int = 0,
    ) -> None:
        self._control, self._title, self._total = control, title, total
        self._rate, self._already = rate, already
        self._began = time.monotonic()
        self._told = 0.0
        self.done = 0

    def __call__(self, done: int) -> None:
        """Take note of how many bytes are moved."""
        self.done = done
        self._control.check()
        now = time.monotonic()
        if self._rate is not None:
            ahead = self._began + done / self._rate - now
            if ahead > 0:
                self._control.sleep(ahead)
        if now - self._told < _REPORT_S and done + self._already < self._total:
            return
        self._told = now
        whole = self._already + done
        speed = Size(int(done / max(now - self._began, 1e-3)))
        self._control.report(
            f"{self._title}: {Size(whole)} of {Size(self._total)}, {speed}/s",
            fraction=min(1.0, whole / max(self._total, 1)),
        )

    @property
    def seconds(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._began


class FileHoles:
    """Tells where an open file has holes."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self._file, self._end = file, end

    def here(self) -> tuple[bool, int]:
        """Return whether data come next, and how many bytes of data or hole; 0 at the end."""
        at = self._file.tell()
        if at >= self._end:
            return True, 0
        fd = self._file.fileno()
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return False, self._end - at  # nothing but a hole up to the end
        finally:
            os.lseek(fd, at, os.SEEK_SET)
        if data > at:
            return False, min(data, self._end) - at
        hole = os.lseek(fd, at, os.SEEK_HOLE)
        os.lseek(fd, at, os.SEEK_SET)
        return True, min(hole, self._end) - at

    def skip(self, length: int) -> None:
        """Go on behind a hole."""
        self._file.seek(length, os.SEEK_CUR)


class _DifferentError(Exception):
    """Two sides differ; the reading can end."""


def first_difference(
    link: Connection, volume: tuple[str, str], path: str, size: int, control: JobControl
) -> int:
    """Return up to which byte a volume has the bytes of a file: where a cut upload goes on."""
    same = 0

    with open(path, "rb") as file:  # noqa: PTH123 - a path as it was given

        def check(piece: bytes) -> None:
            nonlocal same
            control.check()
            mine = file.read(len(piece))
            if mine != piece:
                same += _common(mine, piece)
                raise _DifferentError
            same += len(piece)
            control.report("look for what has come", fraction=same / max(size, 1))

        with contextlib.suppress(_DifferentError):
            volumes.download(link, *volume, check, length=size)
    return min(same, size)


def _common(left: bytes, right: bytes) -> int:
    """Return how many bytes two pieces have in common at their beginning."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def compare(
    link: Connection, volume: tuple[str, str], path: str, size: int, control: JobControl
) -> str:
    """Compare a volume with a file and return the SHA-256 of both.

    Raises:
        HostError: they differ; says where.
    """
    digest = hashlib.sha256()
    done = 0
    meter = Meter(control, f"compare {volume[1]}", size)
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a path as it was given

        def check(piece: bytes) -> None:
            nonlocal done
            mine = file.read(len(piece))
            if mine != piece:
                raise HostError(
                    f"compare volume {volume[1]} with {path}",
                    libvirt_text=f"they differ from byte {done + _common(mine, piece)} on",
                    hint="upload it again; did the file change meanwhile, or does the disk fail?",
                )
            digest.update(piece)
            done += len(piece)
            meter(done)

        volumes.download(link, *volume, check, length=size)
    if done != size:
        raise HostError(
            f"compare volume {volume[1]} with {path}",
            libvirt_text=f"the volume has {done} bytes of {size}",
        )
    return digest.hexdigest()


def send(
    link: Connection,
    volume: tuple[str, str],
    path: str,
    meter: Meter,
    *,
    offset: int,
    size: int,
    sparse: bool,
) -> int:
    """Send a file into a volume, from an offset to its end; returns the bytes sent.

    Raises:
        HostError: the file became shorter meanwhile.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a path as it was given
        file.seek(offset)
        left = size - offset

        def read(most: int) -> bytes:
            nonlocal left
            piece: bytes = file.read(min(most, left)) if left else b""
            left -= len(piece)
            return piece

        holes = FileHoles(file, size) if sparse else None
        sent = volumes.upload(link, *volume, read, meter, offset=offset, holes=holes)
    if offset + sent != size:
        raise HostError(
            f"upload {path}",
            libvirt_text=f"the file became shorter: {offset + sent} of {size} bytes",
        )
    return sent
