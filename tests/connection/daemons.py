"""Real libvirt daemons for tests: session mode, private folders, an ordinary user, full cleaning.

Each daemon lives under a supervisor of its own: a child subreaper (hypervisor processes become its
children, so libvirt sees them end at once) that kills everything below it and removes the folder
when its standard input closes, be it by `Daemon.stop` or because the test process died.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

SUPERVISOR = r"""
import ctypes, os, select, shutil, signal, sys
libvirtd, arguments = sys.argv[1], sys.argv[2:]
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
reader, writer = os.pipe()
os.set_blocking(writer, False)
os.set_blocking(reader, False)
signal.signal(signal.SIGCHLD, lambda *_: None)
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.set_wakeup_fd(writer)

def children():
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == os.getpid():
                yield int(name)

def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass

while True:
    ready, _, _ = select.select([0, reader], [], [])
    if reader in ready:
        try:
            os.read(reader, 4096)
        except BlockingIOError:
            pass
        reap()
    if 0 in ready:
        if not os.read(0, 1):
            break
        pid = os.posix_spawn(libvirtd, [libvirtd, *arguments], os.environ,
                             file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)])
        os.write(1, f"{pid}\n".encode())
signal.set_wakeup_fd(-1)
while True:
    found = list(children())
    if not found:
        break
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    reap()
shutil.rmtree(os.getcwd(), ignore_errors=True)
"""


def libvirtd_path() -> str | None:
    return shutil.which("libvirtd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def ordinary_user() -> pwd.struct_passwd:
    """Return who runs the daemons: ourselves, or an ordinary user when we are root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("lvuser")
    return pwd.getpwnam("nobody")


class Daemon:
    """One libvirtd of an ordinary user, with everything it has in one short-lived folder."""

    def __init__(
        self,
        *,
        tcp_port: int | None = None,
        tls_port: int | None = None,
        pki: Path | None = None,
        cache: Path | None = None,
        sasl: Path | None = None,
        lines: tuple[str, ...] = (),
    ) -> None:
        """Start one.

        Args:
            tcp_port: listen there too, on 127.0.0.1, without any check.
            tls_port: listen there too, on 127.0.0.1, with the certificates in `pki`.
            pki: folder with cacert.pem, servercert.pem and serverkey.pem.
            cache: probe results of another daemon, to begin with.
            sasl: folder with libvirt.conf of SASL, which TLS clients have to pass.
            lines: more lines of libvirtd.conf.
        """
        self.sasl, self.lines = sasl, lines
        self.user = ordinary_user()
        self.folder = Path(tempfile.mkdtemp(prefix="lvt", dir="/tmp"))
        self.tcp_port = tcp_port
        self.tls_port = tls_port
        self.pid = 0
        self._write_files(cache, pki)
        self._supervisor = self._start_supervisor()
        self.start()

    def _write_files(self, cache: Path | None, pki: Path | None) -> None:
        for name in ("run", "config/libvirt", "cache/libvirt/qemu/cache", "data", "home", "images"):
            (self.folder / name).mkdir(parents=True)
        # Daemons on one machine would take each other's ports for migration data.
        port = random.randrange(20_000, 40_000, 50)
        (self.folder / "config/libvirt/qemu.conf").write_text(
            f'stdio_handler="file"\nmigration_port_min={port}\nmigration_port_max={port + 49}\n'
        )
        if pki is not None:  # displays have TLS as well
            vnc = f'vnc_tls=1\nvnc_tls_x509_cert_dir="{self.folder}/pki/vnc"\n'
            with (self.folder / "config/libvirt/qemu.conf").open("a") as file:
                file.write(vnc)
        lines = [
            f'host_uuid="{uuid.uuid4()}"',
            'auth_unix_rw="none"',
            f'log_outputs="2:file:{self.folder}/log"',
            'listen_addr="127.0.0.1"',
            f"listen_tls={int(self.tls_port is not None)}",
            *self.lines,
        ]
        if self.tcp_port is not None:
            lines += ["listen_tcp=1", 'auth_tcp="none"', f'tcp_port="{self.tcp_port}"']
        if self.tls_port is not None and pki is not None:
            shutil.copytree(pki, self.folder / "pki")
            (self.folder / "pki/vnc").mkdir()
            for here, there in (
                ("cacert", "ca-cert"),
                ("servercert", "server-cert"),
                ("serverkey", "server-key"),
            ):
                shutil.copy(pki / f"{here}.pem", self.folder / f"pki/vnc/{there}.pem")
            lines += [
                f'tls_port="{self.tls_port}"',
                f'ca_file="{self.folder}/pki/cacert.pem"',
                f'cert_file="{self.folder}/pki/servercert.pem"',
                f'key_file="{self.folder}/pki/serverkey.pem"',
                f'crl_file="{self.folder}/pki/cacrl.pem"'
                if (pki / "cacrl.pem").exists()
                else 'crl_file=""',
                f'auth_tls="{"sasl" if self.sasl else "none"}"',
            ]
        (self.folder / "libvirtd.conf").write_text("\n".join(lines) + "\n")
        if cache is not None:
            shutil.copytree(cache, self.capabilities_cache)
        if os.geteuid() == 0:
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)

    @property
    def capabilities_cache(self) -> Path:
        return self.folder / "cache/libvirt/qemu/cache/capabilities"

    @property
    def socket(self) -> Path:
        return self.folder / "run/libvirt/libvirt-sock"

    @property
    def uri(self) -> str:
        return f"qemu+unix:///session?socket={self.socket}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _start_supervisor(self) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
            "HOME": str(self.folder / "home"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_DATA_HOME": str(self.folder / "data"),
        }
        if self.sasl is not None:
            environment["SASL_CONF_PATH"] = str(self.sasl)
        who = (
            {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
            if os.geteuid() == 0
            else {}
        )
        listen = ["-l"] if (self.tcp_port or self.tls_port) else []
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", SUPERVISOR, libvirtd_path() or "libvirtd",
             "-f", str(self.folder / "libvirtd.conf"), "-p", str(self.folder / "pid"), *listen],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=environment,
            start_new_session=True,
            **who,
        )  # fmt: skip

    def start(self, timeout_s: float = 20.0) -> None:
        """Start libvirtd (again) and wait for its socket."""
        self.socket.unlink(missing_ok=True)
        assert self._supervisor.stdin is not None
        assert self._supervisor.stdout is not None
        self._supervisor.stdin.write(b"\n")
        self._supervisor.stdin.flush()
        self.pid = int(self._supervisor.stdout.readline())
        deadline = time.monotonic() + timeout_s
        while not self._listens():
            assert time.monotonic() < deadline, f"libvirtd did not come up: {self.log}"
            time.sleep(0.01)

    def _listens(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.socket))
            for port in filter(None, (self.tcp_port, self.tls_port)):
                socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    def kill(self, number: signal.Signals = signal.SIGKILL, wait_s: float = 5.0) -> None:
        """Send libvirtd a signal; wait for its end when the signal ends it."""
        os.kill(self.pid, number)
        if number in (signal.SIGSTOP, signal.SIGCONT):
            return
        deadline = time.monotonic() + wait_s
        while Path(f"/proc/{self.pid}").exists():
            assert time.monotonic() < deadline, "libvirtd did not end"
            time.sleep(0.005)

    def domain_pid(self, name: str) -> int:
        """Return the pid of a running domain's hypervisor process."""
        return int((self.folder / f"run/libvirt/qemu/run/{name}.pid").read_text())

    def stop(self) -> None:
        """Kill everything and remove the folder."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)
        assert self._supervisor.stdin is not None
        assert self._supervisor.stdout is not None
        self._supervisor.stdin.close()
        try:
            self._supervisor.wait(10)
        finally:
            self._supervisor.kill()
            self._supervisor.wait(10)
            self._supervisor.stdout.close()
            shutil.rmtree(self.folder, ignore_errors=True)
