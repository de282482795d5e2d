"""Resource: a pool, a volume or another small object of a host, and its one-call plans."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, TypeVar

from labvirt.plan import Action, Call, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection import Connection
    from labvirt.host.host import Host
    from labvirt.plan import JobControl

__all__ = ["Resource"]

R = TypeVar("R")


class Resource:
    """Something of a host with a name and a UUID; found anew at each call."""

    #: What it is, in messages: ``pool``.
    noun = "object"

    def __init__(self, host: Host, uuid: str, name: str) -> None:
        self.host = host
        self.uuid = uuid
        self.name = name

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<{type(self).__name__} {self.name} on {self.host.name}>"

    def __eq__(self, other: object) -> bool:
        """Two are equal when they mean the same object of the same host."""
        if not isinstance(other, Resource) or type(other) is not type(self):
            return NotImplemented
        return (self.uuid, self.host) == (other.uuid, other.host)

    def __hash__(self) -> int:
        return hash(self.uuid)

    @property
    def python(self) -> str:
        """Python text that finds it."""
        return f"{self.host.python}.{self.noun}s[{self.name!r}]"

    def one_call(  # the shape of every simple verb
        self,
        text: str,
        run: Callable[[Connection, JobControl], R],
        *,
        virsh: tuple[object, ...] = (),
        python: str = "",
        diff: str = "",
        destroys: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
        confirm: bool = False,
    ) -> Plan[R]:
        """Return the plan of one call on this object."""
        action: Call[Host, R] = Call(
            f"{text} {self.noun} {self.name}",
            lambda host, control: run(host.connection, control),
            line=shlex.join(str(word) for word in virsh),
            change=diff,
            loses=destroys,
            before=lambda host: host.require_writable(f"{text} {self.noun} {self.name}"),
        )
        return self.plan_of(
            (action,),
            lambda: action.results[-1],
            title=action.text,
            python=python,
            warnings=warnings,
            confirm=confirm,
        )

    def plan_of(
        self,
        actions: tuple[Action[Any], ...],
        result: Callable[[], R],
        *,
        title: str,
        python: str = "",
        warnings: tuple[str, ...] = (),
        confirm: bool = False,
    ) -> Plan[R]:
        """Return a plan of several actions on this object."""
        return Plan(
            title=title,
            host=self.host,
            actions=actions,
            result=result,
            warnings=warnings,
            python=f"{self.python}{python}" if python else "",
            confirmed=confirm,
            journal=self.host.journal,
        )
