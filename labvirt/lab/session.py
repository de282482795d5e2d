"""The session back end: every host is a libvirtd of an ordinary user with folders of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from labvirt.lab.backend import Backend, in_child
from labvirt.lab.records import BackendName, Limit
from labvirt.lab.refusal import Refusal

if TYPE_CHECKING:
    from labvirt.lab.records import HostRecord

__all__ = ["SessionBackend"]

_LIMITS = (
    Limit(
        "virtual networks (NAT, routed, isolated), DHCP, PXE, network filters",
        "a session libvirtd has no privilege to make bridges",
        "the system back end; guests on one wire: an interface of kind 'mcast' (Lab.wire)",
    ),
    Limit(
        "host names of their own",
        "session hosts share this machine's name",
        "the system back end; migration is given its address (migrate_uri) by labvirt",
    ),
    Limit(
        "CPU shares and quotas, CPU statistics per control group",
        "not available in session mode",
        "a host with a privileged libvirtd of its own",
    ),
    Limit("post-copy migration", "userfaultfd needs privilege", "a lab started by root"),
    Limit(
        "pools of kind fs, disk, logical, netfs, iscsi",
        "mounting needs privilege",
        "pools of kind dir; a lab started by root",
    ),
)


class SessionBackend(Backend):
    """libvirtd per host as an ordinary user; needs nothing but the programs."""

    name: ClassVar[BackendName] = "session"
    subfolders: ClassVar[tuple[str, ...]] = ("config", "run", "cache", "data")
    socket_name: ClassVar[str] = "libvirt/libvirt-sock"
    config_folder: ClassVar[str] = "config/libvirt"
    capability_folder: ClassVar[str] = "cache/libvirt/qemu/cache/capabilities"
    daemon_arguments: ClassVar[tuple[str, ...]] = (
        "--config",
        "{folder}/config/libvirt/libvirtd.conf",
        "--pid-file",
        "{folder}/run/libvirtd.pid",
    )

    @property
    def _drops(self) -> bool:
        """True when the daemons run as another user than the keeper."""
        return self.record.uid != os.geteuid()

    def prepare(self) -> None:
        """Find a folder that the daemons' user can reach."""
        self.check_tools()
        if not self._drops:
            return
        self.data.chmod(0o711)
        if not self._reaches(self.data):
            spare = Path(self.record.spare_folder)
            spare.mkdir(mode=0o711)
            self.data = spare
            if not self._reaches(spare):
                raise Refusal(
                    f"user {self.record.user} can reach neither {self.record.folder} nor {spare}",
                    "set LABVIRT_HOME to a folder that everybody may pass through",
                )

    def _reaches(self, folder: Path) -> bool:
        def look() -> int:
            self._drop()
            return 0 if os.access(folder, os.X_OK) else 1

        return in_child(look) == 0

    def _drop(self) -> None:
        """Give up root's rights for good."""
        if self._drops:
            os.initgroups(self.record.user, self.record.gid)
            os.setgid(self.record.gid)
            os.setuid(self.record.uid)

    def build(self) -> None:
        """Make the folders and hand them to the daemons' user."""
        for host in self.record.hosts:
            self.furnish(host)
            self.link(host, run=False).symlink_to(self.folder(host) / "config")
        if self._drops:
            for top in ("hosts", "shared", "media", "serial"):
                self.give(self.data / top)

    def give(self, top: Path) -> None:
        """Hand a folder and all in it to the daemons' user."""
        if self._drops:
            shutil.chown(top, self.record.uid, self.record.gid)
            for folder, names, files in os.walk(top):
                for name in (*names, *files):
                    os.chown(
                        Path(folder, name), self.record.uid, self.record.gid, follow_symlinks=False
                    )

    def demolish(self) -> None:
        """Nothing is left when the processes have ended."""

    def enter(self, host: HostRecord) -> None:  # noqa: ARG002 - the same for every host
        """Become the daemons' user."""
        self._drop()

    def environment(self, host: HostRecord) -> dict[str, str]:
        """Return the environment, with the folders that make a session a host of its own."""
        folder = self.folder(host)
        return super().environment(host) | {
            "USER": self.record.user,
            "LOGNAME": self.record.user,
            # The short path: sockets of monitors and guest agents lie below it.
            "XDG_CONFIG_HOME": str(self.link(host, run=False)),
            "XDG_RUNTIME_DIR": str(self.link(host, run=True)),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"),
        }

    def kvm(self) -> bool:
        """Tell whether the daemons' user may open ``/dev/kvm``."""

        def look() -> int:
            self._drop()
            return 0 if os.access("/dev/kvm", os.R_OK | os.W_OK) else 1

        return in_child(look) == 0

    def limits(self) -> tuple[Limit, ...]:
        """Return what session hosts cannot do anywhere."""
        return _LIMITS
