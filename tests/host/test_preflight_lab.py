"""Pre-flight between two real hosts: what is well, and what a real obstacle is called."""

from __future__ import annotations

import time

import pytest

import labvirt as lv
from labvirt.connection import domain as calls
from labvirt.errors import ConflictError, PreconditionError, SpecError
from labvirt.host.migrating import preflight
from labvirt.host.migrating.looking import look_at
from labvirt.host.migrating.storage_prep import Prepared
from labvirt.model.migration import MigrationSpec
from labvirt.model.xml.domain import DomainXml

pytestmark = pytest.mark.lab

DROPPED = ("INPUT", "-p", "tcp", "--dport", "49152:49215", "-j", "DROP")


def test_a_running_guest_can_move_and_every_item_is_told(disked, beta):
    found = disked.can_migrate(beta, measure_s=1)
    assert found.can, found.why
    assert found
    assert found.why == ""
    kinds = {one.kind for one in found}
    wanted = "two-hosts driver libvirt-version hypervisor-version clocks state job snapshots name"
    wanted += " uuid type machine cpu vcpus memory overcommit hostdev disk file cache nic way"
    assert kinds >= {*wanted.split(), "estimate", "tpm", "firmware", "nvram"}
    assert found["machine"].verdict == "ok"
    assert found["cpu"].verdict == "ok"
    assert found["clocks"].evidence.startswith("beta is +0.0")
    assert "shared folder" in found["disk:vda"].evidence
    assert found["way:data"].verdict == "ok"
    assert found["estimate"].verdict == "ok"
    assert found.estimate.converges
    assert found.estimate.bytes >= 64 << 20
    frame = found.df()
    assert frame.loc["machine", "verdict"] == "ok"
    assert "<table>" in found._repr_html_()
    assert "Is disk vda there too?" in str(found)
    assert repr(found).endswith("can>")


@pytest.mark.slow(seconds=5)
def test_the_look_before_a_migration_is_quick(disked, beta):
    disked.migrate.plan(beta)
    times = []
    for _ in range(5):
        began = time.monotonic()
        disked.migrate.plan(beta)
        times.append(time.monotonic() - began)
    assert sorted(times)[2] < 0.25, times


def test_every_reason_is_told_at_once(alpha, beta, name):
    spec = lv.DomainSpec(
        name=name,
        memory="32 MiB",
        interfaces=(),
        disks=(lv.DiskSpec(size="1 MiB", pool="default"),),
    )
    domain = alpha.plan(spec, start=False).apply()
    beta.plan(spec.replace(disks=())).apply()
    found = domain.can_migrate(beta)
    assert not found
    assert {one.id for one in found.failures} == {"state", "name", "disk:vda"}
    assert "is not running (offline=True" in found.why
    assert f"beta has a domain {name} (running) already" in found.why
    assert "is not on storage that both hosts share" in found.why
    assert found["disk:vda"].remedy.endswith("migrate(..., storage='copy')")
    with pytest.raises(PreconditionError) as caught:
        domain.migrate(beta)
    assert found.why in str(caught.value)
    assert "offline=True" in caught.value.hint


def test_a_network_that_only_one_host_has(alpha, beta, blank):
    nic = lv.InterfaceSpec(kind="network", source="nowhere", mac="52:54:00:00:77:01")
    before = blank.can_migrate(beta, measure_s=0)
    assert before.can, before.why
    text = blank.xml().replace(
        "</devices>",
        f"<interface type='network'><mac address='{nic.mac}'/><source network='nowhere'/>"
        "</interface></devices>",
    )
    look = look_at(blank, DomainXml.parse(text), beta, MigrationSpec(), Prepared())
    found = {one.id: one for one in preflight.judge(look)}[f"nic:{nic.mac}"]
    assert found.verdict == "fail"
    assert found.cause.startswith("beta has no network nowhere")


def test_a_host_that_is_open_for_reading_only(lab, blank):
    with lv.connect(lab["beta"].uri, readonly=True) as reader:
        found = blank.can_migrate(reader, measure_s=0)
    assert [one.id for one in found.failures] == ["destination-writable"]
    assert "is open read-only" in found.why


def test_to_itself_and_to_one_that_is_gone(lab, alpha, blank):
    assert "same host" in blank.can_migrate(alpha).why
    gone = lv.connect(lab["beta"].uri)
    gone.close()
    found = blank.can_migrate(gone)
    assert found["destination-answers"].verdict == "fail"
    assert "gives no answer" in found.why


def test_snapshots_are_in_the_way_as_libvirt_has_it(alpha, beta, spec):
    domain = alpha.plan(spec.replace(disks=(lv.DiskSpec(size="1 MiB"),))).apply()
    assert domain.can_migrate(beta, measure_s=0).can
    domain.snapshot("s1")
    found = domain.can_migrate(beta, measure_s=0)
    assert [one.id for one in found.failures] == ["snapshots"]
    with pytest.raises(ConflictError, match="snapshot"):
        calls.migrate(alpha.connection, domain.uuid, beta.connection)
    domain.snapshots["s1"].delete(confirm=True)
    assert domain.can_migrate(beta, measure_s=0).can


def test_a_wrong_option_is_one_clear_error(blank, beta):
    with pytest.raises(SpecError):
        blank.can_migrate(beta, measure_s=-1)
    with pytest.raises(SpecError):
        blank.can_migrate(beta, mode="pigeon")


def test_disks_that_are_copied_are_told_with_their_place(alpha, beta, name):
    spec = lv.DomainSpec(
        name=name,
        memory="32 MiB",
        interfaces=(),
        disks=(lv.DiskSpec(size="1 MiB", pool="default"),),
    )
    domain = alpha.plan(spec).apply()
    found = domain.can_migrate(beta, measure_s=0, storage="copy", pool="default")
    assert found.can, found.why
    assert found["disk:vda"].evidence.endswith("of pool default")
    found = domain.can_migrate(beta, measure_s=0, storage="copy", pool="nowhere")
    assert "beta has no pool nowhere" in found.why
    assert "is not on storage" not in found.why


@pytest.mark.slow(seconds=15)
def test_ports_are_tried_from_host_to_host(wide):
    """Real hosts with networks of their own: a firewall there is found, with the port's number."""
    alpha, beta = wide["alpha"], wide["beta"]
    spec = lv.DomainSpec(name="ports", memory="32 MiB", interfaces=(), agent=False, rng=False)
    domain = alpha.plan(spec).apply()
    try:
        found = domain.can_migrate(beta, measure_s=0)
        assert found.can, found.why
        assert found["way:data"].verdict == "ok"
        assert found["way:back"].verdict == "ok"
        code, _, said = beta.facts.run(["/usr/sbin/iptables", "-I", *DROPPED], 10)
        assert code == 0, said
        found = domain.can_migrate(beta, measure_s=0)
        assert [one.id for one in found.failures] == ["way:data"]
        assert "port 49152 of beta cannot be reached from alpha" in found.why
        assert "--add-port=49152-49215/tcp" in found["way:data"].remedy
    finally:
        beta.facts.run(["/usr/sbin/iptables", "-D", *DROPPED], 10)
        domain.destroy(confirm=True)
        domain.undefine(confirm=True)


@pytest.mark.slow(seconds=8)
def test_a_bridge_and_a_network_that_the_other_host_has_not(wide):
    alpha, beta = wide["alpha"], wide["beta"]
    nics = (
        lv.InterfaceSpec(kind="network", source="isolated", mac="52:54:00:00:77:02"),
        lv.InterfaceSpec(kind="bridge", source="brfab", mac="52:54:00:00:77:03"),
    )
    spec = lv.DomainSpec(name="nics", memory="32 MiB", interfaces=nics, agent=False, rng=False)
    domain = alpha.plan(spec).apply()
    isolated = beta.networks["isolated"]
    try:
        found = domain.can_migrate(beta, measure_s=0)
        assert found.can, found.why
        assert found["nic:52:54:00:00:77:03"].evidence == "bridge brfab"
        isolated.stop(confirm=True)
        found = domain.can_migrate(beta, measure_s=0)
        assert [one.id for one in found.failures] == ["nic:52:54:00:00:77:02"]
        assert found.why == "network isolated of beta is not active"
        assert found.remedies[0].endswith("net-start isolated")
    finally:
        if not isolated.info().is_active:
            isolated.start()
        domain.destroy(confirm=True)
        domain.undefine(confirm=True)
