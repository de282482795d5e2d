"""The graphical console in a real JupyterLab, of a real QEMU."""

from __future__ import annotations

import io
import json
import os
import re

import pytest
from PIL import Image

import labvirt as lv

pytestmark = pytest.mark.lab

HEAD = """
import labvirt as lv
lab = lv.Lab.attach({lab!r})
alpha, beta = lab["alpha"], lab["beta"]
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
    with lv.Lab.start(name, hosts=2, backend="session", ephemeral=True) as lab:
        alpha = lab["alpha"]
        alpha.plan(blank("open", kind="vnc", listen="none")).apply()
        alpha.plan(blank("second", kind="vnc", listen="127.0.0.1")).apply()
        alpha.plan(blank("locked", kind="vnc", listen="none", password="sesame")).apply()
        alpha.plan(blank("mute")).apply()
        alpha.plan(blank("spicy", kind="spice")).apply()
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
    for _ in range(500):
        if ink(board) >= at_least:
            return ink(board)
        jupyter.page.wait_for_timeout(50)
    raise AssertionError(f"{ink(board)} bright pixels")


def test_the_firmware_s_screen_is_drawn_without_any_port(book, jupyter, host):
    board = connected(book)
    assert wait_for_ink(jupyter, board, 300)
    assert "<listen type='none'/>" in host.domains["open"].xml()
    assert board.locator(".lv-identity").inner_text() == "open on alpha"
    assert "listens on nothing" in board.locator(".lv-where").inner_text()
    jupyter.picture("screen-light", board)


def test_a_key_reaches_the_guest(book, jupyter, host):
    board = connected(book)
    wait_for_ink(jupyter, board, 300)
    # Ctrl+Alt+Del starts the firmware anew: the screen is blank for a moment.
    before = host.domains["open"].screenshot().data
    board.locator("[data-do=cad]").click()
    for _ in range(500):
        if host.domains["open"].screenshot().data != before:
            break
        jupyter.page.wait_for_timeout(40)
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


#: Keys as they happen: x is pressed and let go, x- and -x are halves, and +ms lets time pass.
STICKY = """(el, keys) => {
  const said = [];
  let at = 0;
  const {constructor} = el.lvView.sticky;
  const sticky = new constructor((name, on) => said.push((on ? '' : '/') + name));
  for (const key of keys.split(' ')) {
    if (key[0] === '+') at += Number(key.slice(1));
    if (key[0] === '+') continue;
    if (key[0] !== '-') sticky.down(key.replace('-', ''), at);
    if (key.at(-1) !== '-') sticky.up(key.replace('-', ''));
    at += 10;
  }
  return said.join(' ');
}"""


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("Control Control", ""),
        ("Control Control Control", "Control"),
        # The guide's: Ctrl three times, then Alt+F11.
        ("Control Control Control Alt- F11 -Alt", "Control /Control"),
        ("Control Control Control Alt Alt Alt Delete", "Control Alt /Control /Alt"),
        ("Control Control Control Control Control Control", "Control Control Control /Control"),
        ("Control Control a Control", ""),
        ("Control Alt Control Alt Control", ""),
        ("Control Control +2000 Control", ""),
        ("Shift Shift Shift a", "Shift /Shift"),
        # The real key goes up, the held one stays down for the guest.
        ("Alt Alt Alt Alt F4", "Alt Alt /Alt"),
    ],
)
def test_the_rules_of_modifiers_that_stay(book, keys, said):
    assert connected(book).evaluate(STICKY, keys) == said


KEYS = """el => {
  const sent = [], {rfb} = el.lvView;
  rfb.sendKey = (key, code, down) => sent.push([key, code ?? '', down ?? 'both'].join(' '));
  const menu = el.querySelector('[data-do=keys]');
  const offered = [...menu.options].map((each) => each.textContent);
  menu.value = [...menu.options].find((each) => each.textContent === 'Ctrl+Alt+F11').value;
  menu.dispatchEvent(new Event('change'));
  delete rfb.sendKey;
  return [offered, sent];
}"""


def test_the_menu_has_what_the_desktop_keeps_for_itself(book):
    offered, sent = connected(book).evaluate(KEYS)
    assert {f"Ctrl+Alt+F{n}" for n in range(1, 13)} <= set(offered)
    assert {"Ctrl+Alt+Backspace", "Print", "Escape"} <= set(offered)
    assert sent == [
        *(f"{0xFFE3} ControlLeft true", f"{0xFFE9} AltLeft true"),
        f"{0xFFC8} F11 both",
        *(f"{0xFFE9} AltLeft false", f"{0xFFE3} ControlLeft false"),
    ]


def test_text_is_typed_as_keys_where_the_guest_has_no_clipboard(book, jupyter):
    board = connected(book)
    board.evaluate(
        """el => {
          globalThis.typed = [];
          el.lvView.rfb.sendKey = (key) => typed.push(key);
        }"""
    )
    board.locator("[data-do=paste]").click()
    give = board.locator("[data-do=give]")
    assert give.is_disabled()
    board.get_by_text("no clipboard channel (qemu-vdagent)").wait_for()
    board.get_by_label("Text for the guest").fill("ls -l\n\u20acA")
    jupyter.picture("screen-paste", board)
    board.locator("[data-do=type]").click()
    board.get_by_text("7 characters; 1 have no key").wait_for()
    assert jupyter.page.evaluate("typed") == [*map(ord, "ls -l"), 0xFF0D, 0xFFE1, ord("A"), 0xFFE1]
    assert not board.get_by_label("Text for the guest").is_visible()
    board.evaluate("el => { delete el.lvView.rfb.sendKey }")


def test_view_only_fit_and_screenshot(book, jupyter):
    board = connected(book)
    board.locator("[data-do=view_only]").click()
    assert board.locator("[data-do=cad]").is_disabled()
    assert "view only" in board.locator(".lv-status").inner_text()
    board.locator("[data-do=view_only]").click()
    width = board.locator("canvas").bounding_box()["width"]
    board.locator("[data-do=scale]").click()
    for _ in range(400):
        if board.locator("canvas").bounding_box()["width"] != width:
            break
        jupyter.page.wait_for_timeout(50)
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


def test_a_password_is_asked_again_when_it_is_wrong_and_kept_nowhere(book, jupyter):
    book.cell(SHOW.format(name="locked"))
    book.wait("() => document.querySelectorAll('[data-lv=ready]').length === 2")
    field = (
        book.boards.nth(1)
        .get_by_label("Password of the screen", exact=True)
        .locator("visible=true")
    )
    field.last.wait_for()
    field.last.fill("wrong")
    field.last.press("Enter")
    board = book.boards.nth(1)
    board.get_by_text("refused the password").wait_for()
    jupyter.picture("screen-refused", board)
    field.last.fill("sesame")
    field.last.press("Enter")
    wait_for_ink(jupyter, connected(book, 1), 300)
    assert not board.get_by_text("refused the password").is_visible()
    kept = board.evaluate(
        "el => [el.querySelector('[type=password]').value, el.lvView.rfb._rfbCredentials.password]"
    )
    assert kept == ["", ""]
    jupyter.page.evaluate("jupyterapp.commands.execute('docmanager:save').then(() => true)")
    saved = (jupyter.server.books / book.name).read_text()
    assert "locked on alpha: screen" in saved
    for place in (saved, book.ask("print(screen.widget.get_state(), vars(screen.feed))")):
        assert "sesame" not in place
    book.ask("screen.close()")
    book.wait("() => document.querySelectorAll('[data-lv]').length === 1")


def test_another_guest_s_screen_is_not_shown(book, jupyter):
    """Whatever answers at the other end: QEMU says whose screen it is."""
    book.cell(
        "screen = lv.ui.screen(alpha.domains['open'], index=0)\n"
        "screen.feed._connect = alpha.domains['second'].screen\nscreen"
    )
    board = state_of(book, 1, "ended")
    said = board.locator(".lv-status").inner_text()
    assert "not the screen of open: it says that it is second's" in said
    assert board.locator("canvas").count() == 0
    book.ask("screen.close()")
    book.wait("() => document.querySelectorAll('[data-lv]').length === 1")


def test_a_guest_without_graphics_says_how_to_add_them(book, jupyter):
    book.cell(SHOW.format(name="mute"))
    board = state_of(book, 1, "ended")
    said = board.locator(".lv-status").inner_text()
    assert "no graphics device" in said
    assert "GraphicsSpec" in said
    jupyter.picture("screen-none", board)
    book.ask("screen.close()")
    book.wait("() => document.querySelectorAll('[data-lv]').length === 1")


def shown(book, code, of=1):
    """Run a cell that shows one more view, and return its board."""
    book.cell(code)
    book.wait(f"() => document.querySelectorAll('[data-lv=ready]').length === {of + 1}")
    return book.boards.nth(of)


def gone(book, name="screen"):
    book.ask(f"{name}.close()")
    book.wait("() => document.querySelectorAll('[data-lv]').length === 1")


EVERY = "".join(chr(code) for code in range(0x20, 0x7F))


@pytest.mark.slow(seconds=20)
def test_every_character_of_a_us_keyboard_is_typed_into_a_real_guest(book, jupyter, host):
    spec = lv.DomainSpec(
        name="shell",
        memory="128 MiB",
        source=lv.TinyGuest(),
        graphics=lv.GraphicsSpec(listen="none"),
    )
    guest = host.plan(spec).apply()
    guest.wait_for("agent", timeout_s=90)
    board = shown(book, SHOW.format(name="shell"))
    connected(book, 1)
    wait_for_ink(jupyter, board, 100)
    board.locator("[data-do=paste]").click()
    board.get_by_label("Text for the guest").fill(f"cat > /run/typed\n{EVERY}\n")
    board.locator("[data-do=type]").click()
    board.get_by_text("Typed: 113 characters").wait_for()
    for _ in range(200):
        typed = guest.run(["/bin/cat", "/run/typed"]).stdout
        if typed.endswith("\n"):
            break
        jupyter.page.wait_for_timeout(100)
    assert typed == f"{EVERY}\n"
    jupyter.picture("screen-typed", board)
    gone(book)


@pytest.mark.slow(seconds=4)
def test_two_views_of_one_screen_and_a_clipboard_between_them(book, jupyter):
    shown(book, SHOW.format(name="second"))
    shown(book, "screen", of=2)
    boards = connected(book, 1), connected(book, 2)
    assert "127.0.0.1" in boards[0].locator(".lv-where").inner_text()
    assert boards[0].locator(".lv-where").get_attribute("data-open") == "false"
    jupyter.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for board in boards:
        wait_for_ink(jupyter, board, 300)
    # QEMU's own clipboard joins its viewers, as an agent in the guest would.
    boards[0].evaluate("el => el.lvView.paste.give('from the one to the other')")
    boards[1].get_by_text("it is in the clipboard now").wait_for()
    read = jupyter.page.evaluate("() => navigator.clipboard.readText()")
    assert read == "from the one to the other"
    jupyter.context.clear_permissions()
    # A page that may not write it keeps the text for whoever asks.
    jupyter.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject() }")
    boards[1].evaluate("el => el.lvView.paste.give('and back')")
    boards[0].get_by_text("Paste shows it").wait_for()
    boards[0].locator("[data-do=paste]").click()
    assert boards[0].get_by_label("Text for the guest").input_value() == "and back"
    boards[0].locator("[data-do=close]").click()
    jupyter.page.evaluate("() => { delete navigator.clipboard.writeText }")
    # One view that goes leaves the other one its session.
    assert book.ask("print(screen.feed.views)").strip() == "2"
    boards[0].locator("canvas").wait_for()
    gone(book)


@pytest.mark.slow(seconds=6)
def test_what_cannot_be_shown_says_what_can(book, jupyter, host):
    shown(book, SHOW.format(name="spicy"))
    board = state_of(book, 1, "ended")
    said = board.locator(".lv-status").inner_text()
    for words in ("SPICE", "screenshot()", "virt-viewer", "kind='vnc'"):
        assert words in said
    picture = board.locator("img")
    picture.wait_for()
    assert picture.get_attribute("alt") == "Screen of spicy"
    first = picture.get_attribute("src")
    book.wait(f"() => document.querySelector('[data-lv] img').src !== {json.dumps(first)}")
    assert picture.evaluate("async (el) => { await el.decode(); return el.naturalWidth }") >= 640
    assert "keys and mouse are not sent" in board.locator(".lv-status").inner_text()
    jupyter.picture("screen-still", board)
    gone(book)
    shown(
        book,
        f"quiet = lv.connect('lab:{host.lab_name}/alpha', readonly=True)\n"
        "screen = lv.ui.screen(quiet.domains['open'], height=300)\nscreen",
    )
    board = state_of(book, 1, "ended")
    assert "readonly=True" in board.locator(".lv-status").inner_text()
    for name in ("run", "pause", "shutdown", "destroy"):
        assert board.locator(f"[data-do={name}]").is_disabled()
        assert "read-only" in board.locator(f"[data-do={name}]").get_attribute("title")
    jupyter.picture("screen-readonly", board)
    gone(book)


@pytest.mark.slow(seconds=7)
def test_it_goes_on_where_the_guest_has_moved_to(book, jupyter):
    shown(book, SHOW.format(name="second"))
    board = connected(book, 1)
    wait_for_ink(jupyter, board, 300)
    assert board.locator(".lv-identity").inner_text() == "second on alpha"
    book.ask("there = alpha.domains['second'].migrate(beta).domain", timeout_s=60)
    board.get_by_text("second on beta").wait_for(timeout=30_000)
    connected(book, 1)
    wait_for_ink(jupyter, board, 300)
    book.ask("there.migrate(alpha)", timeout_s=60)
    board.get_by_text("second on alpha").wait_for(timeout=30_000)
    wait_for_ink(jupyter, connected(book, 1), 300)
    gone(book)


@pytest.mark.slow(seconds=5)
def test_dark_narrow_russian_and_nothing_serious_for_axe(book, jupyter):
    from axe_playwright_python.sync_playwright import Axe

    connected(book).locator("[data-do=paste]").click()
    violations = Axe().run(book.page, context="[data-lv]").response["violations"]
    connected(book).locator("[data-do=close]").click()
    serious = [each for each in violations if each["impact"] in {"serious", "critical"}]
    assert not serious, [(each["id"], [n["html"] for n in each["nodes"]][:3]) for each in serious]
    jupyter.theme(dark=True)
    board = shown(book, "lv.ui.set_language('ru')\n" + SHOW.format(name="locked"))
    board.get_by_placeholder("Пароль экрана").wait_for()
    for width in (1400, 700):
        book.page.set_viewport_size({"width": width, "height": 1000})
        cut = board.locator("button, p, strong").evaluate_all(
            "all => all.filter((el) => el.scrollWidth > el.clientWidth + 1).map((el) => el.innerText)"
        )
        assert cut == []
        jupyter.picture(f"screen-ru-dark-{width}", board)
    violations = Axe().run(book.page, context="[data-lv]").response["violations"]
    serious = [each for each in violations if each["impact"] in {"serious", "critical"}]
    assert not serious, [(each["id"], [n["html"] for n in each["nodes"]][:3]) for each in serious]
    book.page.set_viewport_size({"width": 1280, "height": 1000})
    jupyter.theme(dark=False)
    english = re.findall(r"[A-Za-z ]{12,}", board.inner_text())
    assert [each for each in english if not each.startswith("Ctrl")] == []
    book.ask("lv.ui.set_language('en')")
    gone(book)


@pytest.mark.slow(seconds=20)
def test_after_a_reload_and_when_the_kernel_is_gone(jupyter, host):
    book = jupyter.open("again", HEAD.format(lab=host.lab_name), SHOW.format(name="open"))
    page = jupyter.page
    connected(book)
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save').then(() => true)")
    # In the file: a picture for every reader, with a text beside it.
    saved = json.loads((jupyter.server.books / book.name).read_text())
    (output,) = [one["data"] for cell in saved["cells"] for one in cell["outputs"]]
    made = "".join(output["text/html"])
    assert 'src="data:image/png;base64,' in made
    assert re.search(r'alt="open on alpha: screen, \d{4}-', made)
    # The page may have opened the notebook of the other tests again, too.
    sight = ".jp-NotebookPanel:not(.lm-mod-hidden) [data-lv]"
    jupyter.again(book, f"{sight}[data-state=connected]")
    board = page.locator(sight).first
    wait_for_ink(jupyter, board, 300)
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_selector(f"{sight}[data-state=disconnected]", timeout=40_000)
    assert "kernel gives no answer" in board.locator(".lv-status").inner_text()
    for name in ("run", "pause", "cad", "paste", "shot"):
        assert board.locator(f"[data-do={name}]").is_disabled()
    jupyter.picture("screen-lost", board)
    book.run()
    page.wait_for_selector(f"{sight}[data-state=connected]", timeout=40_000)
    wait_for_ink(jupyter, board, 300)
    book.close()


def test_headless_the_picture_is_libvirt_s(host):
    view = lv.ui.screen(host.domains["open"])
    try:
        assert Image.open(io.BytesIO(view.png())).size[0] >= 640
        assert "data:image/png" in view.bundle()["text/html"]
        assert "data:" not in view.bundle(picture=False)["text/html"]
    finally:
        view.close()
        view.close()
