"""What may be asked of a lab: its name, the names of its hosts, its back end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labvirt.errors import Problem, SpecError
from labvirt.model.names import check_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.lab.records import BackendName

__all__ = ["BACKENDS", "HOST_NAMES", "check_lab_name", "check_shape"]

HOST_NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
"""Names of hosts that are only counted; their number is the largest a lab can have."""

BACKENDS: dict[str, tuple[BackendName, ...]] = {
    "auto": ("system", "session"),
    "system": ("system",),
    "session": ("session",),
}
"""What may be asked for -> the back ends to try, in order."""

_LONGEST_LAB, _LONGEST_HOST = 40, 24
_HOST_NAME = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_TAKEN = ("localhost",)


def check_lab_name(name: str) -> str:
    """Return a lab's name when it may have it.

    Raises:
        SpecError: it may not; says why.
    """
    check_name(name, what="lab", mode="safe")
    if len(name) > _LONGEST_LAB:
        raise SpecError(
            "this cannot be a lab's name",
            [Problem("name", f"{name[:20]}...", f"is longer than {_LONGEST_LAB} characters")],
        )
    return name


def check_shape(name: str, hosts: int | Sequence[str], backend: str) -> tuple[str, ...]:
    """Check all that is asked of a lab and return the names of its hosts.

    Args:
        name: the lab's name.
        hosts: how many hosts, or their names.
        backend: the back end.

    Raises:
        SpecError: with everything that is wrong.
    """
    check_lab_name(name)
    problems = []
    if backend not in BACKENDS:
        problems.append(
            Problem("backend", str(backend), "no such back end", f"one of {', '.join(BACKENDS)}")
        )
    names: tuple[str, ...] = ()
    if isinstance(hosts, int):
        names = HOST_NAMES[:hosts] if hosts > 0 else ()
        count = hosts
    else:
        # A text would be taken for its letters.
        names = (hosts,) if isinstance(hosts, str) else tuple(hosts)
        count = len(names)
    if not 1 <= count <= len(HOST_NAMES):
        problems.append(
            Problem("hosts", str(count), "not a possible number", f"1 to {len(HOST_NAMES)}")
        )
    problems += [problem for each in names if (problem := _problem_of(each)) is not None]
    if len(set(names)) != len(names):
        problems.append(Problem("hosts", ", ".join(names), "two hosts have the same name"))
    if problems:
        raise SpecError(f"there cannot be such a lab {name}", problems)
    return names


def _problem_of(host: str) -> Problem | None:
    """Return what is wrong with a host's name: it becomes a host name and a part of paths."""
    rule = "a letter a-z, then letters a-z, digits and '-', e.g. 'alpha'"
    if not _HOST_NAME.fullmatch(str(host)):
        return Problem("hosts", str(host)[:40], "cannot be a host's name", rule)
    if len(host) > _LONGEST_HOST:
        return Problem("hosts", f"{host[:20]}...", f"is longer than {_LONGEST_HOST} characters")
    if host in _TAKEN:
        return Problem("hosts", host, "means every machine itself", rule)
    return None
