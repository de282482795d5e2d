"""Verdict: what making, reverting to or deleting a snapshot would do, before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from labvirt.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.errors import LabvirtError
    from labvirt.host.storage.chain import DiskChain

__all__ = ["Verdict"]


@dataclass(frozen=True)
class Verdict:
    """What would happen to a domain and its files.

    Attributes:
        what: what is judged: ``make snapshot s1 of domain web1``.
        location: ``internal``, ``external`` or ``none`` (only the description is touched).
        memory: ``internal``, ``external`` or ``none``.
        chains: the files of each disk as they are now.
        makes: files that are made.
        touches: files that are written to.
        leaves: files that nobody uses afterwards; they stay on the host.
        discards: what is lost, or no longer seen by the domain.
        needs: bytes that are needed at once.
        free: bytes that are free there; None when nobody can tell.
        grows: bytes that the files may grow to later.
        by_hand: how to do it by hand where labvirt refuses.
        warnings: what deserves a thought.
        refusals: why it cannot be done; empty when it can.
    """

    what: str
    location: str
    memory: str = "none"
    chains: tuple[DiskChain, ...] = ()
    makes: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    discards: tuple[str, ...] = ()
    needs: int = 0
    free: int | None = None
    grows: int = 0
    by_hand: str = ""
    warnings: tuple[str, ...] = ()
    refusals: tuple[LabvirtError, ...] = ()

    @property
    def is_possible(self) -> bool:
        """Whether it can be done."""
        return not self.refusals

    def require(self) -> None:
        """Go on only when it can be done.

        Raises:
            LabvirtError: the first reason why not.
        """
        if self.refusals:
            raise self.refusals[0]

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "kind", f"{self.location}, memory {self.memory}"
        for chain in self.chains:
            if chain.layers:
                yield "chain", str(chain)
        free = "unknown" if self.free is None else str(Size(self.free))
        later = f"; may grow by {Size(self.grows)}" if self.grows else ""
        yield "space", f"{Size(self.needs)} needed, {free} free{later}"
        for label in ("makes", "touches", "leaves", "discards"):
            for item in getattr(self, label):
                yield label, item
        for item in self.warnings:
            yield "warning", item
        for refusal in self.refusals:
            yield "refused", refusal.what
        if self.by_hand:
            yield "by hand", self.by_hand

    def __str__(self) -> str:
        head = f"{'Possible' if self.is_possible else 'Refused'}: {self.what}"
        return "\n".join([head, *(f"  {label}: {text}" for label, text in self._lines())])

    def _repr_html_(self) -> str:
        """Return the verdict as HTML that needs no kernel."""
        word = "✔ Possible" if self.is_possible else "✖ Refused"
        rows = "".join(
            f"<tr><th scope='row'>{escape(label)}</th><td>{escape(text)}</td></tr>"
            for label, text in self._lines()
        )
        return (
            f"<table class='labvirt-verdict'><caption style='text-align:left'><b>{word}:</b> "
            f"{escape(self.what)}</caption><tbody>{rows}</tbody></table>"
        )
