"""Parameters of a runbook: the tagged cell read without running it, values checked against it."""

from labvirt.runbook.parameters.gathering import gather
from labvirt.runbook.parameters.reading import read_parameters
from labvirt.runbook.parameters.record import Parameter, Settled
from labvirt.runbook.parameters.schema import describe, json_schema
from labvirt.runbook.parameters.settling import settle

__all__ = [
    "Parameter",
    "Settled",
    "describe",
    "gather",
    "json_schema",
    "read_parameters",
    "settle",
]
