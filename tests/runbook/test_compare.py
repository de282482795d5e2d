"""Comparing two runs: parameters, versions, steps, and outputs cell by cell."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from labvirt.runbook.compare import compare
from labvirt.runbook.differ import normalised
from labvirt.runbook.records import RunRecord, StepRecord

BEGAN = "2026-03-01T12:00:00+00:00"


def stream(text):
    return new_output("stream", name="stdout", text=text)


def data(**kinds):
    return new_output("display_data", data={k.replace("__", "/"): v for k, v in kinds.items()})


def cell(source, *outputs, step="", tags=()):
    made = new_code_cell(source, outputs=list(outputs))
    made.metadata["labvirt"] = {"step": step or None}
    made.metadata["tags"] = list(tags)
    return made


def run(folder, name, *cells, **fields):
    place = folder / name
    place.mkdir()
    nbformat.write(new_notebook(cells=list(cells)), place / "b.ipynb")
    return RunRecord(
        **{
            "id": name, "book": "b", "outcome": "ok", "exit_code": 0, "notebook": place / "b.ipynb",
            "html": place / "b.html", "folder": place, "seconds": 10.0, **fields,
        }
    )  # fmt: skip


def test_equal_runs_have_no_differences_but_times(tmp_path):
    steps = (StepRecord("define", verdict="ok", began=BEGAN, seconds=2.0),)
    later = (replace(steps[0], seconds=3.0),)
    a = run(tmp_path, "r1", cell("x", stream("at 12:01:02 in 3.5 s, r1\n")), steps=steps)
    b = run(tmp_path, "r2", cell("x", stream("at 13:59:00 in 7 s, r2\n")), steps=later, seconds=15)
    found = compare(a, b)
    assert found.is_same
    assert found.steps[0].ratio == 1.5
    assert "Nothing but times" in str(found)
    assert "x 1.50" in str(found)
    assert not compare(a, b, normalise=False).is_same


def test_parameters_versions_and_facts_that_differ_are_named(tmp_path):
    a = run(tmp_path, "r1", parameters={"name": "web1", "n": 1, "same": "x", "r": float("nan")},
            versions={"python": "3.11", "papermill": "2.6"}, book_hash="aa", host="h")  # fmt: skip
    b = run(tmp_path, "r2", parameters={"name": "web2", "n": True, "same": "x", "new": None,
            "r": float("nan")}, versions={"python": "3.12", "papermill": "2.6"}, book_hash="bb",
            host="h", outcome="failed", error="no disk")  # fmt: skip
    found = compare(a, b)
    told = {d.name: (d.a, d.b) for d in found.parameters}
    assert told == {"name": ("web1", "web2"), "n": ("1", "True"), "new": ("(not given)", "None")}
    assert [(d.name, d.a, d.b) for d in found.versions] == [("python", "3.11", "3.12")]
    assert {d.name for d in found.facts} == {"book's text", "outcome", "error"}
    assert not found.is_same


def test_steps_are_paired_by_name(tmp_path):
    def step(name, verdict="ok", seconds=1.0, **more):
        return StepRecord(name, verdict=verdict, began=BEGAN, seconds=seconds, **more)

    a = run(tmp_path, "r1", steps=(step("define", source_hash="1"), step("boot", seconds=0.0)))
    b = run(
        tmp_path, "r2",
        steps=(step("define", source_hash="2"), step("boot", "failed", 5.0, error="no disk"),
               StepRecord("verify")),
    )  # fmt: skip
    define, boot, verify = compare(a, b).steps
    assert define.changed
    assert define.ratio == 1.0
    assert (boot.a_verdict, boot.b_verdict, boot.ratio) == ("ok", "failed", None)
    assert (verify.a_verdict, verify.b_verdict, verify.b_seconds) == ("-", "pending", None)
    text = str(compare(a, b))
    assert "ok -> failed" in text
    assert "b: no disk" in text
    assert "edited" in text


def test_outputs_are_compared_cell_by_cell(tmp_path):
    a = run(tmp_path, "r1", cell("a", stream("one\n")), cell("b", stream("x\ny\nz\n"), step="boot"))
    b = run(tmp_path, "r2", cell("a", stream("one\n")), cell("b", stream("x\nY\nz\n"), step="boot"))
    (found,) = compare(a, b).outputs
    assert found.where == "cell 1 (step boot)"
    assert "-y\n+Y" in found.diff
    assert found.what == "text differs"


def test_cells_that_were_added_moved_on_or_edited_are_still_paired(tmp_path):
    same = cell("same", stream("s\n"))
    a = run(tmp_path, "r1", cell("first", stream("1\n")), same, cell("old", stream("o\n")))
    b = run(
        tmp_path, "r2", cell("new", stream("n\n")), cell("first", stream("1\n")), same,
        cell("edited", stream("e\n")), cell("silent"),
    )  # fmt: skip
    new, edited = compare(a, b).outputs
    assert (new.cell_a, new.cell_b, new.what) == (None, 0, "this cell is only in the second run")
    assert (edited.cell_a, edited.cell_b) == (2, 3)
    assert edited.what == "its code was edited, text differs"


def test_a_step_that_was_only_kept_has_no_outputs_to_differ(tmp_path):
    def steps(verdict):
        return (StepRecord("boot", verdict=verdict, began=BEGAN),)

    a = run(tmp_path, "r1", cell("b", stream("up\n"), step="boot"), steps=steps("ok"))
    b = run(tmp_path, "r2", cell("b", step="boot"), steps=steps("kept"))
    c = run(tmp_path, "r3", cell("b", step="boot"), steps=steps("ok"))
    assert compare(a, b).outputs == ()
    assert len(compare(a, c).outputs) == 1


def test_injected_parameters_are_one_cell(tmp_path):
    a = run(tmp_path, "r1", cell("x = 1", tags=["injected-parameters"]), cell("p", stream("1")))
    b = run(tmp_path, "r2", cell("x = 2", tags=["injected-parameters"]), cell("p", stream("1")))
    assert compare(a, b).outputs == ()


@pytest.mark.parametrize("kind", ["image__png", "image__svg+xml", "application__json"])
def test_images_and_plots_are_compared_by_hash(tmp_path, kind):
    plain = {"text__plain": "<Figure at 0x7f001122>"}
    a = run(tmp_path, "r1", cell("p", data(**{kind: "QUJD"}, **plain)))
    b = run(tmp_path, "r2", cell("p", data(**{kind: "QUJE"}, **plain)))
    same = run(tmp_path, "r3", cell("p", data(**{kind: "QUJD"}, text__plain="<Figure at 0x1>")))
    (found,) = compare(a, b).outputs
    assert found.what == kind.replace("__", "/") + " differs"
    assert found.diff == ""
    assert compare(a, same).is_same


def test_plots_equal_but_for_their_names_and_live_widgets_do_not_differ(tmp_path):
    def plot(name, number):
        view = {"model_id": name * 32}
        return (
            data(
                **{
                    "application__vnd.plotly.v1+json": {
                        "data": [{"y": [number], "uid": f"{name * 8}-aaaa-bbbb-cccc-{name * 12}"}]
                    }
                }
            ),
            data(**{"application__vnd.jupyter.widget-view+json": view, "text__plain": "Table(3)"}),
        )

    a, b, c = (
        run(tmp_path, f"r{i}", cell("p", *plot(name, number)))
        for i, (name, number) in enumerate([("a", 1), ("b", 1), ("a", 2)])
    )
    assert compare(a, b).is_same
    assert not compare(a, c).is_same


def test_tables_are_compared_by_their_plain_text(tmp_path):
    def table(name, row):
        return data(text__html=f"<table id={name}>", text__plain=f"Name\n{row}")

    a = run(tmp_path, "r1", cell("t", table("a", "web1")))
    b = run(tmp_path, "r2", cell("t", table("b", "web1")))
    c = run(tmp_path, "r3", cell("t", table("a", "web2")))
    assert compare(a, b).is_same
    assert "+web2" in compare(a, c).outputs[0].diff


def test_errors_are_compared_without_their_tracebacks(tmp_path):
    def error(value, trace):
        return new_output("error", ename="ValueError", evalue=value, traceback=[trace])

    a = run(tmp_path, "r1", cell("e", error("bad", "line 1")))
    b = run(tmp_path, "r2", cell("e", error("bad", "line 2")))
    c = run(tmp_path, "r3", cell("e", error("worse", "line 1")))
    assert compare(a, b).is_same
    assert "+ValueError: worse" in compare(a, c).outputs[0].diff


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<A at 0x7f12ab34cd>", "<A at 0x55dead>"),
        ("2026-03-01T12:00:00Z", "2027-12-31 23:59:59.123456+01:00"),
        ("2026-03-01", "2026-04-02"),
        ("took 12.5 ms", "took 3 s"),
        ("c5b2f9a8-1111-2222-3333-444455556666", "00000000-1111-2222-3333-444455556666"),
        ("52:54:00:aa:bb:cc", "52:54:00:11:22:33"),
        ("pid 12", "pid 345678"),
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_what_differs_between_any_two_runs_is_left_out(one, other):
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("2 GiB", "4 GiB"), ("vcpus 2", "vcpus 4"), ("10.0.0.1", "10.0.0.2"), ("web1", "web2")],
)
def test_what_tells_something_is_kept(one, other):
    assert normalised(one) != normalised(other)


def test_a_long_difference_is_cut_and_does_not_take_long(tmp_path):
    a = run(tmp_path, "r1", cell("p", stream("\n".join(f"a{i}" for i in range(20_000)))))
    b = run(tmp_path, "r2", cell("p", stream("\n".join(f"b{i}" * 60 for i in range(20_000)))))
    began = time.monotonic()
    (found,) = compare(a, b).outputs
    assert time.monotonic() - began < 20
    lines = found.diff.splitlines()
    assert len(lines) < 70
    assert max(map(len, lines)) < 500
    assert "more lines" in found.diff
    assert "20000" in found.diff


def test_a_notebook_that_cannot_be_read_is_noted_and_the_rest_compared(tmp_path):
    a = run(tmp_path, "r1", cell("p", stream("x")), parameters={"n": 1})
    for number, content in enumerate(["{", "[]", "{}", '{"cells": [{}]}']):
        b = run(tmp_path, f"broken{number}", parameters={"n": 2})
        b.notebook.write_text(content)
        found = compare(a, b)
        assert [d.name for d in found.parameters] == ["n"]
        assert b.id in found.notes[0]
        assert not found.is_same
    a.notebook.unlink()
    assert len(compare(a, b).notes) == 2


def test_json_and_html_of_a_comparison_are_safe(tmp_path):
    evil = "<script>alert('x')</script>"
    a = run(tmp_path, "r1", cell("p", stream("x\n")), parameters={evil: evil}, host=evil)
    b = run(
        tmp_path, "r2", cell("p", stream(evil)), error=evil,
        steps=(StepRecord(evil, title=evil, error=evil),),
    )  # fmt: skip
    found = compare(a, b)
    page = found._repr_html_()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["is_same"] is False
    assert plain["outputs"][0]["diff"]
    assert evil in str(found)
