"""Panels: what is drawn where, without saying with which library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from labvirt.status.sample import Subject
    from labvirt.status.series import Series

__all__ = ["COLOURS", "Line", "Panel", "Threshold"]

#: Okabe and Ito's colours, told apart by the colour-blind, without the two that vanish on white or
#: black. Further lines take them again with another dash.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6d00")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel.

    Attributes:
        key: unique on the board; stable while the board lives.
        subject: whom it tells of.
        series: what it tells.
        label: its name in the legend.
        colour: ``#rrggbb``.
        dash: ``solid``, ``dash`` or ``dot``.
        negated: drawn below the axis (what is sent, written), shown as a positive number.
    """

    key: str
    subject: Subject
    series: Series
    label: str
    colour: str
    dash: Literal["solid", "dash", "dot"] = "solid"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Threshold:
    """A level that is drawn across a panel, and the words beside it."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of a board.

    Attributes:
        key: unique on the board.
        title: heading.
        unit: as in `Series`; every line of a panel has it.
        lines: what is drawn.
        style: ``lines``, or ``stack`` (areas on top of each other).
        top: upper end of the axis, None to fit the values.
        thresholds: levels to be shown.
    """

    key: str
    title: str
    unit: str
    lines: tuple[Line, ...]
    style: Literal["lines", "stack"] = "lines"
    top: float | None = None
    thresholds: tuple[Threshold, ...] = ()
