"""Typed views of the devices of a domain but those for characters and pictures.

See https://libvirt.org/formatdomain.html#devices. What no line names stays as it is.
"""

from __future__ import annotations

from labvirt.model.xml.table import Choice, Int, OnOff, Present, SizeFact, Text, YesNo
from labvirt.model.xml.view import View

__all__ = [
    "BusDeviceXml",
    "ControllerXml",
    "DeviceXml",
    "DiskXml",
    "FilesystemXml",
    "HostdevXml",
    "InputXml",
    "InterfaceXml",
    "MemballoonXml",
    "MemoryDeviceXml",
    "PanicXml",
    "RngXml",
    "SoundXml",
    "TpmXml",
    "WatchdogXml",
]


class DeviceXml(View):
    """Any device; also the view of those that have no class of their own."""


class BusDeviceXml(DeviceXml):
    """A device that has a place on a bus of the guest."""

    alias = Text("alias/@name", "the name QEMU knows the device by; users' own begin with ua-")
    address_type = Text("address/@type", "the bus of the address: pci, drive, usb, ccw ...")


class DiskXml(BusDeviceXml):
    """A disk, CD drive or floppy drive."""

    TAG = "disk"

    type = Choice(
        "@type",
        "what the source is",
        values="file block dir network volume nvme vhostuser vhostvdpa",
    )
    device = Choice("@device", "what the guest sees", values="disk cdrom floppy lun")
    driver_name = Text("driver/@name", "qemu")
    driver_type = Text("driver/@type", "format of the image: qcow2, raw ...")
    cache = Choice(
        "driver/@cache",
        "cache mode",
        values="default none writethrough writeback directsync unsafe",
    )
    io = Choice("driver/@io", "I/O mode", values="threads native io_uring")
    discard = Choice("driver/@discard", "what discard does", values="unmap ignore")
    detect_zeroes = Choice(
        "driver/@detect_zeroes", "what writing zeroes does", values="off on unmap"
    )
    error_policy = Choice(
        "driver/@error_policy", "what an I/O error does", values="stop report ignore enospace"
    )
    source_file = Text("source/@file", "path of an image, type file")
    source_dev = Text("source/@dev", "path of a block device, type block")
    source_dir = Text("source/@dir", "path of a folder, type dir")
    source_pool = Text("source/@pool", "name of a pool, type volume")
    source_volume = Text("source/@volume", "name of a volume in the pool")
    source_protocol = Text("source/@protocol", "nbd, rbd, iscsi ..., type network")
    source_name = Text("source/@name", "name on the server, type network")
    startup_policy = Choice(
        "source/@startupPolicy",
        "what happens when the source is missing",
        values="mandatory requisite optional",
    )
    backing_file = Text("backingStore/source/@file", "path of the image below an overlay")
    backing_type = Text("backingStore/format/@type", "format of the image below an overlay")
    target = Text("target/@dev", "the disk's name: vda, sda, hdc, fda")
    bus = Choice(
        "target/@bus",
        "the bus on which the guest sees it",
        values="virtio scsi sata ide usb fdc xen uml sd",
    )
    tray = Choice("target/@tray", "tray of a CD drive", values="open closed")
    removable = OnOff("target/@removable", "a removable USB disk")
    readonly = Present("readonly", "the guest cannot write")
    shareable = Present("shareable", "several domains may use it at once")
    transient = Present("transient", "changes are dropped at power-off")
    iothread = Int("driver/@iothread", "number of the I/O thread that serves the disk")
    total_bytes_s = Int("iotune/total_bytes_sec", "limit of reading and writing, bytes a second")
    read_bytes_s = Int("iotune/read_bytes_sec", "limit of reading, bytes a second")
    write_bytes_s = Int("iotune/write_bytes_sec", "limit of writing, bytes a second")
    total_iops = Int("iotune/total_iops_sec", "limit of reading and writing, operations a second")
    read_iops = Int("iotune/read_iops_sec", "limit of reading, operations a second")
    write_iops = Int("iotune/write_iops_sec", "limit of writing, operations a second")
    serial = Text("serial", "serial number that the guest sees")
    wwn = Text("wwn", "World Wide Name, 16 hexadecimal digits")
    boot_order = Int("boot/@order", "place in the boot order, from 1")

    @property
    def source_path(self) -> str | None:
        """Path of the image, device or folder; None for volumes, networks and empty drives."""
        return self.source_file or self.source_dev or self.source_dir


class InterfaceXml(BusDeviceXml):
    """A network interface."""

    TAG = "interface"

    type = Choice(
        "@type",
        "how it is connected",
        values="network bridge user direct hostdev mcast ethernet server client udp internal vhostuser vdpa null vds",
    )
    mac = Text("mac/@address", "MAC address")
    source_network = Text("source/@network", "name of a libvirt network")
    source_portgroup = Text("source/@portgroup", "port group of the network")
    source_bridge = Text("source/@bridge", "name of a bridge on the host")
    source_dev = Text("source/@dev", "device of the host, type direct")
    source_mode = Choice(
        "source/@mode", "macvtap mode, type direct", values="vepa bridge private passthrough"
    )
    source_address = Text("source/@address", "group or server address: mcast, udp, server, client")
    source_port = Int("source/@port", "port: mcast, udp, server, client")
    source_local_address = Text("source/local/@address", "own address, type udp")
    source_local_port = Int("source/local/@port", "own port, type udp")
    target_dev = Text("target/@dev", "name of the tap device on the host")
    model = Text("model/@type", "what the guest sees: virtio, e1000e, e1000, rtl8139 ...")
    driver_name = Choice("driver/@name", "back end", values="vhost qemu")
    queues = Int("driver/@queues", "queues of a virtio interface")
    filter = Text("filterref/@filter", "name of an nwfilter")
    inbound_kib_s = Int("bandwidth/inbound/@average", "usual rate to the guest, KiB a second")
    outbound_kib_s = Int("bandwidth/outbound/@average", "usual rate from the guest, KiB a second")
    link_state = Choice("link/@state", "the cable", values="up down")
    mtu = Int("mtu/@size", "MTU in bytes")
    boot_order = Int("boot/@order", "place in the boot order, from 1")

    @property
    def source(self) -> str | None:
        """The network, bridge or device it is connected to; None for user and null."""
        return self.source_network or self.source_bridge or self.source_dev or self.source_address


class ControllerXml(BusDeviceXml):
    """A controller: the bus that disks and devices sit on."""

    TAG = "controller"

    type = Choice(
        "@type", "the bus", values="ide fdc scsi sata usb ccid virtio-serial pci xenbus isa"
    )
    index = Int("@index", "number among controllers of its type, from 0")
    model = Text("@model", "virtio-scsi, qemu-xhci, pcie-root ...")
    ports = Int("@ports", "ports of a virtio-serial or USB controller")
    hotplug = OnOff("target/@hotplug", "devices can be plugged into a PCI port while it runs")


class InputXml(BusDeviceXml):
    """A keyboard, mouse or tablet."""

    TAG = "input"

    type = Choice("@type", "kind", values="tablet mouse keyboard passthrough evdev")
    bus = Choice("@bus", "bus", values="xen ps2 usb virtio")
    model = Text("@model", "virtio, virtio-transitional ...")


class MemballoonXml(BusDeviceXml):
    """The balloon, by which memory is taken from and given to a running guest."""

    TAG = "memballoon"

    model = Choice(
        "@model", "kind", values="virtio xen none virtio-transitional virtio-non-transitional"
    )
    autodeflate = OnOff("@autodeflate", "give memory back before the guest runs out of it")
    free_page_reporting = OnOff("@freePageReporting", "the guest reports pages it does not use")
    stats_period_s = Int("stats/@period", "seconds between memory statistics", keep=True)


class RngXml(BusDeviceXml):
    """A source of randomness for the guest."""

    TAG = "rng"

    model = Choice("@model", "kind", values="virtio virtio-transitional virtio-non-transitional")
    backend = Text("backend", "path on the host, e.g. /dev/urandom")
    backend_model = Choice("backend/@model", "back end", values="random egd builtin")
    rate_bytes = Int("rate/@bytes", "bytes in a period")
    rate_period_ms = Int("rate/@period", "the period in milliseconds")


class WatchdogXml(BusDeviceXml):
    """A watchdog, which acts when the guest stops answering."""

    TAG = "watchdog"

    model = Choice("@model", "kind", values="i6300esb ib700 diag288 itco")
    action = Choice(
        "@action", "what it does", values="reset shutdown poweroff pause none dump inject-nmi"
    )


class TpmXml(BusDeviceXml):
    """A TPM."""

    TAG = "tpm"

    model = Choice("@model", "kind", values="tpm-tis tpm-crb tpm-spapr spapr-tpm-proxy")
    backend_type = Choice("backend/@type", "back end", values="passthrough emulator external")
    backend_version = Choice("backend/@version", "TPM version", values="1.2 2.0")
    backend_device = Text("backend/device/@path", "the host's device, type passthrough")


class FilesystemXml(BusDeviceXml):
    """A folder of the host that the guest mounts."""

    TAG = "filesystem"

    type = Choice("@type", "what the source is", values="file block mount bind ram template volume")
    access_mode = Choice("@accessmode", "whose rights count", values="passthrough mapped squash")
    driver_type = Text("driver/@type", "path, handle, virtiofs ...")
    source_dir = Text("source/@dir", "folder on the host")
    binary = Text("binary/@path", "path of virtiofsd on the host, driver virtiofs")
    target_dir = Text("target/@dir", "mount tag in the guest")
    readonly = Present("readonly", "the guest cannot write")


class HostdevXml(BusDeviceXml):
    """A device of the host that is given to the guest."""

    TAG = "hostdev"

    mode = Choice("@mode", "kind", values="subsystem capabilities")
    type = Text("@type", "pci, usb, scsi, scsi_host, mdev")
    managed = YesNo("@managed", "libvirt takes the device from the host by itself")
    driver_name = Text("driver/@name", "vfio, type pci")
    usb_vendor = Text("source/vendor/@id", "USB vendor, 0x and four digits")
    usb_product = Text("source/product/@id", "USB product, 0x and four digits")
    usb_device = Int("source/address/@device", "number of a USB device on its bus")
    pci_domain = Text("source/address/@domain", "PCI domain")
    pci_bus = Text("source/address/@bus", "PCI or USB bus")
    pci_slot = Text("source/address/@slot", "PCI slot")
    pci_function = Text("source/address/@function", "PCI function")
    boot_order = Int("boot/@order", "place in the boot order, from 1")


class SoundXml(BusDeviceXml):
    """A sound card."""

    TAG = "sound"

    model = Choice("@model", "kind", values="sb16 es1370 pcspk ac97 ich6 ich7 ich9 usb virtio")


class PanicXml(BusDeviceXml):
    """The device by which a guest kernel tells that it crashed."""

    TAG = "panic"

    model = Choice("@model", "kind", values="isa pseries hyperv s390 pvpanic")


class MemoryDeviceXml(BusDeviceXml):
    """A memory module that can be plugged in."""

    TAG = "memory"

    model = Choice("@model", "kind", values="dimm nvdimm virtio-pmem virtio-mem sgx-epc")
    size = SizeFact("target/size", "size of the module")
    node = Int("target/node", "NUMA node of the guest")
