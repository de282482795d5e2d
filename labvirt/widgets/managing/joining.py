"""Joining: buttons that make networks, pools and volumes open their forms; the row above all tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.parts import button, put

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.widgets.managing.opened import Opened
    from labvirt.widgets.managing.tabs import NetworkTab, StorageTab

__all__ = ["Menu", "join_forms"]


def join_forms(
    networks: NetworkTab,
    storage: StorageTab,
    opened: Opened,
    hosts: Callable[[], Sequence[Host]],
) -> None:
    """Let the buttons that make something open the forms; what they make shows itself at once.

    Args:
        networks: the tab of networks.
        storage: the tab of storage.
        opened: where forms stand.
        hosts: the hosts; the first one is meant where nothing is selected.
    """

    def host_of(item: Any) -> Any:
        return item.host if item is not None else next(iter(hosts()), None)

    def form(name: str, title: str, target: Any, after: Callable[[], object]) -> None:
        def make() -> Any:
            import labvirt.widgets as views

            made = getattr(views, name)(target)
            made.on_done(lambda _made: after())
            return made

        label = parts.NAMED.format(label=title, name=getattr(target, "name", ""))
        opened.make(label, make)

    def new_network() -> None:
        host = host_of(networks.list.item)
        if host is not None:
            form("network_form", _("New network"), host, networks.refresh)

    def new_pool() -> None:
        host = host_of(storage.list.item)
        if host is not None:
            form("pool_form", _("New pool"), host, storage.refresh)

    def new_volume() -> None:
        item = storage.list.item
        if item is not None:
            pool = storage.pool_of(item)
            form("volume_form", _("New volume"), pool, storage.refresh)

    networks.new.on_click(lambda _knob: new_network())
    storage.new.on_click(lambda _knob: new_pool())
    storage.new_volume.on_click(lambda _knob: new_volume())


class Menu:
    """What belongs to no tab: the details of a host, the doctor, and the preferences.

    Args:
        hosts: the hosts that are shown.
        opened: where what is opened stands.
    """

    def __init__(self, hosts: Callable[[], Sequence[Host]], opened: Opened) -> None:
        self._hosts, self._opened = hosts, opened
        self.hosts = w.Dropdown(
            options=[], description=_("Host"), tooltip=_("Whose details"),
            layout=w.Layout(width="auto", max_width="26em"),
            style={"description_width": "initial"},
        )  # fmt: skip
        self.details = button(
            _("Host details"), _("Machine, performance, networks, storage, devices"), self.open_host
        )
        self.examine = button(
            _("Examine"), _("Look what is not well on the hosts, why, and what mends it"),
            self.open_doctor,
        )  # fmt: skip
        self.preferences = button(
            _("Preferences"), _("How often numbers are read, when Apply is waited for, language"),
            self.open_preferences,
        )  # fmt: skip
        self.box = w.HBox(
            [self.hosts, self.details, self.examine, self.preferences],
            layout=w.Layout(flex_flow="row wrap", align_items="center"),
        )
        self.show()

    def show(self) -> None:
        """Offer the hosts that are there now."""
        names = tuple(host.name for host in self._hosts())
        chosen = self.hosts.value
        if tuple(self.hosts.options) != names:
            put(self.hosts, options=names)
            put(self.hosts, value=chosen if chosen in names else next(iter(names), None))
        put(self.details, disabled=not names)
        put(self.examine, disabled=not names)
        parts.show(self.hosts, len(names) > 1)

    def open_host(self, name: str = "") -> None:
        """Open the details of a host, or turn to them; of the chosen one when none is named."""
        wanted = name or self.hosts.value
        host = next((each for each in self._hosts() if each.name == wanted), None)
        if host is None:
            return

        def make() -> Any:
            from labvirt.widgets.managing.host_details import HostDetails

            return HostDetails(host)

        self._opened.make(parts.NAMED.format(label=_("Host"), name=host.name), make)

    def open_doctor(self) -> None:
        """Open the doctor's view of all hosts, or turn to it."""
        hosts = list(self._hosts())
        if hosts:
            names = ", ".join(host.name for host in hosts[:4]) + (" …" if len(hosts) > 4 else "")
            title = parts.NAMED.format(label=_("Examine"), name=names)
            self._opened.view("doctor", title, lambda: hosts)

    def open_preferences(self) -> None:
        """Open the preferences, or turn to them."""

        def make() -> Any:
            from labvirt.widgets.preferring import PreferencesForm

            return PreferencesForm(self._hosts)

        self._opened.make(_("Preferences"), make)
