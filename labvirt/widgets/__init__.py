"""Views: charts and forms in a notebook, offered as ``lv.ui``; they hold no logic."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.widgets.charts import Charts, charts
    from labvirt.widgets.console import ConsoleView, console
    from labvirt.widgets.creating import create
    from labvirt.widgets.doctoring.examining import doctor
    from labvirt.widgets.doctoring.lesson import exercise
    from labvirt.widgets.i18n import set_language
    from labvirt.widgets.making import network_form, pool_form, volume_form
    from labvirt.widgets.managing.details import Details, details
    from labvirt.widgets.managing.host_details import host_details
    from labvirt.widgets.managing.manager import Manager, manager
    from labvirt.widgets.observing import migration
    from labvirt.widgets.overview import overview
    from labvirt.widgets.screen import ScreenView, screen

_HOMES: dict[str, tuple[str, ...]] = {
    "labvirt.widgets.charts": ("Charts", "charts"),
    "labvirt.widgets.creating": ("create",),
    "labvirt.widgets.doctoring.examining": ("doctor",),
    "labvirt.widgets.doctoring.lesson": ("exercise",),
    "labvirt.widgets.i18n": ("set_language",),
    "labvirt.widgets.making": ("network_form", "pool_form", "volume_form"),
    "labvirt.widgets.managing.details": ("Details", "details"),
    "labvirt.widgets.managing.host_details": ("host_details",),
    "labvirt.widgets.managing.manager": ("Manager", "manager"),
    "labvirt.widgets.console": ("ConsoleView", "console"),
    "labvirt.widgets.observing": ("migration",),
    "labvirt.widgets.overview": ("overview",),
    "labvirt.widgets.screen": ("ScreenView", "screen"),
}

__all__ = [
    "Charts",
    "ConsoleView",
    "Details",
    "Manager",
    "ScreenView",
    "charts",
    "console",
    "create",
    "details",
    "doctor",
    "exercise",
    "host_details",
    "manager",
    "migration",
    "network_form",
    "overview",
    "pool_form",
    "screen",
    "set_language",
    "volume_form",
]

_load, __dir__ = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    return _load(name)


class _Views(ModuleType):
    """A package in which a view keeps its name though a module is called like it.

    Importing ``labvirt.widgets.overview`` from inside would otherwise put the module in the place of
    the function ``overview``.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in __all__):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Views
