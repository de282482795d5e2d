"""Dependent fields: which field is asked for only when another one has a certain value."""

from __future__ import annotations

from typing import Final

from labvirt.model.network import MACVTAP, MAKES_BRIDGE
from labvirt.model.pool_types import POOL_TYPES

__all__ = ["ADVANCED", "FOLDED", "RULES"]

_OWN: Final = tuple(MAKES_BRIDGE)

#: By spec and field (without numbers): the sibling that decides, and the values it must have.
RULES: Final[dict[tuple[str, str], tuple[str, tuple[str, ...]]]] = {
    ("DomainSpec", "secure_boot"): ("firmware", ("efi",)),
    ("DomainSpec", "cpu.model"): ("mode", ("custom",)),
    ("DomainSpec", "interfaces.source"): ("kind", ("network", "bridge", "direct")),
    ("DomainSpec", "interfaces.address"): ("kind", ("mcast",)),
    ("DomainSpec", "interfaces.port"): ("kind", ("mcast",)),
    ("DomainSpec", "interfaces.mode"): ("kind", ("direct",)),
    ("DomainSpec", "interfaces.filter"): ("kind", ("default", "network", "bridge")),
    ("DomainSpec", "serial.path"): ("kind", ("file", "unix")),
    ("DomainSpec", "serial.host"): ("kind", ("tcp",)),
    ("DomainSpec", "serial.port"): ("kind", ("tcp",)),
    ("DomainSpec", "clock.timezone"): ("offset", ("timezone",)),
    ("DomainSpec", "clock.adjustment_s"): ("offset", ("variable",)),
    ("DomainSpec", "disks.readonly"): ("device", ("disk", "floppy")),
    ("NetworkSpec", "nat"): ("forward", ("nat",)),
    ("NetworkSpec", "forward_dev"): ("forward", ("nat", "route")),
    ("NetworkSpec", "devices"): ("forward", ("bridge", *MACVTAP)),
    **{
        ("NetworkSpec", field): ("forward", _OWN)
        for field in (
            *("ips", "routes", "ipv6", "stp", "delay_s", "zone", "mac", "domain", "domain_local"),
            *("dns", "dns_forwarders", "dns_hosts", "dns_txts", "dns_srvs", "dnsmasq_options"),
        )
    },
    ("NetworkSpec", "openvswitch"): ("forward", ("bridge",)),
    ("NetworkSpec", "bridge"): ("forward", ("bridge", *_OWN)),
    ("NetworkSpec", "mtu"): ("forward", _OWN),
    ("NetworkSpec", "pf"): ("forward", ("hostdev",)),
    ("NetworkSpec", "pci"): ("forward", ("hostdev",)),
    ("MigrationChoice", "peer_uri"): ("mode", ("p2p", "tunnelled")),
    ("MigrationChoice", "disks"): ("storage", ("copy", "increment")),
    ("MigrationChoice", "pool"): ("storage", ("copy", "increment")),
    ("VolumeSpec", "lazy_refcounts"): ("format", ("qcow2",)),
    ("VolumeSpec", "extended_l2"): ("format", ("qcow2",)),
    ("VolumeSpec", "cluster_size"): ("format", ("qcow2",)),
    ("VolumeSpec", "compat"): ("format", ("qcow2",)),
    **{
        ("PoolSpec", field): (
            "kind",
            tuple(kind for kind, known in POOL_TYPES.items() if field in known.fields),
        )
        for field in {field for known in POOL_TYPES.values() for field in known.fields}
    },
}

#: The parts of a domain as specs of their own, e.g. to add one device.
_PARTS: Final = {
    "disks.": ("DiskSpec",),
    "interfaces.": ("InterfaceSpec", "InterfaceEdit"),
    "serial.": ("SerialSpec",),
}
RULES.update(
    {
        (own, field.removeprefix(part)): rule
        for (spec, field), rule in tuple(RULES.items())
        for part, names in _PARTS.items()
        if spec == "DomainSpec" and field.startswith(part)
        for own in names
    }
)

#: Fields of groups and lists that few people need; they stand folded.
ADVANCED: Final = frozenset(
    {
        *("target", "readonly", "shareable", "cache", "io", "discard", "bytes_per_s", "iops"),
        *("boot_order", "allocation", "backing_path", "backing_format", "mac", "filter", "mtu"),
        *("inbound", "outbound", "link_up", "keymap", "heads", "vram_kib", "log_path", "topology"),
        *("lease_s", "hosts", "boot_file", "boot_server", "tftp_root", "more_ranges", "local_ptr"),
        "reserved_only",
    }
)

#: Fields of a spec itself, by spec, that few people need; they stand folded in their section.
FOLDED: Final = {
    "MigrationChoice": frozenset(
        {
            *("peer_uri", "migrate_uri", "tls_name", "unsafe", "compression", "parallel"),
            *("throttle_initial", "throttle_increment", "postcopy_after_s"),
        }
    ),
}
