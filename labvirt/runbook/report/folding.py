"""Cutting long text: its first and last lines are shown, in lines of a readable length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HEAD", "TAIL", "Folded", "fold", "fold_file", "without_controls"]

HEAD = 50
"""Lines that are shown of the beginning of a long text."""
TAIL = 20
"""Lines that are shown of its end."""
WIDTH = 2000
"""Characters that are shown of a line."""

#: What terminals understand beside colours: titles, character sets, key modes.
_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"
    r"|\x1b[()*+#%][0-9A-Za-z]?"
    r"|\x1b(?!\[[0-9;?]*[@-~])"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x0d\x0e-\x1a\x1c-\x1f\x7f\x80-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Folded:
    """A text, cut where it was long.

    Attributes:
        head: its first lines, or all of them.
        tail: its last lines; empty when nothing lies between.
        lines: number of lines of the whole text.
        hidden: number of lines that are not shown.
        narrowed: number of shown lines that were cut.
    """

    head: str
    tail: str
    lines: int
    hidden: int
    narrowed: int

    @property
    def is_cut(self) -> bool:
        """Tell whether anything is missing."""
        return bool(self.hidden or self.narrowed)


def fold(text: str, *, head: int = HEAD, tail: int = TAIL, width: int = WIDTH) -> Folded:
    """Return the first and the last lines of a text, and how much lies between.

    A text of any size is never split as a whole. Of a line that was overwritten after a carriage
    return, as progress bars do, the last state is shown, as a terminal would.

    Args:
        text: the text; terminal colours may be in it.
        head: lines to show of its beginning.
        tail: lines to show of its end.
        width: characters to show of a line.
    """
    body = len(text) - text.endswith("\n")
    lines = text.count("\n", 0, body) + bool(text)
    if lines <= head + tail:
        pieces = [text[:body]]
    else:
        end = 0
        for _ in range(head):
            end = text.index("\n", end) + 1
        start = body
        for _ in range(tail):
            start = text.rindex("\n", 0, start)
        pieces = [text[: end - 1], text[start + 1 : body]]
    narrowed, shown = 0, []
    for piece in pieces:
        done = [_narrow(_last_state(line), width) for line in piece.split("\n")]
        narrowed += sum(cut for _, cut in done)
        shown.append(without_controls("\n".join(line for line, _ in done)))
    hidden = lines - head - tail if len(pieces) > 1 else 0
    return Folded(shown[0], shown[1] if len(pieces) > 1 else "", lines, hidden, narrowed)


def fold_file(path: Path, *, head: int = HEAD, tail: int = TAIL, width: int = WIDTH) -> Folded:
    """Return the first and the last lines of a text file of any size, as `fold` does.

    Args:
        path: the file (UTF-8).
        head: lines to show of its beginning.
        tail: lines to show of its end.
        width: characters to show of a line.

    Raises:
        OSError: it cannot be read.
    """
    piece = 4 * width * (head + tail)
    with path.open("rb") as file:
        first = file.read(piece)
        lines, last = first.count(b"\n"), first[-1:]
        end = file.tell()
        while more := file.read(1 << 20):
            lines, last = lines + more.count(b"\n"), more[-1:]
            end += len(more)
        lines += last not in (b"\n", b"")
        file.seek(max(0, end - piece))
        rest = file.read()
    start, close = (part.decode(errors="replace") for part in (first, rest))
    if end <= 2 * piece:  # small enough to be taken as a whole
        return fold(path.read_text(errors="replace"), head=head, tail=tail, width=width)
    above = fold("\n".join(start.split("\n")[:head]), head=head, tail=0, width=width)
    below = fold("\n".join(close.rstrip("\n").split("\n")[-tail:]), head=0, tail=tail, width=width)
    narrowed = above.narrowed + below.narrowed
    return Folded(above.head, below.head, lines, max(lines - head - tail, 0), narrowed)


def without_controls(text: str) -> str:
    """Return a text without what HTML cannot carry and terminals would act on, colours excepted."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def _last_state(line: str) -> str:
    """Return what a terminal would show of a line with carriage returns in it."""
    end = len(line)
    while end and line[end - 1] == "\r":
        end -= 1
    return line[line.rfind("\r", 0, end) + 1 : end]


def _narrow(line: str, width: int) -> tuple[str, bool]:
    if len(line) <= width:
        return line, False
    first, last = width * 3 // 4, width // 4
    cut = len(line) - first - last
    return f"{line[:first]} [… {cut:,} characters …] {line[-last:]}", True
