"""Fault: what can be broken in a lab, how, and which check of the doctor must notice it."""

from __future__ import annotations

import functools
import importlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Literal

from labvirt.errors import SpecError
from labvirt.model.spec import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.lab.faults.scene import Scene

__all__ = ["LANGUAGES", "Break", "Fault", "all_faults", "fault", "fault_of", "words_of"]

BOTH: Final = ("session", "system")
LANGUAGES: Final = ("en", "ru")
#: The modules that hold faults; importing one registers them.
HOMES: Final = (
    "labvirt.lab.faults.networks",
    "labvirt.lab.faults.interfaces",
    "labvirt.lab.faults.storage",
    "labvirt.lab.faults.guests",
    "labvirt.lab.faults.hosts",
    "labvirt.lab.faults.certificates",
)

_faults: dict[str, Fault] = {}


class Break:
    """How one fault is made and undone. All it needs to know later stands in ``scene.memo``."""

    def look(self, scene: Scene) -> dict[str, Any]:
        """Return what the undo needs, before anything is changed; refuses by a `LabError`."""
        raise NotImplementedError

    def make(self, scene: Scene) -> None:
        """Break it."""
        raise NotImplementedError

    def mend(self, scene: Scene) -> str:
        """Bring it back, however much of it was made; empty when it was mended already.

        Returns:
            What was done, in words.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Fault:
    """Something that can be broken in a lab.

    Attributes:
        id: stable key: ``network-inactive``.
        check: the doctor's check that must notice it.
        of: what it breaks: a ``host``, ``network``, ``pool``, ``domain``, or a domain's ``disk``
            or ``interface``.
        backends: back ends in which it can be made.
        guide: row of the guide.
        also: checks that turn red too, as its consequence.
        options: further arguments of `Lab.inject`: name -> default.
        how: makes and undoes it.
        state: what the domain must be: ``running``, ``off`` or ``any``.
    """

    id: str
    check: str
    of: Literal["host", "network", "pool", "domain", "disk", "interface"]
    how: Break
    backends: tuple[str, ...] = BOTH
    guide: str = ""
    also: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    state: Literal["running", "off", "any"] = "any"

    @property
    def title(self) -> str:
        """What it is, in English."""
        return str(words_of(self.id)["title"])

    @property
    def symptom(self) -> str:
        """How it shows, in English, with ``{domain}`` and the like not filled in."""
        return str(words_of(self.id)["symptom"])

    @property
    def hints(self) -> tuple[str, str, str]:
        """A vague, a nearer and an exact hint, in English, not filled in."""
        vague, nearer, exact = words_of(self.id)["hints"]
        return vague, nearer, exact

    def told(self, language: str, where: Mapping[str, str]) -> dict[str, Any]:
        """Return title, symptom and hints in a language, with names filled in.

        Raises:
            SpecError: there is no such language.
        """
        words = words_of(self.id, language)
        names = dict(where)
        return {
            "title": words["title"].format_map(_Blank(names)),
            "symptom": words["symptom"].format_map(_Blank(names)),
            "hints": tuple(hint.format_map(_Blank(names)) for hint in words["hints"]),
        }


class _Blank(dict[str, str]):
    """Names; one that is not known stays as it is written."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


@functools.cache
def _words() -> dict[str, Any]:
    text = resources.files("labvirt.lab.faults").joinpath("words.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def words_of(key: str, language: str = "en") -> dict[str, Any]:
    """Return title, symptom and hints of a fault, not filled in.

    Raises:
        SpecError: there is no such language.
    """
    if language not in LANGUAGES:
        raise SpecError(f"faults do not speak {language!r}", hint=f"one of {', '.join(LANGUAGES)}")
    found: dict[str, Any] = _words()[key][language]
    return found


def fault(key: str, **facts: Any) -> Callable[[type[Break]], type[Break]]:
    """Register a `Break` as the fault of this id; `facts` are fields of `Fault`."""
    if key in _faults:
        raise ValueError(f"{key} is registered twice")

    def keep(how: type[Break]) -> type[Break]:
        options = tuple(facts.pop("options", {}).items())
        _faults[key] = Fault(id=key, how=how(), options=options, **facts)
        return how

    return keep


def all_faults() -> tuple[Fault, ...]:
    """Return every fault, in the order of their families."""
    for home in HOMES:
        importlib.import_module(home)
    return tuple(_faults.values())


def fault_of(key: str) -> Fault:
    """Return a fault by its id.

    Raises:
        SpecError: there is none of this id.
    """
    known = {one.id: one for one in all_faults()}
    if key not in known:
        raise SpecError(
            f"there is no fault {key!r}",
            hint=did_you_mean(key, tuple(known), limit=40) or "lab.faults lists them",
        )
    return known[key]
