"""What both back ends have in common: where a host's files are and how its libvirtd is run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from labvirt.lab import documents
from labvirt.lab.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labvirt.lab.records import BackendName, HostRecord, LabRecord, Limit

__all__ = ["Backend", "in_child", "restore_signals"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COMMON = ("shared", "media", "serial")
_LIBVIRTD_HINT = "apt-get install --no-install-recommends libvirt-daemon qemu-system-x86 qemu-utils"


def in_child(action: Callable[[], int]) -> int:
    """Run something in a forked child, wait for it, and return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = action()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Backend(ABC):
    """A way to run libvirt hosts.

    Args:
        record: the lab.
        rootless: process 1 of the lab's own user namespace is at work.
    """

    name: ClassVar[BackendName]
    subfolders: ClassVar[tuple[str, ...]]
    socket_name: ClassVar[str]
    config_folder: ClassVar[str]
    capability_folder: ClassVar[str]
    daemon_arguments: ClassVar[tuple[str, ...]]

    def __init__(self, record: LabRecord, *, rootless: bool = False) -> None:
        self.record = record
        self.rootless = rootless
        self.data = Path(record.folder)
        # The keeper lives in a chosen environment, so that all it starts finds the same tools.
        os.environ["PATH"] = _PATH
        self.libvirtd = shutil.which("libvirtd") or ""

    # What a back end must tell.

    @abstractmethod
    def prepare(self) -> None:
        """Do what proves that this machine allows the back end.

        Raises:
            Refusal: it does not.
        """

    @abstractmethod
    def build(self) -> None:
        """Make everything the hosts need before their daemons start.

        Raises:
            OSError: it failed.
        """

    @abstractmethod
    def demolish(self) -> None:
        """Take down what `build` made outside the folders; all processes have ended."""

    @abstractmethod
    def enter(self, host: HostRecord) -> None:
        """Move this process, a forked child, into a host's namespaces and to its user.

        Raises:
            OSError: it failed.
        """

    @abstractmethod
    def limits(self) -> tuple[Limit, ...]:
        """Return what this back end cannot do here."""

    # What they share.

    def check_tools(self) -> None:
        """Refuse when there is no libvirtd.

        Raises:
            Refusal: it is not installed.
        """
        if not self.libvirtd:
            raise Refusal("libvirtd is not installed", _LIBVIRTD_HINT)

    def folder(self, host: HostRecord) -> Path:
        """Return a host's own folder."""
        return self.data / "hosts" / host.name

    def log(self, host: HostRecord) -> Path:
        """Return the log of a host's libvirtd."""
        return self.folder(host) / "libvirtd.log"

    def link(self, host: HostRecord, *, run: bool) -> Path:
        """Return the short path of a host's run (or configuration) folder.

        A socket path holds 107 bytes, and libvirt appends up to 83 of its own.
        """
        letter = chr(ord("A" if run else "a") + host.number - 1)
        return Path(self.record.sockets, letter)

    def socket(self, host: HostRecord) -> Path:
        """Return the socket of a host's libvirtd."""
        return self.link(host, run=True) / self.socket_name

    def uri(self, host: HostRecord) -> str:
        """Return the URI by which any libvirt tool of this machine reaches a host."""
        return f"qemu+unix:///{self.name}?socket={self.socket(host)}"

    def capabilities(self, host: HostRecord) -> Path:
        """Return the folder in which a host's libvirtd remembers what QEMU can do."""
        return self.folder(host) / self.capability_folder

    def furnish(self, host: HostRecord) -> None:
        """Make a host's folders, links and files."""
        folder = self.folder(host)
        for name in (*self.subfolders, "images", "home"):
            (folder / name).mkdir(mode=0o700, parents=True)
        for name in _COMMON:
            (self.data / name).mkdir(mode=0o700, exist_ok=True)
        self.link(host, run=True).symlink_to(folder / "run")
        config = folder / self.config_folder
        shared = self.data / "shared"
        common = (shared, self.data / "media")
        documents.write_daemon(host, config, common, system=self.name == "system")
        pools = {"default": folder / "images", "shared": shared}
        documents.write_pools(host, config, pools)

    def unfurnish(self) -> None:
        """Remove all that the hosts and their guests have written."""
        for name in ("hosts", *_COMMON):
            shutil.rmtree(self.data / name, ignore_errors=True)
        for host in self.record.hosts:
            for run in (True, False):
                self.link(host, run=run).unlink(missing_ok=True)

    def environment(self, host: HostRecord) -> dict[str, str]:
        """Return the environment of a host's processes.

        The private ``HOME`` is handed on by libvirt to QEMU and marks the lab's processes.
        """
        return {
            "PATH": _PATH,
            "LANG": "C.UTF-8",
            "HOME": str(self.folder(host) / "home"),
            "LABVIRT_LAB": self.record.id,
        }

    def launch(self, host: HostRecord) -> int:
        """Start a host's libvirtd; return its pid."""
        arguments = [str(part).format(folder=self.folder(host)) for part in self.daemon_arguments]
        return self._spawn(host, [self.libvirtd, *arguments], self.environment(host))

    def _spawn(self, host: HostRecord, argv: Sequence[str], env: Mapping[str, str]) -> int:
        log = os.open(self.log(host), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        pid = os.fork()
        if pid:
            os.close(log)
            return pid
        try:
            self._become(host, log)
            os.execve(argv[0], list(argv), dict(env))  # noqa: S606 - no shell is wanted
        except BaseException as error:  # noqa: BLE001 - a forked child must never return
            with contextlib.suppress(OSError):
                os.write(log, f"cannot run {argv[0]}: {error}\n".encode())
        os._exit(127)

    def _become(self, host: HostRecord, log: int) -> None:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        self.enter(host)
        os.chdir(self.folder(host))
        os.umask(0o022)
        restore_signals()

    def give(self, top: Path) -> None:
        """Hand a folder and all in it to the daemons' user.

        Args:
            top: the folder; nothing is done when the keeper is that user itself.
        """
        del top

    def kvm(self) -> bool:
        """Tell whether the daemons' user may open ``/dev/kvm`` (not whether KVM works)."""
        return os.access("/dev/kvm", os.R_OK | os.W_OK)


def restore_signals() -> None:
    """Give a forked child the signals that programs expect."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
