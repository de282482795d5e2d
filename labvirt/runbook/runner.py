"""The runner: takes the cells of a book through a kernel, step by step, to whatever end."""

from __future__ import annotations

import asyncio
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import RunError
from labvirt.runbook.client import Masker, RunClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from labvirt.runbook.kernel import Kernel
    from labvirt.runbook.outline import Block, CellPlan, Outline
    from labvirt.runbook.state import RunState

__all__ = ["CellFailedError", "Runner"]

#: Exceptions inside a book that mean more than "failed".
_BY_NAME: Final = {
    "SpecError": "refused",
    "PreconditionError": "precondition",
    "CancelledError": "cancelled",
}
_GRACE_S: Final = 10.0
_UNDOABLE: Final = ("ok", "kept", "failed", "cancelled", "running")


class CellFailedError(Exception):
    """A cell did not do what it should.

    Attributes:
        outcome: what that makes of the run.
    """

    def __init__(self, outcome: str, error: str) -> None:
        super().__init__(error)
        self.outcome = outcome


@dataclass
class Runner:
    """Executes one run.

    Attributes:
        state: record, notebook and files.
        outline: what is to be done.
        kernel: a kernel, started or not.
        masker: takes secrets out of everything that comes back.
        cwd: working folder of the kernel.
        environment: what the kernel gets in addition.
        timeout_s: limit of a cell that sets none.
        kept: steps that an earlier run has done.
    """

    state: RunState
    outline: Outline
    kernel: Kernel
    masker: Masker
    cwd: Path
    environment: Mapping[str, str]
    timeout_s: float
    kept: frozenset[str] = frozenset()
    cancelled: bool = False
    _client: RunClient | None = None
    _task: asyncio.Task[Any] | None = None
    _cell: CellPlan | None = None
    _done_always: bool = field(default=False)

    async def run(self) -> tuple[str, str]:
        """Run the book and return the outcome and the last line of what went wrong.

        The kernel goes on: whoever gave it ends it.
        """
        await self._connect()
        outcome, error = await self._guarded(self._flow())
        if self.cancelled:
            outcome, error = "cancelled", error or "somebody cancelled it"
            await self._guarded(self._undo())
        await self._guarded(self._always())
        return outcome, error

    async def undo(self, steps: Iterable[str]) -> tuple[str, str]:
        """Undo steps of an earlier run, last first, in a kernel that knows parameters and glue."""
        outcome, error = await self._guarded(self._undo(tuple(steps)))
        await self._guarded(self._always())
        return outcome, error

    def cancel(self) -> None:
        """Stop: the cell is interrupted, what was done is undone. A second call gives up at once."""
        if self.cancelled:
            if self._task is not None:
                self._task.cancel()
            return
        self.cancelled = True
        self.state.log.write("note", text="cancelling")
        self._interrupting = asyncio.ensure_future(self._interrupt())

    async def _interrupt(self) -> None:
        """Interrupt the cell; end the kernel when it does not obey."""
        cell = self._cell
        await self.kernel.interrupt()
        for _ in range(int(_GRACE_S * 20)):
            await asyncio.sleep(0.05)
            if self._cell is not cell or self._cell is None:
                return
        manager = self.kernel.manager
        if manager is not None and self._cell is cell:
            self.state.log.write("note", text=f"the kernel did not obey for {_GRACE_S:g} s")
            await manager.shutdown_kernel(now=True)

    # -- parts of a run ---------------------------------------------------------------------

    async def _connect(self) -> None:
        await self.kernel.start()
        self.state.log.write("kernel", pid=self.kernel.pid)
        await self.kernel.arrange(self.cwd, self.environment)
        if self._client is None:
            self._client = RunClient(
                self.state.notebook,
                log=self.state.log,
                masker=self.masker,
                folder=self.state.record.folder,
                on_step=self.state.told,
            )
        self._client.km, self._client.kc = self.kernel.manager, self.kernel.client

    async def _guarded(self, work: Any) -> tuple[str, str]:
        self._task = asyncio.ensure_future(work)
        try:
            await self._task
        except CellFailedError as failed:
            return failed.outcome, str(failed)
        except RunError as failed:
            # The record cannot be written: what has to be cleaned up is cleaned up all the same.
            return "failed", failed.what
        except asyncio.CancelledError:
            return "cancelled", "somebody cancelled it twice: it was not waited for"
        finally:
            self._task = None
        return "ok", ""

    async def _flow(self) -> None:
        kept = self.kept
        for block in self.outline.blocks:
            if self.cancelled:
                raise CellFailedError("cancelled", "somebody cancelled it")
            if block.step is None:
                await self._cells(block.cells)
            elif block.step in kept:
                if not await self._prove(block):
                    # From here on nothing is taken for granted.
                    kept = frozenset()
                    await self._do(block)
            else:
                await self._do(block)

    async def _do(self, block: Block) -> None:
        """Run the cells of a step, its checks among them."""
        step = str(block.step)
        self.state.verdict(step, "running")
        try:
            for cell in block.cells:
                if cell.role == "check" and self.outline.of(step, "remediate"):
                    await self._check_or_mend(step, cell)
                else:
                    await self._run(cell)
        except CellFailedError as failed:
            verdict = "cancelled" if self.cancelled else "failed"
            self.state.verdict(step, verdict, str(failed))
            raise
        self.state.verdict(step, "ok")

    async def _check_or_mend(self, step: str, check: CellPlan) -> None:
        try:
            await self._run(check)
        except CellFailedError as failed:
            if failed.outcome == "died" or self.cancelled:
                raise
            self.state.log.write("note", text=f"the check of {step} failed: {failed}; mending it")
            await self._cells(self.outline.of(step, "remediate"))
            await self._run(check)

    async def _prove(self, block: Block) -> bool:
        """Run glue and checks of a step that an earlier run has done; False when it is not so."""
        step = str(block.step)
        self.state.verdict(step, "running")
        try:
            for cell in block.cells:
                if cell.role == "step":
                    self.state.cell_verdict(cell.index, "kept", 0.0)
                else:
                    await self._run(cell)
        except CellFailedError as failed:
            if failed.outcome == "died" or self.cancelled:
                self.state.verdict(step, "cancelled" if self.cancelled else "failed", str(failed))
                raise
            self.state.log.write("note", text=f"step {step} is not as it was left: {failed}")
            return False
        self.state.verdict(step, "kept")
        return True

    async def _undo(self, steps: tuple[str, ...] | None = None) -> None:
        """Run the undo cells of what was begun, last step first; go on when one fails."""
        begun = (
            steps
            if steps is not None
            else tuple(step.id for step in self.state.record.steps if step.verdict in _UNDOABLE)
        )
        todo = [step for step in reversed(begun) if self.outline.of(step, "undo")]
        if not todo:
            return
        if steps is not None or not await self.kernel.calm(_GRACE_S):
            await self._fresh()
        failures = []
        for step in todo:
            try:
                await self._cells(self.outline.of(step, "undo"))
            except CellFailedError as failed:
                failures.append(f"{step}: {failed}")
                if failed.outcome == "died":
                    await self._fresh()
            else:
                self.state.verdict(step, "undone")
        if failures:
            raise CellFailedError("failed", "could not be undone: " + "; ".join(failures))

    async def _fresh(self) -> None:
        """Take a new kernel as far as undo and clean-up need it: parameters and glue."""
        await self.kernel.kill()
        await self._connect()
        for block in self.outline.blocks:
            if block.step is None:
                try:
                    await self._cells(block.cells)
                except CellFailedError as failed:
                    self.state.log.write("note", text=f"preparing to undo: {failed}")
                    if failed.outcome == "died":
                        raise

    async def _always(self) -> None:
        """Run the clean-up cells, each of them, if there is a kernel to run them in."""
        if self._done_always or not self.outline.of(None, "always"):
            return
        self._done_always = True
        if not await self.kernel.calm(_GRACE_S):
            return
        for cell in self.outline.of(None, "always"):
            try:
                await self._run(cell)
            except CellFailedError as failed:
                self.state.log.write("note", text=f"cleaning up: {failed}")

    # -- cells ------------------------------------------------------------------------------

    async def _cells(self, cells: Iterable[CellPlan]) -> None:
        for cell in cells:
            await self._run(cell)

    async def _run(self, cell: CellPlan) -> None:
        assert self._client is not None
        if not cell.source.strip():
            return
        began = time.monotonic()
        self._cell = cell
        self.state.log.write("cell-begin", cell=cell.index, role=cell.role, step=cell.step)
        verdict = "failed"
        try:
            limit = cell.timeout_s or self.timeout_s
            await self._client.run_cell(cell.index, limit_s=limit, secret=cell.secret)
            verdict = "ok"
        except Exception as error:  # noqa: BLE001 - told apart in `_failure`
            failed = await self._failure(error, cell)
            verdict = "cancelled" if self.cancelled else "failed"
            raise failed from None
        finally:
            self._cell = None
            self.state.cell_verdict(cell.index, verdict, time.monotonic() - began)

    async def _failure(self, error: Exception, cell: CellPlan) -> CellFailedError:
        """Say what an error of the client means."""
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

        if isinstance(error, CellExecutionError):
            text = self.masker.text(f"{error.ename}: {error.evalue}".strip())
            return CellFailedError(_BY_NAME.get(error.ename, "failed"), text)
        if isinstance(error, DeadKernelError):
            text = "the kernel died; the record ends at the cell that killed it"
            return CellFailedError("cancelled" if self.cancelled else "died", text)
        if isinstance(error, CellTimeoutError):
            limit = cell.timeout_s or self.timeout_s
            await self.kernel.interrupt()
            await asyncio.sleep(0)
            step = f" of step {cell.step}" if cell.step else ""
            text = f"cell {cell.index + 1}{step} did not end within {limit:g} s"
            return CellFailedError("failed", text)
        if isinstance(error, RunError):
            return CellFailedError("failed", error.what)
        # Not the book's fault, but its record must not end here.
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(at.filename).name}:{at.lineno}"
        text = f"the runner itself failed: {type(error).__name__}: {error} ({where})"
        return CellFailedError("failed", self.masker.text(text))
