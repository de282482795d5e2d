"""Checks of the host's clock: what counts the time, whether it counts evenly, who corrects it (11)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labvirt.doctor import reading
from labvirt.doctor.checks import Seen, check, not_here, ok, warning

if TYPE_CHECKING:
    from labvirt.doctor.case import Case

__all__ = ["has_constant_tsc"]

_SOURCES: Final = "/sys/devices/system/clocksource/clocksource0"
_GOOD: Final = {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen", "arch_sys_counter", "tod"}
_KEEPERS: Final = (
    "chronyd", "ntpd", "ntpsec", "systemd-timesyncd", "openntpd", "ptp4l", "phc2sys",
)  # fmt: skip
#: Offset in seconds from which a clock deserves a thought.
_FAR_OFF_S: Final = 0.5


def has_constant_tsc(cpuinfo: str) -> tuple[bool, bool, int]:
    """Return whether every CPU counts evenly, also when it sleeps, and how many CPUs there are.

    Args:
        cpuinfo: text of ``/proc/cpuinfo``.

    Returns:
        ``constant_tsc`` on all (G11-03), ``nonstop_tsc`` on all, CPUs.
    """
    flags = [
        set(line.partition(":")[2].split())
        for line in cpuinfo.splitlines()
        if line.startswith("flags")
    ]
    constant = bool(flags) and all("constant_tsc" in each for each in flags)
    return constant, bool(flags) and all("nonstop_tsc" in each for each in flags), len(flags)


@check(
    "host.clocksource", "Is the host's clock read from a good source?", guide="G11-01",
    needs="machine",
)  # fmt: skip
def clocksource(case: Case) -> Seen:
    """Look at what the kernel has chosen."""
    now = (reading.text(case, f"{_SOURCES}/current_clocksource") or "").strip()
    if not now:
        return not_here("this kernel does not tell its clock source")
    others = (reading.text(case, f"{_SOURCES}/available_clocksource") or "").split()
    seen = f"{now}, of {', '.join(others)}"
    if now in _GOOD:
        return ok(seen)
    better = next((one for one in others if one in _GOOD), "")
    cause = f"{now} is slow to read; the kernel takes it when it does not trust the TSC"
    if better:
        return warning(seen, cause, f"echo {better} > {_SOURCES}/current_clocksource")
    remedy = "dmesg | grep -i -e tsc -e clocksource says why; update the firmware (BIOS)"
    return warning(seen, cause, remedy)


@check("host.tsc", "Do all CPUs count time evenly?", guide="G11-03", needs="machine")
def tsc(case: Case) -> Seen:
    """Look for constant_tsc on every CPU (``grep constant_tsc /proc/cpuinfo``)."""
    cpuinfo = reading.text(case, "/proc/cpuinfo") or ""
    constant, nonstop, cpus = has_constant_tsc(cpuinfo)
    if not cpus:
        return not_here("not an x86 machine: it has no TSC")
    if constant:
        more = " and nonstop_tsc" if nonstop else "; not nonstop_tsc: it stops in deep sleep"
        return ok(f"constant_tsc{more} on all of {cpus} CPUs")
    seen = f"no constant_tsc on {cpus} CPUs"
    cause = "the clock of guests can drift when a CPU changes its speed or sleeps"
    remedy = (
        "cpupower frequency-set -g performance; AMD revision F: kernel parameter "
        "processor.max_cstate=1"
    )
    if "hypervisor" in cpuinfo:
        remedy = "this machine is a virtual one: give it the CPU mode host-passthrough on its host"
    return warning(seen, cause, remedy)


@check("host.ntp", "Does something keep the host's clock right?", guide="G11-02", needs="machine")
def ntp(case: Case) -> Seen:
    """Look for a time service that runs, and at the offset it tells."""
    found = reading.ran(case, "ps", "-eo", "comm=")
    running = {line.strip()[:15] for line in (found.out if found else "").splitlines()}
    keepers = [one for one in _KEEPERS if one[:15] in running]
    remedy = reading.per_family(
        case,
        debian="apt install chrony (systemctl enable --now chrony)",
        redhat="dnf install chrony && systemctl enable --now chronyd",
    )
    if not keepers:
        return _nobody(case, remedy)
    seen = f"{', '.join(keepers)} runs"
    if "chronyd" in keepers:
        return _chrony(case, seen)
    said = reading.ran(case, "timedatectl", "show", "--property=NTPSynchronized")
    if said and "NTPSynchronized=no" in said.out:
        cause = "no time server has answered yet"
        return warning(f"{seen}; NTPSynchronized=no", cause, "timedatectl timesync-status")
    return ok(seen)


def _nobody(case: Case, remedy: str) -> Seen:
    if reading.is_lab(case) and case.machine.is_apart and not reading.is_session(case):
        return not_here("a host of a lab takes the time of the machine it runs on")
    cause = (
        "no time service (chronyd, ntpd, systemd-timesyncd) runs: clocks of hosts drift apart, "
        "which disturbs migration and certificates"
    )
    return warning("none of the known time services among the processes", cause, remedy)


def _chrony(case: Case, seen: str) -> Seen:
    told = reading.ran(case, "chronyc", "-n", "tracking")
    if not told:
        return ok(seen)
    offset = re.search(r"System time\s*:\s*([\d.]+) seconds (\w+)", told.out)
    leap = re.search(r"Leap status\s*:\s*(.+)", told.out)
    if leap and "Not synchronised" in leap[1]:
        return warning(
            f"{seen}; {leap[0].strip()}", "no time server has answered yet", "chronyc sources -v"
        )
    if offset and float(offset[1]) > _FAR_OFF_S:
        cause = f"the clock is {offset[1]} s {offset[2]}"
        return warning(f"{seen}; {offset[0].strip()}", cause, "chronyc makestep")
    return ok(f"{seen}; {offset[0].strip()}" if offset else seen)
