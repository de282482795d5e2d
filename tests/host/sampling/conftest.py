"""Six paused guests, what counts the daemon's work, and clean ends."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

import labvirt as lv


def paused(host, name, **more):
    """Start a paused guest with a disk; its firmware never runs."""
    spec = lv.DomainSpec(
        name=name,
        memory="32 MiB",
        disks=(lv.DiskSpec(source=lv.model.NewVolume(size="1 MiB", format="raw")),),
        interfaces=(),
        agent=False,
        rng=False,
        graphics=lv.GraphicsSpec(kind="vnc", listen="none"),
        **more,
    )
    return host.plan(spec, paused=True).apply()


def pid_of(host, name):
    """Return the pid of a domain's hypervisor process."""
    folder = Path(host.connection.uri.param("socket")).parent
    return int((folder / f"qemu/run/{name}.pid").read_text())


def until(claim, what, timeout_s=20.0):
    """Wait until a claim holds, and return what it gave."""
    deadline = time.monotonic() + timeout_s
    while not (seen := claim()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)
    return seen


@pytest.fixture(name="until")
def _until():
    return until


class Kept:
    """A listener that keeps what it hears, and when."""

    def __init__(self):
        self.samples = []
        self.times = []

    def __call__(self, sample):
        self.times.append(time.monotonic())
        self.samples.append(sample)

    def wait(self, count, timeout_s=20.0):
        until(lambda: len(self.samples) >= count, f"{count} samples", timeout_s)
        return self.samples


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture(scope="module")
def herd(lab, request):
    """Paused guests on `alpha`, six or HERD; tests may stop their processes for a while."""
    host = lab["alpha"]
    names = [f"herd{number}" for number in range(getattr(request.module, "HERD", 6))]
    for name in names:
        paused(host, name)
    yield {name: host.domains[name].uuid for name in names}
    for name in names:
        if name in host.domains:
            os.kill(pid_of(host, name), signal.SIGCONT)
            host.domains[name].destroy(confirm=True)
            host.domains[name].undefine(confirm=True)
    for name in host.pools["default"].volumes.names:
        if name.startswith("herd"):
            host.pools["default"].volumes[name].delete(confirm=True)


@pytest.fixture
def hung(alpha):
    """Stop the hypervisor process of a domain; it goes on at the end of the test."""
    stopped = []

    def stop(name):
        pid = pid_of(alpha, name)
        os.kill(pid, signal.SIGSTOP)
        stopped.append(pid)
        return pid

    yield stop
    for pid in stopped:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            continue


class DaemonLog:
    """Counts what a daemon is asked and what it asks of hypervisor processes."""

    def __init__(self, host, folder):
        self._socket = Path(host.connection.uri.param("socket"))
        self._path = folder / "log"
        self._folder = folder

    def _admin(self, *words):
        owner = self._socket.stat()
        admin = self._socket.with_name("libvirt-admin-sock")
        who = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
        path = {"PATH": os.environ["PATH"] + ":/usr/bin"}
        done = subprocess.run(
            ["virt-admin", "-c", f"libvirtd:///session?socket={admin}", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
            env={**path, "HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)},
            **who,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __enter__(self):
        self._folder.chmod(0o777)
        self._admin("daemon-log-outputs", "--outputs", f"1:file:{self._path}")
        filters = "1:qemu.qemu_monitor 1:rpc.netserverprogram 4:rpc 4:qemu 4:util 4:conf"
        self._admin("daemon-log-filters", "--filters", filters)
        return self

    def __exit__(self, *_):
        self._admin("daemon-log-filters", "--filters", "")
        self._admin("daemon-log-outputs", "--outputs", "3:stderr")

    def mark(self):
        """Begin to count."""
        self._begun = self._path.stat().st_size

    def _lines(self):
        with self._path.open(errors="replace") as log:
            log.seek(self._begun)
            return log.readlines()

    @property
    def commands(self):
        """Monitor commands sent since `mark`."""
        return sum("QEMU_MONITOR_SEND_MSG" in line for line in self._lines())

    @property
    def calls(self):
        """Calls of clients since `mark`."""
        return sum("virNetServerProgramDispatch:" in line for line in self._lines())


@pytest.fixture
def daemon_log(alpha, tmp_path, passable):
    """Count RPCs and monitor commands of alpha's daemon."""
    passable(tmp_path)
    try:
        with DaemonLog(alpha, tmp_path) as log:
            yield log
    except FileNotFoundError:
        pytest.skip("virt-admin (libvirt-clients) is not on this machine")


@pytest.fixture
def threads_and_files():
    """Return names of the threads and how many files are open."""

    def look():
        names = sorted(thread.name for thread in threading.enumerate())
        return names, len(list(Path("/proc/self/fd").iterdir()))

    return look
