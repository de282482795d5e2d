"""Networks: defined, read, found; started and stopped where the driver can (the test driver)."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import libvirt
import pytest

from labvirt.connection import network
from labvirt.errors import ConflictError, HostError, NotFoundError, SpecError

pytestmark = pytest.mark.lab

NAT = """\
<network>
  <name>{name}</name>
  <forward mode='nat'/>
  <bridge name='{bridge}'/>
  <ip address='192.168.123.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.123.2' end='192.168.123.254'/></dhcp>
  </ip>
</network>
"""
CLOSED = "<network><name>closed</name><bridge name='lvtb9'/><ip address='10.9.9.1' prefix='24'/></network>"


@pytest.fixture(autouse=True)
def _clean(conn):
    yield
    for record in network.list_all(conn):
        network.undefine(conn, record.uuid)


def test_a_network_is_defined_read_listed_and_undefined(conn):
    uuid = network.define(conn, NAT.format(name="lan", bridge="lvtb0"))
    record = network.read(conn, uuid)
    assert (record.name, record.bridge, record.forward) == ("lan", "lvtb0", "nat")
    assert (record.is_active, record.persistent, record.autostart) == (False, True, False)
    assert network.list_all(conn) == (record,)
    assert "192.168.123.1" in network.xml(conn, uuid)
    assert "192.168.123.1" in network.xml(conn, uuid, inactive=True)
    network.undefine(conn, uuid)
    assert network.list_all(conn) == ()
    with pytest.raises(NotFoundError):
        network.read(conn, uuid)


def test_without_forward_it_is_isolated(conn):
    assert network.read(conn, network.define(conn, CLOSED)).forward == "isolated"


def test_autostart_is_set_and_cleared(conn):
    uuid = network.define(conn, CLOSED)
    network.set_autostart(conn, uuid, True)
    assert network.read(conn, uuid).autostart
    network.set_autostart(conn, uuid, False)
    assert not network.read(conn, uuid).autostart


def test_a_network_is_found_by_name_and_uuid_and_misspelt_ones_are_suggested(conn):
    uuid = network.define(conn, CLOSED)
    assert network.find(conn, "closed") == uuid
    assert network.find(conn, uuid.replace("-", "")) == uuid
    with pytest.raises(NotFoundError, match=r"'closed'\? Names are case-sensitive"):
        network.find(conn, "CLOSED")
    with pytest.raises(NotFoundError, match="did you mean 'closed'"):
        network.find(conn, "closet")


def test_the_guides_wrong_attribute_is_refused(conn):
    wrong = CLOSED.replace("<bridge name='lvtb9'/>", "<bridge name='lvtb9' forwardDelay='0'/>")
    with pytest.raises(SpecError, match="element bridge"):
        network.define(conn, wrong)
    assert network.list_all(conn) == ()


def test_a_taken_bridge_or_name_is_a_conflict(conn):
    network.define(conn, NAT.format(name="lan", bridge="lvtb0"))
    with pytest.raises(ConflictError):
        network.define(conn, NAT.format(name="lan", bridge="lvtb1"))


def test_an_ordinary_users_daemon_cannot_make_a_bridge_and_says_so(conn):
    uuid = network.define(conn, NAT.format(name="lan", bridge="lvtb0"))
    with pytest.raises(HostError) as caught:
        network.start(conn, uuid)
    assert "start network lan" in str(caught.value)
    with pytest.raises(ConflictError):
        network.stop(conn, uuid)


def test_leases_are_records(conn, monkeypatch):
    """No DHCP server runs for an ordinary user: the words of one are stood in."""
    uuid = network.define(conn, CLOSED)
    told = [
        {
            "iface": "virbr0", "expirytime": 1_700_000_000, "type": libvirt.VIR_IP_ADDR_TYPE_IPV4,
            "mac": "52:54:00:AA:00:01", "ipaddr": "10.9.9.5", "prefix": 24, "hostname": "web1",
            "clientid": "01:52", "iaid": None,
        },
        {"type": libvirt.VIR_IP_ADDR_TYPE_IPV6, "ipaddr": "fd00::5", "prefix": 64, "expirytime": 0},
    ]  # fmt: skip
    asked = []
    monkeypatch.setattr(
        libvirt.virNetwork, "DHCPLeases", lambda _, mac, flags: asked.append((mac, flags)) or told
    )
    four, six = network.leases(conn, uuid, mac="52:54:00:aa:00:01")
    assert asked == [("52:54:00:aa:00:01", 0)]
    assert (four.mac, four.address, four.prefix, four.hostname, four.family) == (
        "52:54:00:aa:00:01", "10.9.9.5", 24, "web1", "ipv4",
    )  # fmt: skip
    assert four.expires_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (six.family, six.expires_at, six.mac, six.hostname) == ("ipv6", None, "", "")


def test_start_stop_and_transient_networks_on_the_test_driver():
    program = textwrap.dedent("""
        from labvirt.connection import Connection, network
        from labvirt.errors import ConflictError, NotFoundError
        with Connection.open("test:///default") as conn:
            (record,) = network.list_all(conn)
            print(record.name, record.is_active, record.bridge)
            network.stop(conn, record.uuid)
            print(network.read(conn, record.uuid).is_active)
            network.start(conn, record.uuid)
            print(network.read(conn, record.uuid).is_active)
            try:
                network.start(conn, record.uuid)
            except ConflictError as error:
                print("conflict")
            brief = network.create(conn, "<network><name>brief</name><bridge name='b7'/></network>")
            print(network.read(conn, brief).persistent)
            network.stop(conn, brief)
            try:
                network.find(conn, "brief")
            except NotFoundError:
                print("gone")
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == [
        "default", "True", "virbr0", "False", "True", "conflict", "False", "gone",
    ]  # fmt: skip
