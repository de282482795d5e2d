"""Afterwards: what opens below a form when its VM is made: its console, or its details."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

import labvirt.widgets as views
from labvirt.errors import LabvirtError
from labvirt.widgets.i18n import _
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.parts import button, close_tree, put, unbind_tree

__all__ = ["Afterwards"]


class Afterwards:
    """A place below a form.

    Args:
        form: the form's own widget.
    """

    def __init__(self, form: Any) -> None:
        self._slot = w.VBox([])
        self.box = w.VBox([form, self._slot])
        #: The view that is open; None when there is none.
        self.view: Any = None

    def open(self, domain: Any, *, started: bool) -> None:
        """Open the console of a VM that runs; of one that is only defined its details.

        The details have every kind of device: that is how it is customised before it starts.
        """
        self.shut()
        try:
            self.view = _view(domain, started=started)
            shown = self.view.widget
        except LabvirtError as error:
            shown = w.HTML(fault(error))
        expect = getattr(getattr(self.view, "feed", None), "expect", None)
        if expect is not None:
            expect()
        text = _("Close “{title}”").format(title=domain.name)
        page = w.VBox([button(_("Close"), text, self.shut), shown])
        unbind_tree(page)
        put(self._slot, children=(page,))

    def shut(self) -> None:
        """Close what is open. Twice is harmless."""
        view, self.view = self.view, None
        pages = self._slot.children
        put(self._slot, children=())
        if view is not None:
            view.close()
        for page in pages:
            close_tree(page)

    def close(self) -> None:
        """Close the place too."""
        self.shut()
        close_tree(self._slot)
        self.box.layout.close()
        self.box.close()


def _view(domain: Any, *, started: bool) -> Any:
    if not started:
        return views.details(domain)
    devices = domain.xml()
    has_text = "<serial" in devices or "<console" in devices
    return views.console(domain) if has_text or "<graphics" not in devices else views.screen(domain)
