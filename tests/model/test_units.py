"""Sizes are read as libvirt reads them, and written so that they come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from labvirt.errors import SpecError
from labvirt.model.units import SIZE_LIMIT, Size, unit_scale

SIZES = st.integers(min_value=0, max_value=SIZE_LIMIT)


@given(SIZES)
def test_the_text_of_any_size_gives_the_same_size(number):
    size = Size(number)
    assert Size.parse(str(size)) == size
    assert eval(repr(size)) == size


@given(SIZES)
def test_a_size_is_the_number_of_its_bytes(number):
    size = Size(number)
    assert size == number
    assert size.kib * 1024 >= number > (size.kib - 1) * 1024
    assert f"{size:d}" == str(number)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("256 MiB", 256 * 2**20),
        ("256MiB", 256 * 2**20),
        ("  256   mib ", 256 * 2**20),
        ("1k", 1024),
        ("1K", 1024),
        ("1 KB", 1000),
        ("1 kb", 1000),
        ("1M", 2**20),
        ("1 MB", 10**6),
        ("1g", 2**30),
        ("1 GB", 10**9),
        ("1 T", 2**40),
        ("1 TB", 10**12),
        ("1 PiB", 2**50),
        ("7 EiB", 7 * 2**60),
        ("9 EB", 9 * 10**18),
        ("5 b", 5),
        ("5 byte", 5),
        ("5 Bytes", 5),
        ("0 b", 0),
        ("1.5 GiB", 3 * 2**29),
        (".5 KiB", 512),
        ("+1 KiB", 1024),
        ("-0 KiB", 0),
    ],
)
def test_sizes_are_read_with_the_units_of_libvirt(text, number):
    assert Size.parse(text) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 bytes"),
        (1000, "1 KB"),
        (1024, "1 KiB"),
        (1_024_000, "1000 KiB"),
        (256 * 2**20, "256 MiB"),
        (3 * 2**29, "1536 MiB"),
        (10**9, "1 GB"),
        (10**12, "1 TB"),
        (2**60, "1 EiB"),
        (SIZE_LIMIT, "9223372036854775807 bytes"),
    ],
)
def test_sizes_are_written_in_the_shortest_exact_form(number, text):
    assert str(Size(number)) == text
    assert f"{Size(number)}" == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("256", "256 of what"),
        ("12 parsecs", "unknown unit 'parsecs'"),
        ("-1", "cannot be negative"),
        ("-1 MiB", "cannot be negative"),
        ("", "does not begin with a number"),
        ("MiB", "does not begin with a number"),
        ("NaN GiB", "does not begin with a number"),
        ("inf GiB", "does not begin with a number"),
        ("1e3 MiB", "unknown unit"),
        ("1 000 MiB", "unknown unit"),
        ("1,5 GiB", "unknown unit"),
        ("0.3 KiB", "whole number of bytes"),
        ("8 EiB", "larger than libvirt can count"),
        ("9999999999 EiB", "larger than libvirt can count"),
        ("1 MiBs", "unknown unit"),
        ("1 iB", "unknown unit"),
        ("0x10 MiB", "unknown unit"),
        ("\u0661 MiB", "does not begin with a number"),
        ("1 MiB\0", "unknown unit"),
        ("9" * 300 + " MiB", "too long"),
    ],
)
def test_what_is_no_size_is_refused_in_words(text, says):
    with pytest.raises(SpecError, match=says) as caught:
        Size.parse(text)
    assert caught.value.field == "size"
    assert len(str(caught.value)) < 400


def test_a_bare_number_is_asked_for_its_unit_with_a_proposal():
    with pytest.raises(SpecError, match="write '256 MiB'"):
        Size.of("256")
    with pytest.raises(SpecError, match="write '256 MiB' if these are bytes"):
        Size.of(268435456)
    for odd in (1.5, -1, None, True, [], b"1 KiB"):
        with pytest.raises(SpecError):
            Size.of(odd)


def test_a_default_unit_may_be_given():
    assert Size.parse("4", default_unit="KiB") == 4096
    with pytest.raises(SpecError, match="unknown unit"):
        Size.parse("4", default_unit="chips")


@pytest.mark.parametrize("number", [-1, SIZE_LIMIT + 1])
def test_bytes_outside_the_limits_are_refused(number):
    with pytest.raises(SpecError):
        Size(number)


def test_sums_and_products_are_sizes():
    total = Size.parse("1 GiB") + Size.parse("1 GiB") * 3
    assert isinstance(total, Size)
    assert str(total) == "4 GiB"
    assert (Size.parse("1 GiB").mib, Size.parse("1 GiB").gib) == (1024, 1)


def test_pydantic_reads_text_and_writes_the_exact_text():
    adapter = TypeAdapter(Size)
    size = adapter.validate_python("2 GiB")
    assert adapter.dump_json(size) == b'"2 GiB"'
    assert adapter.dump_python(size) is size
    assert adapter.validate_json('"2 GiB"') == size
    assert adapter.json_schema()["type"] == "string"
    with pytest.raises(ValidationError, match="2 of what"):
        adapter.validate_json("2")


UNITS = ["b", "byte", "bytes", *(p + s for p in "kmgtp" for s in ("", "b", "ib"))]


@pytest.mark.parametrize("unit", [*UNITS, *(unit.upper() for unit in UNITS), "KiB", "MiB", "Bytes"])
def test_units_have_the_scale_that_libvirt_gives_them(unit, driver):
    count = 4096 if unit_scale(unit) < 2**40 else 4
    frame = "<domain type='test'><name>s</name>{}<os><type>hvm</type></os></domain>"
    memory = f"<memory unit='{unit}'>{count}</memory>"
    assert driver.memory_kib(frame.format(memory)) == Size(unit_scale(unit) * count).kib


def test_an_unknown_unit_has_no_scale():
    assert unit_scale("parsecs") is None
    assert unit_scale("") is None
