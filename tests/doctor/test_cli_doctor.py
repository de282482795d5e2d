"""``labvirt doctor`` as a user meets it, and errors explained with what a real host shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import labvirt as lv
from labvirt.cli import app
from labvirt.cli_doctor import _mend, say_why
from labvirt.doctor import Report
from labvirt.errors import ConflictError, LabvirtError
from labvirt.model import PoolSpec
from labvirt.status.finding import Finding

LABVIRT = str(Path(sys.executable).with_name("labvirt"))
LOCKED = """<domain type='qemu'><name>web1</name><memory unit='MiB'>64</memory>
<os><type>hvm</type></os><devices><disk type='file' device='disk'>
<driver name='qemu' type='qcow2'/><source file='/nowhere/web1.qcow2'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""


def labvirt(*argv):
    return subprocess.run([LABVIRT, *argv], capture_output=True, text=True, timeout=60, check=False)


def inside(*argv, told=None):
    """Run a command in this process, which spares the seconds in which a new one starts."""
    done = CliRunner().invoke(app, argv, input=told)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)


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
        error = CliRunner().invoke(app, ["doctor", uri, *argv]).exception
        assert isinstance(error, LabvirtError), error
        assert error.exit_code == 2
        assert word in str(error)


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


@pytest.fixture
def stopped_pool(ours):
    """A pool that should come up with the host, and is stopped."""
    host = ours[ours.names[0]]
    folder = Path(host.pools["default"].info().path).with_name("idle")
    pool = host.plan(PoolSpec(name="idle", path=folder), build=True, autostart=True).apply()
    pool.stop()
    yield pool
    if pool.info().is_active:
        pool.stop()
    pool.undefine()


ASKED = ("--check", "storage.*", "--check", "host.space")


@pytest.mark.lab
def test_a_stopped_pool_is_found_and_mended(ours, stopped_pool):
    uri = f"lab:{ours.name}/{ours.names[0]}"
    found = inside("doctor", uri, *ASKED)
    assert found.returncode == 1, found.stderr
    assert "it was stopped, or failed to start with the host" in found.stdout
    assert "virsh pool-start idle" in found.stdout

    refused = inside("doctor", uri, *ASKED, "--fix", told="n\n")
    assert refused.returncode == 1
    assert "Apply this plan?" in refused.stderr
    assert "pool-start idle" in refused.stderr
    assert not stopped_pool.info().is_active

    mended = inside("doctor", uri, *ASKED, "--fix", "--yes", "--json")
    assert mended.returncode == 0, mended.stderr
    assert "storage.active:idle: it was stopped" in mended.stderr
    assert stopped_pool.info().is_active
    assert json.loads(mended.stdout)["counts"]["fail"] == 0
    assert inside("doctor", uri, *ASKED).returncode == 0


@pytest.mark.lab
def test_a_report_of_a_uri_keeps_its_host_open_for_plans_and_bundle(ours, stopped_pool, tmp_path):
    with lv.doctor.examine(ours.uris[ours.names[0]], checks=("storage.*",)) as report:
        assert report["daemon"].verdict == "ok"
        report.fix("storage.active:idle").apply()
        assert stopped_pool.info().is_active
        names = zipfile.ZipFile(report.bundle(tmp_path / "a.zip")).namelist()
        assert "pools/idle.xml" in names, names
    assert report.host.state == "closed"
    with pytest.raises(ConflictError, match="closed") as caught:
        report.fix("storage.active:idle")
    assert "examine it again" in str(caught.value)
    with lv.doctor.examine(ours[ours.names[0]], checks=("storage.active",)) as report:
        pass
    assert ours[ours.names[0]].state == "connected"


@pytest.mark.lab
def test_deep_and_one_domain(ours):
    uri = f"lab:{ours.name}/{ours.names[0]}"
    host = ours[ours.names[0]]
    for name in ("one", "two"):
        spec = lv.DomainSpec(
            name=name, memory="32 MiB", interfaces=(), disks=(lv.DiskSpec(size="1 MiB"),)
        )
        host.plan(spec, start=False).apply()
    done = inside("doctor", uri, "--domain", "two", "--check", "disk.*", "--deep", "--json")
    assert done.returncode == 0, done.stderr
    ids = {one["id"] for one in json.loads(done.stdout)["findings"]}
    assert "disk.damaged:two/vda" in ids
    assert not [one for one in ids if "one" in one.partition(":")[2]]
    shallow = inside("doctor", uri, "--domain", "two", "--check", "disk.*", "--json")
    ids = {one["id"] for one in json.loads(shallow.stdout)["findings"]}
    assert "disk.there:two/vda" in ids
    assert "disk.damaged:two/vda" not in ids


def test_a_host_that_cannot_be_opened_is_one_report(tmp_path):
    page = tmp_path / "way.html"
    done = inside("doctor", "qemu+tcp://127.0.0.1:1/system", "--html", str(page))
    assert done.returncode == 1
    assert "Does 127.0.0.1 answer on port 1? fail" in done.stdout
    assert "127.0.0.1" in page.read_text()
    done = inside("doctor", "qemu+unix:///session?socket=/nowhere/sock", "--json")
    assert done.returncode == 1
    assert "/nowhere/sock" in json.dumps(json.loads(done.stdout)["findings"])


def test_what_would_destroy_something_is_not_done_by_yes(monkeypatch, capsys):
    class Plan:
        destroys = ("volume data",)
        applied = 0

        def apply(self, *, confirm):
            assert confirm
            self.applied += 1

    plan = Plan()
    bad = Finding("disk.x:web1", "Is it?", "fail", cause="broken", fix=lambda: plan)
    assert not _mend(Report("kvm7", (bad,)), yes=True)
    assert plan.applied == 0
    assert "volume data" in capsys.readouterr().err
    monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
    assert _mend(Report("kvm7", (bad,)), yes=False)
    assert plan.applied == 1


@pytest.mark.lab
def test_evidence_of_the_real_host_is_told_with_the_error(ours):
    host = ours[ours.names[0]]
    blind = host.define(LOCKED.replace("web1", "web2"))
    with pytest.raises(LabvirtError) as caught:
        blind.start()
    found = lv.doctor.explain(caught.value, host=host)
    told = {one.id: one for one in found.troubles}
    assert "disk.there:web2/vda" in told, found
    assert "/nowhere/web2.qcow2" in told["disk.there:web2/vda"].evidence
    assert found.text == str(caught.value)
    assert any(line.startswith("Seen: Is the image of disk web2/vda") for line in found.lines())


@pytest.mark.lab
def test_the_command_line_says_cause_and_evidence_below_an_error(ours, capsys):
    web3 = ours[ours.names[0]].define(LOCKED.replace("web1", "web3"))
    with pytest.raises(LabvirtError) as caught:
        web3.start()
    say_why(caught.value)
    told = capsys.readouterr().err
    assert "  Cause: " in told
    assert "  Seen: Is the image of disk web3/vda there? fail: /nowhere/web3.qcow2" in told
    assert "  Next: " in told


def test_every_command_says_why_below_its_error():
    done = labvirt("list", "qemu+unix:///session?socket=/nowhere/sock")
    assert done.returncode == 2
    first, *rest = done.stderr.splitlines()
    assert first.startswith("labvirt: open a read-only connection")
    assert any(line.startswith("  Cause: no libvirt daemon listens") for line in rest)
    assert any(line.startswith("  Look: ls -l /nowhere/sock") for line in rest)
    assert any(line.startswith("  Next: ") for line in rest)
