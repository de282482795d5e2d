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


def every_page(book, area):
    """Turn to one page after another; yields its name when it stands still."""
    visit = Visit(book, area)
    yield from visit.fixed()
    yield from visit.actions()
    yield from visit.details()
