"""Listing: a table of networks, pools or volumes, its details, and what can be done to one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.preferences import Preferences
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.list_ask import ListAsk
from labvirt.widgets.managing.listed import list_why_not
from labvirt.widgets.managing.parts import button, put
from labvirt.widgets.managing.table import Row, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.widgets.managing.deed import Deed
    from labvirt.widgets.managing.listed import ListAct
    from labvirt.widgets.managing.parts import Aside
    from labvirt.widgets.managing.table import Cell, Column

__all__ = ["LOOK_S", "Item", "Listing", "asks_first"]

#: Seconds after which what has no events (leases, volumes, users) is read again while it is seen.
LOOK_S = 5.0


def asks_first() -> bool:
    """Return whether the user wants every change to wait for Apply."""
    return Preferences.load().confirm == "always"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list: the host, and what is known."""

    host: Host
    look: Any

    @property
    def record(self) -> Any:
        """The record in it."""
        return self.look.record

    @property
    def key(self) -> str:
        """What tells it from every other line."""
        return f"{self.host.name}|{self.record.uuid}"


class Listing:
    """A table, the details of what is selected, and what can be done to it.

    Args:
        name: what it holds, in words.
        columns: its columns.
        cells: the row of an item.
        acts: what can be done.
        find: makes the object of an item, to plan with.
        detail: reads what is shown of an item; may ask its host.
        after: is called when something was done.
        empty: what is said when it holds nothing.
    """

    def __init__(
        self,
        name: str,
        columns: Sequence[Column],
        acts: Sequence[ListAct],
        *,
        cells: Callable[[Item], tuple[Cell, ...]],
        aside: Aside,
        deed: Deed,
        find: Callable[[Item], Any],
        detail: Callable[[Item], str],
        after: Callable[[], object],
        empty: str,
    ) -> None:
        self._aside, self._deed, self._find, self._detail = aside, deed, find, detail
        self._name, self._acts, self._after, self._cells = name, tuple(acts), after, cells
        self._shown: tuple[Any, ...] = ()
        self.items: tuple[Item, ...] = ()
        self.chosen: Callable[[], object] = lambda: None
        self.choice = Table(name, columns, empty=empty, look_s=LOOK_S)
        self.choice.on_select = self._look
        self.ask = ListAsk()
        self.buttons = {
            act.key: button(_(act.label), _(act.tip), lambda act=act: self.go(act))  # type: ignore[misc]
            for act in self._acts
        }
        self.why = w.HTML()
        self.detail = w.HTML(layout=w.Layout(width="100%"))
        self.row = w.HBox(list(self.buttons.values()), layout=w.Layout(flex_flow="row wrap"))
        heading = w.HTML(parts.heading(name))
        self.box = w.VBox(
            [heading, self.choice.widget, self.row, self.why, self.ask.box, self.detail]
        )
        self.enable()

    def set(self, items: Sequence[Item], *, began: float | None = None) -> None:
        """Show these items; what was selected stays selected if it is still there.

        Args:
            items: the items.
            began: when the reading of them began (`time.monotonic`): a long one is not repeated
                soon.
        """
        self.items = tuple(items)
        if began is not None:
            self.choice.spent(time.monotonic() - began)
        self.choice.set([Row(item.key, self._cells(item)) for item in self.items])
        self._look()

    @property
    def item(self) -> Item | None:
        """What is selected."""
        return next((each for each in self.items if each.key == self.choice.selected), None)

    def reasons(self) -> dict[str, str]:
        """Return why each action cannot be done now, by its key; empty where it can."""
        item = self.item
        busy = _("something else is under way") if self._deed.is_busy else ""
        return {
            act.key: list_why_not(
                act,
                item.look if item else None,
                host=item.host.name if item else "",
                readonly=item.host.readonly if item else False,
                link=item.host.state if item else "connected",
            )
            or busy
            for act in self._acts
        }

    def enable(self) -> None:
        """Enable what can be done now; the others say why not."""
        reasons = self.reasons()
        for act in self._acts:
            why = reasons[act.key]
            tip = parts.REASONED.format(label=_(act.label), why=why) if why else _(act.tip)
            put(self.buttons[act.key], disabled=bool(why), tooltip=tip)
        put(self.why, value=parts.reasons_list((_(a.label), reasons[a.key]) for a in self._acts))

    def _look(self) -> None:
        self.enable()
        self.chosen()
        item = self.item
        if item is None:
            self._shown = ()
            put(self.detail, value="")
            return
        if self._shown == (item.key, item.look):
            return
        self._aside.run(
            f"detail {self._name}",
            lambda: (item, self._detail(item)),
            self._told,
            lambda error: put(self.detail, value=fault(error)),
            latest=True,
        )

    def _told(self, found: tuple[Item, str]) -> None:
        item, text = found
        now = self.item
        if now is not None and now.key == item.key:
            self._shown = (item.key, item.look)
            put(self.detail, value=text)

    # -- doing -------------------------------------------------------------------------------------

    def go(self, act: ListAct) -> bool:
        """Do what a button does with what is selected; returns whether it was begun."""
        item = self.item
        if item is None or self.reasons()[act.key]:
            self.enable()
            return False
        if not act.fields:
            return self._do(act, item, {})
        record = item.record
        facts = {
            name: str(getattr(record, name, "")) for name in ("name", "capacity", "pool", "path")
        }
        pools = [one.name for one in item.host.news.records("pool") if one.is_active]
        self.ask.open(act, facts, sorted(pools), lambda told: self._do(act, item, told))
        return True

    def _do(self, act: ListAct, item: Item, options: Any) -> bool:
        return self._deed.propose(
            parts.NAMED.format(label=_(act.label), name=item.record.name),
            lambda: (act.make(self._find(item), **options),),
            ask=act.destroys or bool(act.fields) or asks_first(),
            after=self._after,
        )
