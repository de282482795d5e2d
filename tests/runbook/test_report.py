"""The report of a run: all that the notebook holds, in one file that runs and fetches nothing."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
import tracemalloc

import nbformat
import plotly.graph_objects as go
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labvirt.runbook.report import write_html
from labvirt.runbook.report.folding import fold

PLOTLY = "application/vnd.plotly.v1+json"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
RECORD = {
    "schema": 1,
    "id": "20261123-122015-f700",
    "book": "install",
    "outcome": "failed",
    "exit_code": 1,
    "error": "WaitTimeoutError: waited 5 s",
    "parameters": {"name": "web1", "password": "env:WEB1_PASSWORD", "disks": ["10 GiB"]},
    "seconds": 83.4,
    "versions": {"python": "3.11.7", "labvirt": "0.1.0"},
    "began": "2026-11-23T12:20:15+00:00",
    "ended": "2026-11-23T12:21:38+00:00",
    "host": "qemu:///session",
    "steps": [
        {"id": "define", "title": "Define it", "verdict": "kept", "seconds": 0.02},
        {"id": "boot", "title": "Boot it", "verdict": "failed", "seconds": 75, "error": "late"},
        {"id": "finish", "title": "Finish", "verdict": "pending"},
    ],
}


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def displayed(data):
    return new_output("display_data", data=data)


def chart(title="Load", points=300):
    figure = go.Figure(layout_title_text=title)
    figure.add_scatter(x=list(range(points)), y=[n % 7 for n in range(points)], name="cpu")
    return new_output("display_data", data={PLOTLY: json.loads(figure.to_json())})


def cell(source, *outputs, tags=(), **facts):
    made = new_code_cell(source, outputs=list(outputs), execution_count=1)
    made.metadata["tags"] = list(tags)
    if facts:
        made.metadata["labvirt"] = facts
    return made


def notebook(*cells, **metadata):
    return new_notebook(cells=[new_markdown_cell("# A book"), *cells], metadata=metadata)


def page(tmp_path, made, **more):
    """Write the report; return it as a tree, and the way it was written."""
    report = write_html(made, tmp_path / "book.html", **more)
    text = report.path.read_text()
    assert text.startswith("<!DOCTYPE html>")
    return parsed(text), report


def parsed(text):
    return BeautifulSoup(text, "lxml", multi_valued_attributes=None)


def attributes(tree, name="", inside="*"):
    """Return the values of an attribute, or of all of them, by name and value."""
    found = [pair for one in tree.select(inside) for pair in one.attrs.items()]
    return [value for key, value in found if key == name] if name else found


def words(tree, path):
    return " ".join(" ".join(found.get_text(" ").split()) for found in tree.select(path))


def addresses(tree):
    """Return everything that a browser would load for the page."""
    loads = [
        *attributes(tree, "src"),
        *attributes(tree, "srcset"),
        *attributes(tree, "href", "link"),
    ]
    styles = "".join(one.text for one in tree.select("style"))
    return loads + re.findall(r"url\([^)]*\)|@import", styles)


def test_the_head_says_what_was_run_and_how_it_ended(tmp_path):
    tree, report = page(tmp_path, notebook(cell("1", verdict="failed"), labvirt=RECORD))
    assert report.path.stat().st_size == report.size_bytes < 60_000
    assert tree.html.get("lang") == "en"
    assert words(tree, "h1") == "A book"
    assert words(tree, ".outcome") == "Failed"
    assert tree.select(".outcome svg use")[0].get("href") == "#shape-failed"
    assert "WaitTimeoutError: waited 5 s" in words(tree, ".trouble")
    assert tree.select(".trouble a")[0].get("href") == "#cell-2"
    facts = words(tree, ".facts")
    for told in (
        "20261123-122015-f700",
        "qemu:///session",
        "2026-11-23 12:20:15 UTC",
        "1 min 23 s",
    ):
        assert told in facts
    rows = words(tree, "section tr")
    assert "name web1" in rows
    assert "password env:WEB1_PASSWORD" in rows
    assert 'disks ["10 GiB"]' in rows
    assert "labvirt 0.1.0" in words(tree, ".versions")


def test_the_contents_list_leads_to_each_step_with_its_verdict_and_time(tmp_path):
    cells = [
        new_markdown_cell("## Define it"),
        cell("define()", tags=["step:define"], step="define", role="step", verdict="kept"),
        cell("undo()", tags=["step:define", "undo"]),
        cell("boot()", tags=["step:boot"], step="boot", role="step", verdict="failed", seconds=75),
    ]
    tree, _ = page(tmp_path, notebook(*cells, labvirt=RECORD))
    lines = [" ".join(one.get_text(" ").split()) for one in tree.select("nav li")]
    assert lines == ["Define it kept · 20 ms", "Boot it failed · 1 min 15 s late", "Finish pending"]
    ids = set(attributes(tree, "id"))
    assert {"step-define", "step-boot"} <= ids
    assert len(attributes(tree, "id")) == len(ids)
    assert tree.select(".prose #step-define")
    shapes = {one.get("href") for one in tree.select("nav use")}
    assert shapes == {"#shape-kept", "#shape-failed", "#shape-open"}


@pytest.mark.parametrize(
    ("outcome", "said"),
    [("ok", "Succeeded"), ("cancelled", "Cancelled"), ("died", "Died"), ("refused", "Refused")],
)
def test_every_outcome_has_its_words_and_shape(tmp_path, outcome, said):
    tree, _ = page(tmp_path, notebook(labvirt={**RECORD, "outcome": outcome, "error": ""}))
    assert words(tree, ".outcome") == said
    assert not tree.select(".trouble")


def test_a_record_that_is_given_comes_before_the_one_in_the_notebook(tmp_path):
    tree, _ = page(tmp_path, notebook(labvirt=RECORD), record={**RECORD, "outcome": "ok"})
    assert words(tree, ".outcome") == "Succeeded"


def test_a_notebook_of_plain_papermill_tells_its_steps_by_tags(tmp_path):
    done = cell("1", tags=["step:one"])
    done.metadata["papermill"] = {"status": "completed", "duration": 1.5}
    bad = cell("2", new_output("error", ename="E", evalue="no", traceback=[]), tags=["step:two"])
    bad.metadata["papermill"] = {"status": "failed", "duration": 0.5}
    made = notebook(done, bad, papermill={"parameters": {"x": 1}, "exception": True, "duration": 2})
    tree, _ = page(tmp_path, made)
    assert words(tree, ".outcome") == "Failed"
    assert words(tree, "nav li") == "one ok · 1.5 s two failed · 0.5 s"
    assert "x 1" in words(tree, "section tr")
    assert "E: no" in words(tree, ".trouble")


def test_a_notebook_without_steps_has_its_headings_as_contents(tmp_path):
    tree, _ = page(tmp_path, notebook(new_markdown_cell("## First\n\ntext"), cell("1")))
    assert words(tree, "nav li") == "First"
    assert not tree.select(".outcome")


def test_the_last_word_is_with_a_notebook_that_is_empty_or_odd(tmp_path):
    tree, _ = page(tmp_path, new_notebook())
    assert "empty" in words(tree, "main")
    odd = notebook(new_output_cell(), labvirt={"outcome": "ok", "steps": "?", "parameters": [1]})
    tree, _ = page(tmp_path, odd)
    assert "application/x-odd" in words(tree, "main")


def new_output_cell():
    return cell("", displayed({"application/x-odd": "?"}), new_output("display_data", data={}))


def test_code_is_folded_marked_and_whole(tmp_path):
    source = "# why\nimport os\nfor n in range(3):\n    print('<b>', n)"
    tree, _ = page(tmp_path, notebook(cell(source)))
    details = tree.select("details.code")[0]
    assert details.get("open") is None
    assert "for n in range(3):" in words(tree, "details.code summary")
    assert details.select("pre")[0].get_text().strip() == source
    assert details.select("span.k")


@pytest.mark.parametrize("count", [1, 70, 71, 1000])
def test_long_text_shows_50_and_20_lines_and_is_kept_whole(tmp_path, count):
    text = "".join(f"line {n}\n" for n in range(count))
    tree, report = page(tmp_path, notebook(cell("1", printed(text))))
    shown = [one.text for one in tree.select(".output pre")]
    lines = "\n".join(shown).split("\n")
    if count <= 70:
        assert lines == [f"line {n}" for n in range(count)]
        assert report.side_files == ()
        return
    assert lines == [f"line {n}" for n in (*range(50), *range(count - 20, count))]
    assert report.side_files == ("outputs/cell2-1.txt",)
    assert (tmp_path / "outputs/cell2-1.txt").read_text() == text
    assert f"{count - 70} of {count:,} lines are not shown" in words(tree, ".fold")
    assert tree.select(".fold a")[0].get("href") == "outputs/cell2-1.txt"


def test_a_side_file_that_the_runner_wrote_is_linked_and_left_alone(tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/cell2-1.txt").write_text("the real thing")
    facts = {"side_files": ["outputs/cell2-1.txt", "outputs/1-9.log", "../../etc/passwd"]}
    tree, report = page(tmp_path, notebook(cell("1", printed("x\n" * 200), **facts)))
    assert (tmp_path / "outputs/cell2-1.txt").read_text() == "the real thing"
    assert report.side_files == ()
    links = [one.get("href") for one in tree.select(".fold a")]
    assert links == ["outputs/cell2-1.txt", "outputs/1-9.log"]


@pytest.mark.parametrize("count", [100, 60_000])
def test_what_the_runner_cut_itself_shows_the_end_of_the_whole(tmp_path, count):
    (tmp_path / "outputs").mkdir()
    whole = "".join(f"line {n} of the console\n" for n in range(count))
    (tmp_path / "outputs/cell2-stdout.txt").write_text(whole)
    kept = whole[:1000] + "\n[... more in outputs/cell2-stdout.txt]\n"
    made = notebook(cell("1", printed(kept), side_files=["outputs/cell2-stdout.txt"]))
    tree, report = page(tmp_path, made)
    first, last = tree.select(".output pre")
    assert first.text.split("\n") == [f"line {n} of the console" for n in range(50)]
    assert last.text.split("\n") == [f"line {n} of the console" for n in range(count - 20, count)]
    assert f"{count - 70:,} of {count:,} lines" in words(tree, ".fold")
    assert [one.get("href") for one in tree.select(".fold a")] == ["outputs/cell2-stdout.txt"]
    assert report.side_files == ()


def test_a_file_that_only_the_output_names_is_not_read(tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/other.txt").write_text("of somebody else\n")
    tree, _ = page(tmp_path, notebook(cell("1", printed("x\n[... more in outputs/other.txt]\n"))))
    assert "somebody" not in words(tree, "main")


def test_very_many_outputs_of_a_cell_show_the_first_and_the_last(tmp_path):
    many = [displayed({"text/plain": f"item {n}"}) for n in range(2000)]
    tree, report = page(tmp_path, notebook(cell("1", *many)))
    assert len(tree.select(".output pre")) == 350
    assert "1,650 outputs of this cell are not shown" in words(tree, ".note")
    assert (tmp_path / report.side_files[0]).read_text().split()[1] == "300"


@pytest.mark.parametrize(
    "html", ["<div>" * 100_000, "<svg " * 100_000, "<b><p>" * 50_000, "<svg></svg>" * 20_000]
)
def test_html_that_is_made_to_be_slow_is_not(tmp_path, html):
    began = time.process_time()
    _, report = page(tmp_path, notebook(cell("1", displayed({"text/html": html}))))
    assert time.process_time() - began < 10
    assert report.size_bytes < 5_000_000


def test_folding_a_text():
    assert fold("").lines == 0
    assert fold("a").lines == fold("a\n").lines == 1
    assert fold("10%\r50%\r100%\ndone\r\n").head == "100%\ndone"
    wide = fold("x" * 10_000)
    assert wide.narrowed == 1
    assert wide.is_cut
    assert "8,000 characters" in wide.head
    assert fold("a\x00b\x1b]0;title\x07c\x1b(Bd\x9b\ud800").head == "abcd"


def test_streams_are_put_together_and_errors_marked(tmp_path):
    error = new_output("error", ename="OSError", evalue="<gone>", traceback=["\x1b[31mred\x1b[0m"])
    tree, _ = page(
        tmp_path,
        notebook(cell("1", printed("a\n"), printed("b\n"), printed("c\n", "stderr"), error)),
    )
    kinds = [one.get("class") for one in tree.select(".output")]
    assert kinds == ["output stdout", "output stderr", "output error"]
    assert tree.select(".stdout pre")[0].text == "a\nb"
    assert words(tree, ".stderr .source") == "stderr"
    assert words(tree, ".headline") == "OSError: <gone>"
    assert tree.select(".error .ansi-red-fg")[0].text == "red"


@pytest.mark.parametrize(
    ("codes", "name"),
    [("38;5;208", "ansi-yellow"), ("38;2;255;0;0", "ansi-red"), ("1;34", "ansi-blue-intense")],
)
def test_colours_of_terminals_become_the_sixteen_that_can_be_read(tmp_path, codes, name):
    tree, _ = page(tmp_path, notebook(cell("1", printed(f"\x1b[{codes}mx\x1b[0m\n"))))
    assert tree.select(f".output .{name}-fg")[0].text == "x"
    assert not attributes(tree, "style", "pre *")


@pytest.mark.parametrize(
    "text", ["\x1b[38mx", "\x1b[38;5mx", "\x1b[48;2;1mx", "\x1b[38;5;999mx", "\x1b[mx\x1b"]
)
def test_colours_that_are_cut_short_are_no_failure(tmp_path, text):
    tree, _ = page(tmp_path, notebook(cell("1", printed(text))))
    assert "x" in words(tree, ".output pre")


def test_pictures_are_in_the_file_and_have_a_text(tmp_path):
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg'><title>a plan</title><script>bad()</script></svg>"
    )
    inline = "<p>here</p><svg viewBox='0 0 1 1' aria-label='a \"map\"'><circle r='1'/></svg>"
    tree, _ = page(
        tmp_path,
        notebook(
            cell(
                "1",
                displayed({"image/png": PIXEL + "\n"}),
                displayed({"image/svg+xml": drawing}),
                displayed({"text/html": inline}),
            )
        ),
    )
    pictures = tree.select(".output img")
    assert [one.get("alt") for one in pictures] == [
        "Picture, output of cell 2",
        "a plan",
        'a "map"',
    ]
    assert all(one.get("src").startswith("data:image/") for one in pictures)


def test_a_picture_in_markdown_is_embedded_for_the_author_only(tmp_path):
    (tmp_path / "plan.png").write_bytes(base64.b64decode(PIXEL))
    text = "![the plan](plan.png) ![far](https://example.org/x.png)"
    tree, _ = page(
        tmp_path, notebook(new_markdown_cell(text), cell("1", displayed({"text/markdown": text})))
    )
    assert [one.get("alt") for one in tree.select(".prose img")] == ["the plan"]
    assert not tree.select(".output img")
    assert "not in this file" in words(tree, ".output")


def test_tables_and_widgets_show_their_static_form(tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"name": ["web1"], "state": ["running"]})
    live = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "a form"}
    tree, _ = page(
        tmp_path,
        notebook(
            cell(
                "1",
                displayed({"text/html": frame._repr_html_()}),
                new_output("display_data", data=live),
            )
        ),
    )
    assert words(tree, ".output table") == "name state 0 web1 running"
    assert "vertical-align" not in words(tree, ".output")
    assert not [one for one in tree.select("th") if not one.get_text().strip()]
    assert words(tree, ".output pre") == "a form"


def test_headings_never_skip_a_level(tmp_path):
    made = notebook(
        new_markdown_cell("#### deep"),
        cell("1", displayed({"text/html": "<h1>big</h1><h6>small</h6>"})),
        new_markdown_cell("# again\n\n### third"),
    )
    tree, _ = page(tmp_path, made, record={"outcome": "ok"})
    levels = [int(one.name[1]) for one in tree.select("main :is(h1, h2, h3, h4, h5, h6)")]
    assert levels == [2, 2, 3, 2, 3]


def test_charts_have_one_library_and_stay_small(tmp_path):
    tree, report = page(tmp_path, notebook(*(cell("1", chart(f"Load {n}")) for n in range(20))))
    assert report.charts == 20
    assert report.size_bytes < 5_000_000
    assert len(tree.select("#plotly-library")) == 1
    figures = tree.select("figure.chart")
    assert figures[3].get("aria-label") == "Load 3: 1 series: cpu"
    data = json.loads(figures[3].select("script")[0].text)
    assert data["layout"]["title"]["text"] == "Load 3"
    assert report.path.read_text().count("Copyright 2012") == 0


def test_there_is_no_library_without_charts(tmp_path):
    tree, report = page(tmp_path, notebook(cell("1", printed("x"))))
    assert not tree.select("#plotly-library")
    assert report.size_bytes < 40_000


def test_a_chart_keeps_its_static_form_for_who_runs_no_scripts(tmp_path):
    output = chart()
    output.data["text/html"] = f'<b>Load</b><img src="data:image/png;base64,{PIXEL}" alt="load">'
    output.data[PLOTLY]["data"][0]["y"] = [1.0, float("nan"), float("inf")]
    tree, _ = page(tmp_path, notebook(cell("1", output)))
    assert tree.select(".chart .static img")[0].get("alt") == "load"
    assert json.loads(tree.select(".chart script")[0].text)["data"][0]["y"] == [1.0, None, None]


def test_a_chart_with_too_many_points_keeps_its_data_beside(tmp_path):
    output = new_output("display_data", data={PLOTLY: {"data": [{"y": list(range(400_000))}]}})
    tree, report = page(tmp_path, notebook(cell("1", output)))
    assert report.charts == 0
    assert report.side_files == ("outputs/cell2-1.json",)
    assert (
        len(json.loads((tmp_path / "outputs/cell2-1.json").read_text())["data"][0]["y"]) == 400_000
    )
    assert not tree.select("#plotly-library")


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img alt='x><script>alert(1)</script>' src=https://evil.example/x>",
    "<iframe src='https://evil.example'></iframe>",
    "<a href='javascript:alert(1)'>x</a><a href='data:text/html,<script>alert(1)</script>'>y</a>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext></mtext><style><img src=x onerror=alert(1)></style></math>",
    "<div style='position:fixed;inset:0;background:url(https://evil.example)'>cover</div>",
    "<style>@import 'https://evil.example/x.css'; .outcome{color:green}</style>",
    "<p class='outcome ok' id='plotly-library'>Succeeded</p>",
    "<link rel=stylesheet href=https://evil.example/x.css><base href=https://evil.example>",
    "<form action=https://evil.example><input name=x></form>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "</div></main></body><script>alert(1)</script>",
    "<svg/><svg aria-label='\"><script>alert(1)</script>'></svg>",
]


@pytest.mark.parametrize(
    "mime",
    [
        "text/html",
        "text/markdown",
        "image/svg+xml",
        "text/plain",
        "stream",
        "error",
        "chart",
        "markdown cell",
        "code",
    ],
)
def test_what_a_guest_printed_can_neither_run_nor_fetch_nor_pose(tmp_path, mime):
    cells = []
    for bad in HOSTILE:
        if mime == "stream":
            cells.append(cell("1", printed(bad)))
        elif mime == "error":
            cells.append(cell("1", new_output("error", ename=bad, evalue=bad, traceback=[bad])))
        elif mime == "chart":
            figure = {"data": [{"name": bad, "y": [1]}], "layout": {"title": {"text": bad}}}
            cells.append(
                cell("1", new_output("display_data", data={PLOTLY: figure, "text/html": bad}))
            )
        elif mime == "markdown cell":
            cells.append(new_markdown_cell(bad))
        elif mime == "code":
            cells.append(cell(bad))
        else:
            cells.append(cell("1", new_output("display_data", data={mime: bad})))
    told = {**RECORD, "error": HOSTILE[0], "parameters": dict.fromkeys(HOSTILE, HOSTILE[2])}
    tree, _ = page(tmp_path, notebook(*cells, labvirt=told))
    kinds = [one.get("type") for one in tree.select("script")]
    assert kinds.count(None) == 1
    assert set(kinds) <= {None, "application/json", "application/gzip"}
    assert not [name for name, _ in attributes(tree) if name.startswith("on")]
    assert not tree.select("iframe, form, input, link, base, object, embed")
    assert len(tree.select("style")) == 1
    assert len(tree.select("meta[http-equiv]")) == 1
    assert all(one.startswith("data:image/") for one in addresses(tree))
    assert not [
        one for one in attributes(tree, "href", "a") if one.startswith(("javascript:", "data:"))
    ]
    assert len(tree.select(".outcome")) == 1
    assert not re.search("position|url", " ".join(attributes(tree, "style", "main *")))


def test_the_page_forbids_itself_everything_but_its_own_script(tmp_path):
    tree, _ = page(tmp_path, notebook(cell("1", chart())))
    policy = tree.select("meta[http-equiv]")[0].get("content")
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1]
    assert addresses(tree) == []


def test_an_output_tagged_secret_is_not_shown(tmp_path):
    tree, _ = page(tmp_path, notebook(cell("1", printed("hunter2"), tags=["secret"])))
    assert "hunter2" not in words(tree, "main")
    assert "tagged secret" in words(tree, ".note")


def test_a_hundred_megabytes_of_text_cost_neither_memory_nor_room(tmp_path):
    text = "a line of the console that says something\n" * 2_500_000
    made = notebook(cell("1", printed(text)), cell("2", printed("y" * 20_000_000)))
    tracemalloc.start()
    report = write_html(made, tmp_path / "book.html")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.size_bytes < 100_000
    assert (tmp_path / "outputs/cell2-1.txt").stat().st_size == len(text)
    assert peak < 2 * len(text)


def test_much_of_everything_stays_below_five_megabytes(tmp_path):
    row = "<tr>" + "<td>1234567</td>" * 20 + "</tr>"
    wide = "".join("w" * 1999 + "\n" for _ in range(70))
    cells = [
        *(cell("x = 1\n" * 3000, printed(wide)) for _ in range(40)),
        cell(
            "1", displayed({"text/html": f"<table>{row * 5000}</table>", "text/plain": "a table"})
        ),
        cell("1", displayed({"image/png": base64.b64encode(b"x" * 4_000_000).decode()})),
        *(cell("1", chart(points=20_000)) for _ in range(20)),
        cell("last()", new_output("error", ename="E", evalue="the reason", traceback=["why"])),
    ]
    tree, report = page(tmp_path, notebook(*cells))
    assert report.size_bytes < 5_000_000
    assert "E: the reason" in words(tree, ".headline")
    assert (tmp_path / "outputs/cell42-1.html.txt").exists()
    assert (tmp_path / "outputs/cell43-1.png").stat().st_size == 4_000_000


def test_text_that_no_file_can_carry_is_no_failure(tmp_path):
    made = notebook(
        cell("print('\ud800')", printed("a\ud800b\n" * 100)), labvirt={**RECORD, "error": "\ud800"}
    )
    _, report = page(tmp_path, made)
    assert report.side_files == ("outputs/cell2-1.txt",)


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_html(notebook(cell("1")), tmp_path / "nosuch" / "book.html")
    (tmp_path / "book.html").mkdir()
    with pytest.raises(IsADirectoryError):
        write_html(notebook(cell("1")), tmp_path / "book.html")
    assert [one.name for one in tmp_path.iterdir()] == ["book.html"]


def test_the_notebook_is_left_as_it_was(tmp_path):
    made = notebook(cell("1", printed("x\n" * 100), chart()), labvirt=RECORD)
    before = nbformat.writes(made)
    page(tmp_path, made)
    assert nbformat.writes(made) == before


def test_nbconvert_knows_the_report(tmp_path):
    nbformat.write(notebook(cell("1", printed("x\n" * 100))), tmp_path / "book.ipynb")
    code = (
        "import sys; from nbconvert.nbconvertapp import main; "
        "sys.argv = ['nbconvert', '--to', 'labvirt.runbook.report.exporter.ReportExporter', 'book.ipynb']; main()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    assert "30 of 100 lines" in words(parsed((tmp_path / "book.html").read_text()), ".fold")
    assert (tmp_path / "outputs/cell2-1.txt").read_text() == "x\n" * 100
