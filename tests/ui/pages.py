"""Every page of the manager, one after another, in any language: for those who look at them all."""

from __future__ import annotations

#: Elements that stick out of their view to the right, or texts that are cut off without a sign.
STICKING = """root => {
  const box = root.getBoundingClientRect();
  const cut = [];
  for (const el of root.querySelectorAll('*')) {
    if (!el.checkVisibility() || el.closest('pre, .xterm, canvas, select, option, .lv-reader, [hidden]')) continue;
    const own = el.getBoundingClientRect();
    if (own.width < 2 || own.height < 2) continue;
    let holder = el.parentElement;
    while (holder && root.contains(holder) && !/auto|scroll|hidden/.test(getComputedStyle(holder).overflowX))
      holder = holder.parentElement;
    const scrolls = holder && root.contains(holder) && /auto|scroll/.test(getComputedStyle(holder).overflowX);
    if (own.right > box.right + 2 && !scrolls && !holder?.matches('.lv-head'))
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
  const skip = 'pre, code, textarea, style, script, .xterm, [data-raw]';
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
ACTS = ("console", "screen", "charts")
ASKS = ("clone", "snapshot", "migrate", "delete", "tags")
DETAILS = ("overview", "performance", "hardware", "snapshots", "xml")


def every_page(book, area):
    """Turn to one page after another; yields its name when it stands still."""
    page = book.page
    first = area.locator(".widget-tab").first

    def tabs():
        return first.locator(":scope > .lm-TabBar [role=tab]").count()

    def still():
        """Wait until the text is the same for a moment."""
        before = None
        for _ in range(40):
            page.wait_for_timeout(250)
            now = area.inner_text()
            if now == before:
                return
            before = now

    def opened(code):
        before = tabs()
        book.ask(code)
        for _ in range(150):
            if tabs() > before:
                break
            page.wait_for_timeout(100)
        assert tabs() > before, f"nothing was opened by {code}"
        still()

    def shut():
        book.ask("manager.opened.shut(list(manager.opened._pages)[-1])")
        page.wait_for_timeout(100)

    for number, name in enumerate(TABS):
        book.ask(f"manager.tab.selected_index = {number}")
        still()
        yield name
    for name, code in FORMS.items():
        opened(code)
        yield name
        shut()
    book.ask("manager.tab.selected_index = 0; manager.select('web1')")
    for name in ACTS:
        opened(f"manager.act(action_of({name!r}))")
        yield name
        shut()
    for name in ASKS:
        book.ask(f"manager.select('db1' if {name!r} in ('clone', 'delete') else 'web1')")
        book.ask(f"manager.act(action_of({name!r}))")
        still()
        yield f"ask-{name}"
        book.ask("manager.ask.close()")
    book.ask("manager.select('web1'); manager.act(action_of('destroy'))")
    still()
    yield "deed"
    book.ask("manager.deed.stop()")
    opened("manager._open_row('alpha', alpha.domains['web1'].uuid)")
    book.ask("details = list(manager.opened._pages.values())[-1][1]")
    for number, name in enumerate(DETAILS):
        book.ask(f"details.tab.selected_index = {number}")
        still()
        yield f"details-{name}"
    shut()
