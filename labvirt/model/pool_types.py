"""The types of storage pools: what each takes, defaults, can do, and needs of its host.

One row per type of ``virConnectGetStoragePoolCapabilities``; the facts are those of libvirt's
storage back ends and of https://libvirt.org/storage.html. Whether a libvirt has a type at all, and
whether the host has what it needs, is asked of the host: ``host.pool_types()``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FILE_POOLS", "POOL_TYPES", "PoolType"]

_OWN = ("path", "mode", "owner", "group")
_ALL = ("create", "delete", "resize", "upload", "wipe", "clone")


@dataclass(frozen=True, slots=True)
class PoolType:
    """One type of pool.

    Attributes:
        kind: libvirt's name.
        about: what its volumes are.
        needs: fields of `PoolSpec` that must be given.
        takes: fields that may be given.
        path: target path when none is given; empty when it must be given, or there is none.
        formats: formats of the source that libvirt knows; empty when it has none.
        builds: ``build`` makes something: a folder, a file system, a label, a volume group.
        destroys: ``delete`` removes it again.
        volumes: what can be done to volumes: create, delete, resize, upload, wipe, clone.
        finds: libvirt can look for sources of this type.
        tools: programs that libvirt runs on the host.
        features: what the kernel must have: names of `host.pool_types`' checks.
        packages: Debian packages beside libvirt's daemon.
        root: only a daemon that runs as root can start it.
    """

    kind: str
    about: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    path: str = ""
    formats: tuple[str, ...] = ()
    builds: bool = False
    destroys: bool = False
    volumes: tuple[str, ...] = ()
    finds: bool = False
    tools: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    root: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field of `PoolSpec` that this type takes beside name, kind and uuid."""
        return (*self.needs, *(one for one in self.takes if one not in self.needs))


_TYPES = (
    PoolType(
        "dir",
        "files of a folder",
        needs=("path",),
        takes=(*_OWN, "cow"),
        builds=True,
        destroys=True,
        volumes=_ALL,
        root=False,
    ),
    PoolType(
        "fs",
        "files of a file system on a device, which libvirt mounts",
        needs=("path", "device"),
        takes=(*_OWN, "format", "mount_options", "cow"),
        formats=(
            "auto",
            "ext2",
            "ext3",
            "ext4",
            "ufs",
            "iso9660",
            "udf",
            "gfs",
            "gfs2",
            "vfat",
            "hfs+",
            "xfs",
            "ocfs2",
            "vmfs",
        ),
        builds=True,
        destroys=True,
        volumes=_ALL,
        tools=("mount", "umount", "mkfs"),
        packages=("mount", "e2fsprogs"),
    ),
    PoolType(
        "netfs",
        "files of a folder that a server exports, which libvirt mounts",
        needs=("path", "hosts", "dir"),
        takes=(*_OWN, "format", "protocol_version", "mount_options"),
        formats=("auto", "nfs", "glusterfs", "cifs"),
        builds=True,
        destroys=True,
        volumes=_ALL,
        finds=True,
        tools=("mount", "umount"),
        features=("a network file system",),
        packages=("nfs-common",),
    ),
    PoolType(
        "logical",
        "logical volumes of an LVM volume group",
        needs=("source_name",),
        takes=("device", "devices", "path", "mode", "owner", "group", "format"),
        path="/dev/{source_name}",
        formats=("lvm2", "unknown"),
        builds=True,
        destroys=True,
        volumes=_ALL,
        finds=True,
        tools=("vgs", "lvs", "vgcreate", "lvcreate"),
        features=("device-mapper",),
        packages=("lvm2",),
    ),
    PoolType(
        "disk",
        "partitions of a disk",
        needs=("device",),
        takes=(*_OWN, "format", "part_separator"),
        path="/dev",
        formats=("gpt", "dos", "dvh", "mac", "bsd", "pc98", "sun", "lvm2", "unknown"),
        builds=True,
        volumes=("create", "delete", "upload", "wipe"),
        tools=("parted",),
        packages=("parted",),
    ),
    PoolType(
        "iscsi",
        "units of an iSCSI target, through the kernel's initiator",
        needs=("hosts", "target"),
        takes=(*_OWN, "initiator", "auth"),
        path="/dev/disk/by-path",
        volumes=("upload", "wipe"),
        finds=True,
        tools=("iscsiadm",),
        features=("an iSCSI initiator",),
        packages=("open-iscsi", "libvirt-daemon-driver-storage-iscsi"),
    ),
    PoolType(
        "iscsi-direct",
        "units of an iSCSI target, through libiscsi: without the kernel and without root",
        needs=("hosts", "target", "initiator"),
        takes=("auth",),
        volumes=("wipe",),
        finds=True,
        packages=("libvirt-daemon-driver-storage-iscsi-direct", "qemu-block-extra"),
        root=False,
    ),
    PoolType(
        "scsi",
        "units of a SCSI host adapter, also Fibre Channel and its virtual adapters (NPIV)",
        needs=("adapter",),
        takes=_OWN,
        path="/dev/disk/by-path",
        volumes=("upload", "wipe"),
        features=("a SCSI host adapter",),
    ),
    PoolType(
        "mpath",
        "all multipath devices of the host",
        takes=_OWN,
        path="/dev/mapper",
        volumes=("upload", "wipe"),
        tools=("multipath",),
        features=("device-mapper",),
        packages=("multipath-tools",),
    ),
    PoolType(
        "rbd",
        "images of a pool of a Ceph cluster",
        needs=("hosts", "source_name"),
        takes=("auth", "refresh_allocation", "rbd_options"),
        volumes=("create", "delete", "resize", "wipe", "clone"),
        packages=("libvirt-daemon-driver-storage-rbd", "qemu-block-extra"),
        root=False,
    ),
    PoolType(
        "gluster",
        "files of a Gluster volume",
        needs=("hosts", "source_name"),
        takes=("dir",),
        volumes=("delete",),
        finds=True,
        packages=("libvirt-daemon-driver-storage-gluster", "qemu-block-extra"),
        root=False,
    ),
    PoolType(
        "zfs",
        "volumes (zvols) of a ZFS pool",
        needs=("source_name",),
        takes=("device", "devices", "path", "mode", "owner", "group"),
        path="/dev/zvol/{source_name}",
        builds=True,
        destroys=True,
        volumes=("create", "delete", "upload", "wipe"),
        tools=("zpool", "zfs"),
        features=("ZFS",),
        packages=("zfsutils-linux", "libvirt-daemon-driver-storage-zfs"),
    ),
    PoolType(
        "vstorage",
        "files of a Virtuozzo storage cluster",
        needs=("path", "source_name"),
        takes=_OWN,
        builds=True,
        volumes=_ALL,
        tools=("vstorage-mount",),
        features=("vstorage",),
        packages=("vstorage-client",),
    ),
)

POOL_TYPES: Final[Mapping[str, PoolType]] = {one.kind: one for one in _TYPES}
"""Every type by libvirt's name."""

FILE_POOLS: Final = frozenset({"dir", "fs", "netfs", "vstorage"})
"""Types whose volumes are files at paths of the host."""
