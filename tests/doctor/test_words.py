"""What remedies tell to call is there to be called."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.host import Domain, Host
from labvirt.host.networks.network import Network
from labvirt.host.storage.pool import Pool
from labvirt.lab import Lab

DOCTOR = Path(lv.__file__).parent / "doctor"
OWNERS = {"host": Host, "domain": Domain, "network": Network, "pool": Pool, "lab": Lab}
CALL = re.compile(r"(?<![\w.{])(host|domain|network|pool|lab)\.([a-z_]+)(?:\.([a-z_]+))?\(")


def texts(path):
    """Yield the texts of a module or of the catalogue that a reader may see."""
    if path.suffix == ".toml":
        for entry in tomllib.loads(path.read_text())["error"]:
            yield from (entry["cause"], entry["next"], *entry["look"])
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def calls():
    for path in (*sorted(DOCTOR.glob("*.py")), *sorted((DOCTOR / "errors").glob("*.toml"))):
        for text in texts(path):
            for owner, name, further in CALL.findall(text):
                yield pytest.param(owner, name, further, id=f"{path.name}-{owner}.{name}")


@pytest.mark.parametrize(("owner", "name", "further"), list(calls()))
def test_what_is_advised_can_be_called(owner, name, further):
    found = getattr(OWNERS[owner], name, None)
    if (owner, name) == ("host", "connection"):
        from labvirt.connection import Connection

        found = getattr(Connection, further, None)
    assert found is not None, f"{owner} has no {name}"


def test_the_search_finds_what_it_is_for():
    found = [each.id for each in calls()]
    assert len(found) >= 20
    assert any(each.startswith("1connection.toml-host.connection") for each in found)
