"""Every page of the manager, one after another, in any language: for those who look at them all."""

from __future__ import annotations

#: Elements that stick out of their view to the right, or texts that are cut off without a sign.
STICKING = """root => {
  const box = root.getBoundingClientRect();
  const cut = [];
  for (const el of root.querySelectorAll('*')) {
    if (!el.checkVisibility() || el.closest('pre, .xterm, canvas, select, option, .lv-reader, .lv-xml-copy, [hidden]')) continue;
    const own = el.getBoundingClientRect();
    if (own.width < 2 || own.height < 2) continue;
    let holder = el.parentElement;
    // A table in a box that scrolls may be wider than the page; the row of its headings follows it.
    while (root.contains(holder) && !holder.matches('.lv-head')
        && !/auto|scroll/.test(getComputedStyle(holder).overflowX))
      holder = holder.parentElement;
    if (own.right > box.right + 2 && !root.contains(holder))
      cut.push('out: ' + el.outerHTML.slice(0, 120));
    if (el.matches('button, .lm-TabBar-tabLabel, label, .widget-label') && el.scrollWidth > el.clientWidth + 1
        && getComputedStyle(el).overflowX !== 'visible')
      cut.push('cut: ' + el.outerHTML.slice(0, 160));
  }
  return cut;
}"""

#: Texts that are to be seen or heard, with what they are in.
TEXTS = """root => {
  const found = new Map();
  const skip = 'pre, code, textarea, style, script, .xterm, .lv-xml-copy, [data-raw]';
  const note = (text, el) => {
    const words = (text || '').trim();
    if (words && !found.has(words)) found.set(words, el.tagName.toLowerCase());
  };
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const el = walker.currentNode.parentElement;
    if (!el || el.closest(skip)) continue;
    if (el.tagName !== 'OPTION' && !el.checkVisibility()) continue;
    if (el.tagName === 'OPTION' && !el.closest('select')?.checkVisibility()) continue;
    note(walker.currentNode.data, el);
  }
  for (const el of root.querySelectorAll('[title], [aria-label], [placeholder]')) {
    if (el.closest(skip) || !el.checkVisibility()) continue;
    note(el.title, el);
    note(el.getAttribute('aria-label'), el);
  }
  return [...found];
}"""

TABS = ("vms", "networks", "storage", "connections", "events", "journal")
FORMS = {
    "create": "manager.new.click()",
    "network-form": "manager.networks.new.click()",
    "pool-form": "manager.storage.new.click()",
    "volume-form": "manager.storage.new_volume.click()",
}
ACTS = ("console", "screen", "charts", "examine")
ASKS = ("clone", "snapshot", "migrate", "delete", "tags")

#: A pool whose folder is gone, one that is stopped, and a guest that hangs, on the other host.
BREAK = """
from pathlib import Path
from labvirt.model import PoolSpec
beta.plan(lv.DomainSpec(name="ill1", **plain)).apply()
lost_folder = Path(beta.pools["default"].info().path).parent / "lost"
lost = beta.plan(PoolSpec(name="lost", path=str(lost_folder)), build=True).apply()
lost.stop()
lost_folder.rmdir()
planted = [lab.inject("pool-inactive", host="beta", pool="default"),
           lab.inject("guest-hung", host="beta", domain="ill1")]
"""
START_LOST = """
from labvirt.widgets.managing.listed import POOL
storage = manager.storage.list
storage.choice.select(next(i.key for i in storage.items if i.record.name == "lost"))
storage.go(next(act for act in POOL if act.key == "start"))
if manager.deed.state == "asking":
    manager.deed.confirm()
"""
MEND = """
for each in planted:
    each.undo()
beta.domains["ill1"].destroy.plan().apply(confirm=True)
beta.domains["ill1"].undefine.plan().apply(confirm=True)
lost.undefine()
"""


class Visit:
    """One way through all pages."""

    def __init__(self, book, area):
        self.book, self.area, self.page = book, area, book.page
        first = area.locator(".widget-tab").first
        self.tabs = first.locator(":scope > .lm-TabBar [role=tab]")

    def still(self):
        """Wait until the text is the same for a moment."""
        before = None
        for _ in range(80):
            self.page.wait_for_timeout(250)
            now = self.area.inner_text()
            if now == before and not self.area.locator(".lv-doctor[data-running=true]").count():
                return
            before = now

    def opened(self, code):
        """Run what opens one more tab."""
        before = self.tabs.count()
        self.book.ask(code)
        for _ in range(300):
            if self.tabs.count() > before:
                break
            self.page.wait_for_timeout(100)
        assert self.tabs.count() > before, f"nothing was opened by {code}"
        self.still()

    def shut(self):
        """Close the newest tab."""
        before = self.tabs.count()
        self.book.ask("manager.opened.shut(list(manager.opened._pages)[-1])")
        for _ in range(300):
            if self.tabs.count() < before:
                break
            self.page.wait_for_timeout(100)
        assert self.tabs.count() < before, "nothing was closed"

    def fixed(self):
        """Yield the tabs that are always there, and the forms that they open."""
        for number, name in enumerate(TABS):
            self.book.ask(f"manager.tab.selected_index = {number}")
            self.still()
            yield name
        for name, code in FORMS.items():
            self.opened(code)
            yield name
            self.shut()

    def actions(self):
        """Yield what buttons of a VM open or ask."""
        self.book.ask("manager.tab.selected_index = 0; manager.select('web1')")
        for name in ACTS:
            self.opened(f"manager.act(action_of({name!r}))")
            yield name
            self.shut()
        for name in ASKS:
            self.book.ask(f"manager.select('db1' if {name!r} in ('clone', 'delete') else 'web1')")
            self.book.ask(f"manager.act(action_of({name!r}))")
            self.still()
            yield f"ask-{name}"
            self.book.ask("manager.ask.close()")
        self.book.ask("manager.select('web1'); manager.act(action_of('destroy'))")
        self.still()
        yield "deed"
        self.book.ask("manager.deed.stop()")

    def details(self):
        """Yield the pages of a VM."""
        self.opened("manager._open_row('alpha', alpha.domains['web1'].uuid)")
        self.book.ask("details = list(manager.opened._pages.values())[-1][1]")
        titles = self.book.ask("print(len(details.tab.titles))")
        for number in range(int(titles)):
            self.book.ask(f"details.tab.selected_index = {number}")
            self.still()
            yield f"details-{number}"
        self.shut()

    def menu(self):
        """Yield what belongs to no tab: the preferences, a host's examination, that of all hosts."""
        self.opened("manager.menu.open_preferences()")
        yield "preferences"
        self.shut()
        self.opened("manager.menu.open_host('alpha')")
        self.book.ask(
            "details = list(manager.opened._pages.values())[-1][1];"
            "details.tab.selected_index = len(details.tab.titles) - 1"
        )
        self.area.locator(".labvirt-host .lv-finding").first.wait_for(
            state="attached", timeout=60_000
        )
        self.still()
        yield "host-examination"
        self.shut()
        self.opened("manager.menu.open_doctor()")
        yield "examine-all"
        self.shut()

    def ill(self):
        """Yield what is shown of a lab with faults: findings, evidence, an error and its cause."""
        self.book.ask(BREAK, 60)
        try:
            self.opened("manager.menu.open_doctor()")
            found = self.area.locator(".lv-finding[data-verdict=fail]")
            for key in ("storage.target:lost", "domain.hung:ill1"):
                self.area.locator(f"[data-finding='{key}']").wait_for(timeout=60_000)
            assert found.count() >= 3
            for each in self.area.locator(".lv-finding[data-verdict=fail] summary").all():
                each.click()
            self.still()
            yield "ill"
            self.shut()
            self.book.ask("manager.tab.selected_index = 2; manager.storage.refresh()")
            self.book.until(
                "any(i.record.name == 'lost' for i in manager.storage.list.items)", "True"
            )
            self.book.ask(START_LOST)
            self.book.until("manager.deed.state, manager.deed.outcome", "idle failed")
            cause = self.area.locator(".labvirt-deed details summary").first
            cause.wait_for()
            cause.click()
            self.still()
            yield "fault"
            self.book.ask("manager.deed.stop()")
        finally:
            self.book.ask(MEND, 60)


def every_page(book, area):
    """Turn to one page after another; yields its name when it stands still."""
    visit = Visit(book, area)
    yield from visit.fixed()
    yield from visit.actions()
    yield from visit.details()
    yield from visit.menu()
    yield from visit.ill()
