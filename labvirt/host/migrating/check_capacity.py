"""Pre-flight of room at the destination: memory, overcommitment, processors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.status.finding import Finding, amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.migrating.sides import Look

__all__ = ["check_memory", "check_vcpus"]


def check_memory(look: Look) -> Iterator[Finding]:
    """Judge memory now, and when all guests of the destination take what they may."""
    there, record = look.destination, look.record
    question = f"Has {there.name} memory for it?"
    if look.spec.offline:
        yield Finding("memory", question, "n/a", "only the definition moves")
        return
    if not there.memory:
        yield Finding("memory", question, "unknown")
        return
    needed, most = int(record.memory), int(record.max_memory)
    evidence = f"{amount(needed)} of {amount(there.available)} that can be had; {amount(there.memory)} in all"
    if needed > there.memory:
        cause = f"{look.name} has more memory than {there.name}: {amount(needed)}"
        yield Finding("memory", question, "fail", evidence, cause, "a larger host")
    elif needed > there.available:
        cause = (
            f"{there.name} has {amount(there.available)} left for {amount(needed)}: it would swap"
        )
        remedy = f"virsh setmem {look.name} SIZE --live, or another host"
        yield Finding("memory", question, "warning", evidence, cause, remedy)
    else:
        yield Finding("memory", question, "ok", evidence)
    question = f"Is the memory of {there.name} not promised twice?"
    promised = sum(int(one.max_memory) for one in there.domains if one.id is not None) + most
    evidence = f"{amount(promised)} promised of {amount(there.memory)}"
    if promised > there.memory:
        share = promised / there.memory
        cause = f"the guests of {there.name} may then take {share:.0%} of its memory"
        yield Finding("overcommit", question, "warning", evidence, cause, "swap, or fewer guests")
    else:
        yield Finding("overcommit", question, "ok", evidence)


def check_vcpus(look: Look) -> Iterator[Finding]:
    """Judge how many virtual processors it has for what the destination can give."""
    there, count = look.destination, look.document.vcpus or 1
    question = f"Can {there.name} give {count} virtual CPU{'s' * (count != 1)}?"
    if there.max_vcpus and count > there.max_vcpus:
        cause = f"{there.name} gives a domain at most {there.max_vcpus} virtual CPUs"
        yield Finding("vcpus", question, "fail", f"{count} wanted", cause, "fewer vcpus")
    elif there.cpus and count > there.cpus:
        cause = f"{there.name} has only {there.cpus} processors"
        yield Finding("vcpus", question, "warning", f"{count} wanted", cause, "a larger host")
    else:
        yield Finding("vcpus", question, "ok", f"{count} of {there.cpus or 'an unknown number'}")
