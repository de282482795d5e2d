"""Fetching packages: choosing them, and the places they come from."""

from __future__ import annotations

import os
import subprocess

import pytest

from labvirt.errors import LabError
from labvirt.install import packages
from labvirt.install.packages import fetch, known, parse_depends, unpack, wanted
from labvirt.install.parts import find_parts, known_parts
from labvirt.install.store import Store

#: What Ubuntu 24.04 says, shortened; the names are real.
UBUNTU = """\
linux-image-virtual
  Depends: linux-image-6.8.0-31-generic
linux-image-6.8.0-31-generic
  Depends: kmod
 |Depends: linux-base
  Depends: linux-base-sgx
  Depends: linux-modules-6.8.0-31-generic
kmod
  Depends: libkmod2
linux-modules-6.8.0-31-generic
busybox-static
qemu-guest-agent
  PreDepends: init-system-helpers
  Depends: libc6
  Depends: libglib2.0-0t64
  Depends: <libvirtual>
    libreal1
    libother1
libc6
  Depends: libgcc-s1
libglib2.0-0t64
 |Depends: libpcre2-8-0
  Depends: <libpcre-virtual>
    libpcre3
<libvirtual>
"""


@pytest.fixture
def store(cache):
    return Store()


def test_the_package_graph_is_read():
    graph = parse_depends(UBUNTU)
    assert graph["linux-image-virtual"] == ("linux-image-6.8.0-31-generic",)
    assert graph["linux-image-6.8.0-31-generic"] == (
        "kmod",
        "linux-base",
        "linux-modules-6.8.0-31-generic",
    )
    assert graph["qemu-guest-agent"] == (
        "init-system-helpers",
        "libc6",
        "libglib2.0-0t64",
        "libreal1",
    )
    assert graph["libglib2.0-0t64"] == ("libpcre2-8-0",)
    assert graph["busybox-static"] == ()
    assert "<libvirtual>" not in graph


def test_on_ubuntu_kernel_modules_and_libraries_are_chosen_and_nothing_else(monkeypatch):
    monkeypatch.setattr(packages, "run", lambda *_args, **_options: UBUNTU.encode())
    assert packages._choose(wanted(ssh=False), {}) == [
        "busybox-static",
        "libc6",
        "libgcc-s1",
        "libglib2.0-0t64",
        "libpcre2-8-0",
        "libreal1",
        "linux-image-6.8.0-31-generic",
        "linux-image-virtual",
        "linux-modules-6.8.0-31-generic",
        "qemu-guest-agent",
    ]


def test_a_distribution_that_lacks_a_package_is_told_so(monkeypatch):
    monkeypatch.setattr(packages, "run", lambda *_args, **_options: b"linux-image-amd64\n")
    with pytest.raises(LabError, match="have no busybox-static") as caught:
        packages._choose(wanted(ssh=False), {})
    assert "universe" in caught.value.hint


def test_a_package_without_checksum_is_refused():
    listing = "'http://x/a.deb' a_1_amd64.deb 5 MD5Sum:0123\n"
    with pytest.raises(LabError, match="no file with a SHA-256 for a"):
        packages._parse_uris(listing, ["a"])


def test_a_fetched_set_is_known_and_whole(store):
    found = known(store, wanted(ssh=False))
    assert found == fetch(store, wanted(ssh=False), progress=pytest.fail)
    names = {package.file.partition("_")[0] for package in found}
    assert {"busybox-static", "qemu-guest-agent", "libc6"} <= names
    assert any(name.startswith("linux-image-") for name in names)
    assert not {"systemd", "initramfs-tools", "kmod"} & names


def test_nothing_is_known_of_a_set_whose_list_is_damaged(store):
    for path in (store.packages / "sets").iterdir():
        path.write_text('{"packages": [{"file": "a.deb"}]}')
    assert known(store, wanted(ssh=False)) is None


def test_a_damaged_package_is_not_unpacked(store, scratch):
    found = known(store, wanted(ssh=False))
    victim = store.packages / found[0].file
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    with pytest.raises(LabError, match="damaged or missing"):
        unpack(store, found, scratch / "root")


def test_a_damaged_package_is_fetched_again(store):
    found = known(store, wanted(ssh=True))
    victim = next(p for p in found if p.file.startswith("busybox"))
    (store.packages / victim.file).write_bytes(b"!<arch>\n")
    said = []
    with store.locked():
        assert victim in fetch(store, wanted(ssh=True), progress=said.append)
    assert said == ["downloading 1 packages (1 MB)"]
    unpack(store, [victim], store.root / "check")


def test_packages_that_no_set_names_are_removed(store):
    (store.packages / "old_1.0_amd64.deb").write_bytes(b"")
    with store.locked():
        fetch(store, wanted(ssh=False), progress=lambda _text: None, refresh=True)
    assert not (store.packages / "old_1.0_amd64.deb").exists()
    assert known_parts(store, ssh=True) is not None


def test_apt_keeps_the_machines_settings_but_not_its_hooks(scratch):
    env = packages._configure(scratch, private_lists=True)
    text = (scratch / "apt-1.conf").read_text()
    assert "Post-Invoke" not in text
    said = subprocess.run(
        ["apt-config", "dump", "Dir::State"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout
    assert f'Dir::State "{scratch}/state";' in said
    assert f'Dir::State::lists "{scratch}/state/lists";' in said
    plain = subprocess.run(
        ["apt-config", "dump"], check=True, capture_output=True, text=True, timeout=20
    ).stdout
    kept = [line for line in plain.splitlines() if line.startswith("Acquire::http")]
    assert all(line in text for line in kept)


def test_without_apt_the_files_of_the_machine_are_taken(scratch, tree, monkeypatch):
    """On other distributions, or offline: a kernel and the programs may be installed."""
    monkeypatch.setenv("PATH", str(scratch))
    store = Store(scratch / "cache")
    said = []
    found = find_parts(store, ssh=True, progress=said.append, machine=tree.root)
    assert (found.packages, found.machine) == ((), tree.root)
    assert "apt-get is needed" in said[0]
    assert "taking the files of this machine" in said[0]
    assert found.tree(store, scratch / "unused").root == tree.root
    assert known_parts(store, ssh=True, machine=tree.root) == found
    assert find_parts(store, ssh=True, progress=pytest.fail, machine=tree.root) == found


def test_files_of_the_machine_that_changed_are_noticed(scratch, tree, monkeypatch):
    monkeypatch.setenv("PATH", str(scratch))
    store = Store(scratch / "cache")
    found = find_parts(store, ssh=False, progress=str, machine=tree.root)
    busybox = tree.find("/bin/busybox")
    before = busybox.stat()
    os.utime(busybox, (1, 1))
    try:
        assert known_parts(store, ssh=False, machine=tree.root) is None
        assert find_parts(store, ssh=False, progress=str, machine=tree.root) != found
    finally:
        os.utime(busybox, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_when_there_is_nothing_at_all_the_error_says_what_was_looked_for(scratch, monkeypatch):
    monkeypatch.setenv("PATH", str(scratch))
    with pytest.raises(LabError) as caught:
        find_parts(Store(scratch), ssh=True, progress=str, machine=scratch)
    text = str(caught.value)
    assert "Packages: the tool apt-get is needed" in text
    assert "This machine: it lacks a readable kernel in /boot" in text
    assert "/usr/sbin/qemu-ga" in text
    assert (
        "apt-get install linux-image-cloud-amd64 busybox-static qemu-guest-agent dropbear-bin"
        in text
    )
