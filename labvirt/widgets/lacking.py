"""Why a board shows nothing, or why one of its panels lacks a line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from labvirt.status.series import find_series
from labvirt.widgets.spoken import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labvirt.status.sample import Sample
    from labvirt.widgets.live import LiveDriver
    from labvirt.widgets.panels import Panel

__all__ = ["notes_of"]

#: What is read seldom may take so long to come.
_PATIENCE_S = 12.0
_ABSENT = {
    "disk": "It has no disk.",
    "latency": "It has no disk.",
    "network": "It has no network card whose traffic libvirt counts: user-mode cards have none.",
}


def notes_of(driver: LiveDriver, samples: Sequence[Sample]) -> dict[str, Any]:
    """Return ``empty`` or ``note`` (texts) and ``notes`` (texts by panel), where there is cause."""
    active = {
        subject.uuid
        for sample in samples
        if (table := sample.tables.get("domain")) is not None
        for subject in table.subjects
    }
    panels = driver.panels()
    found: dict[str, Any] = {}
    if driver.domains is not None:
        if not active & set(driver.domains):
            return {"empty": spoken(f"{driver.title} is not running")}
    elif not active:
        text = f"No guest is running on {driver.title}"
        alone = not any(line.series.kind == "host" for panel in panels for line in panel.lines)
        return {"empty" if alone else "note": spoken(f"{text}.")}
    waited = max(sample.at for sample in samples) - driver.started_at > _PATIENCE_S
    notes = {
        panel.key: " ".join(map(spoken, dict.fromkeys(_reasons(driver, panel, waited=waited))))
        for panel in panels
    }
    if shown := {key: text for key, text in notes.items() if text}:
        found["notes"] = shown
    return found


def _reasons(driver: LiveDriver, panel: Panel, *, waited: bool) -> Iterator[str]:
    if not panel.lines:
        if panel.key in _ABSENT:
            yield _ABSENT[panel.key] if waited else "Not read yet."
        return
    if not waited:
        return
    for line in panel.lines:
        column = find_series(line.series.kind, line.series.name)
        value = driver.latest(line.series.kind, column).get(line.subject)
        if value is None or not math.isnan(value):
            continue
        uuid = line.subject.uuid
        if line.series.name == "memory_used_bytes" and line.series.kind == "domain":
            told = (getattr(host.sampler, "reasons", {}) for host in driver.hosts)
            known = next((each[uuid] for each in told if uuid in each), None)
            yield f"Memory used: {known or 'no balloon driver answers in the guest'}."
        elif line.series.group == "steal":
            yield "Steal: this host does not tell how long vCPUs had to wait."
        elif line.series.group == "host" and panel.key in {"disk", "network"}:
            yield f"{line.series.title}: known of this machine only, not of a remote host."
