"""Every text of the views is in the catalogue, and the views speak the language that is set."""

from __future__ import annotations

import gettext
import io
import re
import string

import catalogue
import pytest
from babel.messages import mofile

from labvirt.errors import SpecError
from labvirt.widgets.i18n import _, language, ngettext, set_language, told
from labvirt.widgets.words import WORDS

CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)  # noqa: RUF001
#: Names and abbreviations that are the same in Russian.
LATIN = 36


@pytest.fixture(autouse=True)
def english(monkeypatch):
    for name in ("LABVIRT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    set_language(None)
    yield
    set_language(None)


@pytest.fixture(scope="module")
def russian():
    return {message.id: message.string for message in catalogue.read() if message.id}


def test_every_text_has_a_russian_one_and_none_is_left_over(russian):
    found = catalogue.texts()
    assert len(found) > 500
    ids = {each if isinstance(each, str) else tuple(each) for each in found}
    one = {each if isinstance(each, str) else each[0] for each in ids}
    assert {each if isinstance(each, str) else each[0] for each in russian} == one
    assert [each for each, text in russian.items() if not all(catalogue.flat(text))] == []
    latin = [
        each for each, text in russian.items() if not CYRILLIC.search("".join(catalogue.flat(text)))
    ]
    assert len(latin) <= LATIN, latin


def test_translations_have_the_same_places_for_values(russian):
    for text, translated in russian.items():
        wanted = places(text if isinstance(text, str) else text[0])
        for each in catalogue.flat(translated):
            assert places(each) == wanted, text


def places(text):
    return {name for _text, name, _spec, _conv in string.Formatter().parse(text) if name}


def test_the_compiled_catalogue_is_that_of_the_readable_one():
    made = io.BytesIO()
    mofile.write_mo(made, catalogue.read())
    made.seek(0)
    with catalogue.MO.open("rb") as file:
        assert gettext.GNUTranslations(file)._catalog == gettext.GNUTranslations(made)._catalog


def test_the_language_is_looked_up_when_a_text_is_shown(monkeypatch):
    assert (language(), _("Name")) == ("en", "Name")
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    assert (language(), _("Name")) == ("ru", "Имя")
    monkeypatch.setenv("LABVIRT_LANG", "en")
    assert _("Name") == "Name"
    set_language("ru")
    assert _("Name") == "Имя"
    assert told(WORDS)["pause"] == "Пауза"
    assert told({"a": ("Name", 1)}) == {"a": ("Имя", 1)}
    set_language(None)
    assert _("Name") == "Name"


@pytest.mark.parametrize("name", ["de_DE.UTF-8", "C", "POSIX", "C.UTF-8", "", "\x00", "../ru"])
def test_a_locale_without_a_catalogue_is_english(monkeypatch, name):
    monkeypatch.setattr("os.environ", {"LABVIRT_LANG": name})
    assert _("Name") == "Name"


def test_russian_plurals():
    set_language("ru")
    one, many = "{count} value given", "{count} values given"
    words = [ngettext(one, many, count).format(count=count) for count in (1, 3, 5, 21)]
    assert words == [
        "указано 1 значение",
        "указано 3 значения",
        "указано 5 значений",
        "указано 21 значение",
    ]


def test_what_is_not_in_the_catalogue_stays_and_bad_names_are_refused():
    set_language("ru")
    assert _("{no} such text <b>") == "{no} such text <b>"
    assert _("") == ""
    for name in ("klingon", "", "<script>", 7, ["ru"], "x" * 999):
        with pytest.raises(SpecError):
            set_language(name)
    assert language() == "ru"
