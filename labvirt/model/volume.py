"""A volume that is asked for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, Line, ObjectName, Uuid
from labvirt.model.source import DiskFormat
from labvirt.model.spec import Spec
from labvirt.model.units import Size
from labvirt.model.xml.volume import VolumeXml

__all__ = ["VolumeEncryption", "VolumeSpec"]

#: What a partition of a pool of kind disk may hold.
PARTITIONS = (
    "none",
    "linux",
    "fat16",
    "fat32",
    "linux-swap",
    "linux-lvm",
    "linux-raid",
    "extended",
)
VolumeFormat = Literal[
    "qcow2",
    "raw",
    "none",
    "linux",
    "fat16",
    "fat32",
    "linux-swap",
    "linux-lvm",
    "linux-raid",
    "extended",
]


class VolumeEncryption(Spec):
    """LUKS encryption of a volume; the passphrase is in a libvirt secret object (`host.secrets`)."""

    secret_uuid: Uuid | None = Field(None, description="UUID of the secret object")
    secret_usage: Line | None = Field(None, description="usage of the secret object")
    cipher: Literal["aes", "cast5", "serpent", "twofish"] | None = Field(
        None, description="cipher; left out: QEMU's own choice, AES"
    )
    key_bits: Literal[128, 192, 256] | None = Field(None, description="bits of the key")
    mode: Literal["cbc", "xts", "ecb", "ctr"] | None = Field(None, description="cipher mode")
    hash: Literal["sha1", "sha256", "sha512"] | None = Field(None, description="hash of the key")
    iv: Literal["plain", "plain64", "essiv"] | None = Field(
        None, description="how initial vectors are made"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if (self.secret_uuid is None) == (self.secret_usage is None):
            why = "either the UUID or the usage of the secret object is needed"
            problems.append(Problem("secret_uuid", "", why))
        chosen = (self.key_bits, self.mode, self.hash, self.iv)
        if any(chosen) and not (self.cipher and self.key_bits and self.mode and self.iv):
            why = "cipher, key_bits, mode and iv belong together"
            problems.append(Problem("cipher", self.cipher or "", why))
        if problems:
            raise SpecError("VolumeEncryption", problems)
        return self

    def write(self, volume: VolumeXml) -> None:
        """Put the encryption into a volume's XML."""
        volume.set(encryption="luks", secret_uuid=self.secret_uuid)
        volume.set(secret_usage=self.secret_usage)
        if self.cipher is not None:
            volume.set(cipher=self.cipher, cipher_size=self.key_bits, cipher_mode=self.mode)
            volume.set(cipher_hash=self.hash, ivgen=self.iv)
            if self.iv == "essiv":
                volume.set(ivgen_hash=self.hash or "sha256")


class VolumeSpec(Spec):
    """A volume of a pool."""

    name: ObjectName = Field(description="name, unique in the pool", examples=["web1.qcow2"])
    capacity: Size | None = Field(
        None,
        gt=0,
        description="size the guest sees; may be left out above a backing image",
        examples=["20 GiB"],
    )
    format: VolumeFormat = Field(
        "qcow2", description="format of the image; in a pool of kind disk what the partition holds"
    )
    allocation: Size | None = Field(
        None, description="space taken at once; left out: none for qcow2, all for raw"
    )
    preallocation: Literal["off", "metadata", "falloc", "full"] | None = Field(
        None,
        description="off: sparse; metadata: the tables of qcow2; falloc: space reserved; full: all "
        "written",
    )
    backing_path: AbsolutePath | None = Field(None, description="image below this one")
    backing_format: DiskFormat | None = Field(None, description="its format")
    encryption: VolumeEncryption | None = Field(None, description="LUKS encryption")
    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] | None = Field(
        None, description="rights of the file in octal", examples=["0600"]
    )
    owner: int | None = Field(None, ge=0, description="user id that owns the file")
    group: int | None = Field(None, ge=0, description="group id of the file")
    compat: Literal["0.10", "1.1"] | None = Field(
        None, description="version of qcow2; 1.1 when left out"
    )
    cluster_size: Size | None = Field(
        None, ge=512, le=2 << 20, description="cluster of qcow2", examples=["64 KiB"]
    )
    lazy_refcounts: bool = Field(default=False, description="reference counts of qcow2 kept late")
    extended_l2: bool = Field(default=False, description="qcow2 clusters have subclusters")
    nocow: bool = Field(default=False, description="no copy on write on btrfs")

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.capacity is None and self.backing_path is None:
            problems.append(Problem("capacity", "", "is missing", "e.g. '20 GiB'"))
        if self.capacity is not None and (self.allocation or 0) > self.capacity:
            why = f"is more than the capacity {self.capacity}"
            problems.append(Problem("allocation", str(self.allocation), why))
        if self.backing_path is not None and self.format != "qcow2":
            problems.append(Problem("format", self.format, "has no backing image", "qcow2"))
        if (self.backing_path is None) != (self.backing_format is None):
            field = "backing_path" if self.backing_path is None else "backing_format"
            problems.append(Problem(field, "", "is missing", "path and format belong together"))
        problems += self._odd_features()
        if problems:
            raise SpecError("VolumeSpec", problems)
        return self

    def _odd_features(self) -> list[Problem]:
        """Return features that the format does not have."""
        own = ("compat", "cluster_size", "lazy_refcounts", "extended_l2")
        problems = [
            Problem(name, str(getattr(self, name)), f"belongs to qcow2, not to {self.format}")
            for name in own
            if self.format != "qcow2" and getattr(self, name)
        ]
        if self.cluster_size and self.cluster_size & (self.cluster_size - 1):
            problems.append(
                Problem("cluster_size", str(self.cluster_size), "is no power of two", "64 KiB")
            )
        if self.compat == "0.10" and (self.lazy_refcounts or self.extended_l2):
            problems.append(Problem("compat", "0.10", "has neither lazy_refcounts nor extended_l2"))
        if self.encryption is not None and self.format not in ("qcow2", "raw"):
            problems.append(Problem("encryption", "", f"a volume of format {self.format} has none"))
        if self.preallocation == "metadata" and self.format != "qcow2":
            why = f"belongs to qcow2, not to {self.format}"
            problems.append(Problem("preallocation", "metadata", why, "falloc"))
        if self.preallocation is not None and self.allocation is not None:
            problems.append(Problem("allocation", str(self.allocation), "preallocation says it"))
        if self.preallocation in ("falloc", "full", "metadata") and self.backing_path:
            why = "hides the image below"
            problems.append(Problem("preallocation", self.preallocation, why, "off"))
        return problems

    @property
    def space(self) -> Size:
        """Bytes taken at once."""
        if self.allocation is not None:
            return self.allocation
        if self.preallocation is None:
            return Size(0) if self.format == "qcow2" else Size(int(self.capacity or 0))
        return (
            Size(int(self.capacity or 0)) if self.preallocation in ("falloc", "full") else Size(0)
        )

    def to_xml(self, *, formatted: bool = True) -> str:
        """Return the definition; see https://libvirt.org/formatstorage.html#storage-volume-xml.

        Args:
            formatted: False in pools whose volumes have no format: logical, rbd, zfs ...
        """
        kind = "file" if formatted and self.format not in PARTITIONS else None
        volume = VolumeXml.new(type=kind, name=self.name, capacity=self.capacity)
        volume.set(allocation=self.space, format=self.format if formatted else None)
        volume.set(
            mode=self.mode,
            owner=None if self.owner is None else str(self.owner),
            group=None if self.group is None else str(self.group),
        )
        if self.encryption is not None:
            self.encryption.write(volume)
        compat = self.compat
        if compat is None and formatted and self.format == "qcow2":
            # Libvirt makes version 2 when nothing is said, and that holds no dirty bitmaps.
            compat = "1.1"
        volume.set(compat=compat, nocow=self.nocow or None, cluster_size=self.cluster_size)
        volume.set(lazy_refcounts=self.lazy_refcounts or None, extended_l2=self.extended_l2 or None)
        volume.set(backing_path=self.backing_path, backing_format=self.backing_format)
        return volume.text()
