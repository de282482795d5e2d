"""A planned migration: what it is given, how its failure is told, how its success is proved."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as calls
from labvirt.errors import CancelledError, HostError, LabvirtError, WaitTimeoutError
from labvirt.host.line import moved as lines_moved
from labvirt.host.migrating.outcome import look, settled
from labvirt.host.migrating.result import MigrationResult, result_of
from labvirt.host.migrating.running import Running
from labvirt.host.migrating.track import MigrationTrack

if TYPE_CHECKING:
    from labvirt.connection import Connection
    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.host.migrating.outcome import Whereabouts
    from labvirt.model.migration import MigrationSpec
    from labvirt.plan import JobControl

__all__ = ["Move", "label_of"]

#: What QEMU says on either side when a certificate does not suit: often only that data ended.
_TLS = re.compile(r"TLS|certificate|Not a migration stream", re.IGNORECASE)
_TLS_HINT = (
    "one side refused the other's certificate: tls_name must be a name in the destination's, both "
    "must be of an authority that the other knows, and still valid (migrate_tls_x509_cert_dir or "
    "default_tls_x509_cert_dir in qemu.conf)"
)


@dataclass(frozen=True)
class Move:
    """One migration of one domain.

    Attributes:
        domain: what moves.
        destination: where to.
        spec: how.
        options: further words of the call, see `options_of`.
        data_uri: where the data goes; None: what the destination says.
        params: parameters of the call, see `params_of`; with secrets.
        unsafe: libvirt's own check of the disks may be off.
        label: what was asked in short.
    """

    domain: DomainHandle
    destination: Host
    spec: MigrationSpec
    options: frozenset[str]
    data_uri: str | None
    params: dict[str, Any] = field(repr=False)
    unsafe: bool
    label: str

    def run(self, link: Connection, control: JobControl) -> MigrationResult:
        """Move it, and look at both hosts afterwards, however it went.

        Raises:
            WaitTimeoutError: broken off because of ``timeout_s``.
            CancelledError: broken off by the user.
            HostError: it failed; says where the domain is, and what to do.
        """
        domain, source = self.domain, self.domain.host
        track = MigrationTrack(domain.name, source.name, self.destination.name, self.label)
        source.migrations[domain.uuid] = track
        running = Running(
            domain,
            self.destination,
            self.spec,
            track,
            options=self.options,
            data_uri=self.data_uri,
            params=self.params,
            unsafe=self.unsafe,
        )
        try:
            seconds = running.run(link, control)
        except LabvirtError as error:
            if not (track.switched or "postcopy-resume" in self.options):
                raise self._explained(error, control, running) from error
            seconds = self._came_through(error, control, running)
        return self._verified(seconds, running)

    def _came_through(self, error: LabvirtError, control: JobControl, running: Running) -> float:
        """Return the seconds of a post-copy that went on without the call that began it.

        After the switch the two QEMUs end it by themselves, whatever becomes of the call; then
        only the definition of the source is left to remove.
        """
        found = self._settled()
        if found.where != "moved":
            raise self._explained(error, control, running) from error
        running.track.mark("phase", f"it came through, though the call failed: {error.what}")
        if self.spec.undefine_source and found.there is not None and found.there.persistent:
            with contextlib.suppress(LabvirtError):
                calls.undefine(self.domain.host.connection, self.domain.uuid)
        last = running.track.last
        return last.elapsed_s if last is not None else 0.0

    def _settled(self) -> Whereabouts:
        domain = self.domain
        if self.spec.offline:
            # A definition has no process to wait for.
            return look(domain.host, self.destination, domain.uuid, domain.name)
        return settled(domain.host, self.destination, domain.uuid, domain.name)

    def _explained(
        self, error: LabvirtError, control: JobControl, running: Running
    ) -> LabvirtError:
        """Say on which host the domain is after a migration that failed, and what to do."""
        name, there = self.domain.name, self.destination.name
        found = self._settled()
        if running.suspended and found.where == "stayed":
            # It was paused so that the migration would end; now it shall go on.
            with contextlib.suppress(LabvirtError):
                calls.resume(self.domain.host.connection, self.domain.uuid)
            found = self._settled()
        now = f"; now: {found.text}"
        hint = "; ".join(found.recover)
        if self.spec.tls and _TLS.search(getattr(error, "libvirt_text", "")) and not hint:
            hint = _TLS_HINT
        if control.cancelled:
            return CancelledError(f"the migration of {name} was cancelled{now}", hint=hint)
        if running.timed_out:
            last = running.track.samples[-2:-1]
            seen = f"{last[0].remaining_bytes / (1 << 20):.0f} MiB left" if last else "nothing yet"
            return WaitTimeoutError(
                f"the migration of {name} to {there}{now}",
                timeout_s=self.spec.timeout_s,
                last_seen=seen,
                hint=hint
                or "a longer timeout_s, more bandwidth, auto_converge=True, postcopy=True",
            )
        if isinstance(error, HostError):
            return type(error)(
                f"migrate domain {name} to {there}{now}: this",
                uri=self.domain.host.label,
                code=error.code,
                domain=error.domain,
                libvirt_text=error.libvirt_text or error.what,
                hint="; ".join(one for one in (error.hint, hint) if one),
            )
        return error

    def _verified(self, seconds: float, running: Running) -> MigrationResult:
        """Look at both hosts: it must be there, and run only there."""
        domain, source = self.domain, self.domain.host
        source.note_move(domain.uuid, self.destination)
        found = self._settled()
        is_there = found.there is not None and found.here_is_off
        if not (is_there if self.spec.offline else found.where == "moved"):
            raise HostError(
                f"verify the migration of {domain.name}",
                uri=self.destination.label,
                libvirt_text=found.text,
                hint="; ".join(found.recover),
            )
        moved = self.destination.domains[domain.uuid]
        if found.here is None:
            source.news.note("domain", None, domain.uuid)
        lines_moved(domain, moved)
        return result_of(moved, found, seconds, running.stats, running.track)


def label_of(spec: MigrationSpec) -> str:
    """Return what was asked in short, for charts that compare."""
    if spec.offline:
        return "offline"
    words = ["live"] if spec.live else ["paused"]
    words += ["post-copy"] * spec.postcopy + ["auto-converge"] * spec.auto_converge
    words += [spec.compression] * (spec.compression is not None)  # type: ignore[list-item]
    words += [f"{spec.parallel} connections"] * (spec.parallel is not None)
    words += ["TLS"] * spec.tls + [spec.mode] * spec.p2p + ["disks"] * spec.copies_disks
    words += [f"{spec.bandwidth_mib_s} MiB/s"] * (spec.bandwidth_mib_s is not None)
    return ", ".join(words)
