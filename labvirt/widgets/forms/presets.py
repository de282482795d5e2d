"""Presets of one's own: what was given in a form, under a name, in a file; without secrets."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt import places
from labvirt.errors import HostError, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.widgets.forms.raw import Raw
    from labvirt.widgets.forms.state import FormState

__all__ = ["Presets"]

_FILE: Final = "presets.json"
_MOST: Final = 100
_LONGEST: Final = 60
#: What belongs to one thing only.
_ITS_OWN: Final = frozenset({"name", "title", "uuid", "mac"})
_lock = threading.Lock()


class Presets:
    """The presets of a user for one kind of form.

    Args:
        kind: name of the spec: ``DomainSpec``.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @staticmethod
    def path() -> Path:
        """Return where the file is, whether it exists or not."""
        return places.settings() / _FILE

    def names(self) -> tuple[str, ...]:
        """Return the names, sorted. A file that cannot be read has none."""
        return tuple(sorted(self._mine(self._read())))

    def save(self, name: str, state: FormState[Any]) -> tuple[str, ...]:
        """Keep what was given, but no secrets and no name, UUID or MAC address.

        Args:
            name: 1 to 60 characters; one of that name is replaced.
            state: the form's values.

        Returns:
            The paths that were left out because they are secret.

        Raises:
            SpecError: no such name can be, or there are 100 already.
            HostError: the folder cannot be written.
        """
        text = " ".join(str(name).split())
        if not text or len(text) > _LONGEST or not text.isprintable():
            why = f"must be 1 to {_LONGEST} printable characters"
            raise SpecError("a preset", (Problem("name", text[:80], why),))
        kept: dict[str, Raw] = {}
        left = []
        for path, value in state.raw.items():
            if state.find(path).kind == "secret":
                left.append(path)
            elif path not in _ITS_OWN and not path.endswith(".mac"):
                kept[path] = value
        with _lock:
            told = self._read()
            mine = self._mine(told)
            if text not in mine and len(mine) >= _MOST:
                why = f"there are {_MOST} already; delete one"
                raise SpecError("a preset", (Problem("name", text, why),))
            mine[text] = {"values": kept, "counts": dict(state.counts)}
            self._write({**told, self._kind: mine})
        return tuple(left)

    def load(self, name: str, state: FormState[Any]) -> tuple[str, ...]:
        """Fill a form; return what it could not take.

        Raises:
            SpecError: there is no such preset.
        """
        mine = self._mine(self._read())
        if name not in mine:
            hint = ", ".join(sorted(mine)) or "none is saved"
            raise SpecError("a preset", (Problem("name", str(name)[:80], "is none", hint),))
        found = mine[name]
        values, counts = found.get("values"), found.get("counts")
        state.clear()
        left = []
        for path, value in (values if isinstance(values, dict) else {}).items():
            try:
                state.set(path, value)
            except SpecError:
                left.append(str(path)[:80])
        for path, count in (counts if isinstance(counts, dict) else {}).items():
            try:
                is_list = state.find(path).kind == "list"
            except SpecError:
                is_list = False
            if is_list and isinstance(count, int) and 0 <= count <= 64:
                state.counts[path] = max(count, state.counts.get(path, 0))
        return tuple(left)

    def delete(self, name: str) -> None:
        """Forget one.

        Raises:
            SpecError: there is no such preset.
            HostError: the folder cannot be written.
        """
        with _lock:
            told = self._read()
            mine = self._mine(told)
            if name not in mine:
                raise SpecError("a preset", (Problem("name", str(name)[:80], "is none"),))
            del mine[name]
            self._write({**told, self._kind: mine})

    def _mine(self, told: Mapping[str, Any]) -> dict[str, Any]:
        mine = told.get(self._kind)
        found = mine if isinstance(mine, dict) else {}
        return {name: value for name, value in found.items() if isinstance(value, dict)}

    def _read(self) -> dict[str, Any]:
        try:
            told = json.loads(self.path().read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return told if isinstance(told, dict) else {}

    def _write(self, told: Mapping[str, Any]) -> None:
        """Write the file at once or not at all; one that could not be read is put aside."""
        path = self.path()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists() and not self._read():
                path.replace(path.with_suffix(".damaged"))
            fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(fd, "w", encoding="utf-8") as file:
                    json.dump(told, file, indent=2, ensure_ascii=False)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise HostError(
                f"save presets in {path}",
                libvirt_text=error.strerror or str(error),
                hint="LABVIRT_HOME names another folder",
            ) from error
