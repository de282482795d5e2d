"""The page of a domain's XML: checked against libvirt's schema while it is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import ipywidgets as w
from lxml import etree

from labvirt.errors import Problem, SpecError
from labvirt.model.schema import Schema
from labvirt.model.xml.domain import DomainXml
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.pages import Page
from labvirt.widgets.managing.parts import button, heading, pre, put, status
from labvirt.widgets.managing.xml_text import XmlText

if TYPE_CHECKING:
    from labvirt.host.changing import Stored
    from labvirt.plan import Plan

__all__ = ["XmlPage", "faults_of"]


def faults_of(text: str) -> tuple[tuple[int, Problem], ...]:
    """Return what libvirt's schema refuses in a domain's XML: line (0: unknown) and problem.

    A machine without libvirt's schemas leaves the verdict to the host.
    """
    try:
        etree.fromstring(text.encode())
    except etree.XMLSyntaxError as error:
        words = str(error.msg).partition(", line ")[0]
        return ((error.lineno or 0, Problem("XML", "", words)),)
    try:
        DomainXml.parse(text)
    except SpecError as error:
        found = error.problems or (Problem("", "", error.what),)
        return tuple((0, each) for each in found)
    try:
        problems = Schema.load().check(text)
    except SpecError:
        return ()
    return tuple(_placed(text, each) for each in problems)


def _placed(text: str, problem: Problem) -> tuple[int, Problem]:
    """Return a problem of the schema with its line, which it names in words or by a path."""
    named = re.match(r"line (\d+): (.*)", problem.why, re.DOTALL)
    if named is None:
        return _line(text, problem.field), problem
    return int(named[1]), Problem(problem.field, problem.value, named[2], problem.hint)


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
    """The stored definition as text; Apply shows the difference, then what libvirt made of it."""

    def build(self) -> w.VBox:
        """Return the widgets."""
        self._was = ""
        self._newer = False
        self.text = XmlText(
            self._check, _("XML of {name}, as it is stored").format(name=self.domain.name)
        )
        self.note = w.HTML()
        self.stored = w.HTML()
        self.apply = button(_("Apply"), _("Show the difference"), self._apply, kind="primary")
        self.again = button(
            _("Revert edits"), _("Show what is stored; forget what was written"), self._again
        )
        self.changers = [self.apply]
        return w.VBox([self.text.widget, self.note, w.HBox([self.apply, self.again]), self.stored])

    def read(self) -> Any:
        """Ask for the stored definition; passwords are not in it."""
        document = DomainXml.parse(self.domain.xml(inactive=True))
        return document.redacted()

    def draw(self, found: Any) -> None:
        """Show it, unless somebody is writing."""
        note = ""
        if self.text.value == self._was or not self._was:
            self._was = found
            self.text.value = found
        elif found != self._was:
            note = _("Somebody else has changed it meanwhile: Revert shows what is stored now.")
        put(self.note, value=status(note))

    def enable(self) -> None:
        """Nobody writes on a host that is open read-only."""
        super().enable()
        self.text.lock(readonly=self.domain.host.readonly or self.is_gone)

    def _again(self) -> None:
        self._was = ""
        put(self.stored, value="")
        self.refresh()

    def _check(self) -> None:
        text = self.text.value
        if text:
            self._aside.run(
                "schema",
                lambda: (text, faults_of(text)),
                lambda found: self._told(*found),
                self._failed,
                latest=True,
            )

    def _told(self, text: str, faults: tuple[tuple[int, Problem], ...]) -> None:
        self.text.say([(line, str(each)) for line, each in faults], of=text)

    def _apply(self) -> None:
        text, was, target = self.text.value, self._was, self.domain
        if text == was:
            put(self.words, value=status(_("Nothing is other than before.")))
            return
        made: list[Plan[Any]] = []

        def make() -> tuple[Plan[Any], ...]:
            made[:] = [target.redefine.plan(text, was=was)]
            return tuple(made)

        self._deed.propose(
            parts.NAMED.format(label=_("Store XML"), name=self.domain.name),
            make,
            ask=True,
            after=lambda: self._done(made[0].result()),
        )

    def _done(self, stored: Stored) -> None:
        """Show what libvirt keeps, and what of it was not asked for."""
        self._was = ""
        words = (
            heading(_("What libvirt made of it (asked, then stored)")) + pre(stored.diff)
            if stored.diff
            else status(_("Libvirt has stored exactly what was asked."))
        )
        put(self.stored, value=words)
        self.refresh()

    def close(self) -> None:
        """End the text area."""
        self.text.close()
