"""Typed view of a device of the host, as libvirt lists it (``virsh nodedev-dumpxml``).

See https://libvirt.org/formatnode.html.
"""

from __future__ import annotations

from labvirt.model.xml.table import Choice, Int, SizeFact, Text, Values
from labvirt.model.xml.view import View

__all__ = ["NodeDeviceXml"]


class NodeDeviceXml(View):
    """A device of the host."""

    TAG = "device"

    name = Text("name", "libvirt's name: pci_0000_00_02_0, net_eth0_52_54_00_aa_bb_cc")
    path = Text("path", "where it is in /sys")
    parent = Text("parent", "name of the device it sits on")
    devnode = Text("devnode", "its node in /dev")
    driver = Text("driver/name", "the host's driver")
    type = Choice(
        "capability/@type",
        "kind",
        values="system pci usb_device usb net scsi_host scsi_target scsi storage drm mdev ccw css "
        "ap_card ap_queue ap_matrix vdpa fc_host vports scsi_generic mdev_types",
    )
    pci_class = Text("capability/class", "PCI class, 0x and six digits")
    domain = Int("capability/domain", "PCI domain")
    bus = Int("capability/bus", "PCI or USB bus")
    slot = Int("capability/slot", "PCI slot")
    function = Int("capability/function", "PCI function")
    usb_device = Int("capability/device", "number on the USB bus")
    product = Text("capability/product", "name of the product")
    product_id = Text("capability/product/@id", "number of the product", keep=True)
    vendor = Text("capability/vendor", "name of the vendor")
    vendor_id = Text("capability/vendor/@id", "number of the vendor", keep=True)
    iommu_group = Int("capability/iommuGroup/@number", "IOMMU group")
    group_devices = Values("capability/iommuGroup/address/@slot", "slots of the IOMMU group")
    interface = Text("capability/interface", "name of the network interface")
    mac = Text("capability/address", "MAC address of the network interface")
    link_state = Text("capability/link/@state", "state of the link")
    block = Text("capability/block", "path of the block device")
    size = SizeFact("capability/size", "size of the block device", default="bytes")
    model = Text("capability/model", "model of the disk")
    mdev_type = Text("capability/type/@id", "type of a mediated device")
    hardware_vendor = Text("capability/hardware/vendor", "vendor of the machine")
