"""What is selected in a manager, and the buttons and the menu of what can be done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.host.domain import Domain
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.actions import (
    ACTIONS,
    Act,
    Facts,
    action_of,
    facts_of,
    plans_of,
    why_not,
)
from labvirt.widgets.managing.opened import missing_views
from labvirt.widgets.managing.parts import button, put, show
from labvirt.widgets.managing.telling import selected_text, why_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.widgets.managing.ask import Ask
    from labvirt.widgets.managing.deed import Deed
    from labvirt.widgets.managing.opened import Opened

__all__ = ["Doing"]


class Doing:
    """The toolbar of a manager.

    Args:
        hosts: gives the hosts that are shown.
        selected: gives the UUIDs of the selected domains.
        opened: opens views.
        ask: asks for what an action has to be told.
        deed: where changes are shown and done.
    """

    def __init__(
        self,
        hosts: Callable[[], Sequence[Host]],
        selected: Callable[[], Sequence[str]],
        opened: Callable[[], Opened],
        ask: Ask,
        deed: Deed,
    ) -> None:
        self._hosts, self._selected, self._opened = hosts, selected, opened
        self.ask, self.deed = ask, deed
        self.buttons = {
            act.key: button(_(act.label), _(act.tip), lambda act=act: self.act(act))  # type: ignore[misc]
            for act in ACTIONS
        }
        self.new = button(_("New VM"), _("Make a VM"), self.make, kind="primary")
        self.more = w.ToggleButton(
            value=False,
            description=_("More actions"),
            tooltip=_("Title, description, name, autostart, saved memory, snapshots"),
            layout=w.Layout(width="auto", margin="2px", align_self="flex-start"),
        )
        self.preview = w.Checkbox(
            value=False,
            description=_("Show me the command first"),
            indent=False,
            tooltip=_("Wait for Apply before every change, not only where something is lost"),
            layout=w.Layout(width="auto"),
        )
        self.selection = w.HTML()
        self.reasons = w.HTML()
        usual = [self.buttons[act.key] for act in ACTIONS if not act.rare]
        rare = [self.buttons[act.key] for act in ACTIONS if act.rare]
        wrap = {"flex_flow": "row wrap", "align_items": "center"}
        toolbar = w.HBox([self.new, *usual, self.more], layout=w.Layout(**wrap))
        below = w.HBox(rare, layout=w.Layout(display="none", **wrap))
        for each in (toolbar, below):
            each.add_class("labvirt-toolbar")
        self.more.observe(lambda change: show(below, on=change["new"]), names="value")
        self.parts = (toolbar, below, self.selection, self.preview, self.reasons)

    # -- selected --------------------------------------------------------------------------------

    @property
    def chosen(self) -> tuple[Facts, ...]:
        """What is known of the selected domains; asks nobody."""
        found: list[Facts] = []
        for uuid in self._selected():
            known = [
                facts_of(record, host=host.name, readonly=host.readonly, link=host.state)
                for host in self._hosts()
                if (record := host.news.record("domain", uuid)) is not None
            ]
            # One that has moved may be defined on both hosts: it is where it runs.
            found += sorted(known, key=lambda each: each.state == "shutoff")[:1]
        return tuple(found)

    def reasons_now(self) -> dict[str, str]:
        """Return why each action cannot be done now, by its key; empty where it can."""
        chosen, missing = self.chosen, missing_views()
        others = len({host.name for host in self._hosts()} - {each.host for each in chosen})
        busy = _("something else is under way") if self.deed.is_busy else ""
        return {
            act.key: why_not(act, chosen, others=others, missing=missing)
            or ("" if act.needs else busy)
            for act in ACTIONS
        }

    def enable(self) -> None:
        """Turn on what can be done now, and say of the rest why not."""
        reasons = self.reasons_now()
        for act in ACTIONS:
            why = reasons[act.key]
            tip = parts.REASONED.format(label=_(act.label), why=why) if why else _(act.tip)
            put(self.buttons[act.key], disabled=bool(why), tooltip=tip)
        why = self._no_new()
        put(self.new, disabled=bool(why), tooltip=why or _("Make a VM"))
        put(self.selection, value=parts.status(selected_text(self.chosen)))
        put(self.reasons, value=why_list(reasons))

    def menu(self) -> list[dict[str, str]]:
        """Return the menu of the selected domains: key, label, and why not."""
        reasons = self.reasons_now()
        return [{"key": act.key, "label": _(act.label), "why": reasons[act.key]} for act in ACTIONS]

    def chosen_in_menu(self, key: str) -> None:
        """Do what was chosen in the menu of a view."""
        if key in self.buttons:
            self.act(action_of(key))

    # -- done ------------------------------------------------------------------------------------

    def _writable(self) -> list[Host]:
        return [each for each in self._hosts() if not each.readonly and each.state == "connected"]

    def _no_new(self) -> str:
        if "create" in missing_views():
            return _("this installation has no view for it")
        return "" if self._writable() else _("no host is open for changes")

    def make(self) -> None:
        """Open the form of a new domain, on a selected host if there is one."""
        names = {each.host for each in self.chosen}
        hosts = self._writable()
        best = [each for each in hosts if each.name in names] or hosts
        if best:
            self._opened().view("create", _("New VM"), lambda: best[0])

    def act(self, act: Act) -> bool:
        """Do what a button does with what is selected; returns whether it was begun."""
        chosen = self.chosen
        if self.reasons_now()[act.key]:
            self.enable()
            return False
        hosts = {host.name: host for host in self._hosts()}
        domains = [Domain(hosts[each.host], each.uuid, each.name) for each in chosen]
        if act.needs == "details":
            self._opened().details(domains[0])
            return True
        if act.needs:
            whom: Any = domains if len(domains) > 1 else domains[0]
            self._opened().view(act.needs, self._title(act, domains), lambda: whom)
            return True
        if act.fields:
            self.ask.open(
                act,
                chosen,
                domains,
                tuple(self._hosts()),
                lambda told: self._do(act, domains, told),
            )
            return True
        return self._do(act, domains, {})

    @staticmethod
    def _title(act: Act, domains: Sequence[Domain]) -> str:
        names = ", ".join(each.name for each in domains[:5])
        if len(domains) > 5:
            names += " " + _("and {count} more").format(count=len(domains) - 5)
        return parts.NAMED.format(label=_(act.label), name=names)

    def _do(self, act: Act, domains: Sequence[Domain], options: Any) -> bool:
        return self.deed.propose(
            self._title(act, domains),
            lambda: plans_of(act, domains, options),
            ask=act.destroys or self.preview.value,
            after=lambda: _look_again(domains),
            watch=domains,
        )


def _look_again(domains: Sequence[Domain]) -> None:
    """Read what no event tells of: whether there are snapshots."""
    for domain in domains:
        domain.host.news.look("domain", domain.uuid)
