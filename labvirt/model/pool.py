"""A storage pool that is asked for."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, Line, SafeName, Uuid
from labvirt.model.pool_types import POOL_TYPES
from labvirt.model.spec import Spec
from labvirt.model.xml.pool import PoolHostXml, PoolXml

__all__ = ["PoolAuth", "PoolHost", "PoolSpec", "ScsiAdapter"]

PoolKind = Literal[
    "dir",
    "fs",
    "netfs",
    "logical",
    "disk",
    "iscsi",
    "iscsi-direct",
    "scsi",
    "mpath",
    "rbd",
    "gluster",
    "zfs",
    "vstorage",
]
Octal = Annotated[str, Field(pattern=r"^0?[0-7]{3}$")]
Iqn = Annotated[str, Field(pattern=r"^iqn\.[0-9]{4}-(0[1-9]|1[0-2])\.[a-zA-Z0-9.\-]+(:.+)?$")]
HostName = Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+)$")]
Wwn = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{16}$")]
Word = Annotated[str, Field(pattern=r"^[^\s/,][^\s,]*$")]
#: What stands in a spec but belongs to no type in particular.
_COMMON: Final = ("name", "kind", "uuid")


def _no_steps_up(path: str) -> str:
    if ".." in path.split("/"):
        raise SpecError("path", [Problem("", path, "has '..' in it", "write it without")])
    return path.rstrip("/")


def _listed(value: Any) -> Any:
    """Let one stand where several may."""
    return value if isinstance(value, (list, tuple)) or value is None else (value,)


Folder = Annotated[AbsolutePath, AfterValidator(_no_steps_up)]


class PoolHost(Spec):
    """A server of a pool; short form: ``name`` or ``name:port``."""

    name: HostName = Field(description="name or address", examples=["nas1", "10.99.0.1"])
    port: int | None = Field(None, ge=1, le=65535, description="port; left out: the usual one")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        if not isinstance(data, str):
            return data
        name, colon, port = data.rpartition(":")
        if colon and port.isdecimal() and (":" not in name or name.startswith("[")):
            return {"name": name.strip("[]"), "port": int(port)}
        return {"name": data.strip("[]")}


class PoolAuth(Spec):
    """Who logs in to the server; the password is in a libvirt secret object (`host.secrets`)."""

    type: Literal["chap", "ceph"] = Field(description="how: chap for iSCSI, ceph for rbd")
    user: Line = Field(description="user on the server", examples=["libvirt"])
    secret_uuid: Uuid | None = Field(None, description="UUID of the secret object")
    secret_usage: Line | None = Field(None, description="usage of the secret object")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.secret_uuid is None) == (self.secret_usage is None):
            why = "either the UUID or the usage of the secret object is needed"
            raise SpecError("PoolAuth", [Problem("secret_uuid", "", why)])
        return self


class ScsiAdapter(Spec):
    """A SCSI host adapter; short form: its name."""

    name: Line | None = Field(None, description="name of the adapter", examples=["host0"])
    wwnn: Wwn | None = Field(None, description="World Wide Node Name of a Fibre Channel adapter")
    wwpn: Wwn | None = Field(None, description="its World Wide Port Name")
    parent: Line | None = Field(None, description="adapter that carries the virtual one")
    managed: bool | None = Field(None, description="the virtual adapter goes with the pool")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        is_fc = self.wwnn is not None and self.wwpn is not None
        if is_fc == (self.name is not None):
            why = "either a name, or wwnn and wwpn of a Fibre Channel adapter"
            raise SpecError("ScsiAdapter", [Problem("name", self.name or "", why, "e.g. 'host0'")])
        return self


class PoolSpec(Spec):
    """A storage pool. Which fields a kind takes and needs stands in `model.pool_types`."""

    name: SafeName = Field(description="name, unique on the host", examples=["images"])
    kind: PoolKind = Field("dir", description="kind: what its volumes are")
    uuid: Uuid | None = Field(None, description="UUID; libvirt makes one when left out")
    path: Folder | None = Field(
        None,
        description="folder where the volumes are found on the host",
        examples=["/var/lib/libvirt/images"],
    )
    mode: Octal | None = Field(None, description="rights of the folder in octal", examples=["0711"])
    owner: int | None = Field(None, ge=0, description="user id that owns the folder")
    group: int | None = Field(None, ge=0, description="group id of the folder")
    device: Folder | None = Field(
        None, description="block device of the storage", examples=["/dev/disk/by-id/wwn-0x5"]
    )
    devices: Annotated[tuple[Folder, ...], BeforeValidator(_listed)] = Field(
        (), description="block devices of which the storage is built"
    )
    target: Iqn | None = Field(
        None, description="iSCSI target", examples=["iqn.2024-01.lab.example:disks"]
    )
    hosts: Annotated[tuple[PoolHost, ...], BeforeValidator(_listed)] = Field(
        (), description="servers of the storage", examples=[["nas1"], ["10.99.0.1:3260"]]
    )
    dir: Line | None = Field(None, description="folder on the server", examples=["/export/images"])
    source_name: Word | None = Field(
        None,
        description="name of the volume group, Ceph pool, Gluster volume, ZFS pool or cluster",
        examples=["vg0"],
    )
    format: str | None = Field(None, description="format of the source", examples=["ext4"])
    initiator: Iqn | None = Field(None, description="name of this host as iSCSI initiator")
    auth: PoolAuth | None = Field(None, description="who logs in to the server")
    adapter: ScsiAdapter | None = Field(None, description="SCSI host adapter")
    protocol_version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")] | None = Field(
        None, description="version of NFS", examples=["4.2"]
    )
    mount_options: Annotated[tuple[Word, ...], BeforeValidator(_listed)] = Field(
        (), description="options of mount", examples=[["noatime"]]
    )
    part_separator: bool | None = Field(None, description="p between device and partition")
    cow: bool | None = Field(None, description="copy on write on btrfs")
    refresh_allocation: Literal["default", "capacity"] | None = Field(
        None, description="how the taken space of images is found; capacity is quick"
    )
    rbd_options: dict[str, str] = Field({}, description="options of the Ceph client")

    @model_validator(mode="after")
    def _check(self) -> Self:
        kind = POOL_TYPES[self.kind]
        problems = [
            Problem(name, "", f"is needed by a pool of kind {self.kind}")
            for name in kind.needs
            if not getattr(self, name)
        ]
        taken = (*_COMMON, *kind.fields)
        problems += [
            Problem(name, "", f"means nothing to a pool of kind {self.kind}", ", ".join(taken))
            for name in type(self).model_fields
            if name not in taken and getattr(self, name) not in (None, (), {})
        ]
        if self.format is not None and kind.formats and self.format not in kind.formats:
            problems.append(
                Problem("format", self.format, "is not allowed", ", ".join(kind.formats))
            )
        problems += self._odd_source()
        if problems:
            raise SpecError(f"pool {self.name}", problems)
        return self

    def _odd_source(self) -> list[Problem]:
        """Return what does not go together."""
        problems = []
        is_nfs = self.format in (None, "auto", "nfs")
        if self.kind == "netfs" and is_nfs and self.dir and not self.dir.startswith("/"):
            problems.append(Problem("dir", self.dir, "must be an absolute path of the server"))
        if self.kind == "logical" and "/" in (self.source_name or ""):
            problems.append(Problem("source_name", str(self.source_name), "has '/' in it", "vg0"))
        if self.protocol_version and not is_nfs:
            problems.append(Problem("protocol_version", self.protocol_version, "belongs to NFS"))
        if self.kind in ("netfs", "iscsi", "iscsi-direct") and len(self.hosts) > 1:
            problems.append(Problem("hosts", "", f"kind {self.kind} has one server"))
        wanted = {"iscsi": "chap", "iscsi-direct": "chap", "rbd": "ceph"}.get(self.kind)
        if self.auth is not None and wanted and self.auth.type != wanted:
            problems.append(Problem("auth.type", self.auth.type, f"kind {self.kind} has {wanted}"))
        return problems

    @property
    def target_path(self) -> str:
        """The path of the host under which the volumes are; empty when there is none."""
        return self.path or POOL_TYPES[self.kind].path.format(source_name=self.source_name)

    @property
    def source_devices(self) -> tuple[str, ...]:
        """The block devices of this machine that the pool is made of."""
        return tuple(dict.fromkeys([*([self.device] if self.device else []), *self.devices]))

    def to_xml(self) -> str:
        """Return the definition; see https://libvirt.org/formatstorage.html."""
        pool = PoolXml.new(type=self.kind, name=self.name, uuid=self.uuid, cow=self.cow)
        for host in self.hosts:
            pool.hosts.append(PoolHostXml.new(name=host.name, port=host.port))
        if self.kind == "mpath":
            pool.path = self.target_path  # its source is empty, and may be left out
        pool.devices = (self.target,) if self.target else self.source_devices
        if self.device:
            pool.set(part_separator=self.part_separator)
        pool.set(source_dir=self.dir)
        if self.adapter is not None:
            self._set_adapter(pool, self.adapter)
        if self.auth is not None:
            pool.set(auth_type=self.auth.type, auth_user=self.auth.user)
            pool.set(auth_uuid=self.auth.secret_uuid, auth_usage=self.auth.secret_usage)
        pool.set(source_name=self.source_name, initiator=self.initiator)
        pool.set(source_format=self.format, protocol_version=self.protocol_version)
        pool.set(
            path=self.target_path or None,
            mode=self.mode,
            owner=None if self.owner is None else str(self.owner),
            group=None if self.group is None else str(self.group),
            refresh_allocation=self.refresh_allocation,
        )
        pool.mount_options = self.mount_options
        pool.rbd_options = self.rbd_options
        pool.rbd_values = self.rbd_options.values()
        return pool.text()

    @staticmethod
    def _set_adapter(pool: PoolXml, adapter: ScsiAdapter) -> None:
        is_fc = adapter.wwnn is not None
        pool.set(adapter_type="fc_host" if is_fc else "scsi_host", adapter_name=adapter.name)
        pool.set(adapter_parent=adapter.parent, adapter_managed=adapter.managed)
        pool.set(adapter_wwnn=adapter.wwnn, adapter_wwpn=adapter.wwpn)
