"""AppArmor and SELinux: what they say about an image, as far as the host shows it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from labvirt.host.hostfiles import HostFiles

__all__ = ["security_notes"]

#: Folders that libvirt's AppArmor helper keeps from guests (valid_path in virt-aa-helper.c).
_APPARMOR_CLOSED: Final = (
    "/bin/",
    "/etc/",
    "/lib",
    "/lost+found/",
    "/proc/",
    "/sbin/",
    "/selinux/",
    "/sys/",
    "/usr/bin/",
    "/usr/lib",
    "/usr/sbin/",
    "/usr/share/",
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/lib",
    "/usr/local/sbin",
)
#: Types of files that libvirt's SELinux driver gives and takes (virt_use_* aside).
_SELINUX_TYPES: Final = ("svirt_image_t", "virt_image_t", "virt_content_t", "svirt_t")


def security_notes(
    files: HostFiles, capabilities: str, path: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is to be known of a path, and which rules forbid it.

    Args:
        files: the host's files.
        capabilities: the host's capabilities: they name the security drivers at work.
        path: without links.
    """
    root = XmlDoc.parse(capabilities).root
    drivers = {model.findtext("model") for model in root.iterfind("host/secmodel")}
    notes: list[str] = []
    denied: list[str] = []
    if "apparmor" in drivers:
        closed = next((folder for folder in _APPARMOR_CLOSED if path.startswith(folder)), "")
        if closed:
            denied.append(
                f"AppArmor: libvirt's helper virt-aa-helper adds no rule for files below {closed} to "
                "the profile libvirt-UUID of a domain"
            )
        else:
            notes.append("AppArmor: the domain's profile libvirt-UUID gets a rule for it at start")
    label = _label(files, path)
    if "selinux" in drivers:
        kind = label.split(":")[2] if label.count(":") >= 2 else ""
        if kind in _SELINUX_TYPES:
            notes.append(f"SELinux: {label}; libvirt relabels it for the domain")
        else:
            notes.append(
                f"SELinux: {label or 'no label'}; libvirt relabels it at the start. For good: "
                f"semanage fcontext -a -t virt_image_t {path!r} && restorecon -v {path!r}"
            )
    elif label and label not in ("?", "unlabeled"):
        notes.append(f"SELinux label {label}; no SELinux driver is at work in this libvirt")
    return tuple(notes), tuple(denied)


def _label(files: HostFiles, path: str) -> str:
    try:
        return os.getxattr(files.here(path), "security.selinux").decode().rstrip("\0")
    except OSError:
        return ""
