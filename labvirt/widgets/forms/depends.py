"""Dependent fields: which field is asked for only when another one has a certain value."""

from __future__ import annotations

from typing import Final

from labvirt.model.network import MACVTAP, MAKES_BRIDGE

__all__ = ["ADVANCED", "RULES"]

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
    ("NetworkSpec", "ips"): ("forward", _OWN),
    ("NetworkSpec", "stp"): ("forward", _OWN),
    ("NetworkSpec", "domain"): ("forward", _OWN),
    ("NetworkSpec", "bridge"): ("forward", ("bridge", *_OWN)),
}

#: Fields of groups and lists that few people need; they stand folded.
ADVANCED: Final = frozenset(
    {
        *("target", "readonly", "shareable", "cache", "io", "discard", "bytes_per_s", "iops"),
        *("boot_order", "allocation", "backing_path", "backing_format", "mac", "filter", "mtu"),
        *("inbound", "outbound", "link_up", "keymap", "heads", "vram_kib", "log_path", "topology"),
        *("lease_s", "hosts", "bootp_file", "bootp_server", "tftp_root", "family"),
    }
)
