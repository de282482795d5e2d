"""Preparing: plans on this machine's files, made of steps that leave alone what is right already."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

from labvirt.errors import ConflictError
from labvirt.hostprep.file_actions import ACTIONS, AddLines, ChangeText, MakeFolder, SetMode
from labvirt.hostprep.files import mode_of, read_text
from labvirt.hostprep.machine import HERE
from labvirt.plan import Journal, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from labvirt.plan import Action

__all__ = ["folder", "lines", "mode", "preparation", "text"]

R = TypeVar("R")


def folder(path: Path, bits: int = 0o755, *, exact: bool = False) -> Iterator[Action[Any]]:
    """Yield what gives this folder; `exact` also mends the mode of one that is there."""
    if path.is_symlink() and not path.is_dir():
        raise ConflictError(f"use {path}", libvirt_text="the link leads nowhere")
    if not path.exists():
        top = path
        while not top.parent.exists():
            top = top.parent
        yield MakeFolder(str(path), bits, str(top))
    elif not path.is_dir():
        raise ConflictError(f"make folder {path}", libvirt_text="a file is in its place")
    elif exact:
        yield from mode(path, bits)


def mode(path: Path, bits: int) -> Iterator[Action[Any]]:
    """Yield what gives a file that is there its exact mode."""
    now = mode_of(path)
    if now is not None and now != bits:
        yield SetMode(str(path), bits, now)


def lines(path: Path, wanted: Iterable[str], bits: int) -> Iterator[Action[Any]]:
    """Yield what adds the lines that a file lacks, and its exact mode."""
    present = read_text(path).splitlines()
    missing = tuple(line for line in wanted if line not in present)
    if missing:
        yield AddLines(str(path), missing, bits, fresh=not path.exists())
    yield from mode(path, bits)


def text(path: Path, wanted: str, bits: int = 0o644, *, line: str = "") -> Iterator[Action[Any]]:
    """Yield what gives a file without secrets this text and mode."""
    now = read_text(path) if path.exists() or path.is_symlink() else None
    if now != wanted:
        yield ChangeText(str(path), now, wanted, bits, line)
    else:
        yield from mode(path, bits)


@functools.cache
def _recovered(home: Path) -> None:
    Journal(home).recover(HERE, ACTIONS)


def preparation(
    title: str,
    actions: Iterable[Action[Any]],
    result: Callable[[], R],
    *,
    warnings: Iterable[str] = (),
    python: str = "",
) -> Plan[R]:
    """Return a plan on this machine; what a killed one has left is taken back before."""
    _recovered(Journal().folder)
    return Plan(title, HERE, tuple(actions), result, warnings=tuple(warnings), python=python)
