"""``labvirt doctor`` as a user meets it, and errors explained with what a real host shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import LabvirtError

LABVIRT = str(Path(sys.executable).with_name("labvirt"))
LOCKED = """<domain type='qemu'><name>web1</name><memory unit='MiB'>64</memory>
<os><type>hvm</type></os><devices><disk type='file' device='disk'>
<driver name='qemu' type='qcow2'/><source file='/nowhere/web1.qcow2'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""


def labvirt(*argv):
    return subprocess.run([LABVIRT, *argv], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def ours():
    name = f"clidoc-{os.getpid()}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        yield lab


def test_settings_are_listed_as_json():
    done = labvirt("doctor", "--settings", "--json")
    assert done.returncode == 0
    assert "LABVIRT_HOME" in {each["name"] for each in json.loads(done.stdout)}


@pytest.mark.lab
def test_a_host_is_examined_from_the_shell(ours, tmp_path):
    uri = f"lab:{ours.name}/{ours.names[0]}"
    page, bundle = tmp_path / "r.html", tmp_path / "r.zip"
    done = labvirt(
        *("doctor", uri, "--check", "connection.*", "--json"),
        *("--html", str(page), "--bundle", str(bundle)),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["ok"] >= 1
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "report.json" in zipfile.ZipFile(bundle).namelist()


@pytest.mark.lab
def test_bad_wishes_are_one_clear_error(ours):
    uri = f"lab:{ours.name}/{ours.names[0]}"
    for argv, word in (
        (("--check", "nosuch.*"), "nosuch"),
        (("--domain", "nobody"), "nobody"),
        (("--yes",), "--fix"),
    ):
        done = labvirt("doctor", uri, *argv)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("labvirt: ")
        assert word in done.stderr


@pytest.mark.lab
def test_real_errors_of_a_real_host_are_known(ours):
    host = ours[ours.names[0]]
    web1 = host.define(LOCKED)
    with pytest.raises(LabvirtError) as caught:
        web1.start()
    found = lv.doctor.explain(caught.value, host=host)
    assert found.key == "file-missing", caught.value
    assert found.caught["path"] == "/nowhere/web1.qcow2"
    assert found.caught["domain"] == "web1"
    with pytest.raises(LabvirtError) as caught:
        web1.suspend()
    assert lv.doctor.explain(caught.value).key == "domain-stopped", caught.value
