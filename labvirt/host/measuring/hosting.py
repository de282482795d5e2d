"""The numbers of a host, with what watches them: tools and alerts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast
from weakref import WeakSet

from labvirt.host.sampled import SampledHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labvirt.host.host import Host
    from labvirt.host.measuring.alerts import Alert, AlertEvent
    from labvirt.host.measuring.tools import Tools
    from labvirt.status.condition import Condition

__all__ = ["MeasuredHost"]

_lock = threading.Lock()


class MeasuredHost(SampledHost):
    """The part of `Host` that is about numbers."""

    _alerts: WeakSet[Alert] | None = None

    @property
    def tools(self) -> Tools:
        """An administrator's tools for this machine: vmstat, iostat, QEMU processes, kvm_stat."""
        from labvirt.host.measuring.tools import Tools

        return Tools(cast("Host", self))

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts that are open."""
        with _lock:
            return tuple(each for each in self._alerts or () if each.is_open)

    def alert(
        self,
        condition: str | Condition,
        domains: Iterable[str] | None = None,
        call: Callable[[AlertEvent], object] | None = None,
        *,
        title: str = "",
    ) -> Alert:
        """Watch a condition on what is measured, until the alert or the host is closed (12.4-06).

        When it begins to fire for a subject, and when that is over, `call` is called, the journal
        gets a line (``labvirt journal``), and the history a mark. Keep what is returned: an alert
        that nobody holds goes on, and `alerts` has it.

        Args:
            condition: ``cpu > 90 % for 30 s``, ``disk_write > 50 MiB/s``, ``host:cpu >= 95 % for
                1 min clear at 80 %``, ``memory_used no data for 1 min``; see
                `labvirt.status.condition`.
            domains: names or UUIDs; None for all active domains, those that start later included.
            call: takes an `AlertEvent`; called on a thread of the alert's own. What it raises is
                logged.
            title: its name in journal and marks; the condition as it was given when empty.

        Raises:
            SpecError: the condition cannot be read; says what may stand there.
            NotFoundError: there is no domain of that name.
            ConnectionLostError: the host is closed.
        """
        from labvirt.host.measuring.alerts import Alert, checked_condition

        asked = checked_condition(condition, f"alert on {self.name}")
        made = Alert(cast("Host", self), asked, domains=domains, call=call, title=title)
        with _lock:
            if self._alerts is None:
                self._alerts = WeakSet()
            self._alerts.add(made)
        return made

    def _end_sampling(self) -> None:
        for alert in self.alerts:
            alert.close()
        super()._end_sampling()
