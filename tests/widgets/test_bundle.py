"""The output of a saved notebook: what each kind of reader shows of it."""

from __future__ import annotations

import base64
import json
import re

import pytest
from lxml import etree
from lxml import html as lxml_html
from nbformat import writes
from nbformat.v4 import new_code_cell, new_notebook, new_output

from labvirt.runbook.report import write_html
from labvirt.runbook.report.clean import Headings, clean_html
from labvirt.status.sample import Mark
from labvirt.widgets.bundle import bundle
from labvirt.widgets.panels import Panel

PLOTLY = "application/vnd.plotly.v1+json"
PICTURE = "data:image/svg+xml;base64,"


@pytest.fixture
def made(boards):
    return bundle(boards.sample_panels(), boards.sample_source(), title="web1 on alpha")


def notebook(made):
    output = new_output("display_data", data=made)
    return new_notebook(cells=[new_code_cell("charts", outputs=[output])])


def test_it_is_json_of_moderate_size(made):
    assert set(made) == {PLOTLY, "text/html", "text/plain"}
    assert len(json.dumps(made, allow_nan=False)) < 90_000
    assert made[PLOTLY]["config"]["showSendToCloud"] is False


def test_grep_finds_a_line_of_text_for_each_line(made):
    found = re.search(
        r"^CPU: web1: newest (.*) %, min .*, 280 samples$", made["text/plain"], re.MULTILINE
    )
    assert found
    assert "2026-11-23 17:49:40Z paused: web1 paused by a user" in made["text/plain"]


def test_html_has_heading_picture_and_numbers_with_definitions(made):
    root = lxml_html.fromstring(made["text/html"])
    assert root.findtext("h4") == "web1 on alpha"
    rows = root.findall(".//tbody/tr")
    assert len(rows) == 8
    assert rows[2].findtext("th") == "Memory: web1 memory"
    assert [one.text for one in rows[2].findall("td")][:2] == ["2 GiB", "2 GiB"]
    assert "balloon" in rows[2].findall("td")[-1].text
    picture = root.find(".//img").get("src")
    assert picture.startswith(PICTURE)
    etree.fromstring(base64.b64decode(picture.removeprefix(PICTURE)))
    assert root.find(".//img").get("alt")


def test_a_report_keeps_picture_and_table(made):
    cleaned = clean_html(made["text/html"], Headings(), picture="x")
    root = lxml_html.fromstring(cleaned)
    assert root.find(".//img").get("src").startswith(PICTURE)
    assert len(root.findall(".//tbody/tr")) == 8
    assert "CPU time used" in cleaned


def test_the_report_and_nbconvert_show_it(made, tmp_path):
    from nbconvert import HTMLExporter

    report = write_html(notebook(made), tmp_path / "book.html")
    text = report.path.read_text()
    assert report.charts == 1
    assert PICTURE in text
    offline, _ = HTMLExporter().from_notebook_node(notebook(made))
    assert PICTURE in offline
    assert "Memory: web1 memory" in offline


def test_nothing_in_it_is_stripped_by_jupyterlabs_sanitizer(made):
    """It drops scripts, styles, forms, inline SVG and attributes that it does not know."""
    root = lxml_html.fromstring(made["text/html"])
    known = {"div", "h4", "img", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
    assert {one.tag for one in root.iter()} - known <= {"ul", "li"}
    assert {name for one in root.iter() for name in one.attrib} <= {
        *("alt", "src", "style", "open", "scope")
    }


@pytest.mark.parametrize("bad", ["<script>x()</script>", "a\x00\x1b\ud800b", "</td></table><h1>"])
def test_names_and_marks_are_only_text(boards, bad):
    line = boards.line("c", boards.WEB, "cpu_percent", bad)
    source = boards.sample_source()
    source.given_marks = (Mark(boards.START + 5, bad, "alpha", "", f"{bad}\nnewest 1"),)
    made = bundle((Panel("c", bad, "%", (line,)),), source, title=bad)
    root = lxml_html.fromstring(made["text/html"])
    assert {one.tag for one in root.iter()} & {"script", "h1"} == set()
    assert json.dumps(made).encode()
    assert writes(notebook(made)).encode()
    assert len(made["text/plain"].splitlines()) == 4


def test_without_samples_it_says_so(boards):
    made = bundle(boards.sample_panels(), boards.Given([], {}))
    assert "newest no data" in made["text/plain"]
    assert "no data" in made["text/html"]
