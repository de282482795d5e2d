"""Typed views of the devices that tie a guest to its host and to others: vsock, shmem, iommu."""

from __future__ import annotations

from labvirt.model.xml.devices import BusDeviceXml
from labvirt.model.xml.table import Choice, Int, OnOff, SizeFact, Text, YesNo

__all__ = ["IommuXml", "ShmemXml", "VsockXml"]


class VsockXml(BusDeviceXml):
    """A socket between host and guest that needs no network."""

    TAG = "vsock"

    model = Choice("@model", "kind", values="virtio virtio-transitional virtio-non-transitional")
    cid = Int("cid/@address", "number of the guest, from 3", keep=True)
    cid_auto = YesNo("cid/@auto", "libvirt chooses the number", keep=True)


class ShmemXml(BusDeviceXml):
    """Memory that several guests and the host share."""

    TAG = "shmem"

    name = Text("@name", "name of the memory on the host")
    role = Choice("@role", "whether it may migrate", values="master peer")
    model = Choice("model/@type", "kind", values="ivshmem ivshmem-plain ivshmem-doorbell")
    size = SizeFact("size", "size of the memory", default="M")


class IommuXml(BusDeviceXml):
    """The IOMMU that the guest sees."""

    TAG = "iommu"

    model = Choice("@model", "kind", values="intel smmuv3 virtio")
    intremap = OnOff("driver/@intremap", "interrupts are remapped")
    caching_mode = OnOff("driver/@caching_mode", "needed for devices of the host")
