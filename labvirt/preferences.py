"""Preferences: what a user wants everywhere, kept in one file of his (16.8).

A file that is damaged, or has what this version does not know, costs nobody his settings: what
can be read is taken, what cannot has its default, the log says so, and nothing is thrown away.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, Strict

from labvirt import places
from labvirt.errors import HostError, SpecError
from labvirt.model.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Preferences"]

_log = logging.getLogger("labvirt")
_FILE = "preferences.json"
#: Version of the file's form; a higher one was written by a newer labvirt.
_FORM = 1

_Seconds = Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Yes = Annotated[bool, Strict()]


class Preferences(Spec):
    """What a user prefers (G16.8-01, G16.8-02). ``Preferences.load()`` reads, `save` keeps."""

    interval_s: _Seconds = Field(
        default=1.0,
        ge=0.2,
        le=3600,
        description="Time between two readings of CPU, memory and network, seconds.",
        examples=[1.0, 3.0, 60.0],
    )
    slow_interval_s: _Seconds = Field(
        default=5.0,
        ge=0.2,
        le=3600,
        description="Time in which disks and memory in use are read once of every guest, seconds. "
        "These ask the hypervisor's processes, so they are read more seldom.",
        examples=[5.0, 30.0],
    )
    history_s: _Seconds = Field(
        default=3600.0,
        ge=60,
        le=86400,
        description="How far back the charts in memory reach, seconds.",
        examples=[3600.0, 600.0],
    )
    poll_disk: _Yes = Field(
        default=True, description="Read what disks do, unless a view asks for something else."
    )
    poll_network: _Yes = Field(
        default=True, description="Read what interfaces do, unless a view asks for something else."
    )
    poll_memory: _Yes = Field(
        default=True,
        description="Read how much of its memory a guest uses, unless a view asks for something "
        "else.",
    )
    console_auto_open: Literal["never", "new", "always"] = Field(
        default="new",
        description="Open the console of a guest by itself: never, of new guests, of all.",
    )
    console_grab_keys: _Yes = Field(
        default=True, description="A console in front takes all keys, those of the browser too."
    )

    confirm: Literal["loss", "always"] = Field(
        default="loss",
        description="Wait for Apply where something is lost, or before every change.",
    )
    language: Literal["system", "en", "ru"] = Field(
        default="system",
        description="Language of the views: that of the system, English, or Russian. LABVIRT_LANG "
        "goes before it.",
    )

    @property
    def groups(self) -> tuple[str, ...]:
        """What is read by default, as `labvirt.status.series.GROUPS` names it."""
        wanted = {
            "cpu": True,
            "memory": True,
            "network": self.poll_network,
            "host": True,
            "disk": self.poll_disk,
            "balloon": self.poll_memory,
        }
        return tuple(name for name, on in wanted.items() if on)

    @classmethod
    def path(cls) -> Path:
        """Return where the file is, whether it exists or not."""
        return places.settings() / _FILE

    @classmethod
    def load(cls) -> Self:
        """Read the user's preferences; defaults for what is absent or cannot be read.

        Never fails for what stands in the file: a warning in the log says what was not taken.
        """
        known, _, problems = cls._read()
        for problem in problems:
            _log.warning("preferences in %s: %s", cls.path(), problem)
        return cls(**known)

    def save(self) -> Path:
        """Keep these preferences; at once or not at all, also when the machine stops in between.

        What the file has besides, from a newer labvirt, stays in it. A file that could not be
        read is put aside under a name with ``.damaged``.

        Returns:
            The file.

        Raises:
            HostError: the folder cannot be written.
        """
        path = self.path()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _, unknown, problems = self._read()
            if problems and path.exists():
                aside = _free_name(path)
                os.link(path, aside)
                _log.warning("preferences: what could not be read of %s is in %s", path, aside)
            told = {**unknown, "form": _FORM, **self.model_dump(mode="json")}
            _write(path, json.dumps(told, indent=2) + "\n")
        except OSError as error:
            raise HostError(
                f"save preferences in {path}",
                libvirt_text=error.strerror or str(error),
                hint="LABVIRT_HOME names another folder",
            ) from error
        return path

    @classmethod
    def _read(cls) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
        """Return the fields that can be taken, what else is in the file, and what is wrong."""
        path = cls.path()
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}, {}, ()
        except (OSError, ValueError, RecursionError) as error:
            return {}, {}, (f"it cannot be read, defaults are taken ({error})",)
        if not isinstance(told, dict):
            return {}, {}, ("it is not a table of settings, defaults are taken",)
        return cls._sort(told)

    @classmethod
    def _sort(
        cls, told: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
        known: dict[str, Any] = {}
        problems: list[str] = []
        unknown = {name: value for name, value in told.items() if name not in cls.model_fields}
        for name in cls.model_fields:
            if name not in told:
                continue
            value = told[name]
            # JSON writes 1.0 as 1 when somebody edits it by hand.
            value = float(value) if type(value) is int else value
            try:
                cls(**{name: value})
            except SpecError as error:
                problems += [f"{problem}; its default is taken" for problem in error.problems]
            else:
                known[name] = value
        return known, unknown, tuple(problems)


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return aside


def _write(path: Path, text: str) -> None:
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
