"""The plotly renderer in a real JupyterLab: drawn, extended, zoomed, dark, and what happens without it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow(seconds=4)

HEAD = """
import labvirt as lv, synthetic
host = synthetic.Host(guests=("web1", "db1"), interval_s=0.25, runs=True).fill(120)
host.mark("web1 <b>paused</b>", ago=40, kind="paused")
"""
SHOW = 'charts = lv.ui.charts(host["web1"], engine="plotly")\ncharts'
DRAWN = "() => document.querySelector('[data-engine=plotly] .js-plotly-plot .scatterlayer path')"
PLOT = "document.querySelector('[data-lv] .js-plotly-plot')"


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("drawn", HEAD, SHOW)
    book.wait(DRAWN)
    yield book
    book.close()


def look(book, expression):
    return book.page.evaluate(f"() => {{ const plot = {PLOT}; return {expression}; }}")


def test_it_draws_with_jupyterlabs_own_plotly_and_extends(book, jupyter):
    board = book.boards.first
    assert board.get_attribute("data-state") == "live"
    before = look(book, "plot.data[0].y.length")
    assert before >= 400
    book.wait(f"() => {PLOT}.data[0].y.length > {before + 4}")
    follows = "Math.abs(plot.layout.xaxis.range[1] - plot.data[0].x.at(-1)) < 0.01"
    assert look(book, follows)
    assert look(book, "plot.data[0].x.length === plot.data[0].customdata.length")
    largest = max(size for size, _ in jupyter.frames)
    assert largest < 1_000_000, "the kernel sent plotly.js although the page has it"
    assert book.errors == []
    assert jupyter.faults == []
    jupyter.picture("plotly-light", board)


def test_names_and_marks_are_text_and_thresholds_come_and_go(book):
    book.ask("from labvirt.widgets.panels import Threshold\n")
    key = book.page.evaluate(f"() => {PLOT}.closest('[data-panel]').dataset.panel")
    book.ask(f"charts.thresholds({key!r}, Threshold(80, '<i>full</i>'))")
    book.wait(f"() => {PLOT}.layout.annotations.some((one) => /full/.test(one.text))")
    words = look(book, "plot.querySelector('.infolayer').textContent")
    assert "<i>full</i>" in words
    assert "web1 <b>paused</b>" in words
    book.ask(f"charts.thresholds({key!r})")
    book.wait(f"() => !{PLOT}.layout.annotations.some((one) => /full/.test(one.text))")


def test_the_pointer_shows_values_with_their_units(book, jupyter):
    plot = book.page.locator("[data-lv] .js-plotly-plot .nsewdrag").first
    plot.hover(position={"x": 300, "y": 50})
    book.wait(f"() => {PLOT}.querySelector('.hoverlayer .hovertext')")
    assert "%" in look(book, "plot.querySelector('.hoverlayer').textContent")
    jupyter.picture("plotly-hover", book.boards.first)
    lines = "[...document.querySelectorAll('[data-lv] .lv-cursor')]"
    book.wait(f"() => {lines}.every((line) => !line.hidden)")
    assert len(set(book.page.evaluate(f"() => {lines}.map((one) => one.textContent)"))) == 1
    assert not book.page.locator("[data-lv] .hoverlayer .axistext:visible").count()
    book.page.mouse.move(2, 2)
    book.wait(f"() => {lines}.every((line) => line.hidden)")


def test_a_drag_zooms_all_panels_and_a_double_click_resets(book):
    box = book.page.locator("[data-lv] .js-plotly-plot .nsewdrag").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 60
    mouse = book.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 40, y, steps=3)
    # Ticks come meanwhile; they must not end the drag.
    seq = "+document.querySelector('[data-lv]').dataset.seq"
    book.wait(f"() => {seq} > {int(book.page.evaluate(f'() => {seq}')) + 2}")
    mouse.move(x + 80, y, steps=3)
    mouse.up()
    book.wait("() => document.querySelector('[data-lv]').dataset.state === 'zoomed'")
    spans = book.page.evaluate(
        "() => [...document.querySelectorAll('[data-lv] .js-plotly-plot')]"
        ".map((one) => one.layout.xaxis.range)"
    )
    assert len({tuple(one) for one in spans}) == 1
    assert spans[0][1] - spans[0][0] == pytest.approx(300 * 80 / box["width"], rel=0.1)
    mouse.dblclick(x, y)
    book.wait("() => document.querySelector('[data-lv]').dataset.state === 'live'")
    book.wait(f"() => {PLOT}.layout.xaxis.range[1] - {PLOT}.layout.xaxis.range[0] === 300")


def test_the_legend_hides_a_line(book):
    entry = book.page.locator("[data-lv] .lv-entry").first
    entry.click()
    book.wait(f"() => {PLOT}._fullData[0].visible === false")
    entry.click()
    book.wait(f"() => {PLOT}._fullData[0].visible === true")


def test_pause_and_windows_are_those_of_the_shell(book, jupyter):
    book.page.locator("[data-lv] [data-do=pause]").click()
    rows = look(book, "plot.data[0].x.length")
    jupyter.hear(4)
    assert look(book, "plot.data[0].x.length") == rows
    book.page.locator("[data-lv] [data-do=pause]").click()
    book.wait(f"() => {PLOT}.data[0].x.length > {rows}")
    book.page.locator("[data-lv] [data-do=window-60]").click()
    book.wait(f"() => {PLOT}.layout.xaxis.range[1] - {PLOT}.layout.xaxis.range[0] === 60")
    book.page.locator("[data-lv] [data-do=window-300]").click()


def test_dark_theme_follows_and_nothing_offers_to_upload(book, jupyter):
    jupyter.theme(dark=True)
    book.wait(f"() => {PLOT}.layout.font.color !== 'rgba(0, 0, 0, 0.87)'")
    colour = look(book, "getComputedStyle(plot.querySelector('.xtick text')).fill")
    assert sum(map(int, colour[colour.index("(") + 1 : -1].split(",")[:3])) > 450
    jupyter.picture("plotly-dark", book.boards.first)
    jupyter.theme(dark=False)
    assert look(book, "plot.querySelector('.modebar-btn')") is None
    assert look(book, "plot._context.showSendToCloud") is False


def test_a_narrow_page_makes_narrow_plots(book):
    wide = look(book, "plot.clientWidth")
    book.page.set_viewport_size({"width": 700, "height": 900})
    book.wait(f"() => {PLOT}.layout.width !== {wide} && {PLOT}.layout.width <= {PLOT}.clientWidth")
    book.page.set_viewport_size({"width": 1280, "height": 1000})
    book.wait(f"() => {PLOT}.layout.width === {wide}")


WITHOUT = """() => {
  delete globalThis.Plotly;
  delete globalThis.__labvirt.plotly;
  delete globalThis._JUPYTERLAB['jupyterlab-plotly'];
}"""


def test_without_the_extension_the_kernel_sends_the_library_once(book, jupyter):
    book.page.evaluate(WITHOUT)
    del jupyter.frames[:]
    book.cell(
        'two = [lv.ui.charts(host[n], engine="plotly") for n in ("web1", "db1")]\ndisplay(*two)'
    )
    book.wait("() => document.querySelectorAll('[data-engine=plotly]').length === 3", 40)
    large = [size for size, _ in jupyter.frames if size > 3_000_000]
    assert len(large) == 1
    assert book.errors == []
    book.ask("for one in two: one.close()")


def test_where_it_cannot_be_had_the_light_renderer_stays_and_says_why(book, jupyter):
    book.page.evaluate(WITHOUT)
    book.ask(
        "import plotly.offline as _o\n"
        "def _none(): raise RuntimeError('plotly is broken here')\n"
        "_kept, _o.get_plotlyjs = _o.get_plotlyjs, _none"
    )
    book.cell('third = lv.ui.charts(host["db1"], engine="plotly")\nthird')
    book.wait(
        "() => /plotly is broken here/.test([...document.querySelectorAll('.lv-notice')].at(-1).textContent)"
    )
    last = book.boards.last
    assert last.get_attribute("data-engine") == "light"
    assert last.locator(".uplot canvas").count() > 0
    assert last.get_attribute("data-state") == "live"
    book.ask("_o.get_plotlyjs = _kept; third.close()")
    assert jupyter.faults == []


def test_freeze_puts_an_output_in_the_place_of_the_view(book, jupyter):
    book.cell("charts.freeze()")
    book.wait(
        "() => [...document.querySelectorAll('.js-plotly-plot')]"
        ".some((one) => !one.closest('[data-lv]') && one.querySelector('.scatterlayer path'))"
    )
    outputs = book.page.evaluate(
        "() => jupyterapp.shell.currentWidget.context.model.toJSON().cells[1].outputs"
    )
    # JupyterLab adds a PNG of its own when it has drawn the figure.
    assert [set(one["data"]) - {"image/png"} for one in outputs] == [
        {"application/vnd.plotly.v1+json", "text/html", "text/plain"}
    ]
    assert not book.page.locator(".jp-OutputArea-output [data-lv]").first.is_visible()
    jupyter.picture("plotly-frozen")
    assert book.errors == []


def test_a_closed_view_leaves_no_plot_behind(book):
    count = "document.querySelectorAll('.js-plotly-plot').length"
    before = book.page.evaluate(f"() => {count}")
    book.page.evaluate("() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    book.wait(f"() => {count} === 0")
    assert before > 0
