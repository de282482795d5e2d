"""Labels: what the fields of specs are called in forms, and in which unit bare numbers are meant.

The texts are English; `i18n` looks them up when a form is shown.
"""

from __future__ import annotations

from typing import Final

from labvirt.widgets.forms.edit_labels import EDIT_LABELS, EDIT_OWN
from labvirt.widgets.forms.migration_labels import MIGRATION_LABELS
from labvirt.widgets.i18n import N_

__all__ = ["CHOICE_LABELS", "help_of", "label_of", "one_of", "unit_of"]

#: By the name of the field, in whatever spec it stands.
_LABELS: Final[dict[str, str]] = {
    "name": N_("Name"),
    "title": N_("Title"),
    "description": N_("Description"),
    "tags": N_("Tags"),
    "uuid": N_("UUID"),
    "memory": N_("Memory"),
    "current_memory": N_("Memory at start"),
    "hugepages": N_("Huge pages"),
    "shared_memory": N_("Shared memory"),
    "vcpus": N_("Virtual CPUs"),
    "max_vcpus": N_("Max virtual CPUs"),
    "virt": N_("Virtualization"),
    "arch": N_("Architecture"),
    "machine": N_("Machine"),
    "cpu": N_("CPU"),
    "firmware": N_("Firmware"),
    "secure_boot": N_("Secure Boot"),
    "features": N_("Features"),
    "clock": N_("Clock"),
    "on_poweroff": N_("On shutdown"),
    "on_reboot": N_("On reboot"),
    "on_crash": N_("On crash"),
    "boot": N_("Boot"),
    "source": N_("Source"),
    "disks": N_("Disks"),
    "interfaces": N_("Network interfaces"),
    "graphics": N_("Graphical console"),
    "video": N_("Video"),
    "serial": N_("Serial console"),
    "agent": N_("Guest agent"),
    "balloon": N_("Balloon"),
    "rng": N_("Random numbers"),
    "watchdog": N_("Watchdog"),
    "kind": N_("Kind"),
    "path": N_("Path"),
    "pool": N_("Storage pool"),
    "volume": N_("Volume"),
    "format": N_("Format"),
    "bus": N_("Bus"),
    "kernel": N_("Kernel"),
    "initrd": N_("Initial RAM disk"),
    "cmdline": N_("Command line"),
    "ssh": N_("SSH server"),
    "size": N_("Size"),
    "allocation": N_("Allocated now"),
    "backing_path": N_("Backing image"),
    "backing_format": N_("Backing format"),
    "device": N_("Device"),
    "target": N_("Target"),
    "readonly": N_("Read only"),
    "shareable": N_("Shareable"),
    "cache": N_("Cache"),
    "io": N_("I/O mode"),
    "discard": N_("Discard"),
    "bytes_per_s": N_("Limit per second"),
    "iops": N_("Limit of operations"),
    "boot_order": N_("Boot order"),
    "model": N_("Model"),
    "mac": N_("MAC address"),
    "address": N_("Address"),
    "port": N_("Port"),
    "mode": N_("Mode"),
    "filter": N_("Filter"),
    "link_up": N_("Cable plugged in"),
    "mtu": N_("MTU"),
    "inbound": N_("Inbound rate"),
    "outbound": N_("Outbound rate"),
    "topology": N_("Topology"),
    "sockets": N_("Sockets"),
    "cores": N_("Cores"),
    "threads": N_("Threads"),
    "listen": N_("Listen on"),
    "password": N_("Password"),
    "keymap": N_("Keyboard layout"),
    "heads": N_("Screens"),
    "vram_kib": N_("Video memory"),
    "log_path": N_("Transcript"),
    "host": N_("Host"),
    "action": N_("Action"),
    "capacity": N_("Capacity"),
    "forward": N_("Forwarding"),
    "forward_dev": N_("Forward through"),
    "bridge": N_("Bridge"),
    "domain": N_("DNS domain"),
    "ips": N_("Addresses"),
    "start": N_("First address"),
    "end": N_("Last address"),
    "nat": N_("NAT"),
    "acpi": N_("ACPI"),
    "adjustment_s": N_("Adjustment, s"),
    "apic": N_("APIC"),
    "auth": N_("Login"),
    "compat": N_("qcow2 version"),
    "cow": N_("COW"),
    "delay_s": N_("Delay, s"),
    "dhcp_end": N_("DHCP to"),
    "dhcp_start": N_("DHCP from"),
    "dir": N_("Folder"),
    "dns": N_("DNS"),
    "dns_forwarders": N_("DNS servers"),
    "dns_hosts": N_("DNS hosts"),
    "dns_srvs": N_("SRV records"),
    "dns_txts": N_("TXT records"),
    "domain_local": N_("Domain only here"),
    "extended_l2": N_("Extended L2"),
    "hyperv": N_("Hyper-V"),
    "id": N_("ID"),
    "ip": N_("IP"),
    "ipv6": N_("IPv6"),
    "iv": N_("IV"),
    "kvm_hidden": N_("Hide KVM"),
    "lease_s": N_("Lease, s"),
    "local_ptr": N_("Reverse names here"),
    "native": N_("Untagged VLAN"),
    "nocow": N_("No COW"),
    "openvswitch": N_("Open vSwitch"),
    "pae": N_("PAE"),
    "pci": N_("PCI"),
    "pf": N_("Physical card"),
    "portgroups": N_("Port groups"),
    "rbd_options": N_("RBD options"),
    "secret_usage": N_("Usage of the secret"),
    "secret_uuid": N_("UUID of the secret"),
    "smm": N_("SMM"),
    "stp": N_("STP"),
    "tb_cache": N_("Translation cache"),
    "tftp_root": N_("TFTP folder"),
    "timezone": N_("Time zone"),
    "trust_guest_rx_filters": N_("Trust MAC of guests"),
    "vlan": N_("VLAN"),
    "vmport": N_("VMware port"),
    "interval_s": N_("Time between readings"),
    "slow_interval_s": N_("Time between readings of disks and memory in use"),
    "history_s": N_("Length of the history"),
    "poll_disk": N_("Read disks"),
    "poll_network": N_("Read networks"),
    "poll_memory": N_("Read memory in use"),
    "console_auto_open": N_("Open consoles by themselves"),
    "console_grab_keys": N_("Consoles take all keys"),
    "confirm": N_("Wait for Apply"),
    "language": N_("Language"),
    "wwnn": N_("WWNN"),
    "wwpn": N_("WWPN"),
}

#: Choices that have a name for people; the others are technical words and stay.
CHOICE_LABELS: Final[dict[str, str]] = {
    "": N_("(left open)"),
    "yes": N_("yes"),
    "no": N_("no"),
    "tiny-guest": N_("Tiny guest of labvirt (boots in seconds)"),
    "import-image": N_("Existing image, used in place"),
    "iso-install": N_("Installation CD (ISO image)"),
    "kernel-boot": N_("Kernel and RAM disk, booted directly"),
    "network-boot": N_("Network boot (PXE)"),
    "new-volume": N_("New volume"),
    "volume": N_("Existing volume"),
    "file": N_("Image file"),
    "block": N_("Block device"),
    "default": N_("default"),
    "network": N_("Virtual network"),
    "user": N_("QEMU's own NAT (user)"),
    "direct": N_("Device of the host (macvtap)"),
    "mcast": N_("Multicast group of VMs"),
    "none": N_("none"),
    "isolated": N_("Isolated"),
    "route": N_("Routed"),
    "open": N_("Open"),
    "nat": "NAT",
    "bios": "BIOS",
    "efi": "EFI",
    "vnc": "VNC",
    "spice": "SPICE",
    "cdrom": N_("CD drive"),
    "disk": N_("disk"),
    "floppy": N_("floppy drive"),
    "auto": N_("KVM where it works"),
    "never": N_("never"),
    "new": N_("of new VMs"),
    "always": N_("always"),
    "loss": N_("where something is lost"),
    "system": N_("as the system"),
    "en": "English",
    "ru": "Русский",
    "dir": N_("Folder"),
    "fs": N_("File system on a device"),
    "netfs": N_("Folder of a server (NFS and others)"),
    "logical": N_("LVM volume group"),
    "iscsi": "iSCSI",
    "iscsi-direct": N_("iSCSI, by QEMU itself"),
    "scsi": N_("SCSI host adapter"),
    "mpath": N_("Multipath devices"),
    "rbd": "Ceph RBD",
    "gluster": "Gluster",
    "zfs": N_("ZFS pool"),
}

#: Where a name means something else in one spec.
_OWN_LABELS: Final = {
    ("DiskSpec", "serial"): N_("Serial number"),
    ("TinyGuest", "boot"): N_("Boot from"),
    ("NetworkIp", "dhcp"): N_("DHCP"),
}

#: Where the spec's own words are for Python.
_HELP: Final = {
    ("DomainSpec", "graphics"): N_("graphical console, VNC or SPICE"),
    ("DomainSpec", "serial"): N_("first serial port, which is also the text console"),
    ("DomainSpec", "interfaces"): N_("network interfaces"),
    ("DiskSpec", "source"): N_("what is in it"),
}

#: One element of a list.
_ONE: Final = {
    "disks": N_("Disk"),
    "interfaces": N_("Network interface"),
    "ips": N_("Address"),
    "timers": N_("Timer"),
    "features": N_("Feature"),
    "hosts": N_("Host"),
    "routes": N_("Route"),
    "dns_forwarders": N_("DNS server"),
    "dns_hosts": N_("DNS host"),
    "dns_txts": N_("TXT record"),
    "dns_srvs": N_("SRV record"),
    "portgroups": N_("Port group"),
    "more_ranges": N_("Range"),
}

_UNITS: Final = {
    "vram_kib": "KiB",
    "mtu": "B",
    "lease_s": "s",
    "interval_s": "s",
    "slow_interval_s": "s",
    "history_s": "s",
    "average": "KiB/s",
    "peak": "KiB/s",
    "burst": "KiB",
}


def label_of(name: str, spec: str = "") -> str:
    """Return the label of a field, in English."""
    own = EDIT_OWN.get((spec, name)) or _OWN_LABELS.get((spec, name)) or _LABELS.get(name)
    own = own or EDIT_LABELS.get(name) or MIGRATION_LABELS.get(name)
    return own or name.replace("_", " ").capitalize()


def help_of(name: str, spec: str, description: str) -> str:
    """Return what a field is, in English."""
    return _HELP.get((spec, name), description.removesuffix("."))


def one_of(name: str) -> str:
    """Return what one element of a list is called, in English."""
    return _ONE.get(name) or label_of(name)


def unit_of(name: str, kind: str) -> str:
    """Return the unit in which a bare number is meant; empty when it has none."""
    if kind == "size":
        return "GiB" if name in {"size", "capacity", "allocation"} else "MiB"
    return _UNITS.get(name, "")
