"""Checks of running domains and of guests, each broken for real on a lab and mended again."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time

import pytest

import labvirt as lv
from labvirt.doctor.case import Patient
from labvirt.doctor.check_guest_boot import boots_of
from labvirt.doctor.machine import Machine
from labvirt.errors import LabvirtError, UnsupportedError
from labvirt.host.migrating import looking
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from tests.doctor.healthy import SPEC, ill, unexplained

#: Every check of a running tiny guest that applies to it.
GUEST = {
    *("domain.state", "domain.hung", "domain.job", "domain.pending", "domain.log"),
    *("domain.movable", "guest.agent", "guest.clock", "guest.boot"),
}


def only(host, *checks, others=(), deep=False):
    """Ask a few checks and return what is not well."""
    report = lv.doctor.examine(host, checks=checks, others=others, deep=deep)
    return [one for one in report if one.verdict not in {"ok", "n/a"}], report


@pytest.fixture(scope="module")
def tiny(lab):
    domain = lab["alpha"].plan(SPEC).apply()
    domain.wait_for("agent", timeout_s=90)
    return domain


@pytest.fixture
def blank(alpha):
    """A running domain without a system."""
    spec = lv.DomainSpec(name="blank", memory="32 MiB", interfaces=(), rng=False)
    domain = alpha.plan(spec).apply()
    yield domain
    if domain.is_active:
        domain.destroy(confirm=True)
    domain.undefine(managed_save=True, confirm=True)


@contextlib.contextmanager
def stopped(domain):
    """Stop the QEMU of a domain as a signal does."""
    pid = Patient(domain.host).processes[domain.uuid].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_healthy_guest_raises_no_alarm(alpha, beta, tiny):
    for others in ((), (beta,)):
        bad, report = only(alpha, "domain.*", "guest.agent", "guest.clock", "guest.space",
                           "guest.boot", "host.cpu-common", "host.migration-ports", others=others)  # fmt: skip
        assert bad == [], "\n".join(map(str, bad))
        well = {one.kind for one in report if one.verdict == "ok"}
        assert well >= GUEST
    assert report["host.cpu-common"].verdict == "ok"
    assert report["host.migration-ports:beta"].verdict == "ok"
    assert report["domain.movable:tiny:beta"].verdict == "ok"


def test_nothing_at_all_is_wrong_with_a_healthy_lab(alpha, tiny):
    """The other back end and other users: test_healthy."""
    report = lv.doctor.examine(alpha, deep=True)
    assert unexplained(ill(report)) == {}
    assert report.failures == ()
    wanted = {"host.memory", "storage.active:default", "disk.readable:tiny/vda", "guest.boot:tiny"}
    assert all(report[each].verdict == "ok" for each in wanted)


#: What is not to be known of a healthy guest without a shell on its host.
NEEDS_SHELL = {"domain.kernel", "domain.log", "guest.boot"}


def test_without_a_shell_there_only_what_needs_one_is_unknown(alpha, tiny, monkeypatch):
    def none(_):
        raise UnsupportedError("look at the machine")

    monkeypatch.setattr(Machine, "of", none)
    bad, report = only(alpha, "domain.*", "guest.agent", "guest.clock", "guest.boot")
    assert {one.kind for one in bad} == NEEDS_SHELL
    assert {one.verdict for one in bad} == {"unknown"}
    assert report["domain.hung:tiny"].evidence == "QEMU answered"
    assert "this machine's clock" in report["guest.clock:tiny"].evidence


def test_a_connection_that_may_only_look_raises_no_alarm(alpha, tiny):
    with lv.connect(alpha.uri, readonly=True) as host:
        bad, report = only(host, "domain.*", "guest.agent", "guest.clock", "guest.boot")
    assert {one.verdict for one in bad} == {"unknown"}
    assert {one.kind for one in bad} == {"guest.clock", "domain.cpu", "domain.pending"}
    assert report["guest.agent:tiny"].verdict == "ok"


def test_a_transient_domain_is_judged_by_what_runs(alpha):
    spec = lv.DomainSpec(name="passing", memory="16 MiB", interfaces=(), rng=False)
    domain = alpha.plan(spec, transient=True).apply()
    try:
        report = lv.doctor.examine(domain, checks=("domain.*",))
    finally:
        domain.destroy(confirm=True)
    bad = [one for one in report if one.verdict not in {"ok", "n/a"}]
    assert [one.id for one in bad] == ["domain.boot:passing"]
    assert report["domain.transient:passing"].verdict == "n/a"


def test_a_guest_whose_qemu_is_stopped_is_told_at_once_and_asked_nothing(alpha, tiny):
    with stopped(tiny) as pid:
        began = time.monotonic()
        bad, report = only(alpha, "domain.*", "guest.agent", "guest.clock", deep=True)
        spent = time.monotonic() - began
        (found,) = [one for one in bad if one.verdict == "fail"]
        assert found.id == "domain.hung:tiny"
        assert "state T" in found.evidence
        assert found.remedy == f"kill -CONT {pid}"
        assert report["guest.agent:tiny"].verdict == "unknown"
        assert "stopped by a signal" in report["guest.agent:tiny"].evidence
        assert report["domain.state:tiny"].verdict == "ok"
    assert spent < 4
    assert only(alpha, "domain.hung", "guest.agent")[0] == []


def test_without_a_look_at_its_process_a_silent_monitor_tells(ask, alpha, tiny):
    facts = {"processes": {}}
    (seen,) = ask("domain.hung", host=alpha, thing=tiny, name="tiny", facts=facts)
    assert (seen.verdict, seen.evidence) == ("ok", "QEMU answered")
    with stopped(tiny):
        facts = {"processes": {}, ("silence", tiny.uuid): ""}
        (seen,) = ask("domain.hung", host=alpha, thing=tiny, name="tiny", facts=facts)
        assert seen.verdict == "fail"
        assert "no answer to a monitor command in 2 s" in seen.evidence
        # By now libvirt itself knows that an answer is owed.
        time.sleep(0.3)
        patient = Patient(alpha)
        patient.once("processes", dict)
        assert "owed libvirt an answer" in patient.silence(tiny)


def test_a_paused_guest_is_let_go_on_by_the_plan(alpha, tiny):
    tiny.suspend()
    bad, report = only(alpha, "domain.state", "guest.*")
    assert [(one.id, one.verdict) for one in bad] == [("domain.state:tiny", "warning")]
    assert "somebody paused it" in bad[0].cause
    report.fix("domain.state:tiny").apply()
    assert only(alpha, "domain.state")[0] == []


@pytest.mark.slow(seconds=6)
def test_an_agent_that_is_stopped_in_the_guest_is_missed(alpha, tiny, eventually):
    kill = "sleep 0.2; for p in /proc/[0-9]*; do grep -q '^qemu-ga$' $p/comm && kill -STOP ${p##*/}; done"
    tiny.agent(
        "guest-exec", path="/bin/sh", arg=["-c", f"({kill}) & sleep 4; killall -CONT qemu-ga"]
    )
    bad = eventually(
        lambda: only(alpha, "guest.agent", "domain.hung")[0], "the agent to stand still"
    )
    assert [(one.id, one.verdict) for one in bad] == [("guest.agent:tiny", "fail")]
    assert "does not answer" in bad[0].cause
    eventually(tiny.agent_answers, "the agent")
    assert only(alpha, "guest.agent")[0] == []


def test_an_agent_that_has_left_its_channel_is_missed(ask, alpha, tiny):
    document = DomainXml.parse(tiny.xml())
    for each in document.channels:
        each.target_state = "disconnected"
    facts = {("document", tiny.uuid, False): document}
    (seen,) = ask("guest.agent", host=alpha, thing=tiny, name="tiny", facts=facts)
    assert seen.verdict == "fail"
    assert "no agent runs in the guest" in seen.cause
    (seen,) = ask("guest.clock", host=alpha, thing=tiny, name="tiny", facts=facts)
    assert seen.verdict == "unknown"


def test_a_clock_that_was_set_wrong_is_told(alpha, tiny):
    now = int(time.time())
    tiny.run(["/bin/sh", "-c", f"date -s @{now - 7200}"])
    try:
        (found,), _ = only(alpha, "guest.clock")
        assert found.verdict == "fail"
        assert found.evidence.startswith("-7")
        assert "domtime tiny --now" in found.remedy
    finally:
        tiny.run(["/bin/sh", "-c", f"date -s @{int(time.time())}"])
    assert only(alpha, "guest.clock")[0] == []


def test_a_full_file_system_in_a_guest_is_told(ask, alpha, tiny, monkeypatch):
    told = [
        {"mountpoint": "/", "type": "ext4", "used-bytes": 100, "total-bytes": 100},
        {"mountpoint": "/home", "type": "xfs", "used-bytes": 92, "total-bytes": 100},
        {"mountpoint": "/srv", "type": "xfs", "used-bytes": 1, "total-bytes": 100},
        {"mountpoint": "/cd", "type": "iso9660", "used-bytes": 100, "total-bytes": 100},
    ]
    answer = {"guest-get-fsinfo": told, "guest-ping": {}}
    monkeypatch.setattr(tiny, "agent", lambda command, **_: answer[command], raising=False)
    seen = ask("guest.space", host=alpha, thing=tiny, name="tiny")
    assert [(one.about, one.verdict) for one in seen] == [
        ("/", "fail"),
        ("/home", "warning"),
        ("/srv", "ok"),
    ]


def test_a_process_that_was_killed_is_told_and_started_again_by_the_plan(alpha, blank, eventually):
    os.kill(Patient(alpha).processes[blank.uuid].pid, signal.SIGKILL)
    eventually(lambda: not blank.is_active, "libvirt to notice")
    bad, report = only(alpha, "domain.state")
    assert [(one.id, one.verdict) for one in bad] == [("domain.state:blank", "fail")]
    assert "its hypervisor process died" in bad[0].cause
    report.fix("domain.state:blank").apply()
    assert only(alpha, "domain.state")[0] == []


def test_a_start_that_failed_is_told_with_qemus_own_words(alpha, blank):
    blank.destroy(confirm=True)
    xml = DomainXml.parse(blank.xml(inactive=True))
    xml.loader = "/etc/passwd"  # no firmware at all
    blank.redefine(xml.text())
    with pytest.raises(LabvirtError):
        blank.start()
    (found,) = [one for one in only(alpha, "domain.log")[0] if one.id == "domain.log:blank"]
    assert found.verdict == "warning"
    assert "BIOS" in found.evidence
    state = only(alpha, "domain.state")[1]["domain.state:blank"]
    assert (state.verdict, state.evidence) == ("warning", "shut off (failed)")


def test_a_definition_that_was_changed_while_it_ran_is_pending(alpha, blank):
    blank.set_max_memory("48 MiB")
    bad, _ = only(alpha, "domain.pending")
    assert [one.id for one in bad] == ["domain.pending:blank"]
    assert "49152" in bad[0].evidence


def test_a_saved_machine_older_than_its_definition_is_told_and_removed_by_the_plan(alpha, blank):
    blank.managed_save()
    assert only(alpha, "domain.saved")[1]["domain.saved:blank"].verdict == "ok"
    blank.change(vcpus=2)
    (found,), report = only(alpha, "domain.saved")
    assert "CPUs: saved 1, defined 2" in found.evidence
    report.fix(found.id).apply(confirm=True)
    assert only(alpha, "domain.saved")[0] == []


def test_a_balloon_that_took_most_memory_is_told(ask, alpha, blank):
    record = dataclasses.replace(blank.info(), memory=Size.of("4 MiB"))
    facts = {("record", blank.uuid): record}
    (seen,) = ask("domain.memory", host=alpha, thing=blank, name="blank", facts=facts)
    assert seen.verdict == "warning"
    assert "the balloon has taken most" in seen.cause
    assert "32 MiB" in str(seen.fix())
    assert ask("domain.memory", host=alpha, thing=blank, name="blank")[0].verdict == "ok"


def test_a_domain_on_two_hosts_is_told_and_a_stale_definition_removed(alpha, beta, blank):
    twin = beta.define(blank.xml(inactive=True))
    try:
        bad, report = only(alpha, "domain.twice", "domain.leftover", others=(beta,))
        assert [one.id for one in bad] == ["domain.leftover:blank:beta"]
        assert f"-c {beta.label} undefine" in bad[0].remedy
        twin.start()
        bad, _ = only(alpha, "domain.twice", "domain.leftover", others=(beta,))
        assert [(one.id, one.verdict) for one in bad] == [("domain.twice:blank:beta", "fail")]
        assert "two processes write the same disks" in bad[0].cause
        assert "destroy" in bad[0].remedy
        twin.destroy(confirm=True)
        report.fix("domain.leftover:blank:beta").apply(confirm=True)
        assert blank.name not in beta.domains
        assert only(alpha, "domain.leftover", others=(beta,))[0] == []
    finally:
        if blank.name in beta.domains:
            if beta.domains[blank.name].is_active:
                beta.domains[blank.name].destroy(confirm=True)
            beta.domains[blank.name].undefine(confirm=True)


def test_what_keeps_a_domain_from_another_host_is_told(ask, alpha, beta, blank):
    blank.destroy(confirm=True)

    def asked(edit):
        document = DomainXml.parse(blank.xml(inactive=True))
        edit(document)
        facts = {("document", blank.uuid, False): document}
        return ask(
            "domain.movable", host=alpha, thing=blank, name="blank", facts=facts, others=(beta,)
        )

    net = "<interface type='network'><source network='nowhere'/></interface>"
    (seen,) = asked(lambda document: document.add_device(net))
    assert (seen.verdict, seen.about) == ("fail", "beta")
    assert "nowhere" in seen.cause
    (seen,) = asked(lambda document: setattr(document, "machine", "pc-i440fx-99.9"))
    assert seen.verdict == "fail"
    disk = "<disk type='file' device='disk'><source file='/var/own.raw'/><target dev='vda'/></disk>"
    (seen,) = asked(lambda document: document.add_device(disk))
    assert seen.verdict in {"ok", "warning"}  # what is local by intention does not fail
    assert asked(lambda document: None)[0].verdict == "ok"


def test_a_processor_that_the_other_host_cannot_give_is_told(alpha, beta, blank, monkeypatch):
    # Both hosts of a lab are one machine: what libvirt says of another processor is put in.
    monkeypatch.setattr(looking, "compare_cpu", lambda *_, **__: "incompatible")
    bad, _ = only(alpha, "domain.movable", others=(beta,))
    (found,) = [one for one in bad if one.id == "domain.movable:blank:beta"]
    assert found.verdict == "fail"
    assert "the processor of beta cannot be" in found.cause
    assert "runs on both" in found.remedy


PANIC = b"""labvirt: boot 1.7\r
[    1.9] VFS: Cannot open root device "vdz" or unknown-block(0,0)\r
[    2.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"SeaBIOS (version 1)\r\nBooting from Hard Disk...\r\nNo bootable device.\r\n", "nothing to boot"),
        (PANIC, "root file system"),
        (b"Linux version 6.1\r\nKernel panic - not syncing: Attempted to kill init!", "first program"),
        (b"Linux version 6.1\r\nYou are in emergency mode. After logging in", "emergency shell"),
        (b"grub rescue> ", "GRUB"),
        (PANIC * 3 + b"labvirt: boot 1.7\r\n", "root file system"),
        (b"Linux version 6.1\r\nREADY 2.0\r\nOut of memory: Killed process 7", "ran out of memory"),
    ],
)  # fmt: skip
def test_what_a_serial_line_says_is_explained(text, words):
    found = boots_of(text)
    assert found.sign is not None
    assert words in found.sign.cause
    assert found.line


def test_a_start_that_got_through_counts_whatever_was_before():
    found = boots_of(PANIC + b"labvirt: boot 1.7\r\nREADY 2.6\r\n")
    assert found.is_ready
    assert found.sign is None
    assert boots_of(PANIC * 4).starts == 4


@pytest.mark.slow(seconds=6)
def test_a_guest_whose_kernel_panics_is_told_from_its_serial_line(ask, alpha, eventually):
    spec = lv.DomainSpec(name="panics", memory="128 MiB", source=lv.TinyGuest(), interfaces=())
    domain = alpha.plan(spec, start=False).apply()
    try:
        line = DomainXml.parse(domain.xml()).cmdline
        domain.change(cmdline=f"{line} rdinit=/nowhere root=/dev/vdz")
        domain.start()
        found = eventually(
            lambda: [one for one in only(alpha, "guest.boot")[0] if one.id == "guest.boot:panics"],
            "the panic",
        )
        assert found[0].verdict == "fail"
        kernel = [one for one in only(alpha, "domain.kernel")[0] if "panics" in one.id]
        assert {one.id for one in kernel} == {
            "domain.kernel:panics:root",
            "domain.kernel:panics:rdinit",
        }
    finally:
        domain.destroy(confirm=True)
        domain.undefine(confirm=True)


@pytest.fixture
def eventually():
    """Wait until a claim holds, and return what it gave."""

    def wait(claim, what, timeout_s=20.0):
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if found := claim():
                return found
            time.sleep(0.1)
        raise AssertionError(f"waited {timeout_s} s for {what}")

    return wait
