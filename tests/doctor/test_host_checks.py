"""Programs, people and networks of a host: each check where it is well and where it is not."""

from __future__ import annotations

import pytest

from labvirt.doctor.daemon_log import KNOWN, explained

DEBIAN = {"/etc/os-release": "ID=debian\n"}
FEDORA = {"/etc/os-release": "ID=fedora\n"}
QEMU = "/usr/bin/qemu-system-x86_64"
IDLE = {"pgrep": (1, "", "")}


@pytest.mark.parametrize(
    ("commands", "emulator", "expected"),
    [
        ({QEMU: "QEMU emulator version 7.2.22\n", "qemu-img": "x"}, QEMU, {"": "ok"}),
        ({QEMU: "QEMU emulator version 8.0.0\n", "qemu-img": "x"}, QEMU, {"": "warning"}),
        ({"qemu-img": "x"}, QEMU, {"": "fail"}),
        ({QEMU: "QEMU emulator version 7.2.22\n"}, QEMU, {"": "ok", "qemu-img": "fail"}),
        ({}, "", {"": "fail"}),
    ],
)
def test_qemu(ask, machine, stand_in, commands, emulator, expected):
    host = stand_in.host(emulator=emulator)
    found = ask("host.qemu", machine(FEDORA, commands), host=host)
    assert {one.about: one.verdict for one in found} == expected
    assert all(
        "dnf install" in one.remedy or "restart" in one.remedy for one in found if one.remedy
    )


@pytest.mark.parametrize(
    ("conf", "who", "verdict", "words"),
    [
        ("", "uid=64055(libvirt-qemu)", "ok", "not set in qemu.conf"),
        ("", (1, "", "no such user"), "fail", "libvirt-daemon-system"),
        ('user = "root"\n', "uid=0(root)", "warning", "owns the host"),
        ('user = "vm"\ngroup = "kvm"\n', "uid=1000(vm)", "ok", "user vm, group kvm"),
        ('# user = "root"\n', "uid=64055(libvirt-qemu)", "ok", "libvirt-qemu"),
    ],
)
def test_user_of_qemu(ask, machine, conf, who, verdict, words):
    made = machine(DEBIAN | {"/etc/libvirt/qemu.conf": conf}, {"id": who} | IDLE)
    (seen,) = ask("host.qemu-user", made)
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.cause} {seen.remedy}"


START = "2026-01-01: 1: info : libvirt version: 9.0.0\n"
BENIGN = "2026-01-01: 1: error : virNetSocketReadWire:1793 : End of file while reading data\n"


def logged(text):
    conf = {"/etc/libvirt/libvirtd.conf": 'log_outputs = "2:file:/var/log/libvirtd.log"\n'}
    return conf, {"tail": text} | IDLE


@pytest.mark.parametrize(
    ("text", "verdict", "words"),
    [
        (START + BENIGN, "ok", "2 lines, 1 errors"),
        (
            START
            + "error : qemuStateInitialize : internal error: Failed to parse user 'libvirt-qemu'\n",
            "warning",
            "user",
        ),
        (
            START
            + "error : Failed to connect socket to '/run/libvirt/virtlogd-sock': No such file\n",
            "warning",
            "virtlogd",
        ),
        ("error : Too many open files\n" + START + BENIGN, "ok", ""),
    ],
)
def test_log(ask, machine, text, verdict, words):
    (seen,) = ask("host.logging", machine(*logged(text)))
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.about}"


def test_a_log_in_the_journal_or_nowhere(ask, machine):
    answers = {"pgrep -o -x virtqemud": "9\n", "journalctl": "error : Too many open files\n"}
    made = machine({"/run/systemd/system": None}, answers)
    (seen,) = ask("host.logging", made)
    assert (seen.verdict, seen.about) == ("warning", "files")
    assert ask("host.logging", machine({}, IDLE))[0].verdict == "unknown"


def test_every_line_that_is_known_has_cause_and_remedy():
    assert len({one.key for one in KNOWN}) == len(KNOWN)
    assert all(one.cause and one.remedy for one in KNOWN)
    assert explained("unable to open /dev/kvm: fine") is None
    assert explained("error: libvirtd.conf: 3: expecting a value").key == "config"


def test_groups(ask, machine):
    made = machine({"/etc/group": "libvirt:x:106:alice,bob\nkvm:x:107:\n"}, IDLE)
    (seen,) = ask("host.groups", made)
    assert seen.verdict == "ok"
    assert "libvirt: alice, bob; kvm: nobody" in seen.evidence
    many = machine({"/etc/group": "libvirt:x:106:a,b,c,d,e,f\n"}, IDLE)
    assert ask("host.groups", many)[0].verdict == "warning"
    conf = {"/etc/libvirt/libvirtd.conf": 'unix_sock_rw_perms = "0777"\nauth_unix_rw = "none"\n'}
    (seen,) = ask("host.groups", machine(conf, IDLE))
    assert seen.verdict == "fail"
    assert "every user" in seen.cause


def test_accounts(ask, machine, stand_in):
    row = "{name}:x:{uid}:100::/home/x:{shell}\n"
    root = row.format(name="root", uid=0, shell="/bin/bash")
    alice = row.format(name="alice", uid=1000, shell="/bin/bash")
    demon = row.format(name="ftp", uid=1001, shell="/usr/sbin/nologin")
    (seen,) = ask("host.accounts", machine({"/etc/passwd": root + alice + demon}))
    assert seen.verdict == "ok"
    assert "1 that can log in: alice" in seen.evidence
    toor = row.format(name="toor", uid=0, shell="/bin/sh")
    (seen,) = ask("host.accounts", machine({"/etc/passwd": root + toor}))
    assert seen.verdict == "warning"
    assert "toor" in seen.remedy
    crowd = "".join(row.format(name=f"u{n}", uid=1000 + n, shell="/bin/sh") for n in range(11))
    assert ask("host.accounts", machine({"/etc/passwd": root + crowd}))[0].verdict == "warning"


@pytest.mark.parametrize(
    ("processes", "verdict"),
    [
        ("90.0 500000 qemu-system-x86\n5.0 1000 bash\n", "ok"),
        ("90.0 500000 qemu-system-x86\n150.0 1000 mysqld\n", "warning"),
        ("150.0 1000 mysqld\n", "ok"),
    ],
)
def test_load(ask, machine, processes, verdict):
    files = {
        "/proc/loadavg": "1.5 1 1 1/9 9\n",
        "/proc/cpuinfo": "processor\t: 0\nprocessor\t: 1\n",
    }
    (seen,) = ask("host.load", machine(files, {"ps": processes}))
    assert seen.verdict == verdict
    assert "load 1.5 on 2 CPUs" in seen.evidence


UNIT = "Id={0}\nLoadState=loaded\nActiveState={1}\nUnitFileState={2}\n"


@pytest.mark.parametrize(
    ("shown", "verdict", "words"),
    [
        ((("libvirtd.service", "active", "enabled"), ("libvirt-guests.service", "active", "enabled")), "ok", ""),
        ((("libvirtd.service", "active", "disabled"),), "warning", "systemctl enable libvirtd"),
        ((("libvirtd.service", "active", "enabled"),), "warning", "libvirt-guests"),
    ],
)  # fmt: skip
def test_guests_at_boot(ask, machine, stand_in, shown, verdict, words):
    units = "\n".join(UNIT.format(*one) for one in shown)
    host = stand_in.host(domains=[stand_in.domain("web1", autostart=True)])
    made = machine({"/run/systemd/system": None}, {"systemctl show": units})
    (seen,) = ask("host.guests-at-boot", made, host=host)
    assert seen.verdict == verdict
    assert words in seen.remedy
    assert ask("host.guests-at-boot", machine(), host=host)[0].verdict == "n/a"


@pytest.mark.parametrize(
    ("files", "verdict", "words"),
    [
        ({"/lib/modules/6.1.0-10-amd64": None}, "ok", "newest of 1"),
        ({"/lib/modules/6.1.0-10-amd64": None, "/lib/modules/6.1.0-21-amd64": None}, "warning", "6.1.0-21"),
        ({"/lib/modules/6.1.0-21-amd64": None}, "warning", "gone from the disk"),
        ({"/run/reboot-required": ""}, "warning", "restart"),
        ({}, "ok", ""),
    ],
)  # fmt: skip
def test_updates(ask, machine, files, verdict, words):
    (seen,) = ask("host.updates", machine(files, {"uname -r": "6.1.0-10-amd64\n"} | IDLE))
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.cause}"


def test_a_daemon_that_was_replaced(ask, machine):
    answers = {"uname -r": "6.1\n", "pgrep -o -x virtqemud": "9\n"}
    made = machine({}, answers | {"readlink /proc/9/exe": "/usr/sbin/virtqemud (deleted)\n"})
    assert [one.about for one in ask("host.updates", made)] == ["", "daemon"]


def test_control_groups(ask, machine, stand_in):
    folder = "/sys/fs/cgroup"
    modern = machine({f"{folder}/cgroup.controllers": "cpuset cpu io memory\n"})
    assert "v2: cpuset, cpu" in ask("host.cgroups", modern)[0].evidence
    old = machine({f"{folder}/cpu": None, f"{folder}/memory": None})
    assert ask("host.cgroups", old)[0].verdict == "ok"
    assert ask("host.cgroups", machine())[0].verdict == "warning"
    session = stand_in.host("qemu:///session")
    assert ask("host.cgroups", machine(), host=session)[0].verdict == "n/a"


# -- what networks need ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("daemon", "commands", "files", "verdict", "words"),
    [
        ("9.0.0", {"iptables": "iptables v1.8.9 (nf_tables)"}, {}, "ok", "v1.8.9"),
        ("9.0.0", {"nft": "nftables v1.0.6"}, {}, "fail", "apt install iptables"),
        ("10.6.0", {"nft": "nftables v1.0.6"}, {}, "ok", "v1.0.6"),
        ("10.6.0", {"iptables": "iptables v1.8.9"}, {}, "ok", "nft: not there"),
        ("10.6.0", {}, {}, "fail", "nftables"),
        (
            "10.6.0",
            {"nft": "nftables v1.0.6"},
            {"/etc/libvirt/network.conf": 'firewall_backend = "iptables"\n'},
            "fail",
            "iptables",
        ),
        (
            "9.0.0",
            {"iptables": "iptables v1.8.9 (nf_tables)"},
            {"/proc/net/ip_tables_names": "filter\nnat\n"},
            "warning",
            "iptables-legacy",
        ),
    ],
)
def test_firewall_tool(ask, machine, stand_in, daemon, commands, files, verdict, words):
    host = stand_in.host(daemon=daemon, networks=[stand_in.network("default")])
    (seen,) = ask("host.firewall-backend", machine(DEBIAN | files, commands), host=host)
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.cause} {seen.remedy}"


def test_dnsmasq(ask, machine, stand_in):
    version = {"dnsmasq": "Dnsmasq version 2.90  Copyright\n"}
    assert ask("host.dnsmasq", machine({}, version))[0].evidence == "Dnsmasq version 2.90"
    (seen,) = ask("host.dnsmasq", machine(DEBIAN))
    assert seen.verdict == "fail"
    assert "dnsmasq-base" in seen.remedy
    everywhere = 'udp UNCONN 0 0 0.0.0.0:53 0.0.0.0:* users:(("named",pid=9,fd=3))\n'
    (seen,) = ask("host.dnsmasq", machine({}, version | {"ss": everywhere}))
    assert seen.verdict == "warning"
    assert "named" in seen.evidence
    bridge = everywhere.replace("0.0.0.0:53", "192.168.122.1:53")
    assert ask("host.dnsmasq", machine({}, version | {"ss": bridge}))[0].verdict == "ok"
    session = stand_in.host("qemu:///session")
    assert ask("host.dnsmasq", machine(), host=session)[0].verdict == "n/a"


@pytest.mark.parametrize(
    ("value", "forward", "verdict"),
    [("1", "nat", "ok"), ("0", "nat", "fail"), ("0", "isolated", "ok"), ("0", "route", "fail")],
)
def test_forwarding(ask, machine, stand_in, value, forward, verdict):
    host = stand_in.host(networks=[stand_in.network("lan", forward)])
    made = machine({"/proc/sys/net/ipv4/ip_forward": f"{value}\n"})
    (seen,) = ask("host.ip-forward", made, host=host)
    assert seen.verdict == verdict
    assert f"ip_forward = {value}" in seen.evidence


DROP, ACCEPT = "-P FORWARD DROP\n", "-P FORWARD ACCEPT\n"


@pytest.mark.parametrize(
    ("value", "rules", "forward", "verdict"),
    [
        ("1", DROP, "bridge", "warning"),
        ("1", DROP, "nat", "ok"),
        ("1", ACCEPT, "bridge", "ok"),
        ("0", DROP, "bridge", "ok"),
        ("1", DROP + "-A FORWARD -m physdev --physdev-is-bridged -j ACCEPT\n", "bridge", "ok"),
        ("1", (4, "", "Permission denied (you must be root)"), "bridge", "unknown"),
    ],
)
def test_bridged_packets(ask, machine, stand_in, value, rules, forward, verdict):
    host = stand_in.host(networks=[stand_in.network("lan", forward)])
    made = machine(
        {"/proc/sys/net/bridge/bridge-nf-call-iptables": value}, {"iptables -S FORWARD": rules}
    )
    assert ask("host.bridge-nf", made, host=host)[0].verdict == verdict
    assert ask("host.bridge-nf", machine(), host=host)[0].verdict == "ok"
