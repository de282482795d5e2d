"""Checks of a disk's files among each other: backing images, formats, snapshots, faults inside."""

from __future__ import annotations

import contextlib
import itertools
import json
import posixpath
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.check_disk import moved_to
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.disk_files import file_facts, line
from labvirt.doctor.disks import Layer, chain_of, present
from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from labvirt.doctor.case import Case
    from labvirt.doctor.disks import DiskLook

__all__: list[str] = []

_LONG: Final = 12
#: Formats that are surely no plain bytes: a raw disk that begins so is probably none.
_SURE: Final = ("qcow2", "vmdk", "vdi", "vhdx", "qed", "parallels", "qcow")
_CLOSED: Final = ("Permission denied", "Operation not permitted")
_CHECK_S: Final = 60.0
_BEYOND: Final = "https://libvirt.org/kbase/backing_chains.html"


def _data(case: Case) -> DiskLook | Seen | None:
    """Return the disk, when it has files to look into; None for a drive."""
    look = present(case)
    if isinstance(look, Seen):
        return None if look.evidence == "no medium" else look
    return None if look.is_drive else look


# -- backing ------------------------------------------------------------------------------------


@check("disk.backing", "Is what disk {name} stands on there?", guide="G17.3-08", needs="machine")
def backing(case: Case) -> Seen | None:
    """Follow the chain of images below a disk."""
    look = _data(case)
    if look is None or isinstance(look, Seen):
        return look
    layers = chain_of(case, look)
    if len(layers) == 1:
        return ok(f"{look.path} stands alone")
    for upper, lower in itertools.pairwise(layers):
        broken = _broken(case, look, upper, lower)
        if broken is not None:
            return broken
    told = f"{len(layers)} files: {' -> '.join(one.path for one in layers)}"
    if len(layers) > _LONG:
        cause = "each read of old data goes through the whole chain"
        remedy = f"virsh blockpull {case.domain.name} {look.target} --wait"
        return warning(told, cause, remedy)
    return ok(told)


def _broken(case: Case, look: DiskLook, upper: Layer, lower: Layer) -> Seen | None:
    """Return what is wrong between two images of a chain."""
    if lower.facts is None:
        return _gone(case, look, upper, lower)
    if lower.again:
        cause = "an image stands, in the end, on itself: nobody can open it"
        remedy = f"qemu-img rebase -u -b RIGHT-BASE -F qcow2 {upper.path}"
        return fail(f"{upper.path} stands on {lower.path}", cause, remedy)
    if not lower.declared and lower.info.get("format", "raw") != "raw":
        return _unnamed(case, look, upper, lower)
    return None


def _gone(case: Case, look: DiskLook, upper: Layer, lower: Layer) -> Seen:
    evidence = f"{upper.path} stands on {lower.path}: no such file or directory"
    cause = "the image below was moved, renamed or deleted; the one above holds only what differs"
    host = case.host
    if look.running:
        cause += "; the domain runs on with the file that it opened, and cannot start again"
    found = moved_to(case, lower.path)
    if found:
        return fail(
            f"{evidence}; {found} lies there and no domain uses it",
            cause,
            line("mv", "-n", found, lower.path),
            fix=lambda: host.move_image.plan(found, lower.path),
        )
    form = lower.declared or "qcow2"
    found = _elsewhere(case, posixpath.basename(lower.path))
    if found and not look.running:
        return fail(
            f"{evidence}; {found} has the same name",
            cause,
            line("qemu-img", "rebase", "-u", "-b", found, "-F", form, upper.path),
            fix=lambda: host.rename_base.plan(upper.path, found, form),
        )
    remedy = (
        f"put {lower.path} back, from a backup if need be; moved elsewhere: "
        f"qemu-img rebase -u -b NEW-PATH -F {form} {upper.path}"
    )
    return fail(evidence, cause, remedy)


def _elsewhere(case: Case, name: str) -> str:
    """Return a file of that name in the folder of another pool; empty unless there is just one."""
    found = []
    for pool in case.patient.pools:
        record = case.patient.pool_record(pool)
        path = f"{record.path.rstrip('/')}/{name}"
        if record.path and record.type in ("dir", "fs", "netfs"):
            found += [path] if file_facts(case.patient, path) is not None else []
    return found[0] if len(found) == 1 else ""


def _unnamed(case: Case, look: DiskLook, upper: Layer, lower: Layer) -> Seen:
    form = str(lower.info["format"])
    evidence = f"{upper.path} names {lower.path} without its format; it is {form}"
    remedy = line("qemu-img", "rebase", "-u", "-b", lower.path, "-F", form, upper.path)
    host = case.host
    fix = None if look.running else lambda: host.rename_base.plan(upper.path, lower.path, form)
    if not lower.info.get("backing-filename"):
        cause = "the format is guessed at each start; a guest could write another one into its disk"
        return warning(evidence, cause, remedy, fix=fix)
    cause = f"libvirt does not go on below an image whose format is not named: {_BEYOND}"
    return fail(evidence, cause, remedy, fix=fix)


# -- format -------------------------------------------------------------------------------------


@check("disk.format", "Is disk {name} what it is said to be?", guide="G17.3-08", needs="machine")
def declared_format(case: Case) -> Seen | None:
    """Compare the format that is declared with that of the bytes, for each file of the chain."""
    look = _data(case)
    if look is None or isinstance(look, Seen):
        return look
    told = []
    for place, layer in enumerate(chain_of(case, look)):
        if layer.facts is None or layer.again:
            break
        if layer.trouble:
            return _unreadable(case, layer)
        real = str(layer.info["format"])
        seen = _mismatch(case, look, layer, real, top=place == 0)
        if seen is not None:
            return seen
        told.append(f"{layer.path}: {real}" + ("" if layer.declared else ", not declared"))
    return ok("; ".join(told))


def _closed(case: Case, layer: Layer, evidence: str) -> Seen:
    """Answer of an image that the doctor itself may not read."""
    with contextlib.suppress(LabvirtError):
        if not case.host.explain_access(layer.path, write=False).allowed:
            return not_here(f"{layer.path} is closed to QEMU too: see disk.readable")
    return unknown(evidence, "run the doctor as root, or as the user who owns the image")


def _unreadable(case: Case, layer: Layer) -> Seen:
    evidence = f"qemu-img info {layer.path}: {layer.trouble}"
    if any(word in layer.trouble for word in _CLOSED):
        return _closed(case, layer, evidence)
    cause = "the head of the image is damaged, or of a kind that this QEMU does not know"
    return fail(evidence, cause, "restore it from a backup; the image is not to be started as raw")


def _mismatch(case: Case, look: DiskLook, layer: Layer, real: str, *, top: bool) -> Seen | None:
    said = layer.declared or ("raw" if top else real)
    if said == real or (said == "raw" and real not in _SURE):
        return None
    named = layer.declared or "no format, which means raw"
    evidence = f"{layer.path}: declared {named}; its first bytes are those of {real}"
    domain, target = case.domain, look.target
    if said != "raw":
        cause = f"QEMU opens it as {said} and refuses: it is no {said} image"
    elif top:
        cause = (
            f"QEMU hands the {real} file itself to the guest, which finds no system on it. A guest "
            f"may also have written this into a raw disk: then it must stay raw"
        )
    else:
        cause = f"QEMU reads the {real} file as plain bytes: the guest sees rubbish"
    if not top:
        remedy = f"qemu-img rebase -u -b {layer.path} -F {real} IMAGE-ABOVE"
        return fail(evidence, cause, remedy)
    remedy = f"virsh edit {domain.name}: <driver name='qemu' type='{real}'/> of {target}"
    fix: Callable[[], Any] = lambda: domain.update.plan(target, config=True, driver_type=real)  # noqa: E731
    return fail(evidence, cause, remedy, fix=fix if case.record.persistent else None)


# -- snapshots ----------------------------------------------------------------------------------


@check(
    "disk.snapshots",
    "Are the snapshots of disk {name} where libvirt thinks they are?",
    guide="G17.3-10",
    needs="machine",
)
def snapshots(case: Case) -> Iterable[Seen] | Seen | None:
    """Compare libvirt's list of snapshots with the images."""
    look = _data(case)
    if look is None or isinstance(look, Seen):
        return look
    records = case.patient.once(
        ("snapshots", case.domain.uuid), lambda: list(case.domain.snapshots.records)
    )
    layers = chain_of(case, look)
    inside = {
        str(one["name"]) for layer in layers for one in layer.info.get("snapshots", ()) if one
    }
    if any(layer.trouble or layer.again for layer in layers):
        return not_here("the chain cannot be read whole: see disk.backing and disk.readable")
    bad = list(_lost(case, look, records, layers, inside))
    if bad:
        return bad
    if not records:
        strange = f"; in the image, not known to libvirt: {', '.join(sorted(inside))}"
        return not_here("no snapshots" + (strange if inside else ""))
    return ok(f"{len(records)} snapshots: {', '.join(one.name for one in records)}")


def _lost(
    case: Case, look: DiskLook, records: Any, layers: tuple[Layer, ...], inside: set[str]
) -> Iterator[Seen]:
    keys = {layer.facts.key for layer in layers if layer.facts is not None}
    current = _ancestors(records)
    for record in records:
        part = next((one for one in record.disks if one.target == look.target), None)
        if part is None:
            continue
        snapshot = case.domain.snapshots[record.name]

        def forget(snapshot: Any = snapshot) -> Any:
            return snapshot.delete.plan(metadata_only=True)

        remedy = line("virsh", "snapshot-delete", case.domain.name, record.name, "--metadata")
        if part.location == "internal" and record.name not in inside:
            cause = "its data were removed behind libvirt's back, or the image is another one"
            evidence = f"snapshot {record.name}: not in {', '.join(one.path for one in layers)}"
            yield fail(evidence, cause, remedy, fix=forget, about=record.name)
        if part.location != "external" or not part.base:
            continue
        base = file_facts(case.patient, part.base)
        if base is None:
            cause = "the file with its state was moved or deleted: nobody can go back to it"
            evidence = f"snapshot {record.name}: {part.base} is not there"
            yield fail(evidence, cause, remedy, fix=forget, about=record.name)
        elif record.name in current and base.key not in keys:
            cause = (
                "the chain was merged or changed behind libvirt's back: the file is written to no "
                "more, and deleting the snapshot through libvirt will fail"
            )
            evidence = f"snapshot {record.name}: {part.base} is in no chain of the disk"
            yield warning(evidence, cause, remedy, fix=forget, about=record.name)


def _ancestors(records: Any) -> set[str]:
    """Return the names of the current snapshot and of all that it grew from."""
    parents = {one.name: one.parent for one in records}
    name = next((one.name for one in records if one.is_current), "")
    found: set[str] = set()
    while name and name not in found:
        found.add(name)
        name = parents.get(name, "")
    return found


# -- faults inside ------------------------------------------------------------------------------


@check("disk.marked", "Has QEMU found disk {name} damaged?", guide="G17.3-08", needs="machine")
def marked(case: Case) -> Seen | None:
    """Look for the mark that QEMU sets in a qcow2 image when it meets damage."""
    look = _data(case)
    if look is None or isinstance(look, Seen):
        return look
    layers = [one for one in chain_of(case, look) if one.info]
    for layer in layers:
        data = layer.info.get("format-specific", {}).get("data", {})
        if data.get("corrupt"):
            evidence = f"qemu-img info {layer.path}: corrupt: true"
            cause = "QEMU met broken tables in the image and lets nobody write to it any more"
            return _damaged(case, look, layer, evidence, cause)
    return ok(f"no mark in {len(layers)} files") if layers else None


@check(
    "disk.damaged",
    "Are the tables of disk {name} whole?",
    guide="G17.3-08",
    limit_s=_CHECK_S + 2,
    deep=True,
    needs="machine",
)
def damaged(case: Case) -> Iterable[Seen] | Seen | None:
    """Let ``qemu-img check`` read the tables of each image that nobody writes to."""
    look = _data(case)
    if look is None or isinstance(look, Seen):
        return look
    layers = [one for one in chain_of(case, look) if one.facts is not None and not one.again]
    if look.running and look.writes:
        layers = layers[1:]
    if not layers:
        return not_here("a running domain writes to it: it can be checked when it is off")
    seen = [_checked(case, look, layer) for layer in layers]
    bad = [one for one in seen if one.verdict in ("fail", "warning")]
    if bad:
        return bad
    done = [one for one in seen if one.verdict == "ok"]
    return ok("; ".join(one.evidence for one in done)) if done else seen[0]


def _checked(case: Case, look: DiskLook, layer: Layer) -> Seen:
    assert layer.facts is not None
    form = layer.declared or str(layer.info.get("format", ""))
    words = ("qemu-img", "check", "-U", "--output=json", *(("-f", form) * bool(form)), layer.path)
    ran = case.patient.once(
        ("checked", layer.facts.key), lambda: case.machine.run(*words, timeout_s=_CHECK_S)
    )
    if ran.code == 63:
        return not_here(f"{layer.path}: {form} has no tables")
    told = _told(ran.out)
    if told is None:
        said = ran.err.strip().removeprefix("qemu-img: ")
        if any(word in said for word in _CLOSED):
            return _closed(case, layer, f"{line(*words)}: {said}")
        cause = "the image cannot be opened at all: its head or its first tables are damaged"
        return _damaged(case, look, layer, f"{line(*words)}: {said}", cause)
    broken, leaks = int(told.get("corruptions", 0)), int(told.get("leaks", 0))
    faults = int(told.get("check-errors", 0))
    evidence = f"qemu-img check {layer.path}: {broken} corruptions, {leaks} leaks, {faults} errors"
    if broken or faults:
        cause = "tables of the image are broken: parts of the guest's data cannot be found"
        return _damaged(case, look, layer, evidence, cause)
    if leaks:
        cause = "clusters are taken and belong to nothing: harmless, space is lost"
        remedy = line("qemu-img", "check", "-r", "leaks", layer.path)
        fix: Callable[[], Any] = lambda: case.host.repair_image.plan(layer.path, image_format=form)  # noqa: E731
        return warning(evidence, cause, remedy, fix=fix)
    return ok(evidence)


def _told(text: str) -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return told


def _damaged(case: Case, look: DiskLook, layer: Layer, evidence: str, cause: str) -> Seen:
    """Return the failure of an image that is broken, with the repair where it can be done."""
    form = layer.declared or "qcow2"
    domain, path = case.domain, layer.path
    stop = f"virsh shutdown {domain.name}; " if look.running else ""
    copy = line("cp", "--sparse=always", path, f"{path}.before-repair")
    remedy = f"{stop}{copy} && {line('qemu-img', 'check', '-r', 'all', '-f', form, path)}"
    host = case.host
    fix = None if look.running else lambda: host.repair_image.plan(path, "all", image_format=form)
    try:
        if fix is not None and not host.is_local:
            fix = None
    except LabvirtError:
        fix = None
    return fail(evidence, cause, remedy, fix=fix)
