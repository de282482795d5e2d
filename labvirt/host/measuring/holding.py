"""Waiting for a number: until a condition on what a domain uses has held for long enough."""

from __future__ import annotations

import math
import queue
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labvirt.errors import NotFoundError, SpecError, WaitTimeoutError
from labvirt.host.evidence import Evidence
from labvirt.host.measuring.alerts import with_unit
from labvirt.plan import Job
from labvirt.status.condition import Condition
from labvirt.status.series import find_series

if TYPE_CHECKING:
    from labvirt.host.handle import DomainHandle
    from labvirt.plan import JobControl
    from labvirt.status.sample import Sample

__all__ = ["hold", "is_condition"]

#: How long a domain may be missing from the samples before somebody looks, seconds.
_MISSING_S = 1.0


def is_condition(what: object) -> bool:
    """Return True for what is meant as a condition: it compares something."""
    return isinstance(what, str) and any(sign in what for sign in ("<", ">", "=", "no data"))


def hold(domain: DomainHandle, text: str, timeout_s: float) -> Job[Evidence]:
    """Begin to wait until a condition holds for a domain; see `WaitingVerbs.until`.

    Raises:
        SpecError: the condition cannot be read, is none of a domain, or can never hold in time.
    """
    condition = Condition.parse(text)
    asked = f"wait for {condition} of {domain.name}"
    if condition.kind != "domain":
        raise SpecError(
            f"cannot {asked}: it is a number of a {condition.kind}",
            hint="leave the kind out, or host.alert(...) for a host or device",
        )
    if condition.for_s > timeout_s:
        raise SpecError(
            f"cannot {asked}: {condition.for_s:g} s are more than timeout_s={timeout_s:g}",
            hint=f"timeout_s={condition.for_s * 2:g}",
        )
    return Job(asked, lambda control: _Holding(domain, condition, timeout_s).wait(control))


@dataclass
class _Holding:
    """One wait: what has been seen so far."""

    domain: DomainHandle
    condition: Condition
    timeout_s: float
    began: float = field(default_factory=time.monotonic)
    value: float = math.nan
    least: float = math.inf
    most: float = -math.inf
    longest_s: float = 0.0
    readings: int = 0
    was_true: bool = False
    missing_since: float | None = None

    def wait(self, control: JobControl) -> Evidence:
        """Wait for the end of it.

        Raises:
            WaitTimeoutError: not in time, or the domain does not run; with the likely cause.
        """
        came: queue.SimpleQueue[Sample] = queue.SimpleQueue()
        host, uuid = self.domain.host, self.domain.uuid
        self._refuse_the_dead()
        with host.sampler.listen(
            came.put, groups=(self.condition.group,), domains=(uuid,), backlog=64
        ):
            while True:
                left = self.began + self.timeout_s - time.monotonic()
                if left <= 0:
                    raise self._too_late()
                control.check()
                try:
                    sample = came.get(timeout=min(left, 0.25))
                except queue.Empty:
                    continue
                if self._step(sample) == "firing":
                    spent = time.monotonic() - self.began
                    words = f"{self.condition}: {self._words(self.value)} now"
                    return Evidence("rate", words, spent)
                control.report(f"{self.domain.name}: {self._words(self.value)}")

    def _step(self, sample: Sample) -> str:
        self.readings += 1
        table = sample.tables.get("domain")
        uuids = [subject.uuid for subject in table.subjects] if table is not None else []
        if table is None or self.domain.uuid not in uuids:
            self.missing_since = self.missing_since or sample.at
            if sample.at - self.missing_since >= _MISSING_S:
                self._refuse_the_dead()
            value = math.nan
        else:
            self.missing_since = None
            row = table.values[uuids.index(self.domain.uuid)]
            value = float(row[find_series("domain", self.condition.series)])
        state = self.condition.step(sample.at, value)
        if not math.isnan(value):
            self.value = value
            self.least, self.most = min(self.least, value), max(self.most, value)
        if self.condition.since is not None:
            self.longest_s = max(self.longest_s, sample.at - self.condition.since)
            self.was_true = True
        return state

    def _refuse_the_dead(self) -> None:
        """Stop waiting for what can no longer happen."""
        spent = time.monotonic() - self.began
        try:
            record = self.domain.info()
        except NotFoundError:
            seen, active = "it is gone", False
        else:
            seen, active = f"{record.state.text} ({record.reason})", record.id is not None
        if not active:
            raise WaitTimeoutError(
                self._asked,
                timeout_s=round(spent, 1),
                last_seen=seen,
                likely_cause="it stopped by itself, or was stopped"
                if spent > 0.5
                else "it was not started",
            )

    @property
    def _asked(self) -> str:
        return f"{self.condition} of domain {self.domain.name}"

    def _words(self, value: float) -> str:
        return with_unit(value, self.condition.unit)

    def _too_late(self) -> WaitTimeoutError:
        sampler, uuid = self.domain.host.sampler, self.domain.uuid
        if self.most < self.least:
            why = sampler.reasons.get(uuid, "")
            if uuid in sampler.stalled:
                why = "its hypervisor process gives no answer"
            if self.domain.host.state != "connected":
                why = f"the link to the host is {self.domain.host.state}"
            elif self.readings < 2:
                why = (
                    f"{self.readings} readings came in that time, one each {sampler.interval_s:g} s"
                )
            cause = why or "nobody tells this number of it"
        elif self.was_true:
            cause = f"it held for {self.longest_s:.1f} s at most"
        else:
            cause = f"it was {self._words(self.least)} to {self._words(self.most)} all the time"
        return WaitTimeoutError(
            self._asked,
            timeout_s=self.timeout_s,
            last_seen=self._words(self.value),
            likely_cause=cause,
            hint="a longer timeout_s, or host.history.df() to see how it went",
        )
