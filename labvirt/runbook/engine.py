"""The engine ``labvirt`` of papermill: strict parameters and no secrets, by papermill's own command.

``papermill --engine labvirt BOOK OUT -p name web1``. Steps, resume and the ledger need
``labvirt run``; this is for pipelines that call papermill and are to stay as they are.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any, Final

from papermill.engines import Engine

from labvirt.errors import SpecError
from labvirt.runbook.client import RunClient
from labvirt.runbook.kernel import Kernel
from labvirt.runbook.outline import Outline
from labvirt.runbook.parameters import read_parameters, settle
from labvirt.runbook.secrets import Redactor, fetch_all

__all__ = ["LabvirtEngine"]

_SKIPPED: Final = "skip-execution"


class _Silent:
    """The log of a run that papermill records."""

    def write(self, kind: str, **_: Any) -> dict[str, Any]:
        return {"kind": kind}


class LabvirtEngine(Engine):  # type: ignore[misc]  # papermill is not typed
    """Executes a book for papermill."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        execution_timeout: float | None = None,
        **_: Any,
    ) -> None:
        """Execute the notebook that papermill has made ready.

        Raises:
            SpecError: a parameter that the book does not have or that does not fit; a secret that
                was given itself and not by its reference. It is taken out of the output first.
        """
        outline = Outline(nb_man.nb)
        parameters = read_parameters(
            "\n".join(cell.source for cell in outline.cells if cell.role == "parameters")
        )
        given = nb_man.nb.metadata.get("papermill", {}).get("parameters", {})
        try:
            settled = settle(parameters, given)
        except SpecError:
            names = {parameter.name for parameter in parameters if parameter.secret}
            _take_out(nb_man, outline, names & set(given))
            raise
        secrets = fetch_all(settled.secrets, {**os.environ, **settled.environment})
        work = _Work(nb_man, outline, Redactor(secrets), settled.environment, execution_timeout)
        # A thread of its own: in a notebook this one has a loop already.
        failure: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(work.run(kernel_name))
            except BaseException as error:  # noqa: BLE001 - raised again below
                failure.append(error)

        thread = threading.Thread(target=run, name="labvirt papermill engine")
        thread.start()
        thread.join()
        if failure:
            raise failure[0]


def _take_out(nb_man: Any, outline: Outline, names: set[str]) -> None:
    """Remove secret values from papermill's two copies of what was given."""
    if not names:
        return
    notebook = nb_man.nb
    for name in names:
        notebook.metadata.papermill.parameters[name] = "***"
    for cell in outline.cells:
        if cell.role == "injected":
            notebook.cells[cell.index].source = "# taken out: a secret was given by its value"
    nb_man.save()


class _Work:
    def __init__(
        self,
        nb_man: Any,
        outline: Outline,
        masker: Redactor,
        environment: dict[str, str],
        timeout_s: float | None,
    ) -> None:
        self._nb_man, self._outline, self._masker = nb_man, outline, masker
        self._environment, self._timeout_s = environment, timeout_s
        self._cwd = Path.cwd()
        self._folder = Path(nb_man.output_path or "out").absolute().parent

    async def run(self, kernel_name: str) -> None:
        kernel = Kernel(kernel_name)
        try:
            await kernel.start()
            await kernel.arrange(self._cwd, self._environment)
            client = RunClient(
                self._nb_man.nb,
                log=_Silent(),
                masker=self._masker,
                folder=self._folder,
                on_step=lambda _: None,
            )
            client.km, client.kc = kernel.manager, kernel.client
            await self._cells(client)
        finally:
            await kernel.stop()

    async def _cells(self, client: RunClient) -> None:
        from nbclient.exceptions import CellExecutionError

        plans = {plan.index: plan for plan in self._outline.cells}
        for index, cell in enumerate(self._nb_man.nb.cells):
            self._nb_man.cell_start(cell, index)
            try:
                plan = plans.get(index)
                if plan is not None and _SKIPPED not in cell.metadata.get("tags", []):
                    limit = plan.timeout_s or self._timeout_s
                    await client.run_cell(index, limit_s=limit, secret=plan.secret)
            except CellExecutionError:
                # Papermill raises it from the outputs, and keeps the notebook.
                self._nb_man.cell_exception(cell, index)
                return
            finally:
                self._nb_man.cell_complete(cell, index)
