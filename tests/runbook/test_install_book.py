"""The runbook install on a real lab: a guest that proves itself, and refusals that change nothing."""

from __future__ import annotations

import os

import nbformat
import pytest

import labvirt as lv
from labvirt.runbook import undo

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab():
    with lv.Lab.start(f"book-{os.getpid()}", hosts=1, backend="session", ephemeral=True) as lab:
        yield lab


def text_of(path):
    notebook = nbformat.read(path, as_version=4)
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found.append(str(output.get("text", "")))
            found += [str(value) for value in output.get("data", {}).values()]
    return "\n".join(found)


@pytest.mark.slow(seconds=13)
def test_a_guest_with_a_disk_is_installed_and_proved(lab, tmp_path):
    record = lv.run(
        "install",
        {"host": f"lab:{lab.name}/alpha", "name": "web1", "disk_size": "32 MiB", "vcpus": "2"},
        folder=tmp_path,
    ).require_ok()
    text = text_of(record.notebook)
    assert "Plan: create domain web1 on alpha" in text
    assert "define --validate /dev/stdin" in text
    assert "READY" in text or "guest agent answers" in text
    assert "(told by the guest agent)" in text
    assert "web1" in text.split("(told by")[0]
    domain = lab["alpha"].domains["web1"]
    assert domain.is_active
    assert domain.info().vcpus == 2
    assert domain.tags == (f"run:{record.id}",)
    assert record.html.exists()
    assert [step.id for step in record.steps] == [
        "preflight",
        "define",
        "start",
        "ready",
        "proof",
        "summary",
    ]
    assert {step.verdict for step in record.steps} == {"ok"}
    assert record.steps[1].title == "Define it"

    again = lv.run(
        "install", {"host": f"lab:{lab.name}/alpha", "name": "web1"}, folder=tmp_path / "again"
    )
    assert (again.outcome, again.exit_code) == ("refused", 2)
    assert "exists already" in again.error
    assert domain.is_active
    # A run that made nothing undoes nothing, whatever has the same name.
    undo(again.id)
    assert domain.is_active


@pytest.mark.slow(seconds=10)
def test_the_tiny_disk_boots_too(lab, tmp_path):
    record = lv.run(
        "install",
        {"host": f"lab:{lab.name}/alpha", "name": "disk1", "source": "tiny-disk"},
        folder=tmp_path,
    ).require_ok()
    assert "disk1" in text_of(record.notebook)
    pool = lab["alpha"].pools["shared"]
    assert "disk1-vda.qcow2" in pool.volumes.names

    undone = undo(record.id)
    assert undone.exit_code == 0, undone.error
    assert "disk1" not in lab["alpha"].domains
    assert "disk1-vda.qcow2" not in pool.volumes.names


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"name": "bad name"}, "bad name"),
        ({"name": "x" * 300}, "name"),
        ({"memory": "12 parsecs"}, "parsecs"),
        ({"memory": "-1"}, "-1"),
        ({"vcpus": "0"}, "vcpus"),
        ({"vcpus": "4000"}, "vcpus"),
        ({"timeout_s": "0"}, "timeout_s"),
        ({"host": "lab:nosuchlab/alpha"}, "nosuchlab"),
        ({"disk_size": "900 TiB"}, "900 TiB"),
        ({"network": "nosuchnet"}, "nosuchnet"),
        ({"source": "floppy:/x"}, "floppy"),
        ({"source": "image:/nowhere/x.qcow2"}, "/nowhere/x.qcow2"),
    ],
)
def test_what_cannot_be_made_is_refused_and_changes_nothing(lab, tmp_path, given, word):
    before = lab["alpha"].domains.names
    record = lv.run(
        "install",
        {"host": f"lab:{lab.name}/alpha", "name": "no1", **given},
        folder=tmp_path,
        html=False,
    )
    assert record.exit_code == 2, record.error
    assert word in record.error
    assert lab["alpha"].domains.names == before
