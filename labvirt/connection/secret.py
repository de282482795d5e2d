"""Secret objects of libvirt: defined, given a value, removed. Values are never logged or read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import bits, flag
from labvirt.errors import NotFoundError
from labvirt.status.secret import USAGES, SecretRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from labvirt.connection.connection import Connection

__all__ = ["define", "find", "has_value", "list_all", "read", "set_value", "undefine", "xml"]


def list_all(conn: Connection) -> tuple[SecretRecord, ...]:
    """Read every secret object, without values (``virsh secret-list``)."""
    return conn.call("list secrets", lambda raw: tuple(_all(raw, conn.now())))


def _all(raw: Any, now: datetime) -> Iterator[SecretRecord]:
    try:
        found = raw.listAllSecrets(0)
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT"):
            return
        raise
    for secret in found:
        try:
            yield _record(secret, now)
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_SECRET"):
                raise


def _record(secret: Any, now: datetime) -> SecretRecord:
    number = secret.usageType()
    kind = USAGES[number] if 0 <= number < len(USAGES) else str(number)
    return SecretRecord(
        uuid=secret.UUIDString(), usage_type=kind, usage=secret.usageID() or "", read_at=now
    )


def _on_secret(conn: Connection, uuid: str, verb: str, fn: Callable[[Any], Any]) -> Any:
    return conn.call(f"{verb} secret {uuid}", lambda raw: fn(raw.secretLookupByUUIDString(uuid)))


def read(conn: Connection, uuid: str) -> SecretRecord:
    """Read one secret object, without its value.

    Raises:
        NotFoundError: it is gone.
    """
    record: SecretRecord = _on_secret(conn, uuid, "read", lambda one: _record(one, conn.now()))
    return record


def find(conn: Connection, *, uuid: str | None = None, usage: str | None = None) -> SecretRecord:
    """Return the secret object with a UUID or a usage of any kind.

    Raises:
        NotFoundError: there is none; says which there are.
    """
    records = list_all(conn)
    for record in records:
        if record.uuid == uuid or (usage is not None and record.usage == usage):
            return record
    known = ", ".join(record.usage or record.uuid for record in records) or "none"
    raise NotFoundError(
        f"find secret {uuid or usage!r}",
        uri=conn.uri.redacted(),
        libvirt_text="there is no such secret object",
        hint=f"make it with host.secrets; there are: {known}",
    )


def xml(conn: Connection, uuid: str) -> str:
    """Return the XML of a secret object; the value never stands in it."""
    return str(_on_secret(conn, uuid, "read the XML of", lambda one: one.XMLDesc(0)))


def define(conn: Connection, xml: str) -> str:
    """Define a secret object without a value.

    Returns:
        Its UUID.

    Raises:
        ConflictError: another object has that usage.
        SpecError: libvirt does not accept the XML.
    """
    flags = flag("SECRET_DEFINE_VALIDATE")
    return str(
        conn.call("define a secret", lambda raw: raw.secretDefineXML(xml, flags).UUIDString())
    )


def set_value(conn: Connection, uuid: str, value: bytes) -> None:
    """Give a secret object its value."""
    _on_secret(conn, uuid, "set the value of", lambda one: one.setValue(value, bits()))


def has_value(conn: Connection, uuid: str) -> bool | None:
    """Return whether a secret object has a value; None when it is private and may not be asked."""

    def ask(secret: Any) -> bool | None:
        try:
            secret.value(0)
        except libvirt.libvirtError as error:
            if is_code(error, "NO_SECRET"):
                return False
            return None
        return True

    found: bool | None = _on_secret(conn, uuid, "look for the value of", ask)
    return found


def undefine(conn: Connection, uuid: str) -> None:
    """Remove a secret object and its value."""
    _on_secret(conn, uuid, "undefine", lambda one: one.undefine())
