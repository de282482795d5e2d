"""Parameters: read without running anything, checked by their declared types."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import zoneinfo
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from labvirt.errors import SpecError
from labvirt.model.units import Size
from labvirt.runbook import Duration, describe, gather, json_schema, read_parameters, settle
from labvirt.runbook.secrets import PRIVATE

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


def one(cell):
    """Read a cell with one parameter."""
    (parameter,) = read_parameters(cell)
    return parameter


def executed(code):
    space = {}
    exec(code, space)
    return {name: value for name, value in space.items() if not name.startswith("_")}


def given_as(cell, text):
    """Return the value that a book sees when a text is given for its only parameter x."""
    return executed(settle(read_parameters(cell), {"x": text}).code)["x"]


# reading


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
    ("cell", "text"),
    [
        ("from labvirt.runbook import Size\nx: Size = '1 GiB'", "2 GiB"),
        ("import labvirt as lv\nx: lv.Size = '1 GiB'", "2 GiB"),
        ("import labvirt\nx: labvirt.Size = '1 GiB'", "2 GiB"),
        ("from labvirt import runbook\nx: runbook.Size = '1 GiB'", "2 GiB"),
        ("from labvirt.runbook import Size as S\nx: S = '1 GiB'", "2 GiB"),
        ("x: 'Size' = '1 GiB'", "2 GiB"),
        ("x: 'Size | None' = None", "2 GiB"),
        ("import typing as ty\nx: ty.Optional['Size'] = None", "2 GiB"),
        ("x = '1 GiB'  # type: Size", "2 GiB"),
        ("x = None  # type: Size | None of the disk", "2 GiB"),
    ],
)
def test_a_type_is_understood_however_it_is_named(cell, text):
    assert given_as(cell, text) == "2 GiB"
    with pytest.raises(SpecError, match="unknown unit 'parsecs'"):
        settle(read_parameters(cell), {"x": "2 parsecs"})


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("import datetime\nx: datetime.date = datetime.date(2026, 1, 2)", dt.date(2026, 1, 2)),
        ("from datetime import date as day\nx: day = day(2026, 1, 2)", dt.date(2026, 1, 2)),
        ("x: timedelta = timedelta(minutes=5)", dt.timedelta(minutes=5)),
        ("x: Path = Path('/a') ", Path("/a")),
        ("x: int = 60 * 5", 300),
        ("x: int = -1", -1),
        ("x: float = float('nan')", math.nan),
        ("import math\nx: float = -math.inf", -math.inf),
        ("x: Size = Size.parse('1 GiB')", Size(2**30)),
        ("x: Duration = Duration('1h30m')", Duration(5400)),
        ("x: set[str] = set()", set()),
        ("x: frozenset[int] = frozenset({1})", frozenset({1})),
        ("x: dict[str, list[int]] = {'a': [1]}", {"a": [1]}),
        ("x: tuple[int, str] = (1, 'a')", (1, "a")),
        ("import datetime as dt\nx: dt.datetime = dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)",
         dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
        ("x: str = 'a' 'b'", "ab"),
        ("x: list[date] = [date(2026, 1, 2)]", [dt.date(2026, 1, 2)]),
    ],
)  # fmt: skip
def test_a_default_is_read_as_the_book_will_have_it(cell, value):
    default = one(cell).default
    assert type(default) is type(value)
    assert default == value or (math.isnan(default) and math.isnan(value))


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("x: int = 1  # beside", "beside"),
        ("# above\nx: int = 1", "above"),
        ("# two\n# lines\nx: int = 1", "two lines"),
        ("# a heading\n\nx: int = 1", ""),
        ("# above\nx: int = 1  # beside", "beside"),
        ("# above\nx: int = 1  # noqa: E501", "above"),
        ("x: list[int] = [  # first\n    1,\n]", "first"),
        ("x: list[int] = [\n    1,\n]  # last", "last"),
        ("x: Annotated[int, Field(description='field')] = 1  # beside", "field"),
        ("x = 1  # type: int of the host", "of the host"),
        ("x: str = '# no comment'", ""),
        ("x: int = 1  # größer — 10 €", "größer — 10 €"),
    ],
)
def test_help_is_what_stands_beside_or_above(cell, words):
    assert one(cell).help == words


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("x: int = (", ["not Python", "line 1"]),
        ("%matplotlib inline\nx: int = 1", ["not Python", "move magics"]),
        ("x\0: int = 1", ["cannot be read"]),
        ("x: __import__('os') = 1", ["__import__"]),
        ("x: open = 1", ["'open'", "cannot have"]),
        ("x: os.PathLike = 1", ["os.PathLike"]),
        ("x: Sise = '1 GiB'", ["did you mean 'Size'"]),
        ("x: int = compute()", ["'x'", "not a plain value", "later cell"]),
        ("x: date = date.today()", ["'x'", "not a plain value"]),
        ("x: str = f'{1}'", ["not a plain value"]),
        ("x: int = ...", ["not a plain value"]),
        ("x = b'bytes'", ["not a plain value"]),
        ("x = open", ["not a plain value"]),
        ("x: str = 'a' * 10**9", ["not a plain value"]),
        ("x: date = date(2026, 2, 30)", ["makes no value", "day"]),
        ("x: int = 1 // 0", ["makes no value", "zero"]),
        ("x: int = 1\ny = 2\nx: str = 'a'", ["declared twice", "lines 1 and 3"]),
        ("x = y = 1\ny = 2", ["'y'", "twice"]),
        ("a, b = 1, 2", ["more than parameters", "line 1"]),
        ("x: int = 1\nif x:\n    y = 2", ["more than parameters", "line 2"]),
        ("x: int = 1\nx += 1", ["more than parameters"]),
        ("x: int = 'a'", ["'x'", "default 'a' contradicts", "integer"]),
        ("x: int = '5'", ["contradicts"]),
        ("x: int = True", ["contradicts"]),
        ("x: int = None", ["contradicts", "X | None"]),
        ("x: str = 5", ["contradicts", "string"]),
        ("x: bool = 1", ["contradicts"]),
        ("x: Literal['a'] = 'b'", ["contradicts", "'a'"]),
        ("x: date = '2026-02-30'", ["contradicts"]),
        ("x: date = datetime(2026, 1, 1, 5)", ["contradicts"]),
        ("x: Size = '12 parsecs'", ["contradicts", "parsecs"]),
        ("x: Size = 256", ["contradicts", "256 of what?"]),
        ("x: Duration = 'soon'", ["contradicts", "not a number"]),
        ("x: HostUri = 'qmu:///system'", ["contradicts", "did you mean 'qemu'"]),
        ("x: HostUri = 'lab:/'", ["contradicts", "lab:NAME/HOST"]),
        ("x: list[int] = [1, 'a']", ["contradicts", "at 1"]),
        ("x: Annotated[int, Field(ge=5)] = 1", ["contradicts", "greater than or equal to 5"]),
        ("x: Annotated[str, Field(ge=1)] = 'a'", ["limits do not go with its type"]),
        ("x: Annotated[str, Field(pattern='(')]", ["limits do not go with its type"]),
        ("x: Annotated[int, Field(default=1)]", ["cannot have 'default'"]),
        ("x: Annotated[int, Field(ge=f())]", ["not a plain value"]),
        ("x: Annotated[int, compute()]", ["Annotated cannot have"]),
        ("x: list[int, str] = []", ["wrong number of types"]),
        ("x: 'int('", ["not Python"]),
        ("x = 1  # type: nothing", ["nothing"]),
        ("x: SecretStr = SecretStr('hunter2hunter2')", ["secret value", "env:NAME"]),
        ("x: SecretStr = 'hunter2hunter2'", ["secret value"]),
        ("x: list[SecretStr] = []", ["a parameter of its own"]),
        ("x: SecretStr | str", ["SecretStr or SecretStr | None"]),
        ("x: int = " + "(" * 500 + "1" + ")" * 500, []),
    ],
)
def test_a_cell_that_is_not_plain_is_refused(cell, words):
    with pytest.raises(SpecError) as caught:
        read_parameters(cell)
    for word in words:
        assert word in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_reading_runs_nothing(tmp_path):
    touched = tmp_path / "touched"
    read_parameters(f"open({str(touched)!r}, 'w').close()\nimport nothing\nx: int = 1\n")
    assert not touched.exists()


# settling


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


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("list[str]", "a, b,c", ["a", "b", "c"]),
        ("list[str]", "[007, yes]", ["007", "yes"]),
        ("list[str]", '"a,b", c', ["a,b", "c"]),
        ("list[str]", "", []),
        ("list[int]", "1,2", [1, 2]),
        ("list[int] | None", "1", [1]),
        ("list[date]", "2026-01-02,2026-01-03", [dt.date(2026, 1, 2), dt.date(2026, 1, 3)]),
        ("list[list[int]]", "[[1], [2, 3]]", [[1], [2, 3]]),
        ("set[int]", "[1, 1]", {1}),
        ("tuple[int, str]", "1,007", (1, "007")),
        ("dict[str, int]", "{a: 1}", {"a": 1}),
        ("dict[str, str]", '{"a": "1"}', {"a": "1"}),
        ("dict[str, str]", "{a: 007}", {"a": "007"}),
        ("int | str", "5", 5),
        ("int | str", "5a", "5a"),
        ("str | None", "null", "null"),
        ("int | None", "none", None),
        ("bool", "yes", True),
        ("Literal[1, 2]", "2", 2),
        ("date", "20260102", dt.date(2026, 1, 2)),
        ("datetime", "2026-01-02T03:04:05+02:00",
         dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
        ("time", "03:04", dt.time(3, 4)),
        ("timedelta", "PT5M", dt.timedelta(minutes=5)),
        ("timedelta", "5 min", dt.timedelta(minutes=5)),
        ("Path", "~/a b", Path("~/a b")),
        ("Size", "2048 KiB", "2 MiB"),
        ("Duration", "1h30m", 5400.0),
        ("Duration", "01:30:00", 5400.0),
        ("Duration", "90", 90.0),
        ("HostUri", "qemu+ssh://root@kvm7/system", "qemu+ssh://root@kvm7/system"),
        ("Annotated[int, 'MiB']", "512 MiB", 512),
        ("float", "1e-3", 0.001),
        ("float", "inf", math.inf),
        ("Any", "[1]", [1]),
        ("Any", "text", "text"),
    ],
)  # fmt: skip
def test_text_reaches_the_book_as_a_value_of_its_type(kind, text, value):
    seen = given_as(f"x: {kind}", text)
    assert (type(seen), seen) == (type(value), value)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("int", "5.5", "whole number"),
        ("int", "0x10", "whole number"),
        ("int", "9" * 5000, "whole number"),
        ("int", True, "integer"),
        ("int", 1.5, "integer"),
        ("str", 1.10, "string"),
        ("bool", 1, "boolean"),
        ("bool", "perhaps", "boolean"),
        ("list[str]", [1], "string"),
        ("list[int]", "{a: 1}", "list"),
        ("dict[str, int]", "a", "mapping"),
        ("list[int]", "[1", "JSON"),
        ("tuple[int, int]", "1,2,3", "2 elements"),
        ("date", "1735689600", "must be a date"),
        ("datetime", "1735689600", "must be a date"),
        ("Size", 256, "256 of what?"),
        ("Duration", "5 lightyears", "unknown unit 'lightyears'"),
        ("Duration", -1, "negative"),
        ("HostUri", "kvm7", "'://'"),
        ("Annotated[str, Field(max_length=3)]", "abcd", "at most 3"),
        ("Annotated[str, Field(pattern='^[a-z]+$')]", "A", "pattern"),
        ("str", SecretStr("hunter2hunter2"), "declare it as x: SecretStr"),
        ("Any", object(), "x"),
    ],
)
def test_what_does_not_fit_is_refused(kind, value, words):
    with pytest.raises(SpecError) as caught:
        settle(read_parameters(f"x: {kind}"), {"x": value})
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_typed_values_are_taken_as_they_are():
    given = {"required": "x", "vcpus": 3, "tags": ["q"], "when": dt.date(2026, 1, 1)}
    settled = settle(parameters(), given)
    assert settled.values == given
    assert settled.plain == {**given, "when": "2026-01-01"}
    assert dict(settled) == settled.plain


def test_numbers_of_numpy_are_numbers():
    import numpy as np

    cell = "x: int = 1\ny: float = 1.0"
    settled = settle(read_parameters(cell), {"x": np.int64(5), "y": np.float32(0.5)})
    assert settled.plain == {"x": 5, "y": 0.5}


def test_a_value_has_the_form_of_the_default():
    """So that a book sees the same kind of value with its default, here and under papermill."""
    assert given_as("x: date = '2026-01-02'", "2026-05-06") == "2026-05-06"
    assert given_as("x: date = date(2026, 1, 2)", "2026-05-06") == dt.date(2026, 5, 6)
    assert given_as("x: Duration = '5 min'", "600") == "10 min"
    assert given_as("x: Duration = 300", "10 min") == 600.0
    assert given_as("x: Size = '1 GiB'", "2GiB") == "2 GiB"
    assert given_as("x: Size = Size.parse('1 GiB')", "2GiB") == Size.parse("2 GiB")
    assert given_as("x: tuple[int, ...] = [1]", "1,2") == [1, 2]
    assert given_as("x: list[Path] = ['/a']", "/b") == ["/b"]


def test_all_problems_are_told_at_once_with_suggestions():
    with pytest.raises(SpecError) as caught:
        settle(parameters(), {"nmae": "x", "vcpus": "9", "mode": "magic", "port": "high"})
    message = str(caught.value)
    assert len(caught.value.problems) == 5
    for word in ("did you mean 'name'", "vcpus", "less than or equal to 4", "magic", "high",
                 "required", "must be given", "must be told"):  # fmt: skip
        assert word in message
    assert caught.value.exit_code == 2


def test_large_values_pass_and_are_not_shown_when_wrong():
    large = "x'\"\n=" * 2_000_000
    assert given_as("x: str = ''", large) == large
    with pytest.raises(SpecError) as caught:
        settle(read_parameters("x: int = 1"), {"x": large})
    assert len(str(caught.value)) < 500


def test_nothing_given_needs_no_cell():
    settled = settle(read_parameters("x: int = 1"), {})
    assert (settled.code, settled.plain, settled.secrets) == ("", {}, {})


# the injected cell

numbers = st.integers(-(10**6), 10**6)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
zones = st.one_of(
    st.none(),
    st.integers(-1439, 1439).map(lambda m: dt.timezone(dt.timedelta(minutes=m))),
)
VALUES = {
    "str": texts,
    "int": st.one_of(numbers, st.integers(2**70, 2**71)),
    "float": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "int | None": st.one_of(st.none(), numbers),
    "list[str]": st.lists(texts, max_size=4),
    "set[int]": st.sets(numbers, max_size=4),
    "frozenset[str]": st.frozensets(texts, max_size=3),
    "tuple[int, ...]": st.lists(numbers, max_size=3).map(tuple),
    "tuple[str, date]": st.tuples(texts, st.dates()),
    "dict[str, list[int]]": st.dictionaries(texts, st.lists(numbers, max_size=2), max_size=3),
    "dict[int, date]": st.dictionaries(numbers, st.dates(), max_size=3),
    "date": st.dates(),
    "datetime": st.datetimes(timezones=zones),
    "time": st.times(),
    "timedelta": st.timedeltas(dt.timedelta(-10000), dt.timedelta(10000)),
    "Path": texts.filter(lambda text: text and "\0" not in text).map(Path),
    "Literal['a', 'b', 1, None]": st.sampled_from(["a", "b", 1, None]),
    "HostUri": st.sampled_from(["qemu:///system", "lab:demo/alpha", "test:///default"]),
    "Duration": st.floats(0, 1e9).map(Duration),
    "Size": st.integers(0, 2**62).map(Size),
}


@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_the_injected_cell_gives_exactly_the_value(kind, data):
    value = data.draw(VALUES[kind])
    declared = read_parameters(f"x: {kind}")
    settled = settle(declared, {"x": value})
    assert settled.values == {"x": value}
    seen = executed(settled.code)["x"]
    expected = str(value) if kind == "Size" else value
    assert seen == expected
    assert type(seen) is (float if kind == "Duration" else type(expected))
    again = json.loads(json.dumps(settled.plain, allow_nan=False))
    assert settle(declared, again).values == {"x": value}, "a run can be repeated from its record"


@given(text=texts)
@example(text="a=b")
@example(text="'\"\n\\\r\0\u2028\u202e")
@example(text="\x1b[31m")
@settings(deadline=None)
def test_any_text_on_the_command_line_reaches_the_book(text):
    pairs = gather([f"x={text}"], [], {})
    assert executed(settle(read_parameters("x: str = ''"), pairs).code) == {"x": text}


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.dates(),
    st.sampled_from(["5 min", "1 GiB", "2026-01-02", "[1]", "{a: 1}", "a,b", "env:HOME", "1e999"]),
    st.sampled_from(["[[", '{"a":', "file:/etc/passwd", "lab:a/b", "PT5M", "P1Y", "٣", "\ud800"]),
)
NESTED = st.recursive(
    ODD,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(kind=st.sampled_from([*VALUES, "SecretStr | None", "Size | int"]), value=NESTED)
@settings(max_examples=400, deadline=None)
def test_whatever_is_given_is_taken_or_refused_and_can_be_given_again(kind, value):
    declared = read_parameters(f"x: {kind}")
    try:
        settled = settle(declared, {"x": value})
    except SpecError:
        return
    executed(settled.code)
    plain = json.loads(json.dumps(settled.plain, allow_nan=False))
    assert settle(declared, plain).values == settled.values


def test_odd_values_and_odd_names_survive():
    assert math.isnan(given_as("x: float = 0.0", "nan"))
    assert settle(read_parameters("x: list[float]"), {"x": [math.inf]}).plain == {"x": ["inf"]}
    assert given_as("x: int", 10**5000) == 10**5000
    fold = dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    assert given_as("x: datetime", fold).fold == 1
    assert given_as("x: datetime", fold).tzinfo is fold.tzinfo
    settled = settle(
        read_parameters("float = 1.0\nset = {1}\ndate: date = date(2026, 1, 2)"),
        {"float": "nan", "set": "[]", "date": "2026-05-06"},
    )
    seen = executed(settled.code)
    assert math.isnan(seen["float"])
    assert (seen["set"], seen["date"]) == (set(), dt.date(2026, 5, 6))


@given(st.floats(0, 1e300))
@example(0.0)
@example(0.1)
@example(93784.0)
@settings(deadline=None)
def test_a_duration_reads_back_as_it_is_written(seconds):
    assert Duration(str(Duration(seconds))) == seconds


# secrets

SECRET_CELL = 'pw: SecretStr = SecretStr("env:LAB_PW")  # of root\nx: int = 1'


def test_a_secret_stays_a_reference_everywhere(monkeypatch):
    monkeypatch.setenv("LAB_PW", "the-real-value")
    declared = read_parameters(SECRET_CELL)
    assert [parameter.secret for parameter in declared] == [True, False]
    left = settle(declared, {"x": "2"})
    assert left.secrets == {"pw": "env:LAB_PW"}
    assert left.plain == {"x": 2}
    settled = settle(declared, {"pw": "env:OTHER"}, environ={"OTHER": "another-value"})
    assert settled.secrets == {"pw": "env:OTHER"}
    assert settled.plain == {"pw": "env:OTHER"}
    assert executed(settled.code)["pw"] == SecretStr("env:OTHER")
    assert settled.environment == {"OTHER": "another-value"}
    shown = repr(settled) + settled.code + repr(settled.values) + repr(settled.plain)
    assert "another-value" not in shown


def test_the_value_of_a_secret_is_refused_as_text_and_travels_when_it_is_an_object(monkeypatch):
    monkeypatch.setenv("LAB_PW", "the-real-value")
    declared = read_parameters(SECRET_CELL)
    with pytest.raises(SpecError, match="pw=env:NAME") as caught:
        settle(declared, {"pw": "hunter2hunter2"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SpecError) as caught:
        settle(declared, {"pww": "hunter2hunter2"})
    assert "hunter2" not in str(caught.value)
    settled = settle(declared, {"pw": SecretStr("hunter2hunter2")})
    assert settled.environment == {f"{PRIVATE}PW": "hunter2hunter2"}
    assert settled.plain == {"pw": f"env:{PRIVATE}PW"}
    assert "hunter2" not in settled.code + repr(settled) + json.dumps(settled.plain)
    # The process of the run checks the record's values once more, with what it was handed.
    handed = settle(declared, settled.plain, environ={**os.environ, **settled.environment})
    assert (handed.secrets, handed.environment) == (settled.secrets, settled.environment)


def test_a_secret_that_is_not_there_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_PW", raising=False)
    declared = read_parameters(SECRET_CELL)
    with pytest.raises(SpecError, match="LAB_PW is not set"):
        settle(declared, {})
    with pytest.raises(SpecError, match="No such file"):
        settle(declared, {"pw": f"file:{tmp_path}/nosuch"})
    with pytest.raises(SpecError, match="fewer than 6 characters") as caught:
        settle(declared, {"pw": SecretStr("73519")})
    assert "73519" not in str(caught.value)
    assert settle(read_parameters("pw: SecretStr | None = None"), {}).secrets == {}


def test_the_file_of_a_secret_is_found_from_every_folder(tmp_path, monkeypatch):
    (tmp_path / "pw").write_text("the-real-value")
    (tmp_path / "pw").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    settled = settle(read_parameters("pw: SecretStr"), {"pw": "file:pw"})
    assert settled.plain == {"pw": f"file:{tmp_path}/pw"}


# gathering


def test_the_command_line_wins_over_files_and_files_over_the_environment(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.json"
    first.write_text("a: 1\nb: from a\nc: [x, '007']\nday: 2026-01-02\n")
    second.write_text('{"b": "from b"}')
    environ = {"LABVIRT_PARAM_A": "9", "LABVIRT_PARAM_E": "env", "LABVIRT_PARAM_": "", "HOME": "/"}
    found = gather(["a=2", "k=x=y", "empty="], [first, second], environ)
    assert found == {
        "a": "2", "b": "from b", "c": ["x", "007"], "day": dt.date(2026, 1, 2), "e": "env",
        "k": "x=y", "empty": "",
    }  # fmt: skip


def test_names_of_the_environment_are_matched_without_regard_to_case():
    declared = read_parameters("vCpus: int = 1\nDISK_size: str = ''")
    environ = {"LABVIRT_PARAM_VCPUS": "2", "LABVIRT_PARAM_DISK_SIZE": "1 GiB"}
    assert gather([], [], environ, parameters=declared) == {"vCpus": "2", "DISK_size": "1 GiB"}
    with pytest.raises(SpecError, match="did you mean LABVIRT_PARAM_VCPUS"):
        gather([], [], {"LABVIRT_PARAM_VCPU": "hidden-words"}, parameters=declared)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("- a\n- b\n", "no mapping"),
        ("just text", "no mapping"),
        ("1: a", "no text"),
        ("a: [1", "not YAML"),
        ("a: 1\nb: 2\na: 3", "'a' is there twice"),
        ("a: &x [1]\nb: *x", "not taken"),
        ("a: !!python/object/apply:os.system ['true']", "not YAML"),
        ("? [a, b]\n: 1", "not YAML"),
        ("\0", "not YAML"),
        ("a: " + "[" * 5000, "not YAML"),
    ],
)
def test_a_file_that_is_no_plain_mapping_is_refused(tmp_path, content, words):
    place = tmp_path / "p.yaml"
    place.write_text(content)
    with pytest.raises(SpecError, match="file of parameters") as caught:
        gather([], [place], {})
    assert words in str(caught.value)


def test_files_that_cannot_be_read_and_pairs_without_a_value_are_refused(tmp_path):
    for place in (tmp_path, tmp_path / "nosuch.yaml", Path("a\0b")):
        with pytest.raises(SpecError, match="cannot be read"):
            gather([], [place], {})
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert gather([], [tmp_path / "empty.yaml"], {}) == {}
    for text in ("name", "=x", "", " =x"):
        with pytest.raises(SpecError, match="not NAME=VALUE"):
            gather([text], [], {})


# telling others


def test_the_schema_is_one_that_tools_understand():
    cell = (
        "name: str  # of the guest\n"
        "memory: Size = '256 MiB'\n"
        "mib: Annotated[int, 'MiB', Field(ge=1, le=9)] = 5\n"
        "day: date = date(2026, 1, 2)\n"
        "mode: Literal['a', 'b'] | None = None\n"
        "pw: SecretStr = SecretStr('env:X')\n"
        "wait: Duration = 90\n"
        "host: HostUri = 'qemu:///system'\n"
    )
    schema = json.loads(json.dumps(json_schema(read_parameters(cell))))
    found = schema["properties"]
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert found["name"] == {"title": "name", "type": "string", "description": "of the guest"}
    assert (found["memory"]["format"], found["memory"]["default"]) == ("size", "256 MiB")
    assert found["mib"]["x-unit"] == "MiB"
    assert (found["mib"]["minimum"], found["mib"]["maximum"]) == (1, 9)
    assert found["day"]["default"] == "2026-01-02"
    assert found["pw"]["writeOnly"]
    assert "default" not in found["pw"]
    assert found["wait"]["default"] == "1 min 30 s"
    assert found["host"]["format"] == "libvirt-host"


def test_the_table_tells_limits_and_units_and_hides_secrets():
    cell = (
        "name: str  # of the guest\n"
        "mib: Annotated[int | None, 'MiB', Field(ge=1, le=9)] = None\n"
        "pw: SecretStr = SecretStr('env:X')\n"
        "day: date = date(2026, 1, 2)\n"
    )
    assert [tuple(row) for row in describe(read_parameters(cell))] == [
        ("name", "str", "must be given", "of the guest"),
        ("mib", "int | None MiB >= 1 <= 9", "None", ""),
        ("pw", "SecretStr", "***", ""),
        ("day", "date", "2026-01-02", ""),
    ]


# books


BOOK_CELL = """
import datetime
from labvirt.runbook import Duration, HostUri, SecretStr, Size

memory: Size = "256 MiB"
wait: Duration = "5 min"
host: HostUri = "lab:demo/alpha"
day: datetime.date = datetime.date(2026, 1, 2)
pw: SecretStr = SecretStr("env:LAB_PW")
"""
USE_CELL = """
from labvirt.runbook import reveal
print(Size.parse(memory).mib, float(Duration(wait)), host, day, len(reveal(pw)))
"""


def run_in_a_kernel(tmp_path, injected=None, given=None):
    import nbformat
    import papermill
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [new_code_cell(BOOK_CELL), new_code_cell(USE_CELL)]
    cells[0].metadata["tags"] = ["parameters"]
    if injected:
        cells.insert(1, new_code_cell(injected))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(
        new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "book.ipynb"
    )
    done = papermill.execute_notebook(
        str(tmp_path / "book.ipynb"),
        str(tmp_path / "out.ipynb"),
        parameters=given or {},
        progress_bar=False,
    )
    return done.cells[-1].outputs[0].text.strip()


def test_a_book_sees_the_same_here_and_under_plain_papermill(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_PW", "12345678")
    monkeypatch.setenv("OTHER_PW", "1234567890")
    assert run_in_a_kernel(tmp_path) == "256.0 300.0 lab:demo/alpha 2026-01-02 8"
    asked = {"memory": "1 GiB", "wait": "90", "host": "qemu:///system", "pw": "env:OTHER_PW"}
    settled = settle(read_parameters(BOOK_CELL), {**asked, "day": "2026-05-06"})
    seen = run_in_a_kernel(tmp_path, injected=settled.code)
    assert seen == "1024.0 90.0 qemu:///system 2026-05-06 10"
    assert run_in_a_kernel(tmp_path, given=asked) == "1024.0 90.0 qemu:///system 2026-01-02 10"
