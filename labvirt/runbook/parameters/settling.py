"""Given values checked against what a book declares, every problem told at once."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from labvirt.errors import LabvirtError, Problem, SpecError
from labvirt.runbook.parameters.fitting import fit, reason, shown, to_plain
from labvirt.runbook.parameters.injected import injected_code
from labvirt.runbook.parameters.record import Settled
from labvirt.runbook.secrets import PRIVATE, check_reference, is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.runbook.parameters.record import Parameter

__all__ = ["settle"]


def settle(
    parameters: tuple[Parameter, ...],
    given: Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
) -> Settled:
    """Check given values and return them in their declared types.

    Text is taken by the declared type: ``007`` stays text for a ``str`` and is 7 for an ``int``.
    For a secret a reference is taken (``env:NAME``, ``file:PATH``, ``keyring:SERVICE/USER``), or a
    ``pydantic.SecretStr`` with the value itself, which then travels in the environment of the
    kernel and nowhere else.

    Args:
        parameters: what the runbook declares.
        given: values by name, as text or typed.
        environ: where ``env:`` references are looked up; this process's environment when None.

    Returns:
        The values that were given, checked; defaults are left to the notebook.

    Raises:
        SpecError: unknown names (with the nearest one), wrong types, missing values, secrets that
            cannot be fetched: all at once.
    """
    settling = _Settling(parameters, os.environ if environ is None else environ)
    for name, value in given.items():
        settling.take(name, value)
    settling.finish(given)
    if settling.problems:
        raise SpecError("the parameters do not fit the runbook:", settling.problems)
    return Settled(
        values=settling.values,
        plain=settling.plain,
        secrets=settling.secrets,
        environment=settling.environment,
        code=injected_code(parameters, settling.values, settling.plain),
    )


class _Settling:
    """One settling under way: what was taken so far, and what is wrong so far."""

    def __init__(self, parameters: tuple[Parameter, ...], environ: Mapping[str, str]) -> None:
        self.known = {parameter.name: parameter for parameter in parameters}
        self.environ = environ
        self.problems: list[Problem] = []
        self.values: dict[str, Any] = {}
        self.plain: dict[str, Any] = {}
        self.secrets: dict[str, str] = {}
        self.environment: dict[str, str] = {}

    def take(self, name: str, value: Any) -> None:
        """Check one value."""
        if name not in self.known:
            near = difflib.get_close_matches(name, self.known, n=1)
            known = "known: " + ", ".join(self.known) if self.known else "it has none"
            hint = f"did you mean {near[0]!r}?" if near else known
            # The value is not shown: the name meant may be that of a secret.
            self.problems.append(Problem(name[:80], "", "the runbook has no such parameter", hint))
            return
        parameter = self.known[name]
        if parameter.secret:
            self._take_secret(parameter, value)
            return
        if isinstance(value, pydantic.SecretStr):
            why = "a secret was given for a parameter that is none and would be written down"
            self.problems.append(Problem(name, "", why, f"declare it as {name}: SecretStr"))
            return
        try:
            fitted = fit(parameter.type, value)
            self.plain[name] = to_plain(parameter.type, fitted)
            self.values[name] = fitted
        except (ValueError, TypeError, ArithmeticError, RecursionError, LabvirtError) as error:
            why, hint = reason(error)
            hints = "; ".join(part for part in (hint, parameter.help) if part)
            why = f"{why}; it is {parameter.type_text}"
            self.problems.append(Problem(name, _value(value), why, hints))

    def _take_secret(self, parameter: Parameter, value: Any) -> None:
        """Take a reference, or hide the value of a ``SecretStr`` in the kernel's environment."""
        name = parameter.name
        if value is None and parameter.default is None:
            self.values[name] = self.plain[name] = None
            return
        literal = isinstance(value, pydantic.SecretStr)
        text = value.get_secret_value() if isinstance(value, pydantic.SecretStr) else value
        if isinstance(text, str) and is_reference(text):
            reference = _absolute(text)
        elif literal and text:
            reference = f"env:{PRIVATE}{name.upper()}"
            self.environment[f"{PRIVATE}{name.upper()}"] = text
        else:
            why = "a secret is given by reference; its value would be in the list of processes"
            hint = f"{name}=env:NAME, {name}=file:PATH or {name}=keyring:SERVICE/USER"
            self.problems.append(Problem(name, "***" if text else "", why, hint))
            return
        self.secrets[name] = self.plain[name] = reference
        self.values[name] = pydantic.SecretStr(reference)

    def finish(self, given: Mapping[str, Any]) -> None:
        """Look for what is missing, and whether every secret can be fetched."""
        for parameter in self.known.values():
            if parameter.required and parameter.name not in given:
                hint = parameter.help
                self.problems.append(Problem(parameter.name, "", "must be given", hint))
            elif parameter.secret and parameter.name not in given and parameter.default:
                default = parameter.default
                if isinstance(default, pydantic.SecretStr):
                    default = default.get_secret_value()
                self.secrets[parameter.name] = default
        for name, reference in self.secrets.items():
            try:
                check_reference(reference, {**self.environ, **self.environment})
            except LabvirtError as error:
                self.problems.append(Problem(name, reference, error.args[0], error.hint))
                continue
            scheme, _, variable = reference.partition(":")
            # A kernel inherits this process's environment and no other.
            if scheme == "env" and variable not in self.environment:
                value = self.environ[variable]
                if os.environ.get(variable) != value:
                    self.environment[variable] = value


def _absolute(reference: str) -> str:
    """Return a reference whose file is found from every working folder."""
    scheme, _, place = reference.partition(":")
    if scheme == "file" and not place.startswith("~"):
        return f"file:{Path(place).absolute()}"
    return reference


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value if len(value) <= 80 else f"{value[:80]}... ({len(value)} characters)"
    return shown(value)
