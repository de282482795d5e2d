"""The guest's own files, and the archive they go into."""

from __future__ import annotations

import gzip
import re
import subprocess
from importlib import resources

import pytest

from labvirt.errors import LabError
from labvirt.install import tiny
from labvirt.install.initramfs import _LINKS, _scripts, build_initramfs
from labvirt.install.kernel import find_kernel
from labvirt.install.tree import Tree

FILES = dict(_scripts())
SCRIPTS = sorted(path for path, data in FILES.items() if data.startswith(b"#!"))

SHELL_WORDS = (
    "[ break case cd do done echo else esac exec exit export fi for if in kill option printf read "
    "set then trap while : . return init shift"
)


@pytest.fixture(scope="module")
def names(tree):
    """Every path in the archive, as busybox lists them."""
    data = gzip.decompress(build_initramfs(tree, find_kernel(tree), ssh=True))
    listed = subprocess.run(
        [tree.find("/bin/busybox"), "cpio", "-t"],
        input=data,
        capture_output=True,
        check=True,
        timeout=20,
    )
    return listed.stdout.decode().splitlines()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_good_for_busybox(script, tree, scratch):
    (scratch / "script").write_bytes(FILES[script])
    busybox = tree.find("/bin/busybox")
    subprocess.run([busybox, "ash", "-n", scratch / "script"], check=True, timeout=20)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_tool_of_a_script_is_in_the_guest(script, tree, names):
    busybox = tree.find("/bin/busybox")
    listed = subprocess.run([busybox, "--list"], capture_output=True, check=True, timeout=20)
    there = set(listed.stdout.decode().split()) | {name.rpartition("/")[2] for name in names}
    builtin = set(SHELL_WORDS.split())
    text = re.sub(r"(?m)#.*$|'[^']*'|<<EOF(?s:.*?)^EOF$", "", FILES[script].decode())
    used = set(
        re.findall(r"(?m)(?:^|&&|\|\||;|\||\bdo\b|\bthen\b)\s*([a-z][a-z-]*)(?=[ \n])", text)
    )
    # The first word of a case label looks like a command.
    used -= set(re.findall(r"(?m)^([a-z]+) \|.*\)$", text))
    assert used <= there | builtin


def test_links_lead_to_files_of_the_guest(names):
    made_while_running = {"/run/hostname", "/run/uptime", "/run/counter", "/run/bootid"}
    for link, target in _LINKS:
        assert link in names
        if not target.startswith("/run/"):
            beside = f"{link.rpartition('/')[0]}/{target}"
            assert re.sub(r"[^/]+/\.\./", "", beside) in names
        else:
            assert target in made_while_running


def test_every_option_of_the_guest_is_documented():
    used = set(re.findall(r"option ([a-z.]+)\)", b"".join(FILES.values()).decode()))
    documented = set(re.findall(r"(?m)^``([a-z.]+)=", tiny.__doc__))
    assert used == documented
    assert "hostname" in used


def test_the_archive_has_what_a_guest_needs(names):
    assert {"init", "bin/busybox", "usr/sbin/qemu-ga", "usr/sbin/dropbear", "dev/console"} <= set(
        names
    )
    assert "etc/rc" in names
    assert any(name.endswith("/modules.dep") for name in names)


def test_without_ssh_there_is_no_ssh_server(tree):
    data = build_initramfs(tree, find_kernel(tree), ssh=False)
    assert b"usr/sbin/dropbear\0" not in gzip.decompress(data)


def test_the_same_parts_give_the_same_bytes(tree):
    kernel = find_kernel(tree)
    assert build_initramfs(tree, kernel, ssh=False) == build_initramfs(tree, kernel, ssh=False)


def test_a_missing_program_is_named_with_its_package(tree, scratch):
    with pytest.raises(LabError, match=r"needs /bin/busybox or /usr/bin/busybox") as caught:
        build_initramfs(Tree(scratch), find_kernel(tree), ssh=False)
    assert "busybox-static" in caught.value.hint


def test_the_guests_files_are_part_of_the_package():
    folder = resources.files("labvirt.install") / "rootfs"
    assert (folder / "init").is_file()
    assert (folder / "etc" / "acpi" / "PWRF" / "00000080").is_file()
