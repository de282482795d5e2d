"""Bytes up and down against virsh, and the inventory of a pool of 5,000 volumes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import libvirt

import labvirt as lv
from labvirt.model import PoolSpec
from tests.bench.measure import Goal, interleave, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host import Host, Pool
    from tests.bench.measure import Result

#: Bytes of one transfer.
SIZE = 256 << 20
VOLUMES = 5000


@contextlib.contextmanager
def shelf() -> Iterator[tuple[Host, Pool]]:
    """Lend an empty pool on a session host."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        host = lab["alpha"]
        place = Path(host.pools["default"].info().path).with_name("shelf")
        place.mkdir()
        place.chmod(0o777)
        yield host, host.plan(PoolSpec(name="shelf", path=place)).apply()


def _virsh(host: Host, *words: str) -> None:
    subprocess.run(
        ["virsh", "-q", "-c", host.uri, *words], check=True, capture_output=True, timeout=300
    )


def _checksum(path: Path) -> None:
    subprocess.run(["sha256sum", path], check=True, capture_output=True, timeout=300)


def upload(rounds: int) -> Result:
    """A file of this machine into a new volume."""
    with shelf() as (host, pool), tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.write_bytes(os.urandom(SIZE))
        back = Path(folder) / "back"

        def clean() -> None:
            pool.refresh()
            for volume in pool.volumes:
                volume.delete(confirm=True)
            back.unlink(missing_ok=True)

        def labvirt(*, verify: bool) -> float:
            spent = timed(lambda: pool.upload(source, "v", verify=verify, sparse=False))
            clean()
            return spent

        def virsh(*, verify: bool) -> float:
            def work() -> None:
                _virsh(
                    host,
                    "vol-create-as",
                    "shelf",
                    "v",
                    str(SIZE),
                    "--allocation",
                    "0",
                    "--format",
                    "raw",
                )
                _virsh(host, "vol-upload", "v", str(source), "--pool", "shelf")
                if verify:
                    _virsh(host, "vol-download", "v", str(back), "--pool", "shelf")
                    _checksum(back)
                    _checksum(source)

            spent = timed(work)
            clean()
            return spent

        ways = {
            "labvirt": lambda: labvirt(verify=False),
            "virsh": lambda: virsh(verify=False),
            "labvirt, verified": lambda: labvirt(verify=True),
            "virsh, down again and sha256sum": lambda: virsh(verify=True),
        }
        goals = (
            Goal("labvirt", "virsh", 1.1),
            Goal("labvirt, verified", "virsh, down again and sha256sum", 1.1),
        )
        return interleave(f"upload of {SIZE >> 20} MiB", ways, goals, rounds)


def download(rounds: int) -> Result:
    """A volume into a file of this machine."""
    with shelf() as (host, pool), tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.write_bytes(os.urandom(SIZE))
        volume = pool.upload(source, "v")
        back = Path(folder) / "back"

        def labvirt() -> float:
            spent = timed(lambda: volume.download(back, verify=False))
            back.unlink()
            return spent

        def virsh() -> float:
            spent = timed(lambda: _virsh(host, "vol-download", "v", str(back), "--pool", "shelf"))
            back.unlink()
            return spent

        ways = {"labvirt": labvirt, "virsh": virsh}
        return interleave(
            f"download of {SIZE >> 20} MiB", ways, (Goal("labvirt", "virsh", 1.1),), rounds
        )


def inventory(rounds: int) -> Result:
    """Records of 5,000 volumes: ours, and virt-manager's way of one look at each."""
    with shelf() as (host, pool):
        folder = Path(pool.info().path)
        for number in range(VOLUMES):
            (folder / f"v{number}").write_bytes(b"x" * 512)
            (folder / f"v{number}").chmod(0o644)
        pool.refresh()
        bare = libvirt.open(host.uri)
        counted = {"labvirt": 0, "virt-manager's way": 0}

        def labvirt() -> float:
            real = libvirt.virStorageVol.XMLDesc
            counted["labvirt"] = 2  # the pool's record, the list
            found = []

            def count(*args: object) -> str:
                counted["labvirt"] += 1
                return str(real(*args))

            libvirt.virStorageVol.XMLDesc = count
            try:
                spent = timed(lambda: found.extend(pool.volumes.records))
            finally:
                libvirt.virStorageVol.XMLDesc = real
            assert len(found) == VOLUMES
            return spent

        def one_by_one() -> float:
            def work() -> None:
                handle = bare.storagePoolLookupByName("shelf")
                handle.refresh(0)
                counted["virt-manager's way"] = 3
                for volume in handle.listAllVolumes(0):
                    volume.XMLDesc(0)
                    volume.info()
                    counted["virt-manager's way"] += 2

            return timed(work)

        ways = {"labvirt": labvirt, "virt-manager's way": one_by_one}
        result = interleave(
            f"inventory of {VOLUMES} volumes",
            ways,
            (Goal("labvirt", "virt-manager's way", 0.5),),
            min(rounds, 5),
        )
        bare.close()
        calls = ", ".join(f"{way} {count}" for way, count in counted.items())
        print(f"calls to libvirt for {VOLUMES} volumes: {calls}")
        assert counted["labvirt"] * 10 <= counted["virt-manager's way"]
        return result
