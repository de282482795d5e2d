"""What a form says of the host's numbers: how much is left, and what would be too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.model.capacity import MOST_VCPUS_PER_CPU, memory_ratio, swap_wanted, vcpu_ratio
from labvirt.model.units import Size
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from labvirt.host.offering import HostOffer

__all__ = ["advice", "numbers", "room"]


def numbers(offer: HostOffer) -> str:
    """Return the host's numbers in a sentence (G2.2-12)."""
    text = _(
        "{host} has {memory} of memory ({free} free; its running VMs may take {given}) and {cpus} "
        "CPUs (running VMs have {vcpus}); a VM may have {most} virtual CPUs at most."
    )
    return text.format(
        host=offer.name,
        memory=short(offer.memory),
        free=short(offer.free_memory),
        given=short(offer.given_memory),
        cpus=offer.cpus,
        vcpus=offer.given_vcpus,
        most=offer.max_vcpus,
    )


def room(offer: HostOffer) -> str:
    """Return how much is free in the pools, in a sentence; empty when there is no pool."""
    if not offer.pools:
        return ""
    pairs = zip(offer.pools, offer.free, strict=False)
    listed = ", ".join(f"{name} {short(free)}" for name, free in pairs)
    return _("Free in storage pools: {pools}.").format(pools=listed)


def advice(offer: HostOffer, memory: int, vcpus: int) -> tuple[str, ...]:
    """Return what hurts when one more machine of this size runs (G17.4-01 to G17.4-07).

    Args:
        offer: the host's numbers.
        memory: bytes it would have.
        vcpus: virtual CPUs it would have.
    """
    found = []
    wanted = offer.given_memory + memory
    ratio = memory_ratio(offer.memory, wanted)
    if ratio > 0:
        text = _(
            "Memory overcommit: running VMs could have {wanted} together, {host} has {memory}. "
            "It should then have {swap} of swap space (0.5 × memory + {ratio} × memory); without "  # noqa: RUF001
            "it processes are killed."
        )
        swap = swap_wanted(offer.memory, ratio)
        found.append(
            text.format(
                wanted=short(wanted),
                host=offer.name,
                memory=short(offer.memory),
                swap=short(swap),
                ratio=f"{ratio:.2f}",
            )
        )
    elif 0 < offer.free_memory < memory:
        text = _("Only {free} of memory are free on {host} now; idle pages would be swapped.")
        found.append(text.format(free=short(offer.free_memory), host=offer.name))
    if 0 < offer.cpus < vcpus:
        text = _("More virtual CPUs ({vcpus}) than {host} has CPUs ({cpus}): never do that (17.4).")
        found.append(text.format(vcpus=vcpus, host=offer.name, cpus=offer.cpus))
    share = vcpu_ratio(offer.cpus, offer.given_vcpus + vcpus)
    if share > MOST_VCPUS_PER_CPU:
        text = _("{share} virtual CPUs would share each CPU of {host}; {most} are the most.")
        found.append(text.format(share=f"{share:.1f}", host=offer.name, most=MOST_VCPUS_PER_CPU))
    return tuple(found)


def short(size: int) -> str:
    """Return a size as people read it: three digits and a unit."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{Size(size).gib / 1024:.3g} TiB"
