"""Checks of how a domain boots: from what, in which order, with which kernel and firmware."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.check_domain import virsh
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.sector import boots
from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case
    from labvirt.model.xml.domain import DomainXml

__all__: list[str] = []

_KINDS: Final = {"hd": "disk", "cdrom": "CD drive", "fd": "floppy drive", "network": "interface"}


@dataclass(frozen=True)
class _Way:
    """A device from which the guest may boot, in the order in which it is tried.

    Attributes:
        name: of the device, as `Domain.set_boot_order` takes it.
        kind: ``hd``, ``cdrom``, ``fd`` or ``network``.
        has: whether something to boot is in it; None when that cannot be seen.
        said: what was seen.
    """

    name: str
    kind: str
    has: bool | None
    said: str

    def __str__(self) -> str:
        return f"{_KINDS[self.kind]} {self.name}: {self.said}"


def _stored(case: Case) -> DomainXml:
    return case.patient.document(case.domain, stored=case.record.persistent)


@check("domain.boot", "Does {name} find something to boot?", guide="G3.2-11")
def boot(case: Case) -> Seen:
    """Follow the boot order, and look whether the devices in it have something to boot."""
    document = _stored(case)
    if document.kernel:
        return ok(f"it boots the kernel {document.kernel} directly")
    if (document.os_type or "hvm") != "hvm":
        return not_here("it has no firmware")
    ways = [_judged(case, document, name, view) for name, view in _devices(document)]
    order = _order(document, ways)
    told = "; ".join(str(each) for each in order) or "nothing is in the boot order"
    if any(each.has for each in order):
        return _first(case, order, told)
    better = [each for each in ways if each not in order and each.has]
    better += [each for each in ways if each not in order and each.has is None]
    if better and (not order or better[0].has):
        names = [each.name for each in (*better, *order)]
        cause = f"the boot order leaves out {better[0]}"
        fix = _reorder(case, names)
        return fail(told, cause, f"domain.set_boot_order({names!r})", fix=fix)
    if any(each.has is None for each in order):
        return unknown(told)
    cause = "nothing in the boot order has a system in it"
    remedy = "give it a disk with a system, a CD to install from, or a network that boots (PXE)"
    return fail(told, cause, remedy)


def _first(case: Case, order: list[_Way], told: str) -> Seen:
    """Judge the order when something in it boots."""
    at = next(place for place, each in enumerate(order) if each.has)
    before = [each for each in order[:at] if each.has is False]
    if not before:
        return ok(told)
    names = [order[at].name, *(each.name for each in order if each is not order[at])]
    fix = _reorder(case, names)
    remedy = f"domain.set_boot_order({names!r})"
    if any(each.kind == "hd" for each in before):
        cause = f"{before[0].name} is tried first and holds no system; {order[at].name} does"
        return fail(told, cause, remedy, fix=fix)
    if all(each.kind in {"cdrom", "fd"} for each in before):
        return ok(told)  # an empty drive costs no time
    cause = "the network is tried first, and it offers nothing to boot: each start waits for it"
    return warning(told, cause, remedy, fix=fix)


def _reorder(case: Case, names: list[str]) -> Any:
    return (lambda: case.domain.set_boot_order.plan(names)) if case.record.persistent else None


def _devices(document: DomainXml) -> Iterator[tuple[str, Any]]:
    for disk in document.disks:
        yield disk.target or "", disk
    for nic in document.interfaces:
        yield nic.mac or "", nic


def _order(document: DomainXml, ways: list[_Way]) -> list[_Way]:
    """Return the devices that are tried, in order; libvirt lets the firmware try no other."""
    by_name = {each.name: each for each in ways}
    placed = [(view.boot_order, name) for name, view in _devices(document) if view.boot_order]
    if placed:
        return [by_name[name] for _, name in sorted(placed)]
    order: list[_Way] = []
    for kind in document.boot_order or ("hd",):
        # Of each kind the first is booted from.
        order += [each for each in ways if each.kind == kind][:1]
    return order


def _judged(case: Case, document: DomainXml, name: str, view: Any) -> _Way:
    if view.TAG == "interface":
        return _Way(name, "network", *_network(case, view))
    kind = {"cdrom": "cdrom", "floppy": "fd"}.get(view.device or "disk", "hd")
    if kind != "hd":
        there = bool(view.source_path or view.source_volume or view.source_name)
        return _Way(name, kind, there, view.source_path or ("a medium" if there else "empty"))
    path = view.source_file or view.source_dev
    if path is None:
        return _Way(name, kind, None, "what is in it cannot be seen from here")
    if document.loader or document.firmware == "efi":
        return _Way(name, kind, has=True, said=path)
    found = _boots(case, path, view.driver_type or "raw")
    said = {True: "has a boot record", False: "has no boot record", None: "cannot be read"}[found]
    return _Way(name, kind, found, f"{path} {said}")


def _boots(case: Case, path: str, kind: str) -> bool | None:
    try:
        return boots(case.machine, path, kind)
    except LabvirtError:
        return None


def _network(case: Case, nic: Any) -> tuple[bool | None, str]:
    """Return whether a network offers something to boot; of a real one nobody knows."""
    if nic.type == "user":
        return False, "QEMU's own network offers nothing to boot"
    if nic.type != "network":
        return None, f"a {nic.type} interface; whether it offers a boot file is not known"
    for network in case.patient.networks:
        if network.name == nic.source_network:
            root = case.patient.network_document(network).root
            if root.find("forward[@mode='bridge']") is not None:
                return None, f"network {network.name} is a bridge; who serves it is not known"
            offers = root.find("ip/dhcp/bootp") is not None
            return offers, f"network {network.name} offers {'a' if offers else 'no'} boot file"
    return False, f"there is no network {nic.source_network}"


@check("domain.kernel", "Can {name} start its kernel?", guide="G11-06")
def kernel(case: Case) -> Seen | list[Seen]:
    """Look at the files of a direct kernel boot and at its command line."""
    document = _stored(case)
    if not document.kernel:
        return not_here("the firmware boots it")
    found = list(_files(case, document))
    found += _cmdline(document)
    return found or ok(f"{document.kernel}; {document.cmdline or 'no command line'}")


def _files(case: Case, document: DomainXml) -> Iterator[Seen]:
    pairs = (("kernel", document.kernel), ("initrd", document.initrd))
    for what, path in pairs:
        if path and not case.machine.exists(path):
            cause = f"the {what} is not there: the domain cannot start"
            edit = f"{virsh(case, 'edit', case.name)}: <{what}> in <os>"
            yield fail(path, cause, f"ls -l {path}; {edit}", about=what)


def _cmdline(document: DomainXml) -> Iterator[Seen]:
    line = document.cmdline or ""
    words = dict(word.partition("=")[::2] for word in line.split())
    disks = {each.target for each in document.disks}
    edit = "domain.change(cmdline=...)"
    root = words.get("root", "")
    if disk := re.fullmatch(r"/dev/((?:[vsh]|xv)d[a-z]+)\d*", root):
        if disk[1] not in disks and not _renamed(disk[1], document):
            have = ", ".join(sorted(filter(None, disks))) or "none"
            cause = f"the kernel is told to mount {root}, and its disks are: {have}"
            yield fail(line, cause, f"{edit} with another root=", about="root")
    elif root and not document.initrd and root.startswith(("UUID=", "LABEL=", "/dev/mapper/")):
        cause = f"without an initrd the kernel does not find {root}"
        yield fail(line, cause, "give the initrd that belongs to the kernel", about="root")
    for name in ("init", "rdinit"):
        value = words.get(name)
        if value is not None and value not in {"/sbin/init", "/init", "/lib/systemd/systemd"}:
            cause = f"{name}={value} replaces the first program of the guest"
            yield warning(line, cause, f"{edit} without {name}=", about=name)
    for word in ("single", "emergency", "rescue", "break", "systemd.unit"):
        if word in words and "." not in words[word].replace(".target", ""):
            target = words[word]
            if word == "systemd.unit" and target not in {"rescue.target", "emergency.target"}:
                continue
            cause = f"{word} keeps the guest from starting its services"
            yield warning(line, cause, f"{edit} without it", about=word)
    yield from _console(document, line, edit)


def _renamed(name: str, document: DomainXml) -> bool:
    """Whether a guest may give a disk another name than libvirt: SCSI, SATA, IDE and USB all count."""
    others = [each for each in document.disks if each.bus in {"scsi", "sata", "ide", "usb"}]
    number = ord(name[-1]) - ord("a")
    return name.startswith(("sd", "hd")) and number < len(others)


def _console(document: DomainXml, line: str, edit: str) -> Iterator[Seen]:
    """Look whether the kernel writes to a serial port that the domain has."""
    if not document.serials and not document.consoles:
        return
    consoles = re.findall(r"(?:^|\s)console=(\w+)", line)
    ports = [f"ttyS{number}" for number in range(len(document.serials))]
    virtio = [each for each in document.consoles if each.target_type == "virtio"]
    ports += [f"hvc{number}" for number in range(len(virtio))]
    if document.arch in {"aarch64", "riscv64", "s390x", "ppc64le"}:
        return
    serial = [each for each in consoles if each.startswith(("ttyS", "hvc"))]
    if not serial:
        cause = "the kernel does not write to the serial line: its console stays empty"
        yield warning(
            line or "no command line", cause, f"{edit} with console=ttyS0", about="console"
        )
    elif not set(serial) & set(ports):
        cause = f"the kernel writes to {', '.join(serial)}; the domain has {', '.join(ports)}"
        yield warning(line, cause, f"{edit} with console={ports[0]}", about="console")


@check("domain.nvram", "Are the settings of the firmware of {name} there?", guide="G12.1-02")
def nvram(case: Case) -> Seen:
    """Look at the file of the firmware's variables."""
    document = case.document
    if not document.nvram:
        return not_here("the machine's own BIOS" if not document.loader else "no settings are kept")
    if case.machine.exists(document.nvram):
        return ok(document.nvram)
    template = document.nvram_template
    lost = "boot entries and Secure Boot keys of the guest are lost"
    if template and not case.machine.exists(template):
        cause = f"neither the file nor its template {template} is there: it cannot start"
        return fail(document.nvram, cause, _install_firmware())
    if case.record.is_active or not template:
        cause = f"the file is gone; {lost}"
        remedy = f"copy it back, or {virsh(case, 'start', '--reset-nvram', case.name)}"
        return fail(document.nvram, cause, remedy)
    cause = f"the file is not there: the next start makes it from {template}; {lost}"
    return warning(document.nvram, cause, "copy it back when the guest had boot entries of its own")


@check("domain.firmware", "Has the host the firmware of {name}?", guide="G12.1-02")
def firmware(case: Case) -> Seen:
    """Look at the firmware's image, or whether libvirt finds one of the kind."""
    document = _stored(case)
    if document.loader:
        if not case.machine.exists(document.loader):
            cause = "the firmware's image is not there: the domain cannot start"
            return fail(document.loader, cause, _install_firmware())
        if document.loader_secure and not document.smm:
            cause = "Secure Boot without <smm state='on'/> protects nothing, and libvirt refuses it"
            fix = partial(case.domain.change.plan, smm=True)
            return fail(document.loader, cause, "domain.change(smm=True)", fix=fix)
        return ok(document.loader)
    if document.firmware != "efi":
        return not_here("the machine's own BIOS")
    known = case.patient.capabilities_for(document)
    if "efi" in known.firmwares:
        return ok(f"firmware of kind efi: {', '.join(known.loaders) or 'libvirt finds one'}")
    have = ", ".join(known.firmwares) or "none"
    return fail(
        f"libvirt finds: {have}", "there is no EFI firmware on the host", _install_firmware()
    )


def _install_firmware() -> str:
    return "Debian, Ubuntu: apt install ovmf; Fedora, RHEL: dnf install edk2-ovmf"
