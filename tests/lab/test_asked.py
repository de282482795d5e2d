"""What may be asked of a lab."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.lab.asked import BACKENDS, HOST_NAMES, check_lab_name, check_shape


def test_hosts_that_are_counted_get_names():
    assert check_shape("demo", 2, "auto") == ("alpha", "beta")
    assert check_shape("demo", 8, "session") == HOST_NAMES


def test_hosts_may_be_named():
    assert check_shape("demo", ["kvm7", "kvm-8"], "system") == ("kvm7", "kvm-8")


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_back_end_may_be_asked_for(backend):
    assert check_shape("demo", 1, backend) == ("alpha",)


@pytest.mark.parametrize("count", [0, -1, 9, 10_000])
def test_an_impossible_number_of_hosts_is_refused(count):
    with pytest.raises(SpecError, match="1 to 8") as caught:
        check_shape("demo", count, "auto")
    assert caught.value.field == "hosts"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Alpha",
        "a b",
        "a/b",
        "-a",
        "a-",
        "a_b",
        "a.b",
        "7a",
        "<b>",
        "a\n",
        "ä",
        "a" * 25,
        "localhost",
    ],
)
def test_a_name_that_cannot_be_a_host_name_is_refused(name):
    with pytest.raises(SpecError) as caught:
        check_shape("demo", ["alpha", name], "auto")
    assert len(caught.value.problems) == 1


def test_two_hosts_cannot_have_one_name():
    with pytest.raises(SpecError, match="same name"):
        check_shape("demo", ["alpha", "alpha"], "auto")


def test_a_single_text_is_one_host_and_not_its_letters():
    assert check_shape("demo", "kvm7", "auto") == ("kvm7",)


def test_a_host_is_not_a_number():
    with pytest.raises(SpecError, match="7"):
        check_shape("demo", [7], "auto")


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(SpecError) as caught:
        check_shape("demo", ["A", "b c"], "kvm")
    assert [problem.field for problem in caught.value.problems] == ["backend", "hosts", "hosts"]


@pytest.mark.parametrize(
    "name", ["", "a/b", "../x", ".hidden", "a b", "<x>", "'", "a\nb", "x" * 41, "x" * 300]
)
def test_a_name_that_would_not_do_as_a_folder_is_refused(name):
    with pytest.raises(SpecError):
        check_lab_name(name)


@pytest.mark.parametrize("name", ["demo", "a", "Lab-2.1_x+y", "x" * 40])
def test_an_ordinary_name_is_taken_as_it_is(name):
    assert check_lab_name(name) == name
