"""References to secrets: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE/USER``."""

from __future__ import annotations

import importlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import SpecError
from labvirt.runbook.secrets.forms import SHORTEST, has_length

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

__all__ = [
    "PRIVATE",
    "check_reference",
    "fetch_all",
    "fetch_secret",
    "is_reference",
    "reveal",
]

PRIVATE: Final = "LABVIRT_SECRET_"
"""Beginning of the variables that carry a secret to a kernel; taken out when first fetched."""

_SCHEMES: Final = ("env", "file", "keyring")
_REFERENCE: Final = re.compile(rf"(?:{'|'.join(_SCHEMES)}):\S[^\x00\r\n]*")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST: Final = 64 * 1024  # bytes of a secret in a file
_HINT: Final = "env:NAME, file:PATH or keyring:SERVICE/USER"

#: What came in a private variable, kept by this process after the variable was taken out.
_carried: dict[str, str] = {}


def is_reference(text: str) -> bool:
    """Return whether a text has the form of a reference."""
    return _REFERENCE.fullmatch(text) is not None


def reveal(secret: str | SecretStr) -> str:
    """Return the value of a secret, for the one call that needs it.

    Args:
        secret: a reference as text or as ``SecretStr``, or a ``SecretStr`` fetched already.

    Raises:
        SpecError: it cannot be fetched; says which reference and why, never the value.
    """
    return fetch_secret(secret).get_secret_value()


def fetch_secret(secret: str | SecretStr) -> SecretStr:
    """Return a secret as a ``SecretStr``, which shows stars when it is printed.

    Args:
        secret: a reference as text or as ``SecretStr``; a ``SecretStr`` that holds no reference is
            taken as fetched already.

    Raises:
        SpecError: it cannot be fetched; says which reference and why, never the value.
    """
    from pydantic import SecretStr

    text = secret if isinstance(secret, str) else secret.get_secret_value()
    if not is_reference(text):
        if isinstance(secret, str):
            raise SpecError("the secret is not given by reference", hint=_HINT)
        return secret
    return SecretStr(_fetch(text, None))


def fetch_all(references: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of secrets by name, for the redactor of a run.

    Args:
        references: reference by name (`Settled.secrets`).
        environ: where ``env:`` references are looked up; `Settled.environment` over the process's.

    Raises:
        SpecError: one cannot be fetched.
    """
    return {name: _fetch(reference, environ) for name, reference in references.items()}


def check_reference(reference: str, environ: Mapping[str, str]) -> None:
    """Refuse a reference that leads to nothing; keyrings are not asked, which may need a person.

    Raises:
        SpecError: says why, and what to do.
    """
    scheme, _, place = reference.partition(":")
    if not is_reference(reference):
        raise SpecError("it is not a reference to a secret", hint=_HINT)
    if scheme == "keyring":
        _keyring(place)
    else:
        value = _fetch(reference, environ)
        if not has_length(value):
            raise SpecError(
                f"the secret {reference} has fewer than {SHORTEST} characters and could not be"
                " masked without masking ordinary text",
                hint="choose a longer one",
            )


def _fetch(reference: str, environ: Mapping[str, str] | None) -> str:
    scheme, _, place = reference.partition(":")
    if scheme == "env":
        value = _from_environment(place, environ)
    elif scheme == "file":
        value = _from_file(place)
    else:
        keyring, service, user = _keyring(place)
        try:
            value = keyring.get_password(service, user)
        except Exception as error:  # back ends raise what they like
            kind = type(error).__name__
            raise SpecError(
                f"the keyring cannot be asked for {reference}: {kind}",
                hint="keyring --list-backends; PYTHON_KEYRING_BACKEND names the one to use",
            ) from error
        if value is None:
            hint = f"keyring set {service} {user}"
            raise SpecError(f"the keyring has no entry for {reference}", hint=hint)
    if not value:
        raise SpecError(f"the secret {reference} is empty")
    return value


def _from_environment(variable: str, environ: Mapping[str, str] | None) -> str:
    if not _VARIABLE.fullmatch(variable):
        raise SpecError("env: is not followed by the name of a variable", hint="env:LAB_PASSWORD")
    if environ is not None:
        found = environ.get(variable)
    elif variable.startswith(PRIVATE):
        # Programs that the book starts need not inherit it.
        taken = os.environ.pop(variable, None)
        if taken is not None:
            _carried[variable] = taken
        found = _carried.get(variable)
    else:
        found = os.environ.get(variable)
    if found is not None:
        return found
    if variable.startswith(PRIVATE):
        raise SpecError(
            "the secret was given as a value to another run, and values are not kept",
            hint="give it again",
        )
    raise SpecError(
        f"the environment variable {variable} is not set", hint=f"export {variable}=..."
    )


def _from_file(place: str) -> str:
    path = Path(place).expanduser()
    try:
        # A named pipe must not make us wait.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no such name can be"
        raise SpecError(f"the secret file {place} cannot be read: {why}") from error
    try:
        mode = os.fstat(number).st_mode
        if not stat.S_ISREG(mode):
            raise SpecError(f"the secret file {place} is not a file")
        if mode & stat.S_IROTH:
            hint = f"chmod 600 {place}"
            raise SpecError(f"the secret file {place} can be read by everybody", hint=hint)
        raw = os.read(number, _LARGEST + 1)
    finally:
        os.close(number)
    if len(raw) > _LARGEST:
        raise SpecError(f"the secret file {place} has more than {_LARGEST >> 10} KiB")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise SpecError(f"the secret file {place} is not text in UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _keyring(place: str) -> tuple[Any, str, str]:
    """Return the package keyring, the service and the user."""
    service, _, user = place.rpartition("/")
    if not service or not user:
        raise SpecError("keyring: is not followed by SERVICE/USER", hint="keyring:labvirt/root")
    try:
        return importlib.import_module("keyring"), service, user
    except ImportError:
        raise SpecError(
            "the package keyring is not installed", hint="pip install 'labvirt[keyring]'"
        ) from None
