"""Waiting for a guest: by stages with their own limits, real evidence, and a cause at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labvirt.errors import NotFoundError, SpecError, WaitTimeoutError
from labvirt.host.clones.inside import InsideVerbs
from labvirt.host.evidence import Evidence, Observer
from labvirt.host.measuring.holding import hold, is_condition
from labvirt.host.watch import watch
from labvirt.model.arguments import Limit, Wait, checked
from labvirt.plan import Job
from labvirt.status import DomainState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.plan import JobControl
    from labvirt.status import DomainRecord

__all__ = ["STAGES", "WaitingVerbs"]

_NO_FIRMWARE = """nothing on the serial line: the firmware found nothing to boot, the guest does \
not use the serial console, or KVM does not really work on this host"""
_NO_KERNEL = """the guest began to boot and did not finish: wrong root device, missing driver, or \
a host that is too busy"""

#: The stages on the way to "ready", the part of the time after which each is given up, and why
#: a guest usually stays in it.
STAGES: dict[str, tuple[float, str]] = {
    "power": (0.25, "the domain has not begun to run: it is paused, or waits for a device"),
    "firmware": (0.5, _NO_FIRMWARE),
    "kernel": (0.85, _NO_KERNEL),
    "network": (0.95, "no address: no DHCP server on its network, or the link is down"),
    "agent": (1.0, "the guest agent does not run in the guest"),
}
_STATES = {
    "running": DomainState.RUNNING,
    "paused": DomainState.PAUSED,
    "shutoff": DomainState.SHUTOFF,
}
_INSIDE = ("ready", "serial", "agent", "network", "http")


@dataclass(frozen=True)
class _Wish:
    """What is waited for: the limit of all stages together, and that of each from the beginning."""

    what: str
    timeout_s: float
    limits: Mapping[str, float]


class WaitingVerbs(InsideVerbs):
    """`until` gives a `Job`, `wait_for` waits for its result."""

    def until(
        self,
        what: str = "ready",
        *,
        timeout_s: float = 120.0,
        limits: Mapping[str, float] | None = None,
    ) -> Job[Evidence]:
        """Begin to wait and return the `Job`; ``await`` it to keep widgets alive.

        Args:
            what: ``ready`` (any of the evidence below), ``agent``, ``serial``, ``network``,
                ``http``, a state: ``running``, ``paused``, ``shutoff``, or a condition on a number
                of the domain: ``cpu < 50 % for 10 s``, ``disk_write > 1 MiB/s``.
            timeout_s: limit for all stages together.
            limits: limits of single stages in seconds from the beginning: ``power``,
                ``firmware``, ``kernel``, ``network``, ``agent``; shares of `timeout_s` by default.

        Raises:
            SpecError: nobody knows `what`, a stage of `limits`, or a limit is no time; a condition
                cannot be read, or can never hold in time.
        """
        if is_condition(what):
            checked(Wait, f"wait for {what} of {self.name}", timeout_s=timeout_s)
            return hold(self, what, timeout_s)
        unknown = [stage for stage in limits or () if stage not in STAGES]
        if what not in (*_INSIDE, *_STATES) or unknown:
            wrong = unknown[0] if unknown else what
            known = ", ".join(STAGES if unknown else (*_INSIDE, *_STATES))
            raise SpecError(f"cannot wait for {wrong!r} of {self.name}", hint=known)
        checked(Wait, f"wait for {self.name}", timeout_s=timeout_s)
        for stage, limit in (limits or {}).items():
            checked(Limit, f"wait for stage {stage} of {self.name}", timeout_s=limit)
        by_stage = {name: share * timeout_s for name, (share, _) in STAGES.items()}
        by_stage.update(limits or {})
        wish = _Wish(what, timeout_s, {k: min(v, timeout_s) for k, v in by_stage.items()})
        title = f"wait for {self.name} to be {what}"
        if what in _STATES:
            return Job(title, lambda control: self._wait_state(control, wish))
        return Job(title, lambda control: self._wait_inside(control, wish))

    def wait_for(
        self,
        what: str = "ready",
        *,
        timeout_s: float = 120.0,
        limits: Mapping[str, float] | None = None,
    ) -> Evidence:
        """Wait for the domain; see `until` for the arguments.

        Returns:
            The evidence: what was seen, and when each stage was passed.

        Raises:
            WaitTimeoutError: not in time, or it can no longer happen; with the likely cause.
        """
        return self.until(what, timeout_s=timeout_s, limits=limits).result()

    def _wait_state(self, control: JobControl, wish: _Wish) -> Evidence:
        began = time.monotonic()
        wanted = _STATES[wish.what]
        with watch(self.host, self.uuid) as changed:
            while True:
                try:
                    record = self.info()
                except NotFoundError:
                    # A transient domain disappears when it is off.
                    if wanted is not DomainState.SHUTOFF:
                        raise
                    return Evidence("state", "it is gone", time.monotonic() - began)
                spent = time.monotonic() - began
                if record.state is wanted:
                    return Evidence("state", f"it is {record.state.text}", spent)
                if spent > wish.timeout_s:
                    raise WaitTimeoutError(
                        f"domain {self.name} to be {wish.what}",
                        timeout_s=wish.timeout_s,
                        last_seen=f"{record.state.text} ({record.reason})",
                    )
                control.report(f"{self.name} is {record.state.text}")
                changed.wait(min(0.5, max(wish.timeout_s - spent, 0.01)))
                control.check()

    def _wait_inside(self, control: JobControl, wish: _Wish) -> Evidence:
        began = time.monotonic()
        observer = Observer(self)
        wanted = _goal(observer, wish.what)
        passed: dict[str, float] = {}
        try:
            with watch(self.host, self.uuid) as changed:
                while True:
                    spent = time.monotonic() - began
                    record = observer.record()
                    self._refuse_the_dead(record, wish, spent)
                    seen = wanted()
                    if seen is not None:
                        return replace(seen, seconds=time.monotonic() - began, stages=passed)
                    stage = _stage(observer, record, passed, spent)
                    if spent > wish.limits[stage]:
                        raise self._too_late(observer, record, wish, stage)
                    control.report(f"{self.name}: {stage}")
                    changed.wait(0.1 if spent < 10 else 0.4)
                    control.check()
        finally:
            observer.close()

    def _refuse_the_dead(self, record: DomainRecord, wish: _Wish, spent: float) -> None:
        """Stop waiting for what can no longer happen."""
        if record.id is None:
            cause = "it stopped by itself, or was stopped" if spent > 0.5 else "it was not started"
        elif record.state is DomainState.CRASHED:
            cause = "the guest crashed"
        elif record.state is DomainState.PAUSED and "I/O" in record.reason:
            cause = "QEMU paused it because a disk could not be written: is the pool full?"
        else:
            return
        raise WaitTimeoutError(
            f"domain {self.name} to be {wish.what}",
            timeout_s=round(spent, 1),
            last_seen=f"{record.state.text} ({record.reason})",
            likely_cause=cause,
        )

    def _too_late(
        self, observer: Observer, record: DomainRecord, wish: _Wish, stage: str
    ) -> WaitTimeoutError:
        """Return what to say when a stage has taken too long."""
        line = observer.last_line()
        return WaitTimeoutError(
            f"domain {self.name} to be {wish.what} (stage {stage})",
            timeout_s=wish.limits[stage],
            last_seen=f"state {record.state.text} ({record.reason})"
            + (f", serial: {line!r}" if line else ""),
            likely_cause=STAGES[stage][1],
            hint=f"{self.host.python}.domains[{self.name!r}].screenshot(), or a longer timeout_s",
        )


def _goal(observer: Observer, what: str) -> Callable[[], Evidence | None]:
    """Return the test that ends the wait."""
    if what == "agent":
        return observer.agent_ready
    if what == "serial":
        return observer.serial_ready
    if what == "network":
        return observer.address_ready
    if what == "http":
        return observer.http_ready

    def any_evidence() -> Evidence | None:
        return (
            observer.serial_ready()
            or observer.agent_ready()
            or (observer.lease_ready() and observer.http_ready())
            or observer.lease_ready()
        )

    return any_evidence


def _stage(observer: Observer, record: DomainRecord, passed: dict[str, float], spent: float) -> str:
    """Return the first stage without evidence; note the time of those that were passed."""
    text = observer.serial.text()
    proofs: dict[str, Callable[[], object]] = {
        "power": lambda: record.state is DomainState.RUNNING,
        "firmware": lambda: bool(text.strip()),
        "kernel": lambda: observer.serial_ready() or observer.lease_ready(),
        "network": lambda: not observer.has_interface or observer.address_ready(),
    }
    for stage, proof in proofs.items():
        if stage in passed:
            continue
        if not proof():
            return stage
        passed[stage] = round(spent, 2)
    return "agent"
