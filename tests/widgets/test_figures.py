"""plotly figures: one subplot per panel, units, marks, thresholds, small JSON, no upload."""

from __future__ import annotations

import itertools
import json

import numpy as np
import plotly.io as pio
import pytest

from labvirt.widgets.figures import CONFIG, figure, figure_of
from labvirt.widgets.panels import Panel
from labvirt.widgets.tracks import read


@pytest.fixture
def made(boards):
    return figure(boards.sample_panels(), boards.sample_source(), title="web1 <b>x</b>")


def test_one_subplot_per_panel_on_one_time_axis(made):
    assert len(made.data) == 8
    assert [trace.yaxis for trace in made.data[::2]] == ["y", "y2", "y3", "y4"]
    assert made.layout.xaxis4.matches == "x"
    assert made.layout.xaxis4.title.text == "time, UTC"
    domains = [made.layout[f"yaxis{n}"].domain for n in ("", 2, 3, 4)]
    assert all(above[0] > below[1] for above, below in itertools.pairwise(domains))


def test_units_stand_on_axes_and_in_hover(made):
    headings = [one.text for one in made.layout.annotations]
    assert "<b>Memory</b>, GiB" in headings
    assert made.data[2].y[0] == pytest.approx(2.0)
    assert made.data[2].hovertemplate == "%{y:.4~r} GiB"


def test_negated_lines_are_read_as_positive_numbers(made):
    sent = made.data[5]
    assert np.nanmax(sent.y) <= 0
    assert np.array_equal(sent.customdata, -sent.y)
    assert "customdata" in sent.hovertemplate
    assert not any(one.startswith("-") for one in made.layout.yaxis3.ticktext)


def test_gaps_stay_gaps_and_looks_are_those_of_the_lines(made):
    cpu = made.data[0]
    assert cpu.connectgaps is False
    assert np.isnan(cpu.y[100:120]).all()
    assert cpu.line.color == "#0072b2"
    assert made.data[1].line.dash == "dash"
    assert made.data[6].stackgroup == "who"


def test_thresholds_and_marks_are_shapes_with_labels(made):
    labels = [one.label.text for one in made.layout.shapes if one.label.text]
    assert labels == ["alert above 90 %"]
    marks = [one for one in made.layout.shapes if one.yref == "paper"]
    assert [one.x0 for one in marks] == ["2026-11-23T17:47:40", "2026-11-23T17:49:40"]
    assert "snapshot &#x27;before&#x27; of web1" not in made.to_json()
    assert "snapshot 'before' of web1" in made.to_json()


def test_names_are_shown_letter_by_letter(boards):
    bad = '<a href="javascript:alert(1)">x</a>\x00'
    line = boards.line("c", boards.WEB, "cpu_percent", bad)
    one = figure((Panel("c", bad, "%", (line,)),), boards.sample_source(), title=bad)
    assert "<a" not in one.to_json()
    assert one.data[0].name.startswith("&lt;a")


def test_dark_theme_changes_paper_and_ink_only(boards, made):
    dark = figure(boards.sample_panels(), boards.sample_source(), theme="dark")
    assert dark.layout.template.layout.paper_bgcolor == "#14181d"
    assert made.layout.template.layout.paper_bgcolor == "#ffffff"
    assert dark.data[0].line.color == made.data[0].line.color


def test_json_is_small(boards):
    board = read(boards.sample_panels(), boards.sample_source())
    text = figure_of(board, compact=True).to_json()
    assert len(text) < 26_000
    first = json.loads(text)["data"][0]
    assert (first["x0"], first["dx"]) == ("2026-11-23T17:46:40", 1000)
    assert first["y"]["dtype"] == "f4"


def test_uneven_times_are_kept_one_by_one(boards):
    times = boards.START + np.cumsum(np.linspace(0.5, 1.4, 50))
    source = boards.Given(times, {(boards.WEB, "cpu_percent"): np.ones(50)})
    line = boards.line("c", boards.WEB, "cpu_percent", "web1")
    board = read((Panel("c", "CPU", "%", (line,)),), source)
    trace = figure_of(board, compact=True).data[0]
    assert len(trace.x) == 50
    assert abs(trace.x[7].astype("datetime64[ms]").astype(int) / 1000 - times[7]) < 0.001


def test_it_is_shown_without_upload_button_and_logo(made, monkeypatch):
    seen = []
    monkeypatch.setattr(pio, "show", lambda _figure, *_a, **options: seen.append(options))
    made.show()
    made._ipython_display_()
    assert [one["config"] for one in seen] == [CONFIG, CONFIG]
    assert CONFIG["showSendToCloud"] is False
    assert CONFIG["displaylogo"] is False
    html = made.to_html(include_plotlyjs=False)
    assert '"showSendToCloud": false' in html


def test_an_empty_board_is_a_figure_too(boards):
    assert len(figure((), boards.sample_source()).data) == 0
    nothing = figure(boards.sample_panels(), boards.Given([], {}))
    assert "(no data)" in nothing.layout.annotations[0].text
    assert nothing.to_json()
