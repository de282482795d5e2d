"""Pages of the details, and the first of them: what a domain is (G16.3-01, G16.7-02)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.errors import ConflictError
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from labvirt.widgets.forms.labels import label_of
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.parts import button, facts, put, status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.domain import Domain
    from labvirt.plan import Plan
    from labvirt.widgets.managing.deed import Deed
    from labvirt.widgets.managing.parts import Aside

__all__ = ["STYLE", "OverviewPage", "Page"]

STYLE = {"description_width": "12em"}
_WIDE = {"style": STYLE, "layout": {"width": "36em"}}


class Page:
    """One page of a domain: it is read aside, and what it changes goes through the deed.

    Args:
        domain: whose.
        aside: reads.
        deed: where changes are confirmed.
    """

    def __init__(self, domain: Domain, aside: Aside, deed: Deed) -> None:
        self.domain, self._aside, self._deed = domain, aside, deed
        self.words = w.HTML()
        self.changers: list[Any] = []
        #: The domain is not there any more.
        self.is_gone = False
        self.box = self.build()
        put(self.box, children=(*self.box.children, self.words))

    def build(self) -> w.VBox:
        """Return the widgets."""
        raise NotImplementedError

    def read(self) -> Any:
        """Ask the host for what is shown."""
        raise NotImplementedError

    def draw(self, found: Any) -> None:
        """Show what was read."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Read and draw, aside."""
        self._aside.run(type(self).__name__, self.read, self._drawn, self._failed, latest=True)

    def _drawn(self, found: Any) -> None:
        put(self.words, value="")
        self.draw(found)
        self.enable()

    def _failed(self, error: BaseException) -> None:
        put(self.words, value=fault(error))

    def enable(self) -> None:
        """Let nothing be changed on a host that is open read-only, or of what is gone; say why."""
        host = self.domain.host
        readonly = host.readonly
        for each in self.changers:
            put(each, disabled=readonly or self.is_gone)
        if readonly and not self.words.value:
            text = _("{host} is open read-only").format(host=host.name)
            put(self.words, value=status(text))

    def gone(self, *, on: bool) -> None:
        """Note that the domain was deleted, or is there again; what was written stays."""
        self.is_gone = on
        self.enable()

    def close(self) -> None:
        """End what the page has opened."""

    def propose(self, title: str, make: Any) -> None:
        """Show a change before it is made, whatever it is."""
        text = parts.NAMED.format(label=title, name=self.domain.name)
        self._deed.propose(text, make, ask=True, after=self.refresh)


class OverviewPage(Page):
    """Name, UUID, state; title, description, tags and autostart can be changed."""

    def build(self) -> w.VBox:
        """Return the widgets."""
        self.facts = w.HTML()
        self.title = w.Text(description=_("Title"), **_WIDE)
        self.description = w.Textarea(description=_("Description"), rows=3, **_WIDE)
        self.tags = w.Text(
            description=_("Tags"), placeholder=_("words, spaces between them"), **_WIDE
        )
        self.autostart = w.Checkbox(
            description=_("Start with the host"),
            indent=False,
            tooltip=_("Start the VM when the host's daemon starts"),
        )
        self.apply = button(_("Apply"), _("Show what would change"), self._apply, kind="primary")
        self.revert = button(
            _("Revert edits"), _("Take back the edits that were not applied"), self._back
        )
        self.meanwhile = w.HTML()
        edits = [self.title, self.description, self.tags, self.autostart]
        self.changers = [*edits, self.apply]
        self._was: dict[str, Any] = {}
        return w.VBox([self.facts, *edits, self.meanwhile, w.HBox([self.apply, self.revert])])

    def read(self) -> Any:
        """Ask for the record and the stored definition."""
        return self.domain.info(), DomainXml.parse(self.domain.xml(inactive=True))

    def draw(self, found: Any) -> None:
        """Show them."""
        record, document = found
        self._take(_labels(record, document))
        shown = [
            (_("Name"), record.name),
            (_("UUID"), record.uuid),
            (_("State"), f"{_(record.state.text)} ({_(record.reason)})"),
            (_("Host"), self.domain.host.name),
            (_("Saved"), record.has_managed_save),
            (_("Persistent"), record.persistent),
            (_("vCPUs"), record.vcpus),
            (_("Memory"), f"{Size(record.memory)} / {Size(record.max_memory)}"),
            (_("Machine"), document.machine or ""),
            (_("Virtualization"), document.type or ""),
        ]
        put(self.facts, value=facts(shown))

    def _take(self, now: dict[str, Any]) -> None:
        """Show what holds; a field that is edited here stays, and what differs is told."""
        edited = {name for name, value in self._was.items() if getattr(self, name).value != value}
        moved = sorted(name for name in edited if now[name] != self._was[name])
        for name, value in now.items():
            if name not in edited:
                put(getattr(self, name), value=value)
        self._was |= {name: value for name, value in now.items() if name not in moved}
        names = ", ".join(_(label_of(name)) for name in moved)
        text = _("Somebody else has changed it meanwhile: {what}. Revert shows what holds now.")
        put(self.meanwhile, value=status(text.format(what=names)) if moved else "")

    def _back(self) -> None:
        for name, value in self._was.items():
            put(getattr(self, name), value=value)
        put(self.words, value="")
        self.refresh()

    def _apply(self) -> None:
        was = dict(self._was)
        now = {name: getattr(self, name).value for name in was}
        changed = {name: value for name, value in now.items() if value != was[name]}
        if not was:
            return
        if not changed:
            put(self.words, value=status(_("Nothing is other than before.")))
            return
        self.propose(_("Change"), lambda: self._checked(changed, was))

    def _checked(self, changed: dict[str, Any], was: dict[str, Any]) -> Sequence[Plan[Any]]:
        """Return the plans, unless somebody else has changed the same meanwhile."""
        now = _labels(*self.read())
        moved = [
            f"{_(label_of(name))}: {parts.cell(now[name])}"
            for name in changed
            if now[name] != was[name] and now[name] != changed[name]
        ]
        if moved:
            raise ConflictError(
                _("change {name}").format(name=self.domain.name),
                libvirt_text=_("somebody else has changed it meanwhile: {what}").format(
                    what=", ".join(moved)
                ),
                hint=_("Revert shows what holds now; nothing was overwritten"),
            )
        return self._plans(changed)

    def _plans(self, changed: dict[str, Any]) -> Sequence[Plan[Any]]:
        domain: Any = self.domain
        made = {
            "title": lambda value: domain.set_title.plan(value.strip() or None),
            "description": lambda value: domain.set_description.plan(value.strip() or None),
            "tags": lambda value: domain.set_tags.plan(tuple(value.replace(",", " ").split())),
            "autostart": domain.set_autostart.plan,
        }
        return [made[name](value) for name, value in changed.items()]


def _labels(record: Any, document: DomainXml) -> dict[str, Any]:
    """Return what can be changed on the first page."""
    return {
        "title": record.title,
        "description": document.description or "",
        "tags": " ".join(record.tags),
        "autostart": record.autostart,
    }
