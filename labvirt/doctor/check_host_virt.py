"""Checks of hardware virtualisation: flags, modules, the device, and a guest that really runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.doctor import reading
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.errors import WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case

__all__ = ["bios_advice", "boot_sector", "count_flags"]

_X86: Final = ("x86_64", "i686")
_RAN: Final = 33
# mov al,0x10; out 0xf4,al; hlt: a guest that gets this far ends QEMU with (0x10 << 1) | 1. The file
# has no name any more when QEMU starts: nothing is left behind, whatever happens.
_PROBE: Final = r"""
f=$(mktemp) || exit 90
exec 3<>"$f"; rm -f "$f"
{ printf '\260\020\346\364\364\353\375'
  dd if=/dev/zero bs=503 count=1 2>/dev/null; printf '\125\252'; } >&3
exec timeout -s KILL 2 "$1" -accel kvm -machine pc -m 1 -display none -nodefaults -no-user-config \
  -no-reboot -drive file=/proc/self/fd/3,format=raw,if=ide \
  -device isa-debug-exit,iobase=0xf4,iosize=1 </dev/null
"""
_LACKING: Final = "without that right guests run under TCG, several times slower"
_ELSEWHERE: Final = "use a machine on which KVM runs; labvirt runs guests as type qemu (TCG) here"


def count_flags(cpuinfo: str) -> tuple[int, int, str, bool]:
    """Count the CPUs with hardware virtualisation (G17.6-02).

    Args:
        cpuinfo: text of ``/proc/cpuinfo``.

    Returns:
        CPUs with it, all CPUs, the flag (``vmx`` Intel VT, ``svm`` AMD-V; empty), and whether the
        machine is a virtual one itself.
    """
    flags = [
        set(line.partition(":")[2].split())
        for line in cpuinfo.splitlines()
        if line.startswith("flags")
    ]
    flag = next((one for one in ("vmx", "svm") if any(one in each for each in flags)), "")
    having = sum(flag in each for each in flags) if flag else 0
    return having, len(flags), flag, any("hypervisor" in each for each in flags)


def vendor_of(cpuinfo: str) -> str:
    """Return the maker of the CPU as ``/proc/cpuinfo`` names it."""
    lines = (line for line in cpuinfo.splitlines() if line.startswith("vendor_id"))
    return next(lines, "").partition(":")[2].strip()


def bios_advice(vendor: str) -> str:
    """Return how virtualisation is switched on in the firmware's setup (G19.2-01, G19.2-02)."""
    where = {
        "GenuineIntel": "'Intel Virtualization Technology' (VT-x), in Advanced, Processor or Security",
        "AuthenticAMD": "'SVM Mode' (AMD-V), in Advanced, CPU Configuration",
    }.get(vendor, "virtualisation (VT-x or SVM), in Advanced, Chipset, Processor or Security")
    return (
        f"enter the firmware's setup (Delete, F2 or F10 at power-on), switch on {where}; save, "
        "power off and unplug for a moment; then: grep -cE 'vmx|svm' /proc/cpuinfo"
    )


def _cpuinfo(case: Case) -> str:
    return reading.text(case, "/proc/cpuinfo") or ""


def _modules(case: Case) -> list[str]:
    found = reading.names(case, "/sys/module")
    return [one for one in found if one == "kvm" or one.startswith("kvm_")]


def _emulator(case: Case) -> str:
    """Return the program that runs x86 guests; empty when there is none."""
    seen = case.patient.once("capabilities", case.host.capabilities)
    guest = seen.guest() if seen.arch in _X86 else None
    return guest.emulator if guest else ""


def boot_sector(case: Case) -> tuple[bool, str]:
    """Run a boot sector under KVM on the machine: nothing else tells the truth (G17.6-01).

    Returns:
        Whether it ran, and what was seen.
    """
    emulator = _emulator(case)
    if not emulator:
        return False, "there is no QEMU for x86 that could try it"
    try:
        done = reading.ran(case, "sh", "-c", _PROBE, "probe", emulator, timeout_s=3.5)
    except WaitTimeoutError:
        return False, "a boot sector under kvm did not end after 3.5 s"
    if done is None or done.code == 90:
        return False, "there is no shell or no room for a file that could try it"
    if done.code == _RAN:
        return True, "a boot sector ran under kvm"
    if done.code in {124, 137, -9}:
        return False, "a boot sector under kvm timed out after 2 s"
    said = (done.err.strip().splitlines() or ["nothing"])[-1]
    return False, f"QEMU under kvm ended with {done.code} and said: {said}"


@check(
    "host.acceleration",
    "Do guests really run with hardware acceleration?",
    guide="G17.6-01",
    limit_s=5.0,
)
def acceleration(case: Case) -> Seen:
    """Take what the opening of the host has proved, else run a boot sector."""
    if not reading.is_qemu(case):
        return not_here("only of QEMU it is known how to try it")
    facts = case.host.facts
    if facts.virt == "kvm":
        return ok("a boot sector ran under kvm when the host was opened")
    if facts.virt == "qemu" and facts.virt_why and not case.patient.deep:
        return _without(case, facts.virt_why)
    if not case.machine.exists("/dev/kvm"):
        return _slow("/dev/kvm is not there", "this kernel has no KVM", _flags_hint(case))
    works, why = boot_sector(case)
    return ok(why) if works else _without(case, why)


def _without(case: Case, why: str) -> Seen:
    """Say what keeps guests from running under KVM."""
    if any(one in why for one in ("Permission denied", "may not open", "no right")):
        if case.host.facts.virt is None and not reading.is_session(case):
            return unknown(f"this user cannot try it: {why}", "run labvirt doctor as root there")
        return _slow(why, "QEMU may not open /dev/kvm", "see host.kvm-device")
    if "timed out" in why or "did not end" in why:
        return _slow(
            f"{why}, though /dev/kvm opens{_promise(case)}",
            "KVM is there but broken below: a guest never gets through its firmware"
            + (", the hypervisor under this machine does not carry it" if _is_guest(case) else ""),
            _ELSEWHERE,
        )
    return _slow(why, "QEMU cannot use KVM", _flags_hint(case))


def _slow(evidence: str, cause: str, remedy: str) -> Seen:
    return warning(evidence, f"{cause}; guests run under TCG, several times slower", remedy)


def _promise(case: Case) -> str:
    guests = case.patient.once("capabilities", case.host.capabilities).guests
    said = any("kvm" in one.domain_types for one in guests)
    return " and libvirt calls KVM supported" if said else ""


def _is_guest(case: Case) -> bool:
    return count_flags(_cpuinfo(case))[3]


def _flags_hint(case: Case) -> str:
    return "see host.virt-flags" if not count_flags(_cpuinfo(case))[0] else "see host.kvm-module"


@check(
    "host.virt-flags",
    "Does the CPU offer hardware virtualisation?",
    guide="G19.2-01",
    needs="machine",
)
def virt_flags(case: Case) -> Seen:
    """Count the flags, and tell why there are none: the firmware, or a hypervisor below."""
    cpuinfo = _cpuinfo(case)
    having, cpus, flag, is_guest = count_flags(cpuinfo)
    if not cpus:
        return not_here("not an x86 machine: there are no such flags")
    seen = f"{flag} on {having} of {cpus} CPUs" if flag else f"neither vmx nor svm on {cpus} CPUs"
    log = reading.ran(case, "dmesg")
    off = [line for line in (log.out if log else "").splitlines() if "disabled by bios" in line]
    advice = bios_advice(vendor_of(cpuinfo))
    if off:
        said = "the firmware (BIOS) has switched it off"
        return fail(f"{seen}; {off[-1].strip()}", said, advice)
    if flag and having < cpus:
        return warning(seen, "not every CPU has it", advice)
    if flag:
        return ok(f"{seen} ({'Intel VT' if flag == 'vmx' else 'AMD-V'})")
    return _no_flags(case, seen, advice, is_guest=is_guest)


def _no_flags(case: Case, seen: str, advice: str, *, is_guest: bool) -> Seen:
    if case.host.facts.virt == "kvm":
        return ok(f"{seen}, yet guests run under KVM")
    if is_guest:
        return warning(
            f"{seen}; the flag hypervisor is there",
            "this machine is a virtual one, and its host passes no virtualisation on",
            "on its host: modprobe kvm_amd nested=1 (kvm_intel nested=1), and the CPU mode "
            "host-passthrough for this machine",
        )
    return warning(seen, "the CPU has none, or the firmware hides it", advice)


@check("host.kvm-module", "Is KVM loaded into the kernel?", guide="G17.6-01", needs="machine")
def kvm_module(case: Case) -> Seen:
    """Look for kvm and the module of the CPU's maker."""
    loaded = _modules(case)
    cpuinfo = _cpuinfo(case)
    having, cpus, flag, _ = count_flags(cpuinfo)
    if any(one != "kvm" for one in loaded) or (loaded and not cpus):
        return ok(", ".join(loaded))
    wanted = {"vmx": "kvm_intel", "svm": "kvm_amd"}.get(flag, "kvm")
    if cpus and not having:
        return not_here("the CPU offers nothing that it could use: see host.virt-flags")
    seen = f"loaded: {', '.join(loaded) or 'none of kvm'}"
    remedy = f"modprobe {wanted}; echo {wanted} > /etc/modules-load.d/kvm.conf"
    return warning(seen, f"the module {wanted} is missing: guests run under TCG", remedy)


@check("host.kvm-device", "May QEMU use /dev/kvm?", guide="G17.6-01", needs="machine")
def kvm_device(case: Case) -> Seen:
    """Look at the device's rights, and at the user who runs QEMU."""
    seen = reading.ran(case, "stat", "-Lc", "%a %u %g %U %G", "/dev/kvm")
    if not seen:
        return not_here("/dev/kvm is not there: see host.kvm-module")
    mode, uid, gid, owner, group = seen.out.split()
    shown = f"/dev/kvm {mode} {owner}:{group}"
    bits = int(mode, 8)
    open_to_group = group == "kvm" and bits & 0o060 == 0o060
    first = "" if open_to_group else "chgrp kvm /dev/kvm; chmod 0660 /dev/kvm; "
    if reading.is_session(case) or reading.is_lab(case):
        return _own_device(case, shown, first)
    user = reading.qemu_user(case)
    if user in {"root", "+0", "0"} or bits & 0o006 == 0o006:
        return ok(f"{shown}; QEMU runs as {user}")
    who = reading.ran(case, "id", user.lstrip("+"))
    if not who:
        return unknown(f"{shown}; user {user} of QEMU is not known")
    mine, groups = _identity(who.out)
    if (mine == uid and bits & 0o600 == 0o600) or (gid in groups and bits & 0o060 == 0o060):
        return ok(f"{shown}; {who.out.strip()}")
    remedy = f"{first}usermod -aG kvm {user}; systemctl restart libvirtd"
    return warning(f"{shown}; {who.out.strip()}", f"QEMU runs as {user}: {_LACKING}", remedy)


def _own_device(case: Case, shown: str, first: str) -> Seen:
    """Judge the device for a daemon whose guests run as its own user: a session, a lab."""
    may = reading.ran(case, "sh", "-c", "test -r /dev/kvm && test -w /dev/kvm")
    who = reading.ran(case, "id", "-un")
    user = who.out.strip() if who else "USER"
    if user == "root":  # perhaps only in the lab's own user namespace
        user = reading.user_here()
    if may:
        return ok(f"{shown}; {user} may use it")
    remedy = f"{first}usermod -aG kvm {user}, then log in again (a lab: start it again)"
    return warning(shown, f"user {user} may not use it: {_LACKING}", remedy)


def _identity(said: str) -> tuple[str, set[str]]:
    """Return user and groups, by number, of a line of ``id``."""
    groups = said.partition("groups=")[2].split(",")
    return (
        said.partition("uid=")[2].partition("(")[0].split()[0],
        {one.partition("(")[0].strip() for one in groups},
    )


@check(
    "host.nested", "May guests run guests of their own by KVM?", guide="G17.6-01", needs="machine"
)
def nested(case: Case) -> Seen:
    """Look at the module's parameter; off is no fault."""
    for module in ("kvm_intel", "kvm_amd"):
        value = reading.text(case, f"/sys/module/{module}/parameters/nested")
        if value is not None:
            on = value.strip() in {"Y", "1"}
            more = (
                "" if on else f"; to have it: options {module} nested=1 in /etc/modprobe.d/kvm.conf"
            )
            return ok(f"{module} nested={value.strip()}{more}")
    return not_here("neither kvm_intel nor kvm_amd is there")


@check("host.iommu", "Can devices of the machine be given to guests?")
def iommu(case: Case) -> Iterator[Seen]:
    """Look for IOMMU groups when a domain asks for a PCI device."""
    groups = reading.names(case, "/sys/kernel/iommu_groups")
    asking = [
        domain.name
        for domain in case.patient.domains
        if case.patient.document(domain).element.find("devices/hostdev[@type='pci']") is not None
    ]
    if groups:
        yield ok(f"{len(groups)} IOMMU groups")
    elif asking:
        yield fail(
            f"/sys/kernel/iommu_groups is empty; PCI devices of the host in: {', '.join(asking)}",
            "the IOMMU is off: these domains cannot start",
            "switch VT-d (AMD-Vi) on in the firmware; kernel parameters intel_iommu=on iommu=pt",
        )
    else:
        yield not_here("no IOMMU groups, and no domain that asks for a PCI device")
