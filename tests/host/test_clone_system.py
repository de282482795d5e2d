"""Clones on the system back end: volumes copied by libvirt, real networks, live and linked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import LabError
from labvirt.host.clones import clone_copies
from labvirt.images import Image
from labvirt.model.xml.domain import DomainXml

pytestmark = [pytest.mark.lab, pytest.mark.slow(seconds=12)]
SUMS = "sync; sha256sum /dev/vda /dev/vdb"


@pytest.fixture(scope="module")
def host():
    try:
        lab = lv.Lab.start(f"clones-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        yield lab["alpha"]
        lab.stop()


@pytest.fixture(scope="module")
def source(host):
    disks = (
        lv.DiskSpec(target="vda", source=lv.model.NewVolume(size="16 MiB")),
        lv.DiskSpec(target="vdb", source=lv.model.NewVolume(size="8 MiB", format="raw")),
    )
    spec = lv.DomainSpec(name="src", memory="128 MiB", source=lv.TinyGuest(), disks=disks)
    domain = host.plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    domain.ask("for d in vda vdb; do dd if=/dev/urandom of=/dev/$d bs=1M count=4; done; sync")
    return domain


def paths(domain):
    return {d.target: d.source_path for d in DomainXml.parse(domain.xml()).disks}


@pytest.mark.slow(seconds=25)
def test_a_live_clone_runs_beside_its_original_with_an_address_of_its_own(source):
    before, where = source.ask(SUMS).text, paths(source)
    clone = source.clone("live", live=True, start=True)
    clone.wait_for("agent", timeout_s=90)
    assert source.ask(SUMS).text == clone.ask(SUMS).text == before
    assert paths(source) == where
    assert clone.ask("hostname").text.strip() == "live"
    clone.wait_for("network", timeout_s=60)
    source.wait_for("network", timeout_s=60)
    assert {a.address for a in source.known_addresses()}.isdisjoint(
        {a.address for a in clone.known_addresses()}
    )
    clone.destroy(confirm=True)


def test_libvirt_copies_what_cannot_be_reached_from_here(source, monkeypatch):
    before, where = source.ask(SUMS).text, paths(source)
    monkeypatch.setattr(clone_copies, "seen_here", lambda *_: False)
    plan = source.clone.plan("far", live=True)
    assert plan.virsh.count("vol-create-from") == 2
    assert "cp --reflink" not in plan.virsh
    clone = plan.apply()
    assert paths(source) == where
    assert source.ask(SUMS).text == before
    for target, path in paths(clone).items():
        done = subprocess.run(
            ["qemu-img", "compare", "-U", path, where[target]],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "identical" in done.stdout, done.stderr


def test_nvram_in_a_folder_without_a_pool_is_copied_by_a_passing_one(host):
    folder = Path(host.pools["shared"].info().path).parent / f"nvram-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o777)
    nvram = folder / "uefi_VARS.fd"
    nvram.write_bytes(os.urandom(1 << 16))
    spec = lv.DomainSpec(name="uefi", memory="32 MiB", interfaces=())
    document = DomainXml.parse(host.plan(spec, start=False).apply().xml(inactive=True))
    document.loader, document.loader_readonly = "/usr/share/seabios/bios-256k.bin", True
    document.loader_type, document.nvram = "pflash", str(nvram)
    host.define(document.text())
    pools = set(host.pools.names)
    clone = host.domains["uefi"].clone("uefi2")
    two = DomainXml.parse(clone.xml(inactive=True)).nvram
    assert two == str(folder / "uefi2_VARS.fd")
    assert Path(two).read_bytes() == nvram.read_bytes()
    assert set(host.pools.names) == pools
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def test_a_linked_clone_while_the_original_goes_on(source):
    before = source.ask(SUMS).text
    where = paths(source)
    clone = source.clone("linked", linked=True, live=True)
    source.ask("dd if=/dev/urandom of=/dev/vda bs=64k count=2; sync")
    assert before != source.ask(SUMS).text
    for target, path in paths(clone).items():
        assert Image(path, format="qcow2").info().backing_path == where[target]
        assert Image(path).compare(Image(where[target])).equal
    assert all("after-linked" in path for path in paths(source).values())


def test_another_network_for_the_clone(source):
    with pytest.raises(lv.errors.SpecError, match="has no such network"):
        source.clone.plan("n", live=True, networks={"default": "nowhere"})
