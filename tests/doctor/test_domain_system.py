"""Checks of domains and of moving on the system back end, with real networks and firewalls."""

from __future__ import annotations

import os

import pytest

import labvirt as lv
from labvirt.doctor.case import Patient
from labvirt.doctor.machine import Machine
from labvirt.errors import LabError
from tests.bench.stalled import stopped

pytestmark = pytest.mark.slow(seconds=12)


@pytest.fixture(scope="module")
def pair():
    """A system lab of two hosts with a running guest."""
    name = f"docp-{os.getpid()}"
    try:
        lab = lv.Lab.start(name, hosts=2, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        spec = lv.DomainSpec(name="tiny", memory="128 MiB", source=lv.TinyGuest())
        lab["alpha"].plan(spec).apply().wait_for("agent", timeout_s=90)
        yield lab["alpha"], lab["beta"]
        lab.stop()


def ill(report):
    return [one for one in report if one.verdict not in {"ok", "n/a"}]


def test_a_healthy_guest_raises_no_alarm(pair):
    alpha, beta = pair
    asked = ("domain.*", "guest.agent", "guest.clock", "guest.space", "guest.boot")
    report = lv.doctor.examine(
        alpha, others=(beta,), checks=(*asked, "host.cpu-common", "host.migration-ports")
    )
    assert ill(report) == [], "\n".join(map(str, ill(report)))
    assert "packets pass" in report["host.migration-ports:beta"].evidence
    assert report["guest.boot:tiny"].evidence.startswith("it is up")


def test_a_stopped_process_is_seen_in_the_hosts_own_namespace(pair):
    alpha, _ = pair
    tiny = alpha.domains["tiny"]
    with stopped(tiny):
        (found,) = ill(lv.doctor.examine(alpha, checks=("domain.hung",)))
        assert found.verdict == "fail"
        words = found.remedy.split()
        assert words[:2] == ["kill", "-CONT"]
        assert int(words[2]) == Patient(alpha).processes[tiny.uuid].pid
        assert Machine.of(alpha).run("sh", "-c", found.remedy)
        assert ill(lv.doctor.examine(alpha, checks=("domain.hung",))) == []


def test_a_firewall_that_drops_the_data_of_migrations_is_told_and_opened(pair):
    alpha, beta = pair
    firewall, match = Machine.of(beta), ("-p", "tcp", "--dport", "49152:49215", "-j")
    assert firewall.run("iptables", "-I", "INPUT", *match, "DROP")
    try:
        report = lv.doctor.examine(alpha, others=(beta,), checks=("host.migration-ports",))
        (found,) = report
        assert found.verdict == "fail"
        assert "port 49152 of beta cannot be reached from alpha" in found.cause
        words = found.remedy.partition("on beta: ")[2].partition(" (")[0]
        assert firewall.run("sh", "-c", words)
        assert ill(lv.doctor.examine(alpha, others=(beta,), checks=("host.migration-ports",))) == []
        assert firewall.run("iptables", "-D", "INPUT", *match, "ACCEPT")
    finally:
        firewall.run("iptables", "-D", "INPUT", *match, "DROP")


def test_a_network_that_is_off_on_the_other_host_is_told(pair):
    alpha, beta = pair
    network = beta.networks["default"]
    network.stop(confirm=True)
    try:
        (found,) = lv.doctor.examine(alpha, others=(beta,), checks=("domain.movable",))
        assert found.verdict == "fail"
        assert "net-start default" in found.remedy
    finally:
        network.start()
    assert ill(lv.doctor.examine(alpha, others=(beta,), checks=("domain.movable",))) == []
