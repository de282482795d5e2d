"""The exporter: names and units as Prometheus wants them, and a Prometheus that reads them back."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest
from exported import FakeHost
from prometheus_server import read, scraping, wait_for

from labvirt.errors import ConflictError, SpecError
from labvirt.history import Exporter, PrometheusSource, Source
from labvirt.history.metrics import METRICS, promql
from labvirt.status.sample import Subject
from labvirt.status.series import SERIES

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Prometheus is missing (package prometheus)"
)
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing (package prometheus)"
)


def values(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_counters_levels_and_labels():
    with Exporter([FakeHost()]) as exporter:
        found = values(exporter.text())
    who = '{domain="web1",host="alpha",uuid="u0"'
    disk = '{device="vda",domain="web1",host="alpha",uuid="u0"}'
    assert found['labvirt_up{host="alpha"}'] == "1.0"
    state = 'labvirt_domain_state{domain="web1",host="alpha",state="running",uuid="u0"}'
    assert found[state] == "1.0"
    assert 1000 <= float(found[f"labvirt_domain_cpu_seconds_total{who}}}"]) < 1010
    assert float(found[f"labvirt_domain_memory_bytes{who}}}"]) == 2.0**30
    assert float(found[f"labvirt_domain_disk_read_bytes_total{disk}"]) >= 1e12
    assert float(found[f"labvirt_domain_disk_capacity_bytes{disk}"]) == 1e9
    assert float(found['labvirt_host_cpu_seconds_total{host="alpha",mode="idle"}']) >= 1000
    assert float(found[f"labvirt_domain_stalled{who}}}"]) == 0.0


@needs_promtool
def test_promtool_has_nothing_to_say_against_names_and_units():
    with Exporter([FakeHost()]) as exporter:
        text = exporter.text()
    asked = ["promtool", "check", "metrics"]
    done = subprocess.run(
        asked, input=text, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_a_name_holds_cannot_break_the_format():
    evil = 'a"b\\c\nlabvirt_up{host="x"} 7'
    with Exporter([FakeHost(domains=(evil,))]) as exporter:
        text = exporter.text()
    assert 'domain="a\\"b\\\\c\\nlabvirt_up{host=\\"x\\"} 7"' in text
    assert not [line for line in text.splitlines() if line.startswith('labvirt_up{host="x"}')]


def test_a_stalled_guest_is_told_and_has_no_old_disk_counters():
    host = FakeHost()
    host.sampler.stalled = {"u1": time.time()}
    with Exporter([host]) as exporter:
        found = values(exporter.text())
    assert found['labvirt_domain_stalled{domain="web2",host="alpha",uuid="u1"}'] == "1.0"
    assert 'labvirt_domain_cpu_seconds_total{domain="web2",host="alpha",uuid="u1"}' in found
    assert not [name for name in found if "_disk_" in name and '"u1"' in name]
    assert not [name for name in found if "usable" in name and '"u1"' in name]


def test_a_host_that_does_not_answer_is_down_and_the_others_are_there():
    dead = FakeHost("beta")
    dead.sampler.silent = True
    with Exporter([FakeHost(), dead], wait_s=0.2) as exporter:
        found = values(exporter.text())
    assert found['labvirt_up{host="alpha"}'] == "1.0"
    assert found['labvirt_up{host="beta"}'] == "0.0"
    assert not [name for name in found if "domain_" in name and "beta" in name]


def test_a_host_that_comes_later_is_down_until_then():
    with Exporter([FakeHost()]) as exporter:
        exporter.missing.add("qemu+ssh://root@beta/system")
        found = values(exporter.text())
        assert found['labvirt_up{host="qemu+ssh://root@beta/system"}'] == "0.0"
        exporter.missing.clear()
        exporter.add(FakeHost("beta"))
        assert values(exporter.text())['labvirt_up{host="beta"}'] == "1.0"
        with pytest.raises(SpecError, match="called 'beta'"):
            exporter.add(FakeHost("beta"))
        assert exporter.hosts == ("alpha", "beta")


def test_nothing_is_read_before_the_first_scrape_nor_long_after_the_last():
    host = FakeHost()
    with Exporter([host], idle_s=0.4) as exporter:
        address = exporter.serve("127.0.0.1:0")
        assert host.sampler.opened == 0
        read(address)
        read(address)
        assert (host.sampler.opened, len(host.sampler.listeners)) == (1, 1)
        deadline = time.monotonic() + 10
        while host.sampler.listeners and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not host.sampler.listeners
        assert 'labvirt_up{host="alpha"} 1.0' in read(address)
        assert host.sampler.opened == 2
    assert not host.sampler.listeners


def test_hosts_of_one_name_are_refused():
    with pytest.raises(SpecError, match="2 of the hosts are called 'alpha'"):
        Exporter([FakeHost(), FakeHost("beta"), FakeHost()])


def test_a_port_in_use_is_one_clear_error_and_a_wrong_address_too():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with Exporter([FakeHost()]) as exporter, pytest.raises(ConflictError, match="in use"):
            exporter.serve(f"127.0.0.1:{port}")
    for wrong in ("9177", "localhost", "127.0.0.1:99999", "127.0.0.1:x", "192.0.2.1:9177"):
        with Exporter([FakeHost()]) as exporter, pytest.raises(SpecError):
            exporter.serve(wrong)


def test_every_series_can_be_asked_of_prometheus():
    known = {metric.name for metric in METRICS}
    for kind, name in SERIES:
        text = promql(kind, name, selector='host="alpha"', window_s=60)
        used = {part.split("{")[0].split(")")[0] for part in text.split("(") if "labvirt_" in part}
        assert used
        for each in used:
            assert each.removesuffix("_total") in known, text


@pytest.mark.slow(seconds=9)
@needs_prometheus
def test_a_real_prometheus_scrapes_and_gives_the_rates_back(tmp_path):
    host = FakeHost()
    with (
        Exporter([host]) as exporter,
        scraping(exporter.serve("127.0.0.1:0"), tmp_path / "prometheus") as url,
    ):
        source = PrometheusSource(url, every="1 s", back="1 h")
        assert isinstance(source, Source)
        # It looks for its targets five seconds after its start; rates need two scrapes.
        wait_for(lambda: (span := source.span()) and span[1] - span[0] >= 3)
        assert time.time() - source.span()[1] < 3
        assert source.subjects("domain") == (Subject("alpha", "u0"), Subject("alpha", "u1"))
        assert source.subjects("disk") == (
            Subject("alpha", "u0", "vda"),
            Subject("alpha", "u1", "vda"),
        )
        assert source.name("u1") == "web2"
        who = {
            "domain": Subject("alpha", "u0"),
            "disk": Subject("alpha", "u0", "vda"),
            "interface": Subject("alpha", "u0", "52:54:00:00:00:01"),
            "host": Subject("alpha"),
        }
        expected = {
            ("domain", "cpu_percent"): 25.0,
            ("domain", "cpu_host_percent"): 12.5,
            ("domain", "cpu_steal_percent"): 5.0,
            ("domain", "memory_bytes"): 2.0**30,
            ("domain", "memory_host_percent"): 6.25,
            ("domain", "memory_used_bytes"): 0.75 * 2**30,
            ("domain", "disk_read_bytes_s"): 4096.0,
            ("domain", "disk_read_latency_s"): 0.002,
            ("domain", "net_rx_bytes_s"): 1000.0,
            ("domain", "net_tx_bytes_s"): 200.0,
            ("disk", "read_ops_s"): 2.0,
            ("disk", "capacity_bytes"): 1e9,
            ("interface", "rx_packets_s"): 10.0,
            ("host", "cpu_percent"): 37.5,
            ("host", "cpu_iowait_percent"): 6.25,
            ("host", "memory_used_bytes"): 2.0**32,
            ("host", "guests_active"): 2.0,
            ("host", "guests_cpu_percent"): 25.0,
            ("host", "guests_memory_bytes"): 2.0**31,
        }  # fmt: skip
        for (kind, name), value in expected.items():
            window = source.window(kind, who[kind], [name])
            assert len(window.times), (kind, name)
            assert window.values[0, -1] == pytest.approx(value, rel=0.05), (kind, name)
        table = source.df(domains=["web1"], fields=["cpu_percent", "memory_bytes"], form="wide")
        assert set(table["domain"]) == {"web1"}
        assert table["cpu_percent"].iloc[-1] == pytest.approx(25, rel=0.05)
        everyone = source.df(fields=["net_rx_bytes_s"])
        assert set(everyone["domain"]) == {"web1", "web2"}
        # a new name is the same domain
        host.sampler.names = {"u0": "new", "u1": "web2"}

        def renamed():
            source._subjects.clear()
            source.subjects("domain")
            return source.name("u0") == "new"

        wait_for(renamed)
        assert source.subjects("domain") == (Subject("alpha", "u0"), Subject("alpha", "u1"))
        assert source.window("domain", who["domain"], ["cpu_percent"]).values[0, -1] < 40
