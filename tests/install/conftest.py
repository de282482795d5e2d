"""Parts for the tests of `install`: a warm cache, private folders, and a machine that really boots."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from labvirt import places
from labvirt.install import build_media
from labvirt.install.parts import known_parts
from labvirt.install.store import Store
from labvirt.model.source import TinyGuest

#: A tiny guest is ready after 3 to 5 s; other work on the machine may slow it down ten times.
BOOT_S = 60.0
ROOM = Path(__file__).parents[2]


def make_private(prefix):
    """Make a folder with a short path (for sockets) that other users can pass through."""
    folder = Path(tempfile.mkdtemp(prefix=f"lv-{prefix}-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def warm():
    """A folder with the kernel variants; their packages are in the cache of all test runs."""
    folder = make_private("warm")
    began = time.monotonic()
    try:
        build_media(TinyGuest(), folder)
        print(f"\nfirst build: {time.monotonic() - began:.2f} s")
        build_media(TinyGuest(ssh=True), folder)
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def scratch():
    """A private folder that is gone after the test."""
    folder = make_private("test")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def cache(warm, scratch, monkeypatch):
    """A cache of this test's own: the packages are there, nothing is built yet."""
    cache = scratch / "cache"
    shutil.copytree(places.cache() / "install" / "packages", cache / "install" / "packages")
    monkeypatch.setenv("LABVIRT_CACHE", str(cache))
    return cache


@pytest.fixture
def built_cache(warm, scratch, monkeypatch):
    """A cache of this test's own in which the kernel variants are built."""
    cache = scratch / "cache"
    shutil.copytree(places.cache() / "install", cache / "install")
    monkeypatch.setenv("LABVIRT_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session")
def tree(warm):
    """The packages of a guest with an SSH server, unpacked."""
    store = Store()
    parts = known_parts(store, ssh=True)
    folder = make_private("tree")
    try:
        yield parts.tree(store, folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def python():
    """Start Python code in a child process: ``python(code, *args, wrap=(...), env={...})``."""
    children = []

    def start(code, *args, wrap=(), env=None):
        child = subprocess.Popen(
            [*wrap, sys.executable, "-c", code, *map(str, args)],
            cwd=ROOM,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        child.communicate(timeout=20)


def eventually(condition, timeout_s, what):
    """Wait until `condition` gives something true, and return it."""
    until = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.02)


@dataclasses.dataclass
class Line:
    """A unix socket to QEMU that a thread reads, so that nothing is lost."""

    path: Path

    def __post_init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        eventually(self._connected, 10, f"QEMU to offer {self.path}")
        self.text = ""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _connected(self):
        with contextlib.suppress(OSError):
            self.socket.connect(str(self.path))
            return True
        return False

    def _read(self):
        with contextlib.suppress(OSError):
            while data := self.socket.recv(65536):
                self.text += data.decode(errors="replace").replace("\r", "")

    def send(self, text):
        self.socket.sendall(text.encode())

    def expect(self, pattern, timeout_s, after=0):
        """Wait for a pattern; return the match."""
        try:
            return eventually(
                lambda: re.compile(pattern).search(self.text, after), timeout_s, repr(pattern)
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; seen: {self.text[after:][-800:]!r}") from None

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.socket.close()


class Machine:
    """A guest under plain QEMU and TCG, with a serial line, an agent, a web server, a monitor."""

    def __init__(self, media, folder, *, memory=128, options="", more=(), network=True):
        self.folder = folder
        self.port, self.ssh_port = _free_port(), _free_port()
        command = ["qemu-system-x86_64", "-accel", "tcg,tb-size=64", "-machine", "pc"]
        command += ["-cpu", "qemu64", "-m", str(memory), "-display", "none", "-nodefaults"]
        command += ["-no-user-config", "-device", "virtio-balloon-pci,id=balloon"]
        command += ["-object", "rng-random,filename=/dev/urandom,id=random"]
        command += ["-device", "virtio-rng-pci,rng=random", "-device", "virtio-serial-pci"]
        for name in ("serial", "agent", "monitor"):
            path = f"path={folder}/{name}.sock,server=on,wait=off,id={name}"
            command += ["-chardev", f"socket,{path}"]
        command += ["-serial", "chardev:serial", "-mon", "chardev=monitor,mode=control"]
        command += ["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        if network:
            ports = ((self.port, 80), (self.ssh_port, 22))
            forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in ports)
            command += ["-netdev", f"user,id=net0,ipv6=off,{forwards}"]
            command += ["-device", "virtio-net-pci,netdev=net0,romfile="]
        if media.disk:
            disk = f"file={media.disk},format={media.disk_format},if=virtio,snapshot=on"
            command += ["-drive", disk]
            if options:
                command += ["-smbios", f"type=1,serial={options}"]
        else:
            append = f"{media.cmdline} {options}".strip()
            command += ["-kernel", media.kernel, "-initrd", media.initrd, "-append", append]
        self.began = time.monotonic()
        self.errors = (folder / "qemu.err").open("w+")
        self.process = subprocess.Popen(
            [*command, *more], stdin=subprocess.DEVNULL, stderr=self.errors
        )
        try:
            self.serial = Line(folder / "serial.sock")
            self._agent = Line(folder / "agent.sock")
            self._monitor = Line(folder / "monitor.sock")
            self.qmp("qmp_capabilities")
        except BaseException as error:
            self.process.kill()
            self.process.wait(20)
            error.add_note((folder / "qemu.err").read_text())
            raise
        self.shell_is_plain = False

    def ready(self):
        """Wait for READY; return the seconds since QEMU was started."""
        self.serial.expect(r"(?m)^READY [\d.]+$", BOOT_S)
        return time.monotonic() - self.began

    def shell(self, command, timeout_s=20.0):
        """Run a command in the serial shell; return what it printed."""
        if not self.shell_is_plain:
            self.serial.expect(r"~# ", 20)
            # Without echo the shell neither edits lines nor asks the terminal for its cursor.
            self.serial.send("stty -echo; echo pla''in\n")
            self.serial.expect(r"(?m)^plain$", 20)
            self.shell_is_plain = True
        start = len(self.serial.text)
        self.serial.send(f"echo be''gin; {command}; echo e''nd $?\n")
        found = self.serial.expect(r"(?ms)begin\n(.*?)^end (\d+)$", timeout_s, after=start)
        return found[1].strip()

    def agent(self, command, **arguments):
        """Ask the guest agent; return its answer."""
        return self._ask(self._agent, command, arguments)

    def run(self, path, *arguments):
        """Run a program through the guest agent; return its output."""
        asked = {"path": path, "arg": list(arguments), "capture-output": True}
        pid = self.agent("guest-exec", **asked)["pid"]

        def over():
            status = self.agent("guest-exec-status", pid=pid)
            return status if status["exited"] else None

        status = eventually(over, 20, f"{path} in the guest")
        assert status["exitcode"] == 0
        return base64.b64decode(status.get("out-data", "")).decode()

    def qmp(self, command, **arguments):
        """Ask QEMU; return its answer."""
        return self._ask(self._monitor, command, arguments)

    def _ask(self, line, command, arguments):
        start = len(line.text)
        line.send(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        answer = json.loads(line.expect(r'(?m)^\{"(return|error)".*$', 20, after=start)[0])
        assert "return" in answer, answer
        return answer["return"]

    def goes_on(self):
        """Wait until it runs after a migration; what comes earlier is lost with its interrupt."""
        eventually(
            lambda: self.qmp("query-status")["status"] == "running", 20, "the guest to go on"
        )

    def http(self, path, timeout_s=20.0):
        """Get a page from the guest; return its text."""
        url = f"http://127.0.0.1:{self.port}{path}"

        def page():
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:
                return answer.read().decode()
            return None

        return eventually(page, timeout_s, url)

    def ended(self, timeout_s=20.0):
        """Wait until QEMU has ended by itself; return the seconds it took and its exit code."""
        began = time.monotonic()
        code = self.process.wait(timeout_s)
        return time.monotonic() - began, code

    def rss_mib(self):
        """Return the memory QEMU takes of the host, in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) // 1024

    def close(self):
        """End QEMU."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(20)
        for line in (self.serial, self._agent, self._monitor):
            line.close()
        self.errors.close()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def boot_folders():
    folders = []
    yield folders
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def boot(boot_folders):
    """Boot media: ``boot(media, memory=128, options="hostname=web1", more=[...])``."""
    machines = []

    def start(media, **settings):
        folder = make_private("boot")
        boot_folders.append(folder)
        machines.append(Machine(media, folder, **settings))
        return machines[-1]

    yield start
    for machine in machines:
        machine.close()
