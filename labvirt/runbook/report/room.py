"""How much room a report has, and the files beside it for what does not fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

__all__ = ["Room", "SideFiles"]

_CHUNK = 4 << 20


@dataclass
class Room:
    """What may still be put into a report, so that it stays below 5 MB whatever was printed.

    Attributes:
        left_bytes: for outputs and code.
        reserve_bytes: for errors and short forms, when the rest is used up.
    """

    left_bytes: int = 4_200_000
    reserve_bytes: int = 400_000

    def take(self, size: int, *, reserve: bool = False) -> bool:
        """Take room for something; say whether there was enough.

        Args:
            size: bytes that it needs.
            reserve: whether it is important, or short, enough to use the reserve.
        """
        if size <= self.left_bytes:
            self.left_bytes -= size
            return True
        if reserve and size <= self.reserve_bytes:
            self.reserve_bytes -= size
            return True
        return False


@dataclass
class SideFiles:
    """The files beside a report.

    Attributes:
        folder: folder of the report; None when somebody else writes the files.
        held: files for somebody else to write, content by relative path.
        written: relative paths of the files, in order.
    """

    folder: Path | None
    held: dict[str, bytes] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)

    def path(self, href: str) -> Path | None:
        """Return where a file beside the report lies; None when that is not known."""
        return self.folder / href if self.folder is not None else None

    def keep(self, name: str, content: str | bytes, taken: Container[str] = ()) -> dict[str, Any]:
        """Keep a content as a file and return what a link to it needs: ``href`` and ``size``.

        Args:
            name: file name without folder.
            content: text or bytes; written piece by piece, so that little more memory is used.
            taken: relative paths that hold something better already; they are only linked.
        """
        href = f"outputs/{name}"
        if href in taken:
            return {"href": href, "size": ""}
        if href not in self.written:
            self.written.append(href)
        if self.folder is None:
            data = content if isinstance(content, bytes) else _encoded(content)
            self.held[href] = data
            return {"href": href, "size": _size(len(data))}
        path = self.folder / href
        path.parent.mkdir(mode=0o700, exist_ok=True)
        total = 0
        with path.open("wb") as file:
            for at in range(0, len(content), _CHUNK):
                part = content[at : at + _CHUNK]
                total += file.write(part if isinstance(part, bytes) else _encoded(part))
        return {"href": href, "size": _size(total)}


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")


def _size(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
