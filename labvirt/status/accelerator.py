"""What the accelerator of a guest has done: TCG's translator, or KVM's exits; and how it is told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["AcceleratorRecord", "parse_info_jit", "parse_query_stats"]

#: What may stand behind a number of ``info jit``: words for people, or a share of something.
_NUMBER = re.compile(r"(?P<first>-?\d+(?:\.\d+)?)(?:/(?P<second>\d+))?(?P<percent>\s?%)?")
_SHARE = re.compile(r"\((?P<percent>\d+)%\)")
_MAXIMUM = re.compile(r"max=(?P<most>\d+)")


@dataclass(frozen=True, slots=True)
class AcceleratorRecord:
    """Counters of the accelerator of one guest.

    Attributes:
        domain: name of the domain.
        accelerator: ``tcg`` (QEMU translates the guest's code) or ``kvm``.
        counters: by name. Under TCG: ``gen_code_size_bytes``, ``tb_count`` (blocks of code that
            were translated), ``tb_flush_count``, ``tlb_full_flushes`` ...; under KVM the names
            of ``query-stats``: ``exits``, ``halt_exits``; those of a vCPU begin with ``vcpu0.``.
        read_at: when it was read, UTC.
    """

    domain: str
    accelerator: str
    counters: Mapping[str, float]
    read_at: datetime = field(compare=False)


def parse_info_jit(text: str) -> dict[str, float]:
    """Read the answer of QEMU's monitor command ``info jit``.

    The name of a counter is its line's words with ``_`` between them; ``A/B`` gives a second
    counter ``..._limit``, a share in brackets ``..._percent``, ``max=`` gives ``..._max``.
    """
    found: dict[str, float] = {}
    for line in text.splitlines():
        # A name ends where the columns begin: after two spaces, or at the first digit.
        parts = re.match(r"(?P<name>[A-Za-z][A-Za-z. ]*?)\s+(?P<rest>-?\d.*)$", line)
        if parts is None:
            continue
        number = _NUMBER.match(parts["rest"])
        if number is None:
            continue
        name = "_".join(parts["name"].lower().replace(".", "").split())
        if name.endswith(("_size", "code_size")) and "count" not in name:
            name += "_bytes"
        if number["percent"]:
            name += "_percent"
        found[name] = float(number["first"])
        if number["second"]:
            found[f"{name}_limit"] = float(number["second"])
        if share := _SHARE.search(parts["rest"]):
            found[f"{name}_percent"] = float(share["percent"])
        if most := _MAXIMUM.search(parts["rest"]):
            found[f"{name}_max"] = float(most["most"])
    return found


def parse_query_stats(
    machine: Sequence[Mapping[str, Any]], vcpus: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Read the answers of QEMU's ``query-stats`` for a guest and for its vCPUs.

    Histograms (values that are lists) are left out.
    """
    found: dict[str, float] = {}
    for told in machine:
        found |= _numbers(told, "")
    for number, told in enumerate(vcpus):
        path = str(told.get("qom-path", ""))
        index = re.search(r"\[(\d+)\]$", path)
        found |= _numbers(told, f"vcpu{index.group(1) if index else number}.")
    return found


def _numbers(told: Mapping[str, Any], prefix: str) -> dict[str, float]:
    return {
        f"{prefix}{each['name']}".replace("-", "_"): float(each["value"])
        for each in told.get("stats", ())
        if isinstance(each.get("value"), (int, float))
    }
