"""Rules of packet filters as text: which of them stops which packet. No host is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labvirt.doctor.filtering import filter_tables
from labvirt.doctor.firewall import Packet, stopped_by, tables_of
from labvirt.doctor.netfacts import read_facts
from labvirt.errors import HostError
from labvirt.model.xml.nwfilter import NwFilterXml

OUT = {"iif": "virbr0", "oif": "eth0", "src": "192.168.122.9", "dst": "198.51.100.7",
       "proto": "tcp", "sport": 4000, "dport": 443, "state": "new"}  # fmt: skip
BACK = {"iif": "eth0", "oif": "virbr0", "src": "198.51.100.7", "dst": "192.168.122.9",
        "proto": "tcp", "sport": 443, "dport": 4000, "state": "established"}  # fmt: skip
ASK = {"iif": "virbr0", "src": "192.168.122.9", "dst": "192.168.122.1", "proto": "udp",
       "sport": 4000, "dport": 53, "state": "new"}  # fmt: skip

DOCKER = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:LIBVIRT_INP - [0:0]
-A INPUT -j LIBVIRT_INP
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 -j ACCEPT
-A DOCKER-USER -j RETURN
-A LIBVIRT_INP -i virbr0 -p udp -m udp --dport 53 -j ACCEPT
COMMIT
"""


def tables(**parts):
    text = {name: f"{told}\n=done" for name, told in parts.items() if name != "nft"}
    found, unread = tables_of({**text, "nft": json.dumps(parts.get("nft", ""))}, complete="=done")
    assert not unread
    return found


def stop(found, facts, hook="forward"):
    return stopped_by(found, Packet("a packet", hook, facts=facts))


def test_a_policy_that_drops_stops_what_no_rule_accepts():
    found = tables(iptables=DOCKER)
    told = stop(found, OUT)
    assert (told.where, told.rule) == ("iptables filter FORWARD", "policy DROP of FORWARD")
    assert told.remedy == "iptables -t filter -P FORWARD ACCEPT"
    assert stop(found, ASK, "input") is None
    assert stop(found, {**ASK, "dport": 80}, "input").rule == "policy DROP of INPUT"


def test_what_is_not_understood_stops_nothing():
    for rule in (
        "-A FORWARD -m set --match-set good src -j ACCEPT",
        "-A FORWARD -m mark --mark 0x1 -j ACCEPT",
        "-A FORWARD -j NFQUEUE --queue-num 1",
    ):
        assert stop(tables(iptables=DOCKER.replace("COMMIT", f"{rule}\nCOMMIT")), OUT) is None
    sure = DOCKER.replace(
        "COMMIT", "-A FORWARD ! -i eth0 -m comment --comment 'no way' -j ACCEPT\nCOMMIT"
    )
    assert stop(tables(iptables=sure), OUT) is None
    assert stop(tables(iptables=sure), BACK).rule == "policy DROP of FORWARD"


def nft(*rules, policy="accept"):
    chain = {"family": "inet", "table": "own", "name": "fwd", "type": "filter", "hook": "forward",
             "prio": 0, "policy": policy}  # fmt: skip
    told = [{"table": {"family": "inet", "name": "own"}}, {"chain": chain}]
    told += [{"chain": {"family": "inet", "table": "own", "name": "side"}}]
    for number, (name, *expr) in enumerate(rules):
        told.append({"rule": {"family": "inet", "table": "own", "chain": name, "handle": number,
                              "expr": expr}})  # fmt: skip
    return {"nftables": told}


def match(kind, key, value, op="=="):
    left = {"meta": {"key": key}} if kind == "meta" else {kind: key}
    return {"match": {"op": op, "left": left, "right": value}}


def test_rules_of_nft_are_read_as_those_of_iptables():
    saddr = {"protocol": "ip", "field": "saddr"}
    net = {"prefix": {"addr": "192.168.122.0", "len": 24}}
    found = tables(nft=nft(("fwd", match("payload", saddr, net), {"jump": {"target": "side"}}),
                           ("side", match("meta", "iifname", "virbr0"), {"drop": None})))  # fmt: skip
    told = stop(found, OUT)
    assert (told.where, told.remedy) == (
        "nft inet own side",
        "nft delete rule inet own side handle 1",
    )
    assert stop(found, BACK) is None
    state = match("ct", {"key": "state"}, ["established", "related"], "in")
    found = tables(nft=nft(("fwd", state, {"accept": None}), policy="drop"))
    assert stop(found, BACK) is None
    assert stop(found, OUT).remedy == "nft chain inet own fwd '{ policy accept ; }'"
    vague = nft(("fwd", {"vmap": {"key": {"ct": {"key": "state"}}, "data": {}}}), policy="drop")
    assert stop(tables(nft=vague), OUT) is None
    gone = nft(("fwd", {"goto": {"target": "side"}}), ("fwd", {"drop": None}))
    assert stop(tables(nft=gone), OUT) is None


def test_what_nft_itself_printed():
    """The file is the answer of nft 1.0.6 for rules of most kinds."""
    text = (Path(__file__).parent / "ruleset.json").read_text()
    found, unread = tables_of({"nft": text}, complete="=done")
    assert (unread, [one.title for one in found]) == (
        "", ["nft inet own", "nft ip libvirt_network", "nft bridge b", "nft ip filter"]
    )  # fmt: skip
    told = stop(found, OUT)
    assert told.remedy == "nft delete rule inet own way handle 5"
    assert stop(found, {**OUT, "proto": "udp"}) is None  # what comes before may have accepted it
    assert stop(found, {**OUT, "dport": 8010}).remedy.endswith("handle 5")
    assert stop(found, {**OUT, "iif": "virbr2"}).remedy.endswith("handle 7")
    assert stop(found, {**OUT, "iif": "virbr2", "state": "established"}) is None
    frame = Packet("a frame", "forward", "bridge", {"iif": "vnet1", "proto": "tcp"})
    assert stopped_by(found, frame).rule == "policy DROP of f"
    assert (
        stopped_by(found, Packet("a frame", "forward", "bridge", {**frame.facts, "iif": "vnet0"}))
        is None
    )


def test_tables_that_iptables_told_are_not_asked_twice():
    both = tables_of({"iptables": f"{DOCKER}\n=done", "nft": json.dumps(
        {"nftables": [{"table": {"family": "ip", "name": "filter"}}]})}, complete="=done")[0]  # fmt: skip
    assert [one.title for one in both] == ["iptables filter"]


def test_who_may_not_read_the_rules_says_so():
    found, why = tables_of({}, complete="=done", complaints="x\niptables-save: you must be root")
    assert (found, why) == ((), "iptables-save: you must be root")


SPOOF = """<filter name='no-ip-spoofing' chain='ipv4-ip-spoofing' priority='-710'>
<rule action='return' direction='out' priority='100'><ip srcipaddr='0.0.0.0' protocol='udp'/></rule>
<rule action='return' direction='out' priority='500'><ip srcipaddr='$IP'/></rule>
<rule action='drop' direction='out' priority='1000'/></filter>"""
MAC = """<filter name='no-mac-spoofing' chain='mac' priority='-800'>
<rule action='return' direction='out' priority='350'><mac srcmacaddr='$MAC'/></rule>
<rule action='drop' direction='out' priority='500'><mac/></rule></filter>"""
CLEAN = """<filter name='clean' chain='root'><filterref filter='no-mac-spoofing'/>
<filterref filter='no-ip-spoofing'/></filter>"""
WEB = """<filter name='web'><rule action='accept' direction='in' priority='100'>
<tcp dstportstart='80' dstportend='81'/></rule>
<rule action='drop' direction='in' priority='900'><all/></rule></filter>"""
FILTERS = {one.name: one for one in map(NwFilterXml.parse, (SPOOF, MAC, CLEAN, WEB))}


def filtered(name, way, values=None, **facts):
    found, missing = filter_tables(name, FILTERS, {"MAC": ["52:54:00:00:00:01"], **(values or {})})
    assert not missing
    packet = {"l2": "ipv4", "srcmac": "52:54:00:00:00:01", "proto": "tcp", **facts}
    told = stopped_by(found, Packet("one", way, "bridge", packet))
    return told and told.rule


def test_chains_of_network_filters_are_followed():
    own = {"IP": ["10.0.0.5"]}
    assert filtered("clean", "out", own, src="10.0.0.5") is None
    assert filtered("clean", "out", own, src="10.0.0.6") == "no-ip-spoofing: drop out"
    assert filtered("clean", "out", own, src="0.0.0.0", proto="udp") is None
    assert filtered("clean", "out", own, l2="arp", src="10.0.0.6") is None
    assert filtered("clean", "out", own, srcmac="52:54:00:00:00:02").startswith("no-mac-spoofing")
    assert filtered("clean", "out", None, src="10.0.0.6") is None  # libvirt learns the address
    assert filtered("web", "in", dport=80) is None
    assert filtered("web", "in", dport=22) == "web: drop in all"
    assert filter_tables("web", {}, {})[1] == "web"


def test_a_machine_without_iproute_says_what_to_install(machine):
    fake = machine({}, {"sh": ""})
    with pytest.raises(HostError, match="install iproute2"):
        read_facts(fake)
