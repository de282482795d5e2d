"""Plugging guests in again: a network that was stopped and started knows none of its old taps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.connection import domain as domains
from labvirt.errors import LabvirtError, NotFoundError, PlanError
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["ReplugGuests"]


@dataclass(frozen=True)
class ReplugGuests(Action["Host"]):
    """Take the cable of guests out and put it in again, on the network that was started anew."""

    kind: ClassVar[str] = "replug-guests"
    name: str
    pairs: tuple[tuple[str, str], ...]
    names: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"plug {', '.join(self.names)} into network {self.name} again"

    def do(self, host: Host, control: JobControl) -> None:
        for uuid, mac in self.pairs:
            control.check()
            try:
                self._replug(host, uuid, mac)
            except NotFoundError:
                continue

    def _replug(self, host: Host, uuid: str, mac: str) -> None:
        raise NotImplementedError

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        return
