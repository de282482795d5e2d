"""The serial console where things move or end: two tabs, migration, a kernel and a server that are lost."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time

import pytest

import labvirt as lv

pytestmark = pytest.mark.lab

PTY = """
import ptyline
fast = ptyline.shown(rows=20, scrollback=1000)
fast
"""


def see(page, pattern, timeout_s=20.0):
    """Wait until the terminal shows something."""
    until = time.monotonic() + timeout_s
    while not re.search(pattern, shown := page.evaluate(f"() => {VIEW[6:]}?.text() ?? ''")):
        assert time.monotonic() < until, f"{pattern!r} is not in {shown[-600:]!r}"
        page.wait_for_timeout(30)
    return shown


def type_line(page, line):
    page.locator(".xterm-helper-textarea").first.focus()
    page.keyboard.type(line)
    page.keyboard.press("Enter")


VIEW = "() => document.querySelector('[data-lv=ready]')?.lvView"


@contextlib.contextmanager
def opened(jupyter, name, cell):
    """Open a notebook beside the one of the other tests; it is closed again."""
    book = jupyter.open(name, cell)
    try:
        yield book
    finally:
        book.close()


@pytest.mark.slow(seconds=40)
def test_ten_megabytes_in_two_tabs(jupyter):
    """A notebook in two tabs of the browser: both draw all of it."""
    flood = "yes 'a line of a flood' | head -c 10000000; echo; echo fin''ished\\r"
    counts = f"() => [{VIEW[6:]}.drawn, document.querySelector('[data-lv]').dataset.snaps]"
    with opened(jupyter, "console-tabs", PTY) as book:
        book.wait(f"{VIEW}?.drawn > 0")
        book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save').then(() => true)")
        # A window of its own: a tab that is not seen is let go of, and begins anew when it is.
        window = jupyter.context.browser.new_context()
        other = window.new_page()
        other.goto(jupyter.url(book.name).replace("auto-", "second-"), wait_until="commit")
        other.wait_for_function(f"{VIEW}?.drawn > 0", timeout=90_000)
        before = [page.evaluate(counts) for page in (book.page, other)]
        began = time.monotonic()
        book.page.evaluate(f'() => {VIEW[6:]}.type("{flood}")')
        for page in (book.page, other):
            page.wait_for_function(f"() => /\\nfinished/.test({VIEW[6:]}.text())", timeout=90_000)
        print(f"10 MB in two tabs: {time.monotonic() - began:.1f} s")
        after = [page.evaluate(counts) for page in (book.page, other)]
        assert after[0][0] == after[1][0] > 10_400_000
        assert [snaps for _, snaps in after] == [snaps for _, snaps in before], (
            "nothing is left out"
        )
        window.close()
        book.ask("fast.close()")


MOVED = """
import labvirt as lv
lab = lv.Lab.attach({lab!r})
console = lv.ui.console(lab["alpha"].domains["web1"], rows=12)
console
"""


@pytest.mark.slow(seconds=30)
def test_it_follows_the_guest_to_another_host(jupyter):
    name = f"serial-moves-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend="session", ephemeral=True) as lab:
        spec = lv.DomainSpec(name="web1", memory="128 MiB", source=lv.TinyGuest(), interfaces=())
        lab["alpha"].plan(spec).apply().wait_for("agent", timeout_s=90)
        with opened(jupyter, "console-moves", MOVED.format(lab=name)) as book:
            book.wait("() => document.querySelector('[data-lv=ready][data-line=open]')")
            type_line(jupyter.page, "")
            see(jupyter.page, "#")
            type_line(jupyter.page, "cd /tmp; kept=$((40+2))")
            # What is said goes again after some seconds.
            book.page.evaluate(
                "() => new MutationObserver(() => {"
                " if (/goes on at beta/.test(document.querySelector('.lv-said').innerText)) globalThis.lvSaid = true;"
                "}).observe(document.querySelector('.lv-said'), {childList: true, characterData: true, subtree: true})"
            )
            book.ask("moved = lab['alpha'].domains['web1'].migrate(lab['beta'])", 60)
            board = book.boards.first
            book.wait("() => /beta/.test(document.querySelector('.lv-identity').innerText)")
            book.wait("() => document.querySelector('[data-lv][data-line=open]')")
            book.wait("() => globalThis.lvSaid")
            type_line(jupyter.page, "echo still-$kept")
            see(jupyter.page, "(?m)^still-42")
            jupyter.picture("console-moved", board)
            # Its buttons are those of the guest where it is now.
            board.locator("[data-do=pause]").click()
            book.wait("() => !document.querySelector('[data-lv] [data-do=run]').disabled")
            assert "True" in book.ask("print(moved.domain.state.value == 'paused')")
            book.ask("console.close(); moved.domain.destroy(confirm=True)")


@pytest.mark.slow(seconds=60)
def test_a_kernel_that_hangs_or_is_restarted_is_told(jupyter):
    with opened(jupyter, "console-lost", PTY) as book:
        page = jupyter.page
        book.wait(f"{VIEW}?.drawn > 0")
        pid = int(book.ask("import os; print(os.getpid())"))
        os.kill(pid, signal.SIGSTOP)
        try:
            book.wait("() => document.querySelector('[data-line=disconnected]')", 30)
            board = book.boards.first
            assert "run the cell again" in board.locator(".lv-status").inner_text()
            assert board.locator("[data-do=destroy]").is_disabled()
            jupyter.picture("console-disconnected", board)
        finally:
            os.kill(pid, signal.SIGCONT)
        book.wait("() => document.querySelector('[data-line=open]')", 30)
        type_line(page, "echo he''aled")
        see(page, "(?m)^healed")
        page.evaluate(
            "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        book.wait("() => document.querySelector('[data-line=disconnected]')", 40)
        book.run()
        book.wait(f"{VIEW}?.drawn > 0", 40)
        type_line(page, "echo an''ew")
        see(page, "(?m)^anew")
        book.ask("fast.close()")


@pytest.mark.slow(seconds=30)
def test_a_server_that_is_gone_is_told(browser, jupyter, server, artefacts, tmp_path):
    own = type(server)(tmp_path)
    lab = type(jupyter)(browser, own, artefacts, "gone")
    try:
        book = lab.open("console-gone", PTY)
        book.wait(f"{VIEW}?.drawn > 0")
        os.killpg(own.process.pid, signal.SIGKILL)
        book.wait("() => document.querySelector('[data-line=disconnected]')", 30)
        # What is typed then goes nowhere, and nothing hangs or fails for it.
        type_line(lab.page, "echo nobody")
        assert "nobody" not in lab.page.evaluate(f"() => {VIEW[6:]}.text()")
        assert book.boards.first.locator("[data-do=pause]").is_disabled()
        book.boards.first.locator("[data-do=search]").click()
        assert book.boards.first.get_by_role("searchbox").is_visible()
    finally:
        lab.close()
        own.stop()
