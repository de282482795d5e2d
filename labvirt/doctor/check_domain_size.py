"""Checks of how large a domain is: memory, processors, huge pages, balloon, channel of the agent."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from labvirt.doctor.case import AGENT
from labvirt.doctor.check_domain import virsh
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, warning
from labvirt.model.channel import ChannelSpec
from labvirt.status.finding import amount

if TYPE_CHECKING:
    from labvirt.doctor.case import Case
    from labvirt.model.xml.domain import DomainXml

__all__: list[str] = []

#: A balloon that leaves a guest less than this part of its memory deserves a thought.
_SQUEEZED: Final = 0.25


def _stored(case: Case) -> DomainXml:
    return case.patient.document(case.domain, stored=case.record.persistent)


@check("domain.memory", "Has the host the memory of {name}?", guide="G17.4-03")
def memory(case: Case) -> Seen:
    """Compare the domain's memory with that of the machine, and look how much the balloon took."""
    record, domain = case.record, case.domain
    whole = int(case.patient.node.memory)
    most, now = int(record.max_memory), int(record.memory)
    seen = f"{amount(now)} of at most {amount(most)}; the host has {amount(whole)}"
    if most > whole:
        fits = f"{max(1, whole // 2 >> 20)} MiB"
        cause = "it may take more memory than the whole machine has: the kernel will kill processes"
        fix = partial(domain.set_max_memory.plan, fits) if record.persistent else None
        return fail(seen, cause, f"domain.set_max_memory({fits!r})", fix=fix)
    if record.is_active:
        if now < most * _SQUEEZED:
            cause = "the balloon has taken most of its memory: the guest may run out of it"
            fix = partial(domain.set_memory.plan, f"{most >> 20} MiB", live=True)
            remedy = virsh(case, "setmem", case.name, str(most >> 10), "--live")
            return warning(seen, cause, remedy, fix=fix)
        return ok(seen)
    free = int(case.patient.once("free memory", case.host.free_memory))
    if most > free and _available(case) < most:
        cause = f"only {amount(free)} are free now: other guests would be swapped out"
        return warning(seen, cause, "shut other guests down, or set_max_memory() to less")
    return ok(seen)


def _available(case: Case) -> int:
    """Return what the kernel could give, caches included, in bytes."""
    text = case.patient.once("meminfo", lambda: case.machine.read("/proc/meminfo")) or ""
    found = re.search(r"MemAvailable:\s+(\d+) kB", text)
    return int(found[1]) << 10 if found else 0


@check("domain.vcpus", "Has the host the processors of {name}?", guide="G17.4-07")
def vcpus(case: Case) -> Seen:
    """Compare the domain's virtual CPUs with those of the machine."""
    document, cpus = _stored(case), case.patient.node.cpus
    count = document.vcpus or 1
    seen = f"{count} virtual CPUs; the host has {cpus}"
    most = _most(case, document)
    fix = partial(case.domain.change.plan, vcpus=cpus) if case.record.persistent else None
    if most and count > most:
        cause = f"its machine type takes at most {most}: it cannot start"
        return fail(seen, cause, f"domain.change(vcpus={min(most, cpus)})", fix=fix)
    if count > cpus:
        cause = "more virtual CPUs than the host has: they wait for each other"
        return warning(seen, cause, f"domain.change(vcpus={cpus})", fix=fix)
    wanted = _pinned(document)
    missing = sorted(wanted - set(range(cpus))) if wanted else []
    if missing and len(missing) == len(wanted):
        cause = f"it may run on CPUs {document.vcpu_cpuset} only, which the host does not have"
        return fail(seen, cause, "domain.change(vcpu_cpuset=None)")
    return ok(seen)


def _most(case: Case, document: DomainXml) -> int:
    return case.patient.capabilities_for(document).max_vcpus if document.type else 0


def _pinned(document: DomainXml) -> set[int]:
    """Return the host's CPUs to which it is bound: ``0-3,^2``."""
    found: set[int] = set()
    for part in (document.vcpu_cpuset or "").split(","):
        without = part.startswith("^")
        first, _, last = part.lstrip("^").partition("-")
        if not first.strip().isdecimal():
            continue
        numbers = set(range(int(first), int(last or first) + 1))
        found = found - numbers if without else found | numbers
    return found


@check("domain.hugepages", "Are there huge pages for {name}?", guide="G17.4-02", needs="machine")
def hugepages(case: Case) -> Seen:
    """Compare the memory it wants from huge pages with those that are free."""
    document = _stored(case)
    if not document.hugepages:
        return not_here("it asks for none")
    if case.record.is_active and case.document.hugepages:
        return ok("it runs with them")
    text = case.patient.once("meminfo", lambda: case.machine.read("/proc/meminfo")) or ""
    facts = dict(re.findall(r"(HugePages_Free|HugePages_Total|Hugepagesize):\s+(\d+)", text))
    page = int(facts.get("Hugepagesize", 2048)) << 10
    free, total = int(facts.get("HugePages_Free", 0)), int(facts.get("HugePages_Total", 0))
    wanted = -(-int(document.memory or 0) // page)
    seen = f"{wanted} pages of {amount(page)} wanted, {free} of {total} are free"
    if wanted <= free:
        return ok(seen)
    cause = "too few huge pages are free: the domain cannot start"
    more = total + wanted - free
    kept = f"echo vm.nr_hugepages={more} > /etc/sysctl.d/60-hugepages.conf"
    return fail(seen, cause, f"sysctl vm.nr_hugepages={more}; to keep it: {kept}")


@check("domain.balloon", "Can the memory of {name} be changed while it runs?", guide="G15-24")
def balloon(case: Case) -> Seen:
    """Look for the balloon device."""
    devices = _stored(case).memballoons
    if devices and devices[0].model not in {None, "none"}:
        return ok(f"balloon of model {devices[0].model}")
    cause = "without a balloon its memory cannot be changed, and libvirt does not see what it uses"
    remedy = f"{virsh(case, 'edit', case.name)}: <memballoon model='virtio'/>, then start it anew"
    return warning("no balloon device", cause, remedy)


@check("domain.agent", "Has {name} a channel for the guest agent?", guide="G15-24")
def agent(case: Case) -> Seen:
    """Look for the channel; whether an agent answers on it is guest.agent."""
    channels = [each for each in _stored(case).channels if each.target_name == AGENT]
    if channels:
        return ok(f"channel {AGENT}")
    cause = "without it nobody can ask the guest for addresses, freeze its disks or set its clock"
    spec = ChannelSpec(name=AGENT)
    remedy = f"domain.attach(ChannelSpec()), then install qemu-guest-agent in {case.name}"
    return warning("no channel", cause, remedy, fix=partial(case.domain.attach.plan, spec))
