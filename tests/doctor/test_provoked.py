"""Errors provoked at a real daemon by virsh: the catalogue knows each of them."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

import labvirt as lv

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(shutil.which("virsh") is None, reason="virsh is not installed"),
]
DOMAIN = (
    "<domain type='{kind}'><name>{name}</name><memory unit='MiB'>64</memory>"
    "<os><type{machine}>hvm</type></os><devices>{devices}</devices></domain>"
)
NETWORK = (
    "<network><name>lan</name><bridge name='virbr9'/>"
    "<ip address='192.168.199.1' netmask='255.255.255.0'/></network>"
)
TWICE = (
    "<disk type='file'><source file='/a'/><target dev='vda'/></disk>"
    "<disk type='file'><source file='/b'/><target dev='vda'/></disk>"
)
UUID = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
#: What virsh is asked, and the entry of the catalogue.
ASKED = {
    "start onlan": "network-inactive",
    "suspend plain": "domain-stopped",
    "console plain": "domain-stopped",
    "snapshot-revert plain x": "snapshot-unknown",
    "start onbridge": "bridge-helper",
    "net-start lan": "bridge-rights",
    "net-start lana": "network-unknown",
    "pool-start nopool": "pool-unknown",
    "vol-info /nowhere/x": "volume-unknown",
    "dominfo nobody": "domain-unknown",
    "nwfilter-dumpxml nofilter": "filter-unknown",
    f"secret-get-value {UUID}": "secret-unknown",
    "schedinfo plain --live": "session-mode",
    "restore /etc/hosts": "save-corrupt",
}


@pytest.fixture(scope="module")
def virsh(tmp_path_factory):
    folder = tmp_path_factory.mktemp("provoked")
    with lv.Lab.start(f"prov-{os.getpid()}", hosts=1, backend="session", ephemeral=True) as lab:
        uri = lab.uris[lab.names[0]]

        def run(*words):
            argv = ["virsh", "-c", str(uri), *words]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
            return done.stderr

        def define(name, kind="qemu", machine="", devices="", text=DOMAIN):
            path = folder / f"{name}.xml"
            path.write_text(text.format(name=name, kind=kind, machine=machine, devices=devices))
            return run("net-define" if text is NETWORK else "define", str(path))

        run.define = define
        define("lan", text=NETWORK)
        define("plain")
        define("onlan", devices="<interface type='network'><source network='lan'/></interface>")
        define("onbridge", devices="<interface type='bridge'><source bridge='nobr'/></interface>")
        yield run


@pytest.mark.parametrize(("line", "key"), ASKED.items())
def test_what_virsh_says_is_known(virsh, line, key):
    said = virsh(*line.split())
    assert lv.doctor.explain(said).key == key, said


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"machine": " machine='pc-0.1'"}, "machine-type"),
        ({"devices": TWICE}, "bus-used"),
        ({"devices": "<foo"}, "xml-syntax"),
    ],
)
def test_a_definition_that_is_refused_is_known(virsh, options, key):
    said = virsh.define("bad", **options)
    assert lv.doctor.explain(said).key == key, said
