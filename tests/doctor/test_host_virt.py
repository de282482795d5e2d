"""Hardware virtualisation: each check where it is well and where it is not."""

from __future__ import annotations

import shutil

import pytest

from labvirt.doctor.check_host_virt import bios_advice, count_flags
from labvirt.doctor.machine import Machine

INTEL = "processor\t: {n}\nvendor_id\t: GenuineIntel\nflags\t\t: fpu tsc vmx ssse3 constant_tsc\n\n"
AMD = "processor\t: {n}\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu tsc svm\n\n"
NONE = "processor\t: {n}\nvendor_id\t: GenuineIntel\nflags\t\t: fpu tsc\n\n"
VIRTUAL = "processor\t: {n}\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu tsc hypervisor\n\n"


def cpus(one, count=2):
    return {"/proc/cpuinfo": "".join(one.format(n=n) for n in range(count))}


def test_flags_are_counted_per_cpu_as_in_the_guide():
    assert count_flags(cpus(INTEL, 4)["/proc/cpuinfo"]) == (4, 4, "vmx", False)
    assert count_flags(cpus(AMD, 1)["/proc/cpuinfo"]) == (1, 1, "svm", False)
    assert count_flags(cpus(VIRTUAL)["/proc/cpuinfo"]) == (0, 2, "", True)
    assert count_flags("Processor : ARMv8\n") == (0, 0, "", False)


def test_the_setup_is_named_as_the_maker_names_it():
    assert "Intel Virtualization Technology" in bios_advice("GenuineIntel")
    assert "SVM Mode" in bios_advice("AuthenticAMD")
    assert "power off" in bios_advice("")


@pytest.mark.parametrize(
    ("files", "log", "verdict", "words"),
    [
        (cpus(INTEL), "", "ok", "vmx on 2 of 2"),
        (cpus(AMD), "", "ok", "AMD-V"),
        (cpus(NONE), "", "warning", "firmware hides it"),
        (cpus(VIRTUAL), "", "warning", "passes no virtualisation on"),
        (cpus(AMD), "[1.2] kvm: disabled by bios\n", "fail", "switched it off"),
        ({"/proc/cpuinfo": "Processor : ARMv8\n"}, "", "n/a", ""),
    ],
)
def test_flags(ask, machine, files, log, verdict, words):
    (seen,) = ask("host.virt-flags", machine(files, {"dmesg": log}))
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.cause}"


def test_flags_that_are_missing_are_no_matter_where_kvm_runs(ask, machine, stand_in):
    (seen,) = ask("host.virt-flags", machine(cpus(VIRTUAL)), host=stand_in.host(virt="kvm"))
    assert seen.verdict == "ok"


@pytest.mark.parametrize(
    ("modules", "cpu", "verdict", "words"),
    [
        (["kvm", "kvm_amd"], AMD, "ok", "kvm_amd"),
        (["kvm", "kvm_pvm"], VIRTUAL, "ok", "kvm_pvm"),
        ([], INTEL, "warning", "modprobe kvm_intel"),
        (["kvm"], AMD, "warning", "modprobe kvm_amd"),
        ([], NONE, "n/a", ""),
    ],
)
def test_module(ask, machine, modules, cpu, verdict, words):
    files = cpus(cpu) | {"/sys/module/x": None} | {f"/sys/module/{one}": None for one in modules}
    (seen,) = ask("host.kvm-module", machine(files))
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.remedy}"


QEMU_USER = "uid=64055(libvirt-qemu) gid=106(kvm) groups=106(kvm)\n"


@pytest.mark.parametrize(
    ("stat", "user", "verdict", "words"),
    [
        ("660 0 106 root kvm", QEMU_USER, "ok", "64055"),
        ("666 0 0 root root", QEMU_USER, "ok", ""),
        ("660 0 106 root kvm", QEMU_USER.replace("106(kvm)", "9(x)"), "warning", "usermod -aG kvm"),
        ("600 0 0 root root", QEMU_USER, "warning", "chgrp kvm /dev/kvm; chmod 0660"),
    ],
)
def test_device(ask, machine, stat, user, verdict, words):
    made = machine({"/etc/os-release": "ID=debian\n"}, {"stat -Lc": stat, "id libvirt-qemu": user})
    (seen,) = ask("host.kvm-device", made)
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.remedy}"


@pytest.mark.parametrize(("may", "verdict"), [(0, "ok"), (1, "warning")])
def test_device_for_a_session(ask, machine, stand_in, may, verdict):
    answers = {"stat -Lc": "660 0 106 root kvm", "sh -c": (may, "", ""), "id -un": "alice\n"}
    host = stand_in.host("qemu:///session")
    (seen,) = ask("host.kvm-device", machine({}, answers), host=host)
    assert seen.verdict == verdict
    assert "alice" in f"{seen.evidence} {seen.cause}"


@pytest.mark.parametrize(
    ("code", "said", "verdict", "words"),
    [
        (33, "", "ok", "ran under kvm"),
        (137, "", "warning", "never gets through its firmware"),
        (1, "qemu: failed to initialize kvm: Device or resource busy", "warning", "busy"),
        (1, "Could not access KVM kernel module: Permission denied", "unknown", "cannot try it"),
    ],
)
def test_a_boot_sector_tells_whether_kvm_works(ask, machine, code, said, verdict, words):
    made = machine(cpus(INTEL) | {"/dev/kvm": ""}, {"sh -c": (code, "", said)})
    (seen,) = ask("host.acceleration", made)
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.cause}"


def test_what_the_opening_proved_is_not_tried_again(ask, machine, stand_in):
    host = stand_in.host(virt="qemu", virt_why="a boot sector under kvm timed out after 2 s")
    (seen,) = ask("host.acceleration", machine(cpus(VIRTUAL)), host=host)
    assert seen.verdict == "warning"
    assert "timed out after 2 s" in seen.evidence
    assert "hypervisor under this machine" in seen.cause
    (seen,) = ask("host.acceleration", machine(), host=stand_in.host(virt="kvm"))
    assert seen.verdict == "ok"
    (seen,) = ask("host.acceleration", machine())
    assert "no KVM" in seen.cause


@pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="needs QEMU")
def test_the_boot_sector_runs_for_real_and_leaves_nothing(ask, stand_in, monkeypatch, tmp_path):
    from labvirt.doctor import check_host_virt

    # The same probe under the emulation, which works on every machine.
    monkeypatch.setattr(
        check_host_virt, "_PROBE", check_host_virt._PROBE.replace("-accel kvm", "-accel tcg")
    )
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    emulator = shutil.which("qemu-system-x86_64")
    here = Machine("here")
    if not here.exists("/dev/kvm"):
        pytest.skip("this machine has no /dev/kvm")
    (seen,) = ask("host.acceleration", here, host=stand_in.host(emulator=emulator))
    assert seen.verdict == "ok"
    assert list(tmp_path.iterdir()) == []


def test_nested_and_iommu(ask, machine, stand_in):
    made = machine({"/sys/module/kvm_intel/parameters/nested": "Y\n"})
    assert "nested=Y" in ask("host.nested", made)[0].evidence
    assert "options kvm_amd nested=1" in (
        ask("host.nested", machine({"/sys/module/kvm_amd/parameters/nested": "0\n"}))[0].evidence
    )
    assert ask("host.nested", machine())[0].verdict == "n/a"
    asking = stand_in.domain("gpu", inside="<devices><hostdev type='pci'/></devices>")
    assert ask("host.iommu", machine())[0].verdict == "n/a"
    groups = machine({"/sys/kernel/iommu_groups/0": None})
    host = stand_in.host(domains=[asking])
    assert ask("host.iommu", groups, host=host)[0].verdict == "ok"
    (seen,) = ask("host.iommu", machine(), host=host)
    assert seen.verdict == "fail"
    assert "gpu" in seen.evidence
