"""What a host can do with one type of storage pool."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PoolTypeRecord", "SourceRecord"]


@dataclass(frozen=True, slots=True)
class PoolTypeRecord:
    """One type of pool on one host.

    Attributes:
        kind: libvirt's name.
        about: what its volumes are.
        supported: whether this libvirt has a back end for it.
        missing: what the host lacks, in words; empty when nothing, or nobody can look.
        looked: whether the host's tools and kernel could be looked at; only libvirt's word
            otherwise.
        needs: fields of `PoolSpec` that must be given.
        takes: fields that may be given.
        verbs: what can be done: build, delete, find sources, and what with volumes.
        packages: Debian packages that it needs.
        formats: formats of volumes that this libvirt makes or reads in it.
    """

    kind: str
    about: str
    supported: bool
    missing: tuple[str, ...]
    looked: bool
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    verbs: tuple[str, ...]
    packages: tuple[str, ...]
    formats: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether such a pool can work here, as far as can be seen."""
        return self.supported and not self.missing


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A source of which a pool could be made.

    Attributes:
        kind: type of the pool.
        host: the server; empty for this machine.
        port: its port; None when not told.
        dir: folder of the server.
        device: device of this machine, or iSCSI target.
        name: volume group, Gluster volume.
        format: format of the source.
        note: what else was seen: size, mounted where; empty when nothing.
    """

    kind: str
    host: str = ""
    port: int | None = None
    dir: str = ""
    device: str = ""
    name: str = ""
    format: str = ""
    note: str = ""
