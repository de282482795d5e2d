"""`kill -9` in the middle: of the process that asked, and of qemu-img itself."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labvirt.errors import LabvirtError, PlanError
from labvirt.images import Image

MIB = 1 << 20


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path / "home"))
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


def listed(folder):
    """The names in a folder."""
    return sorted(entry.name for entry in Path(folder).iterdir())


def raw(path, mib):
    path.write_bytes(os.urandom(mib * MIB))
    return Image(path, format="raw")


def digest(image):
    """The checksum of what a guest sees, read through QEMU's own block layer."""
    words = ["qemu-img", "dd", "-U", "-f", image.format or "raw", "-O", "raw", "bs=1M"]
    out = f"{image.path}.copy"
    subprocess.run([*words, f"if={image.path}", f"of={out}"], check=True, timeout=120)
    with Path(out).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    Path(out).unlink()
    return found


def until(claim, what, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.005)


def begun(line, *, when, home):
    """Run Python that changes an image, until `when` holds; return it and its qemu-img."""
    code = f"from labvirt.images import Image\n{line}\n"
    asker = subprocess.Popen([sys.executable, "-c", code], cwd=home, stderr=subprocess.DEVNULL)

    def tool():
        try:
            found = psutil.Process(asker.pid).children(recursive=True)
            return next((p for p in found if p.name() == "qemu-img" and when(p)), None)
        except psutil.Error:
            return None

    found = None

    def in_the_middle():
        nonlocal found
        found = tool()
        return found or asker.poll() is not None

    until(in_the_middle, "qemu-img to be in the middle")
    assert found is not None, "it was over before it could be killed"
    return asker, found


def killed(asker, tool):
    """Kill the asking process; qemu-img must go with it."""
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    until(lambda: not tool.is_running() or tool.status() == psutil.STATUS_ZOMBIE, "its end")


def test_a_killed_convert_leaves_a_part_that_the_next_call_tells_and_removes(home):
    source, goal = raw(home / "a.raw", 8), home / "b.qcow2"
    line = f"Image({source.path!r}, format='raw').convert({str(goal)!r}, rate='2 MiB')"
    asker, tool = begun(line, home=home, when=lambda p: "convert" in p.cmdline())
    until(lambda: any(".b.qcow2.labvirt-part-" in name for name in listed(home)), "the part")
    killed(asker, tool)
    assert not goal.exists()
    assert len(listed(home)) == 2
    plan = source.convert.plan(goal)
    assert any("convert" in told and "cut short" in told for told in plan.warnings)
    assert listed(home) == ["a.raw"]
    assert source.compare(plan.apply()).equal


def test_a_killed_qemu_img_is_an_error_that_leaves_nothing(home):
    source = raw(home / "a.raw", 8)
    job = source.convert.job(home / "b.qcow2", rate="1 MiB")
    me = psutil.Process()
    until(lambda: [p for p in me.children() if p.name() == "qemu-img"], "qemu-img")
    for child in me.children():
        if child.name() == "qemu-img":
            child.kill()
    with pytest.raises(LabvirtError, match="ended with code -9"):
        job.result(30)
    assert listed(home) == ["a.raw"]


@pytest.fixture
def chain(home):
    """A base, an overlay whose every byte differs, and what a guest of each sees."""
    base = Image(raw(home / "old.raw", 32).convert(home / "base.qcow2").path, format="qcow2")
    top = Image(home / "top.qcow2", format="qcow2")
    top.create(backing=base.path, backing_format="qcow2")
    new = raw(home / "new.raw", 32)
    words = ["qemu-img", "convert", "-n", "-f", "raw", "-O", "qcow2", new.path, top.path]
    subprocess.run(words, check=True, timeout=60)
    Path(home / "old.raw").unlink()
    Path(home / "new.raw").unlink()
    return base, top


def test_a_killed_commit_is_told_exactly_and_finished_later(home, chain):
    base, top = chain
    wanted, before = digest(top), digest(base)
    assert wanted != before
    line = f"Image({top.path!r}, format='qcow2').commit(rate='8 MiB', confirm=True)"
    size = Path(base.path).stat().st_mtime_ns
    asker, tool = begun(line, home=home, when=lambda _: Path(base.path).stat().st_mtime_ns != size)
    time.sleep(0.5)
    killed(asker, tool)
    # The image itself is whole, the base alone is neither the old nor the new.
    assert digest(top) == wanted
    assert digest(base) not in (wanted, before)
    assert top.check().errors == 0
    told = top.resize.plan("64 MiB").warnings
    assert any(f"{top.path} is whole and still holds everything" in one for one in told)
    assert any(f"{base.path} holds a part of it" in one for one in told)
    top.commit(confirm=True)
    assert digest(base) == digest(top) == wanted
    assert not any("cut short: " in one for one in top.resize.plan("64 MiB").warnings)
    assert base.check().errors == 0


def test_a_killed_qemu_img_in_a_commit_is_told_exactly(home, chain):
    base, top = chain
    wanted = digest(top)
    job = top.commit.job(rate="8 MiB", confirm=True)
    stamp = Path(base.path).stat().st_mtime_ns
    until(lambda: Path(base.path).stat().st_mtime_ns != stamp, "the base to be written to")
    time.sleep(0.3)
    for child in psutil.Process().children():
        if child.name() == "qemu-img":
            child.kill()
    with pytest.raises(PlanError, match="is whole and still holds everything"):
        job.result(30)
    assert digest(top) == wanted


def test_a_killed_rebase_leaves_the_image_on_its_old_base_and_whole(home, chain):
    base, top = chain
    empty = Image(home / "empty.qcow2", format="qcow2").create("32 MiB")
    # A fast disk may be done before the kill: then once more.
    for attempt in range(8):
        # An overlay with nothing of its own: all of the base has to be copied into it.
        thin = Image(home / f"thin{attempt}.qcow2", format="qcow2")
        thin.create(backing=top.path, backing_format="qcow2")
        wanted, small = digest(thin), Path(thin.path).stat().st_size
        line = (
            f"Image({thin.path!r}, format='qcow2').rebase({empty.path!r}, backing_format='qcow2')"
        )
        with contextlib.suppress(AssertionError):
            asker, tool = begun(
                line,
                home=home,
                when=lambda _, of=thin, was=small: Path(of.path).stat().st_size > was + 2 * MIB,
            )
            killed(asker, tool)
            if thin.info().backing_path == top.path:
                break
    assert thin.info().backing_path == top.path
    assert digest(thin) == wanted
    assert thin.check().errors == 0
    thin.rebase(empty.path, backing_format="qcow2")
    assert thin.info().backing_path == empty.path
    assert digest(thin) == wanted
    assert base.check().errors == 0


def test_a_disk_that_fills_is_told_and_leaves_nothing(home, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    source = raw(home / "a.raw", 8)
    full = tmp_path / "full"
    full.mkdir()
    code = f"""
import os
from labvirt.images import Image
try:
    Image({source.path!r}, format="raw").convert({str(full / "b.qcow2")!r})
except Exception as error:
    print(type(error).__name__, error)
print(os.listdir({str(full)!r}))
"""
    line = 'mount -t tmpfs -o size=4m none "$1" && exec "$2" -c "$3"'
    words = ["unshare", "--mount", "sh", "-c", line, "sh", str(full), sys.executable, code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if "Operation not permitted" in done.stderr or "permission denied" in done.stderr:
        pytest.skip("no mount namespaces here")
    assert "HostError" in done.stdout, done.stderr
    assert "No space left" in done.stdout
    assert "free some space" in done.stdout
    assert done.stdout.strip().endswith("[]")
