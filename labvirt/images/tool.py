"""Runs qemu-img: progress, cancelling, time limits, secrets beside the command line, its errors."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labvirt.errors import (
    AccessDeniedError,
    CancelledError,
    ConflictError,
    HostError,
    NotFoundError,
    SpecError,
    UnsupportedError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labvirt.plan import JobControl

__all__ = ["LOCKED", "Command", "as_option", "options_text", "run", "translate"]

#: How long a short call of qemu-img may take.
SHORT_S = 60.0
#: What QEMU says when another process has the image.
LOCKED = re.compile(r"Failed to get .*lock|Is another process using the image")
#: A key of LUKS is timed when it is made, and on a busy machine the timing may fail.
_BUSY = "Unable to get accurate CPU usage"
_TRIES = 8
_PERCENT = re.compile(r"\(\s*([0-9.]+)/100%\)")

#: What qemu-img says: what it means, and what to try.
_MEANINGS: tuple[tuple[str, type[HostError | SpecError], str], ...] = (
    (LOCKED.pattern, ConflictError, "shut down what uses the image, or work on a snapshot of it"),
    (r"Invalid password|incorrect passphrase", AccessDeniedError, "another passphrase"),
    (
        (
            r"requires a 'key-secret'|No secret with id|'key-secret' (parameter )?is required"
            r"|Parameter '(encrypt\.)?key-secret' is required"
        ),
        AccessDeniedError,
        "the image is encrypted: Image(path, passphrase=...)",
    ),
    (r"Permission denied|Operation not permitted|Read-only file", AccessDeniedError, ""),
    (r"No such file or directory", NotFoundError, "qemu-img info shows what an image stands on"),
    (
        r"No space left|Disk quota|File too large",
        HostError,
        "free some space; nothing was replaced",
    ),
    (r"already exists|File exists|Can't find snapshot|is in use", ConflictError, ""),
    (
        (
            r"Unknown (file|format|protocol|driver)|[Dd]oes not support|not supported|Unsupported"
            r"|unsupported|cannot be used|Not supported|has no support"
        ),
        UnsupportedError,
        "labvirt.images.formats() tells what the installed qemu-img can do with each format",
    ),
    (r"Too many levels of symbolic links", SpecError, "the links lead in a circle"),
    (
        (
            r"nvalid (option|parameter|argument)|Invalid .* specified|Unknown option|Unknown compat|unrecognized option"
            r"|must be |is out of range|too (large|small)|Unsupported preallocation|Parameter '"
        ),
        SpecError,
        "",
    ),
)


@dataclass(frozen=True)
class Command:
    """One call of qemu-img.

    Attributes:
        asked: what is asked for, for messages: ``convert /a.raw to /b.qcow2``.
        words: sub-command and arguments, without secrets.
        secrets: passphrases by the id under which `words` name them; never shown or kept.
        alias: a passing name and the lasting one that is to stand in messages for it.
    """

    asked: str
    words: tuple[str, ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    alias: tuple[str, str] | None = None

    @property
    def shell(self) -> str:
        """The command for a shell; a passphrase is read from a file of the reader's."""
        objects = [
            word
            for name in self.secrets
            for word in ("--object", f"secret,id={name},file=PASSPHRASE-FILE")
        ]
        return shlex.join(["qemu-img", self.words[0], *objects, *self.words[1:]])


def as_option(value: object) -> str:
    """Return a value as it stands in ``-o`` and ``--image-opts``: commas doubled."""
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(int(value)) if isinstance(value, int) else str(value)
    return text.replace(",", ",,")


def options_text(options: Mapping[str, object]) -> str:
    """Return options as one argument: ``cluster_size=65536,lazy_refcounts=on``."""
    return ",".join(f"{name}={as_option(value)}" for name, value in options.items())


@contextlib.contextmanager
def _beside(secrets: Mapping[str, str]) -> Iterator[tuple[list[str], list[int]]]:
    """Give the passphrases as files in memory that only the child can reach, and that die with it."""
    words: list[str] = []
    fds: list[int] = []
    try:
        for name, secret in secrets.items():
            fd = os.memfd_create("labvirt-secret")
            fds.append(fd)
            os.write(fd, secret.encode())
            os.lseek(fd, 0, os.SEEK_SET)
            words += ["--object", f"secret,id={name},file=/proc/self/fd/{fd}"]
        yield words, fds
    finally:
        for fd in fds:
            os.close(fd)


def _leash() -> list[str]:
    """Return what makes the kernel end qemu-img when the thread that started it dies."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def run(
    command: Command,
    *,
    control: JobControl | None = None,
    timeout_s: float | None = SHORT_S,
    allowed: Sequence[int] = (0,),
) -> tuple[int, str]:
    """Run qemu-img to its end.

    Args:
        command: what to run.
        control: the job it belongs to: is told how far it is (``-p``), and may cancel it.
        timeout_s: qemu-img is ended after so many seconds; None has no limit.
        allowed: exit codes that are an answer and no failure.

    Returns:
        The exit code and what was printed.

    Raises:
        UnsupportedError: qemu-img is not installed, or cannot do this.
        CancelledError: the job was cancelled.
        WaitTimeoutError: it took too long.
        LabvirtError: what qemu-img said, as the error it means.
    """
    tool = shutil.which("qemu-img")
    if tool is None:
        raise UnsupportedError(
            command.asked,
            libvirt_text="qemu-img is not installed here",
            hint="apt-get install qemu-utils   (Debian, Ubuntu)",
        )
    for _ in range(_TRIES):
        code, printed, said, late = _once(command, tool, control, timeout_s)
        if _BUSY not in said:
            break
    if code in allowed:
        return code, printed
    if control is not None and control.cancelled:
        raise CancelledError(f"{command.asked} was cancelled")
    if late:
        raise WaitTimeoutError(
            f"qemu-img to {command.asked}",
            timeout_s=timeout_s or 0,
            likely_cause="the image is large, or the disk is slow or hangs",
            hint="a longer timeout_s",
        )
    said = said or f"it ended with code {code} and said nothing"
    if command.alias is not None:
        said = said.replace(*command.alias)
    raise translate(command.asked, said)


def _once(
    command: Command, tool: str, control: JobControl | None, timeout_s: float | None
) -> tuple[int, str, str, bool]:
    """Run it once; return its exit code, what it printed, what it said, and if it was too late."""
    late = threading.Event()
    with _beside(command.secrets) as (words, fds):
        child = subprocess.Popen(
            [*_leash(), tool, command.words[0], *words, *command.words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=fds,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )

    def expire() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(timeout_s, expire) if timeout_s is not None else None
    try:
        if timer is not None:
            timer.daemon = True
            timer.start()
        if control is not None:
            control.on_cancel(child.kill)
        printed, said = _followed(child, control, command.asked)
    except BaseException:
        child.kill()
        child.wait()
        raise
    finally:
        if timer is not None:
            timer.cancel()
        if control is not None:
            control.on_cancel(None)
    return child.returncode, printed, said, late.is_set()


def _followed(
    child: subprocess.Popen[bytes], control: JobControl | None, stage: str
) -> tuple[str, str]:
    """Read both pipes to their end; tell the job how far it is."""
    said = bytearray()
    assert child.stdout is not None
    assert child.stderr is not None
    errors = child.stderr

    def listen() -> None:
        for line in errors:
            said.extend(line)

    reader = threading.Thread(target=listen, daemon=True)
    reader.start()
    printed = bytearray()
    with child.stdout as output:
        while piece := os.read(output.fileno(), 65536):
            printed += piece
            if control is None:
                continue
            found = _PERCENT.findall(piece.decode(errors="replace"))
            if found:
                control.report(stage, fraction=min(float(found[-1]) / 100, 1.0))
    child.wait()
    reader.join()
    errors.close()
    return printed.decode(errors="replace"), said.decode(errors="replace")


def translate(asked: str, said: str) -> HostError | SpecError:
    """Return the error that qemu-img's words mean.

    Args:
        asked: what was asked for.
        said: what qemu-img wrote to its standard error.
    """
    lines = [line.removeprefix("qemu-img: ").strip() for line in said.splitlines()]
    lines = [line for line in lines if line and not line.startswith("Try 'qemu-img")]
    text = "; ".join(dict.fromkeys(lines))[:600] or "nothing"
    for pattern, kind, hint in _MEANINGS:
        if re.search(pattern, text):
            if issubclass(kind, SpecError):
                return SpecError(f"{asked} failed: qemu-img said: {text}", hint=hint)
            return kind(asked, libvirt_text=f"qemu-img said: {text}", hint=hint)
    return HostError(asked, libvirt_text=f"qemu-img said: {text}")
