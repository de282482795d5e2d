"""Views: charts and forms in a notebook, offered as ``lv.ui``; they hold no logic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.widgets.charts import Charts, charts
    from labvirt.widgets.console import ConsoleView, console
    from labvirt.widgets.overview import Overview, overview
    from labvirt.widgets.screen import ScreenView, screen

_HOMES: dict[str, tuple[str, ...]] = {
    "labvirt.widgets.charts": ("Charts", "charts"),
    "labvirt.widgets.console": ("ConsoleView", "console"),
    "labvirt.widgets.overview": ("Overview", "overview"),
    "labvirt.widgets.screen": ("ScreenView", "screen"),
}

__all__ = [
    "Charts",
    "ConsoleView",
    "Overview",
    "ScreenView",
    "charts",
    "console",
    "overview",
    "screen",
]

_load, __dir__ = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    return _load(name)
