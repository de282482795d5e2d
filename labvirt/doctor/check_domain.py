"""Checks of a domain's life: its state, whether its process lives, what it is busy with."""

from __future__ import annotations

import dataclasses
import shlex
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.errors import LabvirtError
from labvirt.host import examined
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from labvirt.doctor.case import Case
    from labvirt.host.domain import Domain
    from labvirt.plan import Plan

__all__: list[str] = []

#: Reasons of a pause that pass by themselves.
_BUSY: Final = frozenset(
    {"migrating", "saving", "dumping", "creating snapshot", "starting up", "post-copy"}
    | {"shutting down"}
)
#: A job that takes longer deserves a thought.
_LONG_S: Final = 600


def virsh(case: Case, *words: str) -> str:
    """Return a command of virsh for the host of a case."""
    return shlex.join(["virsh", "-c", case.host.label, *words])


def _anew(domain: Domain) -> Plan[Any]:
    """Return the plan that forces a domain off and starts it."""
    off, on = domain.destroy.plan(), domain.start.plan()
    title = f"start domain {domain.name} anew"
    return dataclasses.replace(off, title=title, actions=(*off.actions, *on.actions))


@check("domain.state", "Is {name} in a state that somebody asked for?", guide="G15-14")
def state(case: Case) -> Seen:
    """Look at the state and at why it is so."""
    record, domain = case.record, case.domain
    seen = f"{record.state.text} ({record.reason})"
    on = f"{virsh(case, 'destroy', case.name)}; {virsh(case, 'start', case.name)}"
    if record.state.text == "crashed":
        return fail(seen, "the guest's kernel panicked", on, fix=lambda: _anew(domain))
    if record.state.text == "paused":
        return _paused(case, record.reason, seen)
    if record.state.text == "shut off" and record.reason in {"crashed", "failed"}:
        crashed = record.reason == "crashed"
        cause = "its hypervisor process died" if crashed else "its last start did not succeed"
        cause += "; domain.log tells why"
        start = virsh(case, "start", case.name)
        fix = domain.start.plan if record.persistent else None
        return (fail if crashed else warning)(seen, cause, start, fix=fix)
    if record.state.text == "running" and record.reason in {"crashed", "post-copy failed"}:
        return fail(
            seen, "the guest crashed and goes on without sense", on, fix=lambda: _anew(domain)
        )
    return ok(seen)


def _paused(case: Case, reason: str, seen: str) -> Seen:
    domain, resume = case.domain, virsh(case, "resume", case.name)
    if reason in _BUSY:
        return ok(f"{seen}: this passes by itself")
    if reason == "I/O error":
        cause = "QEMU stopped it because a disk could not be read or written: often it is full"
        look = f"{virsh(case, 'domblkerror', case.name)}; df -h; make space, then {resume}"
        return fail(seen, cause, look, fix=domain.resume.plan)
    if reason in {"crashed", "watchdog"}:
        cause = "the guest panicked" if reason == "crashed" else "its watchdog was not served"
        on = f"{virsh(case, 'destroy', case.name)}; {virsh(case, 'start', case.name)}"
        return fail(seen, cause, on, fix=lambda: _anew(domain))
    if reason == "post-copy failed":
        cause = "a migration was cut off after the switch: each host has a part of its memory"
        return fail(seen, cause, "domain.resume_postcopy(destination); destroy neither of them")
    said = "somebody paused it" if reason == "user" else f"it was left paused: {reason}"
    return warning(seen, said, resume, fix=domain.resume.plan)


@check("domain.hung", "Does the hypervisor process of {name} answer?", guide="G19-01", limit_s=4.0)
def hung(case: Case) -> Seen | None:
    """Look at the state of the process, and at whether it owes libvirt an answer."""
    if not case.record.is_active:
        return None
    patient, domain = case.patient, case.domain
    if silent := patient.silence(domain):
        return _silent(case, silent)
    try:
        process = patient.processes.get(domain.uuid)
    except LabvirtError as error:
        process, why = None, error.what
    else:
        why = "no process with its UUID is to be seen there"
    if process is not None and not patient.deep:
        return ok(f"{process} is {process.words}, and owes libvirt no answer")
    if examined.has_monitor(case.host, domain.uuid, 2.0):
        return ok(f"{process or 'QEMU'} answered")
    said = f"no answer to a monitor command in 2 s; {why if process is None else process.words}"
    return _silent(case, said)


def _silent(case: Case, said: str) -> Seen:
    process = None
    try:
        process = case.patient.processes.get(case.domain.uuid)
    except LabvirtError as error:
        said = f"{said}; {error.what}"
    kill = virsh(case, "destroy", case.name)
    if process is not None and process.state in {"T", "t"}:
        by = "a debugger holds it" if process.state == "t" else "somebody sent it SIGSTOP"
        return fail(said, f"{by}: the guest stands still", f"kill -CONT {process.pid}")
    if process is not None and process.state == "D":
        cause = "it waits for a disk that does not answer: often NFS or a path of multipath"
        return fail(said, cause, f"dmesg | tail; mount; when all is lost {kill}")
    cause = "QEMU hangs: a disk does not answer, or QEMU itself is at fault"
    look = "ps -o pid,stat,wchan:30,cmd -C qemu-system-x86_64"
    return fail(said, cause, f"{look}; when all is lost {kill}")


@check("domain.job", "Is {name} busy with nothing for too long?", guide="G12.1-01", needs="monitor")
def busy(case: Case) -> Seen | None:
    """Look at the job that runs."""
    if not case.record.is_active:
        return None
    try:
        job = examined.job(case.host, case.domain.uuid)
    except LabvirtError as error:
        return unknown(error.what)
    if not job.is_running:
        return ok("it is busy with nothing")
    what, since = job.operation or job.kind, job.elapsed_ms / 1000
    seen = f"{what} for {since:.0f} s, {job.data_remaining >> 20} MiB left"
    if since < _LONG_S:
        return ok(seen)
    cause = f"{what} does not come to an end; other changes of the domain wait for it"
    moving = what == "migration_out"
    remedy = virsh(case, "domjobabort", case.name)
    fix = case.domain.abort_migration.plan if moving else None
    return warning(seen, cause, remedy, fix=fix)


@check("domain.saved", "Would {name} come back as it is defined?", guide="G15-18")
def saved(case: Case) -> Seen | None:
    """Compare the machine in the managed save with the stored definition."""
    record, domain = case.record, case.domain
    if not record.has_managed_save:
        return None
    kept = examined.saved(case.host, domain.uuid)
    if kept is None:
        return unknown("the saved machine cannot be read")
    old, new = _shape(DomainXml.parse(kept)), _shape(case.patient.document(domain, stored=True))
    differ = [
        f"{name}: saved {old[name]}, defined {new[name]}" for name in new if old[name] != new[name]
    ]
    if not differ:
        return ok("saved, and the definition is still the same")
    cause = "the definition was changed after the save: a start brings the saved machine back"
    remedy = (
        f"start it and shut it down inside, or {virsh(case, 'managedsave-remove', case.name)}, "
        "which loses the guest's memory"
    )
    return warning("; ".join(differ), cause, remedy, fix=domain.managed_save_remove.plan)


def _shape(document: DomainXml) -> dict[str, object]:
    return {
        "memory": str(document.memory),
        "CPUs": document.vcpus,
        "machine": document.machine,
        "kernel": document.kernel,
        "command line": document.cmdline,
        "disks": [(each.target, each.source_path) for each in document.disks],
        "interfaces": [(each.mac, each.source_network) for each in document.interfaces],
    }


@check("domain.pending", "Does {name} run as it is defined?", guide="G16.7-04")
def pending(case: Case) -> Seen | None:
    """Compare the running domain with its stored definition."""
    if not (case.record.is_active and case.record.persistent):
        return None
    diff = case.domain.pending
    if not diff:
        return ok("nothing waits for the next start")
    lines = [
        line.strip()
        for line in diff.splitlines()
        if line[:1] in {"+", "-"} and not line.startswith(("+++", "---"))
    ]
    seen = "; ".join(lines[:4]) + (f"; and {len(lines) - 4} lines more" if len(lines) > 4 else "")
    cause = "the definition was changed while it ran: it holds from the next start"
    remedy = f"{virsh(case, 'shutdown', case.name)}; {virsh(case, 'start', case.name)}"
    return warning(seen, cause, remedy)


@check("domain.on-crash", "Is it settled what becomes of {name} when it ends?", guide="G15-09")
def ends(case: Case) -> Seen:
    """Look at what a reboot and a crash of the guest do."""
    document = case.patient.document(case.domain, stored=case.record.persistent)
    seen = (
        f"on_poweroff={document.on_poweroff or 'destroy'}, on_reboot={document.on_reboot or 'restart'}, "
        f"on_crash={document.on_crash or 'destroy'}"
    )
    domain = case.domain
    if document.on_poweroff == "restart":
        cause = "a shutdown inside the guest starts it again"
        fix = partial(domain.change.plan, on_poweroff="destroy")
        return warning(
            seen, cause, f"{virsh(case, 'edit', case.name)}: <on_poweroff>destroy", fix=fix
        )
    if document.on_reboot == "destroy" and case.record.persistent:
        cause = "a reboot inside the guest turns it off: an installation often leaves this behind"
        fix = partial(domain.change.plan, on_reboot="restart")
        return warning(
            seen, cause, f"{virsh(case, 'edit', case.name)}: <on_reboot>restart", fix=fix
        )
    asked = document.on_crash not in {None, "destroy"}
    if asked and not document.panics:
        cause = "without a panic device libvirt does not learn that the guest's kernel panicked"
        return warning(seen, cause, "<panic model='isa'/> in <devices>, then start it anew")
    return ok(seen)


@check("domain.transient", "Is {name} still there after it is off?", guide="G15-06")
def transient(case: Case) -> Seen:
    """Look whether it has a stored definition."""
    if case.record.persistent:
        return ok("its definition is stored")
    return not_here("it is transient: when it is off, it is gone")
