"""The action that defines a secret object; it never has a value in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.connection import secret as secrets
from labvirt.errors import ConflictError, NotFoundError
from labvirt.host.shell import fed
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["DefineSecret"]


@dataclass(frozen=True)
class DefineSecret(Action["Host"]):
    """Define a secret object, without a value."""

    kind: ClassVar[str] = "define-secret"
    name: str
    uuid: str
    definition: str

    @property
    def title(self) -> str:
        return f"define secret {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed("secret-define", self.definition),)

    def check(self, host: Host) -> None:
        host.require_writable(self.title)
        for record in secrets.list_all(host.connection):
            if record.usage == self.name or record.uuid == self.uuid:
                raise ConflictError(
                    self.title,
                    uri=host.label,
                    libvirt_text=f"secret {record.name} ({record.uuid}) exists already",
                    hint=f"host.secrets[{record.name!r}].set_value(...) gives it another value",
                )

    def do(self, host: Host, control: JobControl) -> None:
        secrets.define(host.connection, self.definition)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            secrets.undefine(host.connection, self.uuid)
        except NotFoundError:
            return
