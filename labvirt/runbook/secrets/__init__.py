"""Secrets of a runbook: given by reference, masked in everything that is kept.

A book declares ``password: SecretStr = SecretStr("env:LAB_PASSWORD")``. The parameter is the
reference and stays one, in labvirt's runner as under plain papermill (where ``-p password
env:OTHER`` makes it text); the cell that needs the value calls ``reveal(password)``, or
``fetch_secret(password)`` for a ``SecretStr`` that does not print.
"""

from labvirt.runbook.secrets.forms import SHORTEST
from labvirt.runbook.secrets.leaks import Leak, find_leaks
from labvirt.runbook.secrets.redactor import RedactedStream, Redactor
from labvirt.runbook.secrets.references import (
    PRIVATE,
    check_reference,
    fetch_all,
    fetch_secret,
    is_reference,
    reveal,
)

__all__ = [
    "PRIVATE",
    "SHORTEST",
    "Leak",
    "RedactedStream",
    "Redactor",
    "check_reference",
    "fetch_all",
    "fetch_secret",
    "find_leaks",
    "is_reference",
    "reveal",
]
