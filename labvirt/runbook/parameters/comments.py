"""Comments of the cell: help for the reader, and types in the old way (``# type: int``)."""

from __future__ import annotations

import io
import re
import tokenize
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

__all__ = ["Comments"]

_TOOLS = re.compile(r"(noqa|fmt|pragma|pylint|ruff|mypy|isort|type:\s*ignore|%%|!)", re.IGNORECASE)


class Comments:
    """The comments of a cell by the line they stand on.

    Args:
        source: the cell; must be Python.
    """

    def __init__(self, source: str) -> None:
        self._text: dict[int, str] = {}
        self._alone: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type != tokenize.COMMENT:
                continue
            line = token.start[0]
            self._text[line] = token.string.lstrip("#").strip()
            if not token.line[: token.start[1]].strip():
                self._alone.add(line)

    def beside(self, node: ast.stmt) -> str:
        """Return the comment at the end of a statement, or at the end of its first line."""
        for line in (node.end_lineno or node.lineno, node.lineno):
            if line in self._text and line not in self._alone:
                return self._text[line]
        return ""

    def help_for(self, node: ast.stmt) -> str:
        """Return the comment beside a statement, else the block of comments directly above it."""
        beside = "" if _TOOLS.match(self.beside(node)) else self.beside(node)
        if beside and not beside.startswith("type:"):
            return beside
        line, above = node.lineno - 1, []
        while line in self._alone:
            above.append(self._text[line])
            line -= 1
        words = [text for text in reversed(above) if text and not _TOOLS.match(text)]
        return " ".join(words)
