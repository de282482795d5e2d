"""Capacity: how much a host may give to its guests before they hurt each other (guide 17.4)."""

from __future__ import annotations

from typing import Final

from labvirt.errors import Problem, SpecError
from labvirt.model.units import Size

__all__ = [
    "MOST_VCPUS_PER_CPU",
    "memory_ratio",
    "ratio_by_guests",
    "swap_today",
    "swap_wanted",
    "vcpu_ratio",
]

#: Lightly loaded guests with one vCPU each that a core copes with (G17.4-06).
MOST_VCPUS_PER_CPU: Final = 5


def swap_wanted(memory: int, ratio: float = 0.5) -> Size:
    """Return the swap space that a host should have: half its memory, and the overcommit (G17.4-04).

    Args:
        memory: memory of the host in bytes.
        ratio: overcommit ratio; 0.5 means that guests get half as much again as there is.

    Raises:
        SpecError: memory or ratio is negative.
    """
    for name, value in (("memory", memory), ("ratio", ratio)):
        if value < 0:
            raise SpecError("swap space", (Problem(name, str(value), "cannot be negative"),))
    return Size(round(0.5 * memory + ratio * memory))


def memory_ratio(memory: int, given: int) -> float:
    """Return by how much guests may have more memory than there is; 0 when all of it is there."""
    return max(0.0, given / memory - 1) if memory > 0 else 0.0


def ratio_by_guests(guests: int) -> tuple[float, float]:
    """Return the overcommit ratio by the other way, "number of guests x 10" (G17.4-05, E-92).

    The guide gives no unit. Returned are both readings: in per cent (3 guests: 30 %, 0.3), and ten
    times (3 guests: 30). Only the first can be meant; it is for light load, and to be tested.

    Raises:
        SpecError: the number is negative.
    """
    if guests < 0:
        raise SpecError("overcommit", (Problem("guests", str(guests), "cannot be negative"),))
    return guests * 10 / 100, float(guests * 10)


def swap_today(memory: int) -> Size:
    """Return the swap space advised today without hibernation, where nothing is overcommitted.

    Twice the memory up to 2 GiB, as much as there is up to 8 GiB, 4 GiB beyond: idle pages can go
    there, but a guest that lives on swap is of no use.

    Raises:
        SpecError: memory is negative.
    """
    if memory < 0:
        raise SpecError("swap space", (Problem("memory", str(memory), "cannot be negative"),))
    gib = 1 << 30
    if memory <= 2 * gib:
        return Size(2 * memory)
    return Size(memory if memory <= 8 * gib else 4 * gib)


def vcpu_ratio(cpus: int, given: int) -> float:
    """Return how many virtual CPUs share one of the host."""
    return given / cpus if cpus > 0 else 0.0
