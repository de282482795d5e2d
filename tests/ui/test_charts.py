"""Charts in a real JupyterLab with a real kernel; values by formula."""

from __future__ import annotations

import statistics
from itertools import pairwise

import pytest

HEAD = """
import labvirt as lv, synthetic
from labvirt.widgets.panels import Threshold
host = synthetic.Host(guests=("web1", "db1"), interval_s=0.25, runs=True).fill(120)
host.mark("migrated to beta", ago=40, kind="migrated")
"""
SHOW = """
charts = lv.ui.charts(host["web1"], engine="light", window_s=60)
charts.thresholds("cpu", Threshold(40.0, "alert: cpu > 40 %"))
charts
"""
STREAM = "document.querySelector('[data-lv]').lvShell.stream"


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("charts", HEAD, SHOW)
    ready(book)
    yield book
    book.close()


def ready(book):
    book.wait("() => document.querySelector('[data-lv=ready] .uplot canvas')")
    book.wait("() => document.querySelector('[data-lv]').dataset.state === 'live'")


@pytest.fixture
def board(book):
    """The board, as it is when nobody has touched it."""
    board = book.boards.first
    board.evaluate("el => el.lvShell.point(null)")
    yield board
    for name in ("pause", "table"):
        button = board.locator(f"[data-do={name}]")
        if button.get_attribute("aria-pressed") == "true":
            button.click()
    board.locator("[data-do=window-60]").click()


def rows(board):
    return int(board.get_attribute("data-rows"))


def state(book, wanted, timeout_s=20):
    book.wait(f"() => document.querySelector('[data-lv]').dataset.state === '{wanted}'", timeout_s)


def extent(board):
    return board.evaluate("el => el.lvShell.extent")


def length(board):
    start, end = extent(board)
    return end - start


def grows(book, board):
    before = int(board.get_attribute("data-seq"))
    book.wait(f"() => +document.querySelector('[data-lv]').dataset.seq > {before + 2}")
    return rows(board)


def test_charts_are_drawn_and_grow(book, board, jupyter):
    assert rows(board) >= 230
    grows(book, board)
    assert board.locator(".uplot").count() == 6
    painted = board.evaluate(
        """el => [...el.querySelectorAll('canvas')].map((canvas) => {
          const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          return data.some((value, i) => i % 4 === 3 && value > 0);
        })"""
    )
    assert painted == [True] * 6
    assert book.errors == []
    assert jupyter.faults == []
    jupyter.picture("charts-light", board)


def test_pause_stands_still_and_resume_has_everything(book, board, jupyter):
    board.get_by_role("button", name="Pause").click()
    state(book, "paused")
    shown, seen = extent(board), rows(board)
    jupyter.hear(6)
    assert extent(board) == shown
    assert rows(board) == seen
    board.get_by_role("button", name="Resume").click()
    state(book, "live")
    times = board.evaluate("el => [...el.lvShell.data.times]")
    assert max(after - before for before, after in pairwise(times)) < 1
    assert extent(board)[1] > shown[1]


def test_a_drag_zooms_and_reset_follows_again(book, board):
    plot = board.locator(".u-over").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    y = box["y"] + 40
    book.page.mouse.move(box["x"] + 100, y)
    book.page.mouse.down()
    book.page.mouse.move(box["x"] + 200, y, steps=4)
    book.page.mouse.up()
    state(book, "zoomed")
    start, end = extent(board)
    assert 15 < end - start < 25
    grows(book, board)
    assert extent(board) == [start, end]
    board.get_by_role("button", name="Reset zoom").click()
    state(book, "live")
    assert extent(board)[1] > end


def test_the_pointer_shows_values_with_their_unit(book, board):
    plot = board.locator(".u-over").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    book.page.mouse.move(box["x"] + 150, box["y"] + 50)
    book.wait("() => document.querySelector('.lv-status').textContent.includes(' at ')")
    values = board.locator(".lv-value").all_inner_texts()
    assert values[0].endswith(" %")
    assert any(value.endswith("MiB") for value in values)
    assert any(value.endswith("B/s") for value in values)
    assert any(value.endswith((" ms", " µs", "0 s")) for value in values)
    book.page.mouse.move(5, 5)
    book.wait("() => !document.querySelector('.lv-status').textContent.includes(' at ')")


def test_a_wider_window_is_fetched_once(book, board):
    assert length(board) == pytest.approx(60)
    before = board.evaluate("el => el.lvShell.stream.meta.version")
    board.locator("[data-do=window-300]").click()
    book.wait(f"() => {STREAM}.meta.window_s === 300")
    assert length(board) == pytest.approx(300)
    assert board.evaluate("el => el.lvShell.stream.meta.version") == before
    assert rows(board) >= 480
    state(book, "live")


def test_legend_hides_lines_for_keyboard_and_pointer(book, board):
    entry = board.locator(".lv-entry").filter(has_text="vCPU 1")
    entry.click()
    assert entry.get_attribute("aria-pressed") == "false"
    book.page.keyboard.press("Enter")
    assert entry.get_attribute("aria-pressed") == "true"
    entry.click(modifiers=["Shift"])
    other = board.locator(".lv-entry").filter(has_text="vCPU 0")
    assert other.get_attribute("aria-pressed") == "false"
    entry.click(modifiers=["Shift"])
    assert other.get_attribute("aria-pressed") == "true"


def test_the_table_has_newest_least_mean_and_most(book, board, jupyter):
    board.get_by_role("button", name="Table").click()
    table = board.get_by_role("table")
    assert table.locator("thead th").all_inner_texts() == [
        *("Chart", "Line", "Newest", "Min", "Mean", "Max"),
    ]
    cells = table.locator("tbody tr").first.locator("td").all_inner_texts()
    assert len(cells) == 4
    newest, least, mean, most = (float(cell.removesuffix(" %")) for cell in cells)
    assert least <= mean <= most
    assert least <= newest <= most
    jupyter.picture("charts-table", board)


def test_everything_is_within_reach_of_the_keyboard(book, board):
    root = board.locator(".lv-board")
    root.focus()
    keyboard = book.page.keyboard
    keyboard.press("Space")
    state(book, "paused")
    keyboard.press("ArrowLeft")
    first = board.evaluate("el => el.lvShell.cursor")
    keyboard.press("ArrowLeft")
    keyboard.press("Shift+ArrowLeft")
    assert first - board.evaluate("el => el.lvShell.cursor") == pytest.approx(11 * 0.25, abs=0.5)
    before = extent(board)
    keyboard.press("+")
    after = extent(board)
    assert after[1] - after[0] == pytest.approx((before[1] - before[0]) / 2)
    keyboard.press("-")
    keyboard.press("0")
    keyboard.press("t")
    assert board.get_by_role("table").is_visible()
    keyboard.press("t")
    keyboard.press("Escape")
    assert board.evaluate("el => el.lvShell.cursor") is None
    keyboard.press("Space")
    state(book, "live")
    # None of it was a shortcut of JupyterLab: the notebook has its two cells.
    assert book.page.locator(".jp-Notebook .jp-Cell").count() == 2


def test_dark_theme_is_followed_at_once(book, board, jupyter):
    def look():
        return board.evaluate(
            "el => [getComputedStyle(el.querySelector('.lv-board')).backgroundColor,"
            " el.lvShell.plot && el.querySelectorAll('.uplot').length]"
        )

    light = look()
    jupyter.theme(dark=True)
    dark = look()
    assert dark[0] != light[0]
    assert dark[1] == light[1]
    grows(book, board)
    jupyter.picture("charts-dark", board)
    jupyter.theme(dark=False)
    assert look() == light


def test_axe_finds_nothing_serious(book, board):
    from axe_playwright_python.sync_playwright import Axe

    board.get_by_role("button", name="Table").click()
    found = Axe().run(book.page, context=".lv-board").response["violations"]
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []


def test_a_lost_message_is_asked_for_again(book, board):
    hellos = board.evaluate("el => el.lvShell.stream.received.hellos")
    board.evaluate(
        """el => {
          const {stream} = el.lvShell;
          const take = stream.take;
          stream.take = function (message, buffers) {
            if (message.t !== 'd') return take.call(this, message, buffers);
            delete stream.take;  // this one is lost
          };
        }"""
    )
    book.wait(f"() => {STREAM}.received.hellos > {hellos}")
    grows(book, board)
    state(book, "live")
    times = board.evaluate("el => [...el.lvShell.data.times]")
    assert max(after - before for before, after in pairwise(times)) < 1


def test_bytes_of_a_tick_are_flat_in_the_window(book, board, jupyter):
    def bytes_per_tick(window):
        board.locator(f"[data-do=window-{window}]").click()
        book.wait(f"() => {STREAM}.meta.window_s >= {window}")
        at = len(jupyter.frames)
        before = board.evaluate("el => [el.lvShell.stream.seq, el.lvShell.stream.meta.version]")
        book.wait(f"() => {STREAM}.seq >= {before[0] + 6}")
        after = board.evaluate("el => [el.lvShell.stream.seq, el.lvShell.stream.meta.version]")
        assert after[1] == before[1]
        sizes = [size for size, _ in jupyter.frames[at:]]
        # Beside the ticks there are the signs of life, every five seconds.
        assert len(sizes) < 3 * (after[0] - before[0])
        return statistics.median(sizes)

    narrow, wide = bytes_per_tick(60), bytes_per_tick(900)
    print(f"{narrow:.0f} bytes a tick with a window of 1 min, {wide:.0f} with one of 15 min")
    assert narrow < 1000
    assert wide < 1.2 * narrow


def test_a_hidden_page_rests_and_comes_back(book, board):
    def hide(on):
        board.evaluate(
            """(el, on) => {
              Object.defineProperty(document, 'hidden', {value: on, configurable: true});
              document.dispatchEvent(new Event('visibilitychange'));
            }""",
            on,
        )

    hide(on=True)
    book.until("host.sampler.is_running", "False")
    assert book.ask("print(host.sampler.is_running, charts.feed.views)").split() == ["False", "1"]
    # Ten minutes pass.
    book.ask("charts.feed._clock = lambda: __import__('time').monotonic() + 600")
    hide(on=False)
    state(book, "live")
    grows(book, board)
    assert book.ask("print(host.sampler.is_running)").strip() == "True"
    book.ask("charts.feed._clock = __import__('time').monotonic")


def later(board, seconds):
    """Let the view believe that it is so much later."""
    board.evaluate(
        "(el, s) => { el.lvShell.stream.now = () => performance.now() + 1000 * s; }", seconds
    )


def test_no_new_values_are_a_grey_picture_with_its_time(book, board, jupyter):
    book.ask("host.silent = True")
    later(board, 5.2)
    state(book, "stale")
    assert "No new values since" in board.locator(".lv-overlay").inner_text()
    jupyter.picture("charts-stale", board)
    later(board, 0)
    book.ask("host.silent = False")
    state(book, "live")
    assert board.locator(".lv-overlay").is_hidden()


def test_a_stalled_guest_and_a_stopped_one_are_told(book, board, jupyter):
    book.ask("host.stalled = {'alpha-0': 1.7e9}")
    notice = board.get_by_role("alert")
    book.page.wait_for_function("() => !document.querySelector('.lv-notice').hidden")
    assert "web1: its hypervisor process gives no answer" in notice.inner_text()
    book.ask("host.stalled = {}; web1 = host.guests.pop('alpha-0')")
    state(book, "empty")
    assert board.locator(".lv-overlay").inner_text() == "web1 is not running"
    jupyter.picture("charts-empty", board)
    book.ask("host.guests['alpha-0'] = web1")
    state(book, "live")


def test_names_are_never_markup(book, board, jupyter):
    hostile = "<script>window.hacked = 1</script><img src=x onerror=window.hacked=2>"
    book.ask(f"host.disks.append({hostile!r}); host.mark({hostile!r})")
    book.page.wait_for_function(
        "() => document.querySelector('.lv-legend').closest('.lv-grid')"
        ".textContent.includes('<script>')"
    )
    grows(book, board)
    assert jupyter.page.evaluate("() => window.hacked") is None
    assert board.locator("script, img").count() == 0
    book.ask("host.disks.pop()")


def test_a_cleared_output_ends_reading_and_a_new_view_goes_on(book, board):
    """Nobody says that the widget is closed: it lives on in the kernel and can be shown again."""

    book.page.evaluate(
        """() => {
          jupyterapp.shell.currentWidget.content.activeCellIndex = 1;
          return jupyterapp.commands.execute('notebook:clear-cell-output').then(() => true);
        }"""
    )
    book.until("host.sampler.is_running", "False")
    assert book.ask("print(charts.feed.views)").strip() == "0"
    book.run_cell(1)
    book.wait("() => document.querySelectorAll('[data-lv=ready]').length === 1")
    ready(book)
    book.until("host.sampler.is_running", "True")


def test_a_cell_run_again_closes_what_it_made_before(book, board):
    book.ask("first = charts")
    book.run_cell(1)
    book.wait("() => document.querySelectorAll('[data-lv=ready]').length === 1")
    ready(book)
    assert book.ask("print(repr(first), charts is first)").strip() == (
        "<Charts of web1: closed> False"
    )
    assert book.ask("print(len(host.sampler.listeners))").strip() == "1"


@pytest.mark.parametrize(
    "reload", [False, pytest.param(True, marks=pytest.mark.slow(seconds=25))], ids=["tab", "reload"]
)
def test_a_second_tab_and_a_reload_are_live(book, board, jupyter, reload):
    book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save').then(() => true)")
    tab = jupyter.context.new_page()
    tab.goto(jupyter.url(book.name).replace("auto-", "auto-second-"))

    def is_live():
        tab.wait_for_selector("[data-lv=ready] .uplot canvas", timeout=40_000)
        seq = int(tab.locator("[data-lv]").first.get_attribute("data-seq"))
        tab.wait_for_function(f"() => +document.querySelector('[data-lv]').dataset.seq > {seq + 1}")

    is_live()
    # A tab that was closed before may still be waited for.
    assert int(book.ask("print(charts.feed.views)")) >= 2
    grows(book, board)
    if reload:
        tab.reload()
        is_live()
    tab.close()


def test_a_cell_that_keeps_the_kernel_busy_stops_no_chart(book, board, jupyter):
    """Also one that a view is opened in front of."""
    book.page.evaluate(
        """() => {
          const {kernel} = jupyterapp.shell.currentWidget.sessionContext.session;
          const code = "display(charts); import time, pathlib\\n"
            + "until = time.monotonic() + 90\\n"
            + "while time.monotonic() < until and not pathlib.Path('go').exists(): time.sleep(.05)";
          window.future = kernel.requestExecute({code, store_history: false});
        }"""
    )
    board.evaluate("el => el.lvShell.stream.hello()")
    grows(book, board)
    state(book, "live")
    assert book.page.evaluate("() => window.future.isDisposed") is False
    (jupyter.server.books / "go").touch()
    book.page.evaluate("() => window.future.done.then(() => true)")


def test_a_kernel_that_restarts_leaves_a_board_that_says_so(book, board, jupyter):
    book.page.evaluate(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        ".then(() => true)"
    )
    later(board, 6.6)
    state(book, "lost", 2)
    assert "Disconnected" in board.locator(".lv-overlay").inner_text()
    jupyter.picture("charts-lost", board)
