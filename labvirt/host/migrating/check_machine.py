"""Pre-flight of the machine: type, processor, firmware, TPM, and devices that belong to one host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.model.movable import movable
from labvirt.status.finding import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.migrating.sides import Look

__all__ = [
    "check_cpu",
    "check_devices",
    "check_emulation",
    "check_firmware",
    "check_kind",
    "check_tpm",
]

#: QEMU's first version that marks every write of an emulated guest.
_TRUE_SINCE: Final = 9
#: Obstacles of `model.movable` about devices: id of the finding, what was asked, what to do.
_DEVICES: Final = {
    "hostdev": ("Has it no device of the host?", "detach it before, attach it again after"),
    "shared-folder": ("Has it no folder of the host?", "unplug it; mount it in the guest by NFS"),
    "shmem": ("Shares it no memory with other guests?", "remove <shmem>, or use role='master'"),
    "transient-disk": ("Keeps it what its disks get?", "leave out <transient/>"),
    "cpu-fixed": ("Can its processor move?", "leave the feature out"),
    "qemu-arguments": ("Has it no arguments for QEMU itself?", "check that they mean the same"),
    "hugepages": ("Does it need no huge pages?", "reserve as many there: virsh allocpages"),
    "vsock": ("Has it no vsock address?", "see that the address is free there, or use auto"),
}


def check_kind(look: Look) -> Iterator[Finding]:
    """Judge architecture, acceleration and machine type (G12.1-02)."""
    document, there = look.document, look.destination
    arch, machine = document.arch or "", document.machine or ""
    fits = [one for one in there.guests if one.arch == arch]
    question = f"Can {there.name} run guests of type {document.type}, {arch}?"
    types = sorted({kind for one in fits for kind in one.domain_types})
    if document.type in types:
        yield Finding("type", question, "ok", f"{arch}: {', '.join(types)}", guide="G12.1-02")
    else:
        what = f"of type {document.type}" if fits else f"for {arch}"
        yield Finding(
            "type",
            question,
            "fail",
            f"{arch}: {', '.join(types) or 'nothing'}",
            f"{there.name} runs no guests {what}",
            "a host with KVM" if document.type == "kvm" else f"install QEMU for {arch} there",
            "G12.1-02",
        )
    question = f"Does {there.name} know the machine type {machine}?"
    known = {full for one in fits for full in (*one.machines, *one.canonical.values())}
    if machine in known:
        yield Finding("machine", question, "ok", f"one of {len(known)}", guide="G12.1-02")
        return
    family = machine.rpartition("-")[0]
    near = sorted(one for one in known if family and one.startswith(family))
    yield Finding(
        "machine",
        question,
        "fail",
        f"it knows {', '.join(near) or 'none of that kind'}",
        f"{there.name} does not know the machine type {machine}",
        f"update QEMU on {there.name}, or give the guest "
        + (f"{near[-1]} and start it anew" if near else "another machine type"),
        "G12.1-02",
    )


def check_emulation(look: Look) -> Iterator[Finding]:
    """Judge whether every write is seen that an emulated guest makes while it is copied.

    QEMU before 9.0 clears its marks of written pages without telling the emulated processor, which
    goes on writing without setting them until it changes its address space (QEMU's commit "physmem:
    Fix migration dirty bitmap coherency with TCG memory access"). Under KVM there is no such thing.
    """
    question = "Is every write seen that it makes while it is copied?"
    version, spec = look.source.hypervisor, look.spec
    kind, how = look.document.type, "live" if spec.live and not spec.offline else "it stands still"
    said = f"{kind}, QEMU {version}, {how}"
    still = spec.offline or not spec.live or look.record.id is None
    true = not version or int(version.partition(".")[0] or 0) >= _TRUE_SINCE
    if kind != "qemu" or still or true:
        yield Finding("emulation", question, "ok", said)
    else:
        cause = "emulated by QEMU before 9.0, a guest that mostly idles may lose writes and crash"
        remedy = "live=False (it stands still meanwhile), KVM, or QEMU 9.0 on the source"
        yield Finding("emulation", question, "warning", said, cause, remedy)


def check_cpu(look: Look) -> Iterator[Finding]:
    """Judge the guest's processor (``virsh hypervisor-cpu-compare``), and propose one for both."""
    document, there = look.document, look.destination
    question = f"Can {there.name} give the guest's processor?"
    name = document.cpu_model or document.cpu_mode or "the default"
    proposed = there.cpu_baseline
    better = f"<cpu mode='custom'><model>{proposed}</model></cpu> runs on both" if proposed else ""
    if document.cpu_mode in {"host-passthrough", "maximum"}:
        evidence = f"{look.source.name}: {look.source.cpu}; {there.name}: {there.cpu}"
        if look.source.cpu != there.cpu:
            cause = f"mode {document.cpu_mode} needs the very same processor, and they differ"
            yield Finding("cpu", question, "fail", evidence, cause, better, "G12.1-02")
        else:
            cause = f"mode {document.cpu_mode}: microcode and kernel must be the same too"
            remedy = better or "a named model, which several kinds of processors can give"
            yield Finding("cpu", question, "warning", evidence, cause, remedy, "G12.1-02")
        return
    if not there.cpu_verdict:
        evidence = "libvirt has not compared it"
        if document.cpu_mode is None or look.spec.offline:
            verdict: Verdict = "n/a" if look.spec.offline else "ok"
            evidence = f"{name}; chosen at the start" if look.spec.offline else name
            yield Finding("cpu", question, verdict, evidence, guide="G12.1-02")
            return
        yield Finding("cpu", question, "unknown", evidence, guide="G12.1-02")
        return
    if there.cpu_verdict == "incompatible":
        cause = f"the processor of {there.name} cannot be {name} with the guest's features"
        remedy = better or "a model that both can give: virsh hypervisor-cpu-baseline"
        yield Finding("cpu", question, "fail", "incompatible", cause, remedy, "G12.1-02")
        return
    yield Finding("cpu", question, "ok", f"{name}: {there.cpu_verdict}", guide="G12.1-02")


def check_firmware(look: Look) -> Iterator[Finding]:
    """Judge whether the firmware is there, and what becomes of its variables."""
    document, there = look.document, look.destination
    question = f"Is its firmware on {there.name}?"
    if document.loader is None:
        yield Finding("firmware", question, "n/a", "the machine's own BIOS")
    elif there.domcaps is None:
        yield Finding("firmware", question, "unknown", document.loader)
    elif document.loader in there.domcaps.loaders:
        yield Finding("firmware", question, "ok", document.loader)
    else:
        yield Finding(
            "firmware",
            question,
            "fail",
            f"it has {', '.join(there.domcaps.loaders) or 'none'}",
            f"{there.name} has no firmware {document.loader}",
            "install the same package (ovmf, edk2-ovmf) there",
        )
    question = "Do the firmware's variables go along?"
    if document.nvram is None:
        yield Finding("nvram", question, "n/a")
    elif look.shared_folder(document.nvram):
        yield Finding("nvram", question, "ok", f"{document.nvram} is shared")
    elif look.spec.offline:
        cause = f"{document.nvram} is not copied by an offline migration"
        yield Finding("nvram", question, "warning", document.nvram, cause, "copy the file there")
    else:
        evidence = f"{document.nvram} is made there; what is in it travels with the memory"
        yield Finding("nvram", question, "ok", evidence)


def check_tpm(look: Look) -> Iterator[Finding]:
    """Judge whether a TPM can move: an emulated one with its state, a real one never."""
    question = "Does its TPM go along?"
    tpms, there = look.document.tpms, look.destination
    if not tpms:
        yield Finding("tpm", question, "n/a")
        return
    if any(one.backend_type == "passthrough" for one in tpms):
        cause = "the TPM of the host is passed through, and it stays with the host"
        yield Finding("tpm", question, "fail", "passthrough", cause, "an emulated TPM (swtpm)")
        return
    known = there.domcaps.enums.get("tpm.backendModel", ()) if there.domcaps else None
    if known is None:
        yield Finding("tpm", question, "unknown", "emulator")
    elif "emulator" not in known:
        cause = f"{there.name} has no emulator of TPMs"
        remedy = f"install swtpm on {there.name}"
        yield Finding(
            "tpm", question, "fail", f"it has {', '.join(known) or 'none'}", cause, remedy
        )
    elif look.spec.offline:
        cause = "an offline migration leaves the state of the TPM behind: sealed keys are lost"
        yield Finding("tpm", question, "warning", "emulator", cause, "move it while it runs")
    else:
        yield Finding("tpm", question, "ok", "emulator: its state travels with the memory")


def check_devices(look: Look) -> Iterator[Finding]:
    """Judge what belongs to one host alone: its devices, folders, shared memory and the like."""
    found = movable(look.document, lambda _path: True, lambda _pool: True).obstacles
    for kind, (question, remedy) in _DEVICES.items():
        those = [one for one in found if one.kind == kind]
        if not those:
            if kind in {"hostdev", "shared-folder", "cpu-fixed"}:
                yield Finding(kind, question, "ok")
            continue
        verdict: Verdict = "fail" if those[0].forbids and not look.spec.offline else "warning"
        evidence = ", ".join(dict.fromkeys(one.what for one in those if one.what))
        cause = "; ".join(map(str, those))
        yield Finding(kind, question, verdict, evidence, cause, remedy)
