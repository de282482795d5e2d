"""The details of a host: ``lv.ui.host_details``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.errors import LabvirtError, SpecError
from labvirt.widgets.batch import is_batch
from labvirt.widgets.charts import charts
from labvirt.widgets.doctoring.examining import Doctor
from labvirt.widgets.doctoring.rounds import targets_of
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.deed import Deed
from labvirt.widgets.managing.host_pages import (
    TextPage,
    capabilities_html,
    device_page,
    link_page,
    overview_html,
    secret_page,
)
from labvirt.widgets.managing.joining import join_forms
from labvirt.widgets.managing.opened import Opened
from labvirt.widgets.managing.parts import Aside, put
from labvirt.widgets.managing.tabs import NetworkTab, StorageTab
from labvirt.widgets.registry import registry
from labvirt.widgets.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host.host import Host

__all__ = ["HostDetails", "host_details"]

_PERFORMANCE, _NETWORKS, _STORAGE = 1, 2, 3


def host_details(host: Host) -> HostDetails:
    """Return the details of a host: machine, performance, networks, storage, devices (G12.4-02).

    Args:
        host: the host, open.

    Raises:
        SpecError: it is no host.
    """
    if not all(hasattr(host, name) for name in ("networks", "pools", "capabilities")):
        raise SpecError(f"show details of {host!r:.200}", hint="give a host: lv.connect(...)")
    made = HostDetails(host)
    registry.claim(made, f"details of host {host.label}")
    return made


class HostDetails(Shown):
    """The details of a host; see `host_details`. Shown by being the last line of a cell."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host
        self._over = threading.Event()
        self._charts: Any = None
        self._doctor: Doctor | None = None
        self.examination = w.VBox([])
        self.aside = Aside("labvirt-host")
        self.deed = Deed(self._enable)
        self.overview = TextPage("overview", self.aside, lambda: overview_html(host))
        self.performance = w.VBox([])
        self.networks = NetworkTab(self.aside, self.deed, lambda: (host,))
        self.storage = StorageTab(self.aside, self.deed, lambda: (host,))
        self.links = link_page(host, self.aside)
        self.devices = device_page(host, self.aside)
        self.secrets = secret_page(host, self.aside)
        self.capabilities = TextPage("capabilities", self.aside, lambda: capabilities_html(host))
        pages = {
            _("Overview"): self.overview.box,
            _("Performance"): self.performance,
            _("Networks"): self.networks.box,
            _("Storage"): self.storage.box,
            _("Interfaces"): self.links.box,
            _("Devices"): self.devices.box,
            _("Secrets"): self.secrets.box,
            _("Capabilities"): self.capabilities.box,
            _("Examination"): self.examination,
        }
        self._refresh: dict[int, Callable[[], object]] = {
            0: self.overview.refresh,
            _PERFORMANCE: self._draw_charts,
            _NETWORKS: self.networks.refresh,
            _STORAGE: self.storage.refresh,
            4: self.links.refresh,
            5: self.devices.refresh,
            6: self.secrets.refresh,
            7: self.capabilities.refresh,
            8: self._draw_doctor,
        }
        self.tab = w.Tab(children=tuple(pages.values()), titles=tuple(pages))
        self.tab.observe(lambda _change: self._turned(), names="selected_index")
        self.opened = Opened(self.tab, len(pages), self.aside, self.deed)
        join_forms(self.networks, self.storage, self.opened, lambda: (host,))
        title = w.HTML(parts.heading(f"{host.name} · {host.label}"))
        self.box = w.VBox([title, self.tab, self.deed.area])
        self.box.add_class("labvirt-host")
        self._end = host.listen(self._hear)
        self._turned()

    def __repr__(self) -> str:
        """Return one line."""
        return f"<HostDetails of {self.host.name}{': closed' if self._over.is_set() else ''}>"

    def _hear(self, changes: Any) -> None:
        kinds = {each.kind for each in changes}
        wanted = {"network": _NETWORKS, "pool": _STORAGE}
        if self.tab.selected_index in {wanted[kind] for kind in kinds if kind in wanted}:
            self._turned()

    def _turned(self) -> None:
        refresh = self._refresh.get(self.tab.selected_index or 0)
        if refresh is not None and not self._over.is_set():
            refresh()

    def _enable(self) -> None:
        if hasattr(self, "opened"):
            self.networks.enable()
            self.storage.enable()

    def _draw_doctor(self) -> None:
        if self._doctor is not None or self._over.is_set():
            return
        self._doctor = Doctor(targets_of(self.host))
        widget = self._doctor.widget
        self._doctor.offer_code()
        put(self.examination, children=(widget,))

    def _draw_charts(self) -> None:
        if self._charts is not None:
            return
        try:
            self._charts = charts(self.host, engine="light")
            self._charts.feed.expect()
            put(self.performance, children=(self._charts.widget,))
        except LabvirtError as error:
            put(self.performance, children=(w.HTML(parts.alert(str(error))),))

    # -- shown -------------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The ipywidget, for layouts of one's own.

        Raises:
            LabvirtError: the details are closed.
        """
        if self._over.is_set():
            raise LabvirtError("these details are closed", hint="lv.ui.host_details(...) anew")
        return self.box

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end, and what the host is for everything else."""
        if self._over.is_set():
            return {"text/plain": repr(self)}
        if is_batch():
            return self.bundle()
        static = self.bundle()
        made = self.box._repr_mimebundle_(**options)
        data, metadata = made if isinstance(made, tuple) else (made, {})
        return {**data, **static}, metadata

    def bundle(self) -> dict[str, Any]:
        """Return what the host is by MIME type, as every reader of a notebook shows it."""
        try:
            text = overview_html(self.host)
        except LabvirtError as error:
            text = parts.alert(str(error))
        return {"text/html": text, "text/plain": repr(self)}

    def close(self) -> None:
        """Close the view. Twice is harmless."""
        if self._over.is_set():
            return
        self._over.set()
        self._end()
        self.aside.close()
        self.deed.close()
        self.opened.close()
        if self._charts is not None:
            self._charts.close()
        if self._doctor is not None:
            self._doctor.close()
        registry.forget(self)
        parts.close_tree(self.box)
