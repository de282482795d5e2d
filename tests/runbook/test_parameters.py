"""Parameters: read without running anything, checked by their declared types."""

from __future__ import annotations

import datetime as dt

import pytest

from labvirt.errors import SpecError
from labvirt.runbook import read_parameters, settle

CELL = """
from typing import Literal

name: str = "web1"  # of the guest
kernel_args: str = "console=ttyS0 a=b"  # with equals signs
vcpus: Annotated[int, Field(ge=1, le=4)] = 1
mode: Literal["nat", "bridge"] = "nat"
when: date = "2026-01-02"
port: int | None = None
tags: list[str] = ["a"]
fast: bool = False
required: str  # must be told
plain = 3
ratio = 0.5
"""


def parameters():
    return read_parameters(CELL)


def test_every_ordinary_declaration_is_read():
    found = {p.name: p for p in parameters()}
    assert list(found) == [
        "name", "kernel_args", "vcpus", "mode", "when", "port", "tags", "fast", "required",
        "plain", "ratio",
    ]  # fmt: skip
    assert found["name"].default == "web1"
    assert found["name"].help == "of the guest"
    assert found["kernel_args"].default == "console=ttyS0 a=b"
    assert found["mode"].type_text == "Literal['nat', 'bridge']"
    assert found["required"].required
    assert not found["port"].required
    assert (found["plain"].type, found["ratio"].type) == (int, float)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", "007", "007"),
        ("name", "a=b=c", "a=b=c"),
        ("vcpus", "2", 2),
        ("mode", "bridge", "bridge"),
        ("when", "2026-11-23", "2026-11-23"),
        ("port", "8080", 8080),
        ("port", "null", None),
        ("tags", '["x", "y"]', ["x", "y"]),
        ("fast", "true", True),
        ("plain", "7", 7),
        ("ratio", "1.5", 1.5),
    ],
)
def test_text_is_taken_by_the_declared_type(name, text, value):
    assert settle(parameters(), {"required": "x", name: text})[name] == value


def test_typed_values_are_taken_as_they_are():
    given = {"required": "x", "vcpus": 3, "tags": ["q"], "when": dt.date(2026, 1, 1)}
    assert settle(parameters(), given).plain == {**given, "when": "2026-01-01"}


def test_all_problems_are_told_at_once_with_suggestions():
    with pytest.raises(SpecError) as caught:
        settle(parameters(), {"nmae": "x", "vcpus": "9", "mode": "magic", "port": "high"})
    message = str(caught.value)
    assert len(caught.value.problems) == 5
    for word in ("did you mean 'name'", "vcpus", "less than or equal to 4", "magic", "high",
                 "required", "must be given", "must be told"):  # fmt: skip
        assert word in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "cell",
    [
        "x: int = (",
        "x: __import__('os') = 1",
        "x: open = 1",
        "x: int = compute()",
    ],
)
def test_a_cell_that_is_not_plain_is_refused(cell):
    with pytest.raises(SpecError):
        read_parameters(cell)


def test_reading_runs_nothing(tmp_path):
    touched = tmp_path / "touched"
    read_parameters(f"open({str(touched)!r}, 'w').close()\nx: int = 1\n")
    assert not touched.exists()
