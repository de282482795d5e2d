"""Checks of disks, well and ill, on real images under a real libvirt; each repair is tried."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import labvirt as lv
from labvirt.doctor import examine
from labvirt.errors import LabvirtError
from labvirt.model import CdromSpec, DiskSpec, FileSource
from labvirt.model.xml.domain import DomainXml

pytestmark = pytest.mark.lab
_numbers = itertools.count(1)


def img(*words):
    """Run qemu-img."""
    done = subprocess.run(
        ["qemu-img", *map(str, words)], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout


@pytest.fixture
def make(alpha):
    """Make domains without a system; they and their images go at the end."""
    made = []

    def make(*disks, start=False, name="", **facts):
        name = name or f"d{next(_numbers)}"
        spec = lv.DomainSpec(
            name=name,
            memory="32 MiB",
            interfaces=(),
            agent=False,
            rng=False,
            graphics=lv.GraphicsSpec(kind="vnc", listen="none"),
            disks=disks or (DiskSpec(size="8 MiB"),),
            **facts,
        )
        domain = alpha.plan(spec, start=start).apply()
        made.append(domain)
        return domain

    yield make
    for domain in reversed(made):
        remove(domain)


def remove(domain):
    if domain.name not in domain.host.domains:
        return
    if domain.is_active:
        domain.destroy(confirm=True)
    paths = [Path(path) for path in (path_of(domain, each) for each in targets(domain)) if path]
    domain.undefine(snapshots_metadata=True, confirm=True)
    for path in paths:
        for one in path.parent.glob(f"{path.name.partition('.')[0]}*"):
            one.unlink()
    domain.host.pools["shared"].refresh()


def targets(domain):
    return [one.target for one in DomainXml.parse(domain.xml()).disks]


def path_of(domain, target="vda"):
    return DomainXml.parse(domain.xml()).find_disk(target).source_path


def ill(domain, **options):
    """Return what is not well with the disks of a domain, by check."""
    report = examine(domain, checks=("disk.*",), **options)
    return {one.kind: one for one in report if one.verdict in ("fail", "warning", "unknown")}


def only(domain, kind, verdict="fail", **options):
    """Return the one finding that is not well."""
    found = ill(domain, **options)
    assert set(found) == {kind}, found
    assert found[kind].verdict == verdict
    assert found[kind].evidence
    assert found[kind].cause
    assert found[kind].remedy
    assert found[kind].guide
    return found[kind]


def well(domain, **options):
    assert ill(domain, **options) == {}


# -- there --------------------------------------------------------------------------------------


def test_all_is_well_with_clones_snapshots_and_a_running_domain(make, alpha):
    origin = make(DiskSpec(size="8 MiB"), DiskSpec(size="8 MiB", format="raw"))
    origin.snapshot("before", disks="external") if False else None
    clone = origin.clone("linked-clone", linked=True)
    inside = make()
    inside.snapshot("one")
    inside.snapshot("two")
    running = make(start=True)
    running.snapshot("out1", disks="external")
    running.snapshot("out2", disks="external")
    try:
        report = examine(alpha, checks=("disk.*", "storage.*"), deep=True)
        odd = [one for one in report if one.verdict not in ("ok", "n/a")]
        # How much room the disk of the test machine has is not the code's matter.
        assert [str(one) for one in odd if one.kind not in ("storage.space", "disk.space")] == []
        assert report["disk.there:linked-clone/vda"].verdict == "ok"
        assert "2 files" in report["disk.backing:linked-clone/vda"].evidence
        assert "kept read-only" in report[f"disk.readable:{origin.name}/vda"].evidence
        assert "3 files" in report[f"disk.backing:{running.name}/vda"].evidence
        assert report[f"disk.snapshots:{inside.name}/vda"].evidence == "2 snapshots: one, two"
        assert report[f"disk.snapshots:{running.name}/vda"].verdict == "ok"
        assert report[f"disk.damaged:{inside.name}/vda"].verdict == "ok"
        assert report.seconds < 5
    finally:
        remove(clone)
        Path(path_of(origin)).chmod(0o600)


@pytest.mark.parametrize("running", [False, True])
def test_an_image_that_was_renamed_is_found_and_moved_back(make, running):
    domain = make(start=running)
    path = Path(path_of(domain))
    path.rename(f"{path}.old")
    found = only(domain, "disk.there")
    assert str(path) in found.evidence
    assert f"{path}.old" in found.remedy
    assert ("under the running domain" in found.cause) is running
    plan = found.fix()
    assert f"mv -n {path}.old {path}" in str(plan)
    plan.apply()
    assert path.exists()
    well(domain)


def test_an_image_that_is_gone_has_no_repair(make):
    domain = make()
    domain.snapshot("layer", disks="external")
    path = Path(path_of(domain))
    path.unlink()
    for name in (f"x{path.name}", f"{path.name}.1", f"{path.name}.2"):
        path.with_name(name).write_bytes(bytes(512))
    # Its own base is not taken for it, nor one of two that might be.
    assert only(domain, "disk.there").fix is None


def test_a_rename_takes_no_other_file_and_can_be_undone(make, alpha, tmp_path):
    domain = make()
    path = path_of(domain)
    plan = alpha.move_image.plan(path, f"{path}.new")
    plan.apply()
    assert not Path(path).exists()
    Path(path).write_text("another")
    plan.actions[0].undo(alpha)
    assert Path(f"{path}.new").exists()
    Path(path).unlink()
    plan.actions[0].undo(alpha)
    Path(f"{path}.new").write_text("in the way")
    with pytest.raises(LabvirtError, match="exists already"):
        alpha.move_image(path, f"{path}.new")
    well(domain)


@pytest.mark.parametrize("policy", [None, "optional"])
def test_a_medium_that_is_gone_is_ejected(make, alpha, policy):
    iso = Path(alpha.pools["shared"].info().path) / "medium.iso"
    iso.write_bytes(bytes(4096))
    domain = make(DiskSpec(size="8 MiB"), CdromSpec(source=FileSource(path=str(iso), format="raw")))
    drive = next(one for one in targets(domain) if one != "vda")
    well(domain)
    if policy:
        domain.update(drive, startup_policy=policy)
    iso.unlink()
    found = only(domain, "disk.media", "warning" if policy else "fail")
    assert "--eject" in found.remedy
    found.fix().apply()
    well(domain)


# -- may QEMU open it ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_closed_image_is_opened_for_its_owner(make, mode):
    domain = make()
    path = Path(path_of(domain))
    path.chmod(mode)
    found = only(domain, "disk.readable")
    assert "may not read and write" in found.evidence
    assert found.remedy.startswith("chmod u+rw")
    with pytest.raises(LabvirtError):
        domain.start()
    plan = found.fix()
    plan.apply()
    assert path.stat().st_mode & 0o777 == mode | 0o600
    domain.start()
    domain.destroy(confirm=True)
    plan.actions[0].undo(domain.host)
    assert path.stat().st_mode & 0o777 == mode


def test_a_closed_folder_above_is_named(make, lab):
    domain = make()
    if os.getuid() != 0:
        pytest.skip("needs root: QEMU must be another user than this process")
    folder = Path(path_of(domain)).parent / "closed"
    folder.mkdir(mode=0o755)
    try:
        path = folder / "disk.qcow2"
        img("create", "-f", "qcow2", path, "8M")
        path.chmod(0o666)
        domain.update("vda", source=str(path))
        well(domain)
        folder.chmod(0o700)
        found = only(domain, "disk.readable")
        assert "the folder above is closed" in found.cause
        assert f"{folder}: rwx------" in found.evidence
        found.fix().apply()
        well(domain)
    finally:
        shutil.rmtree(folder)


# -- chains -------------------------------------------------------------------------------------


@pytest.fixture
def stacked(make):
    """A domain whose image stands on another one."""
    domain = make()
    top = Path(path_of(domain))
    base = top.with_name(f"{top.stem}.base.qcow2")
    img("create", "-f", "qcow2", base, "8M")
    img("create", "-f", "qcow2", "-b", base, "-F", "qcow2", top)
    base.chmod(0o644)
    well(domain)
    return SimpleNamespace(domain=domain, top=top, base=base)


def test_a_base_that_was_renamed_is_moved_back(stacked):
    stacked.base.rename(f"{stacked.base}.bak")
    found = only(stacked.domain, "disk.backing")
    assert f"stands on {stacked.base}" in found.evidence
    found.fix().apply()
    well(stacked.domain)


def test_a_base_that_moved_to_another_pool_is_named_anew(stacked, alpha):
    new = Path(alpha.pools["default"].info().path) / stacked.base.name
    stacked.base.rename(new)
    try:
        found = only(stacked.domain, "disk.backing")
        assert f"qemu-img rebase -u -b {new} -F qcow2 {stacked.top}" in found.remedy
        plan = found.fix()
        assert plan.destroys
        plan.apply(confirm=True)
        well(stacked.domain)
    finally:
        new.unlink()


def test_a_base_that_is_gone_and_a_circle_have_no_repair(stacked):
    img("rebase", "-u", "-b", stacked.top, "-F", "qcow2", stacked.base)
    found = only(stacked.domain, "disk.backing")
    assert "stands, in the end, on itself" in found.cause
    stacked.base.unlink()
    found = only(stacked.domain, "disk.backing")
    assert found.fix is None


def test_a_base_without_its_format_is_refused_by_libvirt_and_named_here(stacked):
    text = stacked.top.read_bytes()
    stacked.top.write_bytes(text.replace(b"\xe2\x79\x2a\xca", b"\x12\x34\x56\x78", 1))
    only(stacked.domain, "disk.backing", "warning")
    img("create", "-f", "qcow2", f"{stacked.base}.low", "8M")
    img("rebase", "-u", "-b", f"{stacked.base}.low", "-F", "qcow2", stacked.base)
    with pytest.raises(LabvirtError, match="format of backing image"):
        stacked.domain.start()
    found = only(stacked.domain, "disk.backing")
    assert "without its format; it is qcow2" in found.evidence
    found.fix().apply(confirm=True)
    well(stacked.domain)


@pytest.mark.parametrize(("real", "said"), [("qcow2", "raw"), ("raw", "qcow2")])
def test_a_false_format_is_found_and_corrected(make, real, said):
    domain = make()
    path = path_of(domain)
    img("create", "-f", real, path, "8M")
    domain.update("vda", driver_type=said)
    found = only(domain, "disk.format")
    assert f"declared {said}; its first bytes are those of {real}" in found.evidence
    found.fix().apply()
    well(domain)


def test_a_head_that_nobody_can_read_is_told(make):
    domain = make()
    with Path(path_of(domain)).open("r+b") as image:
        image.seek(4)
        image.write(b"\0\0\0\x63")
    found = ill(domain)["disk.format"]
    assert found.verdict == "fail"
    assert "version" in found.evidence


def test_snapshots_that_are_lost_are_forgotten(make):
    domain = make()
    domain.snapshot("kept")
    domain.snapshot("lost")
    img("snapshot", "-d", "lost", path_of(domain))
    found = only(domain, "disk.snapshots")
    assert found.id == f"disk.snapshots:{domain.name}/vda:lost"
    found.fix().apply()
    assert domain.snapshots.names == ["kept"]
    well(domain)


def test_a_chain_that_was_merged_behind_libvirt_is_told(make):
    domain = make()
    base = path_of(domain)
    domain.snapshot("old", disks="external")
    well(domain)
    img("rebase", "-f", "qcow2", "-b", "", path_of(domain))
    found = only(domain, "disk.snapshots", "warning")
    assert "behind libvirt's back" in found.cause
    Path(base).unlink()
    found = only(domain, "disk.snapshots")
    assert base in found.evidence
    found.fix().apply(confirm=True)
    well(domain)


# -- faults inside ------------------------------------------------------------------------------


def broken(path, what):
    """Damage a qcow2 image that holds a few clusters."""
    img("create", "-f", "qcow2", path, "8M")
    words = ["qemu-io", "-f", "qcow2", "-c", "write 0 512k", str(path)]
    subprocess.run(words, check=True, capture_output=True, timeout=30)
    with Path(path).open("r+b") as image:
        image.seek(40)
        first = int.from_bytes(image.read(8), "big")
        image.seek(first)
        second = int.from_bytes(image.read(8), "big") & 0x00FFFFFFFFFFFE00
        image.seek(second)
        head = image.read(8)
        if what == "leak":
            image.seek(second)
            image.write(bytes(8))
        elif what == "fault":
            image.seek(second + 8)
            image.write(head)
        elif what == "mark":
            image.seek(72)
            image.write((2).to_bytes(8, "big"))


@pytest.mark.parametrize(
    ("what", "verdict", "repair"),
    [("leak", "warning", "check -r leaks"), ("fault", "fail", "check -r all")],
)
def test_damaged_tables_are_found_and_repaired(make, what, verdict, repair):
    domain = make()
    broken(path_of(domain), what)
    well(domain)
    found = only(domain, "disk.damaged", verdict, deep=True)
    assert repair in found.remedy
    plan = found.fix()
    assert bool(plan.destroys) is (what == "fault")
    plan.apply(confirm=True)
    well(domain, deep=True)


def test_the_mark_of_damage_is_seen_without_a_deep_look(make):
    domain = make()
    broken(path_of(domain), "mark")
    found = ill(domain)
    assert found["disk.marked"].evidence.endswith("corrupt: true")
    found["disk.marked"].fix().apply(confirm=True)
    well(domain)


# -- others -------------------------------------------------------------------------------------


@contextlib.contextmanager
def process(*words, ready=b""):
    """Let a process run while a ``with`` block lasts."""
    run = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        while ready and ready not in run.stdout.read(len(ready)):
            pass
        yield run
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait(10)
        run.stdin.close()
        run.stdout.close()


def test_a_lock_is_found_with_its_holder(make):
    domain = make()
    path = path_of(domain)
    with process("qemu-io", "-f", "qcow2", path, ready=b"qemu-io>") as holder:
        with pytest.raises(LabvirtError, match="lock"):
            domain.start()
        found = only(domain, "disk.lock")
        assert f"process {holder.pid} (qemu-io" in found.evidence
        assert f"kill {holder.pid}" in found.remedy
    well(domain)


def test_a_reader_and_another_file_are_no_lock(make):
    domain, other = make(), make(start=True)
    with process("tail", "-f", path_of(domain)):
        well(domain)
    assert other.is_active


def test_a_domain_that_runs_is_named_as_the_holder(make, beta):
    domain = make(start=True)
    twin = lv.DomainSpec(
        name="twin",
        memory="32 MiB",
        interfaces=(),
        disks=(DiskSpec(source=FileSource(path=path_of(domain))),),
    )
    twin = beta.plan(twin, start=False).apply()
    try:
        found = only(twin, "disk.lock")
        assert f"(domain {domain.name})" in found.evidence
        assert "shut down" in found.remedy
    finally:
        twin.undefine(confirm=True)


def test_two_domains_on_one_image(make):
    domain, other = make(start=True), make()
    well(domain)
    xml = other.xml().replace(path_of(other), path_of(domain))
    other.redefine(xml)
    found = only(domain, "disk.shared", "warning")
    assert f"{other.name} (vda)" in found.evidence
    assert set(ill(other)) == {"disk.shared", "disk.lock"}


def test_a_domain_that_writes_below_another_is_stopped_in_words(make):
    domain = make()
    top = make()
    img("create", "-f", "qcow2", "-b", path_of(domain), "-F", "qcow2", path_of(top))
    well(domain)
    domain.start()
    found = only(domain, "disk.shared")
    assert f"lies below {top.name}" in found.evidence


def test_a_loop_device_on_the_image_is_found(make):
    domain = make(DiskSpec(size="8 MiB", format="raw"))
    done = subprocess.run(
        ["losetup", "-f", "--show", path_of(domain)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no loop device: {done.stderr.strip()}")
    device = done.stdout.strip()
    try:
        found = only(domain, "disk.lock", "warning")
        assert f"losetup -d {device}" in found.remedy
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


# -- how it works -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [({"bytes_per_s": "64 KiB"}, "fail"), ({"iops": 5}, "fail"), ({"iops": 50}, "warning")],
)
def test_a_throttled_disk_is_found_and_freed_while_it_runs(make, limits, verdict):
    domain = make(DiskSpec(size="8 MiB", **limits), start=verdict == "fail")
    found = only(domain, "disk.throttle", verdict)
    assert "blkdeviotune" in found.remedy
    found.fix().apply()
    well(domain)
    assert "iotune" not in domain.xml(inactive=True)


def test_limits_that_a_guest_can_live_with_are_told_only(make):
    domain = make(DiskSpec(size="8 MiB", bytes_per_s="100 MiB", iops=1000))
    report = examine(domain, checks=("disk.throttle",))
    assert report.verdict == "ok"
    assert "1000/s" in report.findings[0].evidence


def test_unsafe_cache_and_a_slow_bus(make):
    domain = make(DiskSpec(size="8 MiB", cache="unsafe", bus="sata"))
    found = ill(domain)
    assert {kind: one.verdict for kind, one in found.items()} == {
        "disk.cache": "warning",
        "disk.bus": "warning",
    }
    assert "convert_to_virtio(['sda']" in found["disk.bus"].remedy
    found["disk.cache"].fix().apply()
    domain.convert_to_virtio(drivers_installed=True)
    well(domain)


def test_the_server_of_a_disk_is_asked(make):
    domain = make()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        disk = (
            "<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
            f"<source protocol='nbd' name='x'><host name='127.0.0.1' port='{port}'/></source>"
            "<target dev='vdb' bus='virtio'/></disk>"
        )
        domain.redefine(domain.xml().replace("<controller", disk + "<controller", 1))
        report = examine(domain, checks=("disk.server",))
        assert report[f"disk.server:{domain.name}/vdb"].verdict == "ok"
    found = only(domain, "disk.server")
    assert f"127.0.0.1:{port}" in found.evidence
    assert "refused" in found.evidence
