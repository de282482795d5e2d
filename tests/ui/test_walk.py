"""A day with the manager on two hosts: once by mouse, once by keyboard only."""

from __future__ import annotations

import os
import re
import time

import pytest
from hands import Keys, Mouse

pytestmark = [pytest.mark.lab, pytest.mark.slow(seconds=90)]

MAKE = """
import labvirt as lv
lab = lv.Lab.start({name!r}, hosts=2, backend="system", ephemeral=True)
alpha, beta = lab["alpha"], lab["beta"]
"""
SHOW = "manager = lv.ui.manager(lab); manager"
READY = "() => document.querySelector('.labvirt-manager [data-lv=ready]')"


class Walk:
    """One way through the manager; how it is done is the hand's."""

    def __init__(self, book, jupyter, hand):
        self.book, self.jupyter, self.hand, self.page = book, jupyter, hand, jupyter.page
        self.area = self.page.locator(".labvirt-manager")

    # -- what it finds ---------------------------------------------------------------------------

    def ask(self, code):
        return self.book.ask(f"print({code})", timeout_s=60).strip()

    def until(self, code, wanted, limit_s=40):
        """Wait until the kernel answers so."""
        until = time.monotonic() + limit_s
        while (found := self.ask(code)) != wanted:
            assert time.monotonic() < until, f"{code} is {found}, not {wanted}"
            self.page.wait_for_timeout(200)

    def knob(self, name, scope=None):
        found = (scope or self.area).get_by_role("button", name=name, exact=True)
        return found.locator("visible=true").first

    def enabled(self, name, scope=None):
        """A button that can be pressed, or soon can."""
        for _ in range(200):
            knob = self.knob(name, scope)
            if knob.count() and knob.is_enabled():
                return knob
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{name} stays off: {self.why()}")

    def why(self):
        return self.area.locator("details", has_text="buttons").first.inner_text()

    @property
    def form(self):
        return self.area.locator(".lv-form").locator("visible=true")

    def control(self, path):
        return self.form.locator(f"[data-path='{path}'] :is(input, select, textarea)").first

    def said(self, text, deed=".labvirt-deed"):
        self.area.locator(deed).locator("visible=true").get_by_text(text).first.wait_for(
            timeout=60_000
        )

    def picture(self, name):
        self.jupyter.tall(f"walk-{self.hand.name}-{name}", self.area)

    # -- what it does ----------------------------------------------------------------------------

    def press(self, name, scope=None):
        self.hand.press(self.enabled(name, scope))

    def turn(self, name, scope=None):
        self.hand.turn((scope or self.area).get_by_role("tab", name=name, exact=True))

    def apply(self):
        """Confirm what a deed says, and wait for its end: a view in a tab has a deed of its own."""
        deeds = self.area.locator(".labvirt-deed")
        self.enabled("Apply", deeds)
        deed = next(
            deed for deed in deeds.all() if deed.get_by_role("button", name="Apply").is_visible()
        )
        self.press("Apply", deed)
        deed.get_by_text("Done:").wait_for(timeout=60_000)

    def close_tab(self):
        page = self.area.locator(".widget-tab-contents > .lm-Widget").locator("visible=true")
        tabs = self.area.get_by_role("tablist").first.get_by_role("tab")
        before = tabs.count()
        self.press("Close", page)
        for _ in range(100):
            if tabs.count() < before:
                break
            self.page.wait_for_timeout(100)
        assert tabs.count() == before - 1
        # The keyboard has a new place now.
        self.hand.settle()

    def make(self):
        """Press the button of a form, and wait for what it makes."""
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('[data-lv]')].some("
            "(el) => el.checkVisibility() && el.dataset.preview === 'ready')"
        )
        self.hand.press(self.form.locator("[data-do=make]"))
        self.form.get_by_text("Made:").wait_for(timeout=60_000)

    def row(self, number, *, open_it=False):
        """Come to a row of the table, counted from its head, and select or open it."""
        board = self.area.locator(".lv-overview")
        if self.hand.name == "mouse":
            scroller = board.locator(".lv-scroller")
            click = scroller.dblclick if open_it else scroller.click
            click(position={"x": 60, "y": 25 * number + 12})
            return
        self.hand.to(board.locator("[role=grid]"))
        self.hand.key("Escape")
        self.area.get_by_text("No VM is selected").first.wait_for()
        self.hand.key("Home")
        for _ in range(number):
            self.hand.key("ArrowDown")
        self.hand.key("Enter" if open_it else "Space")

    def shown(self, host):
        """Turn to the table, and wait until it has the VM on one host only; return its row."""
        self.turn("Virtual machines")
        there = "{row.host for row in manager.overview.driver.rows.rows.values() if row.uuid}"
        self.until(there, f"{{{host!r}}}")
        self.page.wait_for_timeout(1500)  # a table may rest so long between two drawings
        return 1 if host == "alpha" else 2

    def choose_vm(self, host="alpha"):
        """Select the VM."""
        self.row(self.shown(host))
        self.area.get_by_text(f"Selected: web1 (running, {host})").wait_for()

    def open_vm(self, host):
        """Open the details of the VM."""
        self.row(self.shown(host), open_it=True)
        details = self.area.locator(".labvirt-details")
        details.wait_for()
        return details


def create_a_vm_by_the_wizard(walk):
    walk.press("New VM")
    hand, form = walk.hand, walk.form
    hand.press(form.locator("[data-do=wizard]"))
    hand.press(form.locator("[data-do=preset-tiny]"))
    walk.book.wait("() => document.querySelector('[data-path=memory] input').value === '128 MiB'")
    hand.fill(walk.control("name"), "web1")
    for _ in range(12):
        if walk.control("graphics").is_visible():
            hand.tick(walk.control("graphics"))
            walk.control("graphics.kind").wait_for()
            assert walk.control("graphics.kind").evaluate("el => el.value") == "vnc"
        if form.locator("[data-do=make]").is_visible():
            break
        hand.press(form.locator("[data-do=next]"))
    walk.make()
    walk.picture("made")
    walk.close_tab()
    walk.until("alpha.domains['web1'].state.value", "running")


def log_in_on_its_serial_console(walk):
    walk.choose_vm()
    walk.press("Open console")
    host = "[...document.querySelectorAll('[data-line=open]')].at(-1)"
    walk.book.wait(f"() => {host}", 40)
    walk.book.wait(
        f"() => /web1:~# $/.test({host}.lvView.text() + ' ') || {host}.lvView.text()", 60
    )
    terminal = walk.area.locator(".xterm-helper-textarea").last
    walk.hand.enter(terminal if walk.hand.name == "keyboard" else walk.area.locator(".xterm").last)
    walk.hand.type("\n")
    walk.book.wait(f"() => /web1:~# *$/.test({host}.lvView.text())", 60)
    walk.hand.type("echo $((6*7))-answer\n")
    walk.book.wait(f"() => /^42-answer/m.test({host}.lvView.text())", 40)
    walk.picture("console")
    walk.hand.leave()
    walk.close_tab()


def create_a_nat_network(walk):
    walk.turn("Networks")
    walk.press("New network")
    walk.book.wait("() => document.querySelector(\"[data-path='ips[0].address'] input\")?.value")
    walk.hand.fill(walk.control("name"), "lan1")
    assert walk.control("forward").evaluate("el => el.value") == "nat"
    walk.make()
    walk.close_tab()
    assert walk.ask("alpha.networks['lan1'].info().is_active") == "True"
    walk.turn("Networks")
    walk.area.get_by_text(re.compile("lan1")).first.wait_for()


def create_a_pool_with_a_volume(walk):
    walk.turn("Storage")
    walk.press("New pool")
    walk.form.locator("[data-path=name] input").wait_for()
    walk.hand.fill(walk.control("name"), "attic")
    walk.hand.fill(walk.control("path"), walk.ask("alpha.pools['shared'].info().path + '/attic'"))
    walk.hand.tick(walk.control("@build"))
    walk.make()
    walk.close_tab()
    walk.turn("Storage")
    pools = walk.area.locator("table[aria-label=Pools]").locator("visible=true").first
    row = pools.locator("tbody tr").filter(has=walk.page.locator("th", has_text="attic")).first
    row.wait_for()
    walk.hand.select(pools, row)
    walk.press("New volume")
    walk.form.locator("[data-path=name] input").wait_for()
    walk.hand.fill(walk.control("name"), "box.qcow2")
    walk.hand.fill(walk.control("capacity"), "64 MiB")
    walk.make()
    walk.close_tab()
    assert "box.qcow2" in walk.ask("alpha.pools['attic'].volumes.names")


def migrate(walk):
    walk.choose_vm()
    walk.press("Migrate")
    walk.hand.choose(
        walk.area.get_by_label("Destination"),
        walk.area.get_by_label("Destination").locator("option").first.evaluate("el => el.text"),
    )
    walk.press("Continue")
    walk.said("Done")
    walk.until("beta.domains['web1'].state.value", "running")


def edit_memory_disk_boot_order(walk):
    details = walk.open_vm("beta")
    walk.turn("Hardware", details)
    pages = details.get_by_role("listbox", name="Hardware")
    pages.or_(details.get_by_label("Memory in use")).first.wait_for()
    if pages.count():
        edit_page_by_page(walk, details, pages)
        return
    memory = details.get_by_label("Memory in use")
    walk.book.wait(
        "() => [...document.querySelectorAll('input')].some((el) => /128/.test(el.value))"
    )
    walk.hand.fill(memory, "96 MiB")
    walk.hand.fill(details.get_by_label("Boot order"), "network hd")
    walk.press("Apply", details)
    walk.apply()
    walk.until("beta.domains['web1'].info().memory >> 20", "96")
    walk.hand.fill(details.get_by_label("New disk"), "32 MiB")
    walk.press("Add disk", details)
    walk.apply()
    walk.picture("hardware")
    assert walk.ask("beta.domains['web1'].xml().count('<disk ')") == "1"


def edit_page_by_page(walk, details, pages):
    """The same where each kind of hardware has a page of its own."""
    hand, form = walk.hand, details.locator(".lv-form").first
    hand.choose(pages, "Memory")
    form.get_by_role("heading", level=3, name="Memory").wait_for()
    hand.fill(form.locator("[data-path] input").first, "96 MiB")
    planned(walk)
    hand.press(form.get_by_role("button", name="Apply", exact=True))
    walk.until("beta.domains['web1'].info().memory >> 20", "96")
    hand.choose(details.get_by_label("Kind of device"), "Disk")
    walk.press("Add hardware", details)
    form.get_by_role("heading", level=3, name="Disk").wait_for()
    hand.fill(form.get_by_label("Size").first, "32 MiB")
    planned(walk)
    hand.press(form.get_by_role("button", name="Add", exact=True))
    walk.until("beta.domains['web1'].xml().count('<disk ')", "1")
    hand.choose(pages, "Boot")
    devices = details.get_by_role("listbox", name="Boot from")
    devices.locator("option", has_text="vda").wait_for(state="attached")
    hand.choose(devices, devices.locator("option", has_text="vda").evaluate("el => el.text"))
    walk.press("Boot from it: yes or no", details)
    walk.press("Apply order", details)
    walk.apply()
    walk.picture("hardware")


def planned(walk):
    walk.book.wait("() => document.querySelector('.labvirt-details [data-preview=ready]')", 40)


def snapshot_and_revert(walk):
    details = walk.area.locator(".labvirt-details")
    walk.turn("Snapshots", details)
    walk.hand.fill(details.get_by_label("Snapshot name"), "first")
    walk.press("Make snapshot", details)
    walk.apply()
    kept = details.get_by_role("listbox", name="Snapshots")
    kept.locator("option").first.wait_for(state="attached")
    walk.hand.choose(kept, "first")
    walk.press("Revert", details)
    walk.apply()
    walk.picture("snapshots")
    walk.close_tab()


def see_the_screen(walk):
    walk.choose_vm("beta")
    walk.press("Screen")
    walk.book.wait("() => document.querySelector('[data-state=connected] canvas')", 40)
    walk.book.wait(
        """() => {
          const el = document.querySelector('[data-state=connected] canvas');
          const {data} = el.getContext('2d').getImageData(0, 0, el.width, el.height);
          let bright = 0;
          for (let i = 0; i < data.length; i += 4) bright += data[i] > 100;
          return bright > 300;
        }""",
        40,
    )
    walk.picture("screen")
    walk.close_tab()


def force_off(walk):
    walk.choose_vm("beta")
    walk.press("Force off")
    walk.said("what web1 has in memory")
    walk.picture("force-off")
    assert walk.ask("beta.domains['web1'].state.value") == "running"
    walk.apply()
    walk.until("beta.domains['web1'].state.value", "shutoff")


STEPS = (
    create_a_vm_by_the_wizard,
    log_in_on_its_serial_console,
    create_a_nat_network,
    create_a_pool_with_a_volume,
    migrate,
    edit_memory_disk_boot_order,
    snapshot_and_revert,
    see_the_screen,
    force_off,
)


@pytest.mark.parametrize("kind", [Mouse, Keys], ids=["mouse", "keyboard"])
def test_a_day_with_the_manager(jupyter, kind):
    book = jupyter.open(
        f"walk-{kind.name}", MAKE.format(name=f"walk-{os.getpid()}"), SHOW, run=False
    )
    try:
        book.run()
        book.wait(READY, 40)
        walk = Walk(book, jupyter, kind(jupyter.page))
        for step in STEPS:
            try:
                step(walk)
            except Exception:
                walk.picture(f"failed-{step.__name__}")
                raise
        assert book.errors == []
        assert jupyter.faults == []
        if kind is Keys:
            assert jupyter.page.evaluate("() => window.lvClicks") == []
    finally:
        book.ask("manager.close(); lab.stop()", timeout_s=60)
        book.close()
