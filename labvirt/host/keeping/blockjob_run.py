"""Following a block job to its end: progress with bytes and rate, time limit, what became of it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.connection import blockjob as jobs
from labvirt.connection import domain as domains
from labvirt.errors import (
    ConflictError,
    ConnectionLostError,
    HostError,
    LabvirtError,
    NotFoundError,
    WaitTimeoutError,
)
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.connection import Event
    from labvirt.host.host import Host
    from labvirt.host.storage.chain import DiskChain
    from labvirt.plan import JobControl
    from labvirt.status import BlockJobRecord

__all__ = [
    "BlockJobResult",
    "Follower",
    "follower",
    "has_ended",
    "live_document",
    "pause",
    "running_job",
    "unused_now",
]

#: How long a lost link may take to come back while a job runs on without us.
LINK_GRACE_S = 60.0
#: How long the event with the outcome may come later than the end itself.
_EVENT_GRACE_S = 2.0


@dataclass(frozen=True)
class BlockJobResult:
    """How a block job went.

    Attributes:
        disk: the disk: ``vda``.
        seconds: how long it took.
        done: bytes that were worked through.
        chain: the files of the disk now, top first.
        unused: files that belonged to the disk before and do not now; they are still on the host.
        copy: the file that a copy was written to; empty for other jobs.
    """

    disk: str
    seconds: float
    done: Size
    chain: tuple[str, ...]
    unused: tuple[str, ...] = ()
    copy: str = ""

    def __str__(self) -> str:
        left = f"; unused now: {', '.join(self.unused)}" if self.unused else ""
        return (
            f"{self.disk}: {self.done} in {self.seconds:.2f} s; the disk lies on "
            + " -> ".join(self.chain)
            + left
        )


def pause(host: Host, why: LabvirtError, limit_s: float = LINK_GRACE_S) -> None:
    """Wait for a lost link to come back; a job goes on in QEMU meanwhile.

    Raises:
        LabvirtError: it does not come back; tells that the job goes on without us.
    """
    try:
        host.connection.wait_link(limit_s)
    except LabvirtError as error:
        raise HostError(
            "follow a block job",
            uri=host.label,
            libvirt_text=f"{why.what}; QEMU goes on with it by itself",
            hint="connect again: what was begun is then aborted or finished, and told",
        ) from error


def live_document(host: Host, uuid: str) -> DomainXml:
    """Return the XML of a domain as it is now, waiting out a link that just broke."""
    while True:
        try:
            return DomainXml.parse(domains.xml(host.connection, uuid))
        except ConnectionLostError as error:
            pause(host, error)


def running_job(host: Host, uuid: str, target: str) -> BlockJobRecord | None:
    """Return the block job of a disk, None when it has none or the domain does not run."""
    while True:
        try:
            if domains.read(host.connection, uuid).id is None:
                return None
            return jobs.info(host.connection, uuid, target)
        except NotFoundError:
            return None
        except ConnectionLostError as error:
            pause(host, error)
        except HostError:
            if has_ended(host, uuid):
                return None
            raise


def has_ended(host: Host, uuid: str, limit_s: float = 3.0) -> bool:
    """Tell whether a domain's QEMU has ended: while it dies, libvirt's answers are odd for a moment."""
    deadline = time.monotonic() + limit_s
    while True:
        try:
            if domains.read(host.connection, uuid).id is None:
                return True
        except NotFoundError:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)


class Follower:
    """Follows one block job; made by `follower`."""

    def __init__(self, host: Host, uuid: str, target: str, title: str, timeout_s: float) -> None:
        self._host, self._uuid, self._target, self._title = host, uuid, target, title
        self._timeout_s = timeout_s
        self._began = time.monotonic()
        self._woken = threading.Event()
        self._ends: list[str] = []
        self.done = Size(0)

    def hear(self, event: Event) -> None:
        """Note the end that libvirt tells of."""
        mine = event.uuid == self._uuid and event.detail.get("target") == self._target
        if event.kind == "block-job" and mine and event.detail.get("status") != "ready":
            self._ends.append(str(event.detail.get("status")))
        if mine or event.kind in ("link", "lifecycle"):
            self._woken.set()

    @property
    def seconds(self) -> float:
        """How long it runs."""
        return time.monotonic() - self._began

    def until(self, goal: str, control: JobControl) -> str:
        """Wait until the job is ready or has ended.

        Args:
            goal: ``ready`` (it has caught up and waits) or ``end``.
            control: what progress is told to.

        Returns:
            ``ready``, or the end: ``completed``, or ``unknown`` when nobody heard how it ended.

        Raises:
            HostError: it failed, somebody aborted it, or QEMU ended in the middle.
            WaitTimeoutError: not in time.
            CancelledError: cancelled.
        """
        while True:
            self._woken.clear()
            record = running_job(self._host, self._uuid, self._target)
            if record is None:
                return self._ended()
            self._tell(record, control)
            if goal == "ready" and record.is_ready:
                return "ready"
            control.check()
            left = self._timeout_s - self.seconds
            if left <= 0:
                raise WaitTimeoutError(
                    self._title,
                    timeout_s=self._timeout_s,
                    last_seen=str(record),
                    likely_cause="the storage is slow, the speed is limited, or the guest writes "
                    "faster than is copied",
                    hint="a longer timeout_s, more speed, or synchronous=True for a copy",
                )
            self._woken.wait(min(0.05 if self.seconds < 1 else 0.3, left))

    def _tell(self, record: BlockJobRecord, control: JobControl) -> None:
        self.done = max(self.done, record.done)
        rate = self.done / max(self.seconds, 0.001) / 2**20
        control.report(
            f"{self._title}: {record.done} of {record.total}, {rate:.1f} MiB/s",
            fraction=record.fraction,
        )

    def _ended(self) -> str:
        deadline = time.monotonic() + _EVENT_GRACE_S
        while not self._ends and time.monotonic() < deadline:
            if not self._is_alive():
                break
            self._woken.wait(0.1)
            self._woken.clear()
        end = self._ends[-1] if self._ends else "unknown"
        # A QEMU that dies breaks its jobs off first.
        dying = end in ("failed", "cancelled") and has_ended(self._host, self._uuid, 1.0)
        if dying or not self._is_alive():
            raise self._failure("the domain's QEMU ended in the middle of it")
        if end == "failed":
            raise self._failure("QEMU gave it up: is the storage full or broken?")
        if end == "cancelled":
            raise self._failure("somebody else aborted it")
        return end

    def _is_alive(self) -> bool:
        try:
            return domains.read(self._host.connection, self._uuid).id is not None
        except NotFoundError:
            return False
        except ConnectionLostError as error:
            pause(self._host, error)
            return self._is_alive()

    def _failure(self, why: str) -> HostError:
        return HostError(self._title, uri=self._host.label, libvirt_text=why)


@contextmanager
def follower(
    host: Host, uuid: str, target: str, title: str, timeout_s: float
) -> Iterator[Follower]:
    """Listen to the events of a block job that is begun in the block.

    A `ConflictError` inside becomes a plain `HostError`: the job was ours, so it must be undone.
    """
    found = Follower(host, uuid, target, title, timeout_s)
    subscription = host.connection.listen(found.hear)
    try:
        yield found
    except ConflictError as error:
        raise HostError(
            title,
            uri=host.label,
            code=error.code,
            libvirt_text=error.libvirt_text or error.what,
            hint=error.hint,
        ) from error
    finally:
        subscription.close()


def unused_now(before: DiskChain, after: DiskChain) -> tuple[str, ...]:
    """Return the files that belonged to a disk and no longer do."""
    return tuple(path for path in before.paths if path not in after.paths)
