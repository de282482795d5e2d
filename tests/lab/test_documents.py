"""The files a libvirtd finds when it starts are what libvirt itself would accept."""

from __future__ import annotations

import subprocess
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from lxml import etree

from labvirt.lab import documents
from labvirt.lab.records import HostRecord

SCHEMAS = Path("/usr/share/libvirt/schemas")
ALPHA = HostRecord("alpha", str(uuid.UUID(int=1)), 1)
BETA = HostRecord("beta", str(uuid.UUID(int=2)), 2)


def valid(path: Path, kind: str) -> bool:
    schema = SCHEMAS / f"{kind}.rng"
    if not schema.exists():
        pytest.skip("libvirt's schemas are not installed")
    return etree.RelaxNG(etree.parse(schema)).validate(etree.parse(path))


@pytest.mark.parametrize("name", ["default", "isolated", "fabric"])
def test_networks_are_valid_and_start_with_the_daemon(tmp_path, name):
    documents.write_networks(ALPHA, tmp_path)
    file = tmp_path / "qemu" / "networks" / f"{name}.xml"
    assert valid(file, "network")
    assert (tmp_path / "qemu/networks/autostart" / file.name).samefile(file)


def test_pools_are_valid_and_start_with_the_daemon(tmp_path):
    documents.write_pools(ALPHA, tmp_path, {"default": Path("/a b/<c>"), "shared": Path("/d")})
    for name, target in (("default", "/a b/<c>"), ("shared", "/d")):
        file = tmp_path / "storage" / f"{name}.xml"
        assert valid(file, "storagepool")
        assert ET.parse(file).findtext("target/path") == target
        assert (tmp_path / "storage/autostart" / file.name).samefile(file)


def test_only_the_nat_network_forwards(tmp_path):
    documents.write_networks(ALPHA, tmp_path)
    modes = {}
    for name in ("default", "isolated", "fabric"):
        forward = ET.parse(tmp_path / "qemu/networks" / f"{name}.xml").find("forward")
        modes[name] = forward.get("mode") if forward is not None else None
    assert modes == {"default": "nat", "isolated": None, "fabric": "bridge"}


def test_identities_differ_between_hosts_and_stay_after_a_reset(tmp_path):
    seen = {}
    for host in (ALPHA, BETA):
        for turn in ("first", "again"):
            folder = tmp_path / host.name / turn
            documents.write_networks(host, folder)
            files = sorted((folder / "qemu/networks").glob("*.xml"))
            seen[host.name, turn] = [ET.parse(file).findtext("uuid") for file in files]
    assert seen["alpha", "first"] == seen["alpha", "again"]
    assert len({*seen["alpha", "first"], *seen["beta", "first"]}) == 6


def settings(path: Path) -> dict[str, str]:
    pairs = (line.split(" = ", 1) for line in path.read_text().splitlines())
    return dict(pairs)


def test_every_host_has_its_own_identity_and_migration_ports(tmp_path):
    ports: set[int] = set()
    for number in range(1, 9):
        host = HostRecord(f"h{number}", str(uuid.UUID(int=number)), number)
        documents.write_daemon(host, tmp_path / host.name, [tmp_path], system=False)
        qemu = settings(tmp_path / host.name / "qemu.conf")
        mine = set(range(int(qemu["migration_port_min"]), int(qemu["migration_port_max"]) + 1))
        assert ports.isdisjoint(mine)
        ports |= mine
        daemon = settings(tmp_path / host.name / "libvirtd.conf")
        assert daemon["host_uuid"] == f'"{host.uuid}"'
    assert max(ports) < 65536


def test_nobody_else_may_use_a_daemon(tmp_path):
    documents.write_daemon(ALPHA, tmp_path, [tmp_path], system=True)
    daemon = settings(tmp_path / "libvirtd.conf")
    # There is no authentication, so the socket is for its owner alone.
    assert daemon["unix_sock_rw_perms"] == daemon["unix_sock_ro_perms"] == '"0700"'


def test_a_privileged_daemon_needs_no_user_of_the_machine(tmp_path):
    documents.write_daemon(ALPHA, tmp_path, [tmp_path], system=True)
    qemu = settings(tmp_path / "qemu.conf")
    assert qemu["user"] == qemu["group"] == '"root"'
    assert qemu["cgroup_controllers"] == qemu["namespaces"] == "[]"


def test_libvirt_reads_what_was_written(tmp_path):
    for system in (True, False):
        documents.write_daemon(ALPHA, tmp_path, [tmp_path], system=system)
        for file, lens in (("libvirtd.conf", "Libvirtd"), ("qemu.conf", "Libvirtd_qemu")):
            # Every line is `name = value` with a number, a text, or a list of texts.
            for name, value in settings(tmp_path / file).items():
                assert name.isidentifier(), (lens, name)
                assert value.isdigit() or (value[0], value[-1]) in {('"', '"'), ("[", "]")}
    done = subprocess.run(["libvirtd", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
