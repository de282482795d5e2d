"""Building the tiny guest: for ordinary users, at once, interrupted, damaged, offline, disk full."""

from __future__ import annotations

import filecmp
import json
import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from labvirt import places
from labvirt.errors import LabError
from labvirt.install import build_media
from labvirt.model.source import KernelBoot, Media, TinyGuest

BUILD = """
import json, sys
from pathlib import Path
from labvirt.errors import LabvirtError
from labvirt.install import build_media
from labvirt.model.source import TinyGuest
said = []
try:
    for boot in sys.argv[2:]:
        media = build_media(TinyGuest(boot=boot), Path(sys.argv[1]), progress=said.append)
        print(json.dumps({"digest": media.digest, "files": [media.kernel, media.initrd, media.disk],
                          "said": said}), flush=True)
except LabvirtError as error:
    print(json.dumps({"error": str(error), "said": said}), flush=True)
"""


def results(child, timeout_s=90):
    output, errors = child.communicate(timeout=timeout_s)
    assert not errors, errors
    return [json.loads(line) for line in output.splitlines()]


def left_in_staging(cache):
    return list((cache / "install" / "staging").glob("*"))


def processes_about(folder):
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or [])
    ]


def namespaces(*options):
    """Return a prefix that runs a command in new namespaces, or skip where that is not allowed."""
    wrap = ["unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), *options]
    if subprocess.run([*wrap, "true"], check=False, capture_output=True, timeout=20).returncode:
        pytest.skip("this machine allows no namespaces: cannot take network or disk space away")
    return wrap


@pytest.fixture
def media(built_cache, scratch):
    """The kernel variant, from a cache of this test's own."""
    return build_media(TinyGuest(), scratch / "media")


def test_a_kernel_build_has_kernel_and_initrd(media):
    assert isinstance(media, Media)
    assert (media.disk, media.disk_format) == (None, None)
    for path in (media.kernel, media.initrd):
        assert Path(path).is_absolute()
        assert Path(path).name.startswith(f"tiny-{media.digest[:12]}.")
        assert Path(path).stat().st_mode & 0o777 == 0o644
    assert Path(media.kernel).parent.stat().st_mode & 0o777 == 0o755
    assert media.cmdline.split()[1] == "console=ttyS0"
    assert 64 <= media.minimum_memory.mib <= 128
    sizes = [Path(path).stat().st_size / 1e6 for path in (media.kernel, media.initrd)]
    print(f"\nkernel {sizes[0]:.1f} MB, initrd {sizes[1]:.1f} MB")


def test_a_disk_build_has_one_image(built_cache, scratch):
    said = []
    media = build_media(TinyGuest(boot="disk"), scratch / "media", progress=said.append)
    assert (media.kernel, media.initrd, media.cmdline) == (None, None, "")
    assert Path(media.disk).name == f"tiny-{media.digest[:12]}.qcow2"
    assert media.disk_format == "qcow2"
    assert Path(media.disk).stat().st_mode & 0o777 == 0o644
    # The shared cache, of which this one is a copy, may have the disk already.
    assert set(said) <= {"building the tiny guest's disk"}
    print(f"\ndisk {Path(media.disk).stat().st_size / 1e6:.1f} MB")


def test_a_second_build_runs_no_tool_and_writes_nothing(media, built_cache, scratch, monkeypatch):
    monkeypatch.setenv("PATH", "")
    shutil.rmtree(built_cache / "install" / "staging")
    before = {path: Path(path).stat().st_mtime_ns for path in (media.kernel, media.initrd)}
    began = time.monotonic()
    again = build_media(TinyGuest(), scratch / "media", progress=pytest.fail)
    seconds = time.monotonic() - began
    print(f"\nsecond build: {seconds * 1000:.0f} ms")
    assert again == media
    assert seconds < 1
    assert {path: Path(path).stat().st_mtime_ns for path in before} == before
    assert not (built_cache / "install" / "staging").exists()


def test_another_folder_gets_its_own_files_from_the_cache(media, scratch):
    other = build_media(TinyGuest(), scratch / "other" / "deep", progress=pytest.fail)
    assert other.digest == media.digest
    assert Path(other.kernel).read_bytes() == Path(media.kernel).read_bytes()
    assert not Path(other.kernel).samefile(media.kernel)


def test_a_damaged_cache_is_noticed_and_built_again(media, built_cache, scratch):
    guests = built_cache / "install" / "guests"
    same = (p for p in guests.glob("*/initrd.gz") if filecmp.cmp(p, media.initrd, shallow=False))
    # An older labvirt may have built the same under another key.
    for cached in list(same):
        data = bytearray(cached.read_bytes())
        data[len(data) // 2] ^= 1
        cached.write_bytes(data)
    said = []
    again = build_media(TinyGuest(), scratch / "other", progress=said.append)
    assert said == ["building the tiny guest"]
    assert again.digest == media.digest
    assert Path(again.initrd).read_bytes() == Path(media.initrd).read_bytes()


def test_a_damaged_file_in_the_folder_is_replaced(media, scratch):
    good = Path(media.initrd).read_bytes()
    Path(media.initrd).write_bytes(good[:-1] + b"x")
    assert build_media(TinyGuest(), scratch / "media", progress=pytest.fail) == media
    assert Path(media.initrd).read_bytes() == good


def test_refresh_asks_the_distribution_again_and_keeps_what_is_current(media, scratch):
    said = []
    again = build_media(TinyGuest(), scratch / "media", progress=said.append, refresh=True)
    assert again == media or said[-1] == "building the tiny guest"


def test_two_builds_at_once_share_the_work(cache, scratch, python):
    children = [python(BUILD, scratch / f"media{n}", "kernel", "disk") for n in range(2)]
    found = [results(child) for child in children]
    assert found[0][0]["digest"] == found[1][0]["digest"]
    assert found[0][1]["digest"] == found[1][1]["digest"]
    said = found[0][1]["said"] + found[1][1]["said"]
    assert said.count("building the tiny guest") == 1
    assert said.count("building the tiny guest's disk") == 1
    assert not left_in_staging(cache)


def test_after_kill_9_the_next_build_cleans_and_builds(cache, scratch, python):
    child = python(BUILD, scratch / "media", "kernel", "disk")
    until = time.monotonic() + 30
    while not left_in_staging(cache):
        assert time.monotonic() < until
        time.sleep(0.005)
    # In the middle of unpacking the kernel.
    time.sleep(0.5)
    child.kill()
    child.wait(10)
    while processes_about(cache):
        assert time.monotonic() < until, "a tool outlived its killed labvirt"
        time.sleep(0.02)
    media = build_media(TinyGuest(boot="disk"), scratch / "media")
    assert Path(media.disk).exists()
    assert not left_in_staging(cache)
    assert not list((scratch / "media").glob(".*"))


def ordinary_user():
    """Return a prefix that runs a command as an ordinary user, and the user's number."""
    if os.geteuid():
        return [], os.geteuid()
    names = {entry.pw_name for entry in pwd.getpwall()}
    account = pwd.getpwnam("lvuser" if "lvuser" in names else "nobody")
    who = ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups"]
    return ["setpriv", *who], account.pw_uid


def test_a_cache_of_somebody_else_can_be_used(built_cache, scratch, python):
    wrap, user = ordinary_user()
    own = scratch / "own"
    own.mkdir()
    os.chown(own, user, -1)
    if os.geteuid():
        built_cache.chmod(0o555)
    (found,) = results(python(BUILD, own / "media", "kernel", wrap=wrap))
    assert found.get("said") == [], found
    assert Path(found["files"][0]).stat().st_uid == user
    refused = results(python(BUILD, "/proc/media", "kernel", wrap=wrap))
    assert "may write to both folders" in refused[0]["error"]
    built_cache.chmod(0o755)


@pytest.mark.slow(seconds=9)
def test_an_ordinary_user_builds_everything_from_nothing(scratch, python):
    wrap, user = ordinary_user()
    own = scratch / "own"
    own.mkdir()
    os.chown(own, user, -1)
    env = {"HOME": str(own), "LABVIRT_CACHE": str(own / "cache"), "TMPDIR": str(own)}
    began = time.monotonic()
    found = results(python(BUILD, own / "media", "kernel", "disk", wrap=wrap, env=env))
    assert "error" not in found[0], found[0]
    print(f"\nordinary user, from nothing, kernel and disk: {time.monotonic() - began:.2f} s")
    assert found[1]["said"][0].startswith("downloading ")
    files = [Path(path) for result in found for path in result["files"] if path]
    assert len(files) == 3
    for path in files:
        assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (user, 0o644)
    assert not left_in_staging(own / "cache")


@pytest.mark.slow(seconds=11)
def test_packages_are_found_when_the_machine_has_no_package_lists(scratch, python):
    wrap = [*namespaces("--mount"), "sh", "-c"]
    wrap += ['mount -t tmpfs none /var/lib/apt/lists && exec "$@"', "sh"]
    env = {"LABVIRT_CACHE": str(scratch / "cache")}
    (found,) = results(python(BUILD, scratch / "media", "kernel", wrap=wrap, env=env))
    assert found.get("said", [])[0] == "reading the distribution's package lists", found
    assert Path(found["files"][0]).exists()
    assert not left_in_staging(scratch / "cache")


def test_offline_the_cached_packages_give_the_same_bytes(cache, warm, scratch, python, monkeypatch):
    wrap = namespaces("--net")
    began = time.monotonic()
    found = results(python(BUILD, scratch / "media", "kernel", "disk", wrap=wrap))
    print(f"\nkernel and disk from packages: {time.monotonic() - began:.2f} s")
    assert found[1]["said"] == ["building the tiny guest", "building the tiny guest's disk"]
    monkeypatch.undo()
    assert places.cache() != cache
    for result, boot in zip(found, ("kernel", "disk"), strict=True):
        assert result["digest"] == build_media(TinyGuest(boot=boot), warm).digest


def test_offline_with_nothing_the_error_says_what_to_do(scratch, python):
    wrap = namespaces("--net")
    env = {"LABVIRT_CACHE": str(scratch / "cache")}
    (found,) = results(python(BUILD, scratch / "media", "kernel", wrap=wrap, env=env))
    if "error" not in found:
        # A machine with a kernel and the programs installed needs no network.
        assert any("taking the files of this machine" in text for text in found["said"])
        return
    assert "nothing to make a tiny guest of" in found["error"]
    assert "Packages: cannot download" in found["error"]
    assert "apt-get install linux-image-cloud-amd64 busybox-static" in found["error"]
    assert not left_in_staging(scratch / "cache")
    assert not (scratch / "media").exists()


def test_a_full_disk_is_one_error_and_leaves_nothing_half_made(cache, scratch, python):
    """The cache on a file system of its own, which is nearly full at first."""
    code = f"""
import os, shutil, sys
from pathlib import Path
cache = Path(os.environ["LABVIRT_CACHE"])
install = cache / "install"
shutil.copytree(sys.argv.pop(), install / "packages")
ballast = cache / "ballast"
room = os.statvfs(cache)
with ballast.open("wb") as stream:
    os.posix_fallocate(stream.fileno(), 0, room.f_bavail * room.f_bsize - (24 << 20))
for attempt in range(2):
    exec({BUILD!r})
    print(json.dumps([len(list(install.glob("staging/*"))), len(list(install.glob("guests/*")))]))
    ballast.unlink(missing_ok=True)
"""
    wrap = [*namespaces("--mount"), "sh", "-c"]
    small = scratch / "small"
    small.mkdir()
    wrap += [f'mount -t tmpfs -o size=400m none {small} && exec "$@"', "sh"]
    packages = cache / "install" / "packages"
    child = python(
        code, scratch / "media", "kernel", packages, wrap=wrap, env={"LABVIRT_CACHE": str(small)}
    )
    full, left, good, kept = results(child)
    assert "o space left" in full["error"], full
    assert "LABVIRT_CACHE" in full["error"]
    assert left == [0, 0]
    assert "error" not in good
    assert kept == [0, 1]


def test_a_full_media_folder_is_one_error_and_leaves_nothing_half_made(
    built_cache, scratch, python
):
    wrap = [*namespaces("--mount"), "sh", "-c"]
    small = scratch / "small"
    small.mkdir()
    wrap += [f'mount -t tmpfs -o size=8m none {small} && "$@"; ls -A {small} >&2', "sh"]
    child = python(BUILD, small, "kernel", wrap=wrap)
    (found,) = results(child)
    assert "No space left" in found["error"]
    assert str(small) in found["error"]


def test_a_folder_that_cannot_be_written_is_one_error(built_cache, scratch):
    (scratch / "file").write_text("")
    with pytest.raises(LabError, match="cannot build the tiny guest in"):
        build_media(TinyGuest(), scratch / "file" / "media")


def test_other_sources_need_no_build(scratch):
    with pytest.raises(LabError, match=r"nothing to build .* 'kernel-boot'"):
        build_media(KernelBoot(kernel="/boot/vmlinuz"), scratch)
