"""Tree: the findings of a report by subject and thing; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from labvirt.status.finding import VERDICTS, worst
from labvirt.widgets.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labvirt.status.finding import Finding, Verdict

__all__ = [
    "GROUPS",
    "MARKS",
    "VERDICT_WORDS",
    "Group",
    "Thing",
    "counts_of",
    "group_of",
    "grouped",
    "sent",
    "summary_of",
    "thing_of",
]

#: What is found together, in the order of the tree: a domain with its disks, cards and guest.
GROUPS: Final[dict[str, str]] = {
    "way": N_("The way to the host"),
    "connection": N_("Connection"),
    "host": N_("Host"),
    "network": N_("Networks"),
    "storage": N_("Storage pools"),
    "domain": N_("Virtual machines"),
}
_OF_DOMAIN: Final = frozenset({"domain", "disk", "interface", "guest"})

MARKS: Final[dict[Verdict, str]] = {
    "fail": "✖",
    "warning": "⚠",
    "unknown": "?",
    "ok": "✔",
    "n/a": "-",
}
VERDICT_WORDS: Final[dict[Verdict, str]] = {
    "fail": N_("fails"),
    "warning": N_("warning"),
    "unknown": N_("not known"),
    "ok": N_("well"),
    "n/a": N_("does not apply"),
}

_CARD: Final = re.compile(r"[^/]+/(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")


@dataclass(frozen=True)
class Thing:
    """What questions were asked of, with the answers, the worst first."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        return worst(self.findings)


@dataclass(frozen=True)
class Group:
    """Things of one subject.

    Attributes:
        key: key of `GROUPS`.
        things: the things; those that are not well first, else as they were asked.
    """

    key: str
    things: tuple[Thing, ...] = field(default=())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All answers."""
        return tuple(one for thing in self.things for one in thing.findings)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        return worst(self.findings)


def group_of(finding: Finding) -> str:
    """Return the key of `GROUPS` that a finding belongs to."""
    subject, dot, _word = finding.kind.partition(".")
    if not dot:
        return "way"
    if subject in _OF_DOMAIN:
        return "domain"
    return subject if subject in GROUPS else "host"


def thing_of(finding: Finding) -> str:
    """Return the name of the thing that was looked at; empty for the host itself."""
    subject = finding.kind.partition(".")[0]
    about = finding.id.partition(":")[2]
    if group_of(finding) in {"way", "connection", "host"}:
        return ""
    if subject == "interface" and (card := _CARD.match(about)):
        about = card.group()
    name = about.partition(":")[0]
    return name.partition("/")[0] if group_of(finding) == "domain" else name


def grouped(findings: Iterable[Finding]) -> tuple[Group, ...]:
    """Return findings by subject and thing, those that are not well first."""
    found: dict[str, dict[str, list[Finding]]] = {key: {} for key in GROUPS}
    for one in findings:
        found[group_of(one)].setdefault(thing_of(one), []).append(one)
    return tuple(
        Group(key, tuple(sorted(_things(things), key=lambda each: VERDICTS.index(each.verdict))))
        for key, things in found.items()
        if things
    )


def _things(things: dict[str, list[Finding]]) -> list[Thing]:
    return [
        Thing(name, tuple(sorted(answers, key=lambda one: VERDICTS.index(one.verdict))))
        for name, answers in things.items()
    ]


def counts_of(findings: Sequence[Finding]) -> dict[Verdict, int]:
    """Return how many answers there are of each verdict, the worst first."""
    return {each: sum(one.verdict == each for one in findings) for each in VERDICTS}


def summary_of(findings: Sequence[Finding]) -> str:
    """Return the counts in the views' words; verdicts that nobody has are left out."""
    told = [
        f"{MARKS[verdict]} {_(VERDICT_WORDS[verdict])}: {count}"
        for verdict, count in counts_of(findings).items()
        if count
    ]
    return ", ".join(told) or _("nothing was asked")


def sent(title: str, findings: Sequence[Finding], **more: Any) -> dict[str, Any]:
    """Return a report as the page takes it."""
    return {
        "title": title,
        "verdict": worst(findings),
        "groups": [
            {
                "key": group.key,
                "title": _(GROUPS[group.key]),
                "verdict": group.verdict,
                "things": [
                    {
                        "name": thing.name,
                        "verdict": thing.verdict,
                        "findings": [_sent(one) for one in thing.findings],
                    }
                    for thing in group.things
                ],
            }
            for group in grouped(findings)
        ],
        **more,
    }


def _sent(one: Finding) -> dict[str, Any]:
    told = {name: value for name, value in one.as_dict().items() if value}
    if one.fix is not None and one.verdict in {"fail", "warning"}:
        told["fixable"] = True
    return told
