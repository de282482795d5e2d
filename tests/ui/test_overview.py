"""The overview in a real JupyterLab: 500 domains that are made up, at 1 Hz."""

from __future__ import annotations

import json

import pytest

HEAD = """
import labvirt as lv, crowd, logging
names = {7: "<script>window.hurt = 1</script>", 8: "a " + "長い名前 né 🚀 " * 30}
host = crowd.Host(count=500, inactive=20, runs=True, names=names).fill(70)
opened, chosen = [], []
"""
SHOW = """
overview = lv.ui.overview(host, inactive=True)
overview.on_open(lambda row: opened.append(row.name))
overview.on_select(lambda uuids: chosen.append(len(uuids)))
overview
"""


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("overview", HEAD, SHOW)
    book.wait("() => document.querySelector('[data-lv=ready][data-state=live]')")
    yield book
    assert book.errors == []
    assert jupyter.faults == []
    book.close()


def data(book, of=0):
    return json.loads(book.boards.nth(of).evaluate("el => JSON.stringify(el.dataset)"))


def settled(book):
    """Wait until what was asked is drawn."""
    book.page.evaluate("() => new Promise((go) => requestAnimationFrame(() => setTimeout(go, 30)))")


def press(book, *keys):
    for key in keys:
        book.page.keyboard.press(key)
    settled(book)
    return data(book)


def test_500_domains_at_1_hz_are_drawn_row_by_row_in_sight(book, jupyter):
    assert data(book)["rows"] == "521"
    assert 10 <= int(data(book)["drawn"]) <= 20
    jupyter.picture("overview-500-light", book.boards.first)
    before = int(data(book)["seq"])
    received = sum(size for size, _ in jupyter.frames)
    book.wait(f"() => +document.querySelector('[data-lv]').dataset.seq >= {before + 2}")
    ticks = int(data(book)["seq"]) - before
    per_tick = (sum(size for size, _ in jupyter.frames) - received) / ticks
    assert per_tick < 25_000, "bytes on the web socket; one message a tick"
    assert float(data(book)["ms"]) < 50, "to draw a frame"


def test_every_pixel_of_a_scrolled_table_is_drawn(book, jupyter):
    scroller = book.boards.first.locator(".lv-scroller")
    scroller.evaluate("el => { el.scrollTop = 250 * 26 }")
    settled(book)
    inked = book.boards.first.locator(".lv-scroller canvas").evaluate(
        """el => {
          const {width, height} = el, pen = el.getContext('2d');
          const rows = [];
          for (let y = 13; y < height - 13; y += 26) {
            const line = pen.getImageData(0, y - 4, width * 0.3, 8).data;
            let dark = 0;
            for (let i = 0; i < line.length; i += 4) dark += line[i] < 100;
            rows.push(dark);
          }
          return rows;
        }"""
    )
    assert len(inked) >= 15
    assert min(inked) > 10, "a row without ink"
    scroller.evaluate("el => { el.scrollTop = 0 }")


def test_names_are_text_and_long_ones_are_told_in_full(book):
    search = book.boards.first.get_by_role("searchbox")
    search.fill("script")
    settled(book)
    assert data(book)["rows"] == "2"
    assert not book.page.evaluate("() => 'hurt' in window")
    assert book.page.evaluate("() => document.querySelectorAll('[data-lv] script').length") == 0
    search.fill("🚀")
    settled(book)
    reader = book.boards.first.get_by_role("grid")
    reader.focus()
    press(book, "End")
    detail = book.boards.first.locator(".lv-detail").inner_text()
    assert detail.count("長い名前") == 30
    assert "running (booted)" in detail
    search.fill("no such name")
    settled(book)
    assert data(book)["state"] == "filtered"
    search.fill("")
    settled(book)
    assert data(book)["rows"] == "521"


def test_sort_by_a_heading_and_rows_stand_still(book):
    book.boards.first.locator("[data-sort=cpu]").click()
    settled(book)
    order = (
        "() => { const el = document.querySelector('[data-lv] .lv-all tbody');"
        " return [...el.children].slice(1, 30).map((line) => line.firstChild.textContent) }"
    )
    book.boards.first.locator("[data-do=table]").click()
    first = book.page.evaluate(order)
    assert all(int(name[2:]) % 17 == 3 for name in first), "the busy ones"
    seq = int(data(book)["seq"])
    book.wait(f"() => +document.querySelector('[data-lv]').dataset.seq >= {seq + 1}")
    assert book.page.evaluate(order) == first
    head = book.boards.first.locator(".lv-all th[scope=col]").all_inner_texts()
    assert head[:4] == ["Name", "ID", "Status", "CPUs"]
    book.boards.first.locator("[data-do=table]").click()
    book.boards.first.locator("[data-sort=name]").click()
    settled(book)


def test_keyboard_moves_selects_opens_and_folds(book, jupyter):
    reader = book.boards.first.get_by_role("grid")
    reader.focus()
    press(book, "Home", "ArrowDown", "ArrowDown")
    assert press(book, " ")["selected"] == "1"
    assert press(book, "PageDown", " ", "Shift+ArrowDown")["selected"] == "3"
    row = reader.locator("[role=row][aria-selected=true]")
    assert "running" in row.inner_text()
    assert reader.get_attribute("aria-activedescendant") == row.get_attribute("id")
    press(book, "End")
    assert book.boards.first.locator(".lv-scroller").evaluate("el => el.scrollTop") > 10_000
    press(book, "Home", "ArrowDown", "ArrowDown", "ArrowDown", "Enter")
    jupyter.picture("overview-selected", book.boards.first)
    assert (
        book.ask("print(opened, chosen, len(overview.selected))").strip() == "['vm0'] [1, 2, 3] 3"
    )
    assert press(book, "ArrowLeft")["rows"] == "1"
    assert press(book, "ArrowRight")["rows"] == "521"
    assert press(book, "Escape")["selected"] == "0"
    book.ask("overview.select('vm3', 'vm4')")
    book.wait("() => document.querySelector('[data-lv]').dataset.selected === '2'")


def test_pointer_selects_and_tells_what_a_cell_means(book):
    canvas = book.boards.first.locator(".lv-scroller canvas")
    canvas.click(position={"x": 60, "y": 26 * 3 + 8})
    settled(book)
    assert data(book)["selected"] == "1"
    canvas.click(position={"x": 60, "y": 26 * 6 + 8}, modifiers=["Shift"])
    settled(book)
    assert data(book)["selected"] == "4"
    box = book.boards.first.locator("[data-sort=cpu]").bounding_box()
    place = canvas.bounding_box()
    book.page.mouse.move(box["x"] + 20, place["y"] + 26 * 4 + 8)
    settled(book)
    tip = book.boards.first.locator(".lv-tip")
    assert "100 % is all of them busy" in tip.inner_text()


def test_columns_are_chosen_and_disks_are_read_only_while_shown(book):
    groups = "print(['disk' in each.groups for each in host.sampler.listeners])"
    assert book.ask(groups).strip() == "[True]"
    book.boards.first.locator(".lv-menu summary").click()
    for key in ("disk", "tags", "cpu_host"):
        book.boards.first.locator(f"[data-column={key}]").click()
    settled(book)
    headings = book.boards.first.locator(".lv-head button").all_inner_texts()
    assert "Tags" in headings
    assert "Disk I/O" not in headings
    book.wait("() => document.querySelectorAll('.lv-head button').length === 10")
    assert book.ask(groups).strip() == "[False]"
    for key in ("disk", "tags", "cpu_host"):
        book.boards.first.locator(f"[data-column={key}]").click()
    book.boards.first.locator(".lv-menu summary").click()
    assert book.ask(groups).strip() == "[True]"


def test_who_uses_most_and_dark(book, jupyter):
    legend = book.boards.first.locator(".lv-stack-legend li")
    assert legend.count() == 6
    names = book.boards.first.locator(".lv-stack-legend span").all_inner_texts()
    assert all(int(name[2:]) % 17 == 3 for name in names[:5])
    assert names[5] == "others"
    jupyter.theme(dark=True)
    book.page.wait_for_selector("#jupyterlab-splash", state="detached")
    book.boards.first.locator("[data-do=metric]").select_option("net")
    settled(book)
    jupyter.picture("overview-500-dark", book.boards.first)
    book.boards.first.locator("[data-do=metric]").select_option("cpu")


def test_axe_finds_nothing_serious(book):
    from axe_playwright_python.sync_playwright import Axe

    book.boards.first.get_by_role("searchbox").fill("vm12")
    book.boards.first.locator("[data-do=table]").click()
    settled(book)
    found = Axe().run(book.page, context="[data-lv]").response["violations"]
    book.boards.first.locator("[data-do=table]").click()
    book.boards.first.get_by_role("searchbox").fill("")
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert not serious, [(each["id"], [n["html"] for n in each["nodes"]][:3]) for each in serious]


def test_trouble_is_said_in_words(book, jupyter):
    book.ask("host.machine.stalled[crowd.making.uuid_of(2)] = 1.79e9")
    notice = book.boards.first.get_by_role("alert")
    book.wait("() => document.querySelector('[data-lv] [role=alert]:not([hidden])')")
    assert "vm2" in notice.inner_text()
    jupyter.picture("overview-stalled", book.boards.first)
    book.ask("host.machine.stalled.clear()")
    book.ask(
        "import datetime as dt; host.stale_since = dt.datetime.now(dt.UTC); host.state = 'lost'"
    )
    book.ask("host.silent = True")
    book.wait("() => document.querySelector('[data-lv]').dataset.state === 'stale'")
    jupyter.picture("overview-stale", book.boards.first)
    book.ask("host.silent, host.state, host.stale_since = False, 'connected', None")


def test_a_hidden_page_reads_nothing(book):
    hide = """(on) => {
      Object.defineProperty(document, 'hidden', {value: on, configurable: true});
      document.dispatchEvent(new Event('visibilitychange'));
    }"""
    book.page.evaluate(hide, True)
    book.until("host.sampler.is_running", "False")
    book.page.evaluate(hide, False)
    book.until("host.sampler.is_running", "True")


def test_what_nobody_has_and_a_cell_that_runs_again(book, jupyter):
    book.cell("empty = lv.ui.overview(crowd.Host('void', 0, runs=True)); empty")
    book.wait("() => document.querySelectorAll('[data-lv]')[1]?.dataset.state === 'empty'")
    jupyter.picture("overview-empty", book.boards.nth(1))
    book.cell("late = crowd.Host('late', 2); lv.ui.overview(late)")
    book.wait("() => document.querySelectorAll('[data-lv]')[2]?.dataset.state === 'loading'")
    jupyter.picture("overview-loading", book.boards.nth(2))
    book.ask("late.sampler.tick()")
    book.wait("() => document.querySelectorAll('[data-lv]')[2]?.dataset.state === 'live'")
    book.ask("first = overview")
    book.run_cell(1)
    book.wait("() => document.querySelector('[data-lv]')?.dataset.state === 'live'")
    assert book.ask("print(first, len(host.sampler.listeners))").strip().endswith("closed> 1")


def test_a_recording_goes_to_any_moment(book, jupyter):
    book.cell("played = lv.ui.overview(crowd.Host('kept', 8).fill(70).history); played")
    book.wait("() => document.querySelector('[data-lv][data-state=replay]')")
    board = book.page.locator("[data-lv][data-state=replay]")
    first = board.locator(".lv-status").inner_text()
    where = board.get_by_role("slider")
    where.focus()
    press(book, "Home")
    book.wait(
        f"() => document.querySelector('[data-state=replay] .lv-status').innerText !== {first!r}"
    )
    jupyter.picture("overview-recording", board)
    assert where.evaluate("el => el === document.activeElement")
