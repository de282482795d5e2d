"""Secret objects of a host: passphrases of LUKS volumes, passwords of iSCSI, keys of Ceph.

A value goes from the caller to libvirt and nowhere else: no plan, journal, error or virsh line has
it, and it is never read back.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.connection import secret as secrets
from labvirt.errors import Problem, SpecError
from labvirt.host.collection import Collection, Table
from labvirt.host.resource import Resource
from labvirt.host.storage.secret_actions import DefineSecret
from labvirt.host.validate import require_valid
from labvirt.model.ident import new_uuid
from labvirt.plan import Call, Plan, verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host.host import Host
    from labvirt.model.secret import SecretSpec
    from labvirt.plan import Action
    from labvirt.status import SecretRecord

__all__ = ["Secret", "plan_secret", "secrets_of"]

SECRETS = Table(
    "secret",
    [
        ("usage", "", lambda r: r.usage),
        ("usage_type", "", lambda r: r.usage_type),
        ("uuid", "", lambda r: r.uuid),
        ("read_at", "UTC", lambda r: r.read_at),
    ],
)


def _bytes_of(value: object) -> bytes:
    """Return the value; a file must be closed to others.

    Raises:
        SpecError: no value, or a file that others can read.
    """
    if isinstance(value, bytes):
        found = value
    elif isinstance(value, str):
        found = value.encode()
    elif isinstance(value, os.PathLike):
        file = Path(value)
        try:
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                why = "others can read it"
                problem = Problem("value", str(file), why, f"chmod 600 {file}")
                raise SpecError("the value of a secret", [problem])
            found = file.read_bytes()
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
            raise SpecError("the value of a secret", [Problem("value", str(file), why)]) from None
    elif callable(value):
        found = value()
    else:
        found = b""
    if not found:
        raise SpecError("the value of a secret is empty")
    return found


class Secret(Resource):
    """A secret object of a host. Its value can be set, never read."""

    noun = "secret"

    def info(self) -> SecretRecord:
        """Read it now, without its value."""
        return secrets.read(self.host.connection, self.uuid)

    def xml(self) -> str:
        """Return its XML, in which the value never stands."""
        return secrets.xml(self.host.connection, self.uuid)

    @verb
    def set_value(self, value: bytes | str | os.PathLike[str] | Callable[[], bytes]) -> Plan[None]:
        """Give it its value; shown nowhere.

        Args:
            value: the bytes, a text, a file that only its owner may read, or a function that
                returns the bytes when they are needed.

        Raises:
            SpecError: empty, or a file that others can read.
        """
        if not callable(value):
            _bytes_of(value)
        action: Call[Host, None] = Call(
            f"set the value of secret {self.name}",
            lambda host, _: secrets.set_value(host.connection, self.uuid, _bytes_of(value)),
            line=f"secret-set-value {self.uuid} --interactive",
            before=lambda host: host.require_writable("set the value of a secret"),
        )
        return self.plan_of((action,), lambda: None, title=action.text)

    @verb
    def undefine(self, *, confirm: bool = False) -> Plan[None]:
        """Remove the object and its value (``virsh secret-undefine``).

        Args:
            confirm: agree that the value is lost: what it encrypts cannot be read without it.
        """
        return self.one_call(
            "undefine",
            lambda link, _: secrets.undefine(link, self.uuid),
            virsh=("secret-undefine", self.uuid),
            python=".undefine(confirm=True)",
            destroys=(f"the value of secret {self.name}",),
            confirm=confirm,
        )


def secrets_of(host: Host) -> Collection[Secret]:
    """Return the secret objects of a host, by usage or UUID."""
    return Collection(
        "secret",
        host.name,
        records=lambda: secrets.list_all(host.connection),
        wrap=lambda record: Secret(host, record.uuid, record.name),
        table=SECRETS,
        cached=lambda: ((), None),
    )


def plan_secret(
    host: Host,
    spec: SecretSpec,
    value: bytes | str | os.PathLike[str] | Callable[[], bytes] | None = None,
) -> Plan[Secret]:
    """Return the plan that makes a secret object, and gives it its value when there is one."""
    ready = spec if spec.uuid else spec.replace(uuid=new_uuid())
    xml = ready.to_xml()
    require_valid(xml, "secret")
    uuid = str(ready.uuid)
    secret = Secret(host, uuid, spec.usage)
    actions: list[Action[Any]] = [DefineSecret(spec.usage, uuid, xml)]
    if value is not None:
        actions += secret.set_value.plan(value).actions
    return Plan(
        title=f"create secret {spec.usage}",
        host=host,
        actions=tuple(actions),
        result=lambda: secret,
        warnings=() if value is not None else ("it has no value yet: secret.set_value(...)",),
        journal=host.journal,
    )
