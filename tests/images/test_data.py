"""Large images of random blocks through every step: checksums equal each time."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from labvirt.images import Image

MIB = 1 << 20


def digest(path):
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.parametrize("mib", [64, pytest.param(1024, marks=pytest.mark.slow)])
def test_random_blocks_through_convert_chain_and_commit(tmp_path, monkeypatch, mib):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path / "home"))
    raw = tmp_path / "a.raw"
    with raw.open("wb") as file:
        for _ in range(mib // 4):
            file.write(os.urandom(4 * MIB))
    wanted = digest(raw)
    now = Image(raw, format="raw")
    for form in ("qcow2", "vmdk", "vhdx", "raw"):
        last, now = now, now.convert(tmp_path / f"b.{form}", format=form)
        if last.path != str(raw):
            Path(last.path).unlink()
    assert digest(now.path) == wanted
    base = Image(raw, format="raw")
    middle = Image(tmp_path / "middle.qcow2", format="qcow2")
    middle.create(backing=base.path, backing_format="raw")
    top = Image(tmp_path / "top.qcow2", format="qcow2")
    top.create(backing=middle.path, backing_format="qcow2")
    # Every other megabyte is another one, half of them in each layer.
    for number in range(0, mib, 2):
        layer = (middle, top)[number // 2 % 2]
        line = f"write -P {number % 255 + 1} {number}M 1M"
        words = ["qemu-io", "-f", "qcow2", "-c", line, layer.path]
        if number < 32:
            subprocess.run(words, check=True, capture_output=True)
            with Path(now.path).open("r+b") as model:
                model.seek(number * MIB)
                model.write(bytes([number % 255 + 1]) * MIB)
    wanted = digest(now.path)
    flat = top.convert(tmp_path / "flat.raw", format="raw")
    assert digest(flat.path) == wanted
    top.commit(confirm=True)
    middle.commit(confirm=True)
    assert digest(base.path) == wanted
    assert top.check().is_clean
