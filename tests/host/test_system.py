"""What only hosts with real networks can show: leases, HTTP from outside, migration on a bridge."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

import labvirt as lv
from labvirt.connection import network as networks
from labvirt.errors import LabError

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def wide():
    """A lab of two system hosts."""
    try:
        lab = lv.Lab.start(f"wide-{os.getpid()}", hosts=2, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        yield lab
        lab.stop()


@pytest.fixture(scope="module")
def guest(wide):
    spec = lv.DomainSpec(name="net1", memory="128 MiB", source=lv.TinyGuest())
    domain = wide["alpha"].plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    return domain


@pytest.mark.slow(seconds=12)
def test_a_lease_is_evidence_of_the_network(guest):
    evidence = guest.wait_for("network", timeout_s=60)
    assert "192.168.122." in evidence.text
    (address,) = {a.address for a in guest.addresses() if a.source == "lease"}
    leases = guest.host.networks["default"].leases()
    assert address in {lease.address for lease in leases}


def test_the_web_server_inside_answers_from_outside(guest):
    evidence = guest.wait_for("http", timeout_s=60)
    assert evidence.kind == "http"
    assert "answers 200" in evidence.text


@pytest.mark.skipif(not shutil.which("virsh"), reason="virsh is not installed")
def test_interface_stats_are_virsh_s_numbers(guest):
    guest.wait_for("network", timeout_s=60)
    (before,) = guest.interface_stats()
    ping = ["-c", "4", "-W", "1", "-s", "1000", "192.168.122.1"]
    guest.agent("guest-exec", path="/bin/ping", arg=ping)
    evidence = guest.wait_for("net_tx > 200 B/s", timeout_s=30)
    assert "B/s now" in evidence.text
    guest.wait_for("net_tx < 200 B/s", timeout_s=30)
    for _ in range(10):
        record = guest.interface_stats(before.mac)
        done = subprocess.run(
            ["virsh", "-c", guest.host.uri, "domifstat", "net1", before.device],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        told = {line.split()[1]: int(line.split()[2]) for line in done.stdout.splitlines() if line}
        theirs = {
            f"{way}_{what}": told[f"{way}_{short}"]
            for way in ("rx", "tx")
            for what, short in (
                ("bytes", "bytes"),
                ("packets", "packets"),
                ("errors", "errs"),
                ("drops", "drop"),
            )
        }
        mine = {name: getattr(record, name) for name in theirs}
        if mine == theirs:
            break
    assert mine == theirs
    assert record.tx_bytes - before.tx_bytes >= 4 * 1042
    assert record.tx_packets - before.tx_packets >= 4
    assert guest.interface_stats(before.device).mac == before.mac
    assert guest.interface_stats().df.loc[0, "tx_bytes"] >= record.tx_bytes


def test_the_serial_console_works(guest):
    with guest.console() as console:
        console.send("\n")
        assert console.run("hostname") == "net1"


@pytest.mark.slow(seconds=12)
def test_without_agent_and_serial_a_lease_is_enough(wide):
    spec = lv.DomainSpec(
        name="bare", memory="128 MiB", source=lv.TinyGuest(), agent=False, serial=None
    )
    domain = wide["beta"].plan(spec).apply()
    evidence = domain.wait_for("ready", timeout_s=120)
    assert evidence.kind in ("lease", "http")
    domain.destroy(confirm=True)
    domain.undefine(confirm=True)


def test_a_network_that_is_not_active_is_started_by_the_plan_and_stopped_by_the_roll_back(wide):
    beta = wide["beta"]
    link = beta.connection
    networks.stop(link, beta.networks["default"].uuid)
    try:
        spec = lv.DomainSpec(name="needs-net", memory="32 MiB", interfaces=("network:default",))
        plan = beta.plan(spec)
        assert plan.actions[0].title == "start network default"
        broken = lv.DomainSpec(
            name="broken",
            memory="32 MiB",
            interfaces=("network:default",),
            source=lv.KernelBoot(kernel="/nowhere/vmlinuz"),
        )
        with pytest.raises(lv.errors.PlanError, match="vmlinuz"):
            beta.plan(broken).apply()
        assert not beta.networks["default"].info().is_active
        plan.apply()
        assert beta.networks["default"].info().is_active
    finally:
        if "needs-net" in beta.domains:
            beta.domains["needs-net"].destroy(confirm=True)
            beta.domains["needs-net"].undefine(confirm=True)
        if not beta.networks["default"].info().is_active:
            networks.start(link, beta.networks["default"].uuid)


def test_migration_to_a_host_whose_network_is_not_active_is_refused(guest, wide):
    beta = wide["beta"]
    networks.stop(beta.connection, beta.networks["default"].uuid)
    try:
        with pytest.raises(lv.errors.PreconditionError, match="default of beta is not active"):
            guest.migrate(beta)
    finally:
        networks.start(beta.connection, beta.networks["default"].uuid)
    assert guest.is_active


def test_live_migration_by_the_hosts_own_names(guest, wide):
    def counter(domain):
        boot, count = domain.run(["/bin/cat", "/run/bootid", "/run/counter"]).stdout.split()
        return boot, int(count)

    boot, before = counter(guest)
    moved = guest.migrate(wide["beta"]).domain
    assert counter(moved)[0] == boot
    assert counter(moved)[1] > before
    assert moved.wait_for("ready", timeout_s=30).kind in ("agent", "serial")
    home = moved.migrate(wide["alpha"]).domain
    assert counter(home)[0] == boot
