"""Boards of other things than one domain: hosts, recordings, and a guest that is really there."""

from __future__ import annotations

import os

import pytest

pytestmark = pytest.mark.slow(seconds=8)

HEAD = """
import labvirt as lv, synthetic
alpha = synthetic.Host("alpha", guests=("web1", "db1", "cache1"), interval_s=0.25, runs=True)
empty = synthetic.Host("beta", guests=(), interval_s=0.25, runs=True)
alpha.fill(60); empty.fill(60)
tape = synthetic.Host("gamma", guests=("web1",)).fill(300, until=1_700_000_000).history
"""
SHOW = "board = lv.ui.charts({}, engine='light', window_s=60)\nboard"


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open(
        "boards", HEAD, SHOW.format("alpha"), SHOW.format("empty"), SHOW.format("tape")
    )
    yield book
    book.close()


def shown(book, number):
    book.wait(
        f"() => document.querySelectorAll('[data-lv=ready] .lv-board')[{number}]"
        "?.querySelector('.uplot canvas')"
    )
    board = book.boards.nth(number)
    board.scroll_into_view_if_needed()
    return board


REAL = f"""
import labvirt as lv
lab = lv.Lab.start("ui-{os.getpid()}", hosts=1, backend="session", ephemeral=True)
alpha = lab.hosts[0]
web1 = alpha.plan(lv.DomainSpec(name="web1", memory="128 MiB", source=lv.TinyGuest())).apply()
alpha.sampler.interval_s = 0.25
charts = lv.ui.charts(web1, engine="light", window_s=60)
charts
"""


@pytest.mark.lab
def test_a_real_guest_is_charted_while_it_boots_and_says_when_it_stops(jupyter):
    book = jupyter.open("real", REAL)
    try:
        board = shown(book, 0)
        board.scroll_into_view_if_needed()
        book.wait("() => +document.querySelector('[data-lv]').dataset.rows > 8")
        key = "'cpu/' + document.querySelector('[data-lv]').lvShell.meta.panels[0].lines[0].key.slice(4)"
        book.wait(
            "() => { const {data} = document.querySelector('[data-lv]').lvShell;"
            f" return Math.max(...[...data.columns.get({key})].filter((v) => v === v)) > 20; }}"
        )
        book.wait("() => document.querySelector('[data-panel=disk]')")
        assert book.errors == []
        jupyter.picture("board-real", board)
        book.ask("web1.destroy(confirm=True)")
        book.wait("() => document.querySelector('[data-lv]').dataset.state === 'empty'")
        jupyter.picture("board-real-stopped", board)
        assert "stopped" in book.ask("print([m.kind for m in alpha.history.marks()])")
    finally:
        book.ask("charts.close(); lab.stop()", timeout_s=60)
        book.close()


def test_a_host_shows_who_uses_it(book, jupyter):
    board = shown(book, 0)
    stack = board.locator("[data-panel=cpu_by_domain]")
    assert stack.get_attribute("role") == "img"
    assert "web1" in stack.get_attribute("aria-label")
    hidden = board.locator(".lv-entry").filter(has_text="db1").first
    hidden.click()
    top = board.evaluate("el => el.lvShell.data.columns.size")
    assert top == 6 + 4 + 2 * 3 - 2
    hidden.click()
    jupyter.picture("board-host", board)


def test_a_host_without_guests_says_so(book, jupyter):
    board = shown(book, 1)
    book.wait("() => [...document.querySelectorAll('.lv-notice')].some((el) => !el.hidden)")
    assert board.get_by_role("alert").inner_text() == "No guest is running on beta."
    jupyter.picture("board-host-empty", board)


def test_a_recording_is_played(book, jupyter):
    board = shown(book, 2)
    newest = "() => [...document.querySelectorAll('[data-lv]')][2].lvShell.newest"
    assert book.page.evaluate(newest) == 1_699_999_999
    board.get_by_role("combobox", name="Speed").select_option("60")
    board.get_by_role("button", name="Play").click()
    book.wait(f"() => ({newest})() > 1_699_999_730 && ({newest})() < 1_699_999_999")
    board.get_by_role("button", name="Stop").click()
    place = board.get_by_role("slider", name="Time in the recording")
    place.evaluate("el => { el.value = 1_699_999_900; el.dispatchEvent(new Event('change')); }")
    book.wait(f"() => ({newest})() === 1_699_999_900")
    jupyter.picture("board-recording", board)
