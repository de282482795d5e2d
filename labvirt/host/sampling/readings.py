"""Readings: what libvirt told, made into the arrays that rates are computed from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from labvirt.status.gather import Gather
from labvirt.status.sample import Reading, Subject

if TYPE_CHECKING:
    from collections.abc import Container

    from labvirt.connection.sampling import Fast, Slow, Vcpu
    from labvirt.status.series import Kind

__all__ = ["Maker"]

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
        self._of_host = (Subject(host),)
        self._gathers: dict[bool, Gather] = {}
        self._slices = Gather(host, ("domain", "disk"))
        self._vcpus: tuple[list[tuple[str, int]], tuple[Subject, ...]] = ([], ())

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
        gather = self._gathers.get(network)
        if gather is None:
            kinds: tuple[Kind, ...] = ("domain", "interface") if network else ("domain",)
            gather = self._gathers[network] = Gather(self._host, kinds, info=True)
        made = gather.take(fast.records, fast.clock, infos=fast.infos, clocks=fast.clocks)
        if vcpu:
            made.append(self._of_vcpus(fast.vcpus))
        if fast.node is not None:
            clock, *figures = fast.node
            row = np.array([(self._cpus, *figures, *machine)])
            made.append(Reading("host", self._of_host, np.array([clock]), row))
        return made

    def slow(self, slow: Slow, known: Container[str]) -> list[Reading]:
        """Return the readings of a slice, without domains that the main tick does not know."""
        records = [record for record in slow.records if record[0] in known]
        made = self._slices.take(records, slow.clock, complete=False)
        for reading in made:
            if reading.kind == "domain":  # what the main tick knows, it knows better
                reading.counters[:, :_FAST_COLUMNS] = math.nan
        return [reading for reading in made if reading.subjects]

    def _of_vcpus(self, vcpus: list[Vcpu]) -> Reading:
        keys = [vcpu[:2] for vcpu in vcpus]
        if keys != self._vcpus[0]:
            subjects = tuple(Subject(self._host, uuid, str(number)) for uuid, number in keys)
            self._vcpus = (keys, subjects)
        clocks = np.array([vcpu.clock for vcpu in vcpus])
        counters = np.array([vcpu[3:] for vcpu in vcpus], dtype=np.float64).reshape(-1, 2)
        return Reading("vcpu", self._vcpus[1], clocks, counters)
