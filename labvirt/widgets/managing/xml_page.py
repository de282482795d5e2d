"""The page of a domain's XML: checked against libvirt's schema while it is written."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w
from lxml import etree

from labvirt.errors import Problem, SpecError
from labvirt.model.schema import Schema
from labvirt.model.xml.domain import DomainXml
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.pages import Page
from labvirt.widgets.managing.parts import button, put, status

__all__ = ["XmlPage", "faults_of"]


def faults_of(text: str) -> tuple[tuple[int, Problem], ...]:
    """Return what libvirt's schema refuses in a domain's XML: line (0: unknown) and problem.

    A machine without libvirt's schemas leaves the verdict to the host.
    """
    try:
        DomainXml.parse(text)
    except SpecError as error:
        found = error.problems or (Problem("", "", error.what),)
        return tuple((0, each) for each in found)
    try:
        problems = Schema.load().check(text)
    except SpecError:
        return ()
    return tuple((_line(text, each.field), each) for each in problems)


def _line(text: str, field: str) -> int:
    """Return the line of an element that a problem names by its path."""
    root = etree.fromstring(text.encode())
    path = field.split("/@", maxsplit=1)[0]
    for each in (path, f"/{path}", f"./{path}", f"//{path}"):
        try:
            found = root.xpath(each)
        except etree.XPathError:
            continue
        line: Any = getattr(found[0], "sourceline", 0) if isinstance(found, list) and found else 0
        if line:
            return int(line)
    return 0


class XmlPage(Page):
    """The stored definition as text; Apply shows the difference first."""

    def build(self) -> w.VBox:
        """Return the widgets."""
        self._was = ""
        self.text = w.Textarea(
            description="XML",
            tooltip=_("The definition as it is stored"),
            rows=22,
            continuous_update=False,
            layout=w.Layout(width="98%"),
            style={"description_width": "3em"},
        )
        self.text.observe(lambda _change: self._check(), names="value")
        self.faults = w.HTML()
        self.note = w.HTML()
        self.apply = button(_("Apply"), _("Show the difference"), self._apply, kind="primary")
        self.again = button(_("Read anew"), _("Forget what was written here"), self._again)
        self.changers = [self.text, self.apply]
        return w.VBox([self.text, self.faults, self.note, w.HBox([self.apply, self.again])])

    def read(self) -> Any:
        """Ask for the stored definition; passwords are not in it."""
        document = DomainXml.parse(self.domain.xml(inactive=True))
        return document.redacted()

    def draw(self, found: Any) -> None:
        """Show it, unless somebody is writing."""
        secret = "***" in found or "passwd" in found
        note = _("Passwords are not shown; Apply would store what stands here.") if secret else ""
        put(self.note, value=status(note))
        if self.text.value == self._was:
            self._was = found
            put(self.text, value=found)
        elif found != self._was:
            put(
                self.note,
                value=status(_("The stored definition is another one by now: read it anew.")),
            )

    def _again(self) -> None:
        self._was = self.text.value
        self.refresh()

    def _check(self) -> None:
        text = self.text.value
        self._aside.run("schema", lambda: faults_of(text), self._told, self._failed, latest=True)

    def _told(self, faults: tuple[tuple[int, Problem], ...]) -> None:
        if not faults:
            put(self.faults, value=status(_("Libvirt's schema has no objection.")))
            return
        lines = "".join(
            f"<li>{escape(_('line {number}').format(number=line) + ': ' if line else '')}{escape(str(each))}</li>"
            for line, each in faults
        )
        put(
            self.faults,
            value=f"<div role='alert'><ul style='margin:2px 0 2px 1.5em'>{lines}</ul></div>",
        )

    def _apply(self) -> None:
        text = self.text.value
        if text == self._was:
            put(self.words, value=status(_("Nothing is other than before.")))
            return
        self._deed.propose(
            parts.NAMED.format(label=_("Store XML"), name=self.domain.name),
            lambda: (self.domain.host.define.plan(text),),
            ask=True,
            after=self._again,
        )
