"""The walkthrough of the numbers, run by our own runner: charts, alert, recording, replay."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

import labvirt as lv

pytestmark = pytest.mark.lab
BOOK = Path(__file__).parents[2] / "notebooks" / "statistics.ipynb"


def test_the_numbers_of_a_real_guest_are_shown_kept_and_played_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"numbers-{os.getpid()}"
    record = lv.run(str(BOOK), {"lab_name": name, "busy_s": "3"}, folder=tmp_path).require_ok()
    assert name not in {each.name for each in lv.Lab.list()}
    notebook = nbformat.read(record.notebook, as_version=4)
    shown = [
        output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    pictures = [each["text/html"] for each in shown if "image/svg+xml" in each.get("text/html", "")]
    assert len(pictures) >= 2, "charts are no pictures in the record"
    assert not any("application/vnd.jupyter.widget-view+json" in each for each in shown)
    page = record.html.read_text()
    assert page.count("data:image/svg+xml") >= 2
    assert "object at 0x" not in page
    assert "asked to write 8388608 bytes, counted 8388608" in page
