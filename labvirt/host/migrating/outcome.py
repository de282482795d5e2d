"""After the end of a migration, whatever it was: on which host is the domain, and what to do."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from labvirt.connection import domain as calls
from labvirt.errors import LabvirtError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host.host import Host
    from labvirt.status import DomainRecord

__all__ = ["Whereabouts", "look", "settled"]

Where = Literal["moved", "stayed", "twice", "split", "nowhere", "unknown"]
#: After the switch to post-copy its memory is on both hosts.
_POSTCOPY = frozenset({"post-copy", "post-copy failed"})
#: Pauses that somebody asked for, or that a command cannot mend.
_MEANT = frozenset({"user", "I/O error", "crashed", "watchdog"})


@dataclass(frozen=True)
class Whereabouts:
    """Where a domain is.

    Attributes:
        name: the domain.
        source: name of the host it was to leave.
        destination: name of the host it was to go to.
        here: what the source says of it; None: it does not have it.
        there: what the destination says of it.
        silent: names of the hosts that give no answer.
        source_uri: for commands.
        destination_uri: for commands.
    """

    name: str
    source: str
    destination: str
    here: DomainRecord | None
    there: DomainRecord | None
    silent: tuple[str, ...] = ()
    source_uri: str = ""
    destination_uri: str = ""

    @property
    def where(self) -> Where:
        """Return the verdict: it has a process on exactly one host, or else what is wrong.

        ``split``: switched over to post-copy and not through, so that each host has a part of its
        memory; it runs on the destination, or waits there for the rest.
        """
        here, there = _has_process(self.here), _has_process(self.there)
        if here and there:
            return "split" if self._is_postcopy else "twice"
        if there:
            return "moved" if self.source not in self.silent else "unknown"
        if here:
            return "stayed" if self.destination not in self.silent else "unknown"
        if self.silent:
            return "unknown"
        return "nowhere"

    @property
    def _is_postcopy(self) -> bool:
        records = (self.here, self.there)
        return any(each is not None and each.reason in _POSTCOPY for each in records)

    @property
    def here_is_off(self) -> bool:
        """Return True when the source has no process of it."""
        return not _has_process(self.here) and self.source not in self.silent

    @property
    def text(self) -> str:
        """Return a sentence."""
        parts = [
            f"on {host} it is {record.state.text} ({record.reason})"
            for host, record in ((self.source, self.here), (self.destination, self.there))
            if record is not None
        ]
        parts += [f"{host} gives no answer" for host in self.silent]
        return " and ".join(parts) or "neither host has it"

    @property
    def recover(self) -> tuple[str, ...]:
        """Return the commands that bring it back to running on exactly one host; often none."""
        lines = []
        here, there = self.here, self.there
        if self.where == "split":
            # Neither may be destroyed: each has pages that the other has not.
            lines.append(self._resume_postcopy())
        elif self.where == "twice" and here is not None and there is not None:
            # Only one of them can be let run: the disks are the same. Paused ones lose nothing.
            loser = self.destination_uri if there.state.text == "paused" else self.source_uri
            lines.append(self._virsh(loser, "destroy"))
            if loser == self.destination_uri and _is_stuck(here):
                lines.append(self._virsh(self.source_uri, "resume"))
        elif self.where == "stayed" and here is not None and here.reason == "post-copy failed":
            # The other half died with what the guest did there; its disks are all that is left.
            lines += [self._virsh(self.source_uri, verb) for verb in ("destroy", "start")]
        elif self.where == "stayed" and _is_stuck(here):
            lines.append(self._virsh(self.source_uri, "resume"))
        elif self.where == "moved" and _is_stuck(there):
            lines.append(self._virsh(self.destination_uri, "resume"))
        elif self.where == "nowhere" and (here or there) is not None:
            home = self.source_uri if here is not None else self.destination_uri
            lines.append(self._virsh(home, "start"))
        return tuple(lines)

    def _resume_postcopy(self) -> str:
        words = ["migrate", "--live", "--postcopy", "--postcopy-resume", "--persistent"]
        words += ["--undefinesource", "--domain", self.name, "--desturi", self.destination_uri]
        return shlex.join(["virsh", "-c", self.source_uri, *words])

    def _virsh(self, uri: str, verb: str) -> str:
        record = self.there if uri == self.destination_uri else self.here
        name = record.name if record is not None else self.name
        return shlex.join(["virsh", "-c", uri, verb, name])


def _has_process(record: DomainRecord | None) -> bool:
    return record is not None and record.id is not None


def _is_stuck(record: DomainRecord | None) -> bool:
    """Return True when a guest stands still though nobody asked for that."""
    return record is not None and record.state.text == "paused" and record.reason not in _MEANT


def look(source: Host, destination: Host, uuid: str, name: str) -> Whereabouts:
    """Ask both hosts, now."""
    silent: list[str] = []
    here, there = (_ask(host, uuid, silent) for host in (source, destination))
    return Whereabouts(
        name,
        source.name,
        destination.name,
        here,
        there,
        tuple(silent),
        source.label,
        destination.label,
    )


def settled(
    source: Host,
    destination: Host,
    uuid: str,
    name: str,
    *,
    timeout_s: float = 30.0,
    sleep: Callable[[float], object] = time.sleep,
) -> Whereabouts:
    """Ask both hosts until the domain has a process on exactly one and both have answered.

    A daemon that was killed may come back, and then stops what it has received by half; the
    source may still be letting it go on.

    Args:
        source: the host it was to leave.
        destination: the host it was to go to.
        uuid: which domain.
        name: its name.
        timeout_s: after that time the last answer counts, seconds.
        sleep: waits a moment.
    """
    until = time.monotonic() + timeout_s
    while True:
        found = look(source, destination, uuid, name)
        if found.where in {"moved", "stayed"} and not found.silent and not _moving(found):
            return found
        if found.where == "split" and _has_failed(found):
            return found
        if time.monotonic() >= until:
            return found
        sleep(0.2)


def _moving(found: Whereabouts) -> bool:
    """Return True while libvirt itself still says that a migration goes on."""
    records = [record for record in (found.here, found.there) if record is not None]
    return any(record.reason in {"migrating", "post-copy"} for record in records)


def _has_failed(found: Whereabouts) -> bool:
    """Return True when a post-copy has stopped on both sides and waits for somebody."""
    records = [record for record in (found.here, found.there) if record is not None]
    return all(record.reason == "post-copy failed" for record in records)


def _ask(host: Host, uuid: str, silent: list[str]) -> DomainRecord | None:
    try:
        return calls.read(host.connection, uuid)
    except NotFoundError:
        return None
    except LabvirtError:
        silent.append(host.name)
        return None
