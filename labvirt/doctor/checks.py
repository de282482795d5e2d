"""Checks: each a question with a limit, asked of a host or of one thing on it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from labvirt.status.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labvirt.doctor.case import Case
    from labvirt.status.finding import Verdict

__all__ = [
    "SUBJECTS",
    "Check",
    "Seen",
    "Subject",
    "all_checks",
    "check",
    "fail",
    "not_here",
    "ok",
    "unknown",
    "warning",
]

Subject = Literal[
    "connection", "host", "network", "storage", "disk", "domain", "interface", "guest"
]

#: What is asked of what, in the order of a report: the host once, each network, each pool
#: (``storage``), each domain, each of its disks and interfaces, each guest that runs.
SUBJECTS: Final[tuple[Subject, ...]] = (
    "connection",
    "host",
    "network",
    "storage",
    "domain",
    "disk",
    "interface",
    "guest",
)
#: The modules that hold checks; importing one registers them.
HOMES: Final[tuple[str, ...]] = (
    "labvirt.doctor.check_connection",
    "labvirt.doctor.check_network",
    "labvirt.doctor.check_network_dhcp",
    "labvirt.doctor.check_network_kind",
    "labvirt.doctor.check_network_path",
    "labvirt.doctor.check_interface",
    "labvirt.doctor.check_interface_path",
    "labvirt.doctor.check_guest_net",
    "labvirt.doctor.check_domain",
    "labvirt.doctor.check_domain_boot",
    "labvirt.doctor.check_domain_devices",
    "labvirt.doctor.check_domain_log",
    "labvirt.doctor.check_domain_machine",
    "labvirt.doctor.check_domain_size",
    "labvirt.doctor.check_guest",
    "labvirt.doctor.check_guest_boot",
    "labvirt.doctor.check_migration",
    "labvirt.doctor.check_audit",
    "labvirt.doctor.check_certificates",
    "labvirt.doctor.check_clock",
    "labvirt.doctor.check_host",
    "labvirt.doctor.check_host_network",
    "labvirt.doctor.check_host_virt",
    "labvirt.doctor.check_limits",
    "labvirt.doctor.check_secure",
    "labvirt.doctor.check_swapping",
    "labvirt.doctor.check_disk",
    "labvirt.doctor.check_disk_chain",
    "labvirt.doctor.check_disk_label",
    "labvirt.doctor.check_disk_sharing",
    "labvirt.doctor.check_disk_work",
    "labvirt.doctor.check_storage",
    "labvirt.doctor.check_storage_space",
)

_checks: dict[str, Check] = {}
_F = TypeVar("_F", bound="Callable[[Case], Any]")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check answers, before it is known of what: made by `ok`, `warning`, `fail`, ..."""

    verdict: Verdict
    evidence: str = ""
    cause: str = ""
    remedy: str = ""
    fix: Callable[[], Any] | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One question that is only looked into: nothing is changed by it.

    Attributes:
        id: stable key ``subject.word``: ``network.active``.
        subject: what it is asked of.
        question: a sentence; ``{name}`` stands for the thing's name.
        look: answers it from a case: a `Seen`, several, or None when it does not apply.
        guide: row of the guide.
        limit_s: after so many seconds it counts as unknown.
        deep: reads images or asks the guest for long: only when it is asked for.
        late: cause and remedy when it gives no answer in its limit: that is a failure then.
        needs: ``daemon``: calls libvirt; ``monitor``: asks the hypervisor process of the domain
            too; ``machine``: reads files or runs commands of the host's machine; ``nothing``.
    """

    id: str
    subject: Subject
    question: str
    look: Callable[[Case], Seen | Iterable[Seen] | None]
    guide: str = ""
    limit_s: float = 3.0
    deep: bool = False
    needs: Literal["nothing", "machine", "daemon", "monitor"] = "daemon"
    late: tuple[str, str] | None = None

    def too_late(self, said: str) -> Seen:
        """Return the answer for a check that gave none in its limit."""
        return unknown(said) if self.late is None else fail(said, *self.late)

    def finding(self, name: str, seen: Seen) -> Finding:
        """Return the answer as a finding of the thing of that name."""
        about = ":".join(part for part in (name, seen.about) if part)
        shown = f"{name} ({seen.about})" if name and seen.about else about
        return Finding(
            id=f"{self.id}:{about}" if about else self.id,
            question=self.question.replace("{name}", shown),
            verdict=seen.verdict,
            evidence=seen.evidence,
            cause=seen.cause,
            remedy=seen.remedy,
            guide=self.guide,
            fix=seen.fix,
        )


def check(
    key: str,
    question: str,
    *,
    guide: str = "",
    limit_s: float = 3.0,
    deep: bool = False,
    needs: Literal["nothing", "machine", "daemon", "monitor"] = "daemon",
    late: tuple[str, str] | None = None,
) -> Callable[[_F], _F]:
    """Register a function as the check ``subject.word``.

    The function takes a `Case`, and returns or yields `Seen`; None means that it does not apply.
    What it raises counts as unknown, with the words of the error.
    """
    subject: Any = key.partition(".")[0]
    if subject not in SUBJECTS or key in _checks:
        raise ValueError(f"{key}: no such subject, or registered twice")

    def keep(look: _F) -> _F:
        _checks[key] = Check(key, subject, question, look, guide, limit_s, deep, needs, late)
        return look

    return keep


def all_checks() -> tuple[Check, ...]:
    """Return every check, in the order of a report."""
    for home in HOMES:
        importlib.import_module(home)
    return tuple(sorted(_checks.values(), key=lambda one: SUBJECTS.index(one.subject)))


def ok(evidence: str = "", *, about: str = "") -> Seen:
    """Answer that it is well."""
    return Seen("ok", evidence, about=about)


def warning(
    evidence: str,
    cause: str,
    remedy: str = "",
    *,
    fix: Callable[[], Any] | None = None,
    about: str = "",
) -> Seen:
    """Answer that it works, but deserves a thought."""
    return Seen("warning", evidence, cause, remedy, fix, about)


def fail(
    evidence: str,
    cause: str,
    remedy: str = "",
    *,
    fix: Callable[[], Any] | None = None,
    about: str = "",
) -> Seen:
    """Answer that it cannot work as it is.

    Args:
        evidence: what was seen, with figures: a line of output, a path, a state.
        cause: why, in a sentence.
        remedy: the exact command, or what to do.
        fix: makes the plan that mends it.
        about: the part of the thing, when the check yields several answers.
    """
    return Seen("fail", evidence, cause, remedy, fix, about)


def unknown(evidence: str, remedy: str = "", *, about: str = "") -> Seen:
    """Answer that it could not be looked at."""
    return Seen("unknown", evidence, "", remedy, about=about)


def not_here(evidence: str = "", *, about: str = "") -> Seen:
    """Answer that the question does not apply here."""
    return Seen("n/a", evidence, about=about)
