"""A migration under way: one call to libvirt, and beside it what watches and limits it."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as calls
from labvirt.connection import domain_tuning as tuning
from labvirt.errors import LabvirtError
from labvirt.status.migration import MigrationSample, Phase, sample_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from labvirt.connection import Connection, Event
    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.host.migrating.track import MigrationTrack
    from labvirt.model.migration import MigrationSpec
    from labvirt.plan import JobControl

__all__ = ["LOOK_S", "Running"]

#: Seconds between two looks: more than five a second.
LOOK_S = 0.15
#: How long a call that was aborted may still take, seconds.
_GRACE_S = 60.0
_MIB = 1 << 20


class Running:
    """Moves one domain and fills the track of it.

    Attributes:
        track: what is seen.
        timed_out: it took longer than the spec allows.
        suspended: the guest was paused because it took too long.
        stats: what the hypervisor said of the job when it was done.

    Args:
        domain: what moves; running, unless the spec says offline.
        destination: where to.
        spec: how.
        track: takes what is seen.
        options: further words of the call, see `options_of`.
        data_uri: where the data goes; None: what the destination says.
        params: parameters of the call, see `params_of`.
        unsafe: libvirt's own check of the disks may be off.
    """

    def __init__(
        self,
        domain: DomainHandle,
        destination: Host,
        spec: MigrationSpec,
        track: MigrationTrack,
        *,
        options: Collection[str],
        data_uri: str | None,
        params: Mapping[str, Any],
        unsafe: bool,
    ) -> None:
        self._domain, self._destination = domain, destination
        self._spec, self.track = spec, track
        self._options, self._data_uri = frozenset(options), data_uri
        self._params, self._unsafe = params, unsafe
        self._over = threading.Event()
        self._limited = 0
        self._breaking = False
        self.timed_out = self.suspended = False
        self.stats: dict[str, Any] = {}
        self._told: dict[str, Any] = {}

    def run(self, link: Connection, control: JobControl) -> float:
        """Move it; blocks to the end, and returns the seconds that the call took.

        Raises:
            LabvirtError: what libvirt said; where the domain is then, see `outcome`.
        """
        began = time.monotonic()
        if not self._spec.offline:
            control.on_cancel(lambda: self._abort(link))
            self._limit_downtime(link)
        follower = threading.Thread(
            target=self._follow,
            args=(link, control, began),
            name=f"labvirt-migration {self._domain.name}"[:60],
            daemon=True,
        )
        follower.start()
        with link.listen(self._heard):
            try:
                self._call(link)
            except BaseException:
                self._end(follower, "cancelled" if control.cancelled else "failed", began)
                raise
            seconds = time.monotonic() - began
            self._end(follower, "done", began)
        return seconds

    def _heard(self, event: Event) -> None:
        if event.kind == "job-completed" and event.uuid == self._domain.uuid:
            self._told = dict(event.detail)

    def _call(self, link: Connection) -> None:
        spec = self._spec
        calls.migrate(
            link,
            self._domain.uuid,
            self._destination.connection,
            live=spec.live and not spec.offline,
            migrate_uri=self._data_uri,
            persistent=spec.persist,
            undefine_source=spec.undefine_source,
            unsafe=self._unsafe,
            p2p=spec.p2p,
            peer_uri=spec.peer_uri,
            bandwidth_mib_s=spec.bandwidth_mib_s,
            options=self._options,
            params=self._params,
            timeout_s=2 * spec.timeout_s + _GRACE_S,
        )

    # watching ---------------------------------------------------------------------------------

    def _follow(self, link: Connection, control: JobControl, began: float) -> None:
        while not self._over.wait(LOOK_S):
            passed = time.monotonic() - began
            with contextlib.suppress(LabvirtError):
                stats = calls.job_stats(link, self._domain.uuid)
                if stats.get("type", 0) and not self._over.is_set():
                    phase: Phase | None = "postcopy" if self.track.switched else None
                    sample = sample_of(stats, phase=phase)
                    self.track.add(sample)
                    control.report(self._words(sample), fraction=sample.fraction)
            if self._spec.offline or self._over.is_set():
                continue
            if self._breaking:
                # While the destination prepares itself there is no job yet to break off.
                self._break_off(link)
            self._limits(link, passed)

    def _words(self, sample: MigrationSample) -> str:
        where = f"{self._domain.name} to {self._destination.name}"
        if sample.phase == "setup":
            return f"{where}: connecting"
        left = sample.remaining_bytes / _MIB
        words = f"{where}: round {sample.iteration}, {left:.0f} MiB left"
        if sample.phase == "postcopy":
            return f"{where}: it runs there, {left:.0f} MiB of its memory to follow"
        if sample.bandwidth_bytes_s > 0:
            words += f" at {sample.bandwidth_bytes_s / _MIB:.0f} MiB/s"
        seconds = self.track.seconds_left
        if math.isinf(seconds):
            words += ", it writes faster than is sent"
        elif not math.isnan(seconds):
            words += f", about {seconds:.0f} s"
        return words

    def _end(self, follower: threading.Thread, phase: Phase, began: float) -> None:
        self._over.set()
        follower.join(_GRACE_S)
        # A completed job can be read once.
        self.stats = self._completed() if phase == "done" and not self._spec.offline else {}
        if self.stats:
            self.track.add(sample_of(self.stats, phase=phase))
            return
        last = self.track.last
        elapsed = last.elapsed_s if last is not None else time.monotonic() - began
        self.track.add(MigrationSample(elapsed_s=elapsed, phase=phase))

    def _completed(self) -> dict[str, Any]:
        for host in (self._destination, self._domain.host):
            with contextlib.suppress(LabvirtError):
                stats = calls.job_stats(host.connection, self._domain.uuid, completed=True)
                if stats.get("type"):
                    return dict(stats)
        # After a post-copy the destination knows nothing, and the source has no such domain.
        return self._told

    # limits -----------------------------------------------------------------------------------

    def _limits(self, link: Connection, passed: float) -> None:
        spec = self._spec
        after = spec.postcopy_after_s
        if after is not None and passed >= after and not self.track.switched:
            self._switch(link)
        # What is done about it gets the same time once more; then it is broken off.
        if passed < spec.timeout_s * (1 + self._limited) or self._limited > 1:
            return
        self.timed_out = True
        if self._limited == 0 and spec.on_timeout == "postcopy":
            self._switch(link)
            # Before the first page there is nothing to switch: it is tried again.
            self._limited = int(self.track.switched)
            return
        self._limited += 1
        if self._limited == 1 and spec.on_timeout == "suspend":
            self.track.mark("timeout", f"after {passed:.0f} s: paused, so that it ends")
            with contextlib.suppress(LabvirtError):
                calls.suspend(link, self._domain.uuid)
                self.suspended = True
        elif not self.track.switched:
            self._limited = 2
            self.track.mark("timeout", f"after {passed:.0f} s: broken off")
            self._abort(link)

    def _limit_downtime(self, link: Connection) -> None:
        if self._spec.max_downtime_ms is not None:
            tuning.set_max_downtime(link, self._domain.uuid, self._spec.max_downtime_ms)

    def _switch(self, link: Connection) -> None:
        """Switch over; before the first page there is nothing to switch: it is tried again."""
        with contextlib.suppress(LabvirtError):
            tuning.start_postcopy(link, self._domain.uuid)
            self.track.switch()

    def _abort(self, link: Connection) -> None:
        if self.track.switched:
            self.track.mark("cancel", "too late to break off: it runs on the other host already")
            return
        self.track.mark("cancel", "broken off")
        self._breaking = True
        self._break_off(link)

    def _break_off(self, link: Connection) -> None:
        with contextlib.suppress(LabvirtError):
            calls.abort_job(link, self._domain.uuid)
