"""The shelf: the notebooks that come with labvirt, and a user's own copies of them."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labvirt import places
from labvirt.errors import LabvirtError, SpecError

__all__ = ["INDEX", "Laid", "books", "lay_out", "pick"]

#: What is opened when nothing else is asked for.
INDEX: Final = "00-index.ipynb"
_PACKAGE: Final = Path(__file__).parent
#: What was laid out, by path: the digest of the file as it came with labvirt.
_LIST: Final = ".labvirt.json"


@dataclass(frozen=True)
class Laid:
    """What became of the books of a folder.

    Attributes:
        folder: where they are.
        made: those that were copied there now, or brought up to date.
        kept: those that the user has changed; of a newer one a copy lies beside: ``NAME.new.ipynb``.
    """

    folder: Path
    made: tuple[str, ...]
    kept: tuple[str, ...]


def books() -> dict[str, Path]:
    """Return the notebooks that come with labvirt, by their path in a user's folder."""
    checkout = _PACKAGE.parent / "notebooks"
    if (checkout / INDEX).exists():
        return {
            path.relative_to(checkout).as_posix(): path
            for pattern in ("*.ipynb", "runbooks/*.ipynb")
            for path in sorted(checkout.glob(pattern))
        }
    found = {path.name: path for path in sorted((_PACKAGE / "notebooks").glob("*.ipynb"))}
    runbooks = sorted((_PACKAGE / "runbook" / "books").glob("*.ipynb"))
    return found | {f"runbooks/{path.name}": path for path in runbooks}


def pick(name: str) -> str:
    """Return the path of a book in a user's folder, by its name or path; of the index for ``""``.

    Raises:
        SpecError: there is no such book.
    """
    known = {"": INDEX, "index": INDEX}
    for path in books():
        known |= {path: path, Path(path).stem: path}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        names = ", ".join(Path(path).stem for path in books())
        raise SpecError(
            f"there is no notebook {name!r:.80}",
            hint=f"did you mean {near[0]!r}?" if near else f"there are: {names}",
        )
    return known[name]


def lay_out(folder: Path | None = None) -> Laid:
    """Copy the notebooks into a folder; what the user has changed there is never written over.

    Args:
        folder: where to; by default ``notebooks`` in `labvirt.places.home`.

    Raises:
        LabvirtError: the folder cannot be written.
    """
    folder = (folder or places.home() / "notebooks").expanduser().absolute()
    made: list[str] = []
    kept: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _read(folder / _LIST)
        now: dict[str, str] = {}
        for path, source in books().items():
            data = source.read_bytes()
            target, now[path] = folder / path, _digest(data)
            there = _digest(target.read_bytes()) if target.exists() else None
            if there == now[path]:
                continue
            if there is None or there == before.get(path):
                _write(target, data)
                made.append(path)
                continue
            kept.append(path)
            if before.get(path) != now[path]:
                _write(target.with_suffix(".new.ipynb"), data)
        if now != before:
            _write(folder / _LIST, json.dumps(now, indent=1).encode())
    except OSError as error:
        raise LabvirtError(
            f"the notebooks cannot be laid out in {folder}: {error.strerror or error}",
            hint="give a folder of your own: labvirt notebook --folder DIR",
        ) from error
    return Laid(folder, tuple(made), tuple(kept))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> dict[str, str]:
    """Return the list; empty when there is none or it is damaged: then every file is the user's."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _write(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".labvirt-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
