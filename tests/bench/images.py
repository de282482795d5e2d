"""Images and clones: qemu-img by labvirt and bare, clones by labvirt and by virt-clone."""

from __future__ import annotations

import os
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import labvirt as lv
from labvirt.images import Image
from tests.bench.measure import Goal, interleave, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host import Domain
    from tests.bench.measure import Result

MIB = 1 << 20


def _random(path: Path, mib: int) -> None:
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))


def convert(rounds: int) -> Result:
    """512 MiB of random bytes from raw to qcow2."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        source, goal = Path(folder) / "a.raw", Path(folder) / "b.qcow2"
        _random(source, 512)
        os.sync()

        def bare() -> float:
            words = [
                "qemu-img",
                "convert",
                "-p",
                "-f",
                "raw",
                "-O",
                "qcow2",
                str(source),
                str(goal),
            ]
            spent = timed(lambda: subprocess.run(words, check=True, capture_output=True))
            goal.unlink()
            return spent

        def labvirt() -> float:
            spent = timed(lambda: Image(source, format="raw").convert(goal, format="qcow2"))
            goal.unlink()
            return spent

        ways = {"labvirt Image.convert": labvirt, "qemu-img convert -p": bare}
        goals = (Goal("labvirt Image.convert", "qemu-img convert -p", 1.1),)
        return interleave("convert 512 MiB, raw to qcow2", ways, goals, rounds)


@contextmanager
def _original(mib: int) -> Iterator[Domain]:
    """Give a domain that is off, with one raw disk full of random bytes."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        host = lab["alpha"]
        spec = lv.DomainSpec(
            name="origin",
            memory="64 MiB",
            disks=(
                lv.DiskSpec(
                    target="vda", source=lv.model.NewVolume(size=f"{mib} MiB", format="raw")
                ),
            ),
        )
        domain = host.plan(spec, start=False).apply()
        path = Path(host.pools["shared"].volumes["origin-vda.raw"].path)
        _random(path, mib)
        os.sync()
        yield domain


def _clone(domain: Domain, *, linked: bool) -> float:
    name = f"c{uuid.uuid4().hex[:8]}"
    spent = timed(lambda: domain.clone(name, linked=linked))
    _forget(domain, name)
    return spent


def _virt_clone(domain: Domain) -> float:
    name = f"c{uuid.uuid4().hex[:8]}"
    words = ["virt-clone", "--connect", domain.host.uri, "--original", "origin"]
    words += ["--name", name, "--auto-clone"]
    spent = timed(lambda: subprocess.run(words, check=True, capture_output=True))
    _forget(domain, name)
    return spent


def _forget(domain: Domain, name: str) -> None:
    for path in domain.host.domains[name].undefine(confirm=True):
        Path(path).unlink()
    folder = Path(domain.host.pools["shared"].info().path)
    (folder / "origin-vda.raw").chmod(0o644)
    domain.host.pools["shared"].refresh()
    # What one way left to be written must not be paid for by the next.
    os.sync()


def clones(rounds: int) -> Result:
    """A domain with 1 GiB of random bytes, and one with 64 MiB for the linked way."""
    with _original(1024) as domain, _original(64) as small:
        ways = {
            "labvirt full": lambda: _clone(domain, linked=False),
            "labvirt linked": lambda: _clone(domain, linked=True),
            "labvirt linked, 64 MiB": lambda: _clone(small, linked=True),
            "virt-clone": lambda: _virt_clone(domain),
        }
        goals = (
            Goal("labvirt full", "virt-clone", 0.333),
            Goal("labvirt linked", "virt-clone", 0.067),
            Goal("labvirt linked", "labvirt linked, 64 MiB", 1.5),
        )
        return interleave("clone 1 GiB of raw disk", ways, goals, rounds)
