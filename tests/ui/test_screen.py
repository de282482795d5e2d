"""The graphical console in a real JupyterLab, of a real QEMU."""

from __future__ import annotations

import io
import json
import os

import pytest
from PIL import Image

import labvirt as lv

pytestmark = pytest.mark.lab

HEAD = """
import labvirt as lv
alpha = lv.Lab.attach({lab!r})["alpha"]
"""
SHOW = "screen = lv.ui.screen(alpha.domains['{name}'], height=300)\nscreen"


def blank(name, **graphics):
    """A guest without a system: its firmware writes on the screen."""
    return lv.DomainSpec(
        name=name,
        memory="32 MiB",
        interfaces=(),
        agent=False,
        rng=False,
        graphics=lv.GraphicsSpec(**graphics) if graphics else None,
    )


@pytest.fixture(scope="module")
def host():
    name = f"screen-{os.getpid()}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        alpha = lab["alpha"]
        alpha.plan(blank("open", kind="vnc", listen="none")).apply()
        alpha.plan(blank("locked", kind="vnc", listen="none", password="sesame")).apply()
        alpha.plan(blank("mute")).apply()
        alpha.lab_name = name
        yield alpha


@pytest.fixture(scope="module")
def book(jupyter, host):
    book = jupyter.open("screen", HEAD.format(lab=host.lab_name), SHOW.format(name="open"))
    yield book
    assert book.errors == []
    assert jupyter.faults == []
    book.close()


def data(book, of=0):
    return json.loads(book.boards.nth(of).evaluate("el => JSON.stringify(el.dataset)"))


def connected(book, of=0):
    book.wait(f"() => document.querySelectorAll('[data-lv]')[{of}]?.dataset.state === 'connected'")
    return book.boards.nth(of)


def ink(board):
    """Return how many pixels of the picture are bright."""
    return board.locator("canvas").evaluate(
        """el => {
          const {data} = el.getContext('2d').getImageData(0, 0, el.width, el.height);
          let bright = 0;
          for (let i = 0; i < data.length; i += 4) bright += data[i] > 100;
          return bright;
        }"""
    )


def wait_for_ink(jupyter, board, at_least):
    for _ in range(200):
        if ink(board) >= at_least:
            return ink(board)
        jupyter.page.wait_for_timeout(50)
    raise AssertionError(f"{ink(board)} bright pixels")


def test_the_firmware_s_screen_is_drawn_without_any_port(book, jupyter, host):
    board = connected(book)
    assert wait_for_ink(jupyter, board, 300)
    assert "<listen type='none'/>" in host.domains["open"].xml()
    assert board.locator(".lv-identity").inner_text() == "open on alpha"
    jupyter.picture("screen-light", board)


def test_a_key_reaches_the_guest(book, jupyter, host):
    board = connected(book)
    wait_for_ink(jupyter, board, 300)
    # Ctrl+Alt+Del starts the firmware anew: the screen is blank for a moment.
    before = host.domains["open"].screenshot().data
    board.locator("[data-do=cad]").click()
    for _ in range(100):
        if host.domains["open"].screenshot().data != before:
            break
        jupyter.page.wait_for_timeout(20)
    else:
        raise AssertionError("Ctrl+Alt+Del changed nothing")
    wait_for_ink(jupyter, board, 300)


def test_a_modifier_pressed_three_times_is_held_for_one_key(book, jupyter):
    board = connected(book)
    board.locator("canvas").click()
    held = board.locator("[data-hold=Control]")
    for _ in range(2):
        jupyter.page.keyboard.press("Control")
    assert held.get_attribute("aria-pressed") == "false"
    jupyter.page.keyboard.press("Control")
    book.wait("() => document.querySelector('[data-hold=Control]').ariaPressed === 'true'")
    jupyter.page.keyboard.press("a")
    book.wait("() => document.querySelector('[data-hold=Control]').ariaPressed === 'false'")


def test_view_only_fit_and_screenshot(book, jupyter):
    board = connected(book)
    board.locator("[data-do=view_only]").click()
    assert board.locator("[data-do=cad]").is_disabled()
    assert "view only" in board.locator(".lv-status").inner_text()
    board.locator("[data-do=view_only]").click()
    width = board.locator("canvas").bounding_box()["width"]
    board.locator("[data-do=scale]").click()
    jupyter.page.wait_for_timeout(100)
    assert board.locator("canvas").bounding_box()["width"] != width
    board.locator("[data-do=scale]").click()
    with jupyter.page.expect_download() as caught:
        board.locator("[data-do=shot]").click()
    assert caught.value.suggested_filename == "open.png"
    with Image.open(caught.value.path()) as picture:
        assert picture.size[0] >= 640


def test_a_lost_message_begins_a_new_session(book, jupyter):
    board = connected(book)
    session = board.evaluate("el => el.lvView.session")
    board.evaluate("el => { el.lvView.channel.sent += 1; el.lvView.rfb.sendKey(0x61, 'KeyA') }")
    book.wait(f"() => document.querySelector('[data-lv]').lvView.session > {session}")
    board = connected(book)
    wait_for_ink(jupyter, board, 300)


def test_off_and_on_again_and_dark(book, jupyter):
    board = connected(book)
    jupyter.theme(dark=True)
    jupyter.page.wait_for_selector("#jupyterlab-splash", state="detached")
    jupyter.picture("screen-dark", board)
    board.locator("[data-do=destroy]").click()
    board.locator("[data-do=yes]").click()
    book.wait("() => document.querySelector('[data-lv]').dataset.state === 'stopped'")
    assert "press Run" in board.locator(".lv-status").inner_text()
    board.locator("[data-do=run]").click()
    board = connected(book)
    wait_for_ink(jupyter, board, 300)
    jupyter.theme(dark=False)


def state_of(book, of, state):
    book.wait(f"() => document.querySelectorAll('[data-lv]')[{of}]?.dataset.state === '{state}'")
    return book.boards.nth(of)


def test_a_password_is_asked_and_kept_nowhere(book, jupyter):
    book.cell(SHOW.format(name="locked"))
    book.wait("() => document.querySelectorAll('[data-lv=ready]').length === 2")
    field = book.boards.nth(1).get_by_label("Password of the screen")
    field.wait_for()
    field.fill("wrong")
    field.press("Enter")
    board = state_of(book, 1, "ended")
    assert "refused the password" in board.locator(".lv-status").inner_text()
    jupyter.picture("screen-refused", board)
    board.locator("[data-do=again]").click()
    field.wait_for()
    field.fill("sesame")
    field.press("Enter")
    wait_for_ink(jupyter, connected(book, 1), 300)
    assert "sesame" not in book.ask("print(screen.widget.get_state(), vars(screen.feed))")
    book.ask("screen.close()")
    book.wait("() => document.querySelectorAll('[data-lv]').length === 1")


def test_a_guest_without_graphics_says_how_to_add_them(book, jupyter):
    book.cell(SHOW.format(name="mute"))
    board = state_of(book, 1, "ended")
    said = board.locator(".lv-status").inner_text()
    assert "no graphics device" in said
    assert "GraphicsSpec" in said
    jupyter.picture("screen-none", board)


def test_headless_the_picture_is_libvirt_s(host):
    view = lv.ui.screen(host.domains["open"])
    try:
        assert Image.open(io.BytesIO(view.png())).size[0] >= 640
        assert "data:image/png" in view.bundle()["text/html"]
        assert "data:" not in view.bundle(picture=False)["text/html"]
    finally:
        view.close()
        view.close()
