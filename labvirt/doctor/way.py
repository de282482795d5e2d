"""Stages that several ways have: name, port, local socket, program, and the daemon itself."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.errors import AccessDeniedError, HostError, LabvirtError, WaitTimeoutError
from labvirt.host import Host
from labvirt.status.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.model.uri import Uri

__all__ = ["Way", "daemon", "name", "port", "program", "socket_file"]


@dataclass
class Way:
    """A way to a host, and what the stages before have found out.

    Attributes:
        uri: where to.
        readonly: whether to ask for no more than to look.
        timeout_s: limit for each stage.
        addresses: what the host's name stands for.
        facts: what the far side has told.
        host: name or address that is really called.
        port: the port there.
    """

    uri: Uri
    readonly: bool = True
    timeout_s: float = 20.0
    addresses: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    host: str = ""
    port: int = 0

    def __post_init__(self) -> None:
        self.host = self.host or self.uri.host
        self.port = self.port or self.uri.port or self.uri.default_port or 0


def name(way: Way) -> Iterator[Finding]:
    """Look up the host's name."""
    host = way.host
    question = f"Is {host} a host that is known here?"
    if "apart" in way.facts:
        yield Finding("name", question, "n/a", way.facts["apart"])
        return
    worker = ThreadPoolExecutor(1, thread_name_prefix="name")
    try:
        look = worker.submit(socket.getaddrinfo, host, way.port, type=socket.SOCK_STREAM)
        found = look.result(way.timeout_s)
    except (OSError, UnicodeError) as error:
        cause = "the name is misspelt, or the name service does not have it"
        remedy = f"getent hosts {host}"
        yield Finding("name", question, "fail", str(error), cause, remedy, "G13.2-05")
        return
    except LateError:
        said = f"no answer in {way.timeout_s:g} s"
        remedy = "cat /etc/resolv.conf"
        yield Finding("name", question, "fail", said, "the name service does not answer", remedy)
        return
    finally:
        worker.shutdown(wait=False)
    way.addresses = tuple(dict.fromkeys(str(each[4][0]) for each in found))
    yield Finding("name", question, "ok", ", ".join(way.addresses), guide="G13.2-05")


def port(way: Way) -> Iterator[Finding]:
    """Open the port."""
    host, transport = way.host, way.uri.effective_transport
    question = f"Does {host} answer on port {way.port}?"
    if "apart" in way.facts:
        yield Finding("port", question, "n/a", way.facts["apart"])
        return
    try:
        socket.create_connection((host, way.port), min(way.timeout_s, 10.0)).close()
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        service = {
            "tls": "virtproxyd-tls.socket (or libvirtd-tls.socket)",
            "tcp": "virtproxyd-tcp.socket (or libvirtd-tcp.socket)",
        }.get(transport, "sshd")
        cause = f"{service} does not run there" if refused else "a firewall, or the host is off"
        remedy = (
            f"on {host}: systemctl enable --now {service.split()[0]}"
            if refused
            else (f"on {host}: firewall-cmd --add-port={way.port}/tcp")
        )
        yield Finding("port", question, "fail", str(error), cause, remedy, "G13.3-01")
        return
    yield Finding("port", question, "ok", "it answers", guide="G13.3-01")


def socket_file(way: Way) -> Iterator[Finding]:
    """Look at the daemon's socket on this machine."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    paths = way.uri.sockets(readonly=way.readonly, runtime=runtime)
    question = "Is the daemon's socket there, and may we use it?"
    gone = []
    for path in paths:
        try:
            found = Path(path).stat()
        except FileNotFoundError:
            gone.append(path)
            continue
        except OSError as error:
            remedy = f"namei -l {path}"
            yield Finding("socket", question, "fail", f"{path}: {error.strerror}", "", remedy)
            return
        said = f"{path}, {_user(found.st_uid)}:{_group(found.st_gid)}, mode {stat.S_IMODE(found.st_mode):o}"
        if not stat.S_ISSOCK(found.st_mode):
            yield Finding("socket", question, "fail", said, "it is no socket", f"ls -l {path}")
            return
        yield _connects(path, question, said, _group(found.st_gid))
        return
    if way.uri.path == "/session" and way.uri.param("socket") is None:
        said = "not there yet; libvirt starts the daemon of this user by itself"
        yield Finding("socket", question, "ok", said, guide="G13.3-02")
        return
    cause = "the daemon does not run, or the socket has another name"
    unit = f"virt{way.uri.driver}d.socket"
    remedy = f"systemctl enable --now {unit} (or libvirtd.socket)"
    said = f"not there: {', '.join(gone)}"
    yield Finding("socket", question, "fail", said, cause, remedy, "G13.3-02")


def _connects(path: str, question: str, said: str, group: str) -> Finding:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            probe.connect(path)
    except PermissionError:
        cause = f"this user may not use it; its group is {group}"
        remedy = f"usermod -aG {group} $USER, then log in again; or qemu:///session"
        return Finding("socket", question, "fail", said, cause, remedy, "G13.3-02")
    except OSError as error:
        cause = f"nobody listens on it: {error.strerror or error}"
        remedy = "systemctl restart libvirtd (guests go on)"
        return Finding("socket", question, "fail", said, cause, remedy, "G13.3-02")
    return Finding("socket", question, "ok", said, guide="G13.3-02")


def program(way: Way) -> Iterator[Finding]:
    """Look for the program that makes the connection."""
    command = way.uri.param("command") or ""
    found = shutil.which(command)
    question = f"Is the program {command} there?"
    if found is None:
        remedy = f"chmod +x {command}, or name another in command="
        yield Finding(
            "program", question, "fail", "not there, or not executable", "", remedy, "G13.3-04"
        )
        return
    yield Finding("program", question, "ok", found, guide="G13.3-04")


def daemon(way: Way) -> Iterator[Finding]:
    """Open the host as it would be opened, and ask for its versions."""
    question = "Does the daemon answer?"
    try:
        host = Host.open(way.uri, readonly=way.readonly, timeout_s=way.timeout_s)
    except AccessDeniedError as error:
        said = error.libvirt_text or error.what
        yield Finding("daemon", question, "ok", "it answered, with a refusal")
        yield _refused(said, error.hint)
        return
    except (HostError, WaitTimeoutError) as error:
        said = error.libvirt_text if isinstance(error, HostError) else error.what
        yield Finding("daemon", question, "fail", said, "", error.hint, "G13.1-05")
        return
    try:
        yield Finding("daemon", question, "ok", "it opened the connection", guide="G13.1-05")
        kind = "look only" if way.readonly else "look and change"
        yield Finding("rights", "What are we allowed to do?", "ok", kind)
        yield _version(host)
    finally:
        with contextlib.suppress(LabvirtError):
            host.close()


def _refused(said: str, hint: str) -> Finding:
    low = said.lower()
    cause = ""
    if "polkit" in low or "authentication unavailable" in low:
        cause = "polkit asks who we are, and no agent is running to answer"
        hint = "join the group libvirt, or a polkit rule for org.libvirt.unix.manage"
    elif "authentication" in low or "sasl" in low:
        cause = "the daemon wants a user name and a password (SASL), or another mechanism"
        hint = hint or "authfile= in the URI, or LIBVIRT_AUTH_FILE"
    return Finding("rights", "What are we allowed to do?", "fail", said, cause, hint, "G13.1-05")


def _version(host: Host) -> Finding:
    question = "Do the versions fit?"
    seen = host.version()
    said = f"libvirt here {seen.library}, there {seen.daemon}; {seen.hypervisor} {seen.hypervisor_version}"
    here, there = (int(each.split(".")[0]) for each in (seen.library, seen.daemon))
    if there < here - 5:
        cause = "the daemon is much older than this side: newer calls are missing there"
        return Finding("version", question, "warning", said.strip(), cause)
    return Finding("version", question, "ok", said.strip(), guide="G15-37")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
