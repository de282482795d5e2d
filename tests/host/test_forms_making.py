"""Networks, pools and volumes made by forms on real hosts; a script gives what a person would."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import HostError, LabvirtError
from labvirt.model.pool_types import POOL_TYPES
from labvirt.plan.action import Call

pytestmark = pytest.mark.lab


def test_a_network_with_nat_on_a_subnet_that_nobody_uses(host):
    form = lv.ui.network_form(host)
    other = lv.ui.network_form(host)
    try:
        form.set("name", "byform")
        form.propose()
        address = str(form.state.raw["ips[0].address"])
        assert form.errors == {}
        assert "define network byform" in str(form.plan())
        assert form.start()
        network = form.wait(30)
        assert network.info().is_active
        assert network.info().autostart
        other.set("name", "overlap")
        other.set("ips[0].address", address)
        assert other.errors == {}
        other.choices.load()
        told = other.given_elsewhere()["ips[0].address"]
        assert "of network byform" in told
        assert "is free" in told
        other.set("name", "byform")
        assert "byform1 is free" in other.given_elsewhere()["name"]
        other.set("name", "overlap")
        assert other.start()
        with pytest.raises(LabvirtError, match="byform"):
            other.wait(30)
        assert "overlap" not in host.networks
        other.set("forward", "isolated")
        assert not other.state.is_shown("nat")
    finally:
        form.close()
        other.close()
        if "byform" in host.networks:
            host.networks["byform"].undefine.plan(stop=True).apply(confirm=True)


@pytest.fixture
def folder():
    """A folder in which the daemon of an ordinary user may make another one."""
    with tempfile.TemporaryDirectory(prefix="labvirt-form-") as name:
        path = Path(name)
        path.chmod(0o777)
        yield path


def test_a_pool_with_a_volume(alpha, folder):
    form = lv.ui.pool_form(alpha)
    form.set("name", "byform")
    form.set("path", str(folder / "byform"))
    assert form.start()
    with pytest.raises(LabvirtError, match="does not exist"):
        form.wait(30)
    assert "path" in form.given_elsewhere(), "at its field"
    form.set("@build", True)
    assert form.start()
    pool = form.wait(30)
    volume_form = lv.ui.volume_form(pool)
    try:
        volume_form.set("name", "disk1.qcow2")
        volume_form.set("capacity", "1.5")
        volume_form._ask_host()
        assert "free in byform" in volume_form.model()["notes"][0][1]
        assert volume_form.start()
        volume = volume_form.wait(30)
        assert str(volume.info().capacity) == "1536 MiB"
        volume_form.set("name", "huge.qcow2")
        volume_form.set("capacity", "900000")
        assert volume_form.model()["notes"][1][0] == "warning"
    finally:
        form.close()
        volume_form.close()
        pool.delete(volumes=True, confirm=True)


def test_a_host_that_is_lost_while_a_vm_is_made_is_told_with_what_remains(
    lab, alpha, name, eventually
):
    form = lv.ui.create(alpha)

    def losing(spec, **options):
        plan = alpha.plan(spec, **options)
        loss = Call("lose the host", lambda _host, _control: lab.daemon("alpha", "stop"))
        return dataclasses.replace(plan, actions=(plan.actions[0], loss, *plan.actions[1:]))

    form._plan_of = losing
    form.preset("tiny")
    form.set("name", name)
    try:
        assert form.start()
        with pytest.raises(LabvirtError):
            form.wait(30)
    finally:
        lab.daemon("alpha", "start")
        eventually(lambda: alpha.stale_since is None, "fresh records")
    said = form.model()["job"]["said"]
    assert form.phase == "failed"
    assert f"start domain {name} failed" in said
    remains = said.partition("Remains:")[2]
    assert f"define domain {name}" in remains
    assert not alpha.domains[name].is_active
    form._plan_of = alpha.plan
    form.set("name", f"{name}-b")
    form.set("@start", False)
    assert form.start(), "the form goes on when the host is back"
    assert form.wait(30).name == f"{name}-b"
    form.close()


def test_what_fails_at_its_last_step_leaves_nothing_and_says_so(alpha, name):
    form = lv.ui.create(alpha)

    def failing(spec, **options):
        plan = alpha.plan(spec, **options)

        def run(_host, _control):
            raise HostError("draw the screen", libvirt_text="no paint")

        return dataclasses.replace(plan, actions=(*plan.actions, Call("draw the screen", run)))

    form._plan_of = failing
    form.preset("tiny")
    form.set("name", name)
    form.add("disks")
    form.set("disks[0].source.size", "1 MiB")
    before = set(alpha.pools["default"].volumes.names)
    assert form.start()
    with pytest.raises(LabvirtError):
        form.wait(60)
    said = form.model()["job"]["said"]
    assert "no paint" in said
    assert f"define domain {name}" in said.partition("ndone:")[2]
    assert "Remains" not in said
    assert name not in alpha.domains
    alpha.pools["default"].refresh()
    assert set(alpha.pools["default"].volumes.names) == before
    form._plan_of = alpha.plan
    assert form.start(), "and it can be tried again"
    assert form.wait(60).info().is_active
    form.choices.load()
    assert form.given_elsewhere() == {}, "its own name is no clash"
    form.close()


def test_the_console_opens_of_what_runs_and_the_details_of_what_is_only_defined(
    alpha, name, eventually
):
    form = lv.ui.create(alpha)
    form.set("@open", True)
    assert form.widget is form.widget
    form.set("name", name)
    form.set("memory", "32 MiB")
    form.set("@start", False)
    assert form.start()
    assert not form.wait(30).is_active
    eventually(lambda: form.opened is not None, "details below the form")
    details = form.opened
    assert isinstance(details, lv.ui.Details)
    form.set("name", f"{name}-b")
    form.set("@start", True)
    assert form.start()
    assert form.wait(30).is_active
    eventually(lambda: isinstance(form.opened, lv.ui.ConsoleView), "the console below the form")
    assert "closed" in repr(details), "one at a time"
    console = form.opened
    form.close()
    form.close()
    assert "closed" in repr(console)
    assert form.opened is None


def test_the_badge_tells_local_disks_from_shared_ones(alpha, name):
    form = lv.ui.create(alpha)
    form.set("name", name)
    form.set("memory", "32 MiB")
    form.add("disks")
    form.set("disks[0].source.size", "1 MiB")
    form.set("disks[0].source.pool", "default")
    badge = form.judged(form.plan())["badge"]
    assert badge["is_bad"]
    assert f"{name}-vda.qcow2 is on this host alone" in badge["texts"][0]
    form.set("disks[0].source.pool", "shared")
    badge = form.judged(form.plan())["badge"]
    assert not badge["is_bad"]
    assert badge["texts"] == ["connections through QEMU's own NAT are cut"]
    form.close()


@pytest.mark.parametrize("kind", POOL_TYPES)
def test_a_pool_form_asks_for_what_its_kind_takes(alpha, kind):
    form = lv.ui.pool_form(alpha)
    form.set("kind", kind)
    asked = {entry.path for entry in form.state.entries()}
    asked |= {field.name for field, _ in form.state.shown(form.state.fields, "")}
    takes = set(POOL_TYPES[kind].fields)
    assert takes <= asked
    assert {"hosts", "adapter", "dir", "target"} & asked <= takes
    assert form.model()["sections"]
    form.close()
