"""Findings: what a check saw, what it means, and what to do about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["VERDICTS", "Finding", "Findings", "Verdict", "amount", "worst"]

Verdict = Literal["ok", "warning", "fail", "unknown", "n/a"]

#: Every verdict, the worst first.
VERDICTS: Final[tuple[Verdict, ...]] = ("fail", "warning", "unknown", "ok", "n/a")
_MARKS: Final = {"fail": "✗", "warning": "!", "unknown": "?", "ok": "✓", "n/a": "-"}
_COLOURS: Final = {
    "fail": "#b00020",
    "warning": "#8a5a00",
    "unknown": "#555555",
    "ok": "#1b6e20",
    "n/a": "#777777",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question about a host, a guest or a way between hosts.

    Attributes:
        id: stable key: ``machine``, or with what it is about: ``disk:vda``.
        question: what was asked, as a sentence.
        verdict: ``ok``; ``warning``: works, but deserves a thought; ``fail``: cannot work;
            ``unknown``: could not be looked at; ``n/a``: does not apply here.
        evidence: what was seen, with the figures.
        cause: why it is so, when it is not well.
        remedy: what to do, best as a command.
        guide: row of the guide, e.g. ``G12.1-04``; empty when it has none.
        fix: makes the `Plan` that mends it, where labvirt can; None where it cannot.
    """

    id: str
    question: str
    verdict: Verdict
    evidence: str = ""
    cause: str = ""
    remedy: str = ""
    guide: str = ""
    fix: Callable[[], Any] | None = field(default=None, compare=False, repr=False)

    @property
    def kind(self) -> str:
        """Return the key without what it is about: ``disk``."""
        return self.id.partition(":")[0]

    @property
    def reason(self) -> str:
        """Return in one phrase what is not well: the cause, else the evidence."""
        return self.cause or self.evidence or self.question

    def __str__(self) -> str:
        """Return one line, and a second one when there is something to do."""
        told = "; ".join(part for part in (self.evidence, self.cause) if part)
        line = f"{_MARKS[self.verdict]} {self.question} {self.verdict}"
        line += f": {told}" if told else ""
        return f"{line}\n    -> {self.remedy}" if self.remedy else line

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, as plain text."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "fix"}


def amount(count: float) -> str:
    """Return bytes for people, rounded: ``1.5 GiB``."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"


def worst(findings: Sequence[Finding]) -> Verdict:
    """Return the worst verdict among findings; ``n/a`` when there are none."""
    return min((one.verdict for one in findings), key=VERDICTS.index, default="n/a")


@dataclass(frozen=True)
class Findings:
    """All that was found, in the order in which it was asked.

    Attributes:
        title: what was looked at.
        findings: the answers.
    """

    title: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Return the worst verdict."""
        return worst(self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Return what cannot work."""
        return tuple(one for one in self.findings if one.verdict == "fail")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Return what works, but deserves a thought."""
        return tuple(one for one in self.findings if one.verdict == "warning")

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __contains__(self, key: object) -> bool:
        """Return True when there is a finding of that id."""
        return any(one.id == key for one in self.findings)

    def __getitem__(self, key: str) -> Finding:
        """Return a finding by its id; KeyError names those there are."""
        for one in self.findings:
            if one.id == key:
                return one
        raise KeyError(f"{key!r} is none of {', '.join(one.id for one in self.findings)}")

    def __str__(self) -> str:
        """Return the title and every finding."""
        return "\n".join([self.title, *map(str, self.findings)])

    def _repr_html_(self) -> str:
        """Return the table as HTML that needs no kernel and no JavaScript."""
        head = "".join(
            f"<th style='text-align:left'>{name}</th>"
            for name in ("", "Question", "Evidence", "Cause", "Remedy", "Guide")
        )
        rows = "".join(map(_row, self.findings))
        title = escape(self.title)
        return f"<p><b>{title}</b></p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(one: Finding) -> str:
    mark = f"{_MARKS[one.verdict]} {one.verdict}"
    cells = (one.question, one.evidence, one.cause, one.remedy, one.guide)
    told = "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in cells)
    colour = _COLOURS[one.verdict]
    return f"<tr><td style='color:{colour};white-space:nowrap'>{escape(mark)}</td>{told}</tr>"
