"""What the checks of storage know of files, images and disks; each read once for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.case import Case
from labvirt.doctor.checks import Seen, not_here
from labvirt.doctor.disk_files import FileFacts, file_facts, image_info
from labvirt.errors import LabvirtError, NotFoundError
from labvirt.host.storage.inventory import inventory
from labvirt.model.xml.backing import backing_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Patient
    from labvirt.host.domain import Domain
    from labvirt.host.storage.pool import Pool
    from labvirt.model.xml.devices import DiskXml
    from labvirt.status import VolumeRecord

__all__ = [
    "DiskLook",
    "Layer",
    "Use",
    "chain_of",
    "disk_of",
    "is_base",
    "looks_of",
    "present",
    "stands_on",
    "uses",
    "volumes_in",
]

_LONGEST: Final = 60
_DRIVES: Final = ("cdrom", "floppy")


@dataclass(frozen=True, slots=True)
class DiskLook:
    """A disk as the XML of its domain tells it.

    Attributes:
        view: the disk's facts.
        path: its file or device; empty for a drive without a medium and for a disk on a server.
        stopped_pool: name of the pool that holds it and is stopped; empty when there is none.
        running: whether its domain runs.
    """

    view: DiskXml
    path: str
    stopped_pool: str
    running: bool

    @property
    def target(self) -> str:
        """Its name: ``vda``."""
        return self.view.target or ""

    @property
    def is_drive(self) -> bool:
        """Whether its medium can be changed."""
        return self.view.device in _DRIVES

    @property
    def writes(self) -> bool:
        """Whether its domain writes to the file itself."""
        return not (self.is_drive or self.view.readonly or self.view.transient)


@dataclass(frozen=True, slots=True)
class Layer:
    """One file of a disk's chain.

    Attributes:
        path: where it is.
        declared: format that the XML or the image above names; empty when nobody does.
        facts: the file; None when it is not there.
        info: what ``qemu-img info`` says; empty when it could not be read.
        trouble: why it could not be read.
        again: it is in the chain already: the chain runs in a circle.
    """

    path: str
    declared: str
    facts: FileFacts | None
    info: dict[str, Any]
    trouble: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """One disk of one domain on a file."""

    domain: str
    target: str
    path: str
    running: bool
    writes: bool
    shareable: bool


# -- disks --------------------------------------------------------------------------------------


def disk_of(case: Case) -> DiskLook:
    """Return the disk that a check is about."""
    return next(one for one in looks_of(case.patient, case.domain) if one[0] is case.element)[1]


def looks_of(patient: Patient, domain: Domain) -> list[tuple[Any, DiskLook]]:
    """Return the disks of a domain: element and what it says."""
    return patient.once(("disks", domain.uuid), lambda: list(_looks(patient, domain)))


def _looks(patient: Patient, domain: Domain) -> Iterator[tuple[Any, DiskLook]]:
    running = patient.record(domain).is_active
    for view in patient.document(domain).disks:
        path, stopped = view.source_path or "", ""
        if view.source_pool and view.source_volume:
            path, stopped = _volume(patient, view.source_pool, view.source_volume)
        yield view.element, DiskLook(view, path, stopped, running)


def _volume(patient: Patient, pool_name: str, volume: str) -> tuple[str, str]:
    """Return path of a volume, and the name of its pool when that is stopped."""
    pool = next((one for one in patient.pools if one.name == pool_name), None)
    if pool is None:
        return "", pool_name
    record = patient.pool_record(pool)
    if record.path and record.type in ("dir", "fs", "netfs"):
        path = f"{record.path.rstrip('/')}/{volume}"
    else:
        path = pool.volumes[volume].info().path if record.is_active else ""
    return path, "" if record.is_active else pool_name


def present(case: Case) -> DiskLook | Seen:
    """Return the disk when its file is there; else the answer of a check that needs it."""
    look = disk_of(case)
    if look.stopped_pool:
        return not_here(f"its pool {look.stopped_pool} is stopped or gone: see storage.active")
    if not look.path:
        where = "on a server" if look.view.source_protocol else "no medium"
        return not_here(where)
    if look.view.source_dir:
        return not_here(f"a folder: {look.path}")
    if file_facts(case.patient, look.path) is None:
        return not_here(f"{look.path} is not there: see disk.there and disk.media")
    return look


def chain_of(case: Case, look: DiskLook) -> tuple[Layer, ...]:
    """Return the files of a disk, the one that is written to first; the last may be missing."""
    key = ("chain", case.domain.uuid, look.target)
    return case.patient.once(key, lambda: tuple(_chain(case.patient, look)))


def _chain(patient: Patient, look: DiskLook) -> Iterator[Layer]:
    named, _ = backing_of(look.view)
    path, declared, seen = look.path, look.view.driver_type or "", set[object]()
    for depth in range(_LONGEST):
        facts = file_facts(patient, path)
        if facts is not None and facts.key in seen:
            yield Layer(path, declared, facts, {}, again=True)
            return
        layer = _layer(patient, path, declared, facts)
        yield layer
        if facts is None or declared == "raw" or layer.info.get("format") == "raw":
            return
        seen.add(facts.key)
        below = str(layer.info.get("full-backing-filename") or "")
        below_format = str(layer.info.get("backing-filename-format") or "")
        if depth < len(named) and not look.running:
            # What the definition names is what libvirt opens.
            below, below_format = named[depth]
        if not below.startswith("/"):
            return
        path, declared = below, below_format


def _layer(patient: Patient, path: str, declared: str, facts: FileFacts | None) -> Layer:
    if facts is None:
        return Layer(path, declared, None, {}, "not there")
    try:
        return Layer(path, declared, facts, image_info(patient, path))
    except NotFoundError:
        raise
    except LabvirtError as error:
        return Layer(path, declared, facts, {}, getattr(error, "libvirt_text", "") or str(error))


def uses(patient: Patient) -> tuple[Use, ...]:
    """Return every disk of every domain that is a file or device of the host."""
    return patient.once("disk uses", lambda: tuple(_uses(patient)))


def _uses(patient: Patient) -> Iterator[Use]:
    for domain in patient.domains:
        try:
            looks = looks_of(patient, domain)
        except LabvirtError:
            continue  # gone meanwhile
        for _, look in looks:
            if look.path:
                shareable = bool(look.view.shareable)
                yield Use(domain.name, look.target, look.path, look.running, look.writes, shareable)


def volumes_in(patient: Patient, pool: Pool) -> list[VolumeRecord]:
    """Return the volumes of a pool that is active.

    Raises:
        LabvirtError: libvirt does not tell.
    """
    record = patient.pool_record(pool)
    return patient.once(
        ("volumes", record.uuid),
        lambda: list(inventory(patient.host, record.uuid, record.name, record.type)),
    )


def stands_on(case: Case, facts: FileFacts) -> list[str]:
    """Return what stands on a file: other domains, else volumes of the host's pools."""
    bases = case.patient.once("bases", lambda: _bases(case.patient))
    found = sorted(bases.get(facts.key, set()) - {case.domain.name})
    domains = [one for one in found if not one.startswith("volume ")]
    mine = {f"volume {one.path}" for one in uses(case.patient) if one.domain == case.domain.name}
    return domains or [one for one in found if one not in mine]


def is_base(case: Case, facts: FileFacts) -> bool:
    """Whether a disk or volume stands on a file."""
    return facts.key in case.patient.once("bases", lambda: _bases(case.patient))


def _bases(patient: Patient) -> dict[tuple[int, int, int], set[str]]:
    """Return which domains and volumes stand on which files."""
    found: dict[tuple[int, int, int], set[str]] = {}
    pools = patient.pools if patient.host.is_local else []
    readers = [
        *(_below_domain(patient, domain) for domain in patient.domains),
        *(_below_volumes(patient, pool) for pool in pools),
    ]
    for reader in readers:
        try:
            for key, name in reader:
                found.setdefault(key, set()).add(name)
        except LabvirtError:
            continue  # gone meanwhile, or closed to this process
    return found


def _below_domain(patient: Patient, domain: Domain) -> Iterator[tuple[tuple[int, int, int], str]]:
    for element, look in looks_of(patient, domain):
        if not look.path or look.is_drive or look.stopped_pool:
            continue
        for layer in chain_of(Case(patient, domain.name, element, domain), look)[1:]:
            if layer.facts is not None:
                yield layer.facts.key, domain.name


def _below_volumes(patient: Patient, pool: Pool) -> Iterator[tuple[tuple[int, int, int], str]]:
    if not patient.pool_record(pool).is_active:
        return
    for volume in volumes_in(patient, pool):
        below = volume.backing_path
        facts = file_facts(patient, below) if below.startswith("/") else None
        if facts is not None:
            yield facts.key, f"volume {volume.path}"
