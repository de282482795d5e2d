"""SSH: keys, who may log in, known hosts, client settings; never a password prompt (guide 13.1).

Everything is a plan on this machine's files and leaves alone what is right already. Nothing is
asked at a terminal: where only a password would help, it is said which command a person runs.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    ConnectionLostError,
    NotFoundError,
    Problem,
    SpecError,
    UnsupportedError,
)
from labvirt.hostprep import preparing
from labvirt.hostprep.file_actions import ChangeText, RemoveFile
from labvirt.hostprep.files import mode_of, read_text
from labvirt.hostprep.ssh_actions import AuthoriseThere, MakeKey
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from labvirt.plan import Action

__all__ = ["HostKey", "KeyPair", "SshFolder", "agent_keys", "scan"]

_PUBLIC = re.compile(
    r"(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-[\w@.-]+) [A-Za-z0-9+/=]+( [^\n]*)?"
)
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LEAST_RSA = 3072


@dataclass(frozen=True)
class KeyPair:
    """A key pair; of the private half only the path is known here.

    Attributes:
        path: the private key.
        public: the public half, one line.
    """

    path: Path
    public: str

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint, as ``ssh-keygen -l`` shows it."""
        return _fingerprint(self.public.split()[1])


@dataclass(frozen=True)
class HostKey:
    """What a host says is its key.

    Attributes:
        host: the name as known_hosts has it: ``kvm7``, ``[kvm7]:2222``.
        kind: ``ssh-ed25519`` ...
        key: the key in base64.
    """

    host: str
    kind: str
    key: str

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint to compare with the one that the host's administrator tells."""
        return _fingerprint(self.key)

    @property
    def line(self) -> str:
        """Return the line of known_hosts."""
        return f"{self.host} {self.kind} {self.key}"


def _fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _name_in_file(host: str, port: int) -> str:
    return host if port == 22 else f"[{host}]:{port}"


def scan(host: str, port: int = 22, *, timeout_s: float = 5.0) -> tuple[HostKey, ...]:
    """Ask a host for its keys. Who answers is not proved: compare the fingerprint first.

    Raises:
        ConnectionLostError: nobody answers there.
        UnsupportedError: ssh-keyscan is not on this machine.
    """
    _check_host(host, port)
    command = ["ssh-keyscan", "-T", f"{max(1, round(timeout_s))}", "-p", str(port), "--", host]
    done = _run(command, timeout_s=timeout_s + 10)
    name = _name_in_file(host, port)
    found = [line.split() for line in done.stdout.splitlines() if not line.startswith("#")]
    if not found:
        said = done.stderr.strip().splitlines()[-1:] or ["no answer"]
        asked = f"ask {name} for its host keys"
        raise ConnectionLostError(asked, libvirt_text=said[0], hint="is sshd running there?")
    return tuple(sorted({HostKey(name, kind, key) for _, kind, key in found}, key=lambda k: k.kind))


def agent_keys() -> tuple[str, ...] | None:
    """Return fingerprints of the keys that ssh-agent holds; None when no agent answers."""
    if not os.environ.get("SSH_AUTH_SOCK"):
        return None
    done = _run(["ssh-add", "-l"])
    if done.returncode == 2:
        return None
    return tuple(line.split()[1] for line in done.stdout.splitlines() if "SHA256:" in line)


def _run(command: list[str], *, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False,
            timeout=timeout_s, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise UnsupportedError(
            f"run {command[0]}", libvirt_text="it is not here", hint="install openssh-client"
        ) from None
    except subprocess.TimeoutExpired:
        raise ConnectionLostError(
            f"run {command[0]}", libvirt_text=f"no answer in {timeout_s:g} s"
        ) from None


def _check_host(host: str, port: int) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]{0,252}", host):
        raise SpecError(f"{host!r} is no host name")
    if not 1 <= port <= 65535:
        raise SpecError(f"port {port} is out of range", hint="1 to 65535")


class SshFolder:
    """The folder ``.ssh`` of a user.

    Args:
        folder: where it is; None: that of this user.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        chosen = Path(folder) if folder is not None else Path.home() / ".ssh"
        self.folder = chosen.expanduser().absolute()

    def __repr__(self) -> str:
        """Return one line."""
        return f"<SshFolder {self.folder}>"

    @property
    def keys(self) -> tuple[KeyPair, ...]:
        """Return the key pairs that are here."""
        found = []
        for public in sorted(self.folder.glob("*.pub")):
            line = read_text(public).strip()
            if public.with_suffix("").exists() and _PUBLIC.fullmatch(line):
                found.append(KeyPair(public.with_suffix(""), line))
        return tuple(found)

    def knows(self, host: str, port: int = 22) -> bool:
        """Whether known_hosts has a key of a host, also under a hashed name."""
        _check_host(host, port)
        path = self.folder / "known_hosts"
        if not path.exists():
            return False
        return not _run(["ssh-keygen", "-F", _name_in_file(host, port), "-f", str(path)]).returncode

    @verb
    def ensure_key(
        self,
        kind: Literal["ed25519", "rsa"] = "ed25519",
        *,
        bits: int = 4096,
        name: str = "",
        comment: str = "labvirt",
    ) -> Plan[KeyPair]:
        """Make a key pair, unless there is one: that is never overwritten (G13.1-03).

        It has no passphrase. ``ssh-keygen -p -f KEY`` in a terminal gives it one; ssh-agent then
        keeps it open, so that nothing asks in a notebook (`agent_keys`).

        Args:
            kind: ``ed25519`` or ``rsa``.
            bits: length of an RSA key, at least 3072.
            name: file name; empty: ``id_ed25519``, ``id_rsa``.
            comment: what stands behind the public key.

        Raises:
            SpecError: a value cannot be right.
            ConflictError: only one half is there.
        """
        name = name or f"id_{kind}"
        problems = []
        if kind not in {"ed25519", "rsa"}:
            problems.append(Problem("kind", kind, "is not offered", "ed25519 or rsa"))
        if kind == "rsa" and not _LEAST_RSA <= bits <= 16384:
            problems.append(Problem("bits", str(bits), "is out of range", "3072 to 16384"))
        if not _FILE.fullmatch(name) or name.endswith(".pub"):
            problems.append(Problem("name", name, "cannot be the name of a key"))
        if not comment.isprintable():
            problems.append(Problem("comment", "", "must be one line"))
        if problems:
            raise SpecError("make an SSH key", problems)
        path = self.folder / name
        public = path.with_name(f"{name}.pub")
        actions: list[Action[Any]] = [*preparing.folder(self.folder, 0o700, exact=True)]
        if path.exists() != public.exists():
            there, gone = (path, public) if path.exists() else (public, path)
            raise ConflictError(
                f"make key {path}", libvirt_text=f"{there.name} is there and {gone.name} is not",
                hint=f"ssh-keygen -y -f {path} > {public}, or choose another name",
            )  # fmt: skip
        if path.exists():
            actions += [*preparing.mode(path, 0o600), *preparing.mode(public, 0o644)]
        else:
            actions.append(MakeKey(str(path), kind, bits if kind == "rsa" else 0, comment))
        return preparing.preparation(
            f"make key {path}", actions, lambda: KeyPair(path, read_text(public).strip())
        )

    @verb
    def authorise(self, public: str | KeyPair) -> Plan[Path]:
        """Let the owner of a public key log in as the user of this folder (G13.1-04, E-66).

        The folder gets mode 0700, ``authorized_keys`` 0600; a key that is there is not added again.

        Raises:
            SpecError: it is no public key.
        """
        line = _public(public)
        path = self.folder / "authorized_keys"
        known = {tuple(each.split()[:2]) for each in read_text(path).splitlines()}
        wanted = [] if tuple(line.split()[:2]) in known else [line]
        actions = [
            *preparing.folder(self.folder, 0o700, exact=True),
            *preparing.lines(path, wanted, 0o600),
        ]
        return preparing.preparation(f"let {line.split()[-1]} log in", actions, lambda: path)

    @verb
    def withdraw(self, public: str | KeyPair) -> Plan[Path]:
        """No longer let the owner of a public key log in; other lines stay as they are.

        Raises:
            SpecError: it is no public key.
        """
        body = _public(public).split()[1]
        path = self.folder / "authorized_keys"
        old = read_text(path)
        kept = "".join(line for line in old.splitlines(keepends=True) if body not in line.split())
        actions = [ChangeText(str(path), old, kept, mode_of(path) or 0o600)] if kept != old else []
        return preparing.preparation("withdraw a key", actions, lambda: path)

    @verb
    def authorise_there(self, public: str | KeyPair, words: tuple[str, ...]) -> Plan[None]:
        """Let the owner of a public key log in to another host, over an SSH log-in that works.

        Args:
            public: the key.
            words: how the host is reached: ``("ssh", "-p", "22", "-l", "root", "kvm7")``.

        Raises:
            SpecError: it is no public key.
            AccessDeniedError: no key lets us in yet; says what a person runs once in a terminal.
        """
        line = _public(public)
        return preparing.preparation(
            f"let {line.split()[-1]} log in to {words[-1]}",
            [AuthoriseThere(line, tuple(words))],
            lambda: None,
        )

    @verb
    def withdraw_there(self, public: str | KeyPair, words: tuple[str, ...]) -> Plan[None]:
        """Take a public key out on another host, over an SSH log-in that works.

        Raises:
            SpecError: it is no public key.
            AccessDeniedError: no key lets us in.
        """
        line = _public(public)
        return preparing.preparation(
            f"no longer let {line.split()[-1]} log in to {words[-1]}",
            [AuthoriseThere(line, tuple(words), take_back=True)],
            lambda: None,
        )

    @verb
    def trust(self, host: str, port: int = 22, *, fingerprint: str) -> Plan[HostKey]:
        """Take a host's key into known_hosts, if its fingerprint is the expected one.

        Args:
            host: name as in the URI.
            port: its port.
            fingerprint: ``SHA256:...``, told by who runs the host: there,
                ``ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub``.

        Raises:
            ConnectionLostError: nobody answers there.
            AccessDeniedError: the host shows another key.
        """
        shown = scan(host, port)
        found = next((key for key in shown if key.fingerprint == fingerprint), None)
        if found is None:
            seen = ", ".join(f"{key.kind} {key.fingerprint}" for key in shown)
            raise AccessDeniedError(
                f"trust {host}", libvirt_text=f"it shows other keys: {seen}",
                hint="somebody may stand in between: ask who runs the host",
            )  # fmt: skip
        actions = [
            *preparing.folder(self.folder, 0o700, exact=True),
            *preparing.lines(self.folder / "known_hosts", [found.line], 0o600),
        ]
        return preparing.preparation(f"trust {host} with {fingerprint}", actions, lambda: found)

    @verb
    def forget(self, key: HostKey) -> Plan[None]:
        """Take a key out of known_hosts."""
        path = self.folder / "known_hosts"
        old = read_text(path)
        kept = "".join(each for each in old.splitlines(True) if each.rstrip("\n") != key.line)  # noqa: FBT003
        actions = [ChangeText(str(path), old, kept, mode_of(path) or 0o600)] if kept != old else []
        return preparing.preparation(f"forget the key of {key.host}", actions, lambda: None)

    @verb
    def remove_key(self, pair: KeyPair) -> Plan[None]:
        """Remove a key pair of this folder; hosts that trust it go on to do so.

        Raises:
            NotFoundError: it is not in this folder.
        """
        if pair.path.parent != self.folder:
            raise NotFoundError(f"remove {pair.path}", libvirt_text=f"it is not in {self.folder}")
        files = (
            (pair.path, "private key"),
            (pair.path.with_name(f"{pair.path.name}.pub"), "public key"),
        )
        actions = [RemoveFile(str(path), what) for path, what in files if path.exists()]
        return preparing.preparation(f"remove key {pair.path}", actions, lambda: None)

    def problems(self) -> tuple[Problem, ...]:
        """Return what sshd or ssh would refuse here: modes that let others in."""
        found = []
        wanted = {self.folder: 0o700, self.folder / "authorized_keys": 0o600}
        wanted |= {pair.path: 0o600 for pair in self.keys}
        for path, bits in wanted.items():
            now = mode_of(path)
            if now is not None and now & ~bits & 0o077:
                why = "others can get at it"
                found.append(
                    Problem(
                        str(path), f"{now:04o}", why, f"chmod {bits:04o} {shlex.quote(str(path))}"
                    )
                )
        return tuple(found)


def _public(public: str | KeyPair) -> str:
    line = (public.public if isinstance(public, KeyPair) else public).strip()
    if "PRIVATE KEY" in line:
        raise SpecError("that is a private key", hint="give the line of the file .pub")
    if not _PUBLIC.fullmatch(line):
        raise SpecError(
            "that is no public key of SSH", hint="one line: ssh-ed25519 AAAA... comment"
        )
    try:
        base64.b64decode(line.split()[1], validate=True)
    except ValueError:
        raise SpecError("the public key is torn", hint="copy the whole line") from None
    return line
