"""Readings: rows of tuples made into the arrays that rates are computed from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from labvirt.status.sample import COUNTERS, Reading, Subject

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from labvirt.connection.sampling import Fast, Row, Slow
    from labvirt.status.series import Kind

__all__ = ["Maker"]

_NAN = math.nan
#: Columns of a domain that its main tick knows; the others are the slow tier's.
_FAST_COLUMNS = 5


class Maker:
    """Makes readings of one host; gives the same subjects again while the rows are the same.

    Args:
        host: name of the host.
        cpus: CPUs of the host.
    """

    def __init__(self, host: str, cpus: int) -> None:
        self._host = host
        self._cpus = float(cpus)
        self._kept: dict[Kind, tuple[list[tuple[str, str]], tuple[Subject, ...]]] = {}
        self._of_host = (Subject(host),)

    def fast(
        self, fast: Fast, *, network: bool, vcpu: bool, machine: tuple[float, ...]
    ) -> list[Reading]:
        """Return the readings of a main tick.

        Args:
            fast: what was read.
            network: with interfaces, also when there is none.
            vcpu: with vCPUs.
            machine: bytes read and written by disks, received and sent by cards of this machine.
        """
        made = [self._reading("domain", fast.domains)]
        if network:
            made.append(self._reading("interface", fast.interfaces))
        if vcpu:
            made.append(self._reading("vcpu", fast.vcpus))
        if fast.node is not None:
            clock, *figures = fast.node
            made.append(
                Reading(
                    "host",
                    self._of_host,
                    np.array([clock]),
                    np.array([(self._cpus, *figures, *machine)]),
                )
            )
        return made

    def slow(self, slow: Slow, known: Container[str]) -> list[Reading]:
        """Return the readings of a slice, without domains that the main tick does not know."""
        made = []
        disks = [row for row in slow.disks if row.uuid in known]
        domains = [row for row in slow.domains if row.uuid in known]
        if disks:
            made.append(self._slice("disk", disks, 0))
        if domains:
            made.append(self._slice("domain", domains, _FAST_COLUMNS))
        return made

    def _reading(self, kind: Kind, rows: list[Row]) -> Reading:
        keys = [row[:2] for row in rows]
        kept = self._kept.get(kind)
        if kept is None or kept[0] != keys:
            kept = self._kept[kind] = (keys, self._subjects(rows))
        clocks = np.array([row.clock for row in rows])
        return Reading(kind, kept[1], clocks, _counters(kind, rows, 0))

    def _slice(self, kind: Kind, rows: list[Row], first: int) -> Reading:
        clocks = np.array([row.clock for row in rows])
        subjects = self._subjects(rows)
        return Reading(kind, subjects, clocks, _counters(kind, rows, first), complete=False)

    def _subjects(self, rows: Sequence[Row]) -> tuple[Subject, ...]:
        return tuple(Subject(self._host, row.uuid, row.device) for row in rows)


def _counters(
    kind: Kind, rows: Sequence[Row], first: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    columns = len(COUNTERS[kind])
    out = np.full((len(rows), columns), _NAN)
    if rows:
        figures = np.array([row.counters for row in rows])
        out[:, first : first + figures.shape[1]] = figures
    return out
