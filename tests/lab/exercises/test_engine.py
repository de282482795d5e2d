"""An exercise on a real lab: begun, looked at, helped, solved by hand, brought back, taken away."""

from __future__ import annotations

import subprocess

import pytest

import labvirt as lv
from labvirt.errors import ConflictError, LabError, SpecError
from labvirt.lab.exercises import breaking, making
from labvirt.lab.exercises.notes import Notes, State
from labvirt.model import VolumeSpec

pytestmark = pytest.mark.lab
#: Its guest has no system: it is there in a moment.
QUICK = "open-window"


@pytest.fixture
def lab(session_lab):
    return session_lab


@pytest.fixture
def window(lab):
    """The quick exercise, begun; what it made is taken away afterwards."""
    exercise = lab.exercise(QUICK, student="ivanova").start()
    yield exercise
    exercise.end()


def virsh(lab, *words):
    done = subprocess.run(
        ["virsh", "-c", lab.uris["alpha"], *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow(seconds=8)
def test_from_the_story_to_a_solution_with_virsh_alone(lab):
    exercise = lab.exercise("night-watch", student="petrov")
    guest = exercise.spec.vary["guest"]
    assert guest in exercise.story
    with pytest.raises(ConflictError, match="has not begun"):
        exercise.check()
    said = []
    exercise.start(progress=said.append)
    try:
        assert any(guest in each for each in said)
        before = exercise.check()
        assert [each.passed for each in before] == [False, False, False]
        assert (before.points, before.possible) == (0, 4)
        assert before.failures[0].seen.startswith("shut off")
        virsh(lab, "autostart", guest)
        middle = exercise.check()
        assert middle.points == 2
        assert not middle.passed
        virsh(lab, "start", guest)
        after = exercise.check()
        assert after.passed, str(after)
        assert after.points == 4
        told = exercise.attempts
        assert [each.did for each in told] == ["start", "check", "check", "check"]
        assert [each.points for each in told] == [None, 0, 2, 4]
        assert told[1].failed == ("runs", "autostart", "answers")
        assert list(told.df["passed"])[1:] == [False, False, True]
        assert all(each.seconds >= 0 for each in told)
    finally:
        exercise.end()
    assert guest not in lab["alpha"].domains
    assert not exercise.has_begun
    exercise.end()


def test_hints_come_nearer_and_cost_points(window):
    assert window.hints == ()
    assert window.penalty == 0
    first, second = window.hint(), window.hint()
    assert (first.cost, second.cost) == (0, 1)
    assert (first.left, second.left) == (1, 0)
    assert window.hint() is None
    assert window.penalty == 1
    assert [each.text for each in window.hints] == [str(first), str(second)]
    assert window.check().points == 1, "two points for what holds, one off"
    window.reset()
    assert window.penalty == 1, "a reset does not give hints back"


def test_it_goes_on_in_another_process(lab, window):
    again = lv.Lab.attach(lab.name).exercise(QUICK, student="ivanova", language="ru")
    assert again.has_begun
    assert again.start() is again
    assert [each.did for each in again.attempts].count("start") == [
        each.did for each in window.attempts
    ].count("start")
    assert "экран" in str(again.check())
    other = lab.exercise(QUICK, student="somebody else")
    assert not other.has_begun


def test_a_reset_takes_away_what_the_student_did_and_no_volume_of_others(lab, window):
    guest = window.spec.vary["guest"]
    virsh(lab, "destroy", guest)
    virsh(lab, "undefine", guest)
    pool = lab["alpha"].pools["shared"]
    mine = pool.plan(VolumeSpec(name="other.qcow2", capacity="1 MiB")).apply()
    pool.plan(VolumeSpec(name=f"{guest}-tried.qcow2", capacity="1 MiB")).apply()
    try:
        assert not window.check()
        window.reset()
        assert lab["alpha"].domains[guest].is_active
        pool.refresh()
        assert "other.qcow2" in pool.volumes
        assert f"{guest}-tried.qcow2" not in pool.volumes
        assert window.attempts[-1].did == "reset"
    finally:
        mine.delete(confirm=True)


def test_a_name_that_is_taken_is_refused_and_nothing_of_it_is_touched(lab):
    exercise = lab.exercise(QUICK, student="ivanova")
    guest = exercise.spec.vary["guest"]
    theirs = lab["alpha"].plan(
        lv.DomainSpec(name=guest, memory="32 MiB", interfaces=(), agent=False), start=False
    )
    domain = theirs.apply()
    try:
        with pytest.raises(ConflictError, match=f"there is a domain {guest} already"):
            exercise.start()
        assert not exercise.has_begun
        exercise.end()
        assert guest in lab["alpha"].domains
    finally:
        domain.undefine(confirm=True)


def test_what_fails_in_the_middle_of_a_start_leaves_nothing(lab, monkeypatch):
    exercise = lab.exercise(QUICK, student="ivanova")

    def broken(*_):
        raise LabError("the fault could not be planted")

    monkeypatch.setattr(breaking, "break_it", broken)
    with pytest.raises(LabError, match="could not be planted"):
        exercise.start()
    assert exercise.spec.vary["guest"] not in lab["alpha"].domains
    assert not exercise.has_begun


def test_whoever_was_killed_while_it_was_made_leaves_nothing_in_the_way(lab):
    exercise = lab.exercise(QUICK, student="ivanova")
    notes = Notes(lab.name, QUICK, "ivanova")
    notes.write(State(stage="making"))
    making.make(lab, exercise.spec, lambda _: None)
    assert not exercise.has_begun
    try:
        exercise.start()
        assert exercise.has_begun
    finally:
        exercise.end()


def test_the_solution_solves_it_and_says_what_it_does(window):
    said = []
    window.solve(show=said.append)
    assert len(said) == len(window.spec.solution)
    assert "redefine" in said[0]
    assert window.check().passed


def test_a_step_that_fails_is_named(lab, window):
    lab["alpha"].domains[window.spec.vary["guest"]].destroy(confirm=True)
    with pytest.raises(LabError, match="step 2 of the solution of open-window"):
        window.solve()


def test_a_lab_that_cannot_do_it_says_what_it_lacks(lab):
    with pytest.raises(LabError, match="needs the system back end"):
        lab.exercise("own-network")
    with pytest.raises(SpecError, match="'de'"):
        lab.exercise(QUICK, language="de")
    with pytest.raises(SpecError, match="no exercise"):
        lab.exercise("open-windw")


def test_the_language_follows_the_setting_and_the_table_is_there(lab, monkeypatch):
    monkeypatch.setenv("LABVIRT_LANG", "ru_RU.UTF-8")
    assert lab.exercise(QUICK).language == "ru"
    assert lab.exercise(QUICK, language="en").language == "en"
    assert "Окно на улицу" in set(lab.exercises["title"])
    page = lab.exercise(QUICK)._repr_html_()
    assert "<code>127.0.0.1</code>" in page
    assert "баллов" in page


def test_a_daemon_that_is_away_makes_items_fail_and_not_the_check(lab, window):
    lab.daemon("alpha", "stop")
    try:
        found = window.check()
        assert [each.passed for each in found] == [False] * len(found)
        assert "could not be looked at" in found.items[0].seen
    finally:
        lab.daemon("alpha", "start")
    assert [each.passed for each in window.check()] == [True, False, False, False, True]


def test_a_lab_that_was_reset_has_no_exercise_begun_and_keeps_the_attempts(tmp_path):
    with lv.Lab.start("ex-reset", hosts=1, backend="session", ephemeral=True) as lab:
        exercise = lab.exercise(QUICK).start()
        lab.reset()
        assert not exercise.has_begun
        assert [each.did for each in lab.attempts] == ["start"]
        exercise.start()
        assert exercise.has_begun
