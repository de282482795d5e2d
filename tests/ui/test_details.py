"""The details of a VM in a real JupyterLab: by mouse, by keyboard, dark, narrow, in Russian."""

from __future__ import annotations

import os

import pytest

MAKE = f"""
import labvirt as lv, ipywidgets as w
lab = lv.Lab.start("det-{os.getpid()}", hosts=2, backend="session", ephemeral=True)
alpha = lab.hosts[0]
hurt = "<img src=x onerror=window.hurt=1>"
spec = lv.DomainSpec(name="web1", memory="32 MiB", interfaces=(), agent=False, rng=False,
    title=hurt, max_vcpus=2, graphics={{"kind": "vnc"}},
    disks=(lv.DiskSpec(size="1 MiB"), lv.DiskSpec(size="1 MiB")))
web1 = alpha.plan(spec, start=False).apply()
"""
SHOW = "details = lv.ui.details(web1, lab.hosts); details"

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("details", MAKE, SHOW)
    try:
        area(book).get_by_label("Title").wait_for()
    except Exception:
        jupyter.picture("failed-open-details")
        print(book.errors, jupyter.faults)
        book.ask("details.close(); lab.stop()", timeout_s=60)
        raise
    try:
        yield book
        assert book.errors == []
        assert jupyter.faults == []
        assert book.page.evaluate("() => window.hurt") is None
    finally:
        book.ask("details.close(); lab.stop()", timeout_s=60)
        book.close()


def area(book):
    return book.page.locator(".labvirt-details").first


def tab(book, name):
    # The plan of a form has a tab XML of its own.
    area(book).get_by_role("tab", name=name, exact=True).first.click()


def page_of(book, label):
    """Turn to one page of the hardware, and return its form."""
    tab(book, "Hardware")
    area(book).get_by_role("listbox", name="Hardware").select_option(label=label)
    form = area(book).locator(".lv-form").first
    form.get_by_role("heading", level=3, name=label).wait_for()
    return form


def told(book, text):
    area(book).get_by_text(text).first.wait_for()


def test_memory_is_changed_by_keyboard_only(book, jupyter):
    area(book).get_by_role("tab", name="Overview", exact=True).focus()
    keys = book.page.keyboard
    for _ in range(2):
        keys.press("ArrowRight")
    keys.press("Enter")
    area(book).get_by_role("listbox", name="Hardware").wait_for()
    keys.press("Tab")
    focus = "() => document.activeElement.tagName"
    book.wait("() => document.activeElement.matches('select') && document.activeElement.length > 2")
    form = area(book).locator(".lv-form").first
    form.get_by_role("heading", level=3, name="Processors").wait_for()
    keys.press("ArrowDown")
    form.get_by_role("heading", level=3, name="Memory").wait_for()
    jupyter.picture("details-memory", area(book))
    for _ in range(14):
        keys.press("Tab")
        name = book.page.evaluate(
            "() => document.activeElement.labels?.[0]?.innerText || document.activeElement.innerText"
        )
        if name and name.startswith("Memory"):
            break
    else:
        raise AssertionError(f"no memory: {book.page.evaluate(focus)}")
    # The first is what is in use, the second what there is at most.
    keys.press("Tab")
    keys.press("Control+A")
    keys.type("64 MiB")
    form.get_by_text("Changed here:").wait_for()
    apply = form.get_by_role("button", name="Apply", exact=True)
    book.wait("() => document.querySelector('.labvirt-details [data-preview=ready]')")
    apply.focus()
    keys.press("Enter")
    form.get_by_text("Done.").first.wait_for()
    assert book.ask("print(web1.info().max_memory == 64 << 20)").strip() == "True"


@pytest.mark.slow(seconds=7)
def test_a_disk_is_added_and_the_boot_order_changed_by_mouse(book, jupyter):
    tab(book, "Hardware")
    area(book).get_by_label("Kind of device").select_option(label="Disk")
    area(book).get_by_role("button", name="Add hardware").click()
    form = area(book).locator(".lv-form").first
    form.get_by_role("heading", level=3, name="Disk").wait_for()
    form.get_by_label("Size").first.fill("1 MiB")
    book.wait("() => document.querySelector('.labvirt-details [data-preview=ready]')")
    jupyter.picture("details-add-disk", area(book))
    form.get_by_role("button", name="Add", exact=True).click()
    area(book).get_by_role("heading", level=3, name="vdc").wait_for()
    page_of(book, "Boot")
    order = area(book).get_by_role("listbox", name="Boot from")
    for name in ("vda", "vdb"):
        order.select_option(value=[each for each in _options(order) if name in each])
        area(book).get_by_role("button", name="Boot from it").click()
    area(book).get_by_role("button", name="Up", exact=True).click()
    jupyter.picture("details-boot", area(book))
    area(book).get_by_role("button", name="Apply order").click()
    deed = area(book).locator(".labvirt-deed")
    deed.get_by_text("Show me the command", exact=True).click()
    deed.get_by_role("button", name="Apply", exact=True).click()
    deed.get_by_text("Done").first.wait_for()
    found = book.ask("print([name for name, _w, place in web1.boot_devices() if place])")
    assert found.strip() == "['vdb', 'vda']"


def _options(select):
    return select.locator("option").all_inner_texts()


def test_xml_shows_its_faults_at_their_line(book, jupyter):
    tab(book, "XML")
    text = area(book).get_by_role("textbox", name="XML of web1")
    text.wait_for()
    book.wait("() => document.querySelector('.lv-xml-copy .lv-x-tag')")
    text.evaluate(
        """(el) => {
          el.value = el.value.replace('<on_crash>', '<on_krash>');
          el.dispatchEvent(new Event('input', {bubbles: true}));
        }"""
    )
    book.wait("() => document.querySelector('.lv-xml-gutter .lv-bad')")
    fault = area(book).locator(".lv-xml-faults button").first
    jupyter.picture("details-xml", area(book))
    fault.click()
    line = int(fault.inner_text().split()[-1])
    start = text.evaluate("(el) => el.value.slice(0, el.selectionStart).split('\\n').length")
    assert start == line
    area(book).get_by_role("button", name="Revert edits", exact=True).last.click()
    book.wait("() => !document.querySelector('.lv-xml-gutter .lv-bad')")


def serious(book):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(book.page, context=".labvirt-details").response["violations"]
    return [
        (each["id"], [n["html"][:200] for n in each["nodes"]][:3])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


TABS = ("Overview", "Hardware", "Snapshots", "Migration", "Events", "XML")


@pytest.mark.slow(seconds=10)
def test_every_page_in_the_dark_and_nothing_serious_for_axe(book, jupyter):
    jupyter.theme(dark=True)
    faults = []
    try:
        for name in TABS:
            tab(book, name)
            jupyter.still(area(book))
            jupyter.picture(f"details-dark-{name.lower()}", area(book))
            faults += [(name, each) for each in serious(book)]
    finally:
        jupyter.theme(dark=False)
    assert faults == []


@pytest.mark.slow(seconds=12)
def test_in_russian_and_narrow_nothing_is_cut_off(book, jupyter):
    book.ask("details.close(); lv.ui.set_language('ru')")
    book.cell(
        "details = lv.ui.details(web1, lab.hosts); "
        "w.Box([details.widget], layout=w.Layout(width='700px'))"
    )
    board = book.page.locator(".labvirt-details").last
    board.get_by_role("tab", name="Оборудование").wait_for()
    names = board.get_by_role("tab").all_inner_texts()
    try:
        for number, name in enumerate(names):
            board.get_by_role("tab", name=name, exact=True).click()
            jupyter.still(board)
            jupyter.picture(f"details-ru-{number}", board)
            wide = board.evaluate("(el) => el.scrollWidth - el.clientWidth")
            assert wide <= 1, name
        cut = board.locator("button").evaluate_all(
            "all => all.filter((el) => el.scrollWidth > el.clientWidth + 1).map((el) => el.innerText)"
        )
        assert cut == []
    finally:
        book.ask("details.close(); lv.ui.set_language('en')")
        book.cell("details = lv.ui.details(web1, lab.hosts); details")


@pytest.mark.slow(seconds=12)
def test_a_vm_is_migrated_by_the_form(book, jupyter):
    book.ask("details.close(); mover = alpha.plan(lv.DomainSpec(name='mover', memory='32 MiB', "
             "interfaces=(), agent=False)).apply()", timeout_s=60)  # fmt: skip
    book.cell("details = lv.ui.details(mover, lab.hosts); details")
    board = book.page.locator(".labvirt-details").last
    board.get_by_role("tab", name="Migration", exact=True).click()
    form = board.locator(".lv-form").first
    form.get_by_role("combobox", name="Destination").fill("beta")
    form.get_by_text("Can migrate: yes").wait_for()
    jupyter.picture("details-migrate", board)
    form.get_by_role("button", name="Migrate", exact=True).click()
    form.get_by_text("mover: alpha -> beta").first.wait_for()
    board.get_by_text("mover is gone from alpha").first.wait_for()
    assert book.ask("print('mover' in lab.hosts[1].domains)").strip() == "True"
