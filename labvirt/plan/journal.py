"""Journal: what was applied, by whom, when, where; and what a killed process left half-made."""

from __future__ import annotations

import datetime as dt
import fcntl
import getpass
import json
import logging
import os
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from labvirt import places
from labvirt.errors import LabvirtError
from labvirt.plan.action import Crash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from labvirt.plan.action import Action

__all__ = ["Entry", "Journal", "Recovered", "Target"]

_log = logging.getLogger("labvirt")


class Target(Protocol):
    """What a plan is applied to: a host, as far as the journal needs to know it."""

    @property
    def name(self) -> str:
        """Short name for people."""

    @property
    def label(self) -> str:
        """The host's URI without secrets."""


@dataclass(frozen=True)
class Recovered:
    """What was cleaned up after a process that died in the middle of a plan.

    Attributes:
        title: title of the plan that was cut short.
        when: when it began (UTC).
        undone: titles of the actions that were taken back.
        remains: what could not be taken back, and why.
    """

    title: str
    when: dt.datetime
    undone: tuple[str, ...] = ()
    remains: tuple[str, ...] = ()

    def __str__(self) -> str:
        undone = "; ".join(self.undone) or "nothing had been changed"
        tail = f"; remains: {'; '.join(self.remains)}" if self.remains else ""
        return f"{self.title} (begun {self.when:%Y-%m-%d %H:%M:%S} UTC) was cut short; undone: {undone}{tail}"


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@dataclass
class Entry:
    """One plan under way, written ahead: the file is locked as long as its owner lives."""

    path: Path
    fd: int
    head: dict[str, Any]
    begun: list[int] = field(default_factory=list)

    def begin(self, index: int) -> None:
        """Note that action `index` is about to run."""
        self.begun.append(index)
        if self.fd < 0:
            return
        os.write(self.fd, json.dumps({"begin": index, "when": _now()}).encode() + b"\n")

    def close(self, *, finished: bool) -> None:
        """Let go of the entry; a finished one disappears, another one waits to be recovered."""
        if self.fd < 0:
            return
        if finished:
            self.path.unlink(missing_ok=True)
        os.close(self.fd)
        self.fd = -1


class Journal:
    """The journal in one folder.

    ``journal.jsonl`` has one line per applied plan; ``open/`` one file per plan under way.

    Args:
        folder: where to keep it; `places.journal()` when None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else places.journal()

    def begin(
        self, host: Target, title: str, actions: Sequence[Action[Any]], *, ahead: bool
    ) -> Entry:
        """Write a plan down before its first action.

        Args:
            host: what it is applied to.
            title: title of the plan.
            actions: its actions.
            ahead: also keep a file that lets another process undo the actions.
        """
        head = {
            "id": uuid.uuid4().hex[:12],
            "title": title,
            "host": host.name,
            "uri": host.label,
            "user": _user(),
            "when": _now(),
        }
        if not ahead:
            return Entry(self.folder, -1, head)
        pending = self.folder / "open"
        pending.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = pending / f"{head['id']}.jsonl"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        records = [action.to_record() for action in actions]
        os.write(fd, json.dumps({**head, "actions": records}).encode() + b"\n")
        return Entry(path, fd, head)

    def end(
        self,
        entry: Entry,
        actions: Sequence[Action[Any]],
        *,
        outcome: str,
        seconds: float,
        error: str = "",
        remains: Sequence[str] = (),
    ) -> None:
        """Add the line of a plan that has ended; one that left something behind stays open."""
        line = {
            **entry.head,
            "seconds": round(seconds, 3),
            "outcome": outcome,
            "actions": [
                {
                    "title": a.title,
                    "virsh": [*a.shell, *a.virsh],
                    **({"diff": a.diff} if a.diff else {}),
                }
                for a in actions
            ],
            **({"error": error} if error else {}),
            **({"remains": list(remains)} if remains else {}),
        }
        self._append(line)
        entry.close(finished=not remains)

    def note(self, host: Target, title: str, *, kind: str, outcome: str, **facts: Any) -> None:
        """Write down something that happened and is no plan: an alert.

        Args:
            host: where.
            title: what, in words.
            kind: what kind of thing; lines of plans have none.
            outcome: what came of it.
            facts: what else to keep; must be JSON.
        """
        head = {"id": uuid.uuid4().hex[:12], "kind": kind, "title": title}
        who = {"host": host.name, "uri": host.label, "user": _user(), "when": _now()}
        self._append({**head, **who, "outcome": outcome, **facts})

    def entries(self, *, last: int = 100) -> list[dict[str, Any]]:
        """Return the last lines of the journal, oldest first; a torn line is left out."""
        path = self.folder / "journal.jsonl"
        if not path.exists():
            return []
        found = []
        for line in path.read_text(errors="replace").splitlines()[-last:]:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    def recover(
        self, host: Target, kinds: Mapping[str, type[Action[Any]]]
    ) -> tuple[Recovered, ...]:
        """Undo, on `host`, what processes that died in the middle of a plan have left.

        Args:
            host: the host; only plans that were applied to the same URI are looked at.
            kinds: the classes of actions by `Action.kind`.

        Returns:
            What was found, one item per plan; also logged as a warning.
        """
        return tuple(
            self._recover_one(host, kinds, path, fd, lines)
            for path, fd, lines in self._orphans(host.label)
        )

    def _orphans(self, uri: str) -> Iterator[tuple[Path, int, list[dict[str, Any]]]]:
        pending = self.folder / "open"
        if not pending.is_dir():
            return
        for path in sorted(pending.glob("*.jsonl")):
            try:
                fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                # Its owner lives.
                os.close(fd)
                continue
            lines = _readable_lines(path)
            if not path.exists() or (lines and lines[0].get("uri") != uri):
                os.close(fd)
            else:
                yield path, fd, lines

    def _recover_one(
        self,
        host: Target,
        kinds: Mapping[str, type[Action[Any]]],
        path: Path,
        fd: int,
        lines: list[dict[str, Any]],
    ) -> Recovered:
        if not lines:
            # Killed before the first line was whole: nothing had been begun.
            Entry(path, fd, {}).close(finished=True)
            return Recovered("a plan", dt.datetime.now(dt.UTC))
        head = lines[0]
        begun = {line["begin"]: line["when"] for line in lines[1:] if "begin" in line}
        undone, remains = [], []
        for index in sorted(begun, reverse=True):
            record = dict(head["actions"][index])
            kind = kinds.get(record.pop("kind"))
            if kind is None:
                continue
            action = kind(**record)
            try:
                when = dt.datetime.fromisoformat(begun[index])
                told = action.undo(host, Crash(when, finished=index < max(begun)))
            except LabvirtError as error:
                remains.append(f"{action.title}: {error.what}")
            else:
                undone.append(f"{action.title} ({told})" if told else action.title)
        found = Recovered(
            head["title"], dt.datetime.fromisoformat(head["when"]), tuple(undone), tuple(remains)
        )
        _log.warning("%s", found)
        self._append(
            {
                **{k: v for k, v in head.items() if k != "actions"},
                "ended": _now(),
                "outcome": "recovered",
                "undone": undone,
                "remains": remains,
            }
        )
        Entry(path, fd, head).close(finished=not remains)
        return found

    def _append(self, line: dict[str, Any]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(
            self.folder / "journal.jsonl",
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
            0o600,
        )
        try:
            os.write(fd, json.dumps(line).encode() + b"\n")
        finally:
            os.close(fd)


def _readable_lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of an open entry; the last one may be torn."""
    found = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found
