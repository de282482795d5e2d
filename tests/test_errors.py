"""The errors: the tree of the docstring is the real one, and every message tells enough."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from labvirt import errors
from labvirt.errors import (
    ConfirmationError,
    HostError,
    LabvirtError,
    NotFoundError,
    PlanError,
    Problem,
    RunError,
    SpecError,
    WaitTimeoutError,
)


def tree(text):
    """Return the pairs (class, base) drawn in the docstring."""
    pairs, stack = [], []
    for line in text.splitlines():
        found = re.match(r"    ([│ ├└─]*)(\w+Error|LabvirtError)\b", line)
        if not found:
            continue
        depth = len(found[1]) // 4
        stack = [*stack[:depth], found[2]]
        if depth:
            pairs.append((found[2], stack[depth - 1]))
    return pairs


def test_the_tree_in_the_docstring_is_the_real_one():
    drawn = tree(errors.__doc__)
    real = {
        (cls.__name__, base.__name__)
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        for base in cls.__bases__
        if issubclass(cls, LabvirtError) and issubclass(base, LabvirtError)
    }
    assert set(drawn) == real
    assert len(drawn) == len(real) > 10


def test_all_names_are_offered():
    classes = {
        name
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if cls.__module__ == errors.__name__
    }
    assert set(errors.__all__) == classes


def test_host_errors_say_what_where_and_what_libvirt_said():
    error = HostError(
        "start domain web1", uri="qemu:///system", code=55, libvirt_text="no", hint="try"
    )
    assert str(error) == (
        "start domain web1 on qemu:///system failed; libvirt said: no (code 55)\n  Try: try"
    )


def test_words_of_our_own_are_not_put_into_libvirts_mouth():
    assert str(HostError("create domain a", libvirt_text="it exists already")) == (
        "create domain a failed: it exists already"
    )


def test_not_found_is_a_key_error_that_prints_plainly():
    error = NotFoundError("find domain 'x'", hint="y")
    assert isinstance(error, KeyError)
    assert str(error) == "find domain 'x' failed\n  Try: y"


def test_spec_errors_list_every_problem():
    error = SpecError(
        "domain x", [Problem("memory", "1", "too small"), Problem("name", "", "gone")]
    )
    assert error.field == "memory"
    assert str(error) == "domain x\n  - memory = '1': too small\n  - name: gone"
    assert isinstance(error, ValueError)
    assert SpecError("plain").field == ""


def test_waits_say_how_long_what_was_seen_and_why():
    error = WaitTimeoutError("x", timeout_s=1.5, last_seen="a", likely_cause="b", hint="c")
    assert str(error) == "waited 1.5 s for x; last seen: a; likely cause: b\n  Try: c"
    assert isinstance(error, TimeoutError)


def test_plans_say_what_was_undone_and_what_remains():
    error = PlanError("p", undone=["a", "b"], remains=["c: busy"])
    assert str(error) == "p\n  Undone: a; b\n  Remains: c: busy"


def test_confirmations_name_the_loss():
    error = ConfirmationError("undefine x", destroys=["the definition"])
    assert "would destroy: the definition" in str(error)
    assert "confirm=True" in str(error)


def test_runs_say_where_the_record_is():
    error = RunError("r", record=Path("/x/y.ipynb"), code=3)
    assert str(error) == "r\n  Record: /x/y.ipynb"
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SpecError", 2),
        ("ConfirmationError", 2),
        ("PreconditionError", 3),
        ("NotFoundError", 2),
        ("ConflictError", 2),
        ("AccessDeniedError", 1),
        ("CancelledError", 130),
        ("LabError", 1),
    ],
)
def test_exit_codes(name, code):
    assert getattr(errors, name).exit_code == code
