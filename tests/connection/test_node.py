"""The host itself: what it is made of agrees with virsh and with the machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from xml.etree import ElementTree as ET

import pytest

from labvirt.connection import node
from labvirt.errors import HostError
from labvirt.model.units import Size

pytestmark = pytest.mark.lab


def virsh(uri: str, *words: str) -> str:
    if shutil.which("virsh") is None:
        pytest.skip("not on this machine: libvirt-clients (virsh)")
    return subprocess.run(
        ["virsh", "-c", uri, *words], capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_the_machine_is_the_one_under_us(conn):
    seen = node.info(conn)
    assert seen.model == platform.machine()
    assert seen.cpus == os.cpu_count()
    told = virsh(str(conn.uri), "nodeinfo")
    kib = int(re.search(r"Memory size:\s+(\d+) KiB", told)[1])
    assert kib // 1024 == seen.memory.kib // 1024
    for name, value in (
        ("CPU(s)", seen.cpus), ("CPU socket(s)", seen.sockets), ("NUMA cell(s)", seen.nodes),
        ("Core(s) per socket", seen.cores), ("Thread(s) per core", seen.threads),
    ):  # fmt: skip
        assert re.search(rf"{re.escape(name)}:\s+{value}\n", told), name


def test_versions_agree_with_virsh(conn):
    seen = node.versions(conn)
    told = virsh(str(conn.uri), "version")
    assert f"Using library: libvirt {seen.library}" in told
    assert f"Running hypervisor: {seen.hypervisor} {seen.hypervisor_version}" in told
    assert re.fullmatch(r"\d+\.\d+\.\d+", seen.daemon)
    assert re.match(r"\d+\.\d+", seen.binding)


def test_capabilities_and_domain_capabilities_are_xml(conn):
    assert ET.fromstring(node.capabilities(conn)).findtext("host/cpu/arch") == platform.machine()
    told = node.domain_capabilities(conn, arch=platform.machine(), machine="pc", virt="qemu")
    assert ET.fromstring(told).findtext("domain") == "qemu"


def test_a_combination_that_does_not_exist_is_refused(conn):
    with pytest.raises(HostError):
        node.domain_capabilities(conn, arch="vax", machine="pc", virt="qemu")


def test_name_memory_and_limits(conn):
    assert node.hostname(conn) == platform.node()
    assert Size(0) < node.free_memory(conn) < node.info(conn).memory
    assert node.max_vcpus(conn, "qemu") >= 1
    assert node.max_vcpus(conn) >= 1
    assert node.is_alive(conn)
