"""The archive writer: what the kernel and busybox will read."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import LabError
from labvirt.install.cpio import Archive

NAMES = st.text(st.sampled_from("abcXYZ019._-+é"), min_size=1, max_size=12).filter(
    lambda name: name not in {".", ".."}
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def read(data):
    """Read a newc archive, written from the format's description alone."""
    at, found = 0, []
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        _ino, mode, uid, gid, _links, mtime, size, *device, name_size, check = fields
        name = data[at + 110 : at + 110 + name_size]
        assert name.endswith(b"\0")
        at += (110 + name_size + 3) // 4 * 4
        body = data[at : at + size]
        at += (size + 3) // 4 * 4
        assert (uid, gid, mtime, check) == (0, 0, 0, 0)
        if name == b"TRAILER!!!\0":
            assert at == len(data)
            return found
        found.append((name[:-1].decode(), mode, body, tuple(device[2:])))


@given(st.dictionaries(PATHS, st.binary(max_size=40), max_size=8))
def test_files_come_back_with_their_folders_first(files):
    archive, kept = Archive(), {}
    for path, data in files.items():
        try:
            archive.file(path, data, 0o600)
        except LabError:
            # A file cannot be a folder as well.
            assert any(
                other.startswith(path + "/") or path.startswith(other + "/") for other in kept
            )
        else:
            kept[path] = data
    seen = set()
    for name, mode, body, _device in read(archive.data()):
        assert "/" not in name or name.rpartition("/")[0] in seen
        seen.add(name)
        if name in kept:
            assert (mode, body) == (0o100600, kept.pop(name))
        else:
            assert mode == 0o40755
    assert not kept


@given(st.permutations(["a", "a/b", "c", "a/b/d"]))
def test_the_order_of_adding_makes_no_difference(order):
    archive = Archive()
    for path in order:
        archive.folder(path)
    reference = Archive()
    reference.folder("a/b/d")
    reference.folder("c")
    assert archive.data() == reference.data()


def test_links_devices_and_modes_are_kept():
    archive = Archive()
    archive.link("bin/sh", "busybox")
    archive.char_device("dev/console", 5, 1)
    archive.folder("tmp", 0o1777)
    entries = {name: (mode, body, device) for name, mode, body, device in read(archive.data())}
    assert entries["bin/sh"] == (0o120777, b"busybox", (0, 0))
    assert entries["dev/console"] == (0o20600, b"", (5, 1))
    assert entries["tmp"][0] == 0o41777
    assert "tmp" in archive
    assert "var" not in archive


def test_busybox_unpacks_it(tree, scratch):
    archive = Archive()
    archive.file("etc/some file", b"hello\n" * 1000, 0o640)
    archive.link("etc/link", "some file")
    busybox = tree.find("/bin/busybox")
    subprocess.run(
        [busybox, "cpio", "-i", "-d"], input=archive.data(), cwd=scratch, check=True, timeout=20
    )
    assert (scratch / "etc" / "link").read_bytes() == b"hello\n" * 1000
    assert (scratch / "etc" / "some file").stat().st_mode == 0o100640


@pytest.mark.parametrize("path", ["", "/", "../etc/passwd", "a/../b", "a\0b"])
def test_a_path_that_leads_out_is_refused(path):
    with pytest.raises(LabError, match="not a path inside"):
        Archive().file(path, b"")


def test_a_path_is_one_thing_only():
    archive = Archive()
    archive.file("etc", b"")
    with pytest.raises(LabError, match="etc is not a folder"):
        archive.file("etc/passwd", b"")
    with pytest.raises(LabError, match="there as something else"):
        archive.folder("etc")
