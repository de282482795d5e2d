"""What stays of views: in books that a program has run, in exported pages, and after `freeze`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import labvirt as lv

ROOT = Path(__file__).parents[2]
VIEW = "application/vnd.jupyter.widget-view+json"
RUSSIAN = re.compile(r"[а-яё]{3,}", re.IGNORECASE)  # noqa: RUF001
#: What each view of the tour leaves behind, by the id of its cell: words that must be there, and
#: how much there is of it at least: (tables, pictures).
LEFT = {
    "manager": (("web1", "работает", "Состояние"), (1, 0)),
    "create": (("Создание виртуальной машины", "web2", "128 MiB"), (1, 0)),
    "details": (("Имя", "web2", "работает", "128 MiB"), (1, 0)),
    "charts": (("web2", "последнее", "Память"), (1, 1)),
    "overview": (("web1", "web2", "работает"), (1, 0)),
    "console": (("последовательная консоль", "42 is the answer"), (0, 0)),
    "screen": (("web1 на alpha: экран",), (0, 1)),
    "host": (("alpha", "работает"), (1, 0)),
    "network": (("Создание виртуальной сети", "inner", "192.168."), (1, 0)),
    "pool": (("Создание пула хранилищ",), (1, 0)),
    "volume": (("Создание тома", "data.qcow2", "64 MiB"), (1, 0)),
}


def run(book, folder, **values):
    name = f"{book[:5]}-{os.getpid()}"
    given = {"lab_name": name, "stop_at_end": "true", **values}
    record = lv.run(str(ROOT / "notebooks" / f"{book}.ipynb"), given, folder=folder).require_ok()
    assert name not in {lab.name for lab in lv.Lab.list()}
    return record


@pytest.mark.slow(seconds=26)
@pytest.mark.lab
def test_the_index_runs_from_nothing_and_leaves_nothing_running(tmp_path):
    record = run("00-index", tmp_path / "run")
    read = nbformat.read(record.notebook, as_version=4)
    shown = {cell.id: str(cell.get("outputs", "")) for cell in read.cells}
    for cell, word in {
        "manager": "web1",
        "create": "Create a virtual machine",
        "console": "serial console",
        "charts": "image/svg+xml",
        "language": "Создание тома",
    }.items():
        assert word in shown[cell], cell
        assert VIEW not in shown[cell], cell


class Tour:
    """The tour of the manager as a program has run it, in Russian."""

    def __init__(self, folder):
        self.record = run("manager", folder / "run", language="ru")
        self.report = Path(self.record.html)
        self.plain = folder / "plain.html"
        command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output", str(self.plain)]
        done = subprocess.run(
            [*command, str(self.record.notebook)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    return Tour(tmp_path_factory.mktemp("tour"))


@pytest.mark.slow(seconds=30)
@pytest.mark.lab
def test_every_view_of_the_tour_leaves_what_can_be_read(tour):
    read = nbformat.read(tour.record.notebook, as_version=4)
    cells = {cell.id: cell for cell in read.cells}
    for name, (words, _counts) in LEFT.items():
        outputs = cells[name].outputs
        assert not any(VIEW in each.get("data", {}) for each in outputs), name
        pages = "".join(each.get("data", {}).get("text/html", "") for each in outputs)
        assert all(word in pages for word in words), (name, pages[:2000])
        assert RUSSIAN.search(pages), name
    assert Path(tour.record.notebook).stat().st_size < 1_000_000


@pytest.fixture
def offline(browser):
    """A page that has no network, and what it complained of."""
    context = browser.new_context(
        offline=True, viewport={"width": 1000, "height": 900}, color_scheme="light"
    )
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            said.type in {"error", "warning"}
            and page.complaints.append(f"{said.text} {said.location['url']}")
        ),
    )
    yield page
    context.close()


IN_SIGHT = """(pictures) => pictures.every((el) => el.complete && el.naturalWidth > 0)"""


@pytest.mark.slow(seconds=8)
@pytest.mark.lab
@pytest.mark.parametrize("kind", ["plain", "report"])
def test_an_exported_page_is_whole_with_the_network_cut(tour, offline, artefacts, kind):
    offline.goto(getattr(tour, kind).as_uri(), wait_until="load")
    offline.wait_for_function("document.readyState === 'complete'")
    text = offline.locator("body").inner_text()
    for name, (words, _counts) in LEFT.items():
        # The report draws them with plotly, without the table.
        for word in words if (kind, name) != ("report", "charts") else ():
            assert word in text, (name, word)
    assert "object at 0x" not in text
    images = offline.locator("img")
    assert images.count() >= 2
    assert images.evaluate_all(IN_SIGHT)
    tables, pictures = map(sum, zip(*(counts for _words, counts in LEFT.values()), strict=True))
    assert offline.locator("table").count() >= tables
    assert images.count() + offline.locator(".js-plotly-plot").count() >= pictures
    if kind == "plain":
        blank = "[...document.querySelectorAll('.jp-OutputArea-output')].filter((el) => el.offsetHeight < 8).length"
        assert offline.evaluate(blank) == 0
        mono = "getComputedStyle(document.querySelector('figure pre')).fontFamily"
        assert "monospace" in offline.evaluate(mono)
    else:
        offline.wait_for_selector(".js-plotly-plot .xy")
        drawn = (
            "document.querySelectorAll('.js-plotly-plot')[0].querySelectorAll('.subplot').length"
        )
        assert offline.evaluate(drawn) == 5, "a panel without data keeps its place"
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert offline.evaluate(wide) <= 0, "nothing sticks out of the page"
    offline.screenshot(path=artefacts / f"saved-tour-{kind}.png", full_page=True)
    assert [each for each in offline.complaints if not _is_nbconverts(each)] == []
    assert kind == "plain" or offline.complaints == []


def _is_nbconverts(complaint):
    """Return whether nbconvert's own page asks for what our outputs do not need."""
    return "ERR_INTERNET_DISCONNECTED" in complaint and "cdnjs.cloudflare.com" in complaint


# -- freezing ----------------------------------------------------------------------------------------

HEAD = """
import labvirt as lv, synthetic
host = synthetic.Host(guests=('web1',), interval_s=0.25, runs=True).fill(60)
from labvirt.model.volume import VolumeSpec
from labvirt.widgets.forms.form import Form
"""
CHARTS = "{0} = lv.ui.charts(host['web1'], engine='light')\n{0}"
FORM = "form = Form(VolumeSpec, title='A volume'); form"


def saved(book):
    """Save the notebook and return the outputs of its cells, by MIME type."""
    book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save').then(() => true)")
    read = json.loads((book.lab.server.books / book.name).read_text())
    return [[set(o.get("data", {})) for o in cell["outputs"]] for cell in read["cells"]]


@pytest.mark.slow(seconds=16)
def test_freeze_reaches_its_outputs_also_when_the_page_was_loaded_again(jupyter):
    book = jupyter.open("frozen", HEAD, CHARTS.format("charts"), FORM, CHARTS.format("more"))
    two = "() => document.querySelectorAll('[data-lv=ready]').length === {}"
    book.wait(two.format(3))
    book.ask("more.freeze()")
    still = "() => document.querySelectorAll('.jp-OutputArea-output.js-plotly-plot').length === {}"
    book.wait(still.format(1))
    before = saved(book)
    assert [VIEW in kinds for cell in before[1:] for kinds in cell] == [True, True, False]
    assert all("text/html" in kinds for cell in before[1:] for kinds in cell)
    page = jupyter.page
    page.goto(jupyter.url(book.name).replace("&reset", ""), wait_until="commit")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    book.wait(two.format(2), 60)
    book.ask("charts.freeze(); form.freeze()")
    book.wait("() => document.querySelectorAll('[data-lv]').length === 0")
    after = saved(book)
    assert not any(VIEW in kinds for cell in after for kinds in cell)
    assert [len(cell) for cell in after] == [0, 1, 1, 1], "each in its place, and nothing twice"
    assert book.errors == []
    assert jupyter.faults == []
    jupyter.picture("frozen-after-reload")
    book.close()
