"""Clones on the session back end: full, linked, of a running domain, by hand and by virt-clone."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import (
    AccessDeniedError,
    CancelledError,
    ConflictError,
    LabvirtError,
    PreconditionError,
    SpecError,
    UnsupportedError,
)
from labvirt.images import Image
from labvirt.model.xml.domain import DomainXml

pytestmark = pytest.mark.lab
SUMS = "sha256sum /dev/vda /dev/vdb"


def names_in(folder):
    """The names in a folder."""
    return sorted(entry.name for entry in Path(folder).iterdir())


def sums(domain):
    """What the guest reads from its disks, after everything was written."""
    return domain.ask(f"sync; {SUMS}", timeout_s=120).text


def stored(domain):
    """What is in the images of a domain that is off, as `sums` tells it."""
    found = []
    document = DomainXml.parse(domain.xml(inactive=True))
    for disk in document.disks:
        with tempfile.NamedTemporaryFile() as raw:
            words = ["qemu-img", "convert", "-f", disk.driver_type, "-O", "raw"]
            subprocess.run([*words, disk.source_file, raw.name], check=True, timeout=120)
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
        found.append(f"{digest}  /dev/{disk.target}\n")
    return "".join(found)


def folder_of(domain):
    return Path(disks(domain)["vda"]).parent


def disks(domain, *, inactive=False):
    document = DomainXml.parse(domain.xml(inactive=inactive))
    return {disk.target: disk.source_path for disk in document.disks}


def definition(host, name, size="24 MiB"):
    return lv.DomainSpec(
        name=name,
        memory="128 MiB",
        source=lv.TinyGuest(),
        disks=(
            lv.DiskSpec(target="vda", source=lv.model.NewVolume(size=size)),
            lv.DiskSpec(target="vdb", source=lv.model.NewVolume(size="8 MiB", format="raw")),
        ),
    )


@pytest.fixture(scope="module")
def guest(lab):
    """A guest with random bytes on a qcow2 and a raw disk."""
    host = lab["alpha"]
    domain = host.plan(definition(host, "source")).apply()
    domain.wait_for("agent", timeout_s=90)
    fill = "for d in vda vdb; do dd if=/dev/urandom of=/dev/$d bs=1M count=6; done; sync"
    domain.ask(fill, timeout_s=60)
    for each in lab:
        # Both hosts share the folder; what they know of it is what tests find and leave.
        each.pools["shared"].refresh()
    yield domain
    if domain.is_active:
        domain.destroy(confirm=True)
    files = [one.path for one in host.pools["shared"].volumes if one.name.startswith("source")]
    domain.undefine(confirm=True)
    for path in files:
        Path(path).unlink(missing_ok=True)


@pytest.fixture
def source(guest):
    """It, running."""
    return ready(guest)


@pytest.fixture
def off(guest):
    """It, off."""
    if guest.is_active:
        guest.shutdown()
    return guest


def ready(domain):
    if not domain.is_active:
        domain.start()
    domain.wait_for("agent", timeout_s=90)
    return domain


def test_a_full_clone_is_another_domain_with_equal_disks(off, name):
    plan = off.clone.plan(name)
    assert not plan.destroys
    assert "cp --reflink=auto" in plan.virsh
    clone = plan.apply()
    one, two = DomainXml.parse(off.xml(inactive=True)), DomainXml.parse(clone.xml(inactive=True))
    assert clone.name == two.name == name
    assert one.uuid != two.uuid
    assert one.interfaces[0].mac != two.interfaces[0].mac
    assert set(disks(clone).values()).isdisjoint(disks(off).values())
    assert one.serials[0].log_file != two.serials[0].log_file
    assert name in Path(str(two.serials[0].log_file)).name
    for mine, theirs in zip(disks(off).values(), disks(clone).values(), strict=True):
        assert Image(mine).compare(Image(theirs), strict=True).equal
        was, now = Path(mine).stat(), Path(theirs).stat()
        assert (was.st_uid, was.st_gid, was.st_mode) == (now.st_uid, now.st_gid, now.st_mode)
    names = off.host.pools["shared"].volumes.names
    assert {Path(path).name for path in disks(clone).values()} <= set(names)
    assert sums(ready(clone)) == stored(off)
    assert clone.ask("hostname").text.strip() == name
    # What one writes the other does not see.
    clone.ask("dd if=/dev/urandom of=/dev/vdb bs=64k count=1; sync")
    assert stored(off) != sums(clone)


def test_a_clone_equals_one_of_virt_clone_but_for_the_fresh_values(off, name):
    ours = off.clone(f"{name}-ours")
    folder = Path(disks(off)["vda"]).parent
    files = [folder / f"{name}-theirs-vda.qcow2", folder / f"{name}-theirs-vdb.raw"]
    words = ["virt-clone", "--connect", off.host.uri, "--original", off.name, "--name"]
    words += [f"{name}-theirs", *(w for file in files for w in ("--file", str(file)))]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    theirs = off.host.domains[f"{name}-theirs"]

    def plain(domain):
        document = DomainXml.parse(domain.xml(inactive=True))
        document.name, document.uuid = "x", "0" * 8 + "-0000-4000-8000-" + "0" * 12
        document.interfaces[0].mac = "52:54:00:00:00:01"
        for disk in document.disks:
            assert Path(disk.source_file).is_file()
            disk.source_file = f"/{disk.target}"
        # Ours are told their own name, and do not write into the log of the original.
        for device in (*document.serials, *document.consoles):
            device.log_file = "/log"
        document.cmdline = document.cmdline.rpartition(" hostname=")[0]
        return document.doc.pretty

    assert plain(ours) == plain(theirs)
    assert f"{name}-again-vda.qcow2" in theirs.clone.plan(f"{name}-again").virsh
    for target in ("vda", "vdb"):
        mine, other = Image(disks(ours)[target]), Image(disks(theirs)[target])
        assert mine.compare(other).equal


@pytest.mark.slow(seconds=10)
def test_a_linked_clone_stands_on_disks_that_are_kept_from_change(off, name):
    plan = off.clone.plan(name, linked=True)
    assert any("must never change again" in text for text in plan.warnings)
    clone = plan.apply()
    paths = disks(off)
    try:
        for target, path in disks(clone).items():
            record = Image(path, format="qcow2").info()
            assert record.backing_path == paths[target]
            assert record.actual_size < 1 << 20
            assert Path(paths[target]).stat().st_mode & 0o222 == 0
        with pytest.raises(AccessDeniedError):
            off.start()
        again = off.clone(f"{name}b", linked=True)
        before = stored(off)
        assert sums(ready(clone)) == before
        clone.ask("dd if=/dev/urandom of=/dev/vda bs=64k count=4; sync")
        assert sums(clone) != before
        assert stored(off) == stored(again) == before
        whole = off.clone(f"{name}c")
        assert all(Path(path).stat().st_mode & stat.S_IWUSR for path in disks(whole).values())
    finally:
        for path in paths.values():
            Path(path).chmod(Path(path).stat().st_mode | stat.S_IWUSR)


def test_the_shell_lines_of_the_plan_do_the_same(off, name):
    plan = off.clone.plan(name)
    subprocess.run(["bash", "-ec", plan.virsh], check=True, capture_output=True, timeout=60)
    clone = off.host.domains[name]
    assert stored(clone) == stored(off)
    with pytest.raises(ConflictError, match="exists already"):
        plan.apply()


@pytest.mark.slow(seconds=12)
def test_a_running_domain_is_cloned_as_it_is_and_goes_on_as_before(source, name):
    before, paths, listed = sums(source), disks(source), disks(source, inactive=True)
    source.ask(
        "(i=0; while [ $i -lt 400 ]; do echo $i > /run/ticks; i=$((i+1)); usleep 10000; done) &"
    )
    with pytest.raises(ConflictError, match="live=True"):
        source.clone.plan(name)
    plan = source.clone.plan(name, live=True)
    assert "--quiesce" in plan.virsh
    assert "blockcommit source vda --active --shallow --pivot" in plan.virsh
    clone = plan.apply()
    assert disks(source) == paths
    assert disks(source, inactive=True) == listed
    folder = Path(paths["vda"]).parent
    assert not [one for one in names_in(folder) if "while-cloned" in one]
    assert int(source.ask("cat /run/ticks").text) > 0
    assert sums(source) == before == stored(clone)


def test_the_shell_lines_of_a_live_clone_do_the_same(source, name):
    before, paths, listed = sums(source), disks(source), names_in(folder_of(source))
    plan = source.clone.plan(name, live=True)
    done = subprocess.run(["bash", "-ec", plan.virsh], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert disks(source) == paths
    assert stored(source.host.domains[name]) == before == sums(source)
    made = {Path(path).name for path in disks(source.host.domains[name]).values()}
    assert set(names_in(folder_of(source))) - set(listed) == made


def test_a_transient_domain_is_cloned_to_a_persistent_one(alpha, spec):
    alpha.plan(spec, transient=True).apply()
    clone = alpha.domains[spec.name].clone(f"{spec.name}-2", live=True)
    assert clone.info().persistent
    document = DomainXml.parse(clone.xml(inactive=True))
    assert document.id is None
    assert not [one for one in document.devices if one.element.find("alias") is not None]


def test_without_the_agent_a_live_clone_warns(source, name):
    plan = source.clone.plan(name, live=True, quiesce=False)
    assert any("as after a power cut" in text for text in plan.warnings)
    assert "--quiesce" not in plan.virsh


@pytest.mark.slow(seconds=25)
def test_a_linked_clone_of_a_running_domain_lets_it_go_on_in_a_layer(lab, name):
    host = lab["alpha"]
    origin = host.plan(definition(host, name)).apply()
    ready(origin)
    origin.ask("dd if=/dev/urandom of=/dev/vda bs=1M count=3; sync")
    before, paths = sums(origin), disks(origin)
    clone = origin.clone(f"{name}-twin", linked=True, live=True)
    assert all("after-" in path for path in disks(origin).values())
    assert disks(origin) == disks(origin, inactive=True)
    origin.ask("dd if=/dev/urandom of=/dev/vda bs=64k count=4; sync")
    assert stored(clone) == before != sums(origin)
    chains = [Image(path, format="qcow2").info() for path in (disks(clone)["vda"],)]
    assert chains[0].backing_path == paths["vda"]
    full = origin.clone(f"{name}-whole", live=True)
    assert stored(full) == sums(origin)
    assert Image(disks(full)["vda"], format="qcow2").info().chain == ()
    assert Path(disks(full)["vda"]).name == f"{name}-whole-vda.qcow2"


@pytest.mark.parametrize("how", ["cancel", "exists"])
def test_a_clone_that_fails_leaves_the_running_source_whole(source, name, how):
    before, paths = sums(source), disks(source)
    folder = Path(paths["vda"]).parent
    plan = source.clone.plan(name, live=True)
    listed = names_in(folder)
    job = None
    if how == "exists":
        # Somebody takes a name between the look and the work.
        (folder / f"{name}-vdb.raw").write_text("mine")
        with pytest.raises(LabvirtError, match=r"exists already|came to be"):
            plan.apply()
        assert (folder / f"{name}-vdb.raw").read_text() == "mine"
        (folder / f"{name}-vdb.raw").unlink()
    else:
        job = plan.start()
        job.listen(lambda progress: progress.stage.startswith("copy") and job.cancel())
        with pytest.raises(CancelledError):
            job.result(60)
    assert disks(source) == paths == disks(source, inactive=True)
    assert names_in(folder) == listed
    assert name not in source.host.domains
    assert sums(source) == before


@pytest.mark.parametrize("step", ["copying._move", "layers._pivoted"])
def test_kill_9_in_the_middle_of_a_live_clone_is_cleaned_by_the_next_opening(
    source, name, lab, step
):
    before, paths = sums(source), disks(source)
    folder = Path(paths["vda"]).parent
    listed = names_in(folder)
    code = textwrap.dedent(f"""
        import os, signal
        import labvirt as lv
        from labvirt.host.keeping import layers
        from labvirt.images import copying
        def stop(*args):
            print("middle", flush=True)
            signal.pause()
        {step} = stop
        host = lv.Lab.attach({lab.name!r})["alpha"]
        host.domains["source"].clone({name!r}, live=True)
        """)
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline().strip() == "middle"
    assert "while-cloned" in disks(source)["vda"]
    source.ask("dd if=/dev/urandom of=/dev/vda bs=64k count=2; sync")
    during = sums(source)
    assert during != before
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with lv.Host.open(
        source.host.uri, facts=source.host.facts, journal=source.host.journal
    ) as again:
        told = [str(one) for one in again.recovered]
    assert any("clone of domain source" in one and "remains" not in one for one in told), told
    assert disks(source) == paths == disks(source, inactive=True)
    assert names_in(folder) == listed
    assert sums(source) == during
    assert name not in source.host.domains


def refused(call, error, text, domain):
    host = domain.host
    before = (host.domains.names, names_in(Path(disks(domain)["vda"]).parent))
    with pytest.raises(error, match=text):
        call()
    after = (host.domains.names, names_in(Path(disks(domain)["vda"]).parent))
    assert before == after


def test_bad_wishes_are_refused_before_anything_is_changed(source, name, monkeypatch):
    live = {"live": True}
    mac = DomainXml.parse(source.xml()).interfaces[0].mac
    for call, error, text in (
        (lambda: source.clone("source", **live), ConflictError, "exists already"),
        (lambda: source.clone("a b", **live), SpecError, "cannot name a domain"),
        (lambda: source.clone(name, uuid=source.uuid, **live), ConflictError, "belongs to source"),
        (lambda: source.clone(name, uuid="x", **live), SpecError, "UUID"),
        (lambda: source.clone(name, macs={mac: mac}, **live), LabvirtError, mac),
        (
            lambda: source.clone(name, macs={"52:54:00:00:00:01": "52:54:00:00:00:02"}, **live),
            SpecError,
            "no interface",
        ),
        (lambda: source.clone(name, networks={"br7": "br8"}, **live), SpecError, "br7"),
        (lambda: source.clone(name, disks={"vdz": "copy"}, **live), SpecError, "no such disk"),
        (lambda: source.clone(name, disks={"vda": "eat"}, **live), SpecError, "is not known"),
        (lambda: source.clone(name, pool="nowhere", **live), LabvirtError, "nowhere"),
        (lambda: source.clone(name, timeout_s=0, **live), SpecError, "timeout_s"),
    ):
        refused(call, error, text, source)
    full = os.statvfs_result((4096, 4096, 10, 1, 1, 10, 1, 1, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    refused(lambda: source.clone(name, **live), PreconditionError, "has 4 KiB free", source)


def test_a_network_disk_cannot_be_copied_but_shared(alpha, spec):
    document = DomainXml.parse(alpha.plan(spec, start=False).apply().xml(inactive=True))
    document.add_device(
        "<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
        "<source protocol='nbd' name='x'><host name='127.0.0.1' port='1'/></source>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    domain = alpha.define(document.text())
    refused_name = f"{spec.name}-2"
    with pytest.raises(UnsupportedError, match="vda is a nbd disk"):
        domain.clone(refused_name)
    clone = domain.clone(refused_name, disks={"vda": "share"})
    assert "127.0.0.1" in clone.xml()


def test_nvram_sockets_and_ports_get_places_of_their_own(alpha, spec):
    folder = Path(alpha.pools["shared"].info().path)
    document = DomainXml.parse(alpha.plan(spec, start=False).apply().xml(inactive=True))
    nvram = folder / f"{spec.name}_VARS.fd"
    nvram.write_bytes(os.urandom(1 << 16))
    document.loader, document.loader_readonly = "/usr/share/seabios/bios-256k.bin", True
    document.loader_type, document.nvram = "pflash", str(nvram)
    document.graphics[0].set(port=5999, autoport=False, listen_type="address")
    document.add_device(
        f"<channel type='unix'><source mode='bind' path='{folder}/{spec.name}.sock'/>"
        "<target type='virtio' name='org.labvirt.0'/></channel>"
    )
    alpha.define(document.text())
    domain = alpha.domains[spec.name]
    clone = domain.clone(f"{spec.name}-2")
    two = DomainXml.parse(clone.xml(inactive=True))
    assert two.nvram == str(folder / f"{spec.name}-2_VARS.fd")
    assert Path(two.nvram).read_bytes() == nvram.read_bytes()
    assert two.graphics[0].port == -1
    assert two.channels[0].source_path == f"{folder}/{spec.name}-2.sock"
    nvram.unlink()
    Path(two.nvram).unlink()


def test_an_image_that_a_running_domain_uses_is_not_changed(source, tmp_path, monkeypatch):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path / "home"))
    path = disks(source)["vda"]
    image = Image(path, format="qcow2", host=source.host)
    assert image.users() == ("source",)
    record = image.info()
    assert record.in_use
    for call in (
        lambda: image.resize("1 GiB"),
        lambda: image.snapshot_create("x"),
        lambda: image.amend({"lazy_refcounts": True}),
        lambda: image.rebase(None),
        lambda: image.shrink(confirm=True),
        lambda: image.convert(tmp_path / "x"),
    ):
        with pytest.raises(ConflictError, match="domain source uses it"):
            call()
    with pytest.raises(ConflictError, match="Is another process using"):
        Image(path, format="qcow2").resize("1 GiB")


def test_a_source_that_is_shut_down_in_the_middle_is_put_back_on_its_disks(source):
    host, origin = source.host, source
    paths = disks(origin)
    from labvirt.host.keeping.layers import LayDisks, settle

    layers = {target: f"{path}.while-cloned-x.qcow2" for target, path in paths.items()}
    forms = {"vda": "qcow2", "vdb": "raw"}
    laid = LayDisks(origin.name, origin.uuid, layers, paths, forms)
    laid.do(host, None)
    origin.ask("dd if=/dev/urandom of=/dev/vdb bs=1M count=1; sync")
    wanted = sums(origin)
    origin.shutdown()
    for target in layers:
        settle(host, laid, target, None)
        settle(host, laid, target, None)
    assert disks(origin) == paths
    assert not any(Path(path).exists() for path in layers.values())
    assert stored(origin) == wanted


@pytest.mark.slow
def test_one_gibibyte_of_random_blocks(lab, name):
    host = lab["alpha"]
    origin = host.plan(definition(host, name, size="1 GiB")).apply()
    ready(origin)
    origin.ask("dd if=/dev/urandom of=/dev/vda bs=1M; sync", timeout_s=170)
    wanted = sums(origin)
    began = time.monotonic()
    clone = origin.clone(f"{name}-2", live=True)
    print("live clone", time.monotonic() - began)
    origin.destroy(confirm=True)
    assert stored(clone) == wanted
