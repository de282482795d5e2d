"""Checks of a domain's machine: what it asks of the host's hypervisor and processor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from labvirt.doctor.check_domain import redefined, virsh
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.hypervisor import is_there
from labvirt.host import examined

if TYPE_CHECKING:
    from labvirt.doctor.case import Case
    from labvirt.model.xml.capabilities import CpuMode, GuestCapability
    from labvirt.model.xml.domain import DomainXml
    from labvirt.status.finding import Verdict

__all__ = ["to_host_model"]

#: An offset of a clock that nobody can have meant.
_SHIFT_S: Final = 60


def _stored(case: Case) -> DomainXml:
    return case.patient.document(case.domain, stored=case.record.persistent)


def _kinds(case: Case, document: DomainXml) -> list[GuestCapability]:
    return [one for one in case.patient.capabilities.guests if one.arch == document.arch]


@check("domain.virt", "Can the host run {name} as it asks to run?", guide="G17.6-01")
def virt(case: Case) -> Seen:
    """Compare the kind of the domain (kvm, qemu, xen) with what the host offers."""
    document = _stored(case)
    asked, arch = document.type or "", document.arch or "?"
    offered = sorted({kind for one in _kinds(case, document) for kind in one.domain_types})
    seen = f"it asks for {asked} on {arch}; the host offers {', '.join(offered) or 'nothing'}"
    if not offered:
        cause = f"the host has no hypervisor for {arch}"
        return fail(seen, cause, _install(arch))
    proved = case.host.facts.virt
    edit = f"{virsh(case, 'edit', case.name)}: <domain type='qemu'>"
    if asked == "kvm" and ("kvm" not in offered or proved == "qemu"):
        cause = "KVM does not work on the host; see host.acceleration"
        return fail(seen, cause, f"{edit} runs it slowly, under TCG", fix=redefined(case, _slowly))
    if asked not in offered:
        fix = redefined(case, _slowly) if "qemu" in offered else None
        return fail(seen, f"the host runs no guests of type {asked}", edit, fix=fix)
    if asked == "qemu" and "kvm" in offered and proved != "qemu" and _same_arch(case, arch):
        cause = "it runs under TCG, several times slower than under KVM, which the host offers"
        remedy = f"{virsh(case, 'edit', case.name)}: <domain type='kvm'>"
        return warning(seen, cause, remedy)
    return ok(seen)


def _slowly(document: DomainXml) -> None:
    """Let a definition run under TCG, which gives no processor of the host."""
    document.type = "qemu"
    if document.cpu_mode == "host-passthrough":
        document.cpu_mode, document.cpu_check, document.cpu_migratable = "maximum", None, None


def _same_arch(case: Case, arch: str) -> bool:
    return case.patient.capabilities.arch == arch


def _install(arch: str) -> str:
    debian = {"x86_64": "qemu-system-x86", "i686": "qemu-system-x86", "aarch64": "qemu-system-arm"}
    fedora = {"x86_64": "qemu-system-x86-core", "aarch64": "qemu-system-aarch64-core"}
    return (
        f"Debian, Ubuntu: apt install {debian.get(arch, 'qemu-system-misc')}; "
        f"Fedora: dnf install {fedora.get(arch, 'qemu-system-' + arch)}; RHEL: dnf install qemu-kvm"
    )


@check("domain.machine", "Does the host know the machine type of {name}?", guide="G12.1-02")
def machine(case: Case) -> Seen:
    """Look the machine type up in what the host's QEMU knows."""
    document = _stored(case)
    name = document.machine or ""
    known = {
        full
        for one in _kinds(case, document)
        for full in (*one.machines, *one.canonical, *one.canonical.values())
    }
    if not known:
        return unknown("the host tells no machine types")
    if not name or name in known:
        return ok(f"{name or 'the usual one'}, one of {len(known)}")
    family = name.rpartition("-")[0]
    near = sorted((one for one in known if family and one.startswith(family)), key=_version)
    seen = f"{name}; known are {', '.join(near[-3:]) or 'none of its kind'}"
    cause = "QEMU of the host is older than the domain, or has dropped this old machine type"
    newest = near[-1] if near else "pc" if "pc" in known else min(known)
    fix = partial(case.domain.change.plan, machine=newest) if case.record.persistent else None
    remedy = f"domain.change(machine={newest!r}): the guest sees other hardware; or update QEMU"
    return fail(seen, cause, remedy, fix=fix)


def _version(name: str) -> list[int]:
    return [int(part) for part in name.rpartition("-")[2].split(".") if part.isdecimal()]


@check("domain.cpu", "Can the host give {name} its processor?", guide="G12.1-02")
def cpu(case: Case) -> Seen:
    """Compare mode and model of the processor with what libvirt says of the host."""
    document = _stored(case)
    mode = document.cpu_mode or ("custom" if document.cpu_model else "")
    if not mode:
        return ok("QEMU's usual processor")
    if document.type == "kvm" and mode == "host-passthrough":
        return ok("that of the host")
    known = case.patient.capabilities_for(document).cpu_modes.get(mode)
    if known is None:
        return unknown(f"libvirt tells nothing of mode {mode}")
    remedy = (
        f"{virsh(case, 'edit', case.name)}: <cpu mode='host-model'/>, or a model that is usable"
    )
    fix = redefined(case, to_host_model)
    if not known.is_supported:
        cause = f"mode {mode} does not work with domains of type {document.type}"
        return fail(f"mode {mode}", cause, remedy, fix=fix)
    verdict, seen, cause = _model(case, document, known)
    return Seen(verdict, seen, cause, remedy if cause else "", fix if cause else None)


def _model(case: Case, document: DomainXml, known: CpuMode) -> tuple[Verdict, str, str]:
    """Judge a model by name: verdict, what was seen, and the cause when it is not well."""
    model = document.cpu_model
    if not model or known.name != "custom":
        return "ok", f"mode {known.name}" + (f", model {model}" if model else ""), ""
    if case.record.is_active:
        return "ok", f"model {model}; it runs", ""
    if model in known.usable_models:
        return _features(case, document)
    seen = f"model {model}; usable are {', '.join(known.usable_models[:6])} ..."
    if model not in known.models:
        return "fail", seen, "libvirt does not know the model"
    if document.cpu_check == "none":
        return "warning", seen, "the host lacks features of the model: the guest will miss them"
    cause = "the host's processor lacks features of the model: the domain cannot start"
    return "fail", seen, cause


def _features(case: Case, document: DomainXml) -> tuple[Verdict, str, str]:
    """Judge the features that are asked for beside a usable model."""
    seen = f"model {document.cpu_model} is usable"
    wanted = [one.name or "" for one in document.cpu_features if one.policy == "require"]
    if not wanted or document.cpu_check == "none":
        return "ok", seen, ""
    seen += f"; features required: {', '.join(wanted)}"
    if examined.gives_cpu(case.host, document) is not False:
        return "ok", seen, ""
    cause = "the host's processor lacks a feature that is required: the domain cannot start"
    return "fail", seen, cause


def to_host_model(document: DomainXml) -> None:
    """Let a domain have what its host has; features that it insisted on go too."""
    cpu = document.element.find("cpu")
    if cpu is not None:
        for each in cpu.findall("feature"):
            if each.get("policy", "require") in {"require", "force"}:
                cpu.remove(each)
    document.cpu_fallback = document.cpu_model = document.cpu_match = document.cpu_check = None
    document.cpu_mode = "host-model"


@check("domain.emulator", "Is the emulator of {name} there?", guide="G17.7-02")
def emulator(case: Case) -> Seen:
    """Look at the program that runs the domain."""
    document = _stored(case)
    path = document.emulator
    if not path:
        return ok("that of the host")
    known = sorted({one.emulator for one in _kinds(case, document) if one.emulator})
    if path in known:
        return ok(f"{path}, which libvirt knows")
    if case.machine.run("test", "-x", path):
        return ok(f"{path}, not one of libvirt's own choice: {', '.join(known) or 'none'}")
    cause = "the program is not there, or may not be run: the definition is of another distribution"
    edit = f"{virsh(case, 'edit', case.name)}: <emulator>{known[0] if known else '...'}</emulator>"
    fix = (
        redefined(case, lambda document: setattr(document, "emulator", known[0])) if known else None
    )
    return fail(f"{path}; here it is {', '.join(known) or 'nowhere'}", cause, edit, fix=fix)


@check("domain.clock", "Does {name} start with the right time?", guide="G11-17")
def clock(case: Case) -> Seen:
    """Look at the offset of the guest's clock, and at its timers."""
    document = _stored(case)
    seen, found = _offset(case, document)
    if found is not None:
        cause, right = found
        fix = (
            partial(
                case.domain.change.plan,
                clock_offset=right,
                clock_adjustment=None,
                clock_basis=None,
            )
            if case.record.persistent
            else None
        )
        return warning(seen, cause, f"domain.change(clock_offset={right!r})", fix=fix)
    if _lacks_kvmclock(case, document):
        cause = "kvmclock is switched off: the guest reads the TSC itself and may drift"
        return warning(seen, cause, f"{virsh(case, 'edit', case.name)}: without that <timer>")
    if document.timers:
        seen += "; timers " + ", ".join(_timer(each) for each in document.timers)
    return ok(seen)


def _lacks_kvmclock(case: Case, document: DomainXml) -> bool:
    if document.type != "kvm" or _is_windows(case):
        return False
    return any(each.name == "kvmclock" and each.present is False for each in document.timers)


def _is_windows(case: Case) -> bool:
    return case.record.os.lower().startswith(("win", "microsoft"))


def _offset(case: Case, document: DomainXml) -> tuple[str, tuple[str, str] | None]:
    """Return what was seen, and when it is wrong why, and the right offset."""
    offset, shift = document.clock_offset or "utc", document.clock_adjustment or "0"
    seen = f"offset {offset}" + (f", adjusted by {shift} s" if shift not in {"0", ""} else "")
    number = int(shift) if shift.lstrip("-").isdecimal() else 0
    found = None
    if offset == "absolute":
        found = ("the guest begins at a fixed moment at each start, not at today's time", "utc")
    elif offset == "variable" and abs(number) > _SHIFT_S:
        found = (f"the guest starts with its clock {number:+} s off", "utc")
    elif _is_windows(case) and offset == "utc":
        found = ("Windows takes the hardware clock for local time, and it shows UTC", "localtime")
    elif case.record.os and not _is_windows(case) and offset == "localtime":
        found = ("Linux takes the hardware clock for UTC, and it shows local time", "utc")
    return seen, found


def _timer(timer: object) -> str:
    name, policy = getattr(timer, "name", ""), getattr(timer, "tick_policy", None)
    if getattr(timer, "present", None) is False:
        return f"no {name}"
    return f"{name} {policy}" if policy else str(name)


@check("domain.tpm", "Is there what the TPM of {name} needs?", guide="G12.1-02")
def tpm(case: Case) -> Seen:
    """Look for swtpm, or for the host's own TPM."""
    devices = _stored(case).tpms
    if not devices:
        return not_here("it has none")
    device = devices[0]
    if device.backend_type == "passthrough":
        path = device.backend_device or "/dev/tpm0"
        if is_there(case.machine, path) is not False:
            return ok(f"{path} of the host")
        return fail(path, "the host has no such TPM", "an emulated TPM: <backend type='emulator'/>")
    if device.backend_type == "external":
        return ok("a TPM that somebody else serves")
    if case.machine.has("swtpm") and case.machine.has("swtpm_setup"):
        return ok("swtpm and swtpm_setup are installed")
    remedy = "Debian, Ubuntu: apt install swtpm swtpm-tools; Fedora, RHEL: dnf install swtpm"
    return fail("swtpm is not there", "without it the domain cannot start", remedy)
