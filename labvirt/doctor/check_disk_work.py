"""Checks of how a disk works: errors, room to grow, limits, cache, bus, its server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.disk_files import file_facts, folder_of, line, room_at
from labvirt.doctor.disks import chain_of, disk_of, present
from labvirt.doctor.reaching import DEFAULT_PORTS, reach
from labvirt.errors import LabvirtError
from labvirt.model.virtio import candidates
from labvirt.status.finding import amount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labvirt.doctor.case import Case
    from labvirt.doctor.disks import DiskLook

__all__: list[str] = []

_MIB: Final = 1 << 20
#: With less than this a guest does not come through its start: its own time limits pass (30-120 s).
_STUCK_BYTES, _STUCK_OPS = 1 * _MIB, 20
#: Slower than one turning disk.
_SLOW_BYTES, _SLOW_OPS = 10 * _MIB, 75
#: Below this much room a write that needs a new cluster will soon fail.
_NO_ROOM: Final = 4 * _MIB
_LIMITS: Final = {
    "total_bytes_s": "bytes",
    "read_bytes_s": "bytes",
    "write_bytes_s": "bytes",
    "total_iops": "iops",
    "read_iops": "iops",
    "write_iops": "iops",
}


@check(
    "disk.errors",
    "Does disk {name} work without I/O errors?",
    guide="G17.6-01",
    needs="monitor",
)
def errors(case: Case) -> Seen | None:
    """Ask QEMU about errors, when they have stopped the domain."""
    look = disk_of(case)
    record = case.record
    if not look.running:
        return None
    stopped = record.state.text == "paused" and record.reason == "I/O error"
    if not stopped:
        policy = look.view.error_policy or "enospace"
        return ok(f"{record.state.text}; on an error: {policy}")
    found = case.patient.once(("disk errors", case.domain.uuid), case.domain.disk_errors)
    said = found.get(look.target)
    if said is None:
        return ok("another disk stopped the domain") if found else ok("QEMU names no disk")
    return _stopped(case, look, said)


def _stopped(case: Case, look: DiskLook, said: str) -> Seen:
    domain = case.domain
    evidence = f"virsh domblkerror {domain.name}: {look.target}: {said}; paused by it"
    resume = line("virsh", "resume", domain.name)
    if said != "no-space":
        cause = "the storage below answers with errors: a server, a cable, a disk, a deleted device"
        return fail(evidence, cause, f"dmesg | tail; when the storage works again: {resume}")
    free = _free(case, look)
    if free is not None:
        evidence += f"; {amount(free)} free at {folder_of(look.path)}"
    if free is not None and free > _NO_ROOM:
        cause = "there was no space for the image; there is some again, and the guest waits"
        return fail(evidence, cause, resume, fix=domain.resume.plan)
    cause = "there is no space left where the image lies; nothing is lost while the guest waits"
    return fail(evidence, cause, f"make room (df -h {folder_of(look.path)}), then: {resume}")


def _free(case: Case, look: DiskLook) -> int | None:
    try:
        return room_at(case.patient, folder_of(look.path)).free if look.path else None
    except LabvirtError:
        return None


@check(
    "disk.space",
    "Has the image of disk {name} room to grow?",
    guide="G17.3-02",
    needs="machine",
)
def space(case: Case) -> Seen | None:
    """Compare what a thin image may still grow with the free space where it lies."""
    look = present(case)
    if isinstance(look, Seen) or not look.writes or look.view.source_dev:
        return None
    layer = chain_of(case, look)[0]
    facts = file_facts(case.patient, look.path)
    if not layer.info or facts is None:
        return not_here(f"{look.path} cannot be read: see disk.format and disk.readable")
    virtual = int(layer.info.get("virtual-size", 0))
    return _growth(case, folder_of(look.path), virtual, facts.taken)


def _growth(case: Case, folder: str, virtual: int, taken: int) -> Seen:
    room = room_at(case.patient, folder)
    told = (
        f"{amount(taken)} taken of {amount(virtual)}; {amount(room.free)} free of "
        f"{amount(room.size)} at {folder}"
    )
    if taken >= virtual:
        return ok(told)
    remedy = f"df -h {folder}; make room, or move the disk to another pool (virsh blockcopy)"
    if room.free < _NO_ROOM:
        cause = "the file system is full: the guest's next write into new space stops it"
        return fail(told, cause, remedy)
    if virtual - taken > room.free:
        cause = "the image is thin and may grow beyond what is free: then the guest is stopped"
        return warning(told, cause, remedy)
    return ok(told)


@check("disk.throttle", "Is disk {name} free to work at full speed?", guide="G17.6-01")
def throttle(case: Case) -> Seen | None:
    """Look at the limits of bytes and operations a second."""
    view = disk_of(case).view
    if view.device in ("cdrom", "floppy"):
        return None
    limits = {name: int(value) for name in _LIMITS if (value := getattr(view, name))}
    if not limits:
        return ok("no limits")
    told = ", ".join(
        f"{name.removesuffix('_s')} {_said(name, each)}" for name, each in limits.items()
    )
    bytes_s = min((v for k, v in limits.items() if _LIMITS[k] == "bytes"), default=_SLOW_BYTES)
    ops = min((v for k, v in limits.items() if _LIMITS[k] == "iops"), default=_SLOW_OPS)
    if bytes_s >= _SLOW_BYTES and ops >= _SLOW_OPS:
        return ok(f"limits: {told}")
    domain, target = case.domain, view.target or ""
    names = ("--total-bytes-sec", "--total-iops-sec", "--read-bytes-sec", "--read-iops-sec")
    zeros = [
        word for name in (*names, "--write-bytes-sec", "--write-iops-sec") for word in (name, "0")
    ]
    remedy = line("virsh", "blkdeviotune", domain.name, target, *zeros)
    nothing: dict[str, Any] = dict.fromkeys(limits)
    evidence = f"iotune of {target}: {told}"
    if bytes_s < _STUCK_BYTES or ops < _STUCK_OPS:
        cause = "the disk is throttled to less than any real disk does: the guest seems to hang"
        return fail(evidence, cause, remedy, fix=lambda: domain.update.plan(target, **nothing))
    cause = "the disk is throttled to less than one turning disk does"
    return warning(evidence, cause, remedy, fix=lambda: domain.update.plan(target, **nothing))


def _said(name: str, value: int) -> str:
    return f"{amount(value)}/s" if _LIMITS[name] == "bytes" else f"{value}/s"


@check("disk.cache", "Is the cache mode of disk {name} safe and possible?", guide="G17.6-01")
def cache(case: Case) -> Seen | None:
    """Look at cache and I/O mode together."""
    look = disk_of(case)
    view = look.view
    if look.is_drive:
        return None
    mode, io = view.cache or "default", view.io or ""
    told = f"cache={mode}" + (f", io={io}" if io else "")
    domain, target = case.domain, look.target
    if mode == "unsafe":
        cause = (
            "QEMU ignores the guest's wish to have data on the disk: a crash of the host loses them"
        )
        remedy = f"virsh edit {domain.name}: cache='none' of {target}"
        return warning(told, cause, remedy, fix=lambda: domain.update.plan(target, cache="none"))
    if mode not in ("none", "directsync") and view.shareable:
        cause = "several domains share the disk, and each sees what the host has cached of it"
        remedy = f"virsh edit {domain.name}: cache='none' of {target}"
        return warning(told, cause, remedy, fix=lambda: domain.update.plan(target, cache="none"))
    return ok(told)


@check("disk.bus", "Is disk {name} on a fast bus?", guide="G9.1-07")
def bus(case: Case) -> Seen | None:
    """Look for emulated IDE and SATA disks."""
    look = disk_of(case)
    if look.is_drive:
        return None
    told = f"bus {look.view.bus or '(libvirt chooses)'}"
    if look.target not in candidates(case.document):
        return ok(told)
    domain = case.domain
    cause = f"{look.view.bus} is emulated in every detail and slow; virtio is made for guests"
    remedy = (
        f"check = domain.virtio_check() while it runs; shut {domain.name} down; "
        f"domain.convert_to_virtio([{look.target!r}], check=check)"
    )
    return warning(told, cause, remedy)


@check("disk.server", "Does the server of disk {name} answer?", guide="G19-01", needs="machine")
def server(case: Case) -> Iterable[Seen] | Seen | None:
    """Connect to each server of a disk that lies on the network."""
    source = case.element.find("source")
    protocol = disk_of(case).view.source_protocol
    if source is None or not protocol:
        return None
    return list(_servers(case, source, protocol))


def _servers(case: Case, source: object, protocol: str) -> Iterable[Seen]:
    hosts = source.findall("host")  # type: ignore[attr-defined]  # an element of lxml
    for host in hosts:
        name, transport = host.get("name", ""), host.get("transport", "tcp")
        if transport != "tcp" or not name:
            yield not_here(f"transport {transport}: {host.get('socket', '')}")
            continue
        port = int(host.get("port") or DEFAULT_PORTS.get(protocol, 0))
        if not port:
            yield unknown(f"the port of {protocol} is not known", about=name)
            continue
        said = reach(case, name, port)
        if not said:
            yield ok(f"{name}:{port} accepts connections")
            continue
        cause = f"the {protocol} server is down, another one, or a firewall is in between"
        yield fail(f"{name}:{port}: {said}", cause, line("nc", "-vz", name, str(port)), about=name)
    if not hosts:
        yield not_here(f"{protocol} without a server's name")
