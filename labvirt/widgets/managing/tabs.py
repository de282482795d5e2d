"""Tabs of networks and storage: tables, details, actions (G12.4-02, G12.4-04, G16.14-01)."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.errors import LabvirtError
from labvirt.host.networks.looking import NetworkLook, look_at_networks
from labvirt.host.storage.looking import PoolLook, look_at_pools, look_at_volumes
from labvirt.host.storage.pool import Pool
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import list_cells as cells
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.listed import NETWORK, POOL, VOLUME
from labvirt.widgets.managing.listing import Item, Listing
from labvirt.widgets.managing.parts import button, put

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.widgets.managing.deed import Deed
    from labvirt.widgets.managing.parts import Aside

__all__ = ["NetworkTab", "StorageTab"]

#: The items, the hosts that gave no answer with their words, and when the reading began.
_Found = tuple[list[Item], list[str], float]


class NetworkTab:
    """The virtual networks of all hosts, with leases and guests.

    Args:
        aside: reads.
        deed: where changes are confirmed.
        hosts: the hosts that are shown.
    """

    def __init__(self, aside: Aside, deed: Deed, hosts: Callable[[], Sequence[Host]]) -> None:
        self._aside, self._hosts = aside, hosts
        self.list = Listing(
            _("Networks"), cells.NETWORK_COLUMNS, NETWORK,
            cells=lambda item: cells.network_cells(item.host.name, item.look),
            aside=aside, deed=deed, after=self.refresh, detail=_network,
            find=lambda item: item.host.networks[item.record.uuid],
            empty=_("No network. “New network” makes one."),
        )  # fmt: skip
        self.list.choice.on_look = self.refresh
        self.words = w.HTML()
        self.again = button(_("Refresh"), _("Read the networks anew"), self.refresh)
        #: `join_forms` lets it open the form.
        self.new = button(_("New network"), _("Make a virtual network"), lambda: None)
        self.list.row.children = (self.new, *self.list.row.children, self.again)
        self.box = w.VBox([self.words, self.list.box])
        self.enable()

    def enable(self) -> None:
        """Enable what can be done now; the others say why not."""
        self.list.enable()
        _enable_new(self.new, _("Make a virtual network"), self.list.item, self._hosts())

    def refresh(self) -> None:
        """Read the networks, aside."""
        self._aside.run(
            "networks",
            lambda: _read(self._hosts(), look_at_networks, "network", NetworkLook),
            self._show,
            self._failed,
            latest=True,
        )

    def _show(self, found: _Found) -> None:
        items, words, began = found
        put(self.words, value="".join(words))
        self.list.set(items, began=began)

    def _failed(self, error: BaseException) -> None:
        put(self.words, value=fault(error))


class StorageTab:
    """The pools of all hosts, their volumes, and who uses them.

    Args:
        aside: reads.
        deed: where changes are confirmed.
        hosts: the hosts that are shown.
    """

    def __init__(self, aside: Aside, deed: Deed, hosts: Callable[[], Sequence[Host]]) -> None:
        self._aside, self._hosts = aside, hosts
        self.list = Listing(
            _("Pools"), cells.POOL_COLUMNS, POOL,
            cells=lambda item: cells.pool_cells(item.host.name, item.look),
            aside=aside, deed=deed, after=self.refresh,
            detail=lambda item: cells.pool_detail(item.look),
            find=lambda item: item.host.pools[item.record.uuid],
            empty=_("No pool. “New pool” makes one."),
        )  # fmt: skip
        self.volumes = Listing(
            _("Volumes"), cells.VOLUME_COLUMNS, VOLUME,
            cells=lambda item: cells.volume_cells(item.look),
            aside=aside, deed=deed, after=self.refresh, detail=_volume,
            find=lambda item: item.host.pools[item.record.pool].volumes[item.record.name],
            empty=_("No volumes here, or the pool is stopped."),
        )  # fmt: skip
        self.list.chosen = self._volumes
        self.list.choice.on_look = self.refresh
        self.again = button(
            _("Refresh"), _("Let the host look for volumes that came or went"), self._look_again
        )
        #: `join_forms` lets these open the forms.
        self.new = button(_("New pool"), _("Make a storage pool"), lambda: None)
        self.new_volume = button(_("New volume"), _("Make a volume in this pool"), lambda: None)
        self.list.row.children = (self.new, *self.list.row.children, self.again)
        self.volumes.row.children = (self.new_volume, *self.volumes.row.children)
        self.words = w.HTML()
        self.box = w.VBox([self.words, self.list.box, self.volumes.box])
        self.enable()

    def enable(self) -> None:
        """Enable what can be done now; the others say why not."""
        self.list.enable()
        self.volumes.enable()
        self._enable_new()

    def _enable_new(self) -> None:
        item = self.list.item
        _enable_new(self.new, _("Make a storage pool"), item, self._hosts())
        hosts = (item.host,) if item is not None else ()
        _enable_new(self.new_volume, _("Make a volume in this pool"), item, hosts)
        if item is not None and not item.record.is_active:
            why = _("{name} is not started").format(name=item.record.name)
            tip = parts.REASONED.format(label=_("New volume"), why=why)
            put(self.new_volume, disabled=True, tooltip=tip)

    def pool_of(self, item: Item) -> Any:
        """Return the pool of an item."""
        return Pool(item.host, item.record.uuid, item.record.name)

    def refresh(self) -> None:
        """Read the pools and the volumes of the selected one, aside."""
        self._aside.run("pools", self._read, self._show, self._failed, latest=True)

    def _read(self) -> _Found:
        return _read(self._hosts(), look_at_pools, "pool", PoolLook)

    def _show(self, found: _Found) -> None:
        items, words, began = found
        put(self.words, value="".join(words))
        self.list.set(items, began=began)

    def _look_again(self) -> None:
        """Let the host of the selected pool look at its place."""
        item = self.list.item
        if item is None:
            self.refresh()
            return

        def look() -> _Found:
            # A pool that is stopped, and a read-only link, have nothing to look for.
            with contextlib.suppress(LabvirtError):
                item.host.pools[item.record.uuid].refresh()
            return self._read()

        self._aside.run("pools", look, self._show, self._failed, latest=True)

    def _volumes(self) -> None:
        self._enable_new()
        pool = self.list.item
        if pool is None or not pool.record.is_active:
            self.volumes.set(())
            return

        def read() -> tuple[Item, list[Item], float]:
            began = time.monotonic()
            found = look_at_volumes(pool.host.pools[pool.record.uuid])
            return pool, [Item(pool.host, look) for look in found], began

        self._aside.run("volumes", read, self._volumes_read, self._failed, latest=True)

    def _volumes_read(self, found: tuple[Item, list[Item], float]) -> None:
        pool, items, began = found
        now = self.list.item
        if now is not None and now.key == pool.key:
            self.volumes.set(items)
            self.list.choice.spent(time.monotonic() - began)

    def _failed(self, error: BaseException) -> None:
        put(self.words, value=fault(error))


def _enable_new(knob: Any, tip: str, item: Item | None, hosts: Sequence[Host]) -> None:
    """Enable a button that makes something on the host of an item, else on the first host."""
    host = item.host if item is not None else next(iter(hosts), None)
    why = ""
    if host is None:
        why = _("nothing is selected")
    elif host.state != "connected":
        why = _("the link to {host} is {link}").format(host=host.name, link=_(host.state))
    elif host.readonly:
        why = _("{host} is open read-only").format(host=host.name)
    text = parts.REASONED.format(label=knob.description, why=why) if why else tip
    put(knob, disabled=bool(why), tooltip=text)


def _read(
    hosts: Sequence[Host], look: Callable[[Host], Sequence[Any]], kind: str, bare: Any
) -> _Found:
    """Read all hosts; of one that does not answer, what was last read of it, and its words."""
    began, found, words = time.monotonic(), [], []
    for host in hosts:
        try:
            looks = look(host)
        except LabvirtError as error:
            # What was last read of a host whose link is lost is better than nothing.
            looks = [bare(record) for record in host.news.records(kind)]
            text = _("{host}: what is shown is old. {why}").format(host=host.name, why=error.what)
            words.append(parts.status(f"⚠ {text}"))
        found += [Item(host, each) for each in looks]
    return found, words, began


def _network(item: Item) -> str:
    pending = ""
    with contextlib.suppress(LabvirtError):
        pending = item.host.networks[item.record.uuid].pending
    return cells.network_detail(item.look, pending)


def _volume(item: Item) -> str:
    chain: tuple[str, ...] = item.look.chain
    if chain:
        # Images of other pools, or of none, are found by their paths only.
        with contextlib.suppress(LabvirtError):
            volume = item.host.pools[item.record.pool].volumes[item.record.name]
            chain = tuple(map(str, volume.chain()[1:]))
    return cells.volume_detail(item.look, chain)
