"""Checks of what networks need on the host: firewall tools, dnsmasq, forwarding, bridge filtering."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labvirt.doctor import reading
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning

if TYPE_CHECKING:
    from labvirt.doctor.case import Case

__all__: list[str] = []

#: From this libvirt on networks can use nftables (network.conf: firewall_backend).
_NFTABLES: Final = (10, 4)
_NO_NETWORKS: Final = "a session daemon has no networks of its own"


def _forwarding(case: Case, *kinds: str) -> list[str]:
    """Return the active networks whose guests reach the world in one of these ways."""
    found = [case.patient.network_record(one) for one in case.patient.networks]
    return [one.name for one in found if one.is_active and one.forward in kinds]


def _not_asked(case: Case) -> str:
    """Return why networks are no matter here; empty when they are."""
    if not reading.is_qemu(case):
        return "only for QEMU"
    return _NO_NETWORKS if reading.is_session(case) else ""


@check("host.firewall-backend", "Is there the firewall tool that networks need?", guide="G8.1-06")
def firewall_backend(case: Case) -> Seen:
    """Look for iptables or nft, whichever this libvirt uses, and for two kinds of tables at once."""
    if why := _not_asked(case):
        return not_here(why)
    version = tuple(int(one) for one in case.host.version().daemon.split(".")[:2])
    wanted = reading.settings(reading.text(case, "/etc/libvirt/network.conf")).get(
        "firewall_backend", ""
    )
    tables, nft = (reading.ran(case, name, "--version") for name in ("iptables", "nft"))
    seen = "; ".join(
        f"{name}: {one.out.strip() if one else 'not there'}"
        for name, one in (("iptables", tables), ("nft", nft))
    )
    package = wanted if wanted in {"iptables", "nftables"} else "nftables"
    if version < _NFTABLES:
        package = "iptables"
    program = {"iptables": tables, "nftables": nft}[package]
    if not program and not (version >= _NFTABLES and not wanted and tables):
        natted = _forwarding(case, "nat", "route")
        cause = f"libvirt {'.'.join(map(str, version))} makes its rules by {package}"
        remedy = f"{reading.install(case, debian=package, redhat=package)}; restart the daemon"
        if natted:
            cause += f": the next start of {', '.join(natted)} fails"
        return fail(seen, cause, remedy)
    old = (reading.text(case, "/proc/net/ip_tables_names") or "").split()
    if tables and "nf_tables" in tables.out and old:
        return warning(
            f"{seen}; old tables in use: {', '.join(old)}",
            "rules of iptables-legacy are loaded beside those of nftables: each may drop what the "
            "other lets through",
            "iptables-legacy -S shows them; move them over, then reboot",
        )
    return ok(seen)


@check("host.dnsmasq", "Is there dnsmasq, and is its port free?", guide="G8.1-06")
def dnsmasq(case: Case) -> Seen:
    """Look for the program, and for somebody else who takes DNS on every address."""
    if why := _not_asked(case):
        return not_here(why)
    found = reading.ran(case, "dnsmasq", "--version")
    if not found:
        remedy = reading.install(case, debian="dnsmasq-base", redhat="dnsmasq")
        cause = "networks of libvirt give addresses and names by it: they cannot start"
        return fail("dnsmasq: not there", cause, remedy)
    seen = found.out.partition("  ")[0]
    taken = [
        line.split()
        for line in reading.listening(case)
        if re.search(r"\s(0\.0\.0\.0|\*|\[::\]):53\s", line)
    ]
    if taken:
        who = taken[0][-1] if "users:" in taken[0][-1] else "another server"
        return warning(
            f"{seen}; port 53 of every address is taken by {who}",
            "dnsmasq of a network cannot listen on its bridge",
            "let that server listen on some addresses only: dnsmasq: bind-interfaces and "
            "except-interface=virbr*; named: listen-on",
        )
    return ok(seen)


@check("host.ip-forward", "Does the kernel forward packets of guests?", guide="G8.1-06")
def ip_forward(case: Case) -> Seen:
    """Compare net.ipv4.ip_forward with the networks that need it."""
    if why := _not_asked(case):
        return not_here(why)
    value = case.machine.sysctl("net.ipv4.ip_forward")
    if value is None:
        return unknown("net.ipv4.ip_forward cannot be read")
    seen = f"net.ipv4.ip_forward = {value}"
    needing = _forwarding(case, "nat", "route", "open")
    if value == "0" and needing:
        return fail(
            f"{seen}; needed by {', '.join(needing)}",
            "guests reach the host, but nothing beyond: another program has switched it off",
            "sysctl -w net.ipv4.ip_forward=1; echo 'net.ipv4.ip_forward = 1' > "
            "/etc/sysctl.d/60-libvirt.conf",
        )
    return ok(seen if needing else f"{seen}; no active network needs it")


@check("host.bridge-nf", "Does the host's firewall keep off bridged packets?", guide="G2.3-08")
def bridge_nf(case: Case) -> Seen:
    """Look whether packets on a bridge pass iptables, and what it does with them there."""
    if why := _not_asked(case):
        return not_here(why)
    value = case.machine.sysctl("net.bridge.bridge-nf-call-iptables")
    if value is None:
        return ok("br_netfilter is not loaded: bridged packets pass no firewall of the host")
    seen = f"net.bridge.bridge-nf-call-iptables = {value}"
    if value == "0":
        return ok(seen)
    return _bridged_through(case, seen)


def _bridged_through(case: Case, seen: str) -> Seen:
    """Judge what the firewall does with bridged packets that pass it."""
    rules = reading.ran(case, "iptables", "-S", "FORWARD")
    if rules is None:
        return ok(f"{seen}; there is no iptables")
    if not rules:
        return unknown(f"{seen}; this user may not see the rules", "sudo iptables -S FORWARD")
    lines = rules.out.splitlines()
    policy = next((line for line in lines if line.startswith("-P FORWARD")), "")
    seen = f"{seen}; {policy}"
    if policy.endswith("ACCEPT"):
        return ok(seen)
    if any("physdev-is-bridged" in line and line.endswith("ACCEPT") for line in lines):
        return ok(f"{seen}, and a rule that lets bridged packets through")
    bridged = _forwarding(case, "bridge") + _bridged(case)
    if not bridged:
        return ok(f"{seen}; no guest is on a bridge of the host")
    return warning(
        f"{seen}; bridged: {', '.join(bridged[:5])}",
        "the host's firewall drops packets between guests and the network their bridge is in",
        "sysctl -w net.bridge.bridge-nf-call-iptables=0 (Docker sets it), or: "
        "iptables -I FORWARD -m physdev --physdev-is-bridged -j ACCEPT",
    )


def _bridged(case: Case) -> list[str]:
    return [
        domain.name
        for domain in case.patient.domains
        if case.patient.document(domain).element.find("devices/interface[@type='bridge']")
        is not None
    ]
