"""The house keeps its own rules: who imports whom, how long things are, what is public."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import labvirt

ROOT = Path(labvirt.__file__).parent
ALL = {
    "errors",
    "lazy",
    "places",
    "preferences",
    "model",
    "status",
    "connection",
    "install",
    "plan",
    "images",
    "hostprep",
    "host",
    "doctor",
    "history",
    "lab",
    "runbook",
    "top",
    "widgets",
    "server",
    "front",
    "shelf",
    "cli",
    "cli_break",
    "cli_notebook",
    "cli_run",
    "cli_runs",
    "cli_stats",
    "cli_record",
    "cli_top",
    "cli_doctor",
}

#: Room: which rooms it may import, and which packages from outside the standard library.
RULES: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "lazy": (set(), set()),
    "places": ({"errors"}, {"platformdirs"}),
    "preferences": ({"errors", "places", "model"}, {"pydantic"}),
    "model": ({"errors", "lazy"}, {"lxml", "pydantic", "pydantic_core"}),
    "status": ({"errors", "model"}, {"numpy"}),
    "connection": ({"errors", "model", "status"}, {"libvirt", "libvirt_qemu"}),
    "install": ({"errors", "model", "places"}, {"elftools"}),
    "plan": ({"errors", "model", "places"}, set()),
    "images": ({"errors", "model", "places", "plan"}, set()),
    "hostprep": ({"errors", "model", "places", "plan"}, {"cryptography"}),
    "doctor": (
        {"errors", "lazy", "model", "status", "hostprep", "host", "places", "plan", "preferences"},
        {"pandas"},
    ),
    "history": (
        {"errors", "lazy", "places", "status"},
        {"duckdb", "numpy", "pandas", "prometheus_client", "pyarrow", "pydantic"},
    ),
    "host": (
        {"errors", "model", "status", "connection", "plan", "images", "places", "history"}
        | {"preferences"},
        {"numpy", "pandas", "psutil"},
    ),
    "lab": (
        {"doctor", "errors", "host", "install", "lazy", "model", "places", "plan", "status"},
        {"cryptography", "lxml", "pandas", "pydantic", "yaml"},
    ),
    "runbook": (
        {"errors", "lazy", "places", "model"},
        {
            "IPython",
            "distributed",
            "ipykernel",
            "jupyter_client",
            "papermill",
            "nbclient",
            "nbformat",
            "nbconvert",
        }
        | {"pandas", "pydantic", "traitlets"}
        | {"markupsafe", "nh3", "plotly", "pydantic_core", "yaml", "zmq"},
    ),
    "widgets": (
        ALL
        - {"connection", "widgets", "server", "front", "cli", "top"}
        - {
            "cli_notebook",
            "cli_run",
            "cli_runs",
            "cli_stats",
            "cli_record",
            "cli_top",
            "cli_doctor",
            "cli_break",
            "shelf",
        },
        {"IPython", "PIL", "anywidget", "comm", "ipywidgets", "lxml", "numpy", "pandas", "plotly"}
        | {"pydantic", "traitlets"},
    ),
    # It runs in Jupyter's server and not in a kernel, so it knows nothing of the rest.
    "server": (set(), {"jupyter_server"}),
    # The composition root: it puts rooms together and holds no logic of its own.
    "front": ({"errors", "host", "install", "lab", "model", "plan"}, set()),
    "cli": (ALL - {"connection", "widgets", "cli"}, {"typer", "rich"}),
    "cli_stats": (ALL - {"connection", "widgets", "cli"}, {"typer", "rich"}),
    "cli_top": (ALL - {"connection", "widgets", "cli", "cli_stats"}, {"typer", "rich"}),
    "top": ({"errors", "status"}, {"rich"}),
    "cli_record": ({"errors", "front", "history", "host", "model", "status"}, {"typer"}),
    "shelf": ({"errors", "places"}, set()),
    "cli_break": ({"errors", "lab"}, {"typer"}),
    "cli_notebook": ({"errors", "shelf"}, {"typer"}),
    "cli_doctor": ({"doctor", "errors", "front", "host", "model"}, {"typer"}),
    "cli_run": ({"errors", "runbook"}, {"typer", "rich"}),
    "cli_runs": ({"errors", "runbook", "cli_run"}, {"typer", "rich"}),
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the dotted names that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert not any(alias.name == "*" for alias in node.names), f"{path}: star import"
            base = node.module or ""
            if base == "labvirt":
                found |= {f"labvirt.{alias.name}" for alias in node.names}
            else:
                found.add(base)
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_room_imports_only_what_the_table_allows(path):
    room = room_of(path)
    if room == "__init__":
        return
    rooms, packages = RULES[room]
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "labvirt":
            if len(parts) == 1:
                assert room == "cli", f"{path} imports the front door"
                continue
            assert parts[1] == room or parts[1] in rooms, f"{room} imports labvirt.{parts[1]}"
        elif parts[0] not in sys.stdlib_module_names and parts[0] != "__future__":
            assert parts[0] in packages, f"{room} imports {parts[0]}"


def test_every_room_stands_in_the_table():
    assert {room_of(path) for path in modules()} - {"__init__"} == set(RULES)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_module_has_a_docstring_and_at_most_400_lines(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= 400


def test_fewer_than_one_function_in_a_hundred_is_longer_than_fifty_lines():
    total, long = 0, []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            total += 1
            first = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno
            if node.end_lineno - first > 50:
                long.append(f"{path.name}:{node.lineno} {node.name}")
    assert len(long) <= total / 100, long


def test_public_names_are_few_and_really_there():
    assert len(labvirt.__all__) <= 30
    assert labvirt.__all__ == sorted(labvirt.__all__)
    for name in labvirt.__all__:
        assert getattr(labvirt, name) is not None


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nobody"):
        labvirt.nobody  # noqa: B018


def fresh(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_nothing_heavy():
    out = fresh(
        "import sys, labvirt; "
        "print([m for m in ('libvirt','pandas','plotly','ipywidgets','pydantic','lxml','papermill')"
        " if m in sys.modules])"
    )
    assert out.strip() == "[]"


def test_a_manager_is_there_before_anybody_needs_tables():
    out = fresh(
        "import sys, labvirt; labvirt.connect, labvirt.ui.manager; "
        "print([m for m in ('pandas','plotly','papermill','duckdb') if m in sys.modules])"
    )
    assert out.strip() == "[]"


def test_import_works_where_libvirt_is_absent():
    out = fresh(
        "import sys\n"
        "sys.modules['libvirt'] = None\n"
        "import labvirt\n"
        "print(labvirt.DomainSpec(name='web1', memory='256 MiB').name)\n"
    )
    assert out.strip() == "web1"


def test_only_the_connection_room_loads_libvirt():
    out = fresh(
        "import sys, labvirt.model, labvirt.status, labvirt.install, labvirt.plan, labvirt.runbook\n"
        "print('libvirt' in sys.modules)\n"
    )
    assert out.strip() == "False"


def test_no_angle_bracket_stands_in_an_f_string_outside_html():
    """XML is built through the model, never glued from text."""
    for path in modules():
        if path.name in {"render.py", "collection.py"} or "_repr_html_" in path.read_text():
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                for part in node.values:
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        glued = part.value.lstrip().startswith("<") and part.value.strip() != "<"
                        is_repr = part.value.startswith("<") and path.name != "xml.py"
                        assert not glued or is_repr, f"{path}:{node.lineno}"
