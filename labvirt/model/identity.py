"""What makes a guest system one and not its clone: which files hold it, and what they become.

Pure: a tree of files in, changes out. They are carried out inside the running guest by its agent
or on its image while it is off (G17.12-06).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FileChange", "GuestTree", "Identity", "IdentityStep", "changes", "steps"]


class GuestTree(Protocol):
    """The files of a guest."""

    def read(self, path: str) -> bytes | None:
        """Return what a file holds, None when it is absent."""

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder, none when it is absent."""


@dataclass(frozen=True)
class Identity:
    """What a guest shall be.

    Attributes:
        hostname: its name; None leaves it.
        old_hostname: its name before, where it stands beside addresses; None finds it out.
        macs: new MAC addresses by the old ones.
        addresses: new static IP addresses by the old ones.
        ssh_keys: forget SSH host keys, so that new ones are made.
        machine_id: forget the machine id, so that a new one is made.
    """

    hostname: str | None = None
    old_hostname: str | None = None
    macs: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    ssh_keys: bool = True
    machine_id: bool = True


@dataclass(frozen=True)
class FileChange:
    """A file that becomes another one.

    Attributes:
        path: where.
        data: what it holds then; None removes it.
        why: what of the old identity is in it.
    """

    path: str
    data: bytes | None
    why: str


@dataclass(frozen=True)
class IdentityStep:
    """Something that two clones must not share, with what is done about it.

    Attributes:
        id: short name.
        what: what it is.
        why: what goes wrong when two systems share it.
        how: how it is changed by hand inside the guest.
        automatic: `renew_identity` does it.
    """

    id: str
    what: str
    why: str
    how: str
    automatic: bool = True


#: What there is to change inside a clone, in the order of importance.
_STEPS: Final = (
    IdentityStep(
        "hostname",
        "host name in /etc/hostname, /etc/HOSTNAME, HOSTNAME= of /etc/sysconfig/network, /etc/hosts",
        "two systems of one name in logs, DHCP and DNS",
        "hostnamectl set-hostname NAME; edit /etc/hosts",
    ),
    IdentityStep(
        "mac",
        "old MAC addresses: HWADDR= of ifcfg files, NetworkManager, netplan, systemd-networkd, ifupdown",
        "the interface is not configured, because its address changed",
        "put the clone's MAC addresses there (ip link)",
    ),
    IdentityStep(
        "udev",
        "/etc/udev/rules.d/70-persistent-net.rules, 75-persistent-net-generator's memory",
        "the new interface becomes eth1, and eth0 stays away",
        "rm /etc/udev/rules.d/70-persistent-net.rules",
    ),
    IdentityStep(
        "address",
        "static IP addresses (IPADDR=, address)",
        "two systems of one address: connections break in turn",
        "renew_identity(addresses={'192.0.2.5': '192.0.2.6'})",
    ),
    IdentityStep(
        "machine-id",
        "/etc/machine-id, /var/lib/dbus/machine-id",
        "equal DHCP client ids: both get one address; mixed-up journals",
        "truncate -s 0 /etc/machine-id; rm -f /var/lib/dbus/machine-id; reboot",
    ),
    IdentityStep(
        "ssh",
        "SSH host keys of OpenSSH and dropbear",
        "who has the key of one can pose as the other",
        "rm /etc/ssh/ssh_host_*; ssh-keygen -A (Debian: dpkg-reconfigure openssh-server)",
    ),
    IdentityStep(
        "leases",
        "DHCP leases kept by dhclient, dhcpcd, NetworkManager, systemd-networkd",
        "the clone asks for the original's address",
        "rm -f /var/lib/dhcp/*.leases /var/lib/dhclient/*; renew the lease",
    ),
    IdentityStep(
        "iscsi",
        "/etc/iscsi/initiatorname.iscsi",
        "two initiators of one name: the target's locks and rights are mixed up",
        "iscsi-iname > new name into /etc/iscsi/initiatorname.iscsi",
    ),
    IdentityStep(
        "seed",
        "/var/lib/systemd/random-seed, /var/lib/urandom/random-seed",
        "both start from the same random numbers",
        "rm the file; the next shutdown writes a new one",
    ),
    IdentityStep(
        "cloud-init",
        "/var/lib/cloud/instance: cloud-init takes the clone for the original",
        "per-instance set-up is not run again",
        "cloud-init clean",
        automatic=False,
    ),
    IdentityStep(
        "uuids",
        "UUIDs of file systems, LVM and RAID",
        "only when disks of both come into one machine: mounts and volume groups clash",
        "unmounted: tune2fs -U random, xfs_admin -U generate; vgimportclone",
        automatic=False,
    ),
    IdentityStep(
        "registration",
        "licences, agents and registrations of management systems",
        "the management system sees one machine that flickers",
        "register anew, e.g. subscription-manager clean; register",
        automatic=False,
    ),
)

_NET_FILES: Final = (
    ("/etc/sysconfig/network-scripts", r"ifcfg-.*"),
    ("/etc/sysconfig/network", r"ifcfg-.*"),
    ("/etc/NetworkManager/system-connections", r".*"),
    ("/etc/netplan", r".*\.ya?ml"),
    ("/etc/systemd/network", r".*\.(network|link|netdev)"),
    ("/etc/network", r"interfaces"),
    ("/etc/network/interfaces.d", r".*"),
)
_REMOVED: Final = (
    ("udev", "/etc/udev/rules.d", r"70-persistent-(net|cd)\.rules"),
    ("leases", "/var/lib/dhcp", r".*leases?"),
    ("leases", "/var/lib/dhclient", r".*leases?"),
    ("leases", "/var/lib/dhcpcd", r".*\.lease6?"),
    ("leases", "/var/lib/NetworkManager", r".*\.lease|.*leases"),
    ("leases", "/var/lib/systemd/network", r".*lease.*"),
    ("seed", "/var/lib/systemd", r"random-seed"),
    ("seed", "/var/lib/urandom", r"random-seed"),
)
_KEYS: Final = (
    ("ssh", "/etc/ssh", r"ssh_host_.*key(\.pub)?"),
    ("ssh", "/etc/dropbear", r"dropbear_.*_host_key"),
)
_STATIC: Final = re.compile(
    rb"^\s*(IPADDR\d*\s*=|address\s|address1?\s*=|Address\s*=)", re.MULTILINE
)


def steps() -> tuple[IdentityStep, ...]:
    """Return everything that must be looked at inside a clone."""
    return _STEPS


def changes(tree: GuestTree, wish: Identity) -> tuple[tuple[FileChange, ...], tuple[str, ...]]:
    """Return which files of a guest must become what, and what is left to a person.

    Args:
        tree: the guest's files.
        wish: what it shall be.
    """
    found = {one.path: one for one in _changes(tree, wish)}
    return tuple(found.values()), tuple(_left(tree, wish, found))


def _changes(tree: GuestTree, wish: Identity) -> Iterator[FileChange]:
    if wish.hostname:
        yield from _named(tree, wish.hostname, wish.old_hostname)
    yield from _networked(tree, wish)
    removed = _REMOVED + (_KEYS if wish.ssh_keys else ())
    for why, folder, pattern in removed:
        for path in _matching(tree, folder, pattern):
            yield FileChange(path, None, why)
    # An empty machine id, not an absent one: systemd then makes a new one at the next boot.
    written = {"/etc/iscsi/initiatorname.iscsi": (b"GenerateName=yes\n", "iscsi")}
    if wish.machine_id:
        written["/etc/machine-id"] = (b"", "machine-id")
    for path, (data, why) in written.items():
        if tree.read(path) not in (None, data):
            yield FileChange(path, data, why)
    if wish.machine_id and tree.read("/var/lib/dbus/machine-id"):
        yield FileChange("/var/lib/dbus/machine-id", None, "machine-id")


def _matching(tree: GuestTree, folder: str, pattern: str) -> Iterator[str]:
    for name in tree.names(folder):
        if re.fullmatch(pattern, name):
            yield posixpath.join(folder, name)


def _named(tree: GuestTree, hostname: str, old: str | None) -> Iterator[FileChange]:
    short = hostname.partition(".")[0]
    before = (tree.read("/etc/hostname") or tree.read("/etc/HOSTNAME") or b"").decode().strip()
    network = tree.read("/etc/sysconfig/network")
    if network is not None and not before:
        told = re.search(rb"^HOSTNAME=\"?([^\"\s]+)", network, re.MULTILINE)
        before = told[1].decode() if told else ""
    before = old or before
    if before == hostname:
        return
    if tree.read("/etc/hostname") is not None or network is None:
        yield FileChange("/etc/hostname", f"{hostname}\n".encode(), "hostname")
    if tree.read("/etc/HOSTNAME") is not None:
        yield FileChange("/etc/HOSTNAME", f"{hostname}\n".encode(), "hostname")
    if network is not None and b"HOSTNAME=" in network:
        data = re.sub(rb"(?m)^HOSTNAME=.*$", f"HOSTNAME={hostname}".encode(), network)
        yield FileChange("/etc/sysconfig/network", data, "hostname")
    hosts = tree.read("/etc/hosts")
    if hosts is not None and before:
        word = rb"(?<![\w.-])" + re.escape(before.encode()) + rb"(?![\w.-])"
        data = re.sub(word, hostname.encode(), hosts)
        stem = before.partition(".")[0].encode()
        data = re.sub(rb"(?<![\w.-])" + re.escape(stem) + rb"(?![\w.-])", short.encode(), data)
        if data != hosts:
            yield FileChange("/etc/hosts", data, "hostname")


def _networked(tree: GuestTree, wish: Identity) -> Iterator[FileChange]:
    for folder, pattern in _NET_FILES:
        for path in _matching(tree, folder, pattern):
            was = tree.read(path)
            if was is None:
                continue
            data = was
            for old, new in wish.macs.items():
                data = re.sub(re.escape(old.encode()), new.encode(), data, flags=re.IGNORECASE)
            for old, new in wish.addresses.items():
                bounds = rb"(?<![\d.])" + re.escape(old.encode()) + rb"(?![\d.])"
                data = re.sub(bounds, new.encode(), data)
            if posixpath.basename(path).startswith("ifcfg-"):
                # NetworkManager keeps one connection per UUID and makes one that is missing.
                data = re.sub(rb"(?m)^UUID=.*\n?", b"", data) if data != was else data
            if data != was:
                yield FileChange(path, data, "mac" if wish.macs else "address")


def _left(tree: GuestTree, wish: Identity, done: Mapping[str, FileChange]) -> Iterator[str]:
    for folder, pattern in _NET_FILES:
        for path in _matching(tree, folder, pattern):
            data = tree.read(path) or b""
            changed = path in done and done[path].data != data and bool(wish.addresses)
            if _STATIC.search(data) and b"127.0.0.1" not in data and not changed:
                yield f"{path} gives a static address: is it the original's? addresses={{old: new}}"
    if tree.names("/var/lib/cloud/instances"):
        yield "cloud-init takes the clone for the original: cloud-init clean"
