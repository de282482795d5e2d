"""Tabs of networks and storage: a list on the left, what is selected on the right (G16.14-01)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.errors import LabvirtError
from labvirt.host.collection import age
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.listed import NETWORK, POOL, VOLUME, ListAct, list_why_not
from labvirt.widgets.managing.parts import button, put
from labvirt.widgets.quantity import shown as quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.widgets.managing.deed import Deed
    from labvirt.widgets.managing.parts import Aside

__all__ = ["NetworkTab", "StorageTab"]


@dataclass(frozen=True, slots=True)
class _Item:
    """One line of a list: the host, and the record as it was read."""

    host: Host
    record: Any

    @property
    def key(self) -> tuple[str, str]:
        return self.host.name, str(getattr(self.record, "uuid", self.record.name))


class _Listing:
    """A list, its details, and what can be done to the selected one.

    Args:
        name: what it holds, in words.
        acts: what can be done.
        find: makes the object of an item, to plan with.
        detail: reads what is shown of an item; may ask its host.
    """

    def __init__(
        self,
        name: str,
        acts: Sequence[ListAct],
        *,
        aside: Aside,
        deed: Deed,
        find: Callable[[_Item], Any],
        detail: Callable[[_Item], str],
        after: Callable[[], object],
        rows: int = 8,
    ) -> None:
        self._aside, self._deed, self._find, self._detail = aside, deed, find, detail
        self._name, self._acts, self._after = name, tuple(acts), after
        self.items: tuple[_Item, ...] = ()
        self.chosen: Callable[[], object] = lambda: None
        self.choice = w.Select(
            options=[], rows=rows, description=name,
            layout=w.Layout(width="32em"), style={"description_width": "6em"},
        )  # fmt: skip
        self.buttons = {
            act.key: button(_(act.label), _(act.tip), lambda act=act: self._go(act))  # type: ignore[misc]
            for act in self._acts
        }
        self.detail = w.HTML(layout=w.Layout(flex="1 1 24em", min_width="20em"))
        self.row = w.HBox(list(self.buttons.values()), layout=w.Layout(flex_flow="row wrap"))
        self.box = w.VBox(
            [
                w.HBox([self.choice, self.detail], layout=w.Layout(flex_flow="row wrap")),
                self.row,
            ]
        )
        self.choice.observe(lambda _change: self._look(), names="value")
        self._look()

    def set(self, items: Sequence[_Item], line: Callable[[_Item], str]) -> None:
        """Show these items; what was selected stays selected if it is still there."""
        before = self.item
        self.items = tuple(items)
        names = tuple((line(each), number) for number, each in enumerate(self.items))
        with self.choice.hold_trait_notifications():
            put(self.choice, options=names)
        keys = [each.key for each in self.items]
        at = keys.index(before.key) if before is not None and before.key in keys else 0
        put(self.choice, value=at if keys else None)
        self._look()

    @property
    def item(self) -> _Item | None:
        """What is selected."""
        number = self.choice.value
        return self.items[number] if number is not None and number < len(self.items) else None

    def enable(self) -> None:
        """Enable what can be done now; the others say why not."""
        item = self.item
        for act in self._acts:
            why = list_why_not(
                act,
                item.record if item else None,
                host=item.host.name if item else "",
                readonly=item.host.readonly if item else False,
                link=item.host.state if item else "connected",
            )
            if self._deed.is_busy:
                why = why or _("something else is under way")
            tip = parts.REASONED.format(label=_(act.label), why=why) if why else _(act.tip)
            put(self.buttons[act.key], disabled=bool(why), tooltip=tip)

    def _look(self) -> None:
        self.enable()
        self.chosen()
        item = self.item
        if item is None:
            put(self.detail, value=f"<p>{_('Nothing here.')}</p>")
            return
        self._aside.run(
            f"detail {self._name}",
            lambda: (item, self._detail(item)),
            self._told,
            lambda error: put(self.detail, value=parts.alert(parts.told(error))),
            latest=True,
        )

    def _told(self, found: tuple[_Item, str]) -> None:
        now = self.item
        if now is not None and now.key == found[0].key:
            put(self.detail, value=found[1])

    def _go(self, act: ListAct) -> None:
        item = self.item
        if item is None:
            return
        self._deed.propose(
            parts.NAMED.format(label=_(act.label), name=item.record.name),
            lambda: (act.make(self._find(item)),),
            ask=act.destroys,
            after=self._after,
        )


class NetworkTab:
    """The virtual networks of all hosts, with leases and guests."""

    def __init__(self, aside: Aside, deed: Deed, hosts: Callable[[], Sequence[Host]]) -> None:
        self._aside, self._hosts = aside, hosts
        self.list = _Listing(
            _("Networks"), NETWORK, aside=aside, deed=deed, after=self.refresh,
            find=lambda item: item.host.networks[item.record.uuid], detail=_network,
        )  # fmt: skip
        self.words = w.HTML()
        self.again = button(_("Refresh"), _("Read the networks anew"), self.refresh)
        self.new = button(_("New network"), _("Make a virtual network"), lambda: None)
        self.list.row.children = (*self.list.row.children, self.again, self.new)
        self.box = w.VBox([self.list.box, self.words])

    def refresh(self) -> None:
        """Read the networks, aside."""
        self._aside.run(
            "networks",
            lambda: _read(self._hosts(), "networks"),
            self._show,
            self._failed,
            latest=True,
        )

    def _show(self, items: Sequence[_Item]) -> None:
        put(self.words, value="")
        self.list.set(items, _network_line)

    def _failed(self, error: BaseException) -> None:
        put(self.words, value=parts.alert(parts.told(error)))


class StorageTab:
    """The pools of all hosts, their volumes, and who uses them."""

    def __init__(self, aside: Aside, deed: Deed, hosts: Callable[[], Sequence[Host]]) -> None:
        self._aside, self._hosts = aside, hosts
        self.list = _Listing(
            _("Pools"), POOL, aside=aside, deed=deed, after=self.refresh,
            find=lambda item: item.host.pools[item.record.uuid], detail=_pool, rows=5,
        )  # fmt: skip
        self.volumes = _Listing(
            _("Volumes"), VOLUME, aside=aside, deed=deed, after=self._volumes,
            find=lambda item: item.host.pools[item.record.pool].volumes[item.record.name],
            detail=_volume,
        )  # fmt: skip
        self.list.chosen = self._volumes
        self.again = button(
            _("Refresh"), _("Let the host look for volumes that came or went"), self._look_again
        )
        self.new = button(_("New pool"), _("Make a storage pool"), lambda: None)
        self.new_volume = button(_("New volume"), _("Make a volume in this pool"), lambda: None)
        self.list.row.children = (*self.list.row.children, self.again, self.new)
        self.volumes.row.children = (*self.volumes.row.children, self.new_volume)
        self.words = w.HTML()
        self.box = w.VBox([self.list.box, self.volumes.box, self.words])

    def refresh(self) -> None:
        """Read the pools, aside."""
        self._aside.run(
            "pools", lambda: _read(self._hosts(), "pools"), self._show, self._failed, latest=True
        )

    def _show(self, items: Sequence[_Item]) -> None:
        put(self.words, value="")
        self.list.set(items, _pool_line)

    def _look_again(self) -> None:
        item = self.list.item
        if item is None:
            self.refresh()
            return
        pool = item

        def look() -> list[_Item]:
            # A pool that is stopped, and a read-only link, have nothing to look for.
            with contextlib.suppress(LabvirtError):
                pool.host.pools[pool.record.uuid].refresh()
            return _read(self._hosts(), "pools")

        self._aside.run("pools", look, self._show, self._failed)

    def _volumes(self) -> None:
        item = self.list.item
        if item is None or not item.record.is_active:
            self.volumes.set((), lambda each: str(each.record.name))
            return
        pool = item

        def read() -> tuple[_Item, list[_Item]]:
            found = pool.host.pools[pool.record.uuid].volumes.records
            return pool, [_Item(pool.host, record) for record in found]

        self._aside.run("volumes", read, self._volumes_read, self._failed, latest=True)

    def _volumes_read(self, found: tuple[_Item, list[_Item]]) -> None:
        now = self.list.item
        if now is not None and now.key == found[0].key:
            self.volumes.set(found[1], _volume_line)

    def _failed(self, error: BaseException) -> None:
        put(self.words, value=parts.alert(parts.told(error)))


def _read(hosts: Sequence[Host], what: str) -> list[_Item]:
    found = []
    for host in hosts:
        try:
            records = getattr(host, what).records
        except LabvirtError:
            # What was last read of a host whose link is lost is better than nothing.
            records = host.news.records(what.rstrip("s"))
        found += [_Item(host, record) for record in sorted(records, key=lambda one: one.name)]
    return found


def _line(item: _Item, *words: str) -> str:
    return " · ".join([item.record.name, *(each for each in words if each), item.host.name])


def _network_line(item: _Item) -> str:
    active = _("active") if item.record.is_active else _("inactive")
    return _line(item, active, item.record.forward)


def _pool_line(item: _Item) -> str:
    return _line(item, _("active") if item.record.is_active else _("inactive"), item.record.type)


def _volume_line(item: _Item) -> str:
    return f"{item.record.name} · {bytes_text(item.record.capacity)} · {item.record.format}"


def bytes_text(count: float) -> str:
    """Return bytes as people read them."""
    return quantity(float(count), "B")


def _network(item: _Item) -> str:
    record = item.record
    network = item.host.networks[record.uuid]
    shown = parts.facts(
        [
            (_("Name"), record.name),
            (_("UUID"), record.uuid),
            (_("State"), _("active") if record.is_active else _("inactive")),
            (_("Autostart"), record.autostart),
            (_("Forwarding"), record.forward),
            (_("Bridge"), record.bridge),
            (_("Read"), age(record.read_at)),
        ]
    )
    leases = list(network.leases()) if record.is_active else []
    guests = list(network.guests())
    shown += parts.grid(
        _("Leases"), [_("MAC address"), _("Address"), _("Name")],
        [(each.mac, f"{each.address}/{each.prefix}", each.hostname) for each in leases],
        _("No leases."),
    )  # fmt: skip
    shown += parts.grid(
        _("VMs on it"), [_("VM"), _("MAC address"), _("Running")],
        [(each.domain, each.mac, each.is_active) for each in guests],
        _("No VM is connected to it."),
    )  # fmt: skip
    return shown


def _pool(item: _Item) -> str:
    record = item.record
    capacity, taken = int(record.capacity), int(record.allocation)
    pairs = [
        (_("Name"), record.name),
        (_("UUID"), record.uuid),
        (_("Type"), record.type),
        (_("State"), _(record.state.value)),
        (_("Autostart"), record.autostart),
        (_("Path"), record.path),
    ]
    if capacity:
        pairs.append(
            (
                _("Space"),
                _("{taken} of {all} taken ({percent:.0f} %), {free} free").format(
                    taken=bytes_text(taken),
                    all=bytes_text(capacity),
                    percent=100 * taken / capacity,
                    free=bytes_text(record.available),
                ),
            )
        )
    shown = parts.facts(pairs)
    if capacity:
        shown += (
            f"<meter min='0' max='{capacity}' value='{taken}' style='width:24em' "
            f"aria-label='{_('Space taken')}'></meter>"
        )
    return shown


def _volume(item: _Item) -> str:
    record = item.record
    volume = item.host.pools[record.pool].volumes[record.name]
    shown = parts.facts(
        [
            (_("Name"), record.name),
            (_("Path"), record.path),
            (_("Format"), record.format),
            (_("Capacity"), bytes_text(record.capacity)),
            (_("Allocated"), bytes_text(record.allocation)),
            (_("Backing image"), record.backing_path),
        ]
    )
    users = [(each.name, each.how, each.active) for each in volume.users()]
    return shown + parts.grid(
        _("Used by"), [_("Who"), _("As"), _("Running")], users, _("Nobody uses it.")
    )
