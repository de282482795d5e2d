"""Plans on devices that were cut short by kill -9: whole, or told exactly what remains."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

import labvirt as lv
from labvirt.model import CdromSpec, DiskSpec, DomainXml

pytestmark = pytest.mark.lab

HEAD = """
import labvirt as lv, os, signal
from labvirt.host.devices import device_actions
from labvirt.model import DiskSpec
host = lv.connect(uri)
kind = getattr(device_actions, kind)
plain = kind.do
def die(self, host, control):
    if when == "after":
        plain(self, host, control)
    os.kill(os.getpid(), signal.SIGKILL)
kind.do = die
domain = host.domains[name]
"""


def killed(code, **names):
    """Run code in a process that dies before or after an action takes effect."""
    given = "".join(f"{key} = {value!r}\n" for key, value in names.items())
    done = subprocess.run(
        [sys.executable, "-c", given + HEAD + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ,
    )
    assert done.returncode == -9, done.stderr


def volumes(host):
    host.pools["shared"].refresh()
    return set(host.pools["shared"].volumes.names)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_attach_with_a_new_volume_is_undone(alpha, spec, when):
    domain = alpha.plan(spec, start=False).apply()
    before = domain.xml(inactive=True), volumes(alpha)
    killed(
        "domain.attach(DiskSpec(size='1 MiB', bus='virtio'))",
        uri=alpha.uri, name=domain.name, kind="AttachDevice", when=when,
    )  # fmt: skip
    with lv.connect(alpha.uri) as host:
        assert host.recovered[0].remains == ()
        assert "attach disk vda" in str(host.recovered[0])
    assert (domain.xml(inactive=True), volumes(alpha)) == before


def test_an_attach_to_a_running_guest_is_undone(alpha, tiny, eventually):
    before = volumes(alpha)
    disks = len(DomainXml.parse(tiny.xml()).disks)
    killed(
        "domain.attach(DiskSpec(size='1 MiB', bus='virtio'))",
        uri=alpha.uri, name=tiny.name, kind="AttachDevice", when="after",
    )  # fmt: skip
    assert len(DomainXml.parse(tiny.xml()).disks) == disks + 1
    with lv.connect(alpha.uri) as host:
        assert host.recovered[0].remains == ()
    for inactive in (False, True):
        assert len(DomainXml.parse(tiny.xml(inactive=inactive)).disks) == disks
    assert volumes(alpha) == before


@pytest.mark.slow(seconds=40)
def test_what_a_guest_does_not_give_back_is_told(alpha, blank):
    before = volumes(alpha)
    killed(
        "domain.attach(DiskSpec(size='1 MiB', bus='virtio'))",
        uri=alpha.uri, name=blank.name, kind="AttachDevice", when="after",
    )  # fmt: skip
    with lv.connect(alpha.uri) as host:
        told = " ".join(host.recovered[0].remains)
        assert "does not let go" in str(host.recovered[0]) or "vda" in told
        assert f"{blank.name}-vda" in told
    blank.destroy(confirm=True)
    with lv.connect(alpha.uri) as host:
        assert all(not one.remains for one in host.recovered)
    assert volumes(alpha) == before


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_conversion_is_put_back(alpha, spec, when):
    wanted = spec.replace(disks=(DiskSpec(size="1 MiB", bus="ide"), CdromSpec()))
    domain = alpha.plan(wanted, start=False).apply()
    before = domain.xml(inactive=True)
    killed(
        "domain.convert_to_virtio(drivers_installed=True)",
        uri=alpha.uri, name=domain.name, kind="ChangeDefinition", when=when,
    )  # fmt: skip
    changed = domain.xml(inactive=True)
    assert ("bus='virtio'" in changed) is (when == "after")
    with lv.connect(alpha.uri) as host:
        assert host.recovered[0].remains == ()
    assert domain.xml(inactive=True) == before
