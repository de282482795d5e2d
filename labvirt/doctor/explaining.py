"""Explaining: the cause behind an error, what shows it, what was seen of it, and what to do next."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.catalogue import ErrorEntry, filled, find
from labvirt.doctor.checks import all_checks
from labvirt.doctor.codes import code_name, part_name
from labvirt.doctor.examining import examine_host
from labvirt.errors import HostError, LabvirtError, SpecError, WaitTimeoutError
from labvirt.host import Domain, Host
from labvirt.model.arguments import Wait, checked
from labvirt.status.finding import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labvirt.status.finding import Finding

__all__ = ["CAUSES", "Explanation", "explain"]

_DOMAIN: Final = re.compile(r"\bdomain ['\"]?(?P<domain>[\w.+:@-]+)")
#: What our own words ask for: ``start pool images on qemu:///system failed``.
_ASKED: Final = re.compile(r"\b(?P<kind>pool|network) (?P<name>[\w.+-]+) on [\w+]+:/")
_OF_HOST: Final = frozenset({"connection", "host", "network", "storage"})
_LOOK_S: Final = 4.0
#: By the name of a code: what it means where the words are not in the catalogue.
CAUSES: Final = {
    "NO_MEMORY": "the host is out of memory",
    "NO_SUPPORT": "this driver does not offer the call",
    "RPC": "the talk between this side and the daemon failed",
    "GNUTLS_ERROR": "the TLS layer of the connection failed",
    "AUTH_FAILED": "the daemon did not accept who we are",
    "OPERATION_DENIED": "this connection may not do it",
    "ACCESS_DENIED": "the access policy of the host forbids it",
    "OPERATION_TIMEOUT": "another operation on the same object did not end in time",
    "OPERATION_INVALID": "the object is in a state in which this cannot be done",
    "RESOURCE_BUSY": "another operation uses it now",
    "CPU_INCOMPATIBLE": "the processor of the host lacks what the guest wants",
    "XML_INVALID_SCHEMA": "the XML has something that this libvirt does not know",
    "STORAGE_PROBE_FAILED": "the storage holds something else than was declared",
    "BUILD_FIREWALL": "the firewall of the host refused libvirt's rules",
    "AGENT_UNRESPONSIVE": "no guest agent answers in the guest",
    "MIGRATE_UNSAFE": "the move could damage the disks",
    "HOOK_SCRIPT_FAILED": "a hook script of the host refused it",
    "CONFIG_UNSUPPORTED": "this host cannot do what the definition asks for",
}


@dataclass(frozen=True)
class Explanation:
    """What is behind an error.

    Attributes:
        text: the error's own words, unchanged.
        cause: why it came, in a sentence; empty when nothing is known.
        evidence: what the checks saw on the host, the worst first; empty where nobody looked.
        commands: what shows it, to be run on the host.
        next: what to do, best as a command.
        guide: row of the guide, or empty.
        key: the entry of the catalogue; empty when none fits.
        template: the cause with holes instead of names, for translators.
        caught: what was caught from the text: ``{"network": "default"}``.
        code: name of libvirt's error code, ``OPERATION_INVALID``; empty when it is not libvirt's.
        part: name of the part of libvirt that said it, ``NETWORK``.
    """

    text: str
    cause: str = ""
    evidence: tuple[Finding, ...] = ()
    commands: tuple[str, ...] = ()
    next: str = ""
    guide: str = ""
    key: str = ""
    template: str = ""
    caught: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    part: str = ""

    @property
    def is_known(self) -> bool:
        """Whether there is anything to say beyond the error's own words."""
        return bool(self.cause)

    @property
    def troubles(self) -> tuple[Finding, ...]:
        """Return of what was seen that which is not well."""
        return tuple(one for one in self.evidence if one.verdict in {"fail", "warning"})

    def lines(self) -> list[str]:
        """Return what is beyond the error's own words, line by line."""
        told = [f"Cause: {self.cause}"] if self.cause else []
        for one in self.troubles:
            said = "; ".join(part for part in (one.evidence, one.cause) if part)
            told.append(f"Seen: {one.question} {one.verdict}: {said}")
        told += [f"Look: {command}" for command in self.commands]
        if self.next:
            told.append(f"Next: {self.next}")
        if self.guide:
            told.append(f"Guide: {self.guide}")
        return told

    def __str__(self) -> str:
        """Return the error's own words, and below them what is behind it."""
        return "\n".join([self.text, *(f"  {line}" for line in self.lines())])

    def _repr_html_(self) -> str:
        """Return the cause, with all else folded; needs no kernel and no JavaScript."""
        rest = "".join(f"<li>{escape(line)}</li>" for line in self.lines()[1:])
        head = escape(self.cause or "nothing is known of this error")
        fold = (
            f"<details><summary>Evidence, next</summary><ul>{rest}</ul></details>" if rest else ""
        )
        return f"<p><b>{head}</b></p><pre>{escape(self.text)}</pre>{fold}"

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "text": self.text,
            "cause": self.cause,
            "evidence": [one.as_dict() for one in self.evidence],
            "commands": list(self.commands),
            "next": self.next,
            "guide": self.guide,
            "key": self.key,
            "code": self.code,
            "part": self.part,
        }


@dataclass(frozen=True)
class _Words:
    """One way in which an error tells of itself."""

    text: str
    code: str = ""
    part: str = ""

    @property
    def names(self) -> frozenset[str]:
        return frozenset({self.code, self.part} - {""})


def explain(
    problem: BaseException | str,
    *,
    host: Host | None = None,
    domain: Domain | str = "",
    timeout_s: float = _LOOK_S,
) -> Explanation:
    """Say what is behind an error of libvirt, QEMU, qemu-img, virt-install, ssh or TLS.

    Args:
        problem: an error of labvirt or of libvirt, or text: a message, lines of a log.
        host: where it came up: then what is behind it is looked at, at once; nothing is changed.
        domain: the domain it is about, where the text does not name it.
        timeout_s: limit for looking, in seconds.

    Returns:
        The explanation; its ``cause`` is empty when nothing is known. Its ``text`` is the error's.

    Raises:
        SpecError: the limit cannot be right.
    """
    checked(Wait, "explain an error", timeout_s=timeout_s)
    text = problem if isinstance(problem, str) else str(problem)
    told = list(_told(problem))
    name = domain.name if isinstance(domain, Domain) else domain
    if isinstance(domain, Domain):
        host = host or domain.host
    found = None
    for words in told:
        found = find(words.text, words.names)
        if found is not None:
            break
    if found is None:
        return _unknown(problem, text, told)
    entry, caught = found
    name = name or caught.get("domain", "") or _domain_in(text)
    if name:
        caught["domain"] = name
    for asked in _ASKED.finditer(text):
        caught.setdefault(asked["kind"], asked["name"])
    return Explanation(
        text=text,
        cause=filled(entry.cause, caught),
        evidence=_looked(entry, caught, host, timeout_s) if host is not None else (),
        commands=tuple(filled(each, caught, command=True) for each in entry.look),
        next=filled(entry.next, caught, command=True) or getattr(problem, "hint", ""),
        guide=entry.guide,
        key=entry.key,
        template=entry.cause,
        caught=caught,
        code=words.code,
        part=words.part,
    )


def _told(problem: BaseException | str) -> Iterator[_Words]:
    """Yield the words of an error, then of those that led to it."""
    if isinstance(problem, str):
        yield _Words(problem)
        return
    seen: set[int] = set()
    error: BaseException | None = problem
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield from _words(error)
        error = error.__cause__ or error.__context__


def _words(error: BaseException) -> Iterator[_Words]:
    if isinstance(error, HostError):
        code, part = code_name(error.code), part_name(error.domain)
        yield _Words(error.libvirt_text or error.what, code, part)
    elif isinstance(error, SpecError):
        # What labvirt itself found wrong says already which field, and why.
        if "refused by libvirt" in error.what:
            yield _Words(error.what)
    elif hasattr(error, "get_error_code"):
        said: Any = error
        yield _Words(
            str(said.get_error_message() or said),
            code_name(said.get_error_code() or 0),
            part_name(said.get_error_domain() or 0),
        )
    else:
        yield _Words(error.what if isinstance(error, LabvirtError) else str(error))


def _unknown(problem: BaseException | str, text: str, told: Sequence[_Words]) -> Explanation:
    """Return what can be said of an error that is not in the catalogue."""
    hint = getattr(problem, "hint", "")
    if isinstance(problem, WaitTimeoutError) and problem.likely_cause:
        return Explanation(text, problem.likely_cause, next=hint)
    words = next((each for each in told if each.code), _Words(""))
    cause = CAUSES.get(words.code, "")
    return Explanation(text, cause, next=hint, template=cause, code=words.code, part=words.part)


def _domain_in(text: str) -> str:
    match = _DOMAIN.search(text)
    return match["domain"] if match else ""


def _looked(
    entry: ErrorEntry, caught: Mapping[str, str], host: Host, limit_s: float
) -> tuple[Finding, ...]:
    """Return what the checks of an entry see on the host, the worst first."""
    wanted = [
        one
        for one in all_checks()
        if not one.deep and any(fnmatch.fnmatch(one.id, each) for each in entry.checks)
    ]
    broad = [one.id for one in wanted if one.subject in _OF_HOST]
    narrow = [one.id for one in wanted if one.subject not in _OF_HOST]
    found: list[Finding] = []
    try:
        if broad:
            found += examine_host(host, checks=broad, limit_s=limit_s)
        name = caught.get("domain", "")
        if narrow and name and name in host.domains:
            found += examine_host(host, checks=narrow, domains=(name,), limit_s=limit_s)
    except LabvirtError:
        # The host that is in trouble need not answer; what was seen until then counts.
        pass
    named = {caught[each] for each in ("network", "pool") if each in caught}
    kept = [
        one
        for one in found
        if one.verdict != "n/a"
        and not (one.id.startswith(("network.", "storage.")) and named and _about(one) not in named)
    ]
    return tuple(sorted(kept, key=lambda one: VERDICTS.index(one.verdict)))


def _about(finding: Finding) -> str:
    return finding.id.partition(":")[2].partition(":")[0]
