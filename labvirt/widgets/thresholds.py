"""Thresholds: the levels of alerts, to be drawn across charts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from labvirt.host.measuring.alerts import Alert
from labvirt.widgets.panels import Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labvirt.status.condition import Condition
    from labvirt.status.series import Series

__all__ = ["thresholds_of"]


def thresholds_of(
    alerts: Iterable[Alert | Condition], series: Iterable[Series]
) -> tuple[Threshold, ...]:
    """Return the levels of the alerts that watch one of these series, lowest first.

    Args:
        alerts: alerts (``host.alerts``), or conditions.
        series: what the panel shows.
    """
    shown = {(each.kind, each.name) for each in series}
    found: dict[float, list[str]] = {}
    for each in alerts:
        condition = each.condition if isinstance(each, Alert) else each
        if (condition.kind, condition.series) not in shown or math.isnan(condition.limit):
            continue
        title = each.title if isinstance(each, Alert) else str(condition)
        labels = found.setdefault(condition.limit, [])
        if title not in labels:
            labels.append(title)
    return tuple(Threshold(value, ", ".join(labels)) for value, labels in sorted(found.items()))
