"""A domain's XML: any fact read and changed in place, nothing else touched.

See https://libvirt.org/formatdomain.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.errors import Problem, SpecError
from labvirt.model.redact import redact_xml
from labvirt.model.spec import did_you_mean
from labvirt.model.xml import chardev, devices, display, links, rarer
from labvirt.model.xml.devices import DeviceXml, DiskXml, InterfaceXml
from labvirt.model.xml.machine import CpuFeatureXml, FirmwareFeatureXml, SeclabelXml, TimerXml
from labvirt.model.xml.source import is_element
from labvirt.model.xml.table import (
    ChildList,
    Children,
    Choice,
    Int,
    OnOff,
    Present,
    SizeFact,
    Text,
    Values,
    YesNo,
)
from labvirt.model.xml.text import XmlDoc
from labvirt.model.xml.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEVICES", "DomainXml"]

DEVICES: Final[Mapping[str, type[DeviceXml]]] = {
    cls.TAG: cls
    for cls in (
        devices.DiskXml,
        devices.ControllerXml,
        devices.FilesystemXml,
        devices.InterfaceXml,
        chardev.SerialXml,
        chardev.ParallelXml,
        chardev.ConsoleXml,
        chardev.ChannelXml,
        devices.InputXml,
        devices.TpmXml,
        display.GraphicsXml,
        devices.SoundXml,
        display.VideoXml,
        devices.HostdevXml,
        devices.WatchdogXml,
        devices.MemballoonXml,
        devices.RngXml,
        devices.PanicXml,
        devices.MemoryDeviceXml,
        links.VsockXml,
        links.ShmemXml,
        links.IommuXml,
        rarer.RedirdevXml,
        rarer.SmartcardXml,
    )
}
"""The class of each kind of device; the others are plain :class:`DeviceXml`."""

_ENDS: Final = "destroy restart preserve rename-restart"
_CRASH_ENDS: Final = _ENDS + " coredump-destroy coredump-restart"


class DomainXml(View):
    """The definition of a domain."""

    TAG = "domain"

    type = Text("@type", "how it runs: kvm, qemu, xen, lxc, test ...")
    id = Int("@id", "number of a running domain")
    name = Text("name", "name, unique on the host")
    uuid = Text("uuid", "UUID")
    genid = Text("genid", "generation id: changes when the guest goes back in time")
    title = Text("title", "one line for people")
    description = Text("description", "any text for people")
    tags = Values("metadata/labvirt:labvirt/labvirt:tag", "labvirt's tags")

    swapped = Values(
        "metadata/labvirt-was:was/labvirt-was:device",
        "what was converted to virtio: kind, name, bus or model, new name, WWN",
    )

    memory = SizeFact("memory", "memory at boot, and the most that the balloon can give")
    current_memory = SizeFact("currentMemory", "memory that the balloon leaves to the guest")
    max_memory = SizeFact("maxMemory", "memory with all memory devices plugged in")
    max_memory_slots = Int("maxMemory/@slots", "slots for memory devices")
    hugepages = Present("memoryBacking/hugepages", "memory comes from huge pages")
    memory_locked = Present("memoryBacking/locked", "memory is never swapped out")
    memory_source = Choice(
        "memoryBacking/source/@type", "where memory is", values="file anonymous memfd"
    )
    memory_access = Choice("memoryBacking/access/@mode", "who sees memory", values="shared private")
    vcpus = Int("vcpu", "the most virtual CPUs")
    current_vcpus = Int("vcpu/@current", "virtual CPUs at boot", keep=True)
    vcpu_placement = Choice("vcpu/@placement", "by whom", values="static auto")
    vcpu_cpuset = Text("vcpu/@cpuset", "host CPUs that may be used: 0-3,^2")
    iothreads = Int("iothreads", "threads for disk I/O")

    bootloader = Text("bootloader", "boot loader on the host, Xen paravirtual")
    bootloader_args = Text("bootloader_args", "its arguments")
    os_type = Text("os/type", "hvm, xen, linux, exe ...")
    arch = Text("os/type/@arch", "architecture: x86_64 ...", keep=True)
    machine = Text("os/type/@machine", "machine: pc, q35 ...", keep=True)
    firmware = Choice("os/@firmware", "firmware chosen by libvirt", values="bios efi")
    firmware_features = Children(
        "os/firmware/feature", FirmwareFeatureXml, "what the chosen firmware must have"
    )
    loader = Text("os/loader", "path of the firmware")
    loader_readonly = YesNo("os/loader/@readonly", "the firmware is mapped read-only", keep=True)
    loader_type = Choice("os/loader/@type", "kind", values="rom pflash", keep=True)
    loader_secure = YesNo("os/loader/@secure", "the firmware does Secure Boot", keep=True)
    nvram = Text("os/nvram", "path of the firmware's variables")
    nvram_template = Text("os/nvram/@template", "path of their first state", keep=True)
    kernel = Text("os/kernel", "path of a kernel to boot directly")
    initrd = Text("os/initrd", "path of its initial RAM disk")
    cmdline = Text("os/cmdline", "its command line")
    boot_order = Values(
        "os/boot/@dev", "what is booted, first to last", values="hd fd cdrom network"
    )
    boot_menu = YesNo("os/bootmenu/@enable", "the firmware shows a menu")
    boot_menu_timeout_ms = Int("os/bootmenu/@timeout", "how long, in milliseconds")

    pae = Present("features/pae", "physical address extension")
    acpi = Present("features/acpi", "ACPI: power button, orderly shutdown")
    apic = Present("features/apic", "APIC: programmable interrupts")
    hap = Present("features/hap", "hardware assisted paging")
    smm = OnOff("features/smm/@state", "system management mode, needed by Secure Boot", keep=True)
    vmport = OnOff("features/vmport/@state", "VMware's I/O port", keep=True)
    pmu = OnOff("features/pmu/@state", "performance counters", keep=True)
    kvm_hidden = OnOff("features/kvm/hidden/@state", "the guest does not see KVM")
    hyperv_relaxed = OnOff("features/hyperv/relaxed/@state", "relaxed timers for Windows")
    hyperv_vapic = OnOff("features/hyperv/vapic/@state", "virtual APIC for Windows")
    hyperv_spinlocks = OnOff(
        "features/hyperv/spinlocks/@state", "spin locks for Windows", keep=True
    )
    hyperv_retries = Int("features/hyperv/spinlocks/@retries", "spin lock retries", keep=True)
    tb_cache = SizeFact("features/tcg/tb-cache", "cache of translated code, type qemu")

    cpu_mode = Choice(
        "cpu/@mode", "how the CPU is chosen", values="custom host-model host-passthrough maximum"
    )
    cpu_match = Choice("cpu/@match", "how exactly", values="minimum exact strict")
    cpu_check = Choice("cpu/@check", "who checks the CPU at start", values="none partial full")
    cpu_migratable = OnOff("cpu/@migratable", "leave out what cannot be migrated")
    cpu_model = Text("cpu/model", "name of the CPU model, mode custom")
    cpu_fallback = Choice("cpu/model/@fallback", "instead", values="allow forbid", keep=True)
    cpu_sockets = Int("cpu/topology/@sockets", "sockets", keep=True)
    cpu_cores = Int("cpu/topology/@cores", "cores of a socket", keep=True)
    cpu_threads = Int("cpu/topology/@threads", "threads of a core", keep=True)
    cpu_features = Children("cpu/feature", CpuFeatureXml, "features asked for one by one")

    clock_offset = Choice(
        "clock/@offset",
        "what the guest's clock shows at boot",
        values="utc localtime timezone variable absolute",
    )
    clock_timezone = Text("clock/@timezone", "time zone, offset timezone")
    clock_adjustment = Text("clock/@adjustment", "seconds, or reset")
    clock_basis = Choice("clock/@basis", "basis, offset variable", values="utc localtime")
    timers = Children("clock/timer", TimerXml, "timers")

    on_poweroff = Choice("on_poweroff", "what a shutdown by the guest does", values=_ENDS)
    on_reboot = Choice("on_reboot", "what a reboot by the guest does", values=_ENDS)
    on_crash = Choice("on_crash", "what a crash of the guest does", values=_CRASH_ENDS)
    on_lockfailure = Choice(
        "on_lockfailure", "what a lost lock does", values="poweroff restart pause ignore"
    )
    suspend_to_mem = YesNo("pm/suspend-to-mem/@enabled", "the guest may sleep")
    suspend_to_disk = YesNo("pm/suspend-to-disk/@enabled", "the guest may hibernate")

    emulator = Text("devices/emulator", "path of the emulator")
    disks = Children("devices/disk", DiskXml, "disks and drives")
    controllers = Children("devices/controller", devices.ControllerXml, "controllers")
    filesystems = Children("devices/filesystem", devices.FilesystemXml, "shared folders")
    interfaces = Children("devices/interface", InterfaceXml, "network interfaces")
    serials = Children("devices/serial", chardev.SerialXml, "serial ports")
    parallels = Children("devices/parallel", chardev.ParallelXml, "parallel ports")
    consoles = Children("devices/console", chardev.ConsoleXml, "consoles")
    channels = Children("devices/channel", chardev.ChannelXml, "channels")
    inputs = Children("devices/input", devices.InputXml, "keyboards, mice, tablets")
    tpms = Children("devices/tpm", devices.TpmXml, "TPMs")
    graphics = Children("devices/graphics", display.GraphicsXml, "graphical consoles")
    sounds = Children("devices/sound", devices.SoundXml, "sound cards")
    videos = Children("devices/video", display.VideoXml, "graphics cards")
    hostdevs = Children("devices/hostdev", devices.HostdevXml, "devices of the host")
    watchdogs = Children("devices/watchdog", devices.WatchdogXml, "watchdogs")
    memballoons = Children("devices/memballoon", devices.MemballoonXml, "the balloon")
    rngs = Children("devices/rng", devices.RngXml, "sources of randomness")
    panics = Children("devices/panic", devices.PanicXml, "panic devices")
    memory_devices = Children("devices/memory", devices.MemoryDeviceXml, "memory modules")
    seclabels = Children("seclabel", SeclabelXml, "security labels")
    qemu_args = Values("qemu:commandline/qemu:arg/@value", "QEMU's arguments, unknown to libvirt")

    @property
    def devices(self) -> tuple[DeviceXml, ...]:
        """All devices in their order; the emulator is none."""
        parent = self.element.find("devices")
        found = [] if parent is None else [one for one in parent if is_element(one)]
        return tuple(
            DEVICES.get(one.tag, DeviceXml)(one, self.doc) for one in found if one.tag != "emulator"
        )

    def add_device(self, device: View | XmlDoc | str) -> DeviceXml:
        """Add a device after the last of its kind, and return what now stands in the document.

        Args:
            device: a view (``DiskXml.new(...)``), a document, or XML text.

        Raises:
            SpecError: the text is not XML.
        """
        doc = XmlDoc.parse(device) if isinstance(device, str) else device
        element = doc.root if isinstance(doc, XmlDoc) else doc.element
        kind = DEVICES.get(element.tag, DeviceXml)
        kids: Children[DeviceXml] = Children(f"devices/{element.tag}", kind)
        return ChildList(self, kids).append(View(element, self.doc))

    def remove_device(self, device: DeviceXml) -> None:
        """Take a device of this document out.

        Raises:
            SpecError: it is not in this document.
        """
        kids: Children[DeviceXml] = Children(f"devices/{device.element.tag}", DeviceXml)
        ChildList(self, kids).remove(device)

    def find_disk(self, target: str) -> DiskXml:
        """Return the disk whose target or source path is ``target``.

        Raises:
            SpecError: there is none; names those that exist.
        """
        for disk in self.disks:
            if target in {disk.target, disk.source_path}:
                return disk
        known = tuple(disk.target or "?" for disk in self.disks)
        problem = Problem("disk", target, "there is no such disk", did_you_mean(target, known))
        raise SpecError(f"domain {self.name} has no disk {target!r}", (problem,))

    def find_interface(self, mac: str) -> InterfaceXml:
        """Return the interface with this MAC address, target or alias.

        Raises:
            SpecError: there is none; names those that exist.
        """
        low = mac.lower()
        for one in self.interfaces:
            if low in {(one.mac or "").lower(), one.target_dev, one.alias}:
                return one
        known = tuple(one.mac or "?" for one in self.interfaces)
        problem = Problem("interface", mac, "there is no such interface", did_you_mean(mac, known))
        raise SpecError(f"domain {self.name} has no interface {mac!r}", (problem,))

    def redacted(self) -> str:
        """Return the XML with passwords and other secrets masked."""
        return redact_xml(self.text())
