"""The walkthrough of chapter 12, run by our own runner: watched, never ending, helped, compared."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

import labvirt as lv

pytestmark = [pytest.mark.lab, pytest.mark.slow(seconds=60)]
BOOK = Path(__file__).parents[2] / "notebooks" / "migration.ipynb"


def test_a_guest_moves_never_ends_is_helped_and_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"moving-{os.getpid()}"
    record = lv.run(str(BOOK), {"lab_name": name}, folder=tmp_path).require_ok()
    assert name not in {each.name for each in lv.Lab.list()}
    notebook = nbformat.read(record.notebook, as_version=4)
    shown = [
        output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    assert not any("application/vnd.jupyter.widget-view+json" in each for each in shown)
    page = record.html.read_text()
    assert page.count("data:image/svg+xml") >= 5
    assert "object at 0x" not in page
    again = {track.label: track for track in lv.ui.migration(record.notebook).tracks}
    assert again["idle guest"].phase == "done"
    assert again["never ends"].phase != "done"
    assert again["longer downtime"].last.downtime_ms > again["idle guest"].last.downtime_ms
    assert max(each.throttle_percent for each in again["auto-converge"].samples) >= 50
