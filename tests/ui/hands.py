"""Two ways to use a page: by mouse, and by keyboard only. A walk is written once for both."""

from __future__ import annotations

#: What is to be seen where the keyboard stands; the terminal has its cursor, the table its row.
AT = """() => {
  const el = document.activeElement;
  const root = el?.closest('.labvirt-frame, [data-lv]');
  if (!el || el === document.body) return {lost: true};
  const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(el);
  const ring = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1;
  const box = el.getBoundingClientRect();
  return {
    lost: false, inside: Boolean(root), html: el.outerHTML.slice(0, 160),
    seen: ring || boxShadow !== 'none' || el.matches('.xterm-helper-textarea'),
    shown: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""
#: Where an element is from the keyboard's place: 0 here, 1 after it, -1 before it.
WAY = """el => {
  const at = document.activeElement;
  if (el === at) return 0;
  if (!at || at === document.body) return 1;
  return at.compareDocumentPosition(el) & Node.DOCUMENT_POSITION_FOLLOWING ? 1 : -1;
}"""


class Mouse:
    """Clicks."""

    name = "mouse"

    def __init__(self, page):
        self.page = page

    def press(self, at):
        at.click()

    def tick(self, at):
        at.click()

    def fill(self, at, text):
        at.click()
        at.fill(text)

    def choose(self, at, label):
        at.select_option(label=label)

    def select(self, _table, row):
        row.click()

    def turn(self, tab):
        tab.click()

    def settle(self):
        """Wait until the view stands still."""

    def type(self, text):
        self.page.keyboard.type(text)

    def enter(self, at):
        """Begin to type into a terminal."""
        at.click()

    def leave(self):
        """Leave a terminal: the next click does."""


class Keys:
    """Presses keys; nothing is ever clicked or focused by script."""

    name = "keyboard"
    LIMIT = 160

    def __init__(self, page):
        self.page = page
        self.pressed = 0
        page.evaluate(
            """() => {
              window.lvClicks = [];
              // What the keyboard presses has no pointer (detail is 0).
              addEventListener('click', (e) => e.detail && lvClicks.push(e.target.outerHTML), true);
            }"""
        )

    def key(self, key):
        self.page.keyboard.press(key)
        self.pressed += 1

    def look(self):
        """Check that one sees where the keyboard stands."""
        at = self.page.evaluate(AT)
        for _ in range(200):
            if not at["lost"]:
                break
            # A button that goes away takes the keyboard with it; the view gives it a new place.
            self.page.wait_for_timeout(100)
            at = self.page.evaluate(AT)
        assert not at["lost"], "the keyboard stands nowhere"
        assert not at["inside"] or at["seen"], f"nothing shows the keyboard's place: {at['html']}"
        return at

    def to(self, at):
        """Move by Tab until it is there."""
        self.look()
        el = at.element_handle()
        passed = []
        for _ in range(self.LIMIT):
            way = el.evaluate(WAY)
            if way == 0:
                assert self.look()["shown"], "the keyboard is out of sight"
                return
            self.key("Tab" if way > 0 else "Shift+Tab")
            found = self.look()
            passed.append(found["html"])
            assert passed[-5:] != [found["html"]] * 5, f"the keyboard is trapped in {found['html']}"
        raise AssertionError(f"the keyboard never came to {at}; the last were {passed[-4:]}")

    def press(self, at):
        self.to(at)
        self.key("Enter")

    def tick(self, at):
        self.to(at)
        self.key("Space")

    def fill(self, at, text):
        self.to(at)
        self.key("Control+a")
        self.page.keyboard.type(text)

    def choose(self, at, label):
        self.to(at)
        chosen = "el => el.options[el.selectedIndex]?.text"
        self.key("Home")
        for _ in range(80):
            if at.evaluate(chosen) == label:
                return
            self.key("ArrowDown")
        raise AssertionError(f"no choice {label!r}")

    def select(self, table, row):
        """Select a row of a table: the table is one stop of Tab, arrows move in it."""
        self.to(table.locator("xpath=ancestor-or-self::*[@tabindex='0'][1]"))
        self.key("Home")
        for _ in range(80):
            if row.get_attribute("aria-selected") == "true":
                return
            self.key("ArrowDown")
        raise AssertionError(f"arrows never came to {row}")

    def turn(self, tab):
        """Turn to a tab: its row is one stop of Tab, arrows move in it."""
        bar = tab.locator("xpath=ancestor::*[@role='tablist'][1]")
        current = bar.locator("[role=tab][tabindex='0']").first
        self.to(current)
        there = tab.element_handle()
        for key in ("Home", *["ArrowRight"] * 40):
            if there.evaluate("el => el === document.activeElement"):
                self.look()
                self.key("Enter")
                return
            self.key(key)
        raise AssertionError(f"arrows never came to {tab}")

    def settle(self):
        """Wait until the keyboard stands somewhere, and stays there."""
        before = None
        for _ in range(100):
            at = self.page.evaluate(AT)
            if at == before and not at["lost"]:
                break
            before = at
            self.page.wait_for_timeout(200)
        self.look()

    def type(self, text):
        self.page.keyboard.type(text)

    def enter(self, at):
        self.to(at)

    def leave(self):
        self.key("Shift+Escape")
        self.look()
