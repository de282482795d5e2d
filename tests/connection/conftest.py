"""Fixtures: real daemons, shared by the tests that leave them as they were, fresh for the others."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labvirt.connection import Connection, domain, node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_spec = importlib.util.spec_from_file_location(
    "labvirt_test_daemons", Path(__file__).with_name("daemons.py")
)
assert _spec is not None
assert _spec.loader is not None
daemons = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = daemons
_spec.loader.exec_module(daemons)

#: A domain that needs no disk, no system and no KVM; it is up in 0.3 s.
DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model></cpu>
  <devices>
    {devices}
    <video><model type='vga'/></video>
    <memballoon model='none'/>
  </devices>
</domain>
"""
SERIAL = "<serial type='pty'/><console type='pty'/>"


def domain_xml(name: str, devices: str = SERIAL) -> str:
    return DOMAIN.format(name=name, devices=devices)


def eventually(claim: Callable[[], Any], what: str, timeout_s: float = 10.0) -> Any:
    """Wait until a claim holds, and return what it gave."""
    deadline = time.monotonic() + timeout_s
    while not (seen := claim()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.005)
    return seen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Bytes that come in on COM1 are sent back on COM1: a boot sector, the smallest guest that talks.
ECHO = bytes.fromhex(
    "ba fd 03"     # mov dx, 0x3fd      line status
    "ec"           # wait: in al, dx
    "a8 01"        # test al, 1         a byte is there?
    "74 fb"        # jz wait
    "ba f8 03"     # mov dx, 0x3f8
    "ec"           # in al, dx
    "ee"           # out dx, al
    "eb f1"        # jmp start
)  # fmt: skip


def boot_disk(daemon: Any, code: bytes, name: str) -> str:
    """Return devices of a guest whose disk begins with some code."""
    path = daemon.folder / "images" / name
    path.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    path.chmod(0o666)
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{path}'/>"
        "<target dev='hda' bus='ide'/></disk>"
        "<serial type='pty'/><console type='pty'/>"
    )


@pytest.fixture(name="boot_disk")
def _boot_disk() -> Callable[..., str]:
    return boot_disk


@pytest.fixture
def echo_disk() -> Callable[[Any], str]:
    """Give the devices of a guest that sends every byte back, for a daemon."""
    return lambda daemon: boot_disk(daemon, ECHO, "echo.img")


@pytest.fixture(name="domain_xml")
def _domain_xml() -> Callable[..., str]:
    return domain_xml


@pytest.fixture(name="eventually")
def _eventually() -> Callable[..., Any]:
    return eventually


@pytest.fixture(name="free_port")
def _free_port() -> Callable[[], int]:
    return free_port


def _require_packages() -> None:
    missing = {
        "libvirt-daemon (libvirtd)": daemons.libvirtd_path(),
        "qemu-system-x86 (qemu-system-x86_64)": shutil.which("qemu-system-x86_64"),
    }
    absent = [package for package, path in missing.items() if not path]
    if absent:
        pytest.skip("not on this machine: " + ", ".join(absent))


@pytest.fixture(scope="session")
def capabilities_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The probe results of one daemon, so that further ones need not probe QEMU again."""
    _require_packages()
    kept = tmp_path_factory.mktemp("capabilities") / "capabilities"
    first = daemons.Daemon()
    try:
        with Connection.open(first.uri) as conn:
            node.capabilities(conn)
        shutil.copytree(first.capabilities_cache, kept)
    finally:
        first.stop()
    return kept


@pytest.fixture(scope="session")
def start_daemon(capabilities_cache: Path) -> Iterator[Callable[..., Any]]:
    """Start a daemon of one's own; stop it, or it is stopped at the end of all tests."""
    started: list[Any] = []

    def start(**options: Any) -> Any:
        daemon = daemons.Daemon(cache=capabilities_cache, **options)
        started.append(daemon)
        return daemon

    yield start
    for daemon in started:
        if daemon.folder.exists():
            daemon.stop()


@pytest.fixture(scope="session")
def shared_daemon(start_daemon: Callable[..., Any]) -> Any:
    """A daemon for tests that leave it as it was."""
    return start_daemon()


@pytest.fixture
def daemon(start_daemon: Callable[..., Any]) -> Iterator[Any]:
    """A daemon that a test may kill, stop or fill."""
    fresh = start_daemon()
    yield fresh
    fresh.stop()


@pytest.fixture
def conn(shared_daemon: Any) -> Iterator[Connection]:
    """A connection to the shared daemon; domains left over are removed."""
    with Connection.open(shared_daemon.uri) as opened:
        yield opened
        for record in domain.list_all(opened):
            if record.is_active:
                domain.destroy(opened, record.uuid)
            if record.persistent:
                domain.undefine(
                    opened, record.uuid, managed_save=True, snapshots_metadata=True, nvram="remove"
                )


@pytest.fixture
def paused(conn: Connection) -> str:
    """UUID of a persistent domain that is active and paused."""
    uuid = domain.define(conn, domain_xml("paused"))
    domain.start(conn, uuid, paused=True)
    return uuid


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that other users of the machine can pass through.

    Not one of pytest: a second pytest that starts closes the folder above all of them.
    """
    with tempfile.TemporaryDirectory(prefix="lvo", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """Every test ends the threads it starts."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5.0
    while left := [t for t in threading.enumerate() if t not in before and t.is_alive()]:
        assert time.monotonic() < deadline, f"threads left over: {left}"
        time.sleep(0.01)
