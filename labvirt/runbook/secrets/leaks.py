"""The scan at the end: files searched for secrets in any form, in bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import os
import sqlite3
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import quote

from labvirt.runbook.secrets.forms import forms_of, has_length
from labvirt.runbook.secrets.matcher import Matcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Leak", "find_leaks"]

_BLOCK: Final = 2**20  # bytes


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret found where it must not be.

    Attributes:
        path: the file.
        form: how it is written there: ``raw``, ``base64``, ``url``, ``json``, ``repr``, ``html``,
            ``shell``, ``hex``, ``line``, ``utf-16``; ``name`` when it is in the file's name;
            ``unreadable`` when the file could not be searched.
        secret: name of the secret, empty for an unreadable file.
    """

    path: Path
    form: str
    secret: str = ""


def find_leaks(secrets: Mapping[str, str], paths: Iterable[Path]) -> list[Leak]:
    """Search files, and folders with all below them, for secrets in any form.

    Bytes are searched, so notebooks, HTML, event logs and SQLite with its side files are all
    searched the same way; what is packed with gzip is searched unpacked too. Links are not
    followed, and sockets and the like are left out.

    Args:
        secrets: value by name.
        paths: files and folders; one that is not there has no leak.

    Returns:
        One entry for each file, secret and form.
    """
    labels: dict[str, tuple[str, str]] = {}
    for name, value in secrets.items():
        forms = forms_of(value)
        if has_length(value):
            forms.setdefault(value.encode("utf-16-le", "surrogatepass").decode("latin-1"), "utf-16")
        for form, label in forms.items():
            coded = form if label == "utf-16" else _as_bytes(form)
            labels.setdefault(coded, (name, label))
    if not labels:
        return []
    matcher = Matcher(labels, written=True)
    found: dict[Leak, None] = {}
    for top in paths:
        for path in _files(top):
            for leak in _leaks_of(path, matcher, labels):
                found[leak] = None
    return list(found)


def _as_bytes(text: str) -> str:
    """Return a text of the characters 0 to 255 that stand for its bytes in UTF-8."""
    return text.encode(errors="surrogatepass").decode("latin-1")


def _files(top: Path) -> Iterator[Path]:
    if not top.is_dir() or top.is_symlink():
        yield top
        return
    for folder, _, names in os.walk(top):
        yield Path(folder)
        for name in sorted(names):
            yield Path(folder, name)


def _leaks_of(
    path: Path, matcher: Matcher, labels: Mapping[str, tuple[str, str]]
) -> Iterator[Leak]:
    name = os.fsencode(path.name).decode("latin-1")
    for form in {hit.form for hit in matcher.hits(matcher.view(name))}:
        yield Leak(path, "name", labels[form][0])
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return
        with path.open("rb") as file:
            seen = set(_forms_in(file, matcher))
            file.seek(0)
            if file.read(2) == b"\x1f\x8b":
                file.seek(0)
                with gzip.open(file) as unpacked:
                    seen |= set(_forms_in(unpacked, matcher))
            if file.seek(0) == 0 and file.read(16) == b"SQLite format 3\0":
                seen |= set(_forms_in_database(path, matcher))
    except FileNotFoundError:
        return
    except (OSError, EOFError, zlib.error):
        yield Leak(path, "unreadable")
        return
    for form in sorted(seen, key=labels.__getitem__):
        secret, label = labels[form]
        yield Leak(path, label, secret)


def _forms_in(file: IO[bytes] | gzip.GzipFile, matcher: Matcher) -> Iterator[str]:
    """Yield the forms in a file, block by block with an overlap as long as the longest form."""
    # Colour codes in between make a form longer than it is.
    overlap = 4 * matcher.longest + 256
    carried = ""
    while block := file.read(_BLOCK):
        text = carried + block.decode("latin-1")
        yield from (hit.form for hit in matcher.hits(matcher.view(text)))
        carried = text[-overlap:]


def _forms_in_database(path: Path, matcher: Matcher) -> Iterator[str]:
    """Yield the forms in the values of an SQLite file, which long values have across pages.

    What cannot be read as a database was searched as bytes all the same.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(uri, uri=True)) as base,
    ):
        base.text_factory = bytes
        names = base.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (name,) in names:
            table = name.decode(errors="surrogateescape").replace('"', '""')
            for row in base.execute(f'select * from "{table}"'):  # noqa: S608  # a quoted name
                for value in row:
                    if isinstance(value, bytes):
                        text = value.decode("latin-1")
                        yield from (hit.form for hit in matcher.hits(matcher.view(text)))
