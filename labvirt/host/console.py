"""Console: the serial line of a domain, to read, write and wait for text (G3.1-04, G3.1-19)."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Self

from labvirt.errors import WaitTimeoutError

if TYPE_CHECKING:
    from types import TracebackType

    from labvirt.connection.console import ConsoleStream

__all__ = ["Console"]

#: How much of the transcript is kept.
KEEP = 1 << 20


class Console:
    """An open serial console; close it, or use it in a ``with`` block.

    Args:
        stream: the bytes, from `labvirt.connection`.
        name: whose console it is, for messages.
    """

    def __init__(self, stream: ConsoleStream, name: str) -> None:
        self._stream = stream
        self._name = name
        self._seen = bytearray()
        self._read_to = 0

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

    def close(self) -> None:
        """Give the console back; calling it twice is harmless."""
        self._stream.close()

    @property
    def transcript(self) -> str:
        """Everything seen so far (the last MiB), as text."""
        return self._seen.decode(errors="replace")

    def send(self, text: str) -> None:
        """Type `text`; a line must end with a line feed to be taken."""
        self._stream.write(text.encode())

    def expect(self, pattern: str, *, timeout_s: float = 30.0) -> re.Match[str]:
        """Wait until text that was not yet waited for matches a regular expression.

        Raises:
            WaitTimeoutError: it did not come in time; carries the last lines seen.
        """
        wanted = re.compile(pattern)
        deadline = time.monotonic() + timeout_s
        while True:
            fresh = self._seen[self._read_to :].decode(errors="replace")
            found = wanted.search(fresh)
            if found is not None:
                self._read_to += len(fresh[: found.end()].encode())
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                lines = self.transcript.strip().splitlines()[-3:]
                raise WaitTimeoutError(
                    f"{pattern!r} on the serial console of {self._name}",
                    timeout_s=timeout_s,
                    last_seen=" / ".join(lines) or "nothing at all",
                    likely_cause="the guest does not use the serial line"
                    if not lines
                    else "the guest is slower than that, or says something else",
                    hint="console=ttyS0 on the guest's kernel command line",
                )
            self._take(min(left, 0.5))

    def _take(self, timeout_s: float) -> None:
        data = self._stream.read(timeout_s)
        self._seen += data
        surplus = len(self._seen) - KEEP
        if surplus > 0:
            del self._seen[:surplus]
            self._read_to = max(0, self._read_to - surplus)

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
