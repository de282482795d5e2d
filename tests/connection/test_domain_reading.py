"""Reading domains: records agree with virsh, in any state, and are found by what people type."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from labvirt.connection import Connection, domain
from labvirt.errors import ConflictError, HostError, NotFoundError, SpecError
from labvirt.status import DomainState

pytestmark = pytest.mark.lab

TAGS = "<labvirt xmlns='https://labvirt.org/xmlns/domain/1'><tag>web</tag><tag> front end </tag></labvirt>"


def virsh(uri: str, *words: str) -> str:
    if shutil.which("virsh") is None:
        pytest.skip("not on this machine: libvirt-clients (virsh)")
    done = subprocess.run(
        ["virsh", "-c", uri, *words], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout


def dominfo(uri: str, name: str) -> dict[str, str]:
    lines = virsh(uri, "dominfo", name).splitlines()
    return {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in lines)
        if key
    }


def test_an_empty_host_has_no_domains(conn):
    assert domain.list_all(conn) == ()


def test_a_record_agrees_with_virsh_for_an_active_and_an_inactive_domain(conn, paused, domain_xml):
    off = domain.define(conn, domain_xml("off"))
    domain.set_autostart(conn, off, True)
    for uuid, name in ((paused, "paused"), (off, "off")):
        record = domain.read(conn, uuid)
        told = dominfo(str(conn.uri), name)
        assert record.name == told["Name"]
        assert record.uuid == told["UUID"]
        assert str(record.id or "-") == told["Id"]
        assert record.os_type == told["OS Type"]
        assert record.state.text == told["State"]
        assert str(record.vcpus) == told["CPU(s)"]
        assert f"{record.max_memory.kib} KiB" == told["Max memory"]
        assert f"{record.memory.kib} KiB" == told["Used memory"]
        assert ("yes" if record.persistent else "no") == told["Persistent"]
        assert ("enable" if record.autostart else "disable") == told["Autostart"]
        assert ("yes" if record.has_managed_save else "no") == told["Managed save"]


def test_a_list_has_the_same_records_as_reading_one_by_one(conn, paused, domain_xml):
    domain.define(conn, domain_xml("off"))
    domain.create(conn, domain_xml("brief"), paused=True)
    listed = domain.list_all(conn)
    assert {record.name for record in listed} == {"paused", "off", "brief"}
    for record in listed:
        read = domain.read(conn, record.uuid)
        assert (read.uuid, read.state, read.reason, read.persistent, read.id, read.memory) == (
            record.uuid, record.state, record.reason, record.persistent, record.id, record.memory,
        )  # fmt: skip
        assert datetime.now(UTC) - record.read_at < timedelta(seconds=10)
    assert {r.name for r in listed if r.persistent} == {"paused", "off"}


def test_states_and_their_reasons_follow_the_domain(conn, domain_xml):
    uuid = domain.define(conn, domain_xml("web1"))
    seen = []

    def look():
        record = domain.read(conn, uuid)
        seen.append((record.state, record.reason))
        return record

    look()
    domain.start(conn, uuid, paused=True)
    look()
    domain.resume(conn, uuid)
    assert look().id is not None
    domain.suspend(conn, uuid)
    look()
    domain.destroy(conn, uuid)
    gone = look()
    assert seen == [
        (DomainState.SHUTOFF, "unknown"),
        (DomainState.PAUSED, "user"),
        (DomainState.RUNNING, "unpaused"),
        (DomainState.PAUSED, "user"),
        (DomainState.SHUTOFF, "destroyed"),
    ]
    assert gone.id is None
    assert not gone.is_active
    assert gone.cpu_time_ns == 0


def test_title_and_tags_are_read(conn, paused):
    domain.set_title(conn, paused, "Front door", live=True)
    domain.set_metadata(
        conn, paused, "https://labvirt.org/xmlns/domain/1", "labvirt", TAGS, live=True
    )
    record = domain.read(conn, paused)
    assert record.title == "Front door"
    assert record.tags == ("web", "front end")
    assert domain.list_all(conn)[0].tags == record.tags


def test_reading_what_is_gone_says_so(conn):
    with pytest.raises(NotFoundError, match="no domain with matching uuid"):
        domain.read(conn, "11111111-2222-3333-4444-555555555555")


def test_a_domain_is_found_by_name_uuid_and_id(conn, paused):
    record = domain.read(conn, paused)
    for key in (
        "paused", paused, paused.upper(), paused.replace("-", ""), record.id, str(record.id),
    ):  # fmt: skip
        assert domain.find(conn, key) == paused


def test_a_name_in_another_case_is_suggested(conn, paused):
    with pytest.raises(NotFoundError) as caught:
        domain.find(conn, "PAUSED")
    assert "did you mean 'paused'? Names are case-sensitive" in str(caught.value)
    assert isinstance(caught.value, KeyError)


def test_a_misspelt_name_is_suggested_and_a_strange_one_shows_what_there_is(conn, paused):
    with pytest.raises(NotFoundError, match="did you mean 'paused'"):
        domain.find(conn, "pasued")
    with pytest.raises(NotFoundError, match="there are: paused"):
        domain.find(conn, "zzz")


@pytest.mark.parametrize(
    "key", ["", " ", "<x>", "a" * 300, "'; drop", "a\nb", "99999999999999999999", -1]
)
def test_a_key_that_is_no_name_at_all_is_just_not_found(conn, key):
    with pytest.raises(NotFoundError):
        domain.find(conn, key)


def test_xml_is_what_virsh_dumps_with_each_option(conn, paused):
    uri = str(conn.uri)
    assert domain.xml(conn, paused).strip() == virsh(uri, "dumpxml", "paused").strip()
    for option in ("inactive", "migratable"):
        ours = domain.xml(conn, paused, **{option: True})
        assert ours.strip() == virsh(uri, "dumpxml", f"--{option}", "paused").strip()


def test_passwords_are_in_the_secure_xml_only(conn, domain_xml):
    screen = "<graphics type='vnc' port='-1' passwd='s3cret'><listen type='none'/></graphics>"
    uuid = domain.define(conn, domain_xml("web1", screen))
    assert "s3cret" not in domain.xml(conn, uuid)
    assert "s3cret" in domain.xml(conn, uuid, secure=True)


def test_vcpus_of_an_active_and_an_inactive_domain(conn, paused):
    (active,) = domain.vcpus(conn, paused)
    told = virsh(str(conn.uri), "vcpuinfo", "paused")
    assert f"State:          {active.state}" in told
    assert re.search(r"CPU Affinity:\s+(\S+)", told)[1] == active.affinity_map
    assert active.cpu_time_ns is not None
    domain.destroy(conn, paused)
    (inactive,) = domain.vcpus(conn, paused)
    assert (inactive.number, inactive.state, inactive.cpu, inactive.cpu_time_ns) == (
        0, "unknown", None, None,
    )  # fmt: skip
    assert inactive.affinity == active.affinity


def test_metadata_of_a_namespace_and_none_where_there_is_none(conn, paused):
    namespace = "https://example.org/notes"
    assert domain.metadata(conn, paused, namespace) is None
    domain.set_metadata(
        conn, paused, namespace, "note", "<note>look</note>", live=True, config=True
    )
    assert "look" in str(domain.metadata(conn, paused, namespace))
    assert "look" in str(domain.metadata(conn, paused, namespace, inactive=True))
    domain.set_metadata(conn, paused, namespace, "note", None, live=True, config=True)
    assert domain.metadata(conn, paused, namespace) is None


def test_the_control_channel_tells_a_hung_hypervisor_from_a_busy_one(
    daemon, domain_xml, eventually
):
    with Connection.open(daemon.uri) as conn:
        uuid = domain.create(conn, domain_xml("web1"))
        assert domain.control_info(conn, uuid).state == "ok"
        pid = daemon.domain_pid("web1")
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            conn.call(
                "x",
                lambda raw: raw.lookupByUUIDString(uuid).screenshot(raw.newStream(0), 0, 0),
                timeout_s=0.3,
            )
        stuck = domain.control_info(conn, uuid)
        assert stuck.state == "occupied"
        assert stuck.for_ms >= 200
        os.kill(pid, signal.SIGCONT)
        eventually(lambda: domain.control_info(conn, uuid).state == "ok", "QEMU to answer")


def test_memory_of_a_guest_and_the_refusal_for_an_inactive_one(conn, domain_xml):
    balloon = domain_xml("web1").replace("<memballoon model='none'/>", "")
    uuid = domain.create(conn, balloon)
    assert domain.memory_stats(conn, uuid)["actual"] == 16 * 1024
    off = domain.define(conn, domain_xml("off"))
    with pytest.raises(ConflictError, match="start it first"):
        domain.memory_stats(conn, off)
    with pytest.raises(ConflictError):
        domain.control_info(conn, off)


def test_fifty_domains_are_listed_fast(conn, domain_xml):
    for number in range(50):
        domain.define(conn, domain_xml(f"d{number}"))
    began = time.monotonic()
    assert len(domain.list_all(conn)) == 50
    assert time.monotonic() - began < 1.0


def test_listing_goes_on_while_domains_come_and_go(conn, shared_daemon, domain_xml):
    stop = threading.Event()

    def churn():
        with Connection.open(shared_daemon.uri) as other:
            while not stop.is_set():
                uuid = domain.define(other, domain_xml("brief"))
                domain.undefine(other, uuid)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(100):
            assert {record.name for record in domain.list_all(conn)} <= {"brief"}
    finally:
        stop.set()
        thread.join(10)


def test_the_test_driver_lists_its_domain_and_its_states():
    """In a child process: the test driver is shared by everything in one process."""
    program = textwrap.dedent("""
        from labvirt.connection import Connection, domain
        with Connection.open("test:///default") as conn:
            (record,) = domain.list_all(conn)
            read = domain.read(conn, record.uuid)
            assert (read.name, read.state, read.reason) == (record.name, record.state, record.reason)
            print(record.name, record.state.text, record.id, record.vcpus, record.max_memory)
            domain.suspend(conn, record.uuid)
            print(domain.read(conn, record.uuid).state.text)
            domain.destroy(conn, record.uuid)
            print(domain.read(conn, record.uuid).state.text)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["test running 1 2 8 GiB", "paused", "shut off"]


def test_a_wrong_kind_of_key_or_option_is_refused(conn, paused):
    with pytest.raises(SpecError):
        domain.interface_addresses(conn, paused, source="guess")
    with pytest.raises(HostError):
        domain.xml(conn, "not-a-uuid")
