"""What of the host is given to a guest: folders, USB devices, PCI devices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.device import DeviceSpec
from labvirt.model.fields import AbsolutePath
from labvirt.model.xml.devices import FilesystemXml, HostdevXml

__all__ = ["FilesystemSpec", "HostPciSpec", "HostUsbSpec"]

_PCI: Final = re.compile(
    r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", re.IGNORECASE
)
_USB: Final = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})", re.IGNORECASE)

_Id = Annotated[int, Field(ge=0, le=0xFFFF)]


class FilesystemSpec(DeviceSpec):
    """A folder of the host that the guest mounts by its tag.

    ``virtiofs`` is faster and needs shared memory (``DomainSpec(shared_memory=True)``); ``9p`` runs
    with any memory. In the guest: ``mount -t virtiofs TAG /mnt`` or ``mount -t 9p TAG /mnt``.
    """

    driver: Literal["virtiofs", "9p"] = Field("virtiofs", description="protocol")
    path: AbsolutePath = Field(description="folder on the host", examples=["/srv/share"])
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]{1,36}$")] = Field(
        description="name by which the guest mounts it", examples=["share"]
    )
    access: Literal["passthrough", "mapped", "squash"] | None = Field(
        None, description="whose rights count; virtiofs has passthrough only"
    )
    readonly: bool = Field(default=False, description="the guest cannot write; 9p only")
    binary: AbsolutePath | None = Field(
        None, description="path of virtiofsd; libvirt finds it when left out"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.driver == "virtiofs":
            if self.access not in (None, "passthrough"):
                problems.append(
                    Problem("access", str(self.access), "virtiofs has passthrough only")
                )
            if self.readonly:
                why = "virtiofs of this libvirt is always writable"
                problems.append(Problem("readonly", "True", why, "driver='9p'"))
        elif self.binary is not None:
            problems.append(Problem("binary", self.binary, "9p has no daemon"))
        if problems:
            raise SpecError("FilesystemSpec", problems)
        return self

    def device_xml(self) -> FilesystemXml:
        """Return the ``<filesystem>`` element."""
        is_fs = self.driver == "virtiofs"
        usual = "passthrough" if is_fs else "mapped"
        view = FilesystemXml.new(type="mount", access_mode=self.access or usual)
        if is_fs:
            view.driver_type = "virtiofs"
            view.set(binary=self.binary)
        view.set(source_dir=self.path, target_dir=self.tag, readonly=self.readonly)
        return view


class HostUsbSpec(DeviceSpec):
    """A USB device of the host; short form: ``"046d:c31c"`` (vendor:product).

    By vendor and product it is found again after it was unplugged; by bus and device it is this
    one of several that are alike, until it is unplugged.
    """

    vendor: _Id | None = Field(None, description="vendor", examples=[0x046D])
    product: _Id | None = Field(None, description="product", examples=[0xC31C])
    bus: int | None = Field(None, ge=1, le=255, description="number of the bus")
    device: int | None = Field(None, ge=1, le=127, description="number on the bus")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        if isinstance(data, str):
            found = _USB.fullmatch(data.strip())
            if not found:
                why = "is no vendor:product"
                raise SpecError("HostUsbSpec", (Problem("vendor", data, why, "046d:c31c"),))
            return {"vendor": int(found[1], 16), "product": int(found[2], 16)}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        by_id = (self.vendor is not None, self.product is not None)
        by_place = (self.bus is not None, self.device is not None)
        if by_id not in {(True, True), (False, False)} or any(by_place) != all(by_place):
            why = "both halves are needed: vendor and product, or bus and device"
            raise SpecError("HostUsbSpec", (Problem("vendor", "", why),))
        if not any(by_id) and not any(by_place):
            raise SpecError("HostUsbSpec", (Problem("vendor", "", "is missing", "046d:c31c"),))
        return self

    def device_xml(self) -> HostdevXml:
        """Return the ``<hostdev>`` element."""
        view = HostdevXml.new(mode="subsystem", type="usb")
        if self.vendor is not None and self.product is not None:
            view.set(usb_vendor=f"{self.vendor:#06x}", usb_product=f"{self.product:#06x}")
        if self.bus is not None:
            view.set(pci_bus=str(self.bus), usb_device=self.device)
        return view


class HostPciSpec(DeviceSpec):
    """A PCI device of the host; short form: its address, ``"0000:06:12.5"``."""

    SHORT = "address"

    address: str = Field(description="DOMAIN:BUS:SLOT.FUNCTION", examples=["0000:06:12.5"])
    managed: bool = Field(
        default=True, description="libvirt takes it from its driver and gives it back"
    )
    boot_order: int | None = Field(None, ge=1, description="place in the boot order, from 1")

    @model_validator(mode="before")
    @classmethod
    def _read_name(cls, data: Any) -> Any:
        """Take the name of a node device too: ``pci_0000_06_12_5``."""
        if not isinstance(data, str | Mapping):
            return data
        fields = {"address": data} if isinstance(data, str) else dict(data)
        name = fields.get("address")
        if isinstance(name, str) and name.startswith("pci_"):
            fields["address"] = ":".join(name.split("_")[1:4]) + "." + name.rpartition("_")[2]
        return fields

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not _PCI.fullmatch(self.address):
            why = "is no PCI address"
            problem = Problem(
                "address", self.address, why, "DOMAIN:BUS:SLOT.FUNCTION: 0000:06:12.5"
            )
            raise SpecError("HostPciSpec", (problem,))
        return self

    def device_xml(self) -> HostdevXml:
        """Return the ``<hostdev>`` element."""
        found = _PCI.fullmatch(self.address)
        assert found
        return HostdevXml.new(
            mode="subsystem",
            type="pci",
            managed=self.managed,
            pci_domain=f"0x{found[1] or '0000'}",
            pci_bus=f"0x{found[2]}",
            pci_slot=f"0x{found[3]}",
            pci_function=f"0x{found[4]}",
            boot_order=self.boot_order,
        )
