"""Creating domains: the plan tells all, bad wishes change nothing, failures leave nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    NotFoundError,
    PlanError,
    SpecError,
)
from labvirt.model import DomainXml
from labvirt.plan import Journal

pytestmark = pytest.mark.lab


def remove(host, name):
    host.domains[name].destroy(confirm=True)
    host.domains[name].undefine(confirm=True)


def pool_names(host, pool="shared"):
    host.pools[pool].refresh()
    return set(host.pools[pool].volumes.names)


def test_plan_tells_everything_and_changes_nothing(alpha, name):
    spec = lv.DomainSpec(
        name=name,
        title="A web server",
        memory="256 MiB",
        source=lv.TinyGuest(),
        disks=(lv.DiskSpec(size="64 MiB"),),
    )
    before = alpha.domains.names, pool_names(alpha)
    plan = alpha.plan(spec)
    text = str(plan)
    assert [action.kind for action in plan.actions] == [
        "create-volume",
        "define-domain",
        "start-domain",
    ]
    assert f"virsh -c '{alpha.label}' define --validate /dev/stdin" in plan.virsh
    assert "vol-create shared /dev/stdin" in plan.virsh
    assert plan.virt_install.startswith("virt-install")
    assert "<title>A web server</title>" in plan.diff
    assert f"lv.DomainSpec(name='{name}', title='A web server', memory='256 MiB'" in plan.python
    assert plan.warnings
    assert all(part in text for part in (plan.virsh.splitlines()[0], "Python:", "virt-install:"))
    assert "<domain" not in plan._repr_html_()
    assert (alpha.domains.names, pool_names(alpha)) == before


def test_the_python_of_a_plan_makes_the_same_domain(alpha, name):
    spec = lv.DomainSpec(name=name, memory="64 MiB", interfaces=("user",), tags=("a", "b"))
    made = re.search(r"\.plan\((.*)\)\.apply\(\)", alpha.plan(spec).python)[1]
    assert eval(made, {"lv": lv}) == spec


def test_apply_makes_a_running_domain_with_its_volume(alpha, name):
    spec = lv.DomainSpec(
        name=name, memory="32 MiB", interfaces=(), disks=(lv.DiskSpec(size="64 MiB"),)
    )
    domain = alpha.plan(spec).apply()
    assert domain.state.text == "running"
    assert f"{name}-vda.qcow2" in pool_names(alpha)
    volume = alpha.pools["shared"].volumes[f"{name}-vda.qcow2"]
    assert volume.info().capacity == 64 * 2**20
    assert [(user.kind, user.name) for user in volume.users()] == [("domain", name)]
    assert alpha.journal.entries()[-1]["title"] == f"create domain {name}"


@pytest.mark.skipif(shutil.which("virsh") is None, reason="virsh is missing")
def test_the_shell_lines_of_a_plan_do_the_same_thing(alpha, name):
    spec = lv.DomainSpec(
        name=name,
        title="It's <new>",
        memory="32 MiB",
        interfaces=("user",),
        disks=(lv.DiskSpec(size="1 MiB"),),
    )
    plan = alpha.plan(spec)
    subprocess.run(["bash", "-e", "-c", plan.virsh], check=True, capture_output=True, timeout=60)
    by_shell = alpha.domains[name]
    assert by_shell.is_active
    shell_xml = by_shell.xml(inactive=True)
    remove(alpha, name)
    alpha.pools["shared"].refresh()
    from labvirt.connection import volume as volumes

    volumes.delete(alpha.connection, alpha.pools["shared"].uuid, f"{name}-vda.qcow2")
    assert plan.apply().xml(inactive=True) == shell_xml


def test_define_only(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    assert domain.state.text == "shut off"
    assert domain.info().persistent


def test_transient_is_gone_when_it_is_off(alpha, spec):
    domain = alpha.plan(spec, transient=True).apply()
    assert not domain.info().persistent
    domain.destroy(confirm=True)
    assert spec.name not in alpha.domains


def test_paused_has_not_begun(alpha, spec):
    assert alpha.plan(spec, paused=True).apply().state.text == "paused"


def test_disk_boot_makes_an_overlay_and_leaves_the_base_alone(alpha, name):
    spec = lv.DomainSpec(name=name, memory="128 MiB", source=lv.TinyGuest(boot="disk"))
    plan = alpha.plan(spec)
    domain = plan.apply()
    (disk,) = DomainXml.parse(domain.xml(inactive=True)).disks
    volume = alpha.pools["shared"].volumes[Path(disk.source_path).name]
    base = Path(volume.info().backing_path)
    before = base.stat()
    assert domain.wait_for("ready", timeout_s=90).kind in ("serial", "agent")
    assert (base.stat().st_mtime_ns, base.stat().st_size) == (before.st_mtime_ns, before.st_size)


# -- bad input: one clear error, nothing changed ---------------------------------------------


def refused(alpha, wish, error, *words):
    before = alpha.domains.names, pool_names(alpha)
    with pytest.raises(error) as caught:
        wish()
    for word in words:
        assert word in str(caught.value)
    assert (alpha.domains.names, pool_names(alpha)) == before
    return caught.value


def test_a_name_that_exists_is_refused(alpha, blank, spec):
    refused(alpha, lambda: alpha.plan(spec), ConflictError, spec.name, "exists already", "Try:")


def test_a_mac_that_exists_is_refused_and_its_owner_named(alpha, name):
    card = lv.InterfaceSpec(kind="user", mac="52:54:00:aa:bb:01")
    first = lv.DomainSpec(name=name, memory="32 MiB", interfaces=(card,))
    alpha.plan(first, start=False).apply()
    second = first.replace(name=f"{name}b")
    refused(alpha, lambda: alpha.plan(second), ConflictError, "52:54:00:aa:bb:01", name)


def test_a_uuid_that_exists_is_refused(alpha, blank, spec):
    second = spec.replace(name=f"{spec.name}b", uuid=blank.uuid)
    refused(alpha, lambda: alpha.plan(second), ConflictError, "UUID", spec.name)


def test_an_image_that_exists_is_never_overwritten(alpha, name):
    disk = lv.DiskSpec(size="1 MiB", name=f"{name}.img", format="raw")
    spec = lv.DomainSpec(name=name, memory="32 MiB", interfaces=(), disks=(disk,))
    folder = Path(alpha.pools["shared"].info().path)
    image = folder / f"{name}.img"
    image.write_bytes(b"precious")
    refused(alpha, lambda: alpha.plan(spec), ConflictError, f"{name}.img", "exists already")
    assert image.read_bytes() == b"precious"


def test_an_image_of_another_domain_is_refused_by_whatever_path(alpha, name, tmp_path):
    disk = lv.DiskSpec(size="1 MiB", name=f"{name}.img", format="raw")
    first = lv.DomainSpec(name=name, memory="32 MiB", interfaces=(), disks=(disk,))
    alpha.plan(first, start=False).apply()
    folder = alpha.pools["shared"].info().path
    link = tmp_path / "link.img"
    link.symlink_to(f"{folder}/{name}.img")
    for path in (f"{folder}/{name}.img", f"{folder}/x/../{name}.img", str(link)):
        disk = lv.DiskSpec(path=path, format="raw")
        second = lv.DomainSpec(name=f"{name}b", memory="32 MiB", interfaces=(), disks=(disk,))
        refused(alpha, lambda spec=second: alpha.plan(spec), ConflictError, path, name)


def test_a_size_larger_than_the_pool_is_refused(alpha, name):
    spec = lv.DomainSpec(
        name=name, memory="32 MiB", interfaces=(), disks=(lv.DiskSpec(size="900 TiB"),)
    )
    refused(alpha, lambda: alpha.plan(spec), SpecError, "900 TiB", "larger than the whole pool")


def test_an_image_that_does_not_exist_is_refused(alpha, name):
    spec = lv.DomainSpec(
        name=name, memory="32 MiB", interfaces=(), disks=(lv.DiskSpec(path="/nowhere/x.qcow2"),)
    )
    refused(alpha, lambda: alpha.plan(spec), SpecError, "/nowhere/x.qcow2", "no such file")


def test_an_image_that_cannot_be_read_is_refused(alpha, name, tmp_path):
    image = tmp_path / "loop.qcow2"
    image.symlink_to(image)
    spec = lv.DomainSpec(
        name=name, memory="32 MiB", interfaces=(), disks=(lv.DiskSpec(path=str(image)),)
    )
    refused(alpha, lambda: alpha.plan(spec), SpecError, str(image), "cannot be read")


def test_an_image_that_is_no_file_or_not_of_its_format_is_refused(alpha, name, tmp_path):
    pipe, text = tmp_path / "pipe", tmp_path / "text.qcow2"
    os.mkfifo(pipe)
    text.write_text("no image")
    for path, word in [
        (str(pipe), "neither a file nor a block device"),
        ("/dev/null", "neither a file nor a block device"),
        (str(tmp_path), "neither a file nor a block device"),
        ("/" + "x" * 300, "too long"),
        (str(text), "no qcow2 image"),
    ]:
        spec = lv.DomainSpec(name=name, memory="32 MiB", disks=(lv.DiskSpec(path=path),))
        with pytest.raises(SpecError, match=word):
            alpha.plan(spec)


def test_a_qcow2_image_given_as_raw_is_a_warning(alpha, name, tmp_path):
    image = tmp_path / "layered.img"
    image.write_bytes(b"QFI\xfb" + bytes(508))
    disk = lv.DiskSpec(path=str(image), format="raw")
    plan = alpha.plan(lv.DomainSpec(name=name, memory="32 MiB", disks=(disk,)))
    assert any("is a qcow2 image" in warning for warning in plan.warnings)


def test_networks_and_pools_that_do_not_exist_are_named_together(alpha, name):
    spec = lv.DomainSpec(
        name=name,
        memory="32 MiB",
        interfaces=("network:nosuchnet",),
        disks=(lv.DiskSpec(size="1 MiB", pool="nosuchpool"),),
    )
    error = refused(alpha, lambda: alpha.plan(spec), SpecError, "nosuchnet", "nosuchpool")
    assert len(error.problems) == 2


def test_more_processors_than_the_hypervisor_has_are_refused(alpha, name):
    spec = lv.DomainSpec(name=name, memory="32 MiB", vcpus=4000, interfaces=())
    refused(alpha, lambda: alpha.plan(spec), SpecError, "vcpus", "at most")


def test_more_processors_than_the_machine_has_are_a_warning(alpha, name):
    cpus = alpha.info().cpus
    spec = lv.DomainSpec(name=name, memory="32 MiB", vcpus=cpus + 1, interfaces=())
    assert any(str(cpus + 1) in warning for warning in alpha.plan(spec).warnings)


def test_too_little_memory_for_the_tiny_guest_is_refused(alpha, name):
    spec = lv.DomainSpec(name=name, memory="16 MiB", source=lv.TinyGuest())
    refused(alpha, lambda: alpha.plan(spec), SpecError, "memory", "16 MiB", "or more")


def test_a_read_only_host_refuses_before_anything(alpha, spec):
    with lv.connect(alpha.uri, readonly=True) as readonly:
        with pytest.raises(AccessDeniedError, match="readonly"):
            readonly.plan(spec)
        assert spec.name not in readonly.domains
        with pytest.raises(AccessDeniedError):
            readonly.define("<domain type='qemu'><name>x</name><memory>1</memory></domain>")


BAD_REBOOT = """<domain type='qemu'><name>x</name><memory>1</memory>
<os><type>hvm</type></os><on_reboot>maybe</on_reboot></domain>"""


@pytest.mark.parametrize(
    ("xml", "word"),
    [
        ("<domain", "XML"),
        ("<!DOCTYPE d [<!ENTITY x 'y'>]><domain>&x;</domain>", "DOCTYPE"),
        ("<domain type='qemu'><name>x</name><memory>1</memory><vcpuu>1</vcpuu></domain>", "vcpuu"),
        (BAD_REBOOT, "maybe"),
    ],
)
def test_xml_that_is_wrong_is_refused_with_its_place(alpha, xml, word):
    refused(alpha, lambda: alpha.define(xml), SpecError, word)


# -- failures in the middle -------------------------------------------------------------------


def spec_that_cannot_start(name, folder):
    """Its first disk is made, its second is a broken qcow2 image: QEMU refuses at the start."""
    broken = folder / f"{name}-broken.qcow2"
    broken.write_bytes(b"QFI\xfb" + b"this is no image" * 100)
    broken.chmod(0o666)
    return lv.DomainSpec(
        name=name,
        memory="32 MiB",
        interfaces=(),
        disks=(lv.DiskSpec(size="1 MiB"), lv.DiskSpec(path=str(broken), format="qcow2")),
    )


def test_a_failed_start_leaves_nothing_but_what_was_there(alpha, name):
    folder = Path(alpha.pools["shared"].info().path)
    spec = spec_that_cannot_start(name, folder)
    before = pool_names(alpha)
    with pytest.raises(PlanError) as caught:
        alpha.plan(spec).apply()
    assert caught.value.action == f"start domain {name}"
    assert "qcow2" in str(caught.value)
    assert name not in alpha.domains
    assert pool_names(alpha) == before
    assert (folder / f"{name}-broken.qcow2").read_bytes().startswith(b"QFI\xfbthis is no image")


def child(code, **names):
    """Run code in a process of its own, on the lab's host."""
    header = "import labvirt as lv, os, signal\n" + "".join(
        f"{key} = {value!r}\n" for key, value in names.items()
    )
    return subprocess.run(
        [sys.executable, "-c", header + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ,
    )


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["CreateVolume", "DefineDomain", "StartDomain"])
def test_after_kill_9_in_the_middle_the_next_connect_cleans(alpha, name, kind, when, caplog):
    before = alpha.domains.names, pool_names(alpha)
    done = child(
        """
        from labvirt.host import actions
        host = lv.connect(uri)
        kind = getattr(actions, kind)
        plain = kind.do
        def die(self, host, control):
            if when == "after":
                plain(self, host, control)
            os.kill(os.getpid(), signal.SIGKILL)
        kind.do = die
        spec = lv.DomainSpec(name=name, memory="32 MiB", interfaces=(),
                             disks=(lv.DiskSpec(size="1 MiB", pool="shared"),))
        host.plan(spec).apply()
        """,
        uri=alpha.uri,
        name=name,
        kind=kind,
        when=when,
    )
    assert done.returncode == -9, done.stderr

    with lv.connect(alpha.uri) as host:
        assert host.recovered[0].title == f"create domain {name}"
        assert host.recovered[0].remains == ()
    assert (alpha.domains.names, pool_names(alpha)) == before
    assert "was cut short" in caplog.text
    with lv.connect(alpha.uri) as host:
        assert host.recovered == ()


def test_a_volume_that_somebody_made_after_the_kill_is_kept(alpha, name, monkeypatch, caplog):
    import datetime as dt

    from labvirt.host import actions

    done = child(
        """
        from labvirt.host import actions
        host = lv.connect(uri)
        actions.CreateVolume.do = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        spec = lv.DomainSpec(name=name, memory="32 MiB", interfaces=(),
                             disks=(lv.DiskSpec(size="1 MiB", pool="shared"),))
        host.plan(spec).apply()
        """,
        uri=alpha.uri,
        name=name,
    )
    assert done.returncode == -9, done.stderr
    image = Path(alpha.pools["shared"].info().path) / f"{name}-vda.qcow2"
    image.write_bytes(b"mine")
    alpha.pools["shared"].refresh()
    # What is a minute for people is nothing here.
    monkeypatch.setattr(actions, "BIRTH_LIMIT", dt.timedelta(seconds=-60))
    with lv.connect(alpha.uri) as host:
        assert host.recovered
    assert "somebody else" in caplog.text
    assert image.read_bytes() == b"mine"
    assert list((Journal().folder / "open").iterdir()) == []


def test_a_daemon_killed_in_the_middle_leaves_nothing_after_the_next_command(
    lab, name, eventually, monkeypatch
):
    from labvirt.host import actions

    with lv.connect(lab["beta"].uri) as host:
        before = host.domains.names, pool_names(host)
        plain = actions.DefineDomain.do

        def kill_first(self, host, control):
            lab.daemon("beta", "KILL")
            plain(self, host, control)

        monkeypatch.setattr(actions.DefineDomain, "do", kill_first)
        spec = lv.DomainSpec(
            name=name,
            memory="32 MiB",
            interfaces=(),
            disks=(lv.DiskSpec(size="1 MiB", pool="shared"),),
        )
        with pytest.raises(PlanError) as caught:
            host.plan(spec).apply()
        monkeypatch.undo()
        # The keeper has the daemon back in a moment; whether the roll-back saw it is a race.
        host.connection.wait_link(20)
        if caught.value.remains:
            found = eventually(lambda: host.journal.recover(host, actions.ACTIONS), "the roll-back")
            assert found[0].remains == ()
        assert (host.domains.names, pool_names(host)) == before


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="root is missing: a small file system is mounted")
def test_a_full_disk_leaves_nothing(alpha, name, tmp_path):
    from labvirt.connection import pool as pools
    from labvirt.model.pool import PoolSpec

    folder = Path(alpha.pools["shared"].info().path) / f"{name}-small"
    folder.mkdir()
    owner = folder.parent.stat()
    subprocess.run(
        [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size=4m,uid={owner.st_uid},gid={owner.st_gid}",
            "small",
            folder,
        ],
        check=True,
    )
    link = alpha.connection
    uuid = pools.define(link, PoolSpec(name="small", path=str(folder)).to_xml())
    try:
        pools.start(link, uuid)
        (folder / "full").write_bytes(b"x" * (3 * 2**20))
        spec = lv.DomainSpec(
            name=name,
            memory="32 MiB",
            interfaces=(),
            disks=(
                lv.DiskSpec(size="256 KiB", pool="small", format="raw", name="a"),
                lv.DiskSpec(size="3 MiB", pool="small", format="raw", name="b"),
            ),
        )
        with pytest.raises(PlanError) as caught:
            alpha.plan(spec).apply()
        assert "space" in str(caught.value)
        assert name not in alpha.domains
        assert sorted(p.name for p in folder.iterdir()) == ["full"]
    finally:
        pools.stop(link, uuid)
        pools.undefine(link, uuid)
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def test_passwords_reach_neither_plan_nor_journal(alpha, name):
    graphics = lv.GraphicsSpec(kind="vnc", listen="127.0.0.1", password="hunter2")
    spec = lv.DomainSpec(name=name, memory="32 MiB", interfaces=(), graphics=graphics)
    plan = alpha.plan(spec)
    for text in (str(plan), plan._repr_html_(), plan.python, plan.virt_install):
        assert "hunter2" not in text
    domain = plan.apply()
    assert "hunter2" in domain.xml(secure=True)
    assert "hunter2" not in domain.xml()
    assert "hunter2" not in (alpha.journal.folder / "journal.jsonl").read_text()
    domain.undefine.plan()
    assert "hunter2" not in str(domain.undefine.plan())


def test_a_pool_that_is_not_active_is_started_by_the_plan(alpha, name):
    from labvirt.connection import pool as pools
    from labvirt.model.pool import PoolSpec

    folder = Path(alpha.pools["default"].info().path).parent / "more"
    link = alpha.connection
    uuid = pools.define(link, PoolSpec(name="more", path=str(folder)).to_xml())
    try:
        pools.build(link, uuid)
        spec = lv.DomainSpec(
            name=name,
            memory="32 MiB",
            interfaces=(),
            disks=(lv.DiskSpec(size="1 MiB", pool="more"),),
        )
        plan = alpha.plan(spec)
        assert plan.actions[0].title == "start pool more"
        plan.apply()
        assert alpha.pools["more"].info().is_active
    finally:
        alpha.domains[name].destroy(confirm=True)
        alpha.domains[name].undefine(confirm=True)
        pools.stop(link, uuid)
        pools.undefine(link, uuid)


def test_a_domain_that_is_not_there_is_a_key_error_with_a_suggestion(alpha, blank):
    with pytest.raises(NotFoundError, match="case-sensitive") as caught:
        alpha.domains[blank.name.upper()]
    assert isinstance(caught.value, KeyError)
    assert blank.name in str(caught.value)
