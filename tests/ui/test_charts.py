"""Charts in a real JupyterLab with a real kernel; values by formula."""

from __future__ import annotations

import pytest

HEAD = """
import labvirt as lv, synthetic
host = synthetic.Host(guests=("web1", "db1"), interval_s=0.25, runs=True).fill(120)
"""


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open(
        "charts", HEAD, 'charts = lv.ui.charts(host["web1"], engine="light")\ncharts'
    )
    yield book
    book.close()


def rows(book):
    return int(book.boards.first.get_attribute("data-rows"))


def test_charts_are_drawn_and_grow(book, jupyter):
    book.wait("() => document.querySelector('[data-lv=ready] .uplot canvas')")
    before = rows(book)
    assert before >= 400
    book.wait(f"() => +document.querySelector('[data-lv]').dataset.rows > {before + 3}")
    assert book.errors == []
    assert jupyter.faults == []
    jupyter.picture("charts-light", book.boards.first)
