"""The manager in a cell: ``lv.ui.manager``."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.errors import LabvirtError
from labvirt.host.domain import Domain
from labvirt.model.uri import Uri
from labvirt.widgets.batch import is_batch
from labvirt.widgets.frame import framed
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.ask import Ask
from labvirt.widgets.managing.connections import ConnectionForm, HostList
from labvirt.widgets.managing.deed import Deed
from labvirt.widgets.managing.doing import Doing
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.hosts import Hosts, targets_of
from labvirt.widgets.managing.joining import Menu, join_forms
from labvirt.widgets.managing.news import EventTab, JournalTab
from labvirt.widgets.managing.opened import Opened
from labvirt.widgets.managing.parts import Aside, put
from labvirt.widgets.managing.tabs import NetworkTab, StorageTab
from labvirt.widgets.overview import Overview
from labvirt.widgets.registry import registry
from labvirt.widgets.row_look import Look, row_driver_of
from labvirt.widgets.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.host import Host
    from labvirt.widgets.managing.actions import Act, Facts

__all__ = ["Manager", "manager"]

_COLUMNS = ("id", "state", "vcpus", "cpu", "memory", "disk", "net", "tags", "os", "address")


def manager(target: Any, *, readonly: bool = False, height: int = 360) -> Manager:
    """Return the manager: hosts, their VMs, networks and storage, and all that one does with them.

    It is what virt-manager's windows are (G12.4-06, G16.2-01, G16.14-01). Every button is a plan
    that a script can make too; "Show me the command" tells it.

    Args:
        target: a `Lab`, a `Host`, a list of hosts, a URI or a list of URIs. Hosts of URIs are
            opened aside, belong to the view and are closed with it; others are left as they are.
        readonly: open URIs without the right to change anything.
        height: pixels of the table of VMs, 78 to 4000.

    Raises:
        SpecError: there is nothing to manage of such a target, or a URI has a fault.
    """
    hosts, uris = targets_of(target)
    look = Look.checked(
        columns=_COLUMNS, sort="name", down=False, inactive=True, metric="", top=5, height=height
    )
    made = Manager(hosts, look)
    names = [host.name for host in hosts] + [uri.redacted() for uri in uris]
    registry.claim(made, f"manager of {', '.join(names)}")
    for uri in uris:
        made.connect(uri, readonly=readonly, wait=is_batch())
    return made


class Manager(Shown):
    """The manager; see `manager`. Shown by being the last line of a cell."""

    def __init__(self, hosts: Sequence[Host], look: Look) -> None:
        super().__init__()
        self._look = look
        self._lock = threading.RLock()
        self._over = threading.Event()
        self.aside = Aside("labvirt-manager")
        self.deed = Deed(self._enable)
        self.ask = Ask(self.aside)
        self.overview: Overview | None = None
        self._hosts = Hosts(self.aside, changed=self._rehost, heard=self._hear, looked=self._looked)
        self._build()
        self._hosts.add(*hosts)
        if not hosts:
            self._rehost()

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts that are shown."""
        return self._hosts.all

    def __repr__(self) -> str:
        """Return one line."""
        names = ", ".join(host.name for host in self.hosts) or "no host"
        return f"<Manager of {names}{': closed' if self._over.is_set() else ''}>"

    # -- built -----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.doing = doing = Doing(
            lambda: self.hosts,
            lambda: self.overview.selected if self.overview is not None else (),
            lambda: self.opened,
            self.ask,
            self.deed,
        )
        self.buttons, self.new, self.preview = doing.buttons, doing.new, doing.preview
        self.selection, self.reasons = doing.selection, doing.reasons
        self.holder = w.VBox([])
        self.networks = NetworkTab(self.aside, self.deed, lambda: self.hosts)
        self.storage = StorageTab(self.aside, self.deed, lambda: self.hosts)
        self.events = EventTab()
        self.journal = JournalTab(self.aside, lambda: self.hosts)
        self.form = ConnectionForm(
            lambda uri, readonly: self.connect(uri, readonly=readonly), self.aside
        )
        self.host_list = HostList(
            self.aside,
            self.disconnect,
            lambda uri, readonly: self.connect(uri, readonly=readonly),
            lambda host: self.opened.restore(host),  # noqa: PLW0108 - it is made later
        )
        machines = w.VBox([*doing.parts, self.holder])
        pages = {
            _("Virtual machines"): machines,
            _("Networks"): self.networks.box,
            _("Storage"): self.storage.box,
            _("Connections"): w.VBox([self.host_list.box, self.form.box]),
            _("Events"): self.events.box,
            _("Journal"): self.journal.box,
        }
        self.tab = w.Tab(children=tuple(pages.values()), titles=tuple(pages))
        self.tab.observe(lambda _change: self._turned(), names="selected_index")
        self.opened = Opened(self.tab, len(pages), self.aside, self.deed)
        self.opened.hosts = lambda: self.hosts
        join_forms(self.networks, self.storage, self.opened, lambda: self.hosts)
        self.menu = Menu(lambda: self.hosts, self.opened)
        self.box = w.VBox([parts.looks(), self.menu.box, self.tab, self.ask.box, self.deed.area])
        framed(self.box).add_class("labvirt-manager")

    # -- hosts -----------------------------------------------------------------------------------

    def connect(self, uri: str | Uri, *, readonly: bool = False, wait: bool = False) -> None:
        """Open a host and show it; it is closed with the view.

        Args:
            uri: any libvirt URI.
            readonly: open it without the right to change anything.
            wait: return when it is open; else what goes wrong is said in the view.

        Raises:
            SpecError: the URI has a fault.
            LabvirtError: nobody answers there (`wait` only).
        """
        parsed = uri if isinstance(uri, Uri) else Uri.parse(uri)
        words = parts.status(_("Connecting to {uri} …").format(uri=parsed.redacted()))
        put(self.form.words, value=words)
        put(self.selection, value=words)

        def failed(error: BaseException) -> None:
            put(self.form.words, value=fault(error))
            put(self.selection, value=fault(error))
            self.host_list.failed(parsed, readonly, parts.told(error))

        self._hosts.open(parsed, readonly=readonly, wait=wait, failed=failed)

    def add(self, host: Host, *, owned: bool = False) -> None:
        """Show one more host.

        Args:
            host: the host, open.
            owned: close it with the view.
        """
        self._hosts.add(host, owned=owned)
        put(self.form.words, value=parts.status(_("Connected: {uri}").format(uri=host.label)))

    def disconnect(self, host: Host) -> None:
        """Take a host out of the view; one that the view opened is closed."""
        self._hosts.drop(host)

    def _rehost(self) -> None:
        """Show the hosts that are there now; the view of the table is a new one."""
        old = self.overview
        if old is not None:
            self._look = old.look
        if self.hosts:
            driver, _key = row_driver_of(list(self.hosts), self._look)
            self.overview = Overview(driver, self._look)
            self.overview.menu = self.doing.menu
            self.overview.on_act = self.doing.chosen_in_menu
            self.overview.on_select(lambda _uuids: self._enable())
            self.overview.on_open(lambda row: self._open_row(row.host, row.uuid))
            put(self.holder, children=(self.overview.widget,))
            self.overview.feed.expect()
        else:
            self.overview = None
            hint = _("No host is connected. Open one under “Connections”.")
            put(self.holder, children=(w.HTML(parts.status(hint)),))
        if old is not None:
            old.close()
        self.host_list.show(self.hosts)
        self.menu.show()
        self._turned()
        self._enable()

    def _hear(self, host: Host, changes: Sequence[Any]) -> None:
        kinds = {each.kind for each in changes}
        known = {kind: len(host.news.records(kind)) for kind in kinds}
        self.events.hear(host.name, changes, known)
        if "domain" in kinds:
            self._enable()
        at = self.tab.selected_index
        if ("network" in kinds and at == 1) or ("pool" in kinds and at == 2):
            self._turned()

    def _looked(self) -> None:
        self.host_list.show(self.hosts)
        self._enable()

    def _turned(self) -> None:
        refresh = {
            1: self.networks.refresh,
            2: self.storage.refresh,
            5: self.journal.refresh,
        }.get(self.tab.selected_index or 0)
        if refresh is not None:
            refresh()

    # -- selecting and doing -----------------------------------------------------------------------

    @property
    def chosen(self) -> tuple[Facts, ...]:
        """What is known of the selected domains; asks nobody."""
        return self.doing.chosen

    def select(self, *domains: Any) -> None:
        """Select domains, by names, UUIDs, or themselves; without any: nothing.

        Raises:
            NotFoundError: there is no such domain.
        """
        if self.overview is not None:
            self.overview.select(*domains)

    def reasons_now(self) -> dict[str, str]:
        """Return why each action cannot be done now, by its key; empty where it can."""
        return self.doing.reasons_now()

    def act(self, act: Act) -> bool:
        """Do what a button does with what is selected; returns whether it was begun."""
        return self.doing.act(act)

    def _enable(self) -> None:
        if self._over.is_set() or not hasattr(self, "opened"):
            return
        self.doing.enable()
        self.networks.enable()
        self.storage.enable()

    def _open_row(self, host: str, uuid: str) -> None:
        found = next((each for each in self.hosts if each.name == host and uuid), None)
        record = found.news.record("domain", uuid) if found is not None else None
        if host and not uuid:
            self.menu.open_host(host)
        if found is not None and record is not None:
            self.opened.details(Domain(found, uuid, record.name))

    # -- shown -------------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The ipywidget, for layouts of one's own.

        Raises:
            LabvirtError: the manager is closed.
        """
        if self._over.is_set():
            raise LabvirtError("this manager is closed", hint="lv.ui.manager(...) anew")
        return self.box

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end, and a table of the VMs for everything else."""
        if self._over.is_set() or (is_batch() and self.overview is None):
            return {"text/plain": repr(self)}
        if is_batch():
            return self.bundle()
        static: dict[str, str] = {"text/plain": repr(self)}
        if self.overview is not None:
            with contextlib.suppress(LabvirtError):
                bundle = self.overview._repr_mimebundle_(**options)
                shown = bundle[0] if isinstance(bundle, tuple) else bundle
                static |= {key: shown[key] for key in ("text/html", "text/plain") if key in shown}
        made = self.box._repr_mimebundle_(**options)
        data, metadata = made if isinstance(made, tuple) else (made, {})
        return {**data, **static}, metadata

    def bundle(self) -> dict[str, Any]:
        """Return the VMs as they are now; raises LabvirtError when no host answers."""
        if self.overview is None:
            raise LabvirtError("show: no host is connected", hint="manager.connect(uri)")
        return self.overview.bundle()

    def close(self) -> None:
        """Close the view and the hosts that it opened. Twice is harmless."""
        with self._lock:
            if self._over.is_set():
                return
            self._over.set()
        self.aside.close()
        self.deed.close()
        self.events.close()
        if self.overview is not None:
            self.overview.close()
        self.opened.close()
        self._hosts.close()
        registry.forget(self)
        parts.close_tree(self.box)
