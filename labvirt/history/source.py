"""Source: what every history can be asked, wherever its samples are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from labvirt.status.sample import Mark, Subject
    from labvirt.status.series import Kind

__all__ = ["Form", "Source", "Window"]

#: ``long``: columns time, host, domain, uuid, device, series, value, unit; one row per value.
#: ``wide``: columns time, host, domain, uuid, device and one per series.
Form = Literal["long", "wide"]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A piece of the history of one subject.

    Attributes:
        times: seconds since 1970, UTC, rising; float64 ``[n]``.
        values: one row per field asked for; float64 ``[fields, n]``, NaN is "no data".
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]


@runtime_checkable
class Source(Protocol):
    """Samples kept somewhere. Times are seconds since 1970, UTC; None is "from the first"."""

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first and last sample; None when there is none."""
        ...

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom there are samples of, those that are gone included."""
        ...

    def name(self, uuid: str) -> str:
        """Return the last known name of a domain, its UUID when none is known."""
        ...

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one subject.

        Raises:
            SpecError: there is no such series.
        """
        ...

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened, in order of time."""
        ...

    def df(
        self,
        kind: Kind = "domain",
        *,
        fields: Sequence[str] | None = None,
        domains: Iterable[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        form: Form = "long",
    ) -> pd.DataFrame:
        """Return samples as a table; ``time`` is UTC, ``domain`` the name; see `Form`.

        Args:
            kind: what the rows tell of.
            fields: names of series; None for all.
            domains: names or UUIDs; None for all.
            start: from when.
            end: until when.
            form: ``long`` or ``wide``.

        Raises:
            SpecError: there is no such series, kind or form; names the nearest.
        """
        ...
