"""Finds files in unpacked package trees, each of them seen as a root folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Tree"]

_MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class Tree:
    """One folder that stands for ``/``: an unpacked set of packages, or the machine itself.

    Attributes:
        root: the folder.
    """

    root: Path

    def find(self, *paths: str) -> Path | None:
        """Return the real file behind the first of these paths that exists, else None.

        Symbolic links are followed inside the tree: an absolute link of a package never leads to
        a file of this machine. A path under ``/lib``, ``/lib64``, ``/bin`` or ``/sbin`` is also
        looked for under ``/usr`` and the other way round, since packages differ there.
        """
        for path in paths:
            for asked in _spellings(path):
                found = self._resolve(asked)
                if found is not None and found.is_file():
                    return found
        return None

    def glob(self, *patterns: str) -> Iterator[Path]:
        """Yield what matches these patterns, relative to the root, each pattern sorted."""
        for pattern in patterns:
            yield from sorted(self.root.glob(pattern))

    def _resolve(self, path: str) -> Path | None:
        """Follow ``path`` from the root, links included, and never step out of the root."""
        todo = list(reversed(PurePosixPath(path).parts))
        done: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part in {"/", "."}:
                continue
            if part == "..":
                done = done[:-1]
                continue
            here = self.root.joinpath(*done, part)
            try:
                target = here.readlink()
            except OSError:  # not a link, or not there: the caller looks at what we return
                done.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            if target.is_absolute():
                done = []
            todo.extend(reversed(target.parts))
        return self.root.joinpath(*done)


def _spellings(path: str) -> tuple[str, ...]:
    plain = path.lstrip("/")
    first, _, rest = plain.partition("/")
    if first == "usr":
        second = rest.partition("/")[0]
        return (plain, rest) if second in {"bin", "sbin", "lib", "lib64"} else (plain,)
    return (plain, "usr/" + plain) if first in {"bin", "sbin", "lib", "lib64"} else (plain,)
