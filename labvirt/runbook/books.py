"""Books: where the runbooks are, and reading one."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from labvirt.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Book", "find_book", "list_books"]

_PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Book:
    """A runbook.

    Attributes:
        name: its name: the file's without ``.ipynb``.
        path: the notebook.
        notebook: its content (nbformat 4).
    """

    name: str
    path: Path
    notebook: Any

    @property
    def title(self) -> str:
        """The first heading of the notebook."""
        for cell in self.notebook.cells:
            for line in cell.source.splitlines():
                if cell.cell_type == "markdown" and line.startswith("#"):
                    return str(line.lstrip("# ").strip())
        return self.name

    @property
    def parameters_source(self) -> str:
        """Source of the cell tagged ``parameters``.

        Raises:
            RunError: there is none, or more than one.
        """
        tagged = [
            cell
            for cell in self.notebook.cells
            if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])
        ]
        if len(tagged) != 1:
            raise RunError(
                f"the runbook {self.path} has {len(tagged)} cells tagged 'parameters'",
                code=2,
                hint="tag exactly one cell 'parameters'",
            )
        return str(tagged[0].source)


def _folders() -> Iterator[Path]:
    """Yield where runbooks lie: the working folder's, the checkout's, the installed ones."""
    yield Path.cwd() / "notebooks" / "runbooks"
    yield _PACKAGE.parent.parent / "notebooks" / "runbooks"
    yield _PACKAGE / "books"


def list_books() -> dict[str, Path]:
    """Return the runbooks that can be run by name; a nearer folder wins."""
    found: dict[str, Path] = {}
    for folder in _folders():
        for path in sorted(folder.glob("*.ipynb")):
            found.setdefault(path.stem, path)
    return found


def find_book(name: str | Path) -> Book:
    """Return a runbook by its name, or by the path of its notebook.

    Raises:
        RunError: there is none, or the file is not a notebook.
    """
    path = Path(name)
    if path.suffix != ".ipynb":
        known = list_books()
        if str(name) not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = (
                f"did you mean {near[0]!r}?" if near else "there are: " + ", ".join(sorted(known))
            )
            raise RunError(f"there is no runbook {str(name)!r}", code=2, hint=hint)
        path = known[str(name)]
    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise RunError(f"there is no notebook {path}", code=2) from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}", code=2) from error
    except Exception as error:  # nbformat raises what it stumbles over
        why = str(error) if isinstance(error, ValueError) else "its JSON has not the right form"
        raise RunError(f"{path} cannot be read as a notebook: {why}", code=2) from error
    if not _is_whole(notebook):
        raise RunError(f"{path} cannot be read as a notebook: cells are missing or broken", code=2)
    return Book(path.stem, path, notebook)


def _is_whole(notebook: Any) -> bool:
    """Tell whether a notebook has all that is taken for granted of one."""
    cells = notebook.get("cells")
    return isinstance(cells, list) and all(
        isinstance(cell, dict)
        and isinstance(cell.get("cell_type"), str)
        and isinstance(cell.get("source"), str)
        and isinstance(cell.get("metadata"), dict)
        and isinstance(cell["metadata"].get("tags", []), list)
        for cell in cells
    )
