"""Making a domain of a backup: its images laid over each other into new volumes."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as domains
from labvirt.connection import pool as pools
from labvirt.errors import ConflictError, NotFoundError, UnsupportedError
from labvirt.host.keeping.backup_actions import FillVolume
from labvirt.host.keeping.backup_files import Backup, chain_to, merged_source
from labvirt.host.storage.disk_actions import MakeVolume, renamed
from labvirt.host.validate import require_valid
from labvirt.model.ident import new_mac, new_uuid
from labvirt.model.names import check_name
from labvirt.model.units import Size
from labvirt.model.volume import VolumeSpec
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan

if TYPE_CHECKING:
    from labvirt.host.domain import Domain
    from labvirt.host.host import Host
    from labvirt.plan import Action
    from labvirt.status import PoolRecord

__all__ = ["plan_restore_backup"]


def plan_restore_backup(
    host: Host,
    manifest: str,
    *,
    name: str | None,
    pool: str | None,
    start: bool,
) -> Plan[Domain]:
    """Plan to make a domain of a backup; see `Host.restore_backup`."""
    from labvirt.host.actions import DefineDomain, StartDomain, require_new_domain
    from labvirt.host.domain import Domain

    backup = Backup.read(manifest)
    chain = chain_to(backup)
    wanted = check_name(name or backup.domain)
    asked = f"restore backup {backup.name} as domain {wanted}"
    host.require_writable(asked)
    require_new_domain(host, wanted)
    record = _pool(host, asked, pool)
    actions: list[Action[Any]] = []
    files = {}
    needed = 0
    for image in backup.images:
        volume = f"{wanted}-{image.target}.qcow2"
        path = posixpath.join(record.path, volume)
        spec = VolumeSpec(name=volume, capacity=Size(image.size), format="qcow2")
        make = MakeVolume(record.name, volume, path, image.size, spec.to_xml())
        make.check(host)
        what = f"disk {image.target} of backup {backup.name}"
        actions += [make, FillVolume(merged_source(chain, image.target), path, what)]
        files[image.target] = (path, "qcow2")
        needed += sum(_taken(one, image.target) for one in chain)
    if min(needed, sum(image.size for image in backup.images)) > record.available:
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"{Size(needed)} are needed, pool {record.name} has {record.available}",
            hint="another pool, or free some space",
        )
    xml, warnings = _definition(host, backup, wanted, files)
    uuid = str(DomainXml.parse(xml).uuid)
    actions.append(DefineDomain(wanted, uuid, xml))
    if start:
        actions.append(StartDomain(wanted, uuid))
    options = f"{manifest!r}" + (f", name={name!r}" if name else "")
    return Plan(
        title=asked,
        host=host,
        actions=tuple(actions),
        result=lambda: Domain(host, uuid, wanted),
        warnings=tuple(warnings),
        python=f"{host.python}.restore_backup({options})",
        journal=host.journal,
    )


def _taken(backup: Backup, target: str) -> int:
    try:
        return backup.path(target).stat().st_blocks * 512
    except NotFoundError:
        return 0


def _pool(host: Host, asked: str, pool: str | None) -> PoolRecord:
    link = host.connection
    record = pools.read(link, pools.find(link, pool or host.facts.default_pool or "default"))
    if not record.is_active or record.type not in ("dir", "fs", "netfs"):
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"the pool {record.name} is not active, or no folder",
            hint="name an active pool of type dir: pool=",
        )
    if not (host.is_local and os.access(record.path, os.W_OK | os.X_OK)):
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text=f"qemu-img on this machine cannot write to {record.path}",
            hint="run labvirt on the host, as a user that may write there; or upload the result of "
            "qemu-img convert into a volume",
        )
    return record


def _definition(
    host: Host, backup: Backup, name: str, files: dict[str, tuple[str, str]]
) -> tuple[str, list[str]]:
    """Return the definition of the new domain; what is somebody's else already is made anew."""
    warnings = []
    document = DomainXml.parse(backup.xml)
    for disk in list(document.disks):
        if disk.target not in files and disk.source_path:
            warnings.append(
                f"disk {disk.target} ({disk.source_path}) is not in the backup: left out"
            )
            document.remove_device(disk)
    document = DomainXml.parse(renamed(document.text(), files))
    document.id = None
    document.name = name
    taken = {record.uuid for record in domains.list_all(host.connection)}
    if name != backup.domain or document.uuid in taken:
        document.uuid = new_uuid()
        for interface in document.interfaces:
            interface.mac = new_mac()
        warnings.append("it is another domain: UUID and MAC addresses are new")
        _own_transcript(host, document, name)
    xml = document.text()
    require_valid(xml)
    return xml, warnings


def _own_transcript(host: Host, document: DomainXml, name: str) -> None:
    """Let the serial console be written to a file of its own."""
    for serial in (*document.serials, *document.consoles):
        if serial.log_file is not None:
            folder = host.facts.serial_folder
            serial.log_file = str(folder / f"{name}.log") if folder else None
