"""Where a new domain's system comes from: the union of installation sources."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, Line, ObjectName
from labvirt.model.spec import Spec
from labvirt.model.units import Size

__all__ = [
    "DISK_FORMATS",
    "DiskFormat",
    "ImportImage",
    "IsoInstall",
    "KernelBoot",
    "Media",
    "NetworkBoot",
    "Source",
    "TinyGuest",
    "parse_source",
]

DiskFormat = Literal["qcow2", "raw", "qed", "vdi", "vmdk", "vpc", "vhdx"]
DISK_FORMATS: tuple[str, ...] = get_args(DiskFormat)


class Media(Spec):
    """What was built for a source that must be built: the files a domain boots from."""

    kernel: AbsolutePath | None = Field(None, description="kernel to boot directly")
    initrd: AbsolutePath | None = Field(None, description="its initial RAM disk")
    cmdline: str = Field("", description="its command line")
    disk: AbsolutePath | None = Field(None, description="bootable image, never written to")
    disk_format: DiskFormat | None = Field(None, description="format of the image")
    minimum_memory: Size = Field(description="the least memory with which it boots")
    digest: str = Field(description="names the content; the same content has the same digest")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.kernel is None) == (self.disk is None):
            why = "either a kernel or a disk must be given, not both"
            raise SpecError("Media", (Problem("kernel", str(self.kernel or ""), why),))
        return self


class _SourceSpec(Spec):
    """What all sources have."""

    @property
    def needs_media(self) -> bool:
        """Whether files must be built first; then ``DomainSpec.with_media`` takes them."""
        return False


class _ImageSource(_SourceSpec):
    """A source that is one image: a path, or a volume of a pool."""

    path: AbsolutePath | None = Field(None, description="path of the image on the host")
    pool: ObjectName | None = Field(None, description="pool of the volume")
    volume: ObjectName | None = Field(None, description="name of the volume in the pool")

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if self.path is not None and (self.pool or self.volume):
            problem = Problem("path", self.path, "give a path, or pool and volume, not both")
        elif self.path is None and not (self.pool and self.volume):
            missing = "volume" if self.pool else "pool" if self.volume else "path"
            problem = Problem(missing, "", "give a path, or pool and volume")
        else:
            return self
        raise SpecError(type(self).__name__, (problem,))


class TinyGuest(_SourceSpec):
    """labvirt's own small Linux: boots in seconds, with shell, network, HTTP and guest agent."""

    kind: Literal["tiny-guest"] = "tiny-guest"
    boot: Literal["kernel", "disk"] = Field(
        "kernel", description="boot kernel and RAM disk directly, or from a bootable disk"
    )
    ssh: bool = Field(default=False, description="run an SSH server; root needs no password")

    @property
    def needs_media(self) -> bool:
        """True: `labvirt.install` builds it."""
        return True


class ImportImage(_ImageSource):
    """An image with an installed system; it becomes the first disk, used in place."""

    kind: Literal["import-image"] = "import-image"
    format: DiskFormat = Field("qcow2", description="format of the image")
    bus: Literal["virtio", "scsi", "sata", "ide", "usb"] = Field(
        "virtio", description="bus on which the guest sees it"
    )


class IsoInstall(_ImageSource):
    """An installation CD; booted as long as the first disk is blank."""

    kind: Literal["iso-install"] = "iso-install"


class KernelBoot(_SourceSpec):
    """A kernel and its RAM disk, booted directly, past firmware and boot loader."""

    kind: Literal["kernel-boot"] = "kernel-boot"
    kernel: AbsolutePath = Field(description="path of the kernel on the host")
    initrd: AbsolutePath | None = Field(None, description="path of its initial RAM disk")
    cmdline: Line | None = Field(
        None, description="its command line", examples=["console=ttyS0 root=/dev/vda1"]
    )


class NetworkBoot(_SourceSpec):
    """PXE: the firmware asks the network, as long as the first disk is blank."""

    kind: Literal["network-boot"] = "network-boot"


Source = Annotated[
    TinyGuest | ImportImage | IsoInstall | KernelBoot | NetworkBoot,
    Field(discriminator="kind"),
]
"""Any of the sources; ``kind`` says which."""


def parse_source(text: str) -> Source:
    """Return the source that a short text names, as runbooks and the command line take it.

    Args:
        text: ``tiny``, ``tiny-disk``, ``image:PATH``, ``iso:PATH``, ``kernel:PATH`` or ``pxe``; for
            an image its format follows from the ending (``.img`` and ``.raw`` are raw).

    Raises:
        SpecError: it names no source.
    """
    kind, _, path = text.partition(":")
    if kind == "image" and path:
        raw = path.endswith((".img", ".raw"))
        return ImportImage(path=path, format="raw" if raw else "qcow2")
    if kind == "iso" and path:
        return IsoInstall(path=path)
    if kind == "kernel" and path:
        return KernelBoot(kernel=path)
    plain: dict[str, Source] = {
        "tiny": TinyGuest(),
        "tiny-disk": TinyGuest(boot="disk"),
        "pxe": NetworkBoot(),
    }
    if text in plain:
        return plain[text]
    why = "is no source"
    hint = "tiny, tiny-disk, image:PATH, iso:PATH, kernel:PATH or pxe"
    raise SpecError("where the system comes from", (Problem("source", text, why, hint),))
