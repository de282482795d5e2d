"""The machine of a host: its files and its commands, seen from where its daemon runs."""

from __future__ import annotations

import os
import shlex
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labvirt.errors import NotFoundError, UnsupportedError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host import Host

__all__ = ["Machine", "Ran"]

_LIMIT_S: Final = 3.0
_ENV: Final = {**os.environ, "LC_ALL": "C", "LANG": "C"}
_SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended.

    Attributes:
        code: exit status.
        out: what it printed.
        err: what it complained of.
    """

    code: int
    out: str
    err: str

    def __bool__(self) -> bool:
        return self.code == 0


@dataclass(frozen=True)
class Machine:
    """Where files are read and commands run to learn about a host; nothing is changed.

    Made by `Machine.of`. Of a local host it is this machine, inside the namespaces of the host's
    daemon when it has some of its own; of a host reached by ssh it is the far side.

    Attributes:
        name: for messages.
        prefix: words before each command: ``nsenter ...`` or ``ssh ...``; none here.
        root: folder under which its files are seen from here; None: by ``cat`` only.
        daemon_pid: process of the daemon that answers, as seen here; 0 when unknown.
        runner: runs a program where the daemon runs, as `HostFacts.run`; None: by `prefix`.
    """

    name: str
    prefix: tuple[str, ...] = ()
    root: Path | None = Path("/")
    daemon_pid: int = 0
    runner: Callable[[Sequence[str], float], tuple[int, str, str]] | None = None

    @classmethod
    def of(cls, host: Host) -> Machine:
        """Return the machine of a host.

        Raises:
            UnsupportedError: neither its files nor a shell of it can be reached from here.
        """
        uri = host.connection.uri
        if host.is_local:
            return _here(host)
        if uri.effective_transport == "ssh":
            target = f"{uri.user}@{uri.host}" if uri.user else uri.host
            port = ("-p", str(uri.port)) if uri.port else ()
            words = ("ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", *port, target)
            return cls(target, words, None)
        raise UnsupportedError(
            f"look at the machine of {host.label}",
            uri=host.label,
            hint="by ssh (qemu+ssh://...) its files can be looked at too, or run labvirt doctor there",
        )

    @property
    def is_far(self) -> bool:
        """Whether every look goes over the network."""
        return self.root is None

    @property
    def is_apart(self) -> bool:
        """Whether it is in namespaces of its own: /proc and /sys differ from what is seen here."""
        return self.runner is not None or bool(self.prefix)

    def run(self, *words: str, timeout_s: float = _LIMIT_S) -> Ran:
        """Run a command that only looks.

        Raises:
            NotFoundError: there is no such command.
            WaitTimeoutError: it did not end in time.
            LabError: the lab of the host cannot run it.
        """
        if self.runner is not None:
            return Ran(*self.runner(words, timeout_s))
        far = [shlex.join(words)] if self.is_far else list(words)
        env = {**_ENV, "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_SBIN}"}
        try:
            done = subprocess.run(
                [*self.prefix, *far],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                env=env,
                check=False,
            )
        except FileNotFoundError as error:
            raise NotFoundError(
                f"run {words[0]} on {self.name}", hint=f"install {words[0]}"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise WaitTimeoutError(
                f"{shlex.join(words)} on {self.name}", timeout_s=timeout_s
            ) from error
        if done.returncode == 127 and self.prefix:
            raise NotFoundError(f"run {words[0]} on {self.name}", hint=f"install {words[0]}")
        return Ran(done.returncode, done.stdout, done.stderr)

    def path(self, path: str | Path) -> Path:
        """Return where a file of the machine is seen from here.

        Raises:
            UnsupportedError: it is another machine.
        """
        if self.root is None:
            raise UnsupportedError(f"see {path} of {self.name} from here")
        if self.root == Path("/"):
            return Path(path)
        return self.root / str(path).lstrip("/")

    def read(self, path: str | Path) -> str | None:
        """Return the text of a small file; None when it is not there or may not be read."""
        if self.is_far or (self.is_apart and str(path).startswith("/proc/")):
            # What the kernel shows below /proc depends on who asks.
            ran = self.run("cat", str(path))
            return ran.out if ran else None
        try:
            return self.path(path).read_text(errors="replace")
        except OSError:
            return None

    def exists(self, path: str | Path) -> bool:
        """Whether a file or folder is there."""
        if self.is_far:
            return bool(self.run("test", "-e", str(path)))
        return os.path.lexists(self.path(path))

    def listdir(self, path: str | Path) -> list[str]:
        """Return the names in a folder; none when it is not there."""
        if self.is_far or (self.is_apart and str(path).startswith(("/proc/", "/sys/"))):
            ran = self.run("ls", "-1A", str(path))
            return ran.out.split("\n")[:-1] if ran else []
        try:
            return sorted(os.listdir(self.path(path)))  # noqa: PTH208 - names are all that is needed
        except OSError:
            return []

    def has(self, command: str) -> bool:
        """Whether a command is installed."""
        try:
            return bool(self.run("sh", "-c", f"command -v {shlex.quote(command)}"))
        except NotFoundError:
            return False

    def sysctl(self, name: str) -> str | None:
        """Return a kernel setting, ``net.ipv4.ip_forward``; None when there is none."""
        text = self.read(f"/proc/sys/{name.replace('.', '/')}")
        return text.strip() if text is not None else None


def _here(host: Host) -> Machine:
    """Return this machine, in the namespaces of the daemon behind the host's socket."""
    pid = _daemon_pid(host)
    name = f"the machine of {host.name}" if host.facts.lab else "this machine"
    if not pid:
        return Machine(name, runner=host.facts.run)
    apart = not _same(pid, "mnt")
    root = Path(f"/proc/{pid}/root") if apart else Path("/")
    if host.facts.run is not None or _same(pid, "net"):
        return Machine(name, (), root, pid, host.facts.run)
    words = ["nsenter", "-t", str(pid), "-n", *(["-m"] if apart else [])]
    if not _same(pid, "user"):
        words += ["-U", "--preserve-credentials"]
    return Machine(name, tuple(words), root, pid)


def _same(pid: int, kind: str) -> bool:
    try:
        return Path(f"/proc/{pid}/ns/{kind}").readlink() == Path(f"/proc/self/ns/{kind}").readlink()
    except OSError:
        return True


def _daemon_pid(host: Host) -> int:
    """Return the process that listens on the host's socket, asked of the kernel; 0 when unknown."""
    uri = host.connection.uri
    if uri.effective_transport != "unix":
        return 0
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    for path in uri.sockets(readonly=host.readonly, runtime=runtime):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(path))
                raw = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            except OSError:
                continue
            return int(struct.unpack("3i", raw)[0])
    return 0
