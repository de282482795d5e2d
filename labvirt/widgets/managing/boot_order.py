"""The boot order of a domain: devices are ticked and moved, by mouse or by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.errors import ConflictError
from labvirt.widgets.i18n import _
from labvirt.widgets.managing.parts import NAMED, button, put, status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.domain import Domain
    from labvirt.widgets.managing.deed import Deed

__all__ = ["BootOrder"]


class BootOrder:
    """A list of devices with their places; Up, Down and the switch change the selected one.

    Args:
        domain: whose.
        deed: where the change is confirmed.
        after: is called when it was made.
    """

    def __init__(self, domain: Domain, deed: Deed, after: Callable[[], object]) -> None:
        self.domain, self._deed, self._after = domain, deed, after
        self._was: tuple[str, ...] = ()
        self.order: list[str] = []
        self._whats: dict[str, str] = {}
        self._is_readonly = False
        self.choice = w.Select(
            options=[], rows=6, description=_("Boot from"), layout=w.Layout(width="auto")
        )
        self.choice.observe(lambda _change: self._enable(), names="value")
        self.up = button(_("Up"), _("Boot from the selected device earlier"), lambda: self.move(-1))
        self.down = button(
            _("Down"), _("Boot from the selected device later"), lambda: self.move(1)
        )
        self.switch = button(
            _("Boot from it: yes or no"),
            _("Take the selected device into the order, or out of it"),
            self.toggle,
        )
        self.revert = button(_("Revert edits"), _("Show the order that is stored"), self._revert)
        self.apply = button(_("Apply order"), _("Show what would change"), self._apply)
        self.words = w.HTML()
        knobs = w.HBox(
            [self.up, self.down, self.switch, self.apply, self.revert],
            layout=w.Layout(flex_flow="row wrap"),
        )
        self.box = w.VBox([self.choice, knobs, self.words])

    def show(self, devices: Sequence[tuple[str, str, int | None]], *, readonly: bool) -> None:
        """Show what is stored: name, what it is, place; an order that was changed here stays.

        Args:
            devices: as `Domain.boot_devices` gives them.
            readonly: nothing may be changed.
        """
        self._is_readonly = readonly
        self._whats = {name: what for name, what, _place in devices}
        stored = tuple(name for name, _what, place in devices if place is not None)
        edited = tuple(self.order) not in {self._was, stored}
        text = _("Somebody else has changed the order meanwhile: Revert shows what holds now.")
        if not edited or stored != self._was:
            put(self.words, value=status(text) if edited else "")
        self._was = stored
        if not edited:
            self.order = list(stored)
        self.order = [name for name in self.order if name in self._whats]
        self._draw()

    def move(self, step: int) -> None:
        """Move the selected device up (-1) or down (1)."""
        name = self.choice.value
        if name not in self.order:
            return
        at = self.order.index(name)
        to = min(max(0, at + step), len(self.order) - 1)
        self.order.insert(to, self.order.pop(at))
        self._draw()

    def toggle(self) -> None:
        """Take the selected device into the order, or out of it."""
        name = self.choice.value
        if name in self.order:
            self.order.remove(name)
        elif name is not None:
            self.order.append(name)
        self._draw()

    def _revert(self) -> None:
        self.order = list(self._was)
        put(self.words, value="")
        self._after()
        self._draw()

    def _draw(self) -> None:
        chosen = self.choice.value
        rest = [name for name in self._whats if name not in self.order]
        lines = [
            (f"{at}. {name} · {self._whats[name]}", name) for at, name in enumerate(self.order, 1)
        ]
        lines += [(f"-  {name} · {self._whats[name]}", name) for name in rest]
        if tuple(lines) != tuple(self.choice.options):
            put(self.choice, options=tuple(lines))
        if chosen in self._whats and self.choice.value != chosen:
            put(self.choice, value=chosen)
        self._enable()

    def _enable(self) -> None:
        name: Any = self.choice.value
        at = self.order.index(name) if name in self.order else None
        off = self._is_readonly
        put(self.up, disabled=off or not at)
        put(self.down, disabled=off or at is None or at == len(self.order) - 1)
        put(self.switch, disabled=off or name is None)
        same = tuple(self.order) == self._was
        put(self.apply, disabled=off or same)
        put(self.revert, disabled=same)

    def _apply(self) -> None:
        target: Any = self.domain
        wanted, was = tuple(self.order), self._was

        def make() -> Sequence[Any]:
            now = tuple(name for name, _what, place in target.boot_devices() if place is not None)
            if now != was:
                raise ConflictError(
                    _("set the boot order of {name}").format(name=target.name),
                    libvirt_text=_("somebody else has changed it meanwhile"),
                    hint=_("Revert shows what holds now; nothing was overwritten"),
                )
            return (target.set_boot_order.plan(wanted),)

        title = NAMED.format(label=_("Boot order"), name=self.domain.name)
        self._deed.propose(title, make, ask=True, after=self._after)
