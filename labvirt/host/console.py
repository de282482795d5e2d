"""Console: the serial line of a domain, to read, write and wait for text (G3.1-04, G3.1-19)."""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from typing import TYPE_CHECKING, Self

from labvirt.errors import ConnectionLostError, LabvirtError, Problem, SpecError, WaitTimeoutError
from labvirt.host.line import line_of

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    from labvirt.host.handle import DomainHandle
    from labvirt.host.line import LineState, SerialLine

__all__ = ["Console", "Transcript", "open_script"]

#: How much of what was seen is kept, bytes.
KEEP = 1 << 20


class Transcript:
    """A file that everything a line prints is added to; hears a line.

    Args:
        path: the file; made with mode 0600 where there is none.

    Raises:
        SpecError: it cannot be written.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.error = ""
        try:
            mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self.path, mode, 0o600), "ab", buffering=0)
        except OSError as error:
            why = error.strerror or str(error)
            raise SpecError(
                "a transcript of a console",
                (Problem("transcript", self.path, f"cannot be written: {why}", "another path"),),
            ) from error

    def take(self, _at: int, data: bytes) -> None:
        """Add what was printed."""
        try:
            self._file.write(data)
        except (OSError, ValueError) as error:
            # A full disk must not end the console; the view says that the file has a hole.
            self.error = self.error or str(error)

    def turn(self, state: LineState) -> None:
        """Take no notice of states."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Console:
    """An open serial console; close it, or use it in a ``with`` block.

    Args:
        line: the shared reader; given back at `close`.
        wait: outlast a line that is not open; it is attached again by itself.
        transcript: file that everything printed is added to.
    """

    def __init__(
        self, line: SerialLine, *, wait: bool = False, transcript: Transcript | None = None
    ) -> None:
        self.line, self.patient, self.written = line, wait, transcript
        self._seen = bytearray()
        self._read_to = 0
        self._fresh = threading.Condition()
        self._is_closed = False
        line.join(self)
        if transcript is not None:
            line.join(transcript)

    def __enter__(self) -> Self:
        """Return the console itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Return one line."""
        state = "closed" if self._is_closed else self.line.state.kind
        return f"<Console of {self.line.domain.name}: {state}>"

    def close(self) -> None:
        """Give the console back; calling it twice is harmless."""
        with self._fresh:
            if self._is_closed:
                return
            self._is_closed = True
            self._fresh.notify_all()
        self.line.quit(self)
        self.line.leave()
        if self.written is not None:
            self.line.quit(self.written)
            self.written.close()

    # -- what the line says ----------------------------------------------------------------------

    def take(self, _at: int, data: bytes) -> None:
        """Keep what was printed; called by the line."""
        with self._fresh:
            self._seen += data
            surplus = len(self._seen) - KEEP
            if surplus > 0:
                del self._seen[:surplus]
                self._read_to = max(0, self._read_to - surplus)
            self._fresh.notify_all()

    def turn(self, _state: LineState) -> None:
        """Wake who waits; called by the line."""
        with self._fresh:
            self._fresh.notify_all()

    # -- for scripts -----------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """Everything seen since it was opened (the last MiB), as text with its control characters."""
        with self._fresh:
            return self._seen.decode(errors="replace")

    @property
    def transcript(self) -> str:
        """The same as `text`."""
        return self.text

    def send(self, text: str) -> None:
        """Type `text`; a line must end with a line feed to be taken.

        Raises:
            ConnectionLostError: the console is closed, the guest is off, or the link is lost.
        """
        if self._is_closed or not self.line.write(text.encode()):
            raise self._ended("write to")

    def expect(self, pattern: str, *, timeout_s: float = 30.0) -> re.Match[str]:
        """Wait until text that was not yet waited for matches a regular expression.

        Raises:
            WaitTimeoutError: it did not come in time; carries the last lines seen.
            ConnectionLostError: the console has ended (not with ``wait=True``).
            SpecError: the pattern is no regular expression.
        """
        try:
            wanted = re.compile(pattern)
        except re.error as error:
            problem = Problem(
                "pattern", pattern[:80], f"is no regular expression: {error}", r"login: $"
            )
            raise SpecError("wait for a text on a console", (problem,)) from error
        deadline = time.monotonic() + timeout_s
        with self._fresh:
            while True:
                fresh = self._seen[self._read_to :].decode(errors="replace")
                found = wanted.search(fresh)
                if found is not None:
                    self._read_to += len(fresh[: found.end()].encode())
                    return found
                if self._has_ended():
                    raise self._ended("read")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._late(pattern, timeout_s)
                self._fresh.wait(min(left, 0.5))

    def wait_for(self, pattern: str, timeout_s: float = 30.0) -> re.Match[str]:
        """Wait until fresh text matches a regular expression; see `expect`."""
        return self.expect(pattern, timeout_s=timeout_s)

    def run(self, command: str, *, timeout_s: float = 30.0) -> str:
        """Run a shell command at the prompt and return what it printed.

        Raises:
            WaitTimeoutError: there is no shell, or the command takes longer.
        """
        mark = secrets.token_hex(4)
        # The quotes keep the echo of the line itself from matching.
        self.send(f"echo '{mark[:4]}''{mark[4:]}'; {command}; echo '{mark[:4]}''{mark[4:]}'\n")
        found = self.expect(f"(?s){mark}\r?\n(.*?)\r?\n?{mark}\r?\n", timeout_s=timeout_s)
        return found.group(1).replace("\r\n", "\n")

    def _has_ended(self) -> bool:
        if self._is_closed or self.line.state.kind == "closed":
            return True
        return not self.patient and self.line.state.kind not in {"open", "connecting"}

    def _ended(self, verb: str) -> LabvirtError:
        state = self.line.state
        why = "it is closed" if self._is_closed else state.kind
        said = getattr(state.error, "libvirt_text", "") or str(state.error or "")
        return ConnectionLostError(
            f"{verb} the console of {self.line.domain.name}",
            uri=self.line.domain.host.label,
            libvirt_text=f"{why}: {said}" if said else why,
            hint="open it again, or with wait=True, which attaches again by itself",
        )

    def _late(self, pattern: str, timeout_s: float) -> WaitTimeoutError:
        lines = self.text.strip().splitlines()[-3:]
        return WaitTimeoutError(
            f"{pattern!r} on the serial console of {self.line.domain.name}",
            timeout_s=timeout_s,
            last_seen=" / ".join(lines) or f"nothing at all; the line is {self.line.state.kind}",
            likely_cause="the guest does not use the serial line"
            if not lines
            else "the guest is slower than that, or says something else",
            hint="console=ttyS0 on the guest's kernel command line",
        )


def open_script(
    domain: DomainHandle,
    device: str | None = None,
    *,
    force: bool = False,
    wait: bool = False,
    transcript: str | PathLike[str] | None = None,
) -> Console:
    """Open the console of a domain; see `InsideVerbs.console`."""
    written = Transcript(transcript) if transcript is not None else None
    line = line_of(domain, device)
    try:
        state = line.wait_open()
        if force and state.kind == "taken":
            state = _taken_over(line)
    except BaseException:
        line.leave()
        raise
    if state.kind != "open" and not wait:
        line.leave()
        if written is not None:
            written.close()
        if state.error is not None:
            raise state.error
        raise WaitTimeoutError(
            f"the console of {domain.name} to open",
            timeout_s=30.0,
            likely_cause="the daemon of the host hangs",
        )
    return Console(line, wait=wait, transcript=written)


def _taken_over(line: SerialLine, timeout_s: float = 10.0) -> LineState:
    line.retry(force=True)
    deadline = time.monotonic() + timeout_s
    while line.state.kind == "taken" and time.monotonic() < deadline:
        time.sleep(0.02)
    return line.state
