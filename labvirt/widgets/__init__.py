"""Views: charts and forms in a notebook, offered as ``lv.ui``; they hold no logic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.widgets.charts import Charts, charts
    from labvirt.widgets.creating import create
    from labvirt.widgets.i18n import set_language
    from labvirt.widgets.making import network_form, pool_form, volume_form
    from labvirt.widgets.overview import Overview, overview

_HOMES: dict[str, tuple[str, ...]] = {
    "labvirt.widgets.charts": ("Charts", "charts"),
    "labvirt.widgets.creating": ("create",),
    "labvirt.widgets.i18n": ("set_language",),
    "labvirt.widgets.making": ("network_form", "pool_form", "volume_form"),
    "labvirt.widgets.overview": ("Overview", "overview"),
}

__all__ = [
    "Charts",
    "Overview",
    "charts",
    "create",
    "network_form",
    "overview",
    "pool_form",
    "set_language",
    "volume_form",
]

_load, __dir__ = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    return _load(name)
