"""What stays of live charts in a notebook: beside the view, frozen, and where a program runs it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from synthetic import Host

import labvirt as lv

VIEW = "application/vnd.jupyter.widget-view+json"
PLOTLY = "application/vnd.plotly.v1+json"


class Handle:
    def __init__(self, made):
        self.made = [made]

    def update(self, made, *, raw):
        assert raw
        self.made.append(made)


@pytest.fixture
def displayed(monkeypatch):
    """Displays, as a front end would keep them."""
    kept = []

    def display(made, *, raw, display_id=None):
        assert raw
        kept.append(Handle(made))
        return kept[-1] if display_id else None

    monkeypatch.setattr("IPython.display.display", display)
    return kept


@pytest.fixture
def host():
    return Host(guests=("web1", "db1")).fill(60)


def test_beside_the_view_stands_what_was_known_when_it_was_shown(host, displayed):
    charts = lv.ui.charts(host["web1"], engine="light")
    charts._ipython_display_()
    (shown,) = displayed
    assert VIEW in shown.made[0]
    assert "data:image/svg+xml;base64," in shown.made[0]["text/html"]
    assert "CPU: guest: newest" in shown.made[0]["text/plain"]
    charts.close()


def test_without_samples_it_says_that_nothing_is_kept(displayed):
    host = Host(guests=("web1",))
    charts = lv.ui.charts(host["web1"], engine="light")
    charts._ipython_display_()
    assert "nothing was kept" in displayed[0].made[0]["text/html"]
    assert "<img" not in displayed[0].made[0]["text/html"]
    charts.close()


def test_freeze_takes_the_place_of_every_view_and_ends_the_stream(host, displayed):
    charts = lv.ui.charts(host["web1"], engine="light")
    charts._ipython_display_()
    charts._ipython_display_()
    host.sampler.tick()
    charts.freeze()
    assert len(displayed) == 2
    for shown in displayed:
        assert set(shown.made[-1]) == {PLOTLY, "text/html", "text/plain"}
    assert not host.sampler.is_running
    assert "closed" in repr(charts)
    charts.close()
    assert len(displayed[0].made) == 2


def test_freeze_without_a_view_shows_it_here(host, displayed):
    lv.ui.charts(host["web1"], engine="plotly").freeze()
    assert set(displayed[0].made[0]) == {PLOTLY, "text/html", "text/plain"}


def test_a_program_that_runs_the_notebook_keeps_pictures_only(boards):
    folder = str(Path(boards.__file__).parent)
    cell = (
        f"import sys; sys.path.insert(0, {folder!r})\n"
        "import labvirt as lv, synthetic\n"
        "host = synthetic.Host(guests=('web1',)).fill(60)\n"
        "lv.ui.charts(host['web1'])"
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    NotebookClient(book, timeout=60, kernel_name="python3", store_widget_state=False).execute()
    (output,) = [one for one in book.cells[0].outputs if "data" in one]
    assert set(output.data) == {PLOTLY, "text/html", "text/plain"}
    assert "data:image/svg+xml;base64," in output.data["text/html"]
    assert len(nbformat.writes(book)) < 200_000
