"""The language of the views: gettext catalogues; English is the source and needs none.

Texts are looked up when a view is built, never when a module is loaded, so that `set_language`
holds for everything that is shown from then on.
"""

from __future__ import annotations

import gettext
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

from labvirt.errors import Problem, SpecError
from labvirt.model.spec import did_you_mean
from labvirt.preferences import Preferences

__all__ = ["LANGUAGES", "LOCALE", "N_", "_", "language", "ngettext", "set_language", "told"]

LOCALE: Final = Path(__file__).parent / "locale"
DOMAIN: Final = "labvirt"

#: Languages with a catalogue, and the source.
LANGUAGES: Final[dict[str, str]] = {"en": "English", "ru": "Русский"}
_OWN: Final = "LABVIRT_LANG"
_VARIABLES: Final = (_OWN, "LC_ALL", "LC_MESSAGES", "LANG")

_chosen: list[str] = []


def set_language(name: str | None) -> None:
    """Show views in this language from now on; those that are open keep theirs until run again.

    Args:
        name: ``en`` or ``ru``; a locale such as ``ru_RU.UTF-8`` will do. None: what ``LABVIRT_LANG``
            says, else the user's preferences, else the locale of the kernel's process, else English.

    Raises:
        SpecError: there is no such language.
    """
    if name is None:
        _chosen.clear()
        _preferred.cache_clear()
        return
    found = _known(name)
    if found is None:
        hint = did_you_mean(str(name), tuple(LANGUAGES))
        raise SpecError("set_language", (Problem("name", str(name)[:40], "is unknown", hint),))
    _chosen[:] = [found]


def language() -> str:
    """Return the language of the views: ``en`` or ``ru``."""
    if _chosen:
        return _chosen[0]
    for variable in _VARIABLES:
        text = os.environ.get(variable, "")
        if variable == _OWN and not text:
            text = _preferred()
        if text:
            return _known(text) or "en"
    return "en"


@cache
def _preferred() -> str:
    """Return the language of the user's preferences; empty when that is the system's."""
    wanted = Preferences.load().language
    return "" if wanted == "system" else wanted


def _(text: str) -> str:
    """Return a text in the language of the views; one that is not in the catalogue stays."""
    return _catalogue(language()).gettext(text) if text else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Return the form of a text that goes with a number; ``{count}`` is left to the caller."""
    return _catalogue(language()).ngettext(one, many, count)


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a text of a table for the catalogue; `_` looks it up when it is shown."""
    return text


def told(table: Any) -> Any:
    """Return a table of texts (dicts, tuples and lists in each other) in the views' language."""
    if isinstance(table, str):
        return _(table)
    if isinstance(table, dict):
        return {key: told(value) for key, value in table.items()}
    if isinstance(table, tuple | list):
        return type(table)(told(value) for value in table)
    return table


def _known(name: object) -> str | None:
    if not isinstance(name, str):
        return None
    short = name.replace("-", "_").split("_")[0].split(".")[0].lower()
    if short in {"c", "posix"}:
        return "en"
    return short if short in LANGUAGES else None


@cache
def _catalogue(name: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALE, [name], fallback=True)
