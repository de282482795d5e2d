"""The handle of a run that goes on in a process of its own."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt import errors
from labvirt.errors import LabvirtError, RunError, SpecError, WaitTimeoutError
from labvirt.runbook.records import RunRecord
from labvirt.runbook.server import RunServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.runbook.events import Event
    from labvirt.runbook.request import Request
    from labvirt.runbook.server import Forked

__all__ = ["Asked", "Run", "start", "worker"]

_END_S: Final = 60.0
_alive: weakref.WeakSet[Run] = weakref.WeakSet()


class Asked:
    """A request that was checked, and the secrets that go with it.

    Attributes:
        request: what is asked for; holds no secret.
        environment: secrets for the kernel's environment.
    """

    def __init__(self, request: Request, environment: Mapping[str, str] | None = None) -> None:
        self.request = request
        self.environment = dict(environment or {})

    def to_json(self) -> str:
        """Return the first line that a worker reads."""
        request = json.loads(self.request.to_json())
        return json.dumps({"request": request, "environment": self.environment})


class Run:
    """A run that goes on in a process of its own.

    Attributes:
        id: number of the run.
        folder: where its record is.
        events: what it told so far, outputs left out.
    """

    def __init__(
        self,
        asked: Asked,
        process: subprocess.Popen[str] | Forked,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.id, self.folder = asked.request.id, Path(asked.request.folder)
        self.events: list[Event] = []
        self._process = process
        self._on_event = on_event
        self._over = threading.Event()
        self._then: list[Callable[[], None]] = []
        self._record: RunRecord | None = None
        self._error: LabvirtError | None = None
        _alive.add(self)
        self._say(asked.to_json())
        self._listener = threading.Thread(
            target=self._listen, name=f"labvirt run {self.id}", daemon=True
        )
        self._listener.start()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(json.JSONDecodeError):
                self._take(json.loads(line))
        self._process.wait()
        self._shut()
        if not self._over.is_set():
            self._error = self._error or self._died()
            self._ended()

    def _take(self, event: Event) -> None:
        kind = event.get("kind")
        if kind == "ready":
            return
        if kind == "refused":
            self._error = _as_raised(event["error"])
            return
        self.events.append(event)
        if self._on_event is not None:
            # A listener that fails must not end the run.
            with contextlib.suppress(Exception):
                self._on_event(event)
        if kind == "run-end":
            self._record = RunRecord.from_dict(event["record"])
            self._ended()

    def _ended(self) -> None:
        self._over.set()
        for then in self._then:
            then()

    def on_over(self, then: Callable[[], None]) -> None:
        """Have something done when the run is over, on a thread of the run."""
        self._then.append(then)
        if self.is_over:
            then()

    def _died(self) -> LabvirtError:
        from labvirt.runbook.ledger import Ledger

        code = self._process.returncode
        with contextlib.suppress(LabvirtError):
            self._record = Ledger().get(self.id)
        return RunError(
            f"the process of run {self.id} ended with {code} before the run did",
            record=self.folder if self.folder.exists() else None,
            code=138,
            hint=f"labvirt runs show {self.id}; labvirt runs resume {self.id}",
        )

    @property
    def pid(self) -> int:
        """Process of the run."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """True when it has ended."""
        return self._over.is_set()

    def cancel(self) -> None:
        """Stop it: the cell is interrupted, what was done is undone; a second call gives up."""
        self._say("cancel")

    def result(self, timeout_s: float | None = None) -> RunRecord:
        """Wait for the end and return the record. ``Ctrl-C`` cancels the run and waits for it.

        Raises:
            WaitTimeoutError: it has not ended in time; it goes on.
            SpecError, RunError: it could not be begun, or its process died.
        """
        try:
            ended = self._over.wait(timeout_s)
        except KeyboardInterrupt:
            self.cancel()
            self._over.wait(_END_S)
            raise
        if not ended:
            raise WaitTimeoutError(
                f"run {self.id} to end",
                timeout_s=timeout_s or 0,
                last_seen=self.events[-1]["kind"] if self.events else "it has not begun",
            )
        if self._record is not None and (self._error is None or self._record.outcome == "died"):
            return self._record
        raise self._error or RunError(f"run {self.id} left no record")

    def close(self, timeout_s: float = _END_S) -> None:
        """Cancel it when it still runs, and wait until its process is gone."""
        if self._process.poll() is None:
            if not self.is_over:
                self.cancel()
            with contextlib.suppress(OSError, ValueError):
                if self._process.stdin is not None:
                    self._process.stdin.close()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGKILL)
                self._process.wait(5)
        self._listener.join(5)

    def _shut(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()


def _as_raised(told: Mapping[str, Any]) -> LabvirtError:
    """Return the error of a worker as if it had been raised here."""
    if told.get("type") == "SpecError":
        return SpecError(told["what"], hint=told["hint"])
    kind = getattr(errors, str(told.get("type")), RunError)
    if kind is RunError:
        return RunError(told["what"], code=told["code"], hint=told["hint"])
    made = LabvirtError(told["what"], hint=told["hint"])
    made.exit_code = told["code"]
    return made


@atexit.register
def _end_all() -> None:
    """Let no run outlive the program that asked for it."""
    for one in list(_alive):
        one.close(timeout_s=10)
    _shared.close()


def worker() -> subprocess.Popen[str]:
    """Start the process of a run."""
    return subprocess.Popen(
        [sys.executable, "-m", "labvirt.runbook.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def start(asked: Asked, *, on_event: Callable[[Event], None] | None = None) -> Run:
    """Begin a run that was asked for and return its handle.

    The first run of a program takes a second process with it, from which the later ones are forked.
    """
    return Run(asked, _shared.worker(), on_event)


class _SharedServer:
    """The server of runs of this program: started with the first run, ended with the program."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: RunServer | None = None
        self._owner = 0

    def worker(self) -> subprocess.Popen[str] | Forked:
        """Return a process for a run: forked if that can be, else started."""
        with self._lock:
            try:
                if self._server is None or self._owner != os.getpid():
                    self._server, self._owner = RunServer(), os.getpid()
                return self._server.worker()
            except OSError:
                self._server = None
                return worker()

    def close(self) -> None:
        """End the server, if it is ours."""
        with self._lock:
            if self._server is not None and self._owner == os.getpid():
                self._server.close()
            self._server = None


_shared = _SharedServer()
