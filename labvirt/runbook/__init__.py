"""Runbooks: notebooks with typed parameters, run to leave an executed notebook as the record."""

from labvirt.runbook.books import Book, find_book, list_books
from labvirt.runbook.execute import run
from labvirt.runbook.parameters import Parameter, read_parameters, settle
from labvirt.runbook.records import RunRecord, StepRecord

__all__ = [
    "Book",
    "Parameter",
    "RunRecord",
    "StepRecord",
    "find_book",
    "list_books",
    "read_parameters",
    "run",
    "settle",
]
