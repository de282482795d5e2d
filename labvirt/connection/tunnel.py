"""Tunnel: a TCP port or a UNIX socket of another host as a socket here, through the ssh program.

Only keys (or the agent) log in: nobody sits at a terminal of a notebook, so ssh may ask nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from labvirt.errors import AccessDeniedError, ConnectionLostError, HostError, UnsupportedError

if TYPE_CHECKING:
    from labvirt.model.uri import Uri

__all__ = ["Tunnel", "open_tunnel"]

#: What ssh says: pattern, class, what to try.
_MEANINGS: Final[tuple[tuple[str, type[HostError], str], ...]] = (
    (
        r"host key verification failed|no .*host key is known|identification has changed",
        AccessDeniedError,
        "ssh to the host once by hand, or put its key into known_hosts",
    ),
    (
        r"permission denied \(|too many authentication failures",
        AccessDeniedError,
        "give a key that the host accepts (keyfile= of the URI, or ssh-add): no password is asked",
    ),
    (
        r"open failed: connect failed",
        ConnectionLostError,
        "nothing answers there on the host: has the display just ended?",
    ),
    (
        r"administratively prohibited|forwarding (disabled|failed)",
        AccessDeniedError,
        "the host's sshd forbids it: AllowTcpForwarding and AllowStreamLocalForwarding",
    ),
    (r"could not resolve hostname", ConnectionLostError, "check the spelling of the host's name"),
    (r"", ConnectionLostError, "try by hand: ssh to the host, with the same user and key"),
)
#: Of libssh's parameters, what ssh calls them.
_CHECKS: Final = {"normal": "yes", "auto": "accept-new", "ignore": "no"}
_SAFE_PATH: Final = re.compile(r"/[^%$:\\\0\n]+")


class Tunnel(socket.socket):
    """A socket whose other end is an ssh process; closing it ends the process."""

    def __init__(
        self, here: socket.socket, process: subprocess.Popen[bytes], said: IO[bytes]
    ) -> None:
        super().__init__(fileno=here.detach())
        self.process, self._said = process, said

    def close(self) -> None:
        """Close, end ssh, and clear it away; twice is harmless."""
        super().close()
        if self.process.poll() is None:
            self.process.terminate()
            threading.Thread(target=self._reap, name="labvirt-tunnel end", daemon=True).start()
        self._said.close()

    def _reap(self) -> None:
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def complaints(self) -> str:
        """Return what ssh said, once it has ended or stopped to carry."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        return _text(self._said)


def open_tunnel(
    uri: Uri, asked: str, *, address: str = "", port: int = 0, path: str = "", timeout_s: float
) -> Tunnel:
    """Connect to a port or a UNIX socket as the host sees it.

    That nothing answers there shows at the first reading; see `broken`.

    Args:
        uri: of the connection, over ssh, libssh or libssh2; its user, port, key and command count.
        asked: what it is for, for errors.
        address: as the host sees it, with `port`.
        port: TCP port.
        path: of a UNIX socket on the host, instead of both.
        timeout_s: limit for the log-in.

    Raises:
        UnsupportedError: there is no ssh program here, or the path cannot be given to it.
        AccessDeniedError: the log-in was refused, or the host's key is not known.
        ConnectionLostError: the host does not answer.
    """
    words = _words(uri, asked, timeout_s)
    if path:
        if not _SAFE_PATH.fullmatch(path):
            why = f"ssh cannot be told of a socket with the path {path!r}"
            raise UnsupportedError(asked, uri=uri.redacted(), libvirt_text=why)
        return _through_file(uri, asked, words, path, timeout_s)
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    here, there = socket.socketpair()
    with there:
        return Tunnel(here, *_run([*words, "-W", where, "--", uri.host], there.fileno()))


def broken(uri: Uri, asked: str, said: str) -> HostError:
    """Return what the last words of an ssh process mean."""
    kind, hint = next((k, h) for pattern, k, h in _MEANINGS if re.search(pattern, said.lower()))
    return kind(asked, uri=uri.redacted(), libvirt_text=said or "ssh hung up", hint=hint)


def _words(uri: Uri, asked: str, timeout_s: float) -> list[str]:
    words = uri.ssh_words()
    if shutil.which(words[0]) is None:
        raise UnsupportedError(
            asked,
            uri=uri.redacted(),
            libvirt_text=f"there is no program {words[0]!r} here",
            hint="apt-get install openssh-client",
        )
    check = _CHECKS.get(uri.param("known_hosts_verify") or "")
    if uri.effective_transport == "ssh":
        check = "no" if uri.flag("no_verify") else None
    elif known := uri.param("known_hosts"):
        words += ["-o", f'UserKnownHostsFile="{known}"']
    words += ["-o", f"StrictHostKeyChecking={check}"] if check else []
    return [
        *words,
        *("-x", "-a", "-S", "none", "-o", "BatchMode=yes", "-o", "PermitLocalCommand=no"),
        *("-o", f"ConnectTimeout={max(1, round(timeout_s))}", "-o", "ServerAliveInterval=15"),
    ]


def _run(words: list[str], end: int) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    said = tempfile.TemporaryFile()  # noqa: SIM115 - the tunnel closes it
    # In a session of its own: ^C goes to the whole process group and would cut the tunnel.
    process = subprocess.Popen(words, stdin=end, stdout=end, stderr=said, start_new_session=True)
    return process, said


def _through_file(uri: Uri, asked: str, words: list[str], path: str, timeout_s: float) -> Tunnel:
    """Let ssh listen on a socket that only this user can reach, and use it once."""
    with tempfile.TemporaryDirectory(prefix="labvirt-") as folder:
        local = Path(folder) / "s"
        forward = ["-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{local}:{path}"]
        process, said = _run([*words, *forward, "--", uri.host], subprocess.DEVNULL)
        here = socket.socket(socket.AF_UNIX)
        tunnel = Tunnel(here, process, said)
        try:
            _wait_for(local, process, timeout_s)
            tunnel.connect(os.fspath(local))
        except OSError as error:
            process.terminate()
            why = broken(uri, asked, tunnel.complaints() or str(error))
            tunnel.close()
            raise why from None
        return tunnel


def _wait_for(local: Path, process: subprocess.Popen[bytes], timeout_s: float) -> None:
    until = time.monotonic() + timeout_s
    while not local.is_socket():
        if process.poll() is not None:
            raise OSError
        if time.monotonic() > until:
            raise OSError(f"ssh did not log in within {timeout_s:g} s")
        time.sleep(0.01)


def _text(said: IO[bytes]) -> str:
    """Return the last lines of a log; ssh's own words have no secrets."""
    said.seek(0)
    lines = said.read(20_000).decode(errors="replace").strip().splitlines()
    return "; ".join(line.strip() for line in lines[-4:])
