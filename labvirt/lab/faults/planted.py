"""Planted: a fault that was made, written down so that any process can undo it."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabError
from labvirt.lab.faults.registry import Fault, fault_of
from labvirt.lab.faults.scene import Scene
from labvirt.lab.records import write_json
from labvirt.lab.store import Shelf, locked

if TYPE_CHECKING:
    from pathlib import Path

    from labvirt.lab.lab import Lab

__all__ = ["Planted", "folder_of", "planted_in"]

_FOLDER = "faults"


def folder_of(lab: str) -> Path:
    """Return the folder in which the faults of a lab are written down."""
    return Shelf(lab).folder / _FOLDER


@dataclass(frozen=True, eq=False)
class Planted:
    """A fault that was made.

    Attributes:
        id: id of the fault.
        where: what is broken: ``host``, ``domain``, ``network`` and so on -> name.
        language: of symptom and hints.
    """

    lab: Lab = field(repr=False)
    path: Path = field(repr=False)
    id: str
    where: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict, repr=False)
    at: float = 0.0
    language: str = "en"

    @property
    def fault(self) -> Fault:
        """The fault."""
        return fault_of(self.id)

    @property
    def check(self) -> str:
        """Id of the doctor's check that notices it."""
        return self.fault.check

    @property
    def title(self) -> str:
        """What is broken; a spoiler."""
        return str(self._told()["title"])

    @property
    def symptom(self) -> str:
        """How it shows."""
        return str(self._told()["symptom"])

    @property
    def hints(self) -> tuple[str, str, str]:
        """A vague, a nearer and an exact hint."""
        vague, nearer, exact = self._told()["hints"]
        return vague, nearer, exact

    def in_language(self, language: str) -> Planted:
        """Return the same with symptom and hints in another language: ``en``, ``ru``.

        Raises:
            SpecError: there is no such language.
        """
        self.fault.told(language, self.where)
        return Planted(
            self.lab, self.path, self.id, self.where, self.options, self.memo, self.at, language
        )

    def _told(self) -> dict[str, Any]:
        return self.fault.told(self.language, {**self.where, **_texts(self.options)})

    @property
    def is_there(self) -> bool:
        """Whether it is still written down: nobody has undone it."""
        return self.path.exists()

    def undo(self) -> str:
        """Bring everything back as it was.

        Harmless when somebody has mended it by hand, or undone it before; says so.

        Returns:
            What was done, in words.

        Raises:
            LabError: it cannot be undone now; it stays written down, so that it can be later.
            LabvirtError: libvirt refused; likewise.
        """
        with locked(self.lab.name, doing="mend"):
            if not self.path.exists():
                return f"{self.id}: it was undone before"
            said = self._mend()
        return f"{self.id}: {said or 'it was mended already; nothing was left to do'}"

    def _mend(self) -> str:
        memo = _read(self.path).get("memo", self.memo)
        with Scene(self.lab, self.where, self.options, memo, self.keep) as scene:
            said = self.fault.how.mend(scene)
        self.path.unlink(missing_ok=True)
        return said

    def keep(self, memo: dict[str, Any]) -> None:
        """Write down what the undo must know."""
        facts = {"id": self.id, "where": self.where, "options": self.options}
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        write_json(self.path, {**facts, "memo": memo, "at": self.at})

    @property
    def place(self) -> str:
        """Where it is, in words: ``domain web1 on alpha``."""
        parts = [f"{what} {name}" for what, name in self.where.items() if what != "host" and name]
        return f"{', '.join(parts)} on {self.where['host']}" if parts else self.where["host"]


def planted_in(lab: Lab, language: str = "en") -> tuple[Planted, ...]:
    """Return what is broken in a lab, the first that was broken first.

    Raises:
        LabError: what is written down cannot be read.
    """
    found = []
    for path in sorted(folder_of(lab.name).glob("*.json")):
        facts = _read(path)
        if facts:
            found.append(Planted(lab, path, language=language, **facts))
    return tuple(sorted(found, key=lambda one: one.at))


def new_path(lab: str, key: str, where: dict[str, str]) -> Path:
    """Return where a fault is written down; the same for the same fault of the same thing."""
    words = "-".join("".join(c if c.isalnum() else "_" for c in each) for each in where.values())
    return folder_of(lab) / f"{key}-{words}.json"


def now() -> float:
    """Return the time, seconds since 1970."""
    return time.time()


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError):
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise LabError(
                f"{path} cannot be read: {error}", hint="labvirt lab reset brings the lab back"
            ) from error
        return found
    return {}


def _texts(options: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}
