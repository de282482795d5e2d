"""Where is my guest's address: who is asked, in which order, and why somebody did not know."""

from __future__ import annotations

import pytest

from labvirt.errors import HostError
from labvirt.host.networks.addressing import _told, reachable
from labvirt.status import AddressRecord

TOLD = {
    "ci-info: | ens3 | True | 10.0.0.5 | 255.255.255.0 | global | 52:54:00:12:34:56 |": "10.0.0.5",
    "udhcpc: lease of 192.168.1.9 obtained, lease time 3600": "192.168.1.9",
    "    inet 10.0.0.77/24 brd 10.0.0.255 scope global eth0": "10.0.0.77",
    "    inet6 fd00::5/64 scope global": "fd00::5",
    "bound to 10.0.2.15 -- renewal in 40000 seconds.": "10.0.2.15",
    "systemd-networkd[1]: ens3: DHCPv4 address 10.4.4.4/24, gateway 10.4.4.1": "10.4.4.4",
    "IP-Config: eth0 complete:\n address: 10.6.6.6     broadcast: 10.6.6.255": "10.6.6.6",
    "\x1b[0meth0: 10.7.0.3": "10.7.0.3",
}


@pytest.mark.parametrize("line", TOLD)
def test_boot_messages_tell_addresses_with_their_line(line):
    (found,) = _told(f"noise 1.2.3\n{line}\nmore\n")
    assert (found.address, found.source) == (TOLD[line], "serial")
    assert TOLD[line] in found.evidence
    assert found.family == ("ipv6" if ":" in found.address else "ipv4")


@pytest.mark.parametrize(
    "line",
    [
        "[    1.234] eth0: renamed from a:b",
        "eth0: Link is up, 1000 Mbps",
        "hwaddr address: 52:54:00:12:34:56",
        "inet 999.1.1.1/24",
        "listening on address: 0.0.0.0 port 22",
        "version 1.2.3.4 of something",
    ],
)
def test_other_lines_tell_none(line):
    assert _told(line) == ()


def test_loopback_and_link_local_reach_nobody():
    def record(address):
        return AddressRecord("eth0", "", "ipv4", address, 24, "agent")

    kept = reachable(
        map(record, ["127.0.0.1", "169.254.3.4", "10.0.0.1", "::1", "fe80::1", "fd00::1"])
    )
    assert [one.address for one in kept] == ["10.0.0.1", "fd00::1"]


@pytest.mark.lab
def test_the_agent_answers_where_there_is_no_lease_and_says_why(tiny):
    tiny.wait_for("network", timeout_s=60)
    found = tiny.addresses()
    assert found.source == "agent"
    assert "no interface is on a network of libvirt (user)" in str(found.answers[0])
    assert found.answers[1].found >= 1
    assert "the guest says so of its eth0" in found.df["evidence"].to_list()
    assert "10.0.2.15" in found._repr_html_()
    everybody = tiny.addresses(every=True)
    assert [answer.source for answer in everybody.answers] == ["lease", "agent", "arp", "serial"]
    assert all(answer.found or answer.reason for answer in everybody.answers)


@pytest.mark.lab
def test_a_domain_that_is_off_or_has_no_card_is_told_as_such(alpha, blank, spec):
    with pytest.raises(HostError, match="the domain has no network interface"):
        blank.addresses()
    off = alpha.plan(spec.replace(name=f"{spec.name}-off"), start=False).apply()
    with pytest.raises(HostError, match="is not running"):
        off.addresses()
