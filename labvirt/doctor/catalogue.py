"""The catalogue of errors: what libvirt, QEMU and their tools say, and what is behind it.

The entries stand in ``labvirt/doctor/errors/*.toml``. The first whose pattern is found in the text
counts; what its groups catch (a path, a name) goes into the cause and the commands.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ErrorEntry", "entries", "filled", "find"]

_FOLDER: Final = Path(__file__).parent / "errors"
# What is said of a migration names ports, pools and certificates too, so that it goes first.
_ORDER: Final = (
    "6migration",
    "1connection",
    "2network",
    "3storage",
    "4qemu",
    "5domain",
    "7tools",
)
_HOLE: Final = re.compile(r"\{(\w+)\}")
_PHRASE: Final = re.compile(r":? ?\(?(\{(\w+)\})\)?")
#: ``p2`` catches the path too, in another branch of a pattern, where a name may stand but once.
_SAME: Final = {
    "b": "bridge",
    "c": "cpu",
    "d": "domain",
    "e": "element",
    "f": "filter",
    "g": "features",
    "k": "network",
    "l": "label",
    "m": "machine",
    "n": "name",
    "o": "pool",
    "p": "path",
    "s": "snapshot",
    "t": "target",
    "v": "device",
    "w": "what",
}


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One error that is known.

    Attributes:
        key: stable name: ``network-inactive``.
        pattern: what is looked for in the text.
        parts: names of error codes or of parts of libvirt it is limited to; empty: any.
        checks: patterns of the doctor's checks that look at what is behind it.
        cause: a sentence; ``{path}`` stands for what the pattern's group of that name caught.
        look: commands that show it.
        next: what to do, best as a command.
        guide: row of the guide, or empty.
        samples: texts that it is made for, as libvirt, QEMU or a tool print them.
    """

    key: str
    pattern: re.Pattern[str]
    cause: str
    look: tuple[str, ...]
    next: str
    parts: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    guide: str = ""
    samples: tuple[str, ...] = ()


@cache
def entries() -> tuple[ErrorEntry, ...]:
    """Return every entry, in the order in which they are tried."""
    made = []
    for stem in _ORDER:
        text = (_FOLDER / f"{stem}.toml").read_text(encoding="utf-8")
        for row in tomllib.loads(text)["error"]:
            pattern = re.compile(row.pop("pattern"), re.IGNORECASE)
            lists = {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
            made.append(ErrorEntry(pattern=pattern, **{**row, **lists}))
    return tuple(made)


def find(
    text: str, names: frozenset[str] = frozenset()
) -> tuple[ErrorEntry, dict[str, str]] | None:
    """Return the entry that a text belongs to, and what its groups caught; None: it is unknown.

    Args:
        text: an error's own words; a few lines of a log will do.
        names: names of the error's code and of the part of libvirt it comes from; empty: unknown.
    """
    for entry in entries():
        if entry.parts and names and not names & set(entry.parts):
            continue
        match = entry.pattern.search(text)
        if match is not None:
            return entry, {
                _SAME.get(name[0], name) if name[1:].isdigit() else name: value
                for name, value in match.groupdict().items()
                if value
            }
    return None


def filled(template: str, caught: Mapping[str, str], *, command: bool = False) -> str:
    """Return a sentence or a command with what was caught.

    Args:
        template: with holes: ``{path}``.
        caught: what goes into them.
        command: an unknown word becomes ``PATH`` there; a sentence does without it.
    """
    if command:
        return _HOLE.sub(lambda hole: caught.get(hole[1], hole[1].upper()), template)
    return _PHRASE.sub(
        lambda hole: hole[0].replace(hole[1], caught[hole[2]]) if hole[2] in caught else "",
        template,
    ).strip()
