"""The system back end: every host is a privileged libvirtd in namespaces of its own.

As root the namespaces are made directly, as an ordinary user inside a user namespace; from there
on the two are the same. Process 1 of the pid namespace is the keeper, so that all ends with it.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.lab import documents, fabric, kernel, spaces
from labvirt.lab.backend import Backend, restore_signals
from labvirt.lab.records import BackendName, Limit
from labvirt.lab.refusal import Refusal

if TYPE_CHECKING:
    from labvirt.lab.records import HostRecord

__all__ = ["SystemBackend"]

_BUILD_LIMIT_S = 10.0
_KINDS = {"net": kernel.NEWNET, "uts": kernel.NEWUTS, "mnt": kernel.NEWNS}


@dataclass(slots=True)
class _Builder:
    """A child that makes a host's namespaces and holds them until they are wired."""

    pid: int
    told: int
    tell: int


class SystemBackend(Backend):
    """Privileged libvirtd per host: own mounts, network, host name; one wire between the hosts."""

    name: ClassVar[BackendName] = "system"
    subfolders: ClassVar[tuple[str, ...]] = ("etc", "run", "lib", "cache", "log")
    socket_name: ClassVar[str] = "libvirt-sock"
    config_folder: ClassVar[str] = "etc"
    capability_folder: ClassVar[str] = "cache/qemu/capabilities"
    daemon_arguments: ClassVar[tuple[str, ...]] = (
        "--config",
        "/etc/libvirt/libvirtd.conf",
        "--pid-file",
        "/run/libvirt/libvirtd.pid",
    )

    def prepare(self) -> None:
        """Prove every privilege by using it; this is process 1 of the lab."""
        self.check_tools()
        for tool, package in fabric.TOOLS.items():
            if shutil.which(tool) is None:
                raise Refusal(f"{tool} is not installed", f"apt-get install {package}")
        uid = self.record.uid if self.rootless else 0
        fabric.prove_tap(uid)
        spaces.furnish_lab(self.data, self.record.keep, uid=uid)
        self._spaces: dict[str, dict[str, int]] = {}

    def build(self) -> None:
        """Make folders, namespaces and wires of all hosts."""
        for host in self.record.hosts:
            self.furnish(host)
            for name in self.subfolders:
                # dnsmasq reads its files here as another user.
                (self.folder(host) / name).chmod(0o755)
            documents.write_networks(host, self.folder(host) / self.config_folder)
        fabric.write_hosts_file(self.record.hosts, self.data / "hosts.txt")
        builders = {host: self._start_builder(host) for host in self.record.hosts}
        try:
            deadline = time.monotonic() + _BUILD_LIMIT_S
            for host, builder in builders.items():
                _expect(builder, host, deadline)
                self._spaces[host.name] = {
                    kind: os.open(f"/proc/{builder.pid}/ns/{kind}", os.O_RDONLY) for kind in _KINDS
                }
            fabric.wire_lab({host: builder.pid for host, builder in builders.items()})
            for builder in builders.values():
                os.write(builder.tell, b"go")
            for host, builder in builders.items():
                _expect(builder, host, deadline)
        finally:
            # Without their pipes the builders end, whatever they were about. A later one holds
            # copies of an earlier one's pipe, so all are closed before the first is waited for.
            for builder in builders.values():
                os.close(builder.told)
                os.close(builder.tell)
            for builder in builders.values():
                os.waitpid(builder.pid, 0)

    def _start_builder(self, host: HostRecord) -> _Builder:
        told, say = os.pipe()
        hear, tell = os.pipe()
        pid = os.fork()
        if pid:
            os.close(say)
            os.close(hear)
            return _Builder(pid, told, tell)
        try:
            os.close(tell)
            restore_signals()
            spaces.furnish_host(
                host.name, self.folder(host), self.data / "hosts.txt", self.record.keep
            )
            self._check_paths()
            os.write(say, b"ready\n")
            if os.read(hear, 2):
                fabric.wire_host(host)
                os.write(say, b"ready\n")
        except BaseException as error:  # noqa: BLE001 - a forked child must never return
            with contextlib.suppress(OSError):
                os.write(say, f"{error}\n".encode())
        os._exit(0)

    def _check_paths(self) -> None:
        """Fail when a mount of the host hides the lab's own folder."""
        if not (self.data / "hosts.txt").exists():
            raise OSError(f"{self.data} lies in a folder that libvirt hosts replace by their own")

    def demolish(self) -> None:
        """Let the hosts' namespaces and the bridge between them go."""
        for handles in self._spaces.values():
            for handle in handles.values():
                os.close(handle)
        self._spaces.clear()
        fabric.unwire_lab(self.record.hosts)

    def enter(self, host: HostRecord) -> None:
        """Join a host's namespaces."""
        handles = self._spaces[host.name]
        for kind, flag in _KINDS.items():
            kernel.join(handles[kind], flag)
        if self.rootless:
            kernel.feign_ownership()

    def limits(self) -> tuple[Limit, ...]:
        """Return what system hosts cannot do here."""
        found = [
            Limit(
                "the Internet from guests",
                "the networks of the lab end inside the lab",
                "put files into the shared pool; the session back end with an interface of"
                " kind 'user'",
            ),
            Limit(
                "CPU shares and quotas, CPU statistics per control group",
                "the hosts have no control groups of their own",
                "a host with a privileged libvirtd of its own",
            ),
        ]
        if missing := fabric.missing_traffic_control():
            found.append(
                Limit("bandwidth limits of networks and interfaces", missing, "another kernel")
            )
        if self.rootless:
            found += [
                Limit(
                    "post-copy migration", "userfaultfd needs privilege", "a lab started by root"
                ),
                Limit(
                    "pools of kind fs, disk, logical, netfs, iscsi",
                    "a user namespace mounts no block devices",
                    "pools of kind dir; a lab started by root",
                ),
            ]
        return tuple(found)


def _expect(builder: _Builder, host: HostRecord, deadline: float) -> None:
    """Wait for a builder's next word.

    Raises:
        OSError: it failed or did not answer in time.
    """
    ready, _, _ = select.select([builder.told], [], [], max(0.0, deadline - time.monotonic()))
    text = os.read(builder.told, 4096).decode(errors="replace").strip() if ready else "no answer"
    if text != "ready":
        raise OSError(f"the namespaces of host {host.name} failed: {text or 'the builder died'}")
