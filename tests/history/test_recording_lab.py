"""Recording and exporting a real host of a lab: from a cell, by command, and past a hung guest."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prometheus_server import read, scraping, wait_for

import labvirt as lv
from labvirt.errors import ConflictError, LabError, SpecError
from labvirt.history import PrometheusSource, Recording
from labvirt.status.sample import Subject

LABVIRT = str(Path(sys.executable).with_name("labvirt"))
BLANK = {
    "memory": "32 MiB",
    "agent": False,
    "rng": False,
    "disks": (lv.DiskSpec(source=lv.model.NewVolume(size="1 MiB", format="raw")),),
    "graphics": lv.GraphicsSpec(kind="vnc", listen="none"),
}


def started(lab):
    return lab["alpha"].plan(lv.DomainSpec(name="web1", interfaces=(), **BLANK)).apply()


@pytest.fixture(scope="module")
def lab():
    with lv.Lab.start(f"keep-{os.getpid()}", hosts=1, backend="session", ephemeral=True) as lab:
        yield lab


@pytest.fixture(scope="module")
def host(lab):
    return lab["alpha"]


@pytest.fixture(scope="module")
def guest(lab):
    """A running domain without a system."""
    return started(lab)


@contextlib.contextmanager
def command(*words):
    """Start a command; it has ended at the end."""
    with subprocess.Popen(
        [LABVIRT, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def pid_of(host, name):
    folder = Path(host.connection.uri.param("socket")).parent
    return int((folder / f"qemu/run/{name}.pid").read_text())


def record_from_a_cell(host, guest, path):
    recorder = host.record(path, keep="1 d", max_size="100 MB")
    wait_for(lambda: recorder.samples >= 2, "two samples")
    guest.suspend()
    guest.resume()
    kinds = {"paused", "resumed"}
    wait_for(
        lambda: kinds <= {each.kind for each in Recording(path).marks()}, "the marks to be recorded"
    )
    wait_for(lambda: recorder.samples >= 5, "five samples")
    recorder.stop()
    assert recorder.state == "closed"
    assert recorder.error is None
    found = Recording(path)
    assert found.check() == ()
    first, last = found.span()
    for kind in ("domain", "host"):
        kept = host.history.df(kind, start=first, end=last, form="wide")
        again = found.df(kind, form="wide")
        assert len(again) >= 5
        assert again.equals(kept)
    memory = found.window("domain", Subject("alpha", guest.uuid), ["memory_bytes"])
    assert set(memory.values[0].tolist()) == {32.0 * 2**20}
    assert found.name(guest.uuid) == "web1"


def test_what_is_recorded_from_a_cell_is_what_the_charts_have(host, guest, tmp_path):
    threads = threading.active_count()
    record_from_a_cell(host, guest, tmp_path / "a.sqlite")
    wait_for(lambda: threading.active_count() <= threads, "the threads to end")


@pytest.mark.slow(8)
def test_a_host_of_the_system_back_end_is_recorded_alike(tmp_path):
    try:
        lab = lv.Lab.start(f"keeps-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        record_from_a_cell(lab["alpha"], started(lab), tmp_path / "a.sqlite")
        lab.stop()


def test_bad_wishes_make_no_file_and_a_closed_host_ends_its_recorder(lab, host, guest, tmp_path):
    path = tmp_path / "a.sqlite"
    for wrong in ({"groups": ["cpus"]}, {"keep": "soon"}, {"keep": 5}, {"max_size": "1 kB"}):
        with pytest.raises(SpecError):
            host.record(path, **wrong)
    with pytest.raises(LookupError):
        host.record(path, domains=["nobody"])
    assert not path.exists()
    with lab.open("alpha", readonly=True) as other:
        recorder = other.record(path, groups=["cpu"])
        with pytest.raises(ConflictError):
            host.record(path)
        wait_for(lambda: recorder.samples >= 2, "two samples")
    assert recorder.state == "closed"
    assert Recording(path).span() is not None


def test_the_command_records_until_it_is_told_to_end(lab, guest, tmp_path):
    path, folder = tmp_path / "a.sqlite", tmp_path / "rolled"
    uri = f"lab:{lab.name}/alpha"
    asked = ("record", uri, "--out", path, "--interval", "0.5", "--rollup", folder)
    with command(*asked) as process:
        assert "recording alpha to" in process.stderr.readline()
        wait_for(lambda: len(list(Recording(path).samples())) >= 4, "four samples")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "samples" in out
    assert [each.name for each in tmp_path.iterdir() if "sqlite" in each.name] == ["a.sqlite"]
    assert lv.history.open(folder).subjects("domain") == (Subject("alpha", guest.uuid),)
    times = [each.at for each in Recording(path).samples()]
    # A busy machine is late, never early.
    assert 0.4 < (times[-1] - times[0]) / (len(times) - 1) < 2
    done = subprocess.run(
        [LABVIRT, "history", "info", path, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "domain: 1" in done.stdout
    (tmp_path / "text").write_text("mine")
    refused = subprocess.run(
        [LABVIRT, "record", uri, "--out", tmp_path / "text"], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "no recording" in refused.stderr
    assert "Traceback" not in refused.stderr


@contextlib.contextmanager
def exporting(lab):
    """Run the exporter of the lab; give its address. Ctrl-C ends it without a word."""
    nobody = "qemu+unix:///session?socket=/nowhere/libvirt-sock"
    asked = ("exporter", f"lab:{lab.name}/alpha", nobody, "--listen", "127.0.0.1:0")
    with command(*asked) as process:
        assert "told as down" in process.stderr.readline()
        address = process.stderr.readline().split()[1].rstrip(";")
        assert address.startswith("http://127.0.0.1:")
        yield address
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")


def test_a_scrape_has_the_numbers_of_virsh_and_waits_for_no_hung_guest(lab, host, guest):
    who = f'{{domain="web1",host="alpha",uuid="{guest.uuid}"}}'
    name, stalled = f"labvirt_domain_cpu_seconds_total{who}", f"labvirt_domain_stalled{who} 1.0"
    took = []
    with exporting(lab) as address:

        def scrape():
            began = time.monotonic()
            text = read(address)
            took.append(time.monotonic() - began)
            return text

        def cpu_seconds():
            lines = scrape().splitlines()
            return next((float(x.split()[-1]) for x in lines if x.startswith(name)), None)

        wait_for(cpu_seconds, "the first reading")
        assert 'labvirt_up{host="alpha"} 1.0' in scrape()
        state = f'{{domain="web1",host="alpha",state="running",uuid="{guest.uuid}"}} 1.0'
        assert f"labvirt_domain_state{state}" in scrape()
        assert (
            'labvirt_up{host="qemu+unix:///session?socket=/nowhere/libvirt-sock"} 0.0' in scrape()
        )
        refused = subprocess.run(
            [LABVIRT, "exporter", f"lab:{lab.name}/alpha", "--listen", address[7:].split("/")[0]],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "the port is in use" in refused.stderr
        took.clear()
        low = virsh_cpu_seconds(host)
        time.sleep(1.2)
        between = cpu_seconds()
        assert low - 0.01 <= between <= virsh_cpu_seconds(host) + 0.01
        wait_for(lambda: "labvirt_domain_disk_read_bytes_total{" in scrape(), "the disks")
        pid = pid_of(host, "web1")
        os.kill(pid, signal.SIGSTOP)
        try:
            text = wait_for(lambda: (x := scrape()) and stalled in x and x, "the guest to be hung")
            assert "labvirt_domain_disk_read_bytes_total{" not in text
            assert name in text
            assert max(took) < 1
        finally:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow(12)
@pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Prometheus is missing (package prometheus)"
)
def test_a_real_prometheus_gives_the_numbers_of_a_real_guest_back(lab, guest, tmp_path):
    with exporting(lab) as address, scraping(address, tmp_path / "prometheus") as url:
        source = PrometheusSource(url, every="1 s", back="1 h")
        wait_for(lambda: (s := source.span()) and s[1] - s[0] >= 3, "some scrapes")
        who = Subject("alpha", guest.uuid)
        assert source.subjects("domain") == (who,)
        assert source.name(guest.uuid) == "web1"
        found = source.window("domain", who, ["memory_bytes", "cpu_percent"])
        assert found.values[0, -1] == 32 * 2**20
        assert 0 <= found.values[1, -1] <= 110
        assert source.window("host", Subject("alpha"), ["cpu_percent"]).values[0, -1] > 0


def virsh_cpu_seconds(host):
    asked = ["virsh", "-c", host.uri, "domstats", "--cpu-total", "--raw", "web1"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    line = next(x for x in done.stdout.splitlines() if "cpu.time=" in x)
    return float(line.split("=")[1]) / 1e9
