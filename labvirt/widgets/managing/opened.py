"""Opened: the tabs of what was opened from the manager: charts, consoles, forms, details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

import labvirt.widgets as views
from labvirt.errors import LabvirtError
from labvirt.widgets.i18n import _
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.parts import button, close_tree, put, unbind_tree
from labvirt.widgets.managing.restoring import restore_form

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.domain import Domain
    from labvirt.host.host import Host
    from labvirt.widgets.managing.deed import Deed
    from labvirt.widgets.managing.parts import Aside

__all__ = ["Opened", "missing_views"]

_VIEWS = (
    *("charts", "create", "console", "screen", "doctor"),
    *("network_form", "pool_form", "volume_form"),
)


def missing_views() -> frozenset[str]:
    """Return the views that buttons open and this installation does not have."""
    return frozenset(name for name in _VIEWS if name not in views.__all__)


class Opened:
    """The tabs beside the fixed ones; each can be closed.

    Args:
        tab: where they stand.
        fixed: how many tabs stay.
        aside: makes the views.
        deed: where changes are confirmed.
    """

    def __init__(self, tab: w.Tab, fixed: int, aside: Aside, deed: Deed) -> None:
        self._tab, self._fixed, self._aside, self._deed = tab, fixed, aside, deed
        self._pages: dict[str, tuple[Any, Any]] = {}
        #: Gives the hosts that are open, as destinations of a migration.
        self.hosts: Callable[[], Sequence[Host]] = lambda: ()

    def view(self, name: str, title: str, target: Callable[[], Any]) -> None:
        """Open a public view of ``labvirt.widgets`` for a target, or turn to it."""
        self.make(title, lambda: getattr(views, name)(target()))

    def details(self, domain: Domain) -> None:
        """Open the details of a domain, or turn to them."""
        title = f"{domain.name} · {domain.host.name}"
        self.make(title, lambda: views.Details(domain, self.hosts))

    def restore(self, host: Host) -> None:
        """Open the form that restores a saved VM on a host."""
        title = _("Restore on {host}").format(host=host.name)
        self.make(title, lambda: restore_form(host))

    def make(self, title: str, make: Callable[[], Any]) -> None:
        """Open what a function makes, aside, or turn to what was opened under that title."""
        if title in self._pages:
            self._turn(title)
            return
        self._aside.run(
            f"open {title}",
            make,
            lambda made: self._add(title, made),
            lambda error: self._add(title, w.HTML(fault(error))),
        )

    def _add(self, title: str, made: Any) -> None:
        try:
            shown = getattr(made, "widget", made)
        except LabvirtError as error:
            shown = w.HTML(fault(error))
        # A view that listens for its page must be told that one is coming.
        expect = getattr(getattr(made, "feed", None), "expect", None)
        if expect is not None:
            expect()
        close = button(
            _("Close"), _("Close “{title}”").format(title=title), lambda: self.shut(title)
        )
        page = w.VBox([close, shown])
        unbind_tree(page)
        self._pages[title] = (page, made)
        self._draw()
        self._turn(title)

    def _turn(self, title: str) -> None:
        put(self._tab, selected_index=self._fixed + list(self._pages).index(title))

    def shut(self, title: str) -> None:
        """Close a tab and what is in it."""
        page, made = self._pages.pop(title, (None, None))
        if page is None:
            return
        put(self._tab, selected_index=0)
        self._draw()
        close = getattr(made, "close", None)
        if close is not None:
            close()
        close_tree(page)

    def _draw(self) -> None:
        fixed = self._tab.children[: self._fixed]
        titles = self._tab.titles[: self._fixed]
        put(self._tab, children=(*fixed, *(page for page, _made in self._pages.values())))
        put(self._tab, titles=(*titles, *self._pages))

    def close(self) -> None:
        """Close all of them."""
        for _page, made in self._pages.values():
            close = getattr(made, "close", None)
            if close is not None:
                close()
