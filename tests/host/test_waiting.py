"""Waiting: real evidence ends it, and when it gives up it says why."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import CancelledError, SpecError, WaitTimeoutError
from labvirt.host.waiting import STAGES

pytestmark = pytest.mark.lab


def test_a_tiny_guest_becomes_ready_and_the_evidence_is_named(alpha, name):
    spec = lv.DomainSpec(name=name, memory="128 MiB", source=lv.TinyGuest())
    evidence = alpha.plan(spec).apply().wait_for("ready", timeout_s=90)
    assert evidence.kind in ("serial", "agent")
    assert 0 < evidence.seconds < 90
    assert str(evidence)
    assert set(evidence.stages) <= set(STAGES)


@pytest.mark.slow(seconds=12)
def test_the_second_boot_is_not_taken_for_ready_by_the_words_of_the_first(alpha, name):
    spec = lv.DomainSpec(
        name=name, memory="128 MiB", source=lv.TinyGuest(), agent=False, interfaces=()
    )
    domain = alpha.plan(spec).apply()
    domain.wait_for("serial", timeout_s=90)
    domain.destroy(confirm=True)
    domain.start(paused=True)
    with pytest.raises(WaitTimeoutError, match="paused"):
        domain.wait_for("serial", timeout_s=1)
    domain.resume()
    domain.wait_for("serial", timeout_s=90)


def test_another_process_that_looks_at_a_ready_guest_sees_it_at_once(tiny):
    with lv.connect(tiny.host.uri) as host:
        assert host.domains["tiny"].wait_for("ready", timeout_s=20).kind in ("serial", "agent")


def test_agent_and_network_of_a_running_guest(tiny):
    assert tiny.wait_for("agent", timeout_s=10).kind == "agent"
    assert "10.0.2" in tiny.wait_for("network", timeout_s=10).text


def test_states(blank):
    assert blank.wait_for("running", timeout_s=5).kind == "state"
    job = blank.until("paused", timeout_s=20)
    blank.suspend()
    assert job.result(20).text == "it is paused"


def test_off_is_noticed_at_once_by_its_event(blank):
    job = blank.until("shutoff", timeout_s=20)
    blank.destroy(confirm=True)
    assert job.result(20).kind == "state"


def test_a_transient_domain_that_is_gone_is_off(alpha, spec):
    domain = alpha.plan(spec, transient=True).apply()
    job = domain.until("shutoff", timeout_s=20)
    domain.destroy(confirm=True)
    assert job.result(20).kind == "state"


def test_a_domain_without_a_system_stays_in_the_firmware_and_the_message_says_so(blank):
    with pytest.raises(WaitTimeoutError) as caught:
        blank.wait_for("ready", timeout_s=2)
    message = str(caught.value)
    assert "stage firmware" in message
    assert "nothing to boot" in message
    assert "screenshot" in message
    assert caught.value.timeout_s == 1.0


def test_single_stages_can_be_given_their_own_limit(blank):
    began = time.monotonic()
    with pytest.raises(WaitTimeoutError, match="stage firmware"):
        blank.wait_for("ready", timeout_s=60, limits={"firmware": 0.3})
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("wrong", [{"what": "happiness"}, {"limits": {"breakfast": 1}}])
def test_what_nobody_knows_is_refused(blank, wrong):
    with pytest.raises(SpecError):
        blank.until(**wrong)


@pytest.mark.parametrize("limit", ["5", None, float("nan"), float("inf"), -1, 0, True])
def test_a_limit_that_is_no_time_is_refused(blank, limit):
    with pytest.raises(SpecError, match="timeout_s"):
        blank.wait_for("running", timeout_s=limit)
    with pytest.raises(SpecError, match="timeout_s"):
        blank.until("ready", timeout_s=limit)


def test_a_domain_that_is_off_is_not_waited_for(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    with pytest.raises(WaitTimeoutError, match="was not started"):
        domain.wait_for("ready", timeout_s=60)


def test_a_domain_that_dies_ends_the_wait(blank, lab):
    job = blank.until("ready", timeout_s=60)
    (pid,) = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if blank.uuid.encode() in path.read_bytes() and b"qemu" in path.read_bytes()
    ]
    time.sleep(0.6)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WaitTimeoutError, match="stopped by itself"):
        job.result(20)
    assert blank.reason in ("crashed", "failed")


def test_a_wait_can_be_cancelled(blank):
    job = blank.until("ready", timeout_s=60)
    time.sleep(0.2)
    job.cancel()
    with pytest.raises(CancelledError):
        job.result(5)
