"""Networks, storage, a host and preferences in a real JupyterLab, on a lab with real networks."""

from __future__ import annotations

import os

import pytest

HURT = "<img src=x onerror=window.hurt=1> and a very long name.img"
MAKE = f"""
import labvirt as lv
from labvirt.model import VolumeSpec
from labvirt.preferences import Preferences
lab = lv.Lab.start("lst-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
alpha = lab.hosts[0]
alpha.ensure_network("default")
pool = alpha.pools["default"]
base = pool.plan(VolumeSpec(name="base.qcow2", capacity="8 MiB", format="qcow2")).apply()
over = VolumeSpec(name="over.qcow2", capacity="200 GiB", format="qcow2",
                  backing_path=base.path, backing_format="qcow2")
pool.plan(over).apply()
pool.plan(VolumeSpec(name={HURT!r}, capacity="1 MiB", format="raw")).apply()
"""
SHOW = "manager = lv.ui.manager(lab); manager"

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("lists", MAKE, SHOW)
    try:
        if "alpha" not in book.ask("print(*globals())"):
            pytest.skip(f"the system back end does not work here: {book.errors}")
        book.wait("() => document.querySelector('.labvirt-manager')", 30)
        yield book
        assert book.errors == []
        assert jupyter.faults == []
        assert book.page.evaluate("() => window.hurt") is None
    finally:
        book.ask("manager.close(); lab.stop()", timeout_s=60)
        book.close()


def area(book, name="manager"):
    return book.page.locator(f".labvirt-{name}").first


def turn(book, tab, inside="manager"):
    area(book, inside).get_by_role("tab", name=tab, exact=True).first.click()


def row(book, label, name, inside="manager"):
    """Return the row of that name in the table of that label."""
    table = area(book, inside).locator(f"table[aria-label={label!r}]").first
    return table.locator("tbody tr").filter(has=book.page.locator("th", has_text=name))


def knob(book, name, inside="manager"):
    return area(book, inside).get_by_role("button", name=name, exact=True).first


def said(book, text, inside="manager"):
    area(book, inside).locator(".labvirt-deed").last.get_by_text(text).first.wait_for()


def faults(book, inside="manager"):
    """Return what axe finds serious."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(book.page, context=f".labvirt-{inside}").response["violations"]
    return [
        (each["id"], [n["html"][:200] for n in each["nodes"]][:3])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


def focused(book):
    return book.page.evaluate(
        "() => document.activeElement.getAttribute('aria-label')"
        " || document.activeElement.innerText || ''"
    ).strip()


def go_to(book, label, key="Tab"):
    """Move the keyboard on until it stands on something that is called so."""
    for _ in range(40):
        if focused(book) == label:
            return
        book.page.keyboard.press(key)
    raise AssertionError(f"the keyboard never came to {label!r}")


def test_a_network_is_stopped_by_keyboard_only(book, jupyter):
    keyboard = book.page.keyboard
    turn(book, "Networks")
    row(book, "Networks", "isolated").wait_for()
    # The tab is called so too.
    on_table = "() => document.activeElement.matches('table[aria-label=Networks]')"
    for _ in range(40):
        if book.page.evaluate(on_table):
            break
        keyboard.press("Tab")
    keyboard.press("End")
    book.page.locator("tr[aria-selected=true]", has_text="isolated").wait_for()
    go_to(book, "Stop")
    keyboard.press("Enter")
    said(book, "stop network isolated")
    book.wait("() => document.activeElement.innerText.trim() === 'Apply'")
    keyboard.press("Enter")
    row(book, "Networks", "isolated").get_by_text("○ inactive").wait_for()
    assert book.ask("print(alpha.networks['isolated'].is_active)").strip() == "False"
    jupyter.theme(dark=True)
    try:
        jupyter.picture("lists-networks-dark", area(book))
        assert faults(book) == []
    finally:
        jupyter.theme(dark=False)


@pytest.mark.slow(seconds=15)
def test_storage_by_mouse_and_what_another_tool_makes_is_seen(book, jupyter):
    turn(book, "Storage")
    row(book, "Volumes", "over.qcow2").click()
    area(book).get_by_text("Backing chain").first.wait_for()
    jupyter.picture("lists-storage", area(book))
    knob(book, "Resize").click()
    area(book).get_by_label("Capacity").fill("201 GiB")
    area(book).get_by_label("Capacity").press("Tab")
    jupyter.picture("lists-resize", area(book))
    area(book).locator(".labvirt-ask:visible").get_by_role("button", name="Continue").click()
    said(book, "resize to 201 GiB volume over.qcow2")
    knob(book, "Apply").click()
    row(book, "Volumes", "over.qcow2").get_by_text("201 GiB").wait_for()
    row(book, "Volumes", "base.qcow2").click()
    book.wait(
        "() => [...document.querySelectorAll('.labvirt-manager button')]"
        ".some((el) => el.innerText.trim() === 'Delete volume' && el.disabled)"
    )
    area(book).locator("summary", has_text="Why are some").last.click()
    area(book).get_by_text("base.qcow2 is in use: default/over.qcow2").first.wait_for()
    book.ask("pool.plan(VolumeSpec(name='late.img', capacity='1 MiB', format='raw')).apply()")
    row(book, "Volumes", "late.img").wait_for()
    assert faults(book) == []


@pytest.mark.slow(seconds=10)
def test_a_volume_that_a_form_makes_is_in_the_list(book):
    turn(book, "Storage")
    knob(book, "New volume").click()
    form = area(book).locator(".lv-form")
    form.get_by_label("Name").first.fill("made.qcow2")
    form.get_by_label("Capacity").first.fill("3 MiB")
    form.get_by_role("button", name="Create volume").click()
    form.get_by_text("Made: made.qcow2").wait_for()
    turn(book, "Storage")
    row(book, "Volumes", "made.qcow2").wait_for()


@pytest.mark.slow(seconds=15)
def test_every_page_of_a_host_in_the_dark(book, jupyter):
    knob(book, "Host details").click()
    host = area(book, "host")
    host.get_by_text("Hypervisor").wait_for()
    jupyter.theme(dark=True)
    serious = []
    try:
        for name, shown in (
            ("Networks", "table[aria-label=Networks] tbody tr"),
            ("Storage", "table[aria-label=Volumes] tbody tr"),
            ("Interfaces", "table[aria-label='Network interfaces'] tbody tr"),
            ("Devices", "table[aria-label='Node devices'] tbody tr"),
            ("Secrets", "p:text('The host keeps no secrets.')"),
            ("Capabilities", "th:text('Emulator')"),
            ("Overview", "th:text('Acceleration')"),
        ):
            turn(book, name, "host")
            host.locator(shown).first.wait_for()
            jupyter.picture(f"lists-host-{name.lower()}-dark", host)
            serious += [(name, each) for each in faults(book, "host")]
    finally:
        jupyter.theme(dark=False)
    assert serious == []
    turn(book, "Devices", "host")
    row(book, "Node devices", "pci_", "host").first.click()
    host.get_by_text("no: ").first.wait_for()
    area(book).get_by_role("button", name="Close", exact=True).first.click()


@pytest.mark.slow(seconds=10)
def test_preferences_refuse_what_is_wrong_and_keep_the_rest(book, jupyter):
    knob(book, "Preferences").click()
    form = area(book).locator(".lv-form")
    period = form.get_by_label("Time between readings", exact=False).first
    period.fill("0")
    form.get_by_role("button", name="Save").click()
    book.wait("() => document.activeElement.getAttribute('aria-invalid') === 'true'")
    jupyter.picture("lists-preferences-wrong", area(book))
    assert book.ask("print(Preferences.path().exists())").strip() == "False"
    period.fill("3")
    form.get_by_role("button", name="Save").click()
    form.get_by_text("Kept in").wait_for()
    assert book.ask("print(Preferences.load().interval_s, alpha.sampler.interval_s)").split() == [
        "3.0", "3.0",
    ]  # fmt: skip
    assert faults(book) == []
    book.ask("Preferences.path().unlink(); alpha.prefer(Preferences())")
    area(book).get_by_role("button", name="Close", exact=True).first.click()


@pytest.mark.slow(seconds=15)
def test_in_russian_and_in_a_narrow_cell(book, jupyter):
    book.cell(
        "lv.ui.set_language('ru'); russian = lv.ui.host_details(alpha)\n"
        "russian.box.layout.width = '640px'; russian"
    )
    host = area(book, "host")
    try:
        for name in ("Сети", "Хранилище", "Устройства", "Сведения", "Возможности"):
            tab = host.get_by_role("tab", name=name)
            if tab.count():
                tab.first.click()
                jupyter.still(host)
                jupyter.picture(f"lists-ru-{name}", host)
        cut = host.locator("button, .lm-TabBar-tabLabel").evaluate_all(
            "all => all.filter((el) => el.offsetParent && el.scrollWidth > el.clientWidth + 1)"
            ".map((el) => el.innerText)"
        )
        assert cut == []
    finally:
        book.ask("russian.close(); lv.ui.set_language('en')")
