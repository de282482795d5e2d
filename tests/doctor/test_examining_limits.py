"""An examination keeps its limits: what hangs is left behind, and everything else gives an answer."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest

import labvirt as lv
from labvirt.doctor import checks as registry
from labvirt.doctor.case import Patient
from labvirt.doctor.checks import Check, all_checks, ok
from labvirt.doctor.examining import examine_host
from labvirt.doctor.machine import Machine
from labvirt.errors import HostError, WaitTimeoutError
from tests.bench.doctor import stop_daemon

#: A check that counts as late is noticed within this, and the machine is a busy one.
_SLACK_S = 1.5


@pytest.fixture
def made(monkeypatch):
    """Let an examination ask only the checks that a test makes."""
    all_checks()
    known = {}
    monkeypatch.setattr(registry, "_checks", known)

    def make(key, look, **options):
        known[key] = Check(key, key.partition(".")[0], f"{key}?", look, **options)

    return make


@pytest.fixture
def nobody():
    return SimpleNamespace(name="fake", label="fake:///", state="connected")


def test_what_must_answer_in_time_fails_when_it_does_not(made, nobody):
    never = threading.Event()
    late = ("it hangs", "wake it")
    made("host.must", lambda _: never.wait(20) and None, limit_s=0.2, needs="nothing", late=late)
    (seen,) = examine_host(nobody, limit_s=10)
    never.set()
    assert (seen.verdict, seen.evidence) == ("fail", "no answer in 0.2 s")
    assert (seen.cause, seen.remedy) == late


def test_many_that_hang_cost_the_time_of_one(made, nobody):
    never = threading.Event()
    for number in range(12):
        made(f"host.hangs{number}", lambda _: never.wait(20) and None, limit_s=0.2, needs="nothing")
    for number in range(6):
        made(f"host.well{number}", lambda _: ok("here"), needs="nothing")
    began = time.monotonic()
    report = examine_host(nobody, limit_s=10)
    spent = time.monotonic() - began
    never.set()
    assert [one.verdict for one in report].count("ok") == 6
    late = [one for one in report if one.verdict == "unknown"]
    assert {one.evidence for one in late} == {"no answer in 0.2 s"}
    assert len(late) == 12
    # Six at a time hang for their limit and the grace of it.
    assert spent < 2 * (0.2 + 0.5) + _SLACK_S


def test_a_slow_one_in_front_does_not_hide_those_that_hang_behind_it(made, nobody):
    never = threading.Event()
    made("host.first", lambda _: time.sleep(1.2) or ok("slow"), limit_s=5, needs="nothing")
    for number in range(5):
        made(f"host.hangs{number}", lambda _: never.wait(20) and None, limit_s=0.2, needs="nothing")
    ended = {}
    made("host.last", lambda _: ok("here"), needs="nothing")
    began = time.monotonic()
    examine_host(
        nobody, progress=lambda *told: ended.setdefault(told[2].id, time.monotonic() - began)
    )
    never.set()
    assert ended["host.last"] < 1.1
    assert ended["host.first"] > 1.1


def test_the_whole_examination_ends_in_its_time(made, nobody):
    never = threading.Event()
    for number in range(8):
        made(f"host.hangs{number}", lambda _: never.wait(20) and None, limit_s=30, needs="nothing")
    began = time.monotonic()
    report = examine_host(nobody, limit_s=0.5)
    never.set()
    assert time.monotonic() - began < 0.5 + _SLACK_S
    assert {one.evidence for one in report} == {"the time for the whole examination was over"}


def test_a_fact_that_hangs_is_waited_for_once(nobody):
    patient, never = Patient(nobody), threading.Event()
    reader = threading.Thread(target=lambda: patient.once("fact", lambda: never.wait(20)))
    reader.start()
    time.sleep(0.1)
    began = time.monotonic()
    with pytest.raises(WaitTimeoutError, match="fact of fake"):
        patient.once("fact", dict, limit_s=0.5)
    assert 0.2 < time.monotonic() - began < 0.5 + _SLACK_S
    began = time.monotonic()
    with pytest.raises(WaitTimeoutError):
        patient.once("fact", dict, limit_s=0.5)
    assert time.monotonic() - began < 0.2
    never.set()
    reader.join()
    assert patient.once("fact", dict) is True


def test_a_fact_that_cannot_be_read_is_told_to_everybody(nobody):
    patient, asked = Patient(nobody), []

    def read():
        asked.append(1)
        raise HostError("read it")

    for _ in range(2):
        with pytest.raises(HostError):
            patient.once("fact", read)
    assert asked == [1]


@contextlib.contextmanager
def hung(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def guests(host, count):
    spec = lv.DomainSpec(name="x", memory="16 MiB", interfaces=(), rng=False)
    return [host.plan(spec.replace(name=f"g{number}")).apply() for number in range(count)]


def examined(alpha, beta, count):
    """Examine a host with a stopped guest beside one whose daemon hangs; the report, and in time."""
    made = guests(alpha, count)
    try:
        pid = Patient(alpha).processes[made[0].uuid].pid
        with hung(pid), stop_daemon(beta):
            began = time.monotonic()
            report = lv.doctor.examine(alpha, others=(beta,))
            spent = time.monotonic() - began
    finally:
        for each in made:
            each.destroy(confirm=True)
            each.undefine(confirm=True)
    return report, spent


def judged(report, count):
    """Look that the hung guest is told, and that the others were asked everything."""
    assert report["domain.hung:g0"].verdict == "fail"
    for number in range(1, count):
        assert report[f"domain.hung:g{number}"].verdict == "ok"
        assert report[f"domain.state:g{number}"].verdict == "ok"
        assert report[f"domain.movable:g{number}:beta"].verdict == "unknown"
    late = [one for one in report if one.evidence.startswith(("no answer in", "the time for"))]
    assert late == [], "\n".join(map(str, late))


def test_a_stopped_guest_and_a_hung_daemon_hold_nobody_up(alpha, beta):
    report, spent = examined(alpha, beta, 4)
    judged(report, 4)
    assert spent < 10
    assert beta.info().cpus


@pytest.mark.slow(seconds=25)
def test_twenty_guests_are_examined_within_ten_seconds(alpha, beta):
    report, spent = examined(alpha, beta, 20)
    judged(report, 20)
    assert spent < 10


@pytest.mark.slow(seconds=7)
def test_the_daemon_that_hangs_itself_is_told_within_seconds(alpha, beta):
    assert Machine.of(beta).daemon_pid
    with stop_daemon(beta):
        began = time.monotonic()
        report = lv.doctor.examine(beta, checks=("connection.answers", "domain.*", "guest.*"))
        assert time.monotonic() - began < 10
    (found,) = report.of("connection.answers")
    assert found.verdict != "ok"
    rest = [one for one in report if one is not found]
    assert {one.verdict for one in rest} <= {"unknown", "n/a"}
