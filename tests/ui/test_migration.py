"""The observatory of migrations in a real JupyterLab: a real guest moves between two real hosts."""

from __future__ import annotations

import os

import pytest

HEAD = f"""
import time
import labvirt as lv
lab = lv.Lab.start("moves-{os.getpid()}", hosts=2, backend="session", ephemeral=True)
alpha, beta = lab.hosts
web1 = alpha.plan(lv.DomainSpec(
    name="web1", memory="128 MiB", source=lv.TinyGuest(), interfaces=(), agent=True)).apply()
web1.wait_for("agent", timeout_s=90)
"""
SHOW = "view = lv.ui.migration(web1); view"


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("moves", HEAD, SHOW)
    book.wait("() => document.querySelector('[data-lv=ready]')", 60)
    yield book
    book.ask("lab.stop()", 60)
    book.close()


def board_of(book):
    return book.page.locator(".labvirt-observatory").last


def state(book, wanted, timeout_s=30):
    book.wait(
        f"() => [...document.querySelectorAll('[data-lv]')].at(-1).dataset.state === '{wanted}'",
        timeout_s,
    )


def serious(book):
    """Return what axe finds serious in the observatory."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(book.page, context=".labvirt-observatory").response["violations"]
    return [
        (each["id"], [node["html"][:200] for node in each["nodes"]])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


def home(book):
    """Bring the guest back and show it afresh."""
    book.ask(
        "moved = next(h for h in lab.hosts if 'web1' in h.domains); web1 = moved.domains['web1']\n"
        "web1 = web1 if moved is alpha else web1.migrate(alpha).domain",
        60,
    )


@pytest.mark.lab
def test_a_migration_is_seen_changed_broken_off_and_done(book, jupyter):
    board = board_of(book)
    state(book, "empty")
    assert board.get_by_role("button", name="Break off").is_disabled()
    book.ask("job = web1.migrate.job(beta, bandwidth_mib_s=4)")
    state(book, "live")
    board.get_by_text("memory is sent; the guest runs here").wait_for()
    board.get_by_text("Predicted end").first.wait_for()
    book.wait("() => +[...document.querySelectorAll('[data-lv]')].at(-1).dataset.rows > 6")
    assert board.locator(".uplot canvas").count() >= 5
    board.get_by_label("Bandwidth, MiB/s").fill("6")
    board.get_by_role("button", name="Set bandwidth").click()
    board.get_by_text("Done: bandwidth 6 MiB/s").wait_for()
    assert serious(book) == []
    jupyter.picture("observatory-live", board)
    board.get_by_role("button", name="Break off").click()
    state(book, "over")
    board.get_by_text("Broken off: web1").first.wait_for()
    assert "web1 False" in book.ask("print('web1', 'web1' in beta.domains)")

    book.ask("moved = web1.migrate.job(beta)")
    board.get_by_text("Moved: web1").first.wait_for()
    jupyter.picture("observatory-two", board)
    assert "web1 True" in book.ask("print('web1', 'web1' in beta.domains)")
    assert board.locator(".lv-entry").filter(has_text="web1: live").count() >= 2
    assert book.errors == []
    assert jupyter.faults == []


@pytest.mark.slow(seconds=12)
@pytest.mark.lab
def test_dark_russian_and_by_keyboard_only(book, jupyter):
    home(book)
    book.ask("view.close(); lv.ui.set_language('ru')")
    jupyter.theme(dark=True)
    try:
        book.cell("view = lv.ui.migration(web1); view")
        board = board_of(book)
        board.get_by_role("button", name="Прервать").wait_for()
        book.ask("job = web1.migrate.job(beta, bandwidth_mib_s=4)")
        state(book, "live")
        board.get_by_text("память передаётся; гость работает здесь").wait_for()
        assert serious(book) == []
        jupyter.picture("observatory-dark-ru", board)
        button = board.get_by_role("button", name="Прервать")
        button.focus()
        book.page.keyboard.press("Enter")
        board.get_by_text("Прервано: web1").first.wait_for()
    finally:
        jupyter.theme(dark=False)
        book.ask("view.close(); lv.ui.set_language('en')")
    assert jupyter.faults == []


@pytest.mark.slow(seconds=12)
@pytest.mark.lab
def test_the_form_shows_the_observatory_while_it_runs(book, jupyter):
    home(book)
    book.cell("details = lv.ui.details(web1, lab.hosts); details")
    board = book.page.locator(".labvirt-details").last
    board.get_by_role("tab", name="Migration", exact=True).click()
    form = board.locator(".lv-form").first
    form.get_by_role("combobox", name="Destination").fill("beta")
    form.get_by_text("Can migrate: yes").wait_for()
    form.get_by_role("button", name="Migrate", exact=True).click()
    board.locator(".labvirt-observatory .uplot canvas").first.wait_for()
    board.get_by_text("Moved: web1").first.wait_for()
    jupyter.picture("observatory-form", board)
    book.ask("details.close()")
