"""The smaller devices of a domain that are asked for: sound, input, randomness, TPM, controllers ..."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath
from labvirt.model.spec import Spec
from labvirt.model.units import Size
from labvirt.model.xml.devices import (
    ControllerXml,
    InputXml,
    MemballoonXml,
    PanicXml,
    RngXml,
    SoundXml,
    TpmXml,
)
from labvirt.model.xml.links import IommuXml, ShmemXml, VsockXml

if TYPE_CHECKING:
    from labvirt.model.xml.devices import DeviceXml

__all__ = [
    "ControllerSpec",
    "DeviceSpec",
    "InputSpec",
    "IommuSpec",
    "MemballoonSpec",
    "PanicSpec",
    "RngSpec",
    "ShmemSpec",
    "SoundSpec",
    "TpmSpec",
    "VsockSpec",
]


class DeviceSpec(Spec):
    """A device that is asked for."""

    #: The field that a text alone stands for; empty when there is no short form.
    SHORT: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {cls.SHORT: data} if isinstance(data, str) and cls.SHORT else data

    @abstractmethod
    def device_xml(self) -> DeviceXml:
        """Return the element of the device."""

    def to_xml(self) -> str:
        """Return the element as text, e.g. to attach it."""
        return self.device_xml().text()


class SoundSpec(DeviceSpec):
    """A sound card; short form: the model."""

    SHORT = "model"

    model: Literal["ich9", "ich6", "ac97", "es1370", "sb16", "usb"] = Field(
        "ich9", description="card the guest sees"
    )

    def device_xml(self) -> SoundXml:
        """Return the ``<sound>`` element."""
        return SoundXml.new(model=self.model)


class InputSpec(DeviceSpec):
    """A keyboard, mouse or tablet; short form: the kind. A tablet has no trouble with the pointer."""

    SHORT = "kind"

    kind: Literal["tablet", "mouse", "keyboard"] = Field("tablet", description="what it is")
    bus: Literal["usb", "virtio", "ps2"] = Field("usb", description="bus; ps2 cannot be unplugged")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.bus == "ps2" and self.kind == "tablet":
            why = "there is no tablet on this bus"
            raise SpecError("InputSpec", (Problem("bus", "ps2", why, "usb or virtio"),))
        return self

    def device_xml(self) -> InputXml:
        """Return the ``<input>`` element."""
        return InputXml.new(type=self.kind, bus=self.bus)


class RngSpec(DeviceSpec):
    """A source of randomness; short form: the path of its source on the host."""

    SHORT = "path"

    path: AbsolutePath = Field("/dev/urandom", description="where randomness comes from")
    rate: Size | None = Field(
        None, gt=0, description="the most that the guest may take in a second", examples=["4 KiB"]
    )

    def device_xml(self) -> RngXml:
        """Return the ``<rng>`` element."""
        rng = RngXml.new(model="virtio", backend=self.path, backend_model="random")
        if self.rate is not None:
            rng.set(rate_bytes=int(self.rate), rate_period_ms=1000)
        return rng


class TpmSpec(DeviceSpec):
    """A TPM that swtpm on the host emulates, or the host's own; short form: the model."""

    SHORT = "model"

    model: Literal["tpm-crb", "tpm-tis"] = Field(
        "tpm-crb", description="interface; crb is for TPM 2.0 and q35"
    )
    version: Literal["2.0", "1.2"] = Field("2.0", description="version of the emulated TPM")
    path: AbsolutePath | None = Field(
        None, description="the host's TPM to give away; emulated when left out"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model == "tpm-crb" and self.version == "1.2":
            why = "is TPM 2.0 only"
            raise SpecError("TpmSpec", (Problem("model", self.model, why, "tpm-tis"),))
        return self

    def device_xml(self) -> TpmXml:
        """Return the ``<tpm>`` element."""
        if self.path is not None:
            return TpmXml.new(
                model=self.model, backend_type="passthrough", backend_device=self.path
            )
        return TpmXml.new(model=self.model, backend_type="emulator", backend_version=self.version)


class PanicSpec(DeviceSpec):
    """The device by which a guest kernel tells that it crashed; short form: the model."""

    SHORT = "model"

    model: Literal["isa", "hyperv", "pseries", "s390"] = Field(
        "isa", description="kind; isa on a PC, hyperv for Windows"
    )

    def device_xml(self) -> PanicXml:
        """Return the ``<panic>`` element."""
        return PanicXml.new(model=self.model)


class MemballoonSpec(DeviceSpec):
    """The balloon, by which memory is taken from a running guest; short form: the model."""

    SHORT = "model"

    model: Literal["virtio", "none"] = Field("virtio", description="kind; none leaves it out")
    stats_period_s: int | None = Field(
        None, ge=1, le=3600, description="seconds between memory statistics"
    )
    autodeflate: bool | None = Field(
        None, description="give memory back before the guest runs out of it"
    )
    free_page_reporting: bool | None = Field(
        None, description="the guest gives back pages that it does not use"
    )

    def device_xml(self) -> MemballoonXml:
        """Return the ``<memballoon>`` element."""
        balloon = MemballoonXml.new(model=self.model)
        if self.model != "none":
            balloon.set(
                autodeflate=self.autodeflate,
                free_page_reporting=self.free_page_reporting,
                stats_period_s=self.stats_period_s,
            )
        return balloon


class ControllerSpec(DeviceSpec):
    """A bus for other devices; short form: the kind."""

    SHORT = "kind"

    kind: Literal["scsi", "usb", "virtio-serial", "sata", "ide", "pci"] = Field(
        "scsi", description="the bus"
    )
    model: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")] | None = Field(
        None,
        description="kind of controller; virtio-scsi for scsi when left out",
        examples=["virtio-scsi", "qemu-xhci", "pcie-root-port"],
    )
    index: int | None = Field(None, ge=0, description="number; the next free one when left out")

    def device_xml(self) -> ControllerXml:
        """Return the ``<controller>`` element."""
        usual = "virtio-scsi" if self.kind == "scsi" else None
        return ControllerXml.new(type=self.kind, index=self.index, model=self.model or usual)


class VsockSpec(DeviceSpec):
    """A socket between host and guest that needs no network."""

    cid: int | None = Field(
        None, ge=3, le=2**32 - 2, description="number of the guest; libvirt chooses if left out"
    )

    def device_xml(self) -> VsockXml:
        """Return the ``<vsock>`` element."""
        if self.cid is None:
            return VsockXml.new(model="virtio", cid_auto=True)
        return VsockXml.new(model="virtio", cid_auto=False, cid=self.cid)


class ShmemSpec(DeviceSpec):
    """Memory that several guests and the host share; short form: its name."""

    SHORT = "name"

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,63}$")] = Field(
        description="name of the memory on the host"
    )
    size: Size = Field(
        Size(4 * 2**20), ge=2**20, description="size, a power of two", examples=["4 MiB"]
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if int(self.size) & (int(self.size) - 1):
            why = "is no power of two"
            raise SpecError("ShmemSpec", (Problem("size", str(self.size), why, "4 MiB"),))
        return self

    def device_xml(self) -> ShmemXml:
        """Return the ``<shmem>`` element."""
        return ShmemXml.new(name=self.name, model="ivshmem-plain", size=self.size)


class IommuSpec(DeviceSpec):
    """The IOMMU that the guest sees; short form: the model."""

    SHORT = "model"

    model: Literal["intel", "virtio", "smmuv3"] = Field(
        "intel", description="kind; intel needs machine q35"
    )

    def device_xml(self) -> IommuXml:
        """Return the ``<iommu>`` element."""
        return IommuXml.new(model=self.model)
