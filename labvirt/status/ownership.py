"""Ownership: which device rows belong to which domain rows, and sums over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labvirt.status.sample import Subject

__all__ = ["Ownership"]


class Ownership:
    """Device rows by the domain that owns them.

    Attributes:
        devices: the device rows it was made for.
        domains: the domain rows it was made for.
        owner: row of the domain of each device, -1 when there is none.
        complete: every device has one.
    """

    def __init__(
        self,
        devices: tuple[Subject, ...],
        domains: tuple[Subject, ...],
        row_of: Mapping[str, int],
    ) -> None:
        self.devices = devices
        self.domains = domains
        self.owner = np.array([row_of.get(each.uuid, -1) for each in devices], dtype=np.intp)
        self.complete = bool((self.owner >= 0).all())
        order = np.argsort(self.owner, kind="stable")
        order = order[self.owner[order] >= 0]
        self._owners, self._starts = np.unique(self.owner[order], return_index=True)
        all_in_order = np.array_equal(order, np.arange(len(devices)))
        self._order: NDArray[np.intp] | None = None if all_in_order else order
        self._single = len(self._owners) == len(order)
        self._alike = all_in_order and np.array_equal(self.owner, np.arange(len(domains)))

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of what is known of each domain's devices; ``[columns, rows]`` both.

        A domain of whose devices nothing is known, or which has none, has no data.
        """
        if self._alike:
            return values
        out = np.full((len(values), len(self.domains)), np.nan)
        if self._order is not None:
            values = values[:, self._order]
        if self._single:
            out[:, self._owners] = values
            return out
        known = ~np.isnan(values)
        total = np.add.reduceat(np.where(known, values, 0.0), self._starts, axis=1)
        some = np.logical_or.reduceat(known, self._starts, axis=1)
        out[:, self._owners] = np.where(some, total, np.nan)
        return out
