"""What a check gives: readable when it fails, under assert, in a notebook, in numbers."""

from __future__ import annotations

import json

import nbformat
import pytest

from labvirt.errors import SpecError
from labvirt.lab.exercises import Item, Result, names, notebook

GOOD = Item("net", "default runs", True, "active: yes", "active: yes", "", 2, 2)
BAD = Item("lease", "web1 <has> an address", False, "an address", "no address", "look at it", 0, 3)


def result(*items, language="en", penalty=0, seconds=61.0):
    return Result("no-address", "No address", language, items, penalty, seconds, 10)


def plainly(code, **names_):
    """Run code that pytest has not rewritten, as a notebook would."""
    exec(compile(code, "<cell>", "exec"), names_)


def test_an_assert_without_a_message_tells_every_item_that_fails():
    with pytest.raises(AssertionError) as caught:
        plainly("assert found", found=result(GOOD, BAD))
    said = str(caught.value)
    assert "No address: not yet; 2 of 5 points; 1 of 10 min" in said
    assert "✓ default runs" in said
    assert "expected: an address" in said
    assert "seen: no address" in said
    assert "hint: look at it" in said


def test_a_call_inside_an_assert_tells_as_much():
    code = "def check():\n return found\nassert check()"
    with pytest.raises(AssertionError, match="seen: no address"):
        plainly(code, found=result(BAD))
    plainly("assert found", found=result(GOOD))


@pytest.mark.parametrize(
    "code",
    [
        "said = 'yes' if found else 'no'",
        "said = 'no'\nif found:\n said = 'yes'",
        "said = 'no'\nif found:\n assert False",
        "said = 'yes' if bool(found) else 'no'",
        "said = 'no' if not found else 'yes'",
        "said = 'no'\nwhile found:\n raise AssertionError",
    ],
)
def test_any_other_question_is_answered_without_an_error(code):
    names_ = {"found": result(BAD)}
    exec(compile(code, "<cell>", "exec"), names_)
    assert names_["said"] == "no"


def test_require_is_the_same_as_a_call():
    with pytest.raises(AssertionError, match="look at it"):
        result(BAD).require()
    assert result(GOOD).require().passed


def test_points_are_partial_and_hints_are_taken_off_but_never_below_zero():
    assert (result(GOOD, BAD).points, result(GOOD, BAD).possible) == (2, 5)
    assert result(GOOD, BAD, penalty=1).points == 1
    assert result(BAD, penalty=4).points == 0
    assert "(-1 for hints)" in result(GOOD, penalty=1).summary


def test_over_time_is_told_and_costs_nothing():
    late = result(GOOD, seconds=601)
    assert late.late
    assert late.points == 2
    assert "over time" in late.summary
    assert "over time" not in result(GOOD).summary


def test_russian():
    said = str(result(GOOD, BAD, language="ru"))
    assert "ещё нет; баллы: 2 из 5; время: 1 из 10 мин" in said
    assert "обнаружено: no address" in said


def test_it_is_a_table_json_and_html_without_a_hole():
    found = result(GOOD, BAD)
    assert list(found.df.index) == ["net", "lease"]
    assert json.loads(json.dumps(found.as_dict()))["items"][1]["seen"] == "no address"
    page = found._repr_html_()
    assert "web1 &lt;has&gt; an address" in page
    assert "<has>" not in page
    assert "no address" in repr(found)
    assert "\n" not in repr(found)


@pytest.mark.parametrize("solved", [True, False])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_notebook_of_every_exercise_is_one_and_has_nbgraders_marks(solved, language):
    for name in names():
        made = notebook(name, solved=solved, language=language, student="ivanova")
        book = nbformat.from_dict(made)
        nbformat.validate(book)
        for cell in book.cells:
            if cell.cell_type == "code":
                compile(cell.source, name, "exec")
        graded = [c.metadata.nbgrader for c in book.cells if c.metadata.get("nbgrader")]
        assert [each["points"] for each in graded if each["grade"]] == [
            each["points"] for each in graded if "points" in each
        ]
        assert any(each["grade"] and each["points"] > 0 for each in graded)
        has_steps = any(c.id.startswith("step-") for c in book.cells)
        assert has_steps is solved


def test_a_notebook_in_no_language_of_ours_is_refused():
    with pytest.raises(SpecError, match="'de'"):
        notebook("night-watch", language="de")
