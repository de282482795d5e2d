"""Pre-flight of the hosts themselves: there, writable, alike; names free; the domain idle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.status.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.migrating.sides import Look, Side

__all__ = [
    "check_clocks",
    "check_domain",
    "check_driver",
    "check_names",
    "check_reach",
    "check_versions",
    "check_way_of_sending",
]

#: A guest's clock follows the host's; TLS certificates and logs need hosts that agree.
MOST_CLOCK_S: Final = 1.0


def check_reach(look: Look) -> Iterator[Finding]:
    """Judge whether both hosts answer, may be changed, and are two."""
    for role, side in (("source", look.source), ("destination", look.destination)):
        question = f"Does {side.name} answer?"
        if side.error:
            yield Finding(
                f"{role}-answers",
                question,
                "fail",
                side.error,
                f"{side.name} gives no answer",
                f"virsh -c {side.label} version",
                "G12.3-01",
            )
        else:
            evidence = f"{side.label}: libvirt {side.daemon}, {side.driver} {side.hypervisor}"
            yield Finding(f"{role}-answers", question, "ok", evidence, guide="G12.3-01")
        yield _writable(role, side)
    question = "Are source and destination two hosts?"
    if look.is_same:
        cause = "source and destination are the same host"
        yield Finding("two-hosts", question, "fail", look.source.label, cause, "name another host")
    else:
        yield Finding("two-hosts", question, "ok", f"{look.source.name}, {look.destination.name}")


def _writable(role: str, side: Side) -> Finding:
    question = f"May {side.name} be changed?"
    if not side.readonly:
        return Finding(f"{role}-writable", question, "ok", guide="G2.2-01")
    return Finding(
        f"{role}-writable",
        question,
        "fail",
        side.label,
        f"{side.name} is open read-only",
        "open the host again without readonly=True",
        "G2.2-01",
    )


def check_driver(look: Look) -> Iterator[Finding]:
    """Judge whether both hosts have the same kind of hypervisor."""
    here, there = look.source, look.destination
    question = "Have both hosts the same kind of hypervisor?"
    if here.driver == there.driver:
        yield Finding("driver", question, "ok", here.driver, guide="G12.3-01")
        return
    yield Finding(
        "driver",
        question,
        "fail",
        f"{here.name} has {here.driver}, {there.name} has {there.driver}",
        f"{there.name} runs {there.driver}, and not {here.driver}",
        f"a host with {here.driver}",
        "G12.3-01",
    )


def check_versions(look: Look) -> Iterator[Finding]:
    """Judge versions of libvirt and of the hypervisor: an older one there is a risk."""
    here, there = look.source, look.destination
    pairs = (
        ("libvirt", "libvirt-version", here.daemon, there.daemon),
        (here.driver, "hypervisor-version", here.hypervisor, there.hypervisor),
    )
    for what, key, ours, theirs in pairs:
        question = f"Is {what} of {there.name} as new as that of {here.name}?"
        evidence = f"{here.name} {ours}, {there.name} {theirs}"
        if not ours or not theirs:
            yield Finding(key, question, "unknown", evidence, guide="G12.1-02")
        elif _number(theirs) < _number(ours):
            yield Finding(
                key,
                question,
                "warning",
                evidence,
                f"{what} {theirs} of {there.name} is older than {ours} of {here.name}: going back "
                "to an older one is not supported by anybody",
                f"update {there.name}, or move the other way round",
                "G12.1-02",
            )
        else:
            yield Finding(key, question, "ok", evidence, guide="G12.1-02")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def check_clocks(look: Look) -> Iterator[Finding]:
    """Judge whether the clocks of both hosts agree."""
    question = "Do the clocks of both hosts agree?"
    here, there = look.source.clock_ahead_s, look.destination.clock_ahead_s
    if here is None or there is None:
        evidence = "nothing can be run on both hosts, and libvirt does not tell the time"
        remedy = "compare `chronyc tracking` on both"
        yield Finding("clocks", question, "unknown", evidence, remedy=remedy)
        return
    apart = there - here
    evidence = f"{look.destination.name} is {apart:+.2f} s from {look.source.name}"
    if abs(apart) <= MOST_CLOCK_S:
        yield Finding("clocks", question, "ok", evidence)
        return
    cause = f"the clocks are {abs(apart):.1f} s apart: a guest that reads its host's clock jumps"
    yield Finding("clocks", question, "warning", evidence, cause, "run chronyd on both hosts")


def check_names(look: Look) -> Iterator[Finding]:
    """Judge whether name and UUID are free at the destination."""
    there, name = look.destination, look.spec.rename or look.name
    namesake = next((one for one in there.domains if one.name == name), None)
    twin = next((one for one in there.domains if one.uuid == look.uuid), None)
    question = f"Is the name {name} free on {there.name}?"
    if namesake is not None and (namesake.uuid != look.uuid or namesake.id is not None):
        yield Finding(
            "name",
            question,
            "fail",
            f"{namesake.name} {namesake.uuid} is {namesake.state.text}",
            f"{there.name} has a domain {name} ({namesake.state.text}) already",
            f"migrate(..., rename='{name}-2'), or rename the one there",
        )
    else:
        kept = "its own older definition is there and will be replaced" if namesake else "free"
        yield Finding("name", question, "ok", kept)
    question = f"Is its UUID free on {there.name}?"
    if twin is not None and (twin.id is not None or twin.name != name):
        yield Finding(
            "uuid",
            question,
            "fail",
            f"{twin.uuid} is {twin.name}, {twin.state.text}",
            f"{there.name} has a domain with this UUID already: {twin.name}",
            f"virsh -c {there.label} undefine {twin.name}, if it is a forgotten copy",
        )
    else:
        yield Finding("uuid", question, "ok", look.uuid)


def check_domain(look: Look) -> Iterator[Finding]:
    """Judge the domain itself: its state, what it is busy with, what libvirt keeps of it."""
    yield _state(look)
    question = f"Is {look.name} busy with nothing else?"
    busy = ([look.job] if look.job else []) + [
        f"{kind} of {target}" for target, kind in sorted(look.block_jobs.items())
    ]
    if busy:
        told = ", ".join(busy)
        cause = f"a job of {look.name} is under way: {told}"
        remedy = f"wait for its end, or virsh domjobabort {look.name}"
        if look.block_jobs:
            remedy = f"wait, or virsh blockjob {look.name} {min(look.block_jobs)} --abort"
        yield Finding("job", question, "fail", told, cause, remedy)
    else:
        yield Finding("job", question, "ok")
    for key, what, count in (
        ("snapshots", "snapshots", look.snapshots),
        ("checkpoints", "checkpoints", look.checkpoints),
    ):
        question = f"Has {look.name} no {what}?"
        if count:
            yield Finding(
                key,
                question,
                "fail",
                f"{count} {what}",
                f"libvirt does not migrate a domain with {what} ({count})",
                f"virsh {what.removesuffix('s')}-delete {look.name} NAME --metadata keeps the "
                "data and forgets the entry",
            )
        else:
            yield Finding(key, question, "ok")


def check_way_of_sending(look: Look) -> Iterator[Finding]:
    """Judge what is asked of QEMU where it is known to fail."""
    question = "Is the way of sending safe?"
    if look.spec.compression == "mt" and not look.spec.unsafe:
        # QEMU 7.2: seen to panic after it, though the migration was told to be well; QEMU 9.1
        # has taken this kind of compression out.
        cause = "compression='mt' can corrupt the guest's memory"
        remedy = "take 'xbzrle', or unsafe=True if you must"
        yield Finding("sending", question, "fail", "compression='mt'", cause, remedy)
    else:
        yield Finding("sending", question, "ok")


def _state(look: Look) -> Finding:
    is_active, text = look.record.id is not None, look.record.state.text
    question = "Is the domain in a state that can be moved?"
    if look.spec.offline and is_active:
        cause = f"{look.name} is running, and an offline migration moves what is shut off"
        return Finding("state", question, "fail", text, cause, "leave out offline=True")
    if not look.spec.offline and not is_active:
        cause = f"{look.name} is not running (offline=True moves its definition)"
        return Finding("state", question, "fail", text, cause, "migrate(..., offline=True)")
    if look.spec.offline and not look.record.persistent:
        cause = f"{look.name} is transient: it has no definition that could move"
        return Finding("state", question, "fail", text, cause)
    if look.record.has_managed_save:
        cause = f"{look.name} has saved memory on {look.source.name}, which stays there"
        remedy = f"virsh managedsave-remove {look.name}, or start it and move it live"
        return Finding("state", question, "warning", text, cause, remedy)
    return Finding("state", question, "ok", f"{text} ({look.record.reason})")
