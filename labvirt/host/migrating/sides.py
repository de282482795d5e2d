"""What a pre-flight has seen of both hosts and of the domain; the checks judge nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.model.migration import MigrationSpec
    from labvirt.model.xml.capabilities import DomainCapabilities, GuestCapability
    from labvirt.model.xml.domain import DomainXml
    from labvirt.status import DomainRecord

__all__ = ["Answer", "FileSeen", "Look", "PoolSeen", "Side", "Way"]

Answer = Literal["open", "refused", "silent", "no-name", "unreachable", "unknown"]


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A path as one host sees it.

    Attributes:
        exists: something is there.
        size: bytes of the file; of a volume, its capacity; None when not known.
        identity: device and inode; empty when only libvirt was asked.
        file_system: kind of the file system: ``ext2/ext3``, ``nfs`` ...; empty when not known.
        writable: it can be written; None when not known.
    """

    exists: bool
    size: int | None = None
    identity: str = ""
    file_system: str = ""
    writable: bool | None = None


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """A storage pool as a pre-flight needs it.

    Attributes:
        name: its name.
        type: libvirt's type.
        is_active: it is started.
        path: its folder.
        available: free bytes.
        source: where a pool of the network gets its data: ``nfs1:/export``; empty else.
    """

    name: str
    type: str
    is_active: bool
    path: str = ""
    available: int = 0
    source: str = ""


@dataclass(frozen=True)
class Side:
    """One of the two hosts.

    Attributes:
        name: for people.
        label: its URI without secrets.
        readonly: it is open without the right to change anything.
        error: why it gives no answer; the rest is empty then.
        lab: the embedded lab that it belongs to.
        driver: kind of hypervisor: ``QEMU``.
        daemon: version of libvirt.
        hypervisor: version of the hypervisor.
        cpu: vendor and model of its processor.
        guests: what it can run.
        domcaps: what a domain like this one can have there; None when it cannot be had.
        cpu_verdict: ``identical``, ``superset`` or ``incompatible``; empty when not compared.
        cpu_baseline: model that both hosts can give; empty when not asked.
        memory: bytes of the machine; 0 when not known.
        available: bytes that a new guest can have.
        cpus: processors of the machine.
        max_vcpus: the most that a domain may have.
        domains: what it has.
        networks: name -> whether it is active; None when it has no networks at all.
        devices: its bridges and network cards; None when it does not tell.
        filters: its nwfilters; None when it does not tell.
        pools: its storage pools.
        shared_folders: folders that are known to be the same on all hosts of its lab.
        files: what is at the paths of the domain; only of those that could be looked at.
        boot_id: tells this machine, since it was booted, from every other; empty: not known.
        clock_ahead_s: by how much its clock is ahead of ours; None when not known.
    """

    name: str
    label: str = ""
    readonly: bool = False
    error: str = ""
    lab: str = ""
    driver: str = ""
    daemon: str = ""
    hypervisor: str = ""
    cpu: str = ""
    guests: tuple[GuestCapability, ...] = ()
    domcaps: DomainCapabilities | None = None
    cpu_verdict: str = ""
    cpu_baseline: str = ""
    memory: int = 0
    available: int = 0
    cpus: int = 0
    max_vcpus: int = 0
    domains: tuple[DomainRecord, ...] = ()
    networks: Mapping[str, bool] | None = None
    devices: frozenset[str] | None = None
    filters: frozenset[str] | None = None
    pools: tuple[PoolSeen, ...] = ()
    shared_folders: tuple[str, ...] = ()
    files: Mapping[str, FileSeen] = field(default_factory=dict)
    boot_id: str = ""
    clock_ahead_s: float | None = None

    def pool(self, name: str) -> PoolSeen | None:
        """Return a pool by its name."""
        return next((one for one in self.pools if one.name == name), None)

    def pool_of(self, path: str) -> PoolSeen | None:
        """Return the pool in whose folder a path is, an active one first."""
        folder = PurePosixPath(path).parent
        inside = [one for one in self.pools if one.path and folder == PurePosixPath(one.path)]
        return max(inside, key=lambda one: one.is_active, default=None)


@dataclass(frozen=True, slots=True)
class Way:
    """A TCP port of one host as it was tried from the other.

    Attributes:
        id: ``data``, ``daemon`` or ``back``.
        start: name of the host it was tried from.
        end: what was dialled, name or address.
        port: TCP port.
        answer: ``open``: somebody listens; ``refused``: nobody does yet, and packets pass;
            ``silent``: no answer in time; ``no-name``: the name does not resolve there;
            ``unreachable``; ``unknown``: could not be tried.
        text: what was said.
    """

    id: str
    start: str
    end: str
    port: int
    answer: Answer
    text: str = ""


@dataclass(frozen=True)
class Look:
    """Everything that the checks judge.

    Attributes:
        name: the domain.
        uuid: its UUID.
        document: its XML as it runs.
        record: the domain as the source has it.
        spec: how it is to move.
        source: the host it is on.
        destination: the host it goes to.
        is_same: both are one and the same host.
        copied: disks that are copied along -> where they land.
        copy_problems: what speaks against copying.
        snapshots: how many snapshots libvirt knows of it.
        checkpoints: how many checkpoints.
        job: what it is busy with: ``backup``, ``migration_out``; empty: nothing.
        block_jobs: disk -> kind of its block job.
        ways: ports that were tried; None when they were not.
        data_uri: where the data goes when that is known; None: the destination says.
    """

    name: str
    uuid: str
    document: DomainXml
    record: DomainRecord
    spec: MigrationSpec
    source: Side
    destination: Side
    is_same: bool = False
    copied: Mapping[str, str] = field(default_factory=dict)
    copy_problems: tuple[str, ...] = ()
    snapshots: int = 0
    checkpoints: int = 0
    job: str = ""
    block_jobs: Mapping[str, str] = field(default_factory=dict)
    ways: tuple[Way, ...] | None = None
    data_uri: str | None = None

    @property
    def is_one_lab(self) -> bool:
        """Return True when both are hosts of one lab, whose shared folders are all there is."""
        return bool(self.source.lab) and self.source.lab == self.destination.lab

    def shared_folder(self, path: str) -> str:
        """Return the folder that both hosts are known to share and that has this path; or empty."""
        both = set(self.source.shared_folders) & set(self.destination.shared_folders)
        return next((one for one in both if PurePosixPath(path).is_relative_to(one)), "")
