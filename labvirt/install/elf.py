"""Finds the shared libraries that a program needs, from the program itself."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from labvirt.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from labvirt.install.tree import Tree

__all__ = ["library_closure", "module_info", "needs"]

# Where a loader looks without a cache or settings: Debian's, then everybody else's.
_LIBRARY_FOLDERS = (
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
)


def needs(program: Path) -> tuple[str, tuple[str, ...]]:
    """Return the loader's path (empty for a static program) and the names of its libraries.

    Raises:
        LabError: the file cannot be read or is no ELF program.
    """
    try:
        with program.open("rb") as stream:
            elf = ELFFile(stream)
            loader = next(
                (s.get_interp_name() for s in elf.iter_segments() if isinstance(s, InterpSegment)),
                "",
            )
            names = tuple(
                tag.needed  # type: ignore[attr-defined]  # pyelftools names it after the tag
                for section in elf.iter_sections()
                if isinstance(section, DynamicSection)
                for tag in section.iter_tags("DT_NEEDED")
            )
    except (OSError, ELFError) as error:
        raise LabError(f"cannot read the libraries of {program}: {error}") from error
    return loader, names


def library_closure(programs: Iterable[Path], tree: Tree) -> dict[str, Path]:
    """Return every file that these programs load: path in the guest -> file of ``tree``.

    The loader keeps the path the programs name; a library keeps the folder it was found in.

    Raises:
        LabError: a library is missing from the tree; names it and who needs it.
    """
    found: dict[str, Path] = {}
    seen: set[str] = set()
    todo = [(program, program.name) for program in programs]
    while todo:
        file, wanted_by = todo.pop(0)
        loader, names = needs(file)
        for name in ((loader,) if loader else ()) + names:
            if name in seen or name.rpartition("/")[2] in seen:
                continue
            seen.update((name, name.rpartition("/")[2]))
            path, library = _find(tree, name, wanted_by)
            found[path] = library
            todo.append((library, name))
    return found


def _find(tree: Tree, name: str, wanted_by: str) -> tuple[str, Path]:
    candidates = [name] if "/" in name else [f"{folder}/{name}" for folder in _LIBRARY_FOLDERS]
    for candidate in candidates:
        library = tree.find(candidate)
        if library is not None:
            return candidate, library
    raise LabError(
        f"the guest's program {wanted_by} needs the library {name}, which is not in {tree.root} "
        f"(looked in {', '.join(_LIBRARY_FOLDERS)})",
        hint="install the package that holds it, e.g. by installing qemu-guest-agent",
    )


def module_info(module: Path, data: bytes) -> dict[str, list[str]]:
    """Return the facts a kernel module states about itself: depends, alias, name, ...

    Args:
        module: the module's file, for the message.
        data: the module, unpacked.

    Raises:
        LabError: this is no kernel module.
    """
    try:
        section = ELFFile(io.BytesIO(data)).get_section_by_name(".modinfo")
        raw = b"" if section is None else bytes(section.data())
    except ELFError as error:
        raise LabError(f"cannot read the kernel module {module}: {error}") from error
    facts: dict[str, list[str]] = {}
    for entry in raw.split(b"\0"):
        key, sign, value = entry.partition(b"=")
        if sign:
            facts.setdefault(key.decode("ascii", "replace"), []).append(
                value.decode("utf-8", "replace")
            )
    if not facts:
        raise LabError(f"cannot read the kernel module {module}: it has no .modinfo section")
    return facts
