"""Charts in a notebook that a program runs: a picture that everybody can see, no dead widget."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

SHOW = """
import labvirt as lv, synthetic, time
host = synthetic.Host(interval_s=0.1, runs=True)
charts = lv.ui.charts(host["web1"], engine="light")
charts
"""
CLOSE = """
running = host.sampler.is_running
time.sleep(0.5)
charts.close()
print(running, host.sampler.is_running)
"""


@pytest.fixture(scope="module")
def book():
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in (SHOW, CLOSE)])
    folder = Path(__file__).parent
    path = os.pathsep.join([str(folder), str(folder.parent.parent)])
    NotebookClient(book, timeout=60).execute(env={**os.environ, "PYTHONPATH": path})
    return book


def test_the_output_is_a_picture_with_its_numbers(book):
    [output] = book.cells[0].outputs
    assert output.output_type == "display_data"
    data = output.data
    assert "application/vnd.jupyter.widget-view+json" not in data
    assert "data:image/svg+xml;base64," in data["text/html"]
    assert data["application/vnd.plotly.v1+json"]["data"]
    assert "web1" in data["text/plain"]
    assert "widgets" not in book.metadata


def test_it_is_drawn_again_when_it_is_closed_and_reading_ends(book):
    [said] = book.cells[1].outputs
    assert said.text == "True False\n"
    text = book.cells[0].outputs[0].data["text/plain"]
    # The first drawing waits for two samples only.
    assert min(int(count) for count in re.findall(r"(\d+) samples", text)) >= 5
