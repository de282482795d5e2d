"""Presets that come with the form that makes VMs."""

from __future__ import annotations

from typing import Any, Final

from labvirt.widgets.i18n import N_

__all__ = ["PRESETS"]

#: Key: label, tooltip, and the values that it fills in.
PRESETS: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "tiny": (
        N_("Tiny guest"),
        N_("labvirt's own small Linux with a serial console; boots in seconds"),
        {"memory": "128 MiB", "source": {"kind": "tiny-guest"}},
    ),
    "linux": (
        N_("Linux from a CD"),
        N_("2 GiB of memory, 2 CPUs, a disk of 20 GiB, VNC, installed from an ISO image"),
        {
            "memory": "2 GiB",
            "vcpus": 2,
            "source": {"kind": "iso-install"},
            "disks": [{"source": {"kind": "new-volume", "size": "20 GiB"}}],
            "graphics": {"kind": "vnc"},
        },
    ),
    "windows": (
        N_("Windows from a CD"),
        N_("4 GiB, 2 CPUs, disk on SATA, card e1000e, local time, Hyper-V features"),
        {
            "memory": "4 GiB",
            "vcpus": 2,
            "machine": "q35",
            "source": {"kind": "iso-install"},
            "disks": [{"source": {"kind": "new-volume", "size": "60 GiB"}, "bus": "sata"}],
            "interfaces": [{"model": "e1000e"}],
            "graphics": {"kind": "vnc"},
            "clock": {"offset": "localtime"},
            "features": {"hyperv": True},
        },
    ),
    "image": (
        N_("Existing image"),
        N_("1 GiB of memory over an image that has a system in it"),
        {"memory": "1 GiB", "source": {"kind": "import-image"}},
    ),
    "example": (
        N_("Guide, example 2.1"),
        N_("756 MiB, disk of 6 GiB, CD drive /dev/sr0, VNC: as in the guide"),
        {
            "name": "rhel3support",
            "memory": "756 MiB",
            "source": {"kind": "iso-install", "path": "/dev/sr0"},
            "disks": [{"source": {"kind": "new-volume", "size": "6 GiB"}}],
            "graphics": {"kind": "vnc"},
        },
    ),
}
