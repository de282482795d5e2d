"""How an exercise is used as a plain test: this file is an example for teachers."""

from __future__ import annotations

import pytest

from labvirt.errors import ConflictError

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def exercise(session_lab):
    """The exercise of one student, on a lab; what belongs to it is taken away at the end."""
    exercise = session_lab.exercise("open-window", student="ivanova").start()
    yield exercise
    exercise.end()


def test_before_anything_is_done_the_failing_assert_tells_what_is_missing(exercise):
    with pytest.raises(AssertionError, match=r"127\.0\.0\.1") as caught:
        assert exercise.check()
    assert "0.0.0.0" in str(caught.value)


def test_the_student_has_done_it(exercise, session_lab):
    alpha = session_lab["alpha"]
    domain = alpha.domains[exercise.spec.vary["guest"]]
    domain.redefine(domain.xml(inactive=True).replace("0.0.0.0", "127.0.0.1"))
    domain.destroy(confirm=True)
    domain.start()
    assert exercise.check()


def test_points_are_what_nbgrader_takes(exercise):
    assert exercise.check().points == exercise.points


def test_what_has_ended_cannot_be_checked(exercise):
    exercise.end()
    with pytest.raises(ConflictError):
        exercise.check()
