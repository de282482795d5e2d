"""Checks of a storage pool: whether it is active, its folder, its server."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, warning
from labvirt.doctor.disk_files import file_facts, line
from labvirt.doctor.disks import uses
from labvirt.doctor.reaching import DEFAULT_PORTS, reach
from labvirt.model.pool_types import FILE_POOLS, POOL_TYPES
from labvirt.model.xml.pool import PoolXml
from labvirt.status import PoolState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from labvirt.doctor.case import Case

__all__ = ["pool_users"]

_OWN_MOUNT: Final = ("fs", "netfs")


def _document(case: Case) -> PoolXml:
    uuid = case.pool.uuid
    return case.patient.once(("pool xml", uuid), lambda: PoolXml.parse(case.pool.xml()))


def pool_users(case: Case, *, by_path: bool = True) -> list[str]:
    """Return the domains with a disk in the pool.

    Args:
        case: of the pool.
        by_path: count disks that name a file of its folder; else only those that name the pool.
    """
    return case.patient.once(
        ("pool users", case.pool.uuid, by_path), lambda: sorted(_users(case, by_path=by_path))
    )


def _users(case: Case, *, by_path: bool) -> set[str]:
    record = case.patient.pool_record(case.pool)
    folder = record.path.rstrip("/") + "/" if record.path else ""
    found = set()
    if by_path and folder:
        found = {one.domain for one in uses(case.patient) if one.path.startswith(folder)}
    for domain in case.patient.domains:
        for view in case.patient.document(domain).disks:
            if view.source_pool == case.pool.name:
                found.add(domain.name)
    return found


@check("storage.active", "Is pool {name} active?", guide="G19-01")
def active(case: Case) -> Seen:
    """Look at the pool's state."""
    record = case.patient.pool_record(case.pool)
    pool = case.pool
    if record.state is PoolState.RUNNING:
        return ok(f"{record.type} pool, {record.path or 'no folder'}")
    evidence = (
        f"virsh pool-info {pool.name}: {record.state.value}, autostart {_yes(record.autostart)}"
    )
    if record.state in (PoolState.BUILDING, PoolState.DEGRADED):
        return warning(evidence, "libvirt is building it, or a part of it is away", "dmesg | tail")
    if record.state is PoolState.INACCESSIBLE:
        cause = "its storage cannot be reached any more"
        return fail(evidence, cause, line("virsh", "pool-destroy", pool.name))
    users = pool_users(case)
    remedy = line("virsh", "pool-start", pool.name)
    if users or record.autostart:
        cause = "it was stopped, or failed to start with the host"
        cause += f"; disks of {', '.join(users)} lie in it" if users else ""
        return fail(evidence, cause, remedy, fix=pool.start.plan)
    cause = "it is stopped: its volumes cannot be seen, and no new ones be made"
    return warning(evidence, cause, remedy, fix=pool.start.plan)


def _yes(said: bool) -> str:  # noqa: FBT001 - the value itself
    return "yes" if said else "no"


@check("storage.autostart", "Does pool {name} come back with the host?", guide="G17.1-01")
def autostart(case: Case) -> Seen:
    """Look whether somebody needs it after a restart."""
    record = case.patient.pool_record(case.pool)
    pool = case.pool
    if not record.persistent:
        users = pool_users(case)
        if not users:
            return ok("transient: it goes when it is stopped")
        cause = "the pool has no stored definition: after a restart of the host it is gone"
        remedy = f"virsh pool-dumpxml {pool.name} > pool.xml && virsh pool-define pool.xml"
        return warning(f"transient; disks of {', '.join(users)} lie in it", cause, remedy)
    if record.autostart:
        return ok("autostart is on")
    needs = pool_users(case, by_path=record.type != "dir")
    if not needs:
        return ok("autostart is off, and no domain needs the pool to start")
    cause = "these domains cannot start after a restart of the host until somebody starts the pool"
    remedy = line("virsh", "pool-autostart", pool.name)
    evidence = f"autostart is off; used by {', '.join(needs)}"
    return warning(evidence, cause, remedy, fix=lambda: pool.set_autostart.plan(on=True))


@check("storage.target", "Is the folder of pool {name} there?", guide="G7.1-04", needs="machine")
def target(case: Case) -> Seen | None:
    """Look at the folder, at what is mounted on it, and whether QEMU may search it."""
    record = case.patient.pool_record(case.pool)
    if record.type not in FILE_POOLS or not record.path:
        return None
    pool, path = case.pool, record.path
    facts = file_facts(case.patient, path)
    if facts is None:
        cause = "the folder was moved or deleted: the pool has no volumes, and cannot start again"
        builds = record.type in POOL_TYPES and POOL_TYPES[record.type].builds
        build = pool.build.plan if builds and not record.is_active else None
        first = line("virsh", "pool-destroy", pool.name) + "; " if record.is_active else ""
        remedy = f"{first}{line('mkdir', '-p', path)} && {line('virsh', 'pool-start', pool.name)}"
        return fail(f"{path}: no such file or directory", cause, remedy, fix=build)
    if not stat.S_ISDIR(facts.mode):
        return fail(
            f"{path} is no folder", "something else took its place", line("ls", "-ld", path)
        )
    if record.type in _OWN_MOUNT and record.is_active and not _mounted(case, path):
        cause = "it was unmounted behind libvirt's back: the folder below it is seen instead"
        again = f"virsh pool-destroy {pool.name}; virsh pool-start {pool.name}"
        return fail(f"{path} is no mount point", cause, again)
    return _searchable(case, path)


def _mounted(case: Case, path: str) -> bool:
    text = case.machine.read("/proc/self/mountinfo")
    if text is None:
        return True
    return any(row.split()[4:5] == [path.replace(" ", "\\040")] for row in text.splitlines())


def _searchable(case: Case, path: str) -> Seen:
    if case.machine.is_far:
        return ok(f"{path} is there")
    access = case.host.explain_access(path, write=False)
    if access.allowed:
        return ok(f"{path}, and {access.user} may search it")
    first = access.blocked_by[0]
    return fail(
        f"{first.path}: {first.why}",
        f"QEMU runs as {access.user} and cannot get to any image of the pool",
        " && ".join(access.commands),
        fix=access.plan if all(one.rights for one in access.blocked_by) else None,
    )


@check("storage.source", "Is what pool {name} is made of there?", guide="G4.3-01", needs="machine")
def source(case: Case) -> Iterable[Seen] | Seen | None:
    """Connect to the servers of a pool, and look for its devices."""
    view = _document(case)
    kind = view.type or ""
    if kind == "dir":
        return None
    seen = [*_servers(case, view, kind), *_devices(case, view, kind)]
    return seen or not_here(f"nothing of a {kind} pool can be looked at from outside")


def _servers(case: Case, view: PoolXml, kind: str) -> Iterator[Seen]:
    for each in view.hosts:
        name = each.name or ""
        port = each.port or DEFAULT_PORTS.get(kind, 0)
        if not (name and port):
            continue
        said = reach(case, name, port)
        if not said:
            yield ok(f"{name}:{port} accepts connections", about=name)
            continue
        cause = (
            f"the server of the {kind} pool is down, has another address, or a firewall is between"
        )
        yield fail(f"{name}:{port}: {said}", cause, _ask(kind, name, port), about=name)


def _ask(kind: str, name: str, port: int) -> str:
    if kind == "netfs":
        return f"ping -c1 {name}; rpcinfo -t {name} nfs; showmount -e {name}"
    if kind in ("iscsi", "iscsi-direct"):
        return f"ping -c1 {name}; iscsiadm -m discovery -t sendtargets -p {name}:{port}"
    return line("nc", "-vz", name, str(port))


def _devices(case: Case, view: PoolXml, kind: str) -> Iterator[Seen]:
    for path in view.devices:
        if not path.startswith("/"):
            continue  # a name of iSCSI
        facts: Any = file_facts(case.patient, path)
        if facts is None:
            cause = "the device is gone, or has another name: names like /dev/sdb change"
            remedy = "lsblk -o NAME,SIZE,SERIAL,WWN; use /dev/disk/by-id/... in the pool"
            yield fail(f"{path}: no such device", cause, remedy, about=path)
        else:
            yield ok(f"{path} is there", about=path)
    if kind == "logical" and view.source_name:
        ran = case.machine.run(
            "sh", "-c", 'command -v vgs >/dev/null && vgs --noheadings "$0"', view.source_name
        )
        if ran:
            yield ok(" ".join(ran.out.split()))
        elif ran.err.strip():
            cause = "the volume group is not there, or not active"
            yield fail(ran.err.strip(), cause, f"vgs; vgchange -ay {view.source_name}")
