"""The pure-Python drawing: well formed, complete, safe with any text."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from lxml import etree

from labvirt.widgets.panels import Panel, Threshold
from labvirt.widgets.scene import Text, scene
from labvirt.widgets.svg import plain, svg
from labvirt.widgets.tracks import read

NS = {"s": "http://www.w3.org/2000/svg"}


def texts(root):
    return [one.text for one in root.iterfind(".//s:text", NS)]


def test_it_has_axes_units_legend_threshold_and_marks(boards):
    root = etree.fromstring(svg(boards.sample_panels(), boards.sample_source(), title="web1"))
    found = texts(root)
    for words in ("CPU, %", "Memory, GiB", "Network, MB/s", "web1 received", "alert above 90 %"):
        assert words in found
    assert found.count("snapshot") == 4
    assert "17:48" in found
    assert "2026-11-23, UTC" in found
    assert not any(one.startswith("-") for one in found)


def test_each_line_has_its_colour_and_dash_and_breaks_at_its_gap(boards):
    root = etree.fromstring(svg(boards.sample_panels()[:1], boards.sample_source()))
    web = root.findall(".//s:path[@stroke='#0072b2']", NS)
    db = root.findall(".//s:path[@stroke='#e69f00']", NS)
    # The line in the legend, and the pieces before and after the gap.
    assert len(web) == 3
    assert len(db) == 2
    assert all(one.get("stroke-dasharray") for one in db)
    assert not any(one.get("stroke-dasharray") for one in web)


def test_a_stack_is_drawn_as_areas(boards):
    root = etree.fromstring(svg(boards.sample_panels()[3:], boards.sample_source()))
    areas = root.findall(".//s:path[@fill-opacity]", NS)
    assert {one.get("fill") for one in areas} == {"#0072b2", "#e69f00"}


def test_points_are_where_the_values_are(boards):
    source = boards.Given([0, 50, 100], {(boards.WEB, "cpu_percent"): [0, 100, 50]})
    line = boards.line("c", boards.WEB, "cpu_percent", "web1")
    board = read((Panel("c", "CPU", "%", (line,), top=100.0),), source)
    (drawn,) = [p for p in scene(board).parts if getattr(p, "width", 0) == 1.7]
    (x0, y0), (x1, y1), (x2, y2) = drawn.points.tolist()
    assert x1 - x0 == pytest.approx(x2 - x1)
    assert y0 - y2 == pytest.approx((y0 - y1) / 2)


def test_both_themes_are_in_it_unless_one_is_asked_for(boards):
    both = svg(boards.sample_panels(), boards.sample_source())
    assert "prefers-color-scheme:dark" in both
    dark = svg(boards.sample_panels(), boards.sample_source(), theme="dark")
    assert "prefers-color-scheme" not in dark
    assert "#14181d" in dark


@pytest.mark.parametrize(
    "name",
    ["</text><script>alert(1)</script>", "a\x00b\x1b[31m\ud800\x9b", "\"&<>'", "日本 ü", "x" * 500],
)
def test_any_name_is_only_text(boards, name):
    line = boards.line("c", boards.WEB, "cpu_percent", name)
    panel = Panel(name, name, "%", (line,), thresholds=(Threshold(50, name),))
    text = svg((panel,), boards.sample_source(), title=name)
    root = etree.fromstring(text)
    assert not root.findall(".//s:script", NS)
    assert len(text) < 100_000
    assert text.encode()


def test_nothing_to_draw_says_so(boards):
    assert "nothing to draw" in svg((), boards.sample_source())
    assert "no data" in svg(boards.sample_panels(), boards.Given([], {}))
    panel = Panel("e", "Empty", "%", ())
    assert "no data" in svg((panel,), boards.sample_source())


def test_a_single_sample_and_infinite_values_are_drawn(boards):
    line = boards.line("c", boards.WEB, "cpu_percent", "web1")
    panel = Panel("c", "CPU", "%", (line,))
    one = svg((panel,), boards.Given([5.0], {(boards.WEB, "cpu_percent"): [50.0]}))
    assert etree.fromstring(one).findall(".//s:path[@stroke-width='1.7']", NS)
    odd = boards.Given([1, 2, 3.0], {(boards.WEB, "cpu_percent"): [1.0, np.inf, 2.0]})
    assert not re.search(r"nan|inf\b", svg((panel,), odd).lower())


def test_many_lines_and_panels_stay_on_the_page(boards):
    lines = tuple(
        boards.line(f"l{n}", boards.WEB, "cpu_percent", f"a machine with a long name {n}")
        for n in range(40)
    )
    panels = tuple(Panel(f"p{n}", f"Panel {n}", "%", lines) for n in range(7))
    drawing = scene(read(panels, boards.sample_source()))
    words = [part for part in drawing.parts if isinstance(part, Text)]
    assert "and 29 more" in {part.text for part in words}
    assert max(part.y for part in words) < drawing.height
    assert all(0 <= part.x <= drawing.width for part in words)


def test_a_day_at_one_hertz_is_small_and_quick(boards):
    began = time.process_time()
    text = svg(boards.sample_panels(), boards.sample_source(86400))
    assert len(text) < 400_000
    assert time.process_time() - began < 5


def test_plain_keeps_what_people_write():
    assert plain("aä日\n😀") == "aä日\n😀"
    assert plain("\x00\x1b\x85\ud800\uffff") == "\ufffd\ufffd\ufffd\ufffd"
