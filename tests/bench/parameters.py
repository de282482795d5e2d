"""Twenty-one parameters, by labvirt and by papermill: ``python -m tests.bench.parameters``.

Papermill's reading is that of ``papermill.inspect_notebook``, its giving that of
``papermill.parameterize``; for each declaration it is told whether type, default and help were read
and whether a value from the command line reaches the book as the value that was meant.
"""

from __future__ import annotations

import datetime as dt
import logging
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console
from rich.table import Table

from labvirt.errors import SpecError
from labvirt.runbook import describe, gather, read_parameters, settle

IMPORTS = """
import datetime as dt
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Optional
from pydantic import Field
from labvirt.runbook import Duration, HostUri, SecretStr, Size
"""


class Case(NamedTuple):
    """One declaration, a text for it, and what the book should see."""

    cell: str
    text: str
    wanted: Any
    wrong: str = ""  # a text that must be refused; empty when every text is right


CASES = (
    Case('x: str = "a=b=c"  # help', "console=ttyS0 a=b", "console=ttyS0 a=b"),
    Case('x: str = "it\'s \\"so\\""  # help', "'q' \"r\" \\", "'q' \"r\" \\"),
    Case('x: str = "größer # 10 €"  # help', "日本 # x", "日本 # x"),
    Case('x: str = "a\\nb"  # help', "line 1\nline 2", "line 1\nline 2"),
    Case('x: str = "007"  # help', "007", "007"),
    Case("x: int = 1  # help", "7", 7, "seven"),
    Case("x: float = 0.5  # help", "1e-3", 0.001, "half"),
    Case("x: bool = False  # help", "no", False, "perhaps"),
    Case("x: int | None = None  # help", "8080", 8080, "high"),
    Case("x: Optional[int] = None  # help", "null", None, "high"),
    Case('x: list[str] = ["a"]  # help', "b,c", ["b", "c"]),
    Case('x: dict[str, int] = {"a": 1}  # help', '{"b": 2}', {"b": 2}, '{"b": "c"}'),
    Case('x: Literal["nat", "bridge"] = "nat"  # help', "bridge", "bridge", "magic"),
    Case("x: date = date(2026, 1, 2)  # help", "2026-11-23", dt.date(2026, 11, 23), "2026-02-30"),
    Case('x: Path = Path("/a")  # help', "/b c", Path("/b c")),
    Case('x: Size = "256 MiB"  # help', "1 GiB", "1 GiB", "12 parsecs"),
    Case('x: Duration = "5 min"  # help', "1h30m", "1 h 30 min", "soon"),
    Case('x: HostUri = "qemu:///system"  # help', "lab:a/b", "lab:a/b", "qmu:///system"),
    Case('x: Annotated[int, Field(ge=1, le=4, description="help")] = 2', "3", 3, "9"),
    Case("x: str  # help", "given", "given"),
    Case('x: SecretStr = SecretStr("env:HOME")  # help', "env:PATH", None, "hunter2hunter2"),
)


def labvirt_way(case: Case) -> tuple[str, str, str]:
    """Return what labvirt makes of a declaration: read, given, refused."""
    declared = read_parameters(IMPORTS + case.cell)
    row = describe(declared)[0]
    read = f"{row.type}; {row.default}" + ("" if row.help == "help" else "; no help")
    space: dict[str, Any] = {}
    exec(settle(declared, gather([f"x={case.text}"], [], {})).code, space)
    refused = "-"
    if case.wrong:
        try:
            settle(declared, {"x": case.wrong})
            refused = "no"
        except SpecError:
            refused = "yes"
    return read, verdict(case, space["x"]), refused


def papermill_way(case: Case, folder: Path) -> tuple[str, str, str]:
    """Return what papermill makes of it: read, given, refused."""
    import nbformat
    import papermill
    from papermill.cli import _resolve_type
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    cell = new_code_cell(IMPORTS + case.cell)
    cell.metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "b.ipynb")
    found = papermill.inspect_notebook(str(folder / "b.ipynb")).get("x")
    read = "not seen"
    if found is not None:
        no_help = "" if found["help"] == "help" else f"; help: {found['help']!r}"
        read = f"{found['inferred_type_name']}; {found['default']}{no_help}"
    notebook = load_notebook_node(str(folder / "b.ipynb"))
    # It would raise if it checked values at all; it does not.
    if case.wrong:
        parameterize_notebook(notebook, {"x": _resolve_type(case.wrong)})
    refused = "no" if case.wrong else "-"
    filled = parameterize_notebook(notebook, {"x": _resolve_type(case.text)})
    space: dict[str, Any] = {}
    exec(filled.cells[1].source, space)
    return read, verdict(case, space["x"]), refused


def verdict(case: Case, seen: Any) -> str:
    """Say whether the book sees what was meant."""
    if case.wanted is None and "SecretStr" in case.cell:
        return "as meant" if type(seen).__name__ == "SecretStr" else f"{seen!r}"
    same = type(seen) is type(case.wanted) and seen == case.wanted
    return "as meant" if same else f"{seen!r}"


def rows() -> list[tuple[str, ...]]:
    """Return a row for each declaration: cell, then read, given and refused of both."""
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        return [
            (case.cell, *labvirt_way(case), *papermill_way(case, Path(folder))) for case in CASES
        ]


def main() -> None:
    """Print the table."""
    table = Table(title=f"{len(CASES)} declarations")
    heads = ["Declaration"]
    heads += [f"{who}: {what}" for who in ("labvirt", "papermill") for what in
              ("read", "value seen", "wrong one refused")]  # fmt: skip
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows():
        table.add_row(*(text.replace("[", "\\[") for text in row))
    Console(width=220).print(table)


if __name__ == "__main__":
    main()
