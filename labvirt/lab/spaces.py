"""The private view of the machine in which system hosts live: its mounts and its name.

Nothing here touches the machine itself. All mounts are made in a mount namespace of the lab, and
end with its last process.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.lab import kernel
from labvirt.lab.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["enter_new_space", "furnish_host", "furnish_lab"]

_ACCOUNTS = {
    "passwd": ("libvirt-qemu:x:0:0::/:/bin/false", "nobody:x:65534:65534::/:/bin/false"),
    "group": ("root:x:0:", "libvirt-qemu:x:0:", "kvm:x:0:", "nogroup:x:65534:", "dip:x:0:"),
}
"""Accounts that libvirtd and dnsmasq look up by name even when they are told to use others."""

_PLACES = {
    "etc": "/etc/libvirt",
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "log": "/var/log/libvirt",
}
"""A host's own folder -> where its privileged libvirtd expects it."""

_SPACES = kernel.NEWNS | kernel.NEWNET | kernel.NEWUTS | kernel.NEWIPC | kernel.NEWPID


def enter_new_space(uid: int, gid: int) -> bool:
    """Leave the machine's namespaces; the next child is process 1 of a new pid namespace.

    Args:
        uid: effective user of this process.
        gid: effective group.

    Returns:
        True when there is no other user, because of a user namespace made here or before.

    Raises:
        Refusal: this machine does not allow it.
    """
    if uid == 0:
        # Root of a container may lack the capability and still be allowed a user namespace.
        with contextlib.suppress(OSError):
            kernel.unshare(_SPACES)
            return _has_one_user()
    try:
        kernel.unshare(kernel.NEWUSER)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
        kernel.unshare(_SPACES)
    except OSError as error:
        raise Refusal(f"the kernel refuses namespaces ({error})", _namespace_remedy(uid)) from error
    return True


def _has_one_user() -> bool:
    """Tell whether this root is the only user of a user namespace somebody else has made."""
    return Path("/proc/self/setgroups").read_text(encoding="ascii").strip() == "deny"


def _namespace_remedy(uid: int) -> str:
    """Return what would make namespaces available here."""
    if uid == 0:
        return "give the container the capabilities SYS_ADMIN and NET_ADMIN"
    for switch, wanted in (
        ("kernel/apparmor_restrict_unprivileged_userns", "0"),
        ("kernel/unprivileged_userns_clone", "1"),
    ):
        with contextlib.suppress(OSError):
            if Path(f"/proc/sys/{switch}").read_text(encoding="ascii").strip() != wanted:
                return f"as root: sysctl -w {switch.replace('/', '.')}={wanted}"
    return "as root: sysctl -w user.max_user_namespaces=65536 (in a container: allow unshare)"


def furnish_lab(scratch: Path, keep: Sequence[str], *, uid: int) -> None:
    """Prepare the mounts that all hosts of the lab share; called by process 1 of the lab.

    Args:
        scratch: folder of the lab for files that are shown at other paths.
        keep: folders that must stay at the same path.
        uid: user outside, for the remedies.

    Raises:
        Refusal: this machine does not allow it.
    """
    try:
        kernel.make_private()
        kernel.mount("proc", "/proc")
        # Without cgroup mounts in sight libvirt makes no groups among those of the machine.
        with contextlib.suppress(OSError):
            kernel.detach("/sys")
        _mount_sys()
        _replace_run(keep)
        if not Path("/etc/libvirt").is_dir() or not Path("/etc/hosts").exists():
            _mirror("/etc")
        for place in _PLACES.values():
            if not os.path.isdir(place):  # noqa: PTH112 - the loop is over plain text paths
                if not place.startswith(("/etc", "/run")):
                    _mirror(str(Path(place).parent))
                Path(place).mkdir()
        for name in ("hosts", "resolv.conf"):
            if not Path("/etc", name).exists() and not Path("/etc", name).is_symlink():
                Path("/etc", name).touch()
        _lend_accounts(scratch)
    except OSError as error:
        raise Refusal(f"the kernel refuses private mounts ({error})", _mount_remedy(uid)) from error


def _mount_remedy(uid: int) -> str:
    if uid == 0:
        return "give the container the capability SYS_ADMIN and an unmasked /proc and /sys"
    remedy = _namespace_remedy(uid)
    return remedy if "=" in remedy and "user.max" not in remedy else "start the lab as root"


def _mount_sys() -> None:
    """Mount a ``/sys`` that shows this network namespace, with the cgroups of the old one.

    Where cgroup mounts cannot be taken out of sight, libvirt believes the list of mounts, which
    still names them; a missing one is an error for it while a closed one is not.
    """
    try:
        groups = os.open("/sys/fs/cgroup", os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        kernel.mount("sysfs", "/sys")
        return
    try:
        kernel.mount("sysfs", "/sys")
        with contextlib.suppress(OSError):
            kernel.bind(f"/proc/self/fd/{groups}", "/sys/fs/cgroup")
    finally:
        os.close(groups)


def _replace_run(keep: Sequence[str]) -> None:
    """Put an empty ``/run`` in place; what is kept below it stays reachable.

    No D-Bus, systemd or machined of the machine is left in sight, so libvirt registers nothing
    with them.
    """
    kept = {folder: os.open(folder, os.O_PATH) for folder in keep if _is_below(folder, "/run")}
    kernel.mount("tmpfs", "/run", "mode=0755")
    for folder, handle in kept.items():
        Path(folder).mkdir(parents=True, exist_ok=True)
        kernel.bind(f"/proc/self/fd/{handle}", folder)
        os.close(handle)
    Path("/run/libvirt").mkdir()
    # Where ``/var/lock`` points: libvirt keeps the locks of serial consoles there.
    Path("/run/lock").mkdir(exist_ok=True)


def _is_below(folder: str, top: str) -> bool:
    return Path(folder).resolve().is_relative_to(top)


def _mirror(folder: str) -> None:
    """Put a folder in place that holds what the old one held and can take new entries.

    The entries are the machine's own files, so that image paths mean the same inside and
    outside; only what is added to the folder itself stays in the lab.
    """
    old = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        entries = [entry.name for entry in Path(f"/proc/self/fd/{old}").iterdir()]
        kernel.mount("tmpfs", folder, "mode=0755")
        for name in entries:
            source, target = Path(f"/proc/self/fd/{old}/{name}"), Path(folder, name)
            if source.is_symlink():
                target.symlink_to(source.readlink())
            elif source.is_dir():
                target.mkdir()
                kernel.bind(str(source), str(target))
            elif source.exists():
                target.touch()
                kernel.bind(str(source), str(target))
    finally:
        os.close(old)


def _lend_accounts(scratch: Path) -> None:
    """Show account files with the names that libvirtd insists on."""
    for kind, lines in _ACCOUNTS.items():
        source = Path("/etc", kind)
        text = source.read_text(encoding="utf-8", errors="surrogateescape")
        known = {line.split(":", 1)[0] for line in text.splitlines()}
        missing = [line for line in lines if line.split(":", 1)[0] not in known]
        if missing:
            ours = scratch / kind
            whole = "\n".join([text.rstrip("\n"), *missing, ""])
            ours.write_text(whole, encoding="utf-8", errors="surrogateescape")
            ours.chmod(0o644)
            kernel.bind(str(ours), str(source))


def furnish_host(name: str, folder: Path, hosts_file: Path, keep: Sequence[str]) -> None:
    """Give this process the network, mount and host-name namespaces of one host.

    Args:
        name: the host's name.
        folder: the host's own folder with its ``etc run lib cache log``.
        hosts_file: the lab's ``/etc/hosts``, with an empty ``resolv.conf`` beside it.
        keep: folders that must stay at the same path.

    Raises:
        OSError: not allowed.
    """
    kernel.unshare(kernel.NEWNS | kernel.NEWNET | kernel.NEWUTS)
    kernel.make_private()
    socket.sethostname(name)
    _mount_sys()
    # A /run of its own: pid files and the lock of iptables are per host.
    _replace_run(keep)
    for own, place in _PLACES.items():
        kernel.bind(str(folder / own), place)
    kernel.bind(str(hosts_file), "/etc/hosts")
    _forget_name_servers(hosts_file.with_name("resolv.conf"))


def _forget_name_servers(empty: Path) -> None:
    """Let names that are not in ``/etc/hosts`` fail at once: no name server can be reached.

    Else every look-up, also of dnsmasq on behalf of a guest, waits for the machine's servers.
    """
    # Often a link into /run, which is empty here.
    shown = Path("/etc/resolv.conf").resolve()
    if shown.exists():
        kernel.bind(str(empty), str(shown))
    elif shown.is_relative_to("/run"):
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.touch()
