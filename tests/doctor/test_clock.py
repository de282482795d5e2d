"""Clocks: each check where it is well and where it is not."""

from __future__ import annotations

import pytest

from labvirt.doctor.check_clock import has_constant_tsc

SOURCES = "/sys/devices/system/clocksource/clocksource0"


@pytest.mark.parametrize(
    ("now", "others", "verdict", "words"),
    [
        ("tsc", "tsc hpet acpi_pm", "ok", ""),
        ("kvm-clock", "kvm-clock tsc", "ok", ""),
        ("hpet", "tsc hpet", "warning", "echo tsc >"),
        ("acpi_pm", "acpi_pm", "warning", "dmesg"),
    ],
)
def test_source(ask, machine, now, others, verdict, words):
    files = {f"{SOURCES}/current_clocksource": now, f"{SOURCES}/available_clocksource": others}
    (seen,) = ask("host.clocksource", machine(files))
    assert seen.verdict == verdict
    assert words in seen.remedy
    assert ask("host.clocksource", machine())[0].verdict == "n/a"


def test_every_cpu_must_count_evenly(ask, machine):
    good, bad = "flags\t: tsc constant_tsc nonstop_tsc\n", "flags\t: tsc\n"
    assert has_constant_tsc(good * 2) == (True, True, 2)
    assert has_constant_tsc(good + bad) == (False, False, 2)
    assert has_constant_tsc("Processor: ARMv8") == (False, False, 0)
    assert ask("host.tsc", machine({"/proc/cpuinfo": good}))[0].verdict == "ok"
    (seen,) = ask("host.tsc", machine({"/proc/cpuinfo": bad}))
    assert seen.verdict == "warning"
    assert "processor.max_cstate=1" in seen.remedy
    (seen,) = ask("host.tsc", machine({"/proc/cpuinfo": "flags\t: hypervisor\n"}))
    assert "host-passthrough" in seen.remedy


TRACKING = """\
System time     : {offset} seconds slow of NTP time
Leap status     : {leap}
"""


@pytest.mark.parametrize(
    ("processes", "tracking", "verdict", "words"),
    [
        ("init\nchronyd\n", TRACKING.format(offset="0.000012", leap="Normal"), "ok", "0.000012"),
        ("chronyd\n", TRACKING.format(offset="42.5", leap="Normal"), "warning", "makestep"),
        ("chronyd\n", TRACKING.format(offset="0", leap="Not synchronised"), "warning", "sources"),
        ("systemd-timesyn\n", "", "ok", "systemd-timesyncd"),
        ("init\nbash\n", "", "warning", "dnf install chrony"),
    ],
)
def test_somebody_keeps_the_time(ask, machine, processes, tracking, verdict, words):
    files = {"/etc/os-release": 'ID="rocky"\nID_LIKE="rhel centos fedora"\n'}
    made = machine(files, {"ps": processes, "chronyc": tracking})
    (seen,) = ask("host.ntp", made)
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.remedy}"


def test_timesyncd_that_nobody_answered(ask, machine):
    answers = {"ps": "systemd-timesyn\n", "timedatectl": "NTPSynchronized=no\n"}
    assert ask("host.ntp", machine({}, answers))[0].verdict == "warning"
