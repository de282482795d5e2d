"""The manager in a real JupyterLab, on a real lab: by mouse, by keyboard, in both themes."""

from __future__ import annotations

import os

import pytest

MAKE = f"""
import labvirt as lv, time
lab = lv.Lab.start("mng-{os.getpid()}", hosts=1, backend="session", ephemeral=True)
alpha = lab.hosts[0]
plain = dict(memory="32 MiB", interfaces=(), agent=False, rng=False)
web1 = alpha.plan(lv.DomainSpec(name="web1", **plain), start=False).apply()
odd = alpha.plan(lv.DomainSpec(name="db1", title="<script>window.hurt = 1</script>", **plain),
                 start=False).apply()
sys1 = alpha.plan(lv.DomainSpec(name="sys1", memory="128 MiB", source=lv.TinyGuest())).apply()
"""
SHOW = "manager = lv.ui.manager(lab); manager"

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("manager", MAKE, SHOW)
    try:
        book.wait("() => document.querySelector('.labvirt-manager [data-lv=ready]')", 20)
    except Exception:
        jupyter.picture("failed-open-manager")
        print(book.errors, jupyter.faults)
        book.ask("manager.close(); lab.stop()", timeout_s=60)
        raise
    try:
        yield book
        assert book.errors == []
        assert jupyter.faults == []
    finally:
        book.ask("manager.close(); lab.stop()", timeout_s=60)
        book.close()


def area(book):
    return book.page.locator(".labvirt-manager")


def knob(book, name):
    return area(book).get_by_role("button", name=name, exact=True)


def select(book, *names):
    book.ask(f"manager.select({', '.join(map(repr, names))})")


def enabled(book, name):
    book.wait(
        "() => [...document.querySelectorAll('.labvirt-toolbar button')]"
        f".some((el) => el.innerText.trim() === {name!r} && !el.disabled)"
    )
    return knob(book, name)


def said(book, text):
    area(book).locator(".labvirt-deed").get_by_text(text).first.wait_for()


def state(book, name):
    return book.ask(f"print(alpha.domains[{name!r}].state.value)").strip()


def test_a_vm_is_started_paused_and_forced_off_by_mouse(book, jupyter):
    assert knob(book, "Run").is_disabled()
    board = area(book).locator("[data-lv]")
    board.locator(".lv-scroller").scroll_into_view_if_needed()
    select(book, "web1")
    jupyter.picture("manager-light", area(book))
    told = "print([e['title'] for e in alpha.journal.entries()].count('start domain web1'))"
    before = int(book.ask(told))
    enabled(book, "Run").dblclick()
    enabled(book, "Pause").click()
    enabled(book, "Resume")
    assert state(book, "web1") == "paused"
    said(book, "Done")
    assert int(book.ask(told)) == before + 1, "two clicks make one action"
    enabled(book, "Force off").click()
    said(book, "what web1 has in memory")
    area(book).get_by_text("Show me the command", exact=True).click()
    said(book, "virsh -c")
    jupyter.picture("manager-force-off", area(book))
    assert state(book, "web1") == "paused", "nothing is done before Apply"
    knob(book, "Apply").click()
    enabled(book, "Run")
    assert state(book, "web1") == "shutoff"


def go_to(book, key, label):
    """Move the keyboard on until it stands on something that is called so."""
    for _ in range(60):
        now = book.page.evaluate(
            "() => document.activeElement.getAttribute('aria-label')"
            " || document.activeElement.innerText || ''"
        )
        if now.strip().startswith(label):
            return
        book.page.keyboard.press(key)
    raise AssertionError(f"the keyboard never came to {label!r}")


def test_a_vm_is_shut_down_by_keyboard_only(book):
    book.ask("sys1.wait_for('agent', timeout_s=60); manager.select()", timeout_s=70)
    area(book).get_by_role("tab", name="Virtual machines").focus()
    go_to(book, "Tab", "Filter")
    book.page.keyboard.type("sys1")
    for _ in range(12):
        if book.page.evaluate("() => document.activeElement.getAttribute('role')") == "grid":
            break
        book.page.keyboard.press("Tab")
    book.page.keyboard.press("Home")
    book.page.keyboard.press("ArrowDown")
    book.page.keyboard.press(" ")
    enabled(book, "Shut down")
    go_to(book, "Shift+Tab", "Shut down")
    book.page.keyboard.press("Enter")
    said(book, "Done: shut down domain sys1")
    assert state(book, "sys1") == "shutoff"
    area(book).get_by_role("searchbox").fill("")


def test_keys_in_the_manager_do_nothing_to_the_notebook(book):
    cells = "() => jupyterapp.shell.currentWidget.content.widgets.length"
    before = book.page.evaluate(cells)
    knob(book, "New VM").focus()
    for key in ("b", "a", "d", "d", "x", "ArrowDown", "ArrowUp", "Control+Shift+Enter"):
        book.page.keyboard.press(key)
        here = book.page.evaluate("() => document.activeElement.innerText")
        assert here == "New VM", f"{key} has moved the keyboard to {here!r}"
    assert book.page.evaluate(cells) == before


def rows(book, count):
    book.wait(
        "() => document.querySelector('.labvirt-manager [data-lv]').dataset.rows === '"
        + str(count)
        + "'"
    )


def test_a_filter_is_typed_and_its_fault_is_shown(book, jupyter):
    search = area(book).get_by_role("searchbox")
    board = area(book).locator("[data-lv]").first
    search.fill("tag:we")
    board.locator(".lv-fault").wait_for(state="hidden")
    book.ask("web1.set_tags(['web', 'old']); odd.set_tags(['web'])")
    search.fill("tag:web -tag:old")
    rows(book, 2)  # the host and db1
    search.fill("db stat:running")
    board.locator(".lv-fault").get_by_text("there is no field “stat”").wait_for()
    assert search.get_attribute("aria-invalid") == "true"
    assert board.locator(".lv-fault mark").inner_text() == "stat"
    jupyter.picture("manager-filter-fault", area(book))
    search.fill("state:off mem<1G")
    board.locator(".lv-fault").wait_for(state="hidden")
    search.fill("ta")
    board.locator(".lv-completions").get_by_role("button", name="tag:").click()
    board.locator(".lv-completions").get_by_role("button", name="tag:old").click()
    assert search.input_value() == "tag:old"
    rows(book, 2)
    search.fill("")
    board.get_by_role("button", name="Help on filters").click()
    board.get_by_text("a tag, whole").wait_for()
    jupyter.picture("manager-filter-help", area(book))
    board.get_by_role("button", name="Help on filters").click()
    rows(book, 4)


def test_groups_by_tag_fold_and_show_a_vm_in_each(book, jupyter):
    board = area(book).locator("[data-lv]").first
    board.locator("[data-do=group]").select_option("tag")
    rows(book, 7)  # old: web1; web: db1, web1; none: sys1
    grid = board.get_by_role("grid")
    grid.focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"):
        book.page.keyboard.press(key)
    current = "() => document.querySelector('.labvirt-manager [data-lv]').dataset.current"
    assert book.page.evaluate(current) == "web1"
    jupyter.picture("manager-groups-tag", area(book))
    book.page.keyboard.press("ArrowLeft")
    rows(book, 5)
    assert book.page.evaluate(current) == "web"
    book.page.keyboard.press("ArrowRight")
    rows(book, 7)
    board.locator("[data-do=group]").select_option("state")
    jupyter.picture("manager-groups-state", area(book))
    board.locator("[data-do=group]").select_option("host")
    rows(book, 4)


def test_the_menu_of_a_row_by_mouse_and_by_keyboard(book, jupyter):
    board = area(book).locator("[data-lv]").first
    board.locator(".lv-scroller").click(button="right", position={"x": 60, "y": 39})
    menu = book.page.get_by_role("menu")
    menu.wait_for()
    jupyter.picture("manager-menu")
    assert menu.get_by_role("menuitem", name="Pause (db1 is shut off)").count() == 1
    book.page.keyboard.press("Escape")
    menu.wait_for(state="detached")
    book.page.keyboard.press("Shift+F10")
    menu.get_by_role("menuitem", name="Run", exact=True).wait_for()
    assert book.page.evaluate("() => document.activeElement.textContent") == "Run"
    for _ in range(40):
        if book.page.evaluate("() => document.activeElement.dataset.act") == "title":
            break
        book.page.keyboard.press("ArrowDown")
    book.page.keyboard.press("Enter")
    field = area(book).locator(".labvirt-ask").get_by_label("Title")
    field.wait_for()
    assert field.input_value() == "<script>window.hurt = 1</script>"
    area(book).locator(".labvirt-ask").get_by_role("button", name="Cancel").click()
    book.ask("manager.select()")


def test_every_tab_in_the_dark_and_nothing_serious_for_axe(book, jupyter):
    from axe_playwright_python.sync_playwright import Axe

    jupyter.theme(dark=True)
    serious = []
    try:
        for name in ("Storage", "Connections", "Events", "Virtual machines"):
            area(book).get_by_role("tab", name=name).click()
            jupyter.still(area(book))
            jupyter.picture(f"manager-dark-{name.split()[0].lower()}", area(book))
            found = Axe().run(book.page, context=".labvirt-manager").response["violations"]
            serious += [
                (name, each["id"], [n["html"][:200] for n in each["nodes"]][:3])
                for each in found
                if each["impact"] in {"serious", "critical"}
            ]
    finally:
        jupyter.theme(dark=False)
    assert serious == []
    assert book.page.evaluate("() => window.hurt") is None


def test_enter_opens_the_details_of_a_vm(book, jupyter):
    area(book).get_by_role("tab", name="Virtual machines").click()
    book.ask("manager._open_row('alpha', web1.uuid)")
    details = book.page.locator(".labvirt-details")
    details.get_by_label("Title").wait_for()
    assert details.get_by_role("tab").all_inner_texts()[:3] == [
        "Overview", "Performance", "Hardware",
    ]  # fmt: skip
    jupyter.picture("details-in-manager", details)
    assert book.page.evaluate("() => window.hurt") is None


def test_in_russian_no_name_of_a_button_is_cut_off(book, jupyter):
    book.cell("lv.ui.set_language('ru'); russian = lv.ui.manager(lab); russian")
    board = book.page.locator(".labvirt-manager").nth(1)
    board.get_by_role("button", name="Выключить принудительно").wait_for()
    jupyter.picture("manager-ru", board)
    cut = board.locator(".labvirt-toolbar button").evaluate_all(
        "all => all.filter((el) => el.scrollWidth > el.clientWidth + 1).map((el) => el.innerText)"
    )
    assert cut == []
    titles = board.locator(".lm-TabBar-tabLabel").evaluate_all(
        "all => all.filter((el) => el.scrollWidth > el.clientWidth + 1).map((el) => el.innerText)"
    )
    assert titles == []
    headings = board.locator(".lv-head button").evaluate_all(
        "all => all.filter((el) => el.scrollWidth > el.clientWidth + 1).map((el) => el.innerText)"
    )
    assert headings == []
    board.get_by_role("button", name="Ещё действия").click()
    board.locator(".lv-scroller").click(position={"x": 60, "y": 39})
    board.locator(".lv-detail").get_by_text("выключена").wait_for()
    jupyter.picture("manager-ru-more", board)
    if "LABVIRT_UI_ARTEFACTS" in os.environ:
        for wide in (880, 1700):
            jupyter.page.set_viewport_size({"width": wide, "height": 1000})
            jupyter.still(board)
            jupyter.picture(f"manager-ru-{wide}", board)
        jupyter.page.set_viewport_size({"width": 1280, "height": 1000})
    book.ask("russian.close(); lv.ui.set_language('en')")


def test_a_vm_is_made_from_the_toolbar(book, jupyter):
    if not book.ask("print('create' in lv.ui.__all__)").startswith("True"):
        pytest.skip("the view create is not part of this installation")
    area(book).get_by_role("tab", name="Virtual machines").click()
    enabled(book, "New VM").click()
    area(book).get_by_role("button", name="Create VM").first.wait_for()
    jupyter.picture("manager-new-vm", area(book))
