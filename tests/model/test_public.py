"""The room is pure, and its front door is exactly what it says."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import labvirt.model

ROOT = Path(labvirt.model.__file__).parent
MODULES = [name for _, name, _ in pkgutil.walk_packages([str(ROOT)], "labvirt.model.")]


def test_the_front_door_lists_what_it_has():
    names = labvirt.model.__all__
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(labvirt.model, name) is not None


@pytest.mark.parametrize("name", MODULES)
def test_each_module_lists_what_it_has(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for one in getattr(module, "__all__", ()):
        assert hasattr(module, one), one


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.name)
def test_no_module_opens_files_or_needs_threads_clocks_or_libvirt(path):
    if path.name == "uri.py":
        return
    allowed = {"labvirt", "lxml", "pydantic", "pydantic_core", *sys.stdlib_module_names}
    refused = {"threading", "time", "datetime", "os", "subprocess", "socket", "libvirt", "asyncio"}
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        for name in names:
            room = name.split(".")
            assert room[0] in allowed - refused, name
            assert room[0] != "labvirt" or room[1] in {"errors", "lazy", "model"}, name
            assert room[0] != "pathlib" or path.name == "schema.py"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "open"


def test_the_room_is_used_without_libvirt():
    code = (
        "import sys; sys.modules['libvirt'] = None\n"
        "from labvirt.model import DomainSpec\n"
        "print(DomainSpec(name='a', memory='1 GiB', virt='kvm').to_xml())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "<name>a</name>" in done.stdout


def test_no_function_is_longer_than_fifty_lines_and_no_module_than_four_hundred():
    for path in ROOT.rglob("*.py"):
        if path.name == "uri.py":
            continue
        text = path.read_text()
        assert len(text.splitlines()) <= 400, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{path.name}:{node.name}"
