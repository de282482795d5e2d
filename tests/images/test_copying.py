"""Copying images byte by byte: equal, sparse, kept from writers, cancelled without a trace."""

from __future__ import annotations

import filecmp
import os
import subprocess
from pathlib import Path

import pytest

from labvirt.errors import CancelledError, ConflictError, HostError
from labvirt.images import copying
from labvirt.images.copying import copy_file
from labvirt.plan import JobControl

MIB = 1 << 20


@pytest.fixture
def control():
    return JobControl(lambda _: None)


def holey(path, *, much=80, tail=0):
    """A long stretch, a hole, a short stretch, a hole at the end."""
    with path.open("wb") as file:
        file.write(os.urandom(MIB) * much)
        file.seek(8 * MIB, os.SEEK_CUR)
        file.write(os.urandom(3 * MIB + tail))
        file.truncate(file.tell() + 16 * MIB)
    return str(path)


@pytest.mark.parametrize("tail", [0, 513])
@pytest.mark.parametrize("direct", [True, False])
def test_a_copy_is_equal_and_keeps_its_holes(tmp_path, control, monkeypatch, tail, direct):
    if not direct:
        monkeypatch.setattr(copying, "_pour", lambda old, new, begin, end, meter: begin)
    source, target = holey(tmp_path / "a", tail=tail), str(tmp_path / "b")
    copy_file(source, target, control=control, asked="copy")
    assert filecmp.cmp(source, target, shallow=False)
    assert Path(target).stat().st_blocks <= Path(source).stat().st_blocks + 16


def test_a_whole_file_of_an_odd_length(tmp_path, control):
    source, target = tmp_path / "a", str(tmp_path / "b")
    source.write_bytes(os.urandom(MIB) * 70 + b"tail")
    copy_file(str(source), target, control=control, asked="copy")
    assert filecmp.cmp(source, target, shallow=False)


def test_in_memory_file_systems_too(tmp_path, control):
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("no /dev/shm to write to")
    source, target = holey(tmp_path / "a"), f"/dev/shm/labvirt-test-{os.getpid()}"
    try:
        copy_file(source, target, control=control, asked="copy")
        assert filecmp.cmp(source, target, shallow=False)
    finally:
        Path(target).unlink()


def test_a_cancelled_copy_stops_in_the_middle(tmp_path):
    source, target = holey(tmp_path / "a"), str(tmp_path / "b")
    seen = []

    def report(progress):
        seen.append(progress.fraction)
        control.cancel()

    control = JobControl(report)
    with pytest.raises(CancelledError):
        copy_file(source, target, control=control, asked="copy")
    assert seen
    assert not filecmp.cmp(source, target, shallow=False)


def test_a_full_disk_is_a_clear_error(tmp_path, control, monkeypatch):
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(copying, "_allocate", full)
    with pytest.raises(HostError, match="No space left"):
        copy_file(holey(tmp_path / "a"), str(tmp_path / "b"), control=control, asked="copy")


def test_no_qemu_may_write_to_the_source_and_none_does(tmp_path, control):
    source = tmp_path / "a"
    source.write_bytes(bytes(MIB))
    words = ["qemu-io", "-f", "raw", str(source)]
    writer = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        writer.stdin.write("write 0 512\n")
        writer.stdin.flush()
        writer.stdout.readline()
        with pytest.raises(ConflictError, match="a running QEMU writes"):
            copy_file(str(source), str(tmp_path / "b"), control=control, asked="copy")
    finally:
        writer.communicate("quit\n")
    with source.open("rb") as file, copying.kept_from_writers(file.fileno(), "a", "copy"):
        done = subprocess.run(
            [*words[:-1], "-c", "write 0 512", str(source)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "lock" in done.stderr + done.stdout
        reading = subprocess.run(
            [*words[:-1], "-r", "-c", "read 0 512", str(source)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "read 512/512" in reading.stdout
    words = [*words[:-1], "-c", "write 0 512", str(source)]
    assert (
        "wrote 512/512" in subprocess.run(words, capture_output=True, text=True, check=False).stdout
    )
