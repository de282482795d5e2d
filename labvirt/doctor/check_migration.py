"""Checks of moving: whether a domain could go to the other hosts, and whether one is there twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.doctor.check_domain import redefined, virsh
from labvirt.doctor.check_domain_machine import to_host_model
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.errors import LabvirtError
from labvirt.host import examined
from labvirt.host.movable import movable_on
from labvirt.status.finding import worst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case
    from labvirt.host.host import Host
    from labvirt.status import DomainRecord
    from labvirt.status.finding import Finding

__all__: list[str] = []

#: Findings of the pre-flight about what a domain is by intention: it lives where its disks are.
_BY_INTENTION: Final = frozenset(
    {"disk", "copy", "kernel", "initrd", "hostdev", "shared-folder", "shmem", "transient-disk"}
    | {
        "cpu-fixed",
        "qemu-arguments",
        "hugepages",
        "vsock",
        "snapshots",
        "checkpoints",
        "job",
        "file",
    }
)
#: Findings that other checks tell of, or that say nothing of this domain.
_ELSEWHERE: Final = frozenset(
    {"uuid", "state", "source-writable", "destination-writable", "way", "clocks"}
)


@check(
    "domain.movable",
    "Could {name} move to the other hosts?",
    guide="G12.1-02",
    needs="monitor",
    limit_s=8.0,
)
def movable(case: Case) -> Iterator[Seen]:
    """Apply the rule of its definition, and make the pre-flight to each other host."""
    patient = case.patient
    if not patient.others:
        rule = movable_on(case.host, patient.text(case.domain))
        yield ok(str(rule)) if rule else not_here(f"no other host was named; {rule}")
        return
    for other in patient.others:
        if silent := patient.silent_host(other):
            yield unknown(f"{other.name} gives no answer: {silent}", about=other.name)
            continue
        elsewhere = patient.records_of(other).get(case.domain.uuid)
        if elsewhere is not None and elsewhere.is_active:
            yield not_here("it is there; see domain.twice", about=other.name)
            continue
        yield _preflight(case, other)


def _processor(case: Case, other: Host) -> Seen | None:
    """Judge the processor that a domain which is off will ask for; None when it can be had.

    The pre-flight leaves it open: it is chosen at the start, which would fail there.
    """
    document = case.patient.document(case.domain, stored=True)
    if document.cpu_check == "none" or examined.gives_cpu(other, document) is not False:
        return None
    wanted = [one.name or "" for one in document.cpu_features if one.policy == "require"]
    seen = f"<cpu> model {document.cpu_model}, check {document.cpu_check or 'by default'}"
    seen += f", required: {', '.join(wanted)}" if wanted else ""
    cause = f"the processor of {other.name} cannot be {document.cpu_model}"
    cause += " with the features that it asks for: it would not start there"
    remedy = f"{virsh(case, 'edit', case.name)}: <cpu mode='host-model'/>, or a common model"
    fix = redefined(case, to_host_model)
    return fail(f"{seen}; compared: incompatible", cause, remedy, fix=fix, about=other.name)


def _preflight(case: Case, other: Host) -> Seen:
    if not case.record.is_active and (seen := _processor(case, other)) is not None:
        return seen
    found = examined.preflight(case.domain, case.document, other, deep=case.patient.deep)
    failures = [one for one in found.failures if one.kind not in _ELSEWHERE]
    warnings = [one for one in found.warnings if one.kind not in _ELSEWHERE]
    hard = [one for one in failures if one.kind not in _BY_INTENTION]
    if hard:
        return fail(_evidence(hard), _causes(hard), _remedies(hard), about=other.name)
    if failures:
        return warning(
            _evidence(failures), _causes(failures), _remedies(failures), about=other.name
        )
    told = f"{len(found)} questions, nothing forbids it"
    if warnings:
        told += f"; {_causes(warnings)}"
    return ok(told, about=other.name)


def _evidence(found: list[Finding]) -> str:
    return "; ".join(f"{one.question} {one.evidence}".strip() for one in found)


def _causes(found: list[Finding]) -> str:
    return "; ".join(dict.fromkeys(one.reason for one in found))


def _remedies(found: list[Finding]) -> str:
    return "; ".join(dict.fromkeys(one.remedy for one in found if one.remedy))


@check("domain.twice", "Does {name} run on one host only?", guide="G12.3-01")
def twice(case: Case) -> Iterator[Seen]:
    """Look on the other hosts for a domain of the same UUID that has a process."""
    patient = case.patient
    if not patient.others:
        yield not_here("no other host was named")
        return
    for other in patient.others:
        if silent := patient.silent_host(other):
            yield unknown(f"{other.name} gives no answer: {silent}", about=other.name)
            continue
        there = patient.records_of(other).get(case.domain.uuid)
        if there is None or not (there.is_active and case.record.is_active):
            yield ok(_place(there, other), about=other.name)
            continue
        yield _both(case, other)


def _both(case: Case, other: Host) -> Seen:
    found = case.domain.whereabouts(other)
    recover = "; ".join(found.recover)
    if found.where == "split":
        cause = "a migration was cut off after the switch: each host has a part of its memory"
        return fail(found.text, cause, recover, about=other.name)
    if found.where != "twice":
        return ok(found.text, about=other.name)
    if "paused" in {each.state.text for each in (found.here, found.there) if each is not None}:
        cause = "a migration was broken off and left its half behind"
    else:
        cause = "two processes write the same disks: they damage them"
    return fail(found.text, cause, recover, about=other.name)


def _place(there: DomainRecord | None, other: Host) -> str:
    return f"{other.name} does not have it" if there is None else f"on {other.name} it is off"


@check("domain.leftover", "Is {name} defined on one host only?", guide="G12.3-01")
def leftover(case: Case) -> Iterator[Seen]:
    """Look for a second definition of it on the other hosts, and for what a migration left."""
    patient, here = case.patient, case.record
    if here.state.text == "paused" and here.reason == "migrating":
        yield from _half(case)
    if not patient.others:
        yield not_here("no other host was named")
        return
    for other in patient.others:
        if silent := patient.silent_host(other):
            yield unknown(f"{other.name} gives no answer: {silent}", about=other.name)
            continue
        there = patient.records_of(other).get(case.domain.uuid)
        if there is None or (there.is_active and here.is_active):
            yield ok(
                _place(there, other) if there is None else "see domain.twice", about=other.name
            )
            continue
        yield _defined_twice(case, other, there)


def _half(case: Case) -> Iterator[Seen]:
    try:
        job = examined.job(case.host, case.domain.uuid)
    except LabvirtError:
        return
    if not job.is_running:
        cause = "a migration was broken off, and this half of it waits for nobody"
        remedy = f"{virsh(case, 'destroy', case.name)} when it runs on the other host"
        yield fail("paused (migrating), and no job runs", cause, remedy)


def _defined_twice(case: Case, other: Host, there: DomainRecord) -> Seen:
    here = case.record
    running = case.host if here.is_active else other if there.is_active else None
    stale = case.host if running is other else other
    seen = f"{case.host.name}: {here.state.text}; {other.name}: {there.state.text}"
    domain = stale.domains[case.domain.uuid]
    remedy = f"virsh -c {stale.label} undefine {domain.name} --keep-nvram"
    cause = f"a migration left the definition on {stale.name}: started there it would write the same disks"
    if running is None:
        cause = "two hosts have its definition, and either could start it"
        remedy = f"decide for one host, then {remedy}"
        return warning(seen, cause, remedy, about=other.name)
    return warning(seen, cause, remedy, fix=domain.undefine.plan, about=other.name)


@check(
    "host.cpu-common", "Can guests have one processor on all hosts?", guide="G12.1-02", limit_s=5.0
)
def common(case: Case) -> Seen:
    """Ask libvirt for a processor that this host and the others can give."""
    hosts = (case.host, *case.patient.reached)
    if len(hosts) < 2:
        silent = [one.name for one in case.patient.others]
        return (
            unknown(f"no answer from {', '.join(silent)}")
            if silent
            else not_here("no other host was named")
        )
    try:
        model, models = examined.common_cpu(hosts, case.host.default_virt())
    except LabvirtError as error:
        cause = "the hosts' processors have nothing in common that libvirt can name"
        return fail(error.what, cause, "group the hosts by their processor's vendor")
    seen = ", ".join(f"{name}: {own or 'not told'}" for name, own in models.items())
    if not model:
        return unknown(seen)
    if len(set(models.values())) == 1:
        return ok(f"{seen}; one model for all")
    cause = "the processors differ: mode host-passthrough and host-model cannot move between them"
    remedy = f"<cpu mode='custom'><model>{model}</model></cpu> runs on all of them"
    return warning(seen, cause, remedy)


@check(
    "host.migration-ports",
    "Does the data of a migration get through?",
    guide="G12.1-03",
    limit_s=6.0,
)
def ports(case: Case) -> Iterator[Seen]:
    """Dial the first port of migrations between this host and the others, both ways."""
    patient = case.patient
    if not patient.others:
        yield not_here("no other host was named")
        return
    for other in patient.others:
        if silent := patient.silent_host(other):
            yield unknown(f"{other.name} gives no answer: {silent}", about=other.name)
            continue
        told = list(examined.ways(case.host, other))
        verdict = worst(told)
        bad = [one for one in told if one.verdict == verdict]
        if verdict in {"ok", "n/a"}:
            yield ok(_evidence(told), about=other.name)
        else:
            yield Seen(verdict, _evidence(bad), _causes(bad), _remedies(bad), about=other.name)
