"""A pool of kind iscsi-direct with a real target of this machine: found, logged in to, booted from."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import ConflictError, PlanError, SpecError, UnsupportedError
from labvirt.model import PoolAuth, PoolSpec, SecretSpec, VolumeSpec
from labvirt.model.disk import VolumeSource

pytestmark = pytest.mark.lab
TARGET = "iqn.2024-01.lab.example:disks"
ME = "iqn.2024-01.lab.example:me"
PASSWORD = "correct-horse-4711"


class Target:
    """tgtd with one unit of 8 MiB."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.env = {**os.environ, "TGT_IPC_SOCKET": str(folder / "tgt")}
        self.control = str(self.port % 1000 + 1)
        self.daemon = subprocess.Popen(
            ["tgtd", "-f", "--iscsi", f"portal=127.0.0.1:{self.port}", "-C", self.control],
            env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        unit = folder / "unit"
        with unit.open("wb") as file:
            file.truncate(8 << 20)
        deadline = time.monotonic() + 10
        while self.ask("--op", "show", "--mode", "target", check=False):
            assert self.daemon.poll() is None, "tgtd has ended"
            assert time.monotonic() < deadline, "tgtd does not answer"
            time.sleep(0.05)
        self.ask("--op", "new", "--mode", "target", "--tid", "1", "-T", TARGET)
        self.ask(
            "--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", str(unit)
        )
        self.ask("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")

    def ask(self, *words, check=True):
        return subprocess.run(
            ["tgtadm", "-C", self.control, "--lld", "iscsi", *words],
            env=self.env, check=check, timeout=20, capture_output=True,
        ).returncode  # fmt: skip

    def require_password(self):
        self.ask("--op", "new", "--mode", "account", "--user", "bob", "--password", PASSWORD)
        self.ask("--op", "bind", "--mode", "account", "--tid", "1", "--user", "bob")

    def close(self):
        self.daemon.kill()
        self.daemon.wait(10)


@pytest.fixture
def target(alpha, tmp_path):
    if shutil.which("tgtd") is None:
        pytest.skip("needs an iSCSI target: apt install tgt")
    record = next(one for one in alpha.pool_types() if one.kind == "iscsi-direct")
    if not record.usable:
        pytest.skip("needs apt install libvirt-daemon-driver-storage-iscsi-direct")
    made = Target(tmp_path)
    yield made
    for pool in alpha.pools:
        if pool.info().type == "iscsi-direct":
            pool.undefine(stop=True)
    made.close()


def spec_of(target, **fields):
    place = {"hosts": f"127.0.0.1:{target.port}", "target": TARGET, "initiator": ME}
    return PoolSpec(name="units", kind="iscsi-direct", **place, **fields)


def test_a_target_is_found_and_its_units_are_volumes(alpha, target, spec):
    (found,) = alpha.discover_sources("iscsi-direct", host=f"127.0.0.1:{target.port}", initiator=ME)
    assert (found.device, found.port) == (TARGET, target.port)
    pool = alpha.plan(spec_of(target)).apply()
    assert pool.info().capacity > 7 << 20
    volume = pool.volumes["unit:0:0:1"]
    assert volume.info().type == "network"
    with pytest.raises(ConflictError, match="pool units has the same source"):
        alpha.plan(spec_of(target).replace(name="twin"))
    with pytest.raises(UnsupportedError, match="made by the storage itself"):
        pool.plan(VolumeSpec(name="x", capacity="1 MiB"))
    for refused in (
        lambda: volume.delete(confirm=True),
        lambda: volume.upload(__file__, confirm=True),
        lambda: pool.upload(__file__),
        lambda: pool.delete(confirm=True),
        volume.access,
        lambda: pool.volumes["unit:0:0:0"].wipe(confirm=True),
    ):
        with pytest.raises(UnsupportedError) as caught:
            refused()
        assert caught.value.hint
    if not list(Path("/usr/lib").glob("*/qemu/block-iscsi.so")):
        return
    disk = lv.DiskSpec(source=VolumeSource(pool="units", name="unit:0:0:1", format="raw"))
    domain = alpha.plan(spec.replace(disks=(disk,))).apply()
    assert domain.is_active
    domain.destroy(confirm=True)
    domain.undefine(confirm=True)


def test_a_password_comes_from_a_secret_object_and_a_wrong_one_is_said(alpha, target):
    target.require_password()
    with pytest.raises(PlanError, match="Authentication failure") as caught:
        alpha.plan(spec_of(target)).apply()
    assert "check auth" in str(caught.value)
    assert "units" not in alpha.pools
    auth = PoolAuth(type="chap", user="bob", secret_usage="units")
    with pytest.raises(lv.errors.NotFoundError, match="no such secret"):
        alpha.plan(spec_of(target, auth=auth))
    secret = alpha.make_secret(SecretSpec(usage_type="iscsi", usage="units", private=False))
    try:
        with pytest.raises(SpecError, match="has no value yet"):
            alpha.plan(spec_of(target, auth=auth))
        secret.set_value(PASSWORD.encode)
        plan = alpha.plan(spec_of(target, auth=auth))
        pool = plan.apply()
        assert "unit:0:0:1" in pool.volumes
        assert PASSWORD not in str(plan) + pool.xml() + str(alpha.journal.entries())
    finally:
        secret.undefine(confirm=True)


def test_a_server_that_is_down_leaves_no_pool(alpha, target):
    target.close()
    with pytest.raises(PlanError):
        alpha.plan(spec_of(target)).apply()
    assert "units" not in alpha.pools
