"""Looking for files and libraries in unpacked packages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from labvirt.errors import LabError
from labvirt.install.elf import library_closure, module_info, needs
from labvirt.install.tree import Tree


def test_a_file_is_found_wherever_the_distribution_puts_it(scratch):
    (scratch / "usr" / "sbin").mkdir(parents=True)
    (scratch / "usr" / "sbin" / "tool").write_text("")
    tree = Tree(scratch)
    assert tree.find("/sbin/tool") == scratch / "usr" / "sbin" / "tool"
    assert tree.find("/bin/nothing", "/usr/sbin/tool") == scratch / "usr" / "sbin" / "tool"
    (scratch / "lib").mkdir()
    (scratch / "lib" / "thing.so").write_text("")
    assert tree.find("/usr/lib/thing.so") == scratch / "lib" / "thing.so"
    assert tree.find("/sbin") is None


def test_links_stay_inside_the_tree(scratch):
    outside = scratch / "outside"
    outside.write_text("secret")
    root = scratch / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "absolute").symlink_to("/etc/passwd")
    (root / "etc" / "climbing").symlink_to("../../../outside")
    (root / "etc" / "loop").symlink_to("loop")
    tree = Tree(root)
    assert Path("/etc/passwd").is_file()
    assert tree.find("/etc/absolute") is None
    assert tree.find("/etc/climbing") is None
    assert tree.find("/etc/loop") is None
    assert tree.find("/etc/../../outside") is None
    (root / "etc" / "passwd").write_text("")
    assert tree.find("/etc/absolute") == root / "etc" / "passwd"


def test_a_link_in_the_middle_of_a_path_is_followed(scratch):
    (scratch / "usr" / "lib").mkdir(parents=True)
    (scratch / "usr" / "lib" / "a.so.1").write_text("")
    (scratch / "usr" / "lib" / "a.so").symlink_to("a.so.1")
    (scratch / "lib").symlink_to("/usr/lib")
    assert Tree(scratch).find("/lib/a.so") == scratch / "usr" / "lib" / "a.so.1"


def test_the_libraries_are_those_the_loader_takes():
    """ldd asks the real loader; both look at this very Python."""
    program = Path(sys.executable).resolve()
    said = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=20, check=False)
    if said.returncode:
        # A static Python needs nothing.
        assert needs(program)[1] == ()
        return
    real = {Path(path).name for path in re.findall(r"(/\S+) \(", said.stdout)}
    ours = library_closure([program], Tree(Path("/")))
    assert {Path(path).name for path in ours} == real


def test_the_agent_comes_with_its_libraries_and_loader(tree):
    found = library_closure([tree.find("/usr/sbin/qemu-ga")], tree)
    names = {Path(path).name for path in found}
    assert {"libc.so.6", "libglib-2.0.so.0", "ld-linux-x86-64.so.2"} <= names
    assert "/lib64/ld-linux-x86-64.so.2" in found
    assert all(file.is_relative_to(tree.root) for file in found.values())


def test_a_static_program_needs_nothing(tree):
    assert needs(tree.find("/bin/busybox")) == ("", ())


def test_a_missing_library_is_named_with_its_user(tree, scratch):
    with pytest.raises(LabError, match=r"qemu-ga needs the library .*so.* not in") as caught:
        library_closure([tree.find("/usr/sbin/qemu-ga")], Tree(scratch))
    assert "install" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF" + bytes(60)])
def test_what_is_no_program_is_refused(scratch, content):
    (scratch / "program").write_bytes(content)
    with pytest.raises(LabError, match="cannot read the libraries"):
        needs(scratch / "program")
    with pytest.raises(LabError, match="cannot read the kernel module"):
        module_info(scratch / "program", content)


def test_a_program_that_cannot_be_read_is_refused(scratch):
    with pytest.raises(LabError, match="cannot read the libraries"):
        needs(scratch / "absent")
