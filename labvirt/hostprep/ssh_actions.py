"""The actions that make an SSH key, and that let it in on another host."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.errors import AccessDeniedError, ConflictError, HostError, UnsupportedError
from labvirt.hostprep.file_actions import ACTIONS
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.plan import Crash, JobControl

__all__ = ["AuthoriseThere", "MakeKey"]

#: Reads a line and adds it where it is missing; runs on the other host.
_SCRIPT = (
    "umask 077; mkdir -p ~/.ssh && chmod 700 ~/.ssh && touch ~/.ssh/authorized_keys && "
    "chmod 600 ~/.ssh/authorized_keys && IFS= read -r line && "
    'if grep -qxF -- "$line" ~/.ssh/authorized_keys; then echo there; '
    'else printf "%s\\n" "$line" >> ~/.ssh/authorized_keys && echo added; fi'
)
#: Reads a line and takes it out; the file stays the same one.
_TAKE_BACK = (
    'IFS= read -r line; f=~/.ssh/authorized_keys; [ -f "$f" ] || exit 0; '
    'kept=$(grep -vxF -- "$line" "$f"; echo .) && printf %s "${kept%.}" > "$f"'
)


@dataclass(frozen=True)
class MakeKey(Action[Any]):
    """Make a key pair with ssh-keygen.

    Attributes:
        path: the private key.
        type: ``ed25519`` or ``rsa``.
        bits: length of an RSA key; 0 for others.
        comment: what stands behind the public key.
    """

    kind: ClassVar[str] = "make-ssh-key"
    path: str
    type: str
    bits: int
    comment: str

    @property
    def title(self) -> str:
        return f"make {self.type} key {self.path}, mode 0600"

    @property
    def _command(self) -> list[str]:
        bits = ["-b", str(self.bits)] if self.bits else []
        return ["ssh-keygen", "-q", "-t", self.type, *bits, "-N", "", "-C", self.comment, "-f", self.path]  # fmt: skip

    @property
    def shell(self) -> tuple[str, ...]:
        return (shlex.join(self._command),)

    def check(self, host: Any) -> None:
        for path in (self.path, f"{self.path}.pub"):
            if os.path.lexists(path):
                raise ConflictError(self.title, libvirt_text=f"{path} is there and stays")

    def do(self, host: Any, control: JobControl) -> None:
        self.check(host)
        try:
            done = subprocess.run(
                self._command, capture_output=True, text=True, check=False, timeout=120,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError:
            raise UnsupportedError(
                self.title, libvirt_text="ssh-keygen is not here", hint="install openssh-client"
            ) from None
        if done.returncode:
            raise HostError(self.title, libvirt_text=done.stderr.strip()[-300:])
        for path, mode in ((self.path, 0o600), (f"{self.path}.pub", 0o644)):
            Path(path).chmod(mode)
            if os.geteuid() == 0:
                like = Path(path).parent.lstat()
                os.chown(path, like.st_uid, like.st_gid, follow_symlinks=False)

    def undo(self, host: Any, crash: Crash | None = None) -> None:
        for path in (self.path, f"{self.path}.pub"):
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()


@dataclass(frozen=True)
class AuthoriseThere(Action[Any]):
    """Add a public key on another host, over a log-in that works without a question.

    It is not undone: the key may have been there before.

    Attributes:
        line: the public key.
        words: how that host is reached.
        take_back: take it out instead.
    """

    kind: ClassVar[str] = "authorise-ssh-key"
    line: str
    words: tuple[str, ...]
    take_back: bool = False

    @property
    def title(self) -> str:
        if self.take_back:
            return f"no longer let {self.line.split()[-1]} log in to {self.words[-1]}"
        return f"let {self.line.split()[-1]} log in to {self.words[-1]}"

    @property
    def shell(self) -> tuple[str, ...]:
        key = shlex.quote(self.line)
        return (f"printf '%s\\n' {key} | {shlex.join([*self.words, self._script])}",)

    @property
    def _script(self) -> str:
        return _TAKE_BACK if self.take_back else _SCRIPT

    def _there(self, script: str) -> str:
        *head, host = self.words
        command = [*head, "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "--", host, script]
        try:
            done = subprocess.run(
                command, input=f"{self.line}\n", capture_output=True, text=True,
                errors="replace", check=False, timeout=60,
            )  # fmt: skip
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            raise HostError(self.title, libvirt_text=str(error)) from None
        if done.returncode:
            raise AccessDeniedError(
                self.title,
                libvirt_text=done.stderr.strip()[-300:] or f"exit code {done.returncode}",
                hint=f"in a terminal, once, with the password: ssh-copy-id {shlex.join(self.words[1:])}",
            )
        return done.stdout.strip()

    def do(self, host: Any, control: JobControl) -> None:
        self._there(self._script)


ACTIONS[MakeKey.kind] = MakeKey
