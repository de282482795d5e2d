"""Making what an exercise begins with, and taking away what belongs to it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from labvirt.errors import ConflictError, LabError, LabvirtError, NotFoundError
from labvirt.lab.exercises.conditions_inside import boot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labvirt.host import Domain, Host
    from labvirt.lab.exercises.notes import State
    from labvirt.lab.exercises.spec import ExerciseSpec, GuestSetup, InsideSetup, Topology
    from labvirt.lab.lab import Lab

__all__ = [
    "boots_of",
    "break_it",
    "make",
    "mend",
    "require_free",
    "take_away",
    "volumes_of",
    "wake",
]

_GUEST_S = 90.0


def wake(lab: Lab, timeout_s: float) -> None:
    """Bring back links that were lost, where the daemon runs again; none is waited for in vain."""
    for status in lab.status().hosts:
        if status.state == "running":
            with contextlib.suppress(LabvirtError):
                host = lab[status.name]
                if host.state != "connected":
                    host.connection.wait_link(timeout_s)


def require_free(lab: Lab, spec: ExerciseSpec, asked: str) -> None:
    """Refuse names that are taken: nothing of anybody else is touched.

    Raises:
        ConflictError: something of a name that the exercise needs is there.
    """
    for host in lab:
        for what, name in _present(host, spec):
            raise ConflictError(
                asked,
                uri=host.label,
                libvirt_text=f"there is a {what} {name} already",
                hint="end the exercise it belongs to, remove it, or take another lab",
            )


def _present(host: Host, spec: ExerciseSpec) -> Iterator[tuple[str, str]]:
    known = {"domain": spec.domains, "network": spec.networks, "pool": spec.pools}
    if spec.nwfilters:
        known["nwfilter"] = spec.nwfilters
    for what, names in known.items():
        there = set(getattr(host, f"{what}s").names) if names else set()
        yield from ((what, name) for name in names if name in there)
    for key in volumes_of(host):
        name = key.rpartition("/")[2]
        if name in spec.volumes or _is_of(name, spec.domains):
            yield "volume", name


def volumes_of(host: Host) -> list[str]:
    """Return the volumes of all active pools of a host: ``host/pool/name``."""
    found = []
    for pool in host.pools:
        if pool.info().state.name == "RUNNING":
            pool.refresh()
            found += [f"{host.name}/{pool.name}/{name}" for name in pool.volumes.names]
    return found


def _is_of(volume: str, domains: tuple[str, ...]) -> bool:
    """Return True for an image that labvirt names after a domain: ``web1-vda.qcow2``."""
    return any(volume.startswith((f"{name}-", f"{name}.")) for name in domains)


def make(lab: Lab, spec: ExerciseSpec, progress: Callable[[str], None]) -> None:
    """Make networks, pools, volumes and guests, and bring the guests into their state."""
    topology = spec.topology
    for rules in topology.nwfilters:
        lab[rules.host].define_nwfilter(rules.spec)
    for network in topology.networks:
        progress(f"network {network.spec.name}")
        lab[network.host].plan(network.spec).apply()
    for pool in topology.pools:
        progress(f"pool {pool.spec.name}")
        lab[pool.host].plan(pool.spec, build=True).apply()
    for volume in topology.volumes:
        lab[volume.host].pools[volume.pool].plan(volume.spec).apply()
    _make_guests(lab, topology.guests, progress)
    _make_guests(lab, topology.later, progress)
    _make_inside(lab, topology, progress)


def _make_guests(lab: Lab, guests: tuple[GuestSetup, ...], progress: Callable[[str], None]) -> None:
    for guest in guests:
        progress(f"guest {guest.spec.name}")
        lab[guest.host].plan(guest.spec, start=guest.start).apply()
    # They boot side by side.
    for guest in guests:
        if guest.start and guest.wait != "none":
            progress(f"guest {guest.spec.name} boots")
            domain = lab[guest.host].domains[guest.spec.name]
            domain.wait_for(guest.wait, timeout_s=_GUEST_S)


def _make_inside(lab: Lab, topology: Topology, progress: Callable[[str], None]) -> None:
    for line in topology.inside:
        _run_inside(lab, line)
    for shot in topology.snapshots:
        progress(f"snapshot {shot.name}")
        lab[shot.host].domains[shot.domain].snapshot(shot.name)
    for line in topology.spoiled:
        _run_inside(lab, line)


def put_to_sleep(lab: Lab, spec: ExerciseSpec) -> None:
    """Stop and pause what is not to run when the exercise begins."""
    time.sleep(spec.topology.settle_s)
    for network in spec.topology.networks:
        if not network.active:
            lab[network.host].networks[network.spec.name].stop(confirm=True)
    for pool in spec.topology.pools:
        if not pool.active:
            lab[pool.host].pools[pool.spec.name].stop()
    for guest in spec.topology.machines:
        if guest.paused:
            lab[guest.host].domains[guest.spec.name].suspend()


def _run_inside(lab: Lab, line: InsideSetup) -> None:
    domain = lab[line.host].domains[line.domain]
    done = domain.run(["/bin/sh", "-c", line.run], timeout_s=30.0)
    if done.exit_code:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{line.run!r} in {line.domain} ended with {done.exit_code}: {said}")


def boots_of(lab: Lab, spec: ExerciseSpec) -> dict[str, str]:
    """Return which boot of each guest this is; of those whose agent was waited for."""
    return {
        guest.spec.name: boot_of(lab[guest.host].domains[guest.spec.name])
        for guest in spec.topology.machines
        if guest.start and guest.wait == "agent"
    }


def break_it(lab: Lab, spec: ExerciseSpec, noted: Callable[[str], None]) -> None:
    """Plant the faults; `noted` hears the file of each at once."""
    for fault in spec.faults:
        wanted = {
            "host": fault.host,
            "domain": fault.domain,
            "network": fault.network,
            "pool": fault.pool,
            "disk": fault.disk,
            "interface": fault.interface,
        }
        given = {key: value for key, value in wanted.items() if value is not None}
        planted = lab.inject(fault.id, **given, **fault.options)
        noted(planted.path.name)


def mend(lab: Lab, files: list[str]) -> list[str]:
    """Undo the faults that were planted; return what could not be undone."""
    left = []
    for planted in reversed(lab.planted()):
        if planted.path.name not in files:
            continue
        try:
            planted.undo()
        except LabvirtError as error:
            left.append(f"{planted.id}: {error.what}")
            # What it broke goes away as a whole.
            planted.path.unlink(missing_ok=True)
    return left


def take_away(lab: Lab, spec: ExerciseSpec, state: State) -> None:
    """Remove everything that belongs to the exercise from all hosts, also what the student made.

    Volumes that were there before it began stay, whatever they are called.

    Raises:
        LabvirtError: something would not go away.
    """
    for host in lab:
        for name in spec.domains:
            if name in host.domains:
                _remove_domain(host.domains[name])
        _remove_volumes(host, spec, state)
        for name in spec.networks:
            if name in host.networks:
                _remove_network(host, name)
        for name in spec.pools:
            if name in host.pools:
                _remove_pool(host, name)
        for name in spec.nwfilters:
            if name in host.nwfilters:
                host.nwfilters[name].undefine(confirm=True)


def _remove_volumes(host: Host, spec: ExerciseSpec, state: State) -> None:
    for key in set(volumes_of(host)) - set(state.volumes):
        _, pool, name = key.split("/", 2)
        if name in spec.volumes or _is_of(name, spec.domains) or pool in spec.pools:
            # A pool that all hosts share shows it on each of them.
            with contextlib.suppress(NotFoundError):
                host.pools[pool].volumes[name].delete(confirm=True)


def _remove_network(host: Host, name: str) -> None:
    network = host.networks[name]
    if network.info().persistent:
        network.undefine(stop=network.is_active, confirm=True)
    else:
        network.stop(confirm=True)


def _remove_domain(domain: Domain) -> None:
    """Remove a domain, whatever state it is in."""
    deadline = time.monotonic() + 15.0
    while True:
        try:
            if domain.is_active:
                domain.destroy(confirm=True)
            record = domain.info()
            if record.persistent:
                domain.undefine(
                    managed_save=record.has_managed_save,
                    nvram=True,
                    snapshots_metadata=True,
                    checkpoints_metadata=True,
                    confirm=True,
                )
        except NotFoundError:
            return
        except ConflictError:
            # It may just end by itself, or a job of it.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _remove_pool(host: Host, name: str) -> None:
    pool = host.pools[name]
    if pool.info().state.name == "RUNNING":
        pool.stop()
    if pool.info().persistent:
        with contextlib.suppress(LabvirtError):
            pool.delete(confirm=True)
    with contextlib.suppress(NotFoundError):
        pool.undefine()
