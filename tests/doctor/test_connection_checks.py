"""Rights, daemons and versions of a connection; and a healthy lab, on which nothing is wrong."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from labvirt.doctor import examine
from labvirt.doctor.machine import Machine
from labvirt.status import VersionRecord

ROW = "0000: 00000002 00000000 00010000 0001 01 1234 {0}\n"


def sockets(*names, folder="/run/libvirt"):
    lines = "".join(ROW.format(f"{folder}/{name}-sock") for name in names)
    return {"/proc/net/unix": f"Num RefCount Protocol Flags Type St Inode Path\n{lines}"}


MODULAR = (
    "virtqemud",
    "virtnetworkd",
    "virtstoraged",
    "virtnodedevd",
    "virtsecretd",
    "virtnwfilterd",
)


@pytest.mark.parametrize(
    ("names", "libvirtd", "verdict", "words"),
    [
        (("libvirt", "libvirt-admin"), "9\n", "ok", "one daemon"),
        (MODULAR, "", "ok", "modular"),
        ((*MODULAR, "libvirt"), "", "ok", "modular"),
        ((*MODULAR, "libvirt"), "9\n", "warning", "two that take the same guests"),
        (("virtqemud",), "", "warning", "systemctl enable --now virtnetworkd.socket"),
        ((), "", "ok", "no socket"),
    ],
)
def test_daemons(ask, machine, names, libvirtd, verdict, words):
    running = {"pgrep": libvirtd or (1, "", "")}
    (seen,) = ask("connection.daemons", machine(sockets(*names), running))
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.cause} {seen.remedy}"


@pytest.mark.parametrize(
    ("here", "there", "verdict"),
    [("9.0.0", "9.0.0", "ok"), ("12.1.0", "4.5.0", "warning"), ("4.5.0", "12.1.0", "warning")],
)
def test_versions(ask, here, there, verdict):
    host = SimpleNamespace(version=lambda: VersionRecord(here, here, there, "QEMU", "7.2.0"))
    (seen,) = ask("connection.versions", host=host)
    assert seen.verdict == verdict
    assert f"here {here}, there {there}" in seen.evidence


def test_rights(ask, stand_in, tmp_path):
    there = tmp_path / "libvirt-sock"
    there.touch()
    uri = f"qemu+unix:///system?socket={there}"
    (seen,) = ask("connection.rights", host=stand_in.host(uri))
    assert seen.verdict == "ok"
    assert str(there) in seen.evidence
    (seen,) = ask("connection.rights", host=stand_in.host(uri, readonly=True))
    assert "may open it for changes too" in seen.evidence
    there.unlink()
    (seen,) = ask("connection.rights", host=stand_in.host(uri, readonly=True))
    assert seen.verdict == "warning"
    assert "usermod -aG libvirt" in seen.remedy
    (seen,) = ask("connection.rights", host=stand_in.host("qemu+ssh://bob@kvm7/system"))
    assert "by ssh as bob" in seen.evidence


#: What may be said of the machine that the tests run on, whatever it is: these are true of it.
OF_THE_MACHINE = {
    "host.acceleration",
    "host.virt-flags",
    "host.kvm-module",
    "host.kvm-device",
    "host.ntp",
    "host.clocksource",
    "host.tsc",
    "host.space",
    "host.updates",
}


def judged(report):
    return {one.id: str(one) for one in report if one.verdict not in {"ok", "n/a"}}


def healthy(host):
    report = examine(host, checks=("connection.*", "host.*"))
    wrong = {
        key: said for key, said in judged(report).items() if key.split(":")[0] not in OF_THE_MACHINE
    }
    assert wrong == {}
    assert not [one for one in report if one.verdict == "fail"]
    assert report.seconds < 5
    return report


def test_a_healthy_session_lab_has_nothing_but_what_the_machine_lacks(lab):
    report = healthy(lab["alpha"])
    assert report["host.memory"].verdict == "ok"
    assert report["connection.daemons"].verdict == "ok"
    assert report["host.logging"].verdict == "ok"
    assert report["host.dnsmasq"].verdict == "n/a"


def test_a_healthy_system_lab_has_nothing_but_what_the_machine_lacks(system):
    report = healthy(system)
    for key in ("host.dnsmasq", "host.ip-forward", "host.firewall-backend", "host.qemu-user"):
        assert report[key].verdict == "ok", report[key]
    assert "libvirtd.log" in report["host.logging"].evidence


def test_acceleration_of_a_lab_says_what_the_probe_saw(lab):
    found = examine(lab["alpha"], checks=("host.acceleration",))["host.acceleration"]
    if lab["alpha"].facts.virt == "kvm":
        assert found.verdict == "ok"
    else:
        assert found.verdict == "warning"
        assert lab["alpha"].facts.virt_why in found.evidence


def test_this_machine_looked_at_as_a_plain_host_raises_nothing(ask, stand_in):
    """Each check of the machine answers on a real machine, without a lab's facts."""
    from labvirt.doctor.checks import all_checks

    here = Machine("this machine", daemon_pid=os.getpid())
    for one in all_checks():
        if one.subject == "host" and one.needs == "machine":
            for seen in ask(one.id, here, host=stand_in.host()):
                assert seen.verdict in {"ok", "n/a", "warning", "fail", "unknown"}
                assert seen.verdict not in {"warning", "fail"} or (seen.cause and seen.remedy)
