"""The files of the exercises: complete in both languages, clear about faults, seeded per student."""

from __future__ import annotations

import re
import textwrap

import pytest

from labvirt.errors import SpecError
from labvirt.lab.exercises import names, read, table
from labvirt.lab.exercises.varying import chosen, filled

STUDENTS = ["", "ivanova", "petrov", "smith", "Ωμέγα", "a/b c"]
CYRILLIC = re.compile("[\u0400-\u04ff]")

SMALL = """
    title: {en: One, ru: Раз}
    story: {en: "The guest {guest}", ru: "Машина {guest}"}
    chapter: "15"
    minutes: 5
    vary: {guest: [one, two, three]}
    checks:
      - id: runs
        what: {en: runs, ru: работает}
        that: {kind: domain-state, domain: "{guest}"}
        hint: {en: start it, ru: запустите}
    solution:
      - text: {en: Start, ru: Запуск}
        python: alpha.domains[guest].start()
"""


@pytest.fixture
def write(tmp_path):
    """Write an exercise of a teacher's own, with something replaced, and return its path."""

    def make(*changes, text=SMALL):
        text = textwrap.dedent(text)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "own.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return make


def texts_of(spec):
    yield from (spec.title, spec.story)
    for check in spec.checks:
        yield from (check.what, check.hint)
    yield from (each.text for each in (*spec.hints, *spec.solution))


@pytest.mark.parametrize("name", names())
def test_an_exercise_is_whole_for_every_student_in_both_languages(name):
    for student in STUDENTS:
        spec = read(name, student=student)
        for words in texts_of(spec):
            assert not re.search(r"\{[a-z_]+\}", words.en + words.ru), words
            assert words.en.strip()
            assert not CYRILLIC.search(words.en)
        assert CYRILLIC.search(spec.title.ru)
        assert CYRILLIC.search(spec.story.ru)
    assert len(spec.hints) >= 2
    assert spec.hints[0].cost == 0, "the first hint is free"
    assert 0 < sum(each.cost for each in spec.hints) < spec.points
    assert spec.guide
    for number, step in enumerate(spec.solution):
        compile(step.python, f"{name}-{number}", "exec")


def test_there_are_enough_of_them_and_over_all_chapters():
    rows = table()
    assert len(rows) >= 15
    chapters = {each.partition(".")[0] for each in rows["chapter"]}
    assert chapters >= {"2", "4", "7", "8", "9", "11", "12", "15", "17"}
    assert rows["points"].min() > 0
    by_place = [tuple(map(int, each.split("."))) for each in rows["chapter"]]
    assert by_place == sorted(by_place)


def test_the_table_tells_what_a_lab_can_do_and_speaks_russian():
    here = table("session")["here"]
    assert not here["own-network"]
    assert here["night-watch"]
    assert table("system")["here"].all()
    assert table(language="ru")["title"]["night-watch"].startswith("Вместе")


# -- what varies -----------------------------------------------------------------------------------


def test_a_student_gets_the_same_every_time_and_not_what_all_others_get():
    first = [read("move-house", student="ivanova").vary for _ in range(3)]
    assert first[0] == first[1] == first[2]
    several = {read("move-house", student=f"s{n}").domains for n in range(20)}
    assert len(several) == 3
    assert read("move-house").vary == {"guest": "tenant"}


def test_values_that_belong_together_stay_together():
    for number in range(20):
        vary = read("more-room", student=f"s{number}").vary
        assert vary["sectors"] * 512 == vary["size"] << 20


def test_a_text_that_is_only_a_name_keeps_the_kind_of_its_value_and_code_stays_as_it_is():
    data = {"n": "{size}", "t": "{size} MiB", "python": "f'{size}'", "deep": [{"run": "{size}"}]}
    assert filled("x", data, {"size": 5}) == {
        "n": 5, "t": "5 MiB", "python": "f'{size}'", "deep": [{"run": 5}],
    }  # fmt: skip


def test_entries_of_other_variants_are_left_out():
    data = [{"when": {"cause": "a"}, "id": 1}, {"when": {"cause": "b"}, "id": 2}, {"id": 3}]
    assert filled("x", data, {"cause": "b"}) == [{"id": 2}, {"id": 3}]


@pytest.mark.parametrize("vary", [[1], {"guest": "one"}, {"guest": []}])
def test_what_varies_must_be_lists(vary):
    with pytest.raises(SpecError, match=r"vary.*must be"):
        chosen("x", vary, "ivanova")


# -- files with faults -----------------------------------------------------------------------------


def test_a_teachers_own_file_is_an_exercise_too(write):
    spec = read(write(), student="petrov")
    assert spec.story.en == f"The guest {spec.vary['guest']}"
    assert spec.points == 1


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        (("kind: domain-state", "kind: domain-stat"), "checks[0].that", "domain-state"),
        ((", ru: Раз}", "}"), "title.ru", "required"),
        (("minutes: 5", "minutes: 0"), "minutes", "1"),
        (('domain: "{guest}"', 'domain: "{gast}"'), "checks[0].that.domain", "guest"),
        (("minutes: 5", "minutes: 5\n    hintz: []".replace("    ", "")), "hintz", "hints"),
        (("id: runs", "id: Runs!"), "checks[0].id", "Runs!"),
        (('chapter: "15"', "chapter: fifteen"), "chapter", "fifteen"),
    ],
)
def test_a_fault_in_a_file_is_told_with_its_field_and_what_would_do(write, change, field, told):
    with pytest.raises(SpecError) as caught:
        read(write(change))
    assert "exercise" in str(caught.value)
    assert field in {each.field for each in caught.value.problems}, str(caught.value)
    assert told in str(caught.value)


def test_an_xpath_that_is_none_and_checks_of_one_name_are_refused(write):
    wrong = ('{kind: domain-state, domain: "{guest}"}', '{kind: xml, name: a, path: "//["}')
    with pytest.raises(SpecError, match="no XPath"):
        read(write(wrong))
    one = SMALL.partition("checks:\n")[2].partition("    solution:")[0]
    twice = SMALL.replace("    solution:", one + "    solution:")
    with pytest.raises(SpecError, match="two checks are called runs"):
        read(write(text=twice))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1", "line"),
        ("- a\n- b\n", "no mapping"),
        ("", "no mapping"),
        ("a: !!python/none", "constructor"),
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused(tmp_path, text, told):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=told):
        read(str(path))


def test_a_name_that_is_none_is_refused_with_the_nearest():
    with pytest.raises(SpecError, match="move-house"):
        read("move-hous")
    with pytest.raises(SpecError, match="no file"):
        read("/nowhere/at/all.yaml")
