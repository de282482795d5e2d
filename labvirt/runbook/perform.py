"""Performing a request: one run from its first event to its report, in this process."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import RunError
from labvirt.runbook.events import EventLog
from labvirt.runbook.kernel import Kernel
from labvirt.runbook.ledger import Ledger
from labvirt.runbook.report import write_html
from labvirt.runbook.request import prepare
from labvirt.runbook.runner import Runner
from labvirt.runbook.secrets import Redactor, fetch_all, find_leaks
from labvirt.runbook.state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.runbook.events import Event
    from labvirt.runbook.records import RunRecord
    from labvirt.runbook.request import Prepared, Request

__all__ = ["Performance"]

_log = logging.getLogger("labvirt")
_FILES: Final = ("run.json", "events.jsonl")


class _Plain:
    """The masker of a run without secrets."""

    def text(self, text: str, /) -> str:
        return text

    def deep(self, value: Any, /) -> Any:
        return value

    def stream(self) -> _Plain:
        return self

    def feed(self, text: str) -> str:
        return text

    def flush(self) -> str:
        return ""


class Performance:
    """One run in this process. Its loop must be that of the thread that calls `perform`.

    Args:
        request: what is asked for.
        environment: secrets for the kernel's environment; they are written nowhere.
        listeners: called with each event as it happens.
        kernel: a kernel that was begun before; a new one when None. It is ended here.
    """

    def __init__(
        self,
        request: Request,
        *,
        environment: Mapping[str, str] | None = None,
        listeners: tuple[Callable[[Event], None], ...] = (),
        kernel: Kernel | None = None,
    ) -> None:
        self.request = request
        self._environment = dict(environment or {})
        self._listeners = listeners
        self._kernel = kernel
        self._runner: Runner | None = None
        self._cancelled = False
        self._is_over = False

    def cancel(self) -> None:
        """Stop the run; what it did is undone. To be called on the loop's thread."""
        self._cancelled = True
        if self._runner is not None and not self._is_over:
            self._runner.cancel()

    async def perform(self) -> RunRecord:
        """Run, and return the record; it is in the run's folder and in the ledger.

        Raises:
            SpecError: the parameters or tags do not fit; nothing was run.
            RunError: no such book, no kernel, or the record cannot be written.
        """
        folder = -1
        try:
            prepared = prepare(self.request, self._environment)
            secrets = self._secrets(prepared)
            folder = _open_folder(Path(self.request.folder))
            return await self._recorded(prepared, secrets)
        finally:
            if folder >= 0:
                os.close(folder)
            if self._kernel is not None:
                await self._kernel.kill()

    def _secrets(self, prepared: Prepared) -> dict[str, str]:
        """Return the values of the secret parameters, to be kept out of everything."""
        known = {**os.environ, **prepared.settled.environment, **self._environment}
        return fetch_all(prepared.settled.secrets, known)

    async def _recorded(self, prepared: Prepared, secrets: dict[str, str]) -> RunRecord:
        folder = prepared.record.folder
        masker: Any = Redactor(secrets) if secrets else _Plain()
        log = self._begin_files(folder)
        state = RunState(prepared.record, prepared.notebook, prepared.outline, log, Ledger())
        runner = Runner(
            state,
            prepared.outline,
            await self._kernel_of(prepared.notebook),
            masker,
            Path(self.request.cwd),
            self._kernel_environment(prepared),
            self.request.timeout_s,
            frozenset(self.request.kept),
        )
        self._runner = runner
        try:
            state.begin()
            if self._cancelled:
                runner.cancel()
            try:
                if self.request.action == "undo":
                    outcome, error = await runner.undo(self.request.kept)
                else:
                    outcome, error = await runner.run()
            except RunError as failed:
                # No kernel, or a disk that is full: the record says so as far as it still can.
                outcome, error = "failed", failed.what
            try:
                record = self._finished(state, state.end(outcome, error), secrets)
            except OSError as full:
                raise RunError(f"the record cannot be written: {full.strerror}") from full
            finally:
                state.publish()
        finally:
            log.close()
            # What ends the kernel from now on is its own end, which nothing may interrupt.
            self._is_over = True
            # Only now: nobody who waits for the record waits for this.
            await runner.kernel.stop()
        return record

    async def _kernel_of(self, notebook: Any) -> Kernel:
        """Return the kernel that was given, if it is what the book asks for."""
        name = str(notebook.metadata.get("kernelspec", {}).get("name", "python3"))
        if self._kernel is not None and self._kernel.name == name:
            return self._kernel
        return Kernel(name)

    def _begin_files(self, folder: Path) -> EventLog:
        """Begin the record, or leave nothing of it.

        Raises:
            RunError: it cannot be written (a full disk).
        """
        request, events = folder / "request.json", folder / "events.jsonl"
        try:
            request.write_text(self.request.to_json() + "\n")
            return EventLog(events, *self._listeners)
        except OSError as error:
            with contextlib.suppress(OSError):
                request.unlink(missing_ok=True)
                events.unlink(missing_ok=True)
                folder.rmdir()
            raise RunError(
                f"the record cannot be begun in {folder}: {error.strerror}",
                hint="make room on the disk, or choose another: --folder, LABVIRT_HOME",
            ) from error

    def _kernel_environment(self, prepared: Prepared) -> dict[str, str]:
        return {
            **prepared.settled.environment,
            **self._environment,
            "LABVIRT_RUN_ID": self.request.root or self.request.id,
            "LABVIRT_RUN_FOLDER": self.request.folder,
            "LABVIRT_MODE": "static",
            "LABVIRT_DONE_STEPS": " ".join(self.request.kept),
        }

    def _finished(self, state: RunState, record: RunRecord, secrets: dict[str, str]) -> RunRecord:
        """Write report and summary, and look whether a secret got through."""
        if self.request.html:
            try:
                write_html(
                    state.notebook,
                    record.html,
                    record.title,
                    record=record.to_dict(),
                    book_folder=Path(record.book_path).parent,
                )
            except (OSError, ValueError) as error:
                _log.warning("the report %s cannot be written: %s", record.html, error)
        record = replace(record, artefacts=_artefacts(record.folder))
        state.record = record
        state.save()
        if secrets:
            leaks = find_leaks(secrets, [record.folder])
            if leaks:
                where = ", ".join(sorted({Path(leak.path).name for leak in leaks}))
                words = f"a secret got into the record: {where}"
                state.record = replace(record, artefacts=record.artefacts)
                record = replace(state.end("failed", words), artefacts=record.artefacts)
                state.record = record
        (record.folder / "run.json").write_text(record.to_json() + "\n")
        return record


def _artefacts(folder: Path) -> tuple[str, ...]:
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    return tuple(sorted(found | set(_FILES)))


def _open_folder(folder: Path) -> int:
    """Make the run's folder and hold it, so that no other run writes there.

    Raises:
        RunError: it cannot be made, another run is in it, or the record of one (code 2).
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise RunError(
            f"the folder {folder} for the record cannot be made: {error.strerror}",
            code=2,
            hint="another folder: --folder, or LABVIRT_HOME",
        ) from error
    why = ""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (folder / "events.jsonl").exists():
            why = f"{folder} has the record of a run already; it is not written over"
    except BlockingIOError:
        why = f"another run writes its record to {folder}"
    if why:
        os.close(handle)
        raise RunError(why, code=2, hint="another folder")
    return handle
