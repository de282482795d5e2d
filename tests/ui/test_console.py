"""The serial console in a real JupyterLab, of a real guest."""

from __future__ import annotations

import json
import os
import re
import time

import pytest

import labvirt as lv

pytestmark = pytest.mark.lab

HEAD = """
import labvirt as lv
guest = lv.Lab.attach({lab!r})["alpha"].domains["web1"]
"""
SHOW = "console = lv.ui.console(guest, rows=20)\nconsole"


@pytest.fixture(scope="module")
def guest():
    name = f"serial-{os.getpid()}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        spec = lv.DomainSpec(
            name="web1", memory="128 MiB", source=lv.TinyGuest(), interfaces=(), agent=False
        )
        domain = lab["alpha"].plan(spec).apply()
        domain.wait_for("serial", timeout_s=90)
        domain.lab_name = name
        yield domain


@pytest.fixture(scope="module")
def book(jupyter, guest):
    book = jupyter.open("console", HEAD.format(lab=guest.lab_name), SHOW)
    book.wait("() => document.querySelector('[data-lv=ready][data-line=open]')")
    yield book
    assert book.errors == []
    assert jupyter.faults == []
    book.ask("console.close()")
    book.close()


def data(book, of=0):
    return json.loads(book.boards.nth(of).evaluate("el => JSON.stringify(el.dataset)"))


def text(page):
    return page.locator("[data-lv]").first.evaluate("el => el.lvView.text()")


def see(page, pattern, timeout_s=20.0):
    """Wait until the terminal shows something."""
    until = time.monotonic() + timeout_s
    while not re.search(pattern, shown := text(page)):
        assert time.monotonic() < until, f"{pattern!r} is not in {shown[-600:]!r}"
        page.wait_for_timeout(30)
    return shown


def type_line(page, line):
    page.locator(".xterm-helper-textarea").first.focus()
    page.keyboard.type(line)
    page.keyboard.press("Enter")


def test_a_command_is_typed_and_answered(book, jupyter):
    page = jupyter.page
    type_line(page, "echo $((6*7))-answer")
    see(page, "(?m)^42-answer")
    status = book.boards.first.locator(".lv-status").inner_text()
    assert "Connected" in status
    identity = book.boards.first.locator(".lv-identity")
    assert identity.inner_text() == "web1 on alpha"
    assert "UUID" in identity.get_attribute("title")
    jupyter.picture("console-light", book.boards.first)


def test_script_and_view_share_the_line(book, jupyter):
    assert "ok" in book.ask(
        "console.send('echo from-$((1+1))-script\\n')\n"
        "console.wait_for('from-2-script', timeout_s=25)\nprint('ok')"
    )
    see(jupyter.page, "from-2-script")


def test_its_own_keys_reach_the_guest_and_not_jupyterlab(book, jupyter):
    page = jupyter.page
    cells = page.locator(".jp-Cell").count()
    page.locator(".xterm-helper-textarea").first.focus()
    page.keyboard.type("echo rea''dy; cat > /dev/null")
    page.keyboard.press("Enter")
    see(page, "(?m)^ready")
    page.keyboard.type("abdd")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Control+c")
    type_line(page, "echo again-$((2+3))")
    see(page, "(?m)^again-5")
    assert page.locator(".jp-Cell").count() == cells
    page.keyboard.press("Shift+Escape")
    assert page.evaluate("() => document.activeElement.tagName") == "BUTTON"


def test_paste_in_one_piece_and_search(book, jupyter):
    page = jupyter.page
    lines = "\n".join(f"echo pasted-$(({n}+1000))" for n in range(60)) + "\n"
    book.boards.first.evaluate("(el, text) => el.lvView.term.paste(text)", lines)
    shown = see(page, "(?m)^pasted-1059")
    # A shell that changes the mode of its line may echo in between.
    answers = re.findall(r"pasted-(\d{4})", shown)
    assert answers == [str(n + 1000) for n in range(60)], shown
    book.boards.first.locator("[data-do=search]").click()
    field = book.boards.first.get_by_role("searchbox")
    field.fill("pasted-1007")
    field.press("Enter")
    assert book.boards.first.evaluate("el => el.lvView.term.getSelection()") == "pasted-1007"
    field.fill("no such text")
    field.press("Enter")
    assert book.boards.first.locator(".lv-search [role=status]").inner_text() == "Not found"
    field.press("Escape")
    assert not field.is_visible()


def test_a_guest_that_asks_for_it_is_told_where_a_paste_begins_and_ends(book, jupyter):
    page, board = jupyter.page, book.boards.first
    type_line(page, r"printf '\033[?2004h'; cat -v; printf '\033[?2004l'")
    book.wait("() => document.querySelector('[data-lv]').lvView.term.modes.bracketedPasteMode")
    board.evaluate("el => el.lvView.term.paste('two\\nlines')")
    # What cat says of the first line may stand in the middle of the second, which the terminal echoes.
    see(page, r"\^\[\[200~two\s")
    see(page, r"ines\^\[\[201~")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+d")
    book.wait("() => !document.querySelector('[data-lv]').lvView.term.modes.bracketedPasteMode")


def test_axe_finds_nothing_serious(book):
    from axe_playwright_python.sync_playwright import Axe

    book.boards.first.locator("[data-do=search]").click()
    found = Axe().run(book.page, context=".lv-board").response["violations"]
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []
    book.page.keyboard.press("Escape")


def test_the_size_is_offered_as_text(book, jupyter):
    book.boards.first.locator("[data-do=size]").click()
    jupyter.page.keyboard.press("Enter")
    # A shell that is changing the mode of its line does not take what is typed meanwhile.
    see(jupyter.page, r"rows 20\s*\n.*# ?$")
    type_line(jupyter.page, "stty size")
    see(jupyter.page, rf"(?m)^20 {data(book)['cols']}\s*$")


def test_a_flood_in_two_views_loses_nothing_and_ends_at_ctrl_c(book, jupyter):
    page = jupyter.page
    book.cell("console")
    book.wait("() => document.querySelectorAll('[data-lv=ready][data-line=open]').length === 2")
    book.boards.first.evaluate("el => el.lvView.term.clear()")
    began = time.monotonic()
    type_line(page, "seq 1 12000; echo fin''ished")
    see(page, "(?m)^finished", 60)
    took = time.monotonic() - began
    for of in range(2):
        drawn = book.boards.nth(of).evaluate("el => el.lvView.text()")
        numbers = [int(line) for line in drawn.split("\n") if re.fullmatch(r"\d+", line)]
        assert numbers[-4000:] == list(range(8001, 12001)), f"in view {of}"
    type_line(page, "yes")
    see(page, r"(?m)^y\n(y\n){99}")
    # The page answers while it draws.
    page.evaluate("() => new Promise((go) => requestAnimationFrame(go))")
    page.keyboard.press("Control+c")
    pressed = time.monotonic()
    type_line(page, "echo qui''et")
    see(page, "(?m)^quiet")
    print(
        f"12000 lines in two views: {took:.1f} s; quiet {time.monotonic() - pressed:.2f} s after ^C"
    )


def test_pause_run_and_force_off_with_a_question(book, jupyter, guest):
    board = book.boards.first
    board.locator("[data-do=pause]").click()
    book.wait("() => !document.querySelector('[data-lv] [data-do=run]').disabled")
    assert guest.state.value == "paused"
    board.locator("[data-do=run]").click()
    book.wait("() => document.querySelector('[data-lv] [data-do=run]').disabled")
    board.locator("[data-do=destroy]").click()
    assert board.get_by_role("alertdialog").is_visible()
    jupyter.picture("console-question", board)
    board.locator("[data-do=no]").click()
    assert not board.get_by_role("alertdialog").is_visible()
    assert guest.is_active


def test_after_a_reload_it_has_its_history_and_goes_on(book, jupyter):
    page = jupyter.page
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save').then(() => true)")
    jupyter.again(book, "[data-lv=ready][data-line=open]")
    see(page, "(?m)^quiet")
    # What the history asks of a terminal is not answered again.
    sent = "() => document.querySelector('[data-lv]').lvView.link.sent"
    assert page.evaluate(sent) == 0
    type_line(page, "echo after-$((3+4))")
    see(page, "(?m)^after-7")


def test_dark_and_a_hostile_title(book, jupyter):
    jupyter.theme(dark=True)
    jupyter.page.wait_for_selector("#jupyterlab-splash", state="detached")
    page = jupyter.page
    type_line(page, r"printf '\033[31mred \033[32mgreen \033[34mblue\033[0m <script>x</script>\n'")
    see(page, "red green blue <script>x</script>")
    jupyter.picture("console-dark", book.boards.first)
    jupyter.theme(dark=False)


def test_a_guest_that_is_off_says_so_and_run_attaches_again(book, jupyter, guest):
    board = book.boards.first
    board.locator("[data-do=destroy]").click()
    board.locator("[data-do=yes]").click()
    book.wait("() => document.querySelector('[data-line=stopped]')")
    assert "not running" in board.locator(".lv-status").inner_text()
    jupyter.picture("console-stopped", board)
    board.locator("[data-do=run]").click()
    book.wait("() => document.querySelector('[data-lv][data-line=open]')")
    see(jupyter.page, "(?s)quiet.*Linux version|login|#", 30)
    # What was shown before the reload is no longer reached by its display's name.
    shown = book.page.locator("[data-lv=ready]").count()
    book.cell("console")
    book.wait(f"() => document.querySelectorAll('[data-lv=ready]').length === {shown + 1}")
    book.ask("console.freeze()")
    book.wait("() => document.querySelector('.jp-OutputArea-output pre')")


PTY = """
import ptyline
fast = ptyline.shown(rows=20, scrollback=1000)
fast
"""


@pytest.mark.slow(seconds=40)
def test_ten_megabytes_at_once_in_two_views_and_ctrl_c(book, jupyter):
    """A shell of this machine: a guest's line is far slower than that."""
    book.cell(PTY)
    book.cell("fast")
    many = "[...document.querySelectorAll('[data-lv=ready]')].slice(-2)"
    book.wait(f"() => {many}.every((el) => /pty/.test(el.innerText) && el.dataset.line === 'open')")
    ask = f"() => {many}.map((el) => [el.lvView.drawn, +el.dataset.snaps])"
    book.wait(f"() => {many}.every((el) => el.lvView.drawn > 0)")
    before = book.page.evaluate(ask)
    book.page.evaluate(
        f"() => {many}[0].lvView.type(\"yes 'a line of a flood' | head -c 10000000; echo; echo fin''ished\\r\")"
    )
    began = time.monotonic()
    book.wait(f"() => {many}.every((el) => /\\nfinished/.test(el.lvView.text()))", 90)
    took = time.monotonic() - began
    drawn = book.page.evaluate(ask)
    assert [snaps for _, snaps in drawn] == [snaps for _, snaps in before], "nothing is left out"
    assert drawn[0][0] == drawn[1][0] > 10_400_000  # every line feed is two bytes there
    book.page.evaluate(f"() => {many}[0].lvView.type('yes\\r')")
    book.wait(f"() => {many}[0].lvView.drawn > {drawn[0][0] + 1_000_000}", 60)
    pressed = time.monotonic()
    book.page.evaluate(f"() => {many}[0].lvView.type('\\x03echo qui\\'\\'et\\r')")
    book.wait(f"() => /\\nquiet/.test({many}[0].lvView.text())")
    quiet = time.monotonic() - pressed
    print(f"10 MB in two views: {took:.1f} s; quiet {quiet:.2f} s after ^C")
    book.ask("fast.close()")


READ_ONLY = """
lv.ui.set_language("ru")
look_only = lv.Lab.attach({lab!r}).open("alpha", readonly=True)
reader = lv.ui.console(look_only.domains["web1"], rows=8, screen_reader=True)
reader
"""


@pytest.mark.slow(seconds=6)
def test_a_read_only_connection_in_russian_says_why(book, jupyter, guest):
    try:
        book.cell(READ_ONLY.format(lab=guest.lab_name))
        book.wait("() => document.querySelector('[data-lv=ready][data-line=refused]')")
        board = jupyter.page.locator("[data-line=refused]")
        assert "только для чтения" in board.locator("[data-do=destroy]").get_attribute("title")
        assert board.locator("[data-do]:not(:disabled)").count() == 3, "copy, clear, search"
        assert "только для чтения" in board.locator(".lv-status").inner_text()
        jupyter.picture("console-readonly-ru", board)
    finally:
        book.ask("reader.close(); look_only.close(); lv.ui.set_language('en')")


@pytest.mark.slow(seconds=6)
def test_a_screen_reader_hears_the_lines(book, jupyter):
    book.cell(
        "lv.ui.set_language('ru')\naloud = lv.ui.console(guest, rows=6, screen_reader=True)\naloud"
    )
    book.wait("() => document.querySelector('.xterm-accessibility')")
    board = book.boards.filter(has=jupyter.page.locator(".xterm-accessibility")).last
    board.and_(jupyter.page.locator("[data-line=open]")).wait_for()
    # A guest that starts has no shell yet.
    asked = book.ask(
        "aloud.send('\\n')\naloud.wait_for('# ')\naloud.send('echo al\\'\\'oud\\n')", 60
    )
    assert asked == ""
    book.wait(
        "() => [...document.querySelectorAll('.xterm-accessibility [role=listitem]')]"
        ".some((line) => line.textContent.trim() === 'aloud')"
    )
    assert "Соединено" in board.locator(".lv-status").inner_text()
    jupyter.picture("console-reader-ru", board)
    book.ask("aloud.close(); lv.ui.set_language('en')")
