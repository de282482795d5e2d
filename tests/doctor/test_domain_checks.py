"""Checks of domains by their definition: each well as it is, and ill by one change of it."""

from __future__ import annotations

import struct
import subprocess
from types import SimpleNamespace

import pytest

import labvirt as lv
from labvirt.doctor.check_domain_log import complaints
from labvirt.doctor.hypervisor import parse_processes, tail
from labvirt.doctor.machine import Machine
from labvirt.doctor.sector import boots
from labvirt.model.xml.domain import DomainXml

#: Checks that a domain which can start passes, and what they say of it.
WELL = {
    "domain.state": "shut off",
    "domain.boot": "directly",
    "domain.kernel": "console=ttyS0",
    "domain.virt": "qemu",
    "domain.machine": "one of",
    "domain.cpu": "",
    "domain.emulator": "which libvirt knows",
    "domain.memory": "at most",
    "domain.vcpus": "virtual CPU",
    "domain.balloon": "virtio",
    "domain.agent": "guest_agent",
    "domain.clock": "offset utc",
    "domain.on-crash": "on_reboot=restart",
    "domain.log": "never started",
}
EMPTY = {
    *("domain.nvram", "domain.firmware", "domain.hugepages", "domain.display", "domain.devices"),
    *("domain.secrets", "domain.tpm"),
}
DISK = "<disk type='file' device='disk'><source file='/x'/><target dev='vda' bus='virtio'/></disk>"


def without(tag):
    def edit(document):
        for element in document.element.findall(f"devices/{tag}"):
            element.getparent().remove(element)

    return edit


def put(**facts):
    def edit(document):
        for name, value in facts.items():
            setattr(document, name, value)

    return edit


def add(*devices, **facts):
    def edit(document):
        put(**facts)(document)
        for each in devices:
            document.add_device(each)

    return edit


def bare(*devices, **facts):
    """No kernel of its own, no devices to boot from but those."""

    def edit(document):
        without("disk")(document)
        without("interface")(document)
        add(*devices, kernel=None, initrd=None, cmdline=None, **facts)(document)

    return edit


def timer(document):
    document.element.find("clock").set("offset", "variable")
    document.element.find("clock").set("adjustment", "-7200")


#: Check, what is changed in the definition, verdict, words of the cause (or evidence).
ILL = [
    ("domain.kernel", put(kernel="/nowhere/vmlinuz"), "fail", "the kernel is not there"),
    ("domain.kernel", put(initrd="/nowhere/initrd"), "fail", "the initrd is not there"),
    ("domain.kernel", put(cmdline="console=ttyS0 root=/dev/vdz1"), "fail", "/dev/vdz1"),
    ("domain.kernel", put(cmdline="quiet"), "warning", "does not write to the serial line"),
    ("domain.kernel", put(cmdline="console=ttyS7"), "warning", "writes to ttyS7"),
    ("domain.kernel", put(cmdline="console=ttyS0 rdinit=/no"), "warning", "replaces the first"),
    ("domain.kernel", put(cmdline="console=ttyS0 single"), "warning", "keeps the guest from"),
    ("domain.boot", bare(), "fail", "nothing in the boot order has a system"),
    ("domain.boot", bare(boot_order=("cdrom",)), "fail", "nothing in the boot order"),
    ("domain.firmware", put(loader="/nowhere/OVMF.fd", loader_type="pflash"), "fail", "not there"),
    ("domain.nvram", put(loader="/x", nvram="/nowhere/VARS.fd"), "fail", "the file is gone"),
    (
        "domain.nvram",
        put(loader="/x", nvram="/nowhere/VARS.fd", nvram_template="/bin/sh"),
        "warning",
        "the next start makes it",
    ),
    ("domain.machine", put(machine="pc-i440fx-99.9"), "fail", "older than the domain"),
    ("domain.virt", put(type="kvm"), "fail", "KVM does not work"),
    ("domain.virt", put(arch="sparc64"), "fail", "no hypervisor for sparc64"),
    ("domain.cpu", put(cpu_mode="host-passthrough"), "fail", "does not work with domains of type"),
    ("domain.cpu", put(cpu_mode="custom", cpu_model="Nonsense"), "fail", "does not know"),
    ("domain.cpu", put(cpu_mode="custom", cpu_model="EPYC", cpu_check="partial"), "fail", "lacks features"),
    ("domain.cpu", put(cpu_mode="custom", cpu_model="EPYC", cpu_check="none"), "warning", "will miss"),
    ("domain.emulator", put(emulator="/usr/libexec/no-such-qemu"), "fail", "not there"),
    ("domain.vcpus", put(vcpus=4000), "fail", "takes at most"),
    ("domain.vcpus", put(vcpus=200), "warning", "more virtual CPUs than the host has"),
    ("domain.vcpus", put(vcpu_cpuset="4000-4001"), "fail", "does not have"),
    ("domain.hugepages", put(hugepages=True), "fail", "too few huge pages"),
    ("domain.balloon", without("memballoon"), "warning", "without a balloon"),
    ("domain.agent", without("channel"), "warning", "nobody can ask the guest"),
    ("domain.clock", timer, "warning", "-7200 s off"),
    ("domain.clock", put(clock_offset="absolute"), "warning", "fixed moment"),
    ("domain.on-crash", put(on_reboot="destroy"), "warning", "a reboot inside the guest turns"),
    ("domain.on-crash", put(on_poweroff="restart"), "warning", "starts it again"),
    ("domain.on-crash", put(on_crash="preserve"), "warning", "panic device"),
    (
        "domain.display",
        add("<graphics type='vnc' port='-1'><listen type='address' address='0.0.0.0'/></graphics>"),
        "fail",
        "sees the screen",
    ),
    (
        "domain.devices",
        add(
            "<hostdev mode='subsystem' type='usb'><source>"
            "<vendor id='0xdead'/><product id='0xbeef'/></source></hostdev>"
        ),
        "fail",
        "cannot start",
    ),
    (
        "domain.devices",
        add("<filesystem type='mount'><source dir='/nowhere'/><target dir='x'/></filesystem>"),
        "fail",
        "the folder that the guest mounts",
    ),
    (
        "domain.secrets",
        add(DISK.replace("</disk>", "<encryption format='luks'><secret type='passphrase' "
            "uuid='00000000-0000-4000-8000-000000000001'/></encryption></disk>")),
        "fail",
        "no such secret",
    ),
    (
        "domain.tpm",
        add("<tpm><backend type='passthrough'><device path='/dev/tpm99'/></backend></tpm>"),
        "fail",
        "no such TPM",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def off(lab):
    """A tiny guest that was never started."""
    spec = lv.DomainSpec(name="off", memory="128 MiB", source=lv.TinyGuest())
    return lab["alpha"].plan(spec, start=False).apply()


@pytest.fixture
def of(ask, alpha):
    """Ask a check of a domain, perhaps with another definition."""

    def look(key, domain, edit=None, **options):
        facts = options.pop("facts", {})
        if edit is not None:
            document = DomainXml.parse(domain.xml(inactive=True))
            edit(document)
            for stored in (True, False):
                facts[("document", domain.uuid, stored)] = document
            facts[("passwords", domain.uuid)] = [False]
        return ask(key, host=alpha, thing=domain, name=domain.name, facts=facts, **options)

    return look


@pytest.mark.parametrize("key", WELL)
def test_a_domain_that_can_start_is_well(of, off, key):
    (seen,) = of(key, off)
    assert seen.verdict == "ok", seen
    assert WELL[key] in seen.evidence


@pytest.mark.parametrize("key", sorted(EMPTY))
def test_what_a_domain_does_not_have_is_not_judged(of, off, key):
    (seen,) = of(key, off)
    assert seen.verdict == "n/a", seen


@pytest.mark.parametrize(
    ("key", "edit", "verdict", "words"), ILL, ids=[f"{one[0]}-{one[3][:24]}" for one in ILL]
)
def test_a_broken_definition_is_told_with_its_cause(of, off, key, edit, verdict, words):
    seen = [one for one in of(key, off, edit) if one.verdict not in {"ok", "n/a"}]
    assert [one.verdict for one in seen] == [verdict], seen
    assert words in f"{seen[0].cause} {seen[0].evidence}"
    assert seen[0].remedy


def test_a_screen_on_this_machine_or_with_tls_is_well(of, off):
    here = "<graphics type='vnc' port='-1'><listen type='address' address='127.0.0.1'/></graphics>"
    assert of("domain.display", off, add(here))[0].verdict == "ok"
    world = add(here.replace("127.0.0.1", "0.0.0.0"))
    facts = {"qemu.conf": {"vnc_tls": "1", "vnc_password": "set"}}
    assert of("domain.display", off, world, facts=facts)[0].verdict == "ok"
    facts = {"qemu.conf": {"vnc_password": "set"}}
    assert of("domain.display", off, world, facts=facts)[0].verdict == "warning"


def test_more_memory_than_the_machine_has_is_mended_by_the_plan(of, alpha):
    spec = lv.DomainSpec(name="huge", memory="900 GiB", interfaces=())
    domain = alpha.plan(spec, start=False).apply()
    try:
        (seen,) = of("domain.memory", domain)
        assert seen.verdict == "fail"
        assert "more memory than the whole machine" in seen.cause
        seen.fix().apply()
        assert of("domain.memory", domain)[0].verdict in {"ok", "warning"}
    finally:
        domain.undefine(confirm=True)


def test_the_plans_mend_machine_processor_and_ends(of, alpha):
    spec = lv.DomainSpec(
        name="mended", memory="64 MiB", interfaces=(), agent=False, on_reboot="destroy", vcpus=12
    )
    domain = alpha.plan(spec, start=False).apply()
    try:
        for key in ("domain.on-crash", "domain.vcpus", "domain.agent"):
            (seen,) = of(key, domain)
            assert seen.verdict == "warning", seen
            seen.fix().apply()
            assert of(key, domain)[0].verdict == "ok"
    finally:
        domain.undefine(confirm=True)


def test_a_disk_without_a_system_before_one_with_it_is_told_and_mended(of, alpha, lab):
    pool = alpha.pools["shared"]
    first = lv.DiskSpec(size="1 MiB", boot_order=1)
    spec = lv.DomainSpec(
        name="two", memory="64 MiB", interfaces=(), disks=(first, lv.DiskSpec(size="1 MiB"))
    )
    domain = alpha.plan(spec, start=False).apply()
    try:
        path = next(
            each.source_file for each in DomainXml.parse(domain.xml()).disks if each.target == "vdb"
        )
        (seen,) = of("domain.boot", domain)
        assert seen.verdict == "fail"
        assert "nothing in the boot order" in seen.cause
        command = [
            "qemu-io",
            "-f",
            "qcow2",
            "-c",
            "write -P 0x55 510 1",
            "-c",
            "write -P 0xaa 511 1",
        ]
        subprocess.run([*command, path], check=True, capture_output=True)
        (seen,) = of("domain.boot", domain)
        assert seen.verdict == "fail"
        assert "leaves out disk vdb" in seen.cause
        seen.fix().apply()
        (seen,) = of("domain.boot", domain)
        assert seen.verdict == "ok", seen
        domain.set_boot_order(["vda", "vdb"])
        (seen,) = of("domain.boot", domain)
        assert (seen.verdict, seen.cause[:27]) == ("fail", "vda is tried first and hold")
        seen.fix().apply()
        assert of("domain.boot", domain)[0].verdict == "ok"
    finally:
        domain.undefine(confirm=True)
        pool.refresh()


def test_the_first_sector_is_read_through_a_chain(tmp_path):
    here = Machine("here")
    raw, qcow2, over = (str(tmp_path / name) for name in ("raw", "below.qcow2", "over.qcow2"))
    boot = bytes(510) + b"\x55\xaa"
    (tmp_path / "raw").write_bytes(boot + bytes(1 << 20))
    for words in (
        ["convert", "-f", "raw", "-O", "qcow2", raw, qcow2],
        ["create", "-q", "-f", "qcow2", "-b", "below.qcow2", "-F", "qcow2", over],
    ):
        subprocess.run(["qemu-img", *words], check=True)
    assert boots(here, raw, "raw") is True
    assert boots(here, qcow2, "qcow2") is True
    assert boots(here, over, "qcow2") is True
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", qcow2, "1M"], check=True)
    assert boots(here, over, "qcow2") is False
    packed = str(tmp_path / "packed.qcow2")
    subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", raw, packed], check=True)
    assert boots(here, packed, "qcow2") is None
    assert boots(here, str(tmp_path / "nothing"), "raw") is None
    (tmp_path / "torn").write_bytes(b"QFI\xfb" + struct.pack(">I", 3))
    assert boots(here, str(tmp_path / "torn"), "qcow2") is None


def test_processes_are_told_apart_by_the_uuid_that_libvirt_gave_them():
    uuid = "45F8B44E-8f4d-463a-bdab-eff96fdf5772"
    text = (
        "77 (qemu-system-x86) T 1 77 77 0 -1 0 0\n"
        "78 (kvm) S 1 78 78 0 -1 0 0\n"
        f"/proc/77/cmdline:-uuid\n/proc/77/cmdline-{uuid}\n"
        "/proc/99/cmdline:-uuid\n/proc/99/cmdline-00000000-0000-4000-8000-000000000001\n"
    )
    (found,) = parse_processes(text).items()
    assert found[0] == uuid.lower()
    assert found[1].is_stopped
    assert str(found[1]) == "qemu-system-x86 (pid 77)"
    assert "stopped by a signal" in found[1].words


def test_the_end_of_a_file_is_read_from_a_mark_on(tmp_path):
    (tmp_path / "log").write_text("0123456789")
    here = Machine("here", root=tmp_path)
    assert tail(here, "/log", 4) == "6789"
    assert tail(here, "/log", 4, since=8) == "89"
    assert tail(here, "/none") is None


LOG = """2026-11-24 00:00:01.000+0000: starting up libvirt version: 9.0.0
qemu-system-x86_64: -drive x: Could not open '/a': Permission denied
2026-11-24 00:00:02.000+0000: shutting down, reason=failed
2026-11-24 01:00:01.000+0000: starting up libvirt version: 9.0.0
LC_ALL=C \\
/usr/bin/qemu-system-x86_64 \\
-blockdev '{"error":"x"}' \\
qemu-system-x86_64: warning: TCG doesn't support requested feature: CPUID.01H
2026-11-24T01:00:02.1Z qemu-system-x86_64: terminating on signal 15 from pid 1 (libvirtd)
"""


def test_only_complaints_of_the_last_start_count():
    assert complaints(LOG) == ([], "")
    bad = LOG + '2026-11-24T01:00:03Z qemu-system-x86_64: Failed to get "write" lock\n'
    bad += "2026-11-24 01:00:04.000+0000: shutting down, reason=failed\n"
    lines, ended = complaints(bad)
    assert ended == "failed"
    assert len(lines) == 1
    assert "lock" in lines[0]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("Could not open '/a.qcow2': Permission denied", "disk.readable"),
        ('Failed to get "write" lock', "disk.lock"),
        ("cannot set up guest memory 'pc.ram': Cannot allocate memory", "domain.memory"),
        ("Could not access KVM kernel module: No such file or directory", "host.kvm-device"),
        ("unsupported machine type", "domain.machine"),
        ("block0: strange error 42", "labvirt knows no more"),
    ],
)
def test_the_log_of_a_failed_start_is_explained(ask, machine, line, cause):
    text = f"2026-11-24 01:00:01.000+0000: starting up libvirt version: 9.0.0\nqemu-system-x86_64: {line}\n"
    there = machine({"/var/log/libvirt/qemu/web1.log": text})
    uri = SimpleNamespace(path="/system")
    host = SimpleNamespace(name="fake", label="qemu:///system", connection=SimpleNamespace(uri=uri))
    (seen,) = ask("domain.log", there, host=host, name="web1")
    assert seen.verdict == "warning"
    assert cause in seen.cause
