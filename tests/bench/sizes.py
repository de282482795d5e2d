"""How large the JavaScript of the views is, by part, and under which licence each part comes."""

from __future__ import annotations

import gzip
import json
import re
import sys

from rich.console import Console
from rich.table import Table

from labvirt.widgets.code import STATIC

__all__ = ["licences", "parts", "show"]

_HEADING = re.compile(
    r"^(?P<name>\S+) (?P<version>\d[\w.-]*) \((?P<licence>[\w .-]+)\)$", re.MULTILINE
)


def parts() -> dict[str, dict[str, int]]:
    """Return the bytes of every file of the views by the package that they come from."""
    made = json.loads((STATIC / "parts.json").read_text())
    return {name: file["parts"] for name, file in made.items()}


def licences() -> dict[str, tuple[str, str, str]]:
    """Return version, licence and licence text of every package that is in the files."""
    text = (STATIC / "LICENSES.txt").read_text()
    found = list(_HEADING.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    return {
        each["name"]: (each["version"], each["licence"], text[each.end() : end])
        for each, end in zip(found, ends, strict=True)
    }


def show() -> int:
    """Print both tables."""
    sizes = Table(
        title="JavaScript of the views: fetched once per page, when a view of it is shown"
    )
    for heading in ("File", "Part", "Bytes", "gzip"):
        sizes.add_column(heading, justify="left" if heading in {"File", "Part"} else "right")
    total = packed = 0
    for name, made in parts().items():
        data = (STATIC / name).read_bytes()
        small = len(gzip.compress(data, mtime=0))
        total, packed = total + len(data), packed + small
        sizes.add_row(name, "", f"{len(data):,}", f"{small:,}")
        for part, count in made.items():
            sizes.add_row("", part, f"{count:,}", "")
    sizes.add_row("all", "", f"{total:,}", f"{packed:,}")
    terms = Table(title="Licences of what is in them; labvirt's own part is Apache-2.0")
    for heading in ("Package", "Version", "Licence"):
        terms.add_column(heading)
    for name, (version, licence, _text) in licences().items():
        terms.add_row(name, version, licence)
    for each in (sizes, terms):
        Console(width=100).print(each)
    return 0


if __name__ == "__main__":
    sys.exit(show())
