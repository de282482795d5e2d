"""A host: its machine, its collections, its news, and what happens when its daemon goes away."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading

import pytest

import labvirt as lv
from labvirt.errors import (
    AccessDeniedError,
    ConnectionLostError,
    LabError,
    LabvirtError,
    NotFoundError,
    SpecError,
)

pytestmark = pytest.mark.lab

virsh_is_missing = pytest.mark.skipif(shutil.which("virsh") is None, reason="virsh is missing")


def virsh(host, *argv):
    return subprocess.run(
        ["virsh", "-c", host.uri, *argv], capture_output=True, text=True, check=True, timeout=60
    ).stdout


@virsh_is_missing
def test_virsh_list_agrees(alpha, blank, spec):
    alpha.plan(spec.replace(name=f"{spec.name}off"), start=False).apply()
    shown = {
        tuple(re.split(r"\s{2,}", line.strip()))
        for line in virsh(alpha, "list", "--all").splitlines()[2:]
        if line.strip()
    }
    ours = {
        ("-" if r.id is None else str(r.id), r.name, r.state.text) for r in alpha.domains.records
    }
    assert ours == shown


@virsh_is_missing
@pytest.mark.parametrize("options", [{}, {"inactive": True}])
def test_virsh_dumpxml_agrees(alpha, blank, options):
    flags = ["--inactive"] if options else []
    assert blank.xml(**options).strip() == virsh(alpha, "dumpxml", blank.name, *flags).strip()


@virsh_is_missing
def test_virsh_dominfo_agrees(alpha, blank):
    blank.suspend()
    told = dict(
        re.split(r":\s+", line, maxsplit=1)
        for line in virsh(alpha, "dominfo", blank.name).splitlines()
        if ":" in line
    )
    record = blank.info()
    assert told["Id"] == str(record.id)
    assert told["Name"] == record.name
    assert told["UUID"] == record.uuid
    assert told["OS Type"] == record.os_type
    assert told["State"] == record.state.text
    assert told["CPU(s)"] == str(record.vcpus)
    assert told["Max memory"] == f"{record.max_memory.kib:.0f} KiB"
    assert told["Used memory"] == f"{record.memory.kib:.0f} KiB"
    assert told["Persistent"] == ("yes" if record.persistent else "no")
    assert told["Autostart"] == ("enable" if record.autostart else "disable")
    assert told["Managed save"] == ("yes" if record.has_managed_save else "no")


@virsh_is_missing
def test_virsh_nodeinfo_and_version_agree(alpha):
    info, told = alpha.info(), virsh(alpha, "nodeinfo")
    assert re.search(rf"CPU\(s\):\s+{info.cpus}\n", told)
    # Libvirt's own call tells whole MiB; virsh asks in another way for the KiB.
    assert int(re.search(r"Memory size:\s+(\d+) KiB", told)[1]) // 1024 == int(info.memory.mib)
    version, told = alpha.version(), virsh(alpha, "version")
    assert f"QEMU {version.hypervisor_version}" in told
    assert f"libvirt {version.library}" in told


def test_capabilities_name_what_the_host_can_run(alpha):
    found = alpha.capabilities()
    assert any(guest.arch == "x86_64" and "qemu" in guest.domain_types for guest in found.guests)


def test_df_has_documented_columns_and_integer_bytes(alpha, blank):
    frame = alpha.domains.df
    assert list(frame.columns[:3]) == ["id", "name", "state"]
    row = frame[frame["name"] == blank.name].iloc[0]
    assert row["memory"] == 32 * 2**20
    assert frame["memory"].dtype.kind == "i"
    assert str(frame["id"].dtype) == "Int64"
    assert str(frame["read_at"].dt.tz) == "UTC"
    assert frame.attrs["units"]["memory"] == "bytes"
    assert list(alpha.pools.df["name"])
    assert list(alpha.networks.df.columns)
    assert list(alpha.pools["shared"].volumes.df.columns)


def test_html_is_escaped_and_says_how_old_it_is(alpha, blank):
    blank.set_title("<script>alert(1)</script>")
    _ = alpha.domains.names
    html = alpha.domains._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "just read" in html
    assert "<script>" not in alpha._repr_html_() + blank._repr_html_()


def test_repr_asks_nobody(alpha, blank, lab):
    _ = alpha.domains.names
    lab.daemon("alpha", "stop")
    try:
        assert "1 domains" in repr(alpha.domains) or "domains" in repr(alpha.domains)
        assert blank.name in repr(blank)
        assert repr(alpha)
    finally:
        lab.daemon("alpha", "start")
        alpha.connection.wait_link(20)


def test_where_filters_by_name_pattern_and_field(alpha, blank):
    assert alpha.domains.where("nosuch*").names == []
    assert blank.name in alpha.domains.where(f"{blank.name}*", persistent=True).names
    assert len(alpha.domains.where(persistent=False)) == 0


def test_networks_pools_and_volumes_that_are_not_there(alpha):
    with pytest.raises(NotFoundError):
        alpha.networks["nosuch"]
    with pytest.raises(NotFoundError, match="did you mean 'shared'"):
        alpha.pools["shard"]
    with pytest.raises(NotFoundError):
        alpha.pools["shared"].volumes["nosuch"]


def test_listeners_hear_of_a_change_once(alpha, spec):
    heard = []
    there = threading.Event()

    def listener(changes):
        heard.extend(c for c in changes if c.kind == "domain")
        if any(c.after is not None and c.after.name == spec.name for c in changes):
            there.set()

    stop = alpha.listen(listener)
    try:
        domain = alpha.plan(spec, start=False).apply()
        assert there.wait(10)
        domain.start(paused=True)
        domain.info()
        domain.info()
    finally:
        stop()
        stop()
    states = [c.after.state.text for c in heard if c.after is not None and c.uuid == domain.uuid]
    assert states[0] == "shut off"
    assert states[-1] == "paused"
    assert len(states) == len({(c.after, c.before) for c in heard if c.uuid == domain.uuid})


def test_after_kill_9_of_the_daemon_the_guest_runs_on_and_the_host_comes_back(
    lab, alpha, blank, eventually
):
    number = blank.id
    stale = []
    _ = alpha.domains.names
    lab.daemon("alpha", "KILL")
    eventually(
        lambda: stale.append(alpha.stale_since) or alpha.connection.generation > 1, "the link"
    )
    eventually(lambda: blank.id == number, "the same guest")
    assert blank.state.text == "running"
    eventually(lambda: alpha.stale_since is None, "fresh records")
    blank.suspend()
    assert blank.state.text == "paused"


def test_while_the_daemon_is_away_calls_fail_at_once_and_records_are_stale(
    lab, alpha, blank, eventually
):
    _ = alpha.domains.names
    lab.daemon("alpha", "stop")
    try:
        eventually(lambda: alpha.stale_since, "the stale mark")
        with pytest.raises(ConnectionLostError, match="reconnecting"):
            blank.info()
        assert "stale since" in alpha.domains._repr_html_()
    finally:
        lab.daemon("alpha", "start")
    eventually(lambda: blank.state.text == "running", "the host")
    eventually(lambda: alpha.stale_since is None, "fresh records")


def test_connecting_to_a_lab_host_by_its_short_name(lab, blank):
    host = lv.connect(f"lab:{lab.name}/alpha")
    assert blank.name in host.domains
    host.close()
    first = lv.connect(f"lab:{lab.name}")
    assert first.name == "alpha"
    first.close()


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("qemuu:///system", SpecError),
        ("qemu+shh://host/system", SpecError),
        ("qemu+unix:///session?socket=/nowhere/libvirt-sock", ConnectionLostError),
        ("qemu+tcp://127.0.0.1:1/system", ConnectionLostError),
        ("qemu+tcp://no-such-host.invalid/system", ConnectionLostError),
        ("lab:nosuchlab/alpha", LabError),
        ("lab:", SpecError),
    ],
)
def test_hosts_that_cannot_be_opened_give_one_clear_error(uri, error):
    with pytest.raises(error) as caught:
        lv.connect(uri, timeout_s=10)
    assert isinstance(caught.value, LabvirtError)
    assert "Traceback" not in str(caught.value)


def test_a_lab_host_can_be_opened_read_only(lab, blank, spec):
    with lv.connect(f"lab:{lab.name}/alpha", readonly=True) as host:
        assert host.readonly
        assert blank.name in host.domains
        with pytest.raises(AccessDeniedError):
            host.plan(spec.replace(name="never"))
    assert not lab["alpha"].readonly


def test_the_default_uri_comes_from_the_environment(alpha, monkeypatch):
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", alpha.uri)
    with lv.connect() as host:
        assert host.label == alpha.label


TEST_DRIVER = """
import labvirt as lv, json
with lv.connect("test:///default") as host:
    print(json.dumps(host.domains.names))
    test = host.domains["test"]
    test.suspend()
    print(test.state.text, host.info().cpus)
"""


def test_the_test_driver_for_lists_and_states():
    """In a process of its own: the driver lives in the process that opens it."""
    out = subprocess.run(
        [sys.executable, "-c", TEST_DRIVER], capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    assert json.loads(out[0]) == ["test"]
    assert out[1] == "paused 16"


def test_closing_twice_leaves_no_thread(alpha):
    before = threading.active_count()
    host = lv.connect(alpha.uri)
    _ = host.domains.names
    host.close()
    host.close()
    with pytest.raises(ConnectionLostError):
        _ = host.domains.names
    assert threading.active_count() <= before + 1
