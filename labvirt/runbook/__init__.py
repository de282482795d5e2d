"""Runbooks: notebooks with typed parameters, run to leave an executed notebook as the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from pydantic import SecretStr

    from labvirt.runbook.books import Book, find_book, list_books
    from labvirt.runbook.compare import Comparison, compare
    from labvirt.runbook.execute import ask, rerun, resume, run, undo
    from labvirt.runbook.handle import Run, start
    from labvirt.runbook.kinds import Duration, HostUri, Size
    from labvirt.runbook.ledger import Ledger
    from labvirt.runbook.many import ManyRuns, run_many
    from labvirt.runbook.marks import step
    from labvirt.runbook.matrix import expand, read_matrix
    from labvirt.runbook.parameters import (
        Parameter,
        Settled,
        describe,
        gather,
        json_schema,
        read_parameters,
        settle,
    )
    from labvirt.runbook.pool import RunPool
    from labvirt.runbook.records import RunRecord, StepRecord
    from labvirt.runbook.secrets import Redactor, fetch_secret, reveal

__all__ = [
    "Book",
    "Comparison",
    "Duration",
    "HostUri",
    "Ledger",
    "ManyRuns",
    "Parameter",
    "Redactor",
    "Run",
    "RunPool",
    "RunRecord",
    "SecretStr",
    "Settled",
    "Size",
    "StepRecord",
    "ask",
    "compare",
    "describe",
    "expand",
    "fetch_secret",
    "find_book",
    "gather",
    "json_schema",
    "list_books",
    "read_matrix",
    "read_parameters",
    "rerun",
    "resume",
    "reveal",
    "run",
    "run_many",
    "settle",
    "start",
    "step",
    "undo",
]

#: Where each name lives. A book imports from here in its kernel, which must not load the runner.
_HOMES = {
    "labvirt.runbook.books": ("Book", "find_book", "list_books"),
    "labvirt.runbook.compare": ("Comparison", "compare"),
    "labvirt.runbook.execute": ("ask", "rerun", "resume", "run", "undo"),
    "labvirt.runbook.handle": ("Run", "start"),
    "labvirt.runbook.ledger": ("Ledger",),
    "labvirt.runbook.many": ("ManyRuns", "run_many"),
    "labvirt.runbook.matrix": ("expand", "read_matrix"),
    "labvirt.runbook.pool": ("RunPool",),
    "labvirt.runbook.marks": ("step",),
    "labvirt.runbook.kinds": ("Duration", "HostUri", "Size"),
    "labvirt.runbook.parameters": (
        "Parameter",
        "Settled",
        "describe",
        "gather",
        "json_schema",
        "read_parameters",
        "settle",
    ),
    "labvirt.runbook.records": ("RunRecord", "StepRecord"),
    "labvirt.runbook.secrets": ("Redactor", "fetch_secret", "reveal"),
    "pydantic": ("SecretStr",),
}
__getattr__, __dir__ = lazily(__name__, _HOMES)
