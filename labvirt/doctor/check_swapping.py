"""The check of guests whose memory is on disk (17.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.doctor import reading
from labvirt.doctor.checks import Seen, check, not_here, ok, unknown, warning
from labvirt.status.finding import amount

if TYPE_CHECKING:
    from labvirt.doctor.case import Case
    from labvirt.doctor.machine import Ran

__all__: list[str] = []

#: Bytes on swap that no guest is slow from.
_LITTLE: Final = 64 << 20


@check("host.guests-on-swap", "Do guests live in memory, and not on swap?", guide="G17.4-02",
       needs="machine")  # fmt: skip
def on_swap(case: Case) -> Seen:
    """Read of each hypervisor process what is in memory, what on swap, and the OOM killer's score."""
    running = {one.uuid: one.name for one in map(case.patient.record, case.patient.domains)}
    pids = {
        one.pid: running[uuid] for uuid, one in case.patient.processes.items() if uuid in running
    }
    if not pids:
        return not_here("no guest runs")
    files = [f"/proc/{pid}/{name}" for pid in pids for name in ("status", "oom_score")]
    found = reading.ran(case, "grep", "-H", "-s", "-E", "^Vm(RSS|Swap):|^[0-9]+$", *files)
    numbers = _numbers(found)
    rows = [(pids[pid], values) for pid, values in numbers.items() if "VmRSS" in values]
    if not rows:
        return unknown("/proc/PID/status of QEMU cannot be read")
    kept = sum(values["VmRSS"] for _, values in rows)
    swapped = {name: values.get("VmSwap", 0) for name, values in rows}
    first, scored = max(rows, key=lambda row: row[1].get("oom_score", 0))
    seen = (
        f"{len(rows)} guests: {amount(kept)} in memory, {amount(sum(swapped.values()))} on swap; "
        f"ended first when memory runs out: {first} (oom_score {scored.get('oom_score', 0)})"
    )
    slow = [
        f"{name} {amount(swapped[name])} of {amount(swapped[name] + values['VmRSS'])}"
        for name, values in rows
        if swapped[name] > max(_LITTLE, 0.1 * values["VmRSS"])
    ]
    if not slow:
        return ok(seen)
    return warning(
        f"{seen}; on swap: {', '.join(slow[:5])}",
        "the memory of these guests is partly on disk: they are slow, and wait at every look at it",
        "fewer or smaller guests: see host.memory; virsh setmem NAME SIZE --live",
    )


def _numbers(found: Ran | None) -> dict[int, dict[str, int]]:
    """Return by process what grep has told: bytes, and the score."""
    told: dict[int, dict[str, int]] = {}
    for line in found.out.splitlines() if found is not None else ():
        path, _, rest = line.partition(":")
        pid, words = int(path.split("/")[2]), rest.split()
        values = told.setdefault(pid, {})
        if path.endswith("oom_score"):
            values["oom_score"] = int(rest)
        elif len(words) > 1:
            values[words[0].rstrip(":")] = int(words[1]) * 1024
    return told
