"""The hardware page of the details: the machine's own pages and every device (G16.7-03 to -07)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w

from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing.adding import KINDS, add_form
from labvirt.widgets.managing.boot_order import BootOrder
from labvirt.widgets.managing.page_forms import AddForm, EditForm, PageForm
from labvirt.widgets.managing.pages import Page
from labvirt.widgets.managing.parts import (
    alert,
    button,
    close_tree,
    heading,
    pre,
    put,
    show,
    status,
    unbind_tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PAGES", "HardwarePage"]

#: The pages of the machine: key of `MACHINE_FACTS`, and what it is called.
PAGES: Final = {
    "processors": N_("Processors"),
    "memory": N_("Memory"),
    "boot": N_("Boot"),
    "clock": N_("Clock"),
    "machine": N_("Machine and firmware"),
    "power": N_("Power and crash"),
}


class HardwarePage(Page):
    """Processors, memory, boot, clock, firmware, and every device; what waits for a restart."""

    #: The pages of the machine, and the kinds of devices that can be added, by their keys.
    pages: Final = PAGES
    kinds: Final = {each.key: each for each in KINDS}

    def build(self) -> w.VBox:
        """Return the widgets."""
        self.form: PageForm | None = None
        self._opened = self._wanted = ""
        self._devices: Sequence[Any] = ()
        self.choice = w.Select(
            options=[], rows=16, description=_("Hardware"), layout=w.Layout(width="auto")
        )
        self.choice.style.description_width = "0"
        self.choice.observe(lambda _change: self._look(), names="value")
        self.kind = w.Dropdown(
            options=[(_(each.label), each.key) for each in KINDS],
            description=_("Kind of device"),
            layout=w.Layout(width="auto"),
        )
        self.kind.style.description_width = "0"
        self.add = button(_("Add hardware"), _("Show the form of this kind of device"), self._add)
        self.remove = button(_("Remove"), _("Take the selected device away"), self._remove)
        self.pending = w.HTML()
        self.head = w.HTML()
        self.holder = w.VBox([], layout=w.Layout(min_width="0"))
        self.detail = w.HTML()
        self.order = BootOrder(self.domain, self._deed, self.refresh)
        self.changers = [self.kind, self.add, self.remove]
        left = w.VBox(
            [self.choice, self.remove, self.kind, self.add],
            layout=w.Layout(flex="1 1 16em", max_width="24em", min_width="14em"),
        )
        right = w.VBox(
            [self.head, self.order.box, self.holder, self.detail],
            layout=w.Layout(flex="3 1 26em", min_width="0"),
        )
        show(self.order.box, on=False)
        both = w.HBox([left, right], layout=w.Layout(flex_flow="row wrap", grid_gap="0 16px"))
        return w.VBox([both, self.pending])

    def read(self) -> Any:
        """Ask for devices, boot order, and what waits for a restart."""
        domain: Any = self.domain
        record = domain.info()
        return record, tuple(domain.devices), domain.boot_devices(), domain.pending

    def draw(self, found: Any) -> None:
        """Show them; the form that is open takes note of what holds now."""
        record, devices, order, pending = found
        self._devices = devices
        running = record.is_active
        lines = [(_(label), f"page:{key}") for key, label in PAGES.items()]
        lines += [(_line(each.record, running=running), each.record.uuid) for each in devices]
        adding = isinstance(self.form, AddForm) and not self._wanted
        known = [key for _text, key in lines]
        chosen = self._wanted or self.choice.value
        # In one message: what is selected between two would undo a key pressed in that moment.
        with self.choice.hold_sync():
            if tuple(lines) != tuple(self.choice.options):
                put(self.choice, options=tuple(lines))
            if not adding:
                put(self.choice, value=chosen if chosen in known else known[0])
        self._wanted = ""
        self.order.show(order, readonly=self.domain.host.readonly)
        waits = ""
        if pending:
            waits = heading(_("Changes at the next start (pending)")) + pre(pending)
        put(self.pending, value=waits)
        if adding:
            put(self.choice, value=None)
        elif self._opened != self.choice.value:
            self._look()
        elif isinstance(self.form, EditForm):
            self.form.look_again()

    def enable(self) -> None:
        """Only a device can be taken away."""
        super().enable()
        put(self.remove, disabled=self.remove.disabled or self._device() is None)
        if self.form is not None:
            self.form.hold(self.is_gone)

    # -- one page of it ----------------------------------------------------------------------------

    def open(self, key: str) -> None:
        """Turn to a page: ``processors`` ..., or a device as ``disk/vda``."""
        put(self.choice, value=f"page:{key}" if key in PAGES else key)

    def _device(self) -> Any:
        key = self.choice.value
        return next((each for each in self._devices if each.record.uuid == key), None)

    def _look(self) -> None:
        key = self.choice.value
        if key is None or not getattr(self, "_devices", None):
            return
        self._aside.run(
            "hardware",
            lambda: self._make(key),
            lambda made: self._open(key, *made),
            self._failed,
            latest=True,
        )

    def _make(self, key: str) -> tuple[EditForm | None, str, str]:
        """Read one page; returns its form, a note, and the device's XML."""
        domain: Any = self.domain
        if key.startswith("page:"):
            page = key.removeprefix("page:")
            spec, values = domain.editing(page)
            form = self._edit(
                spec, values, PAGES[page], lambda: domain.editing(page)[1], domain.change.plan
            )
            return form, "", ""
        device = next(each for each in self._devices if each.record.uuid == key)
        kind, spec, values = device.editing()
        text = device.xml(stored=device.record.stored)
        if spec is None:
            note = _("Of {kind} nothing can be changed here; the page XML can.").format(kind=kind)
            return None, note, text
        form = self._edit(
            spec,
            values,
            f"{device.name} · {device.record.what}",
            lambda: device.editing()[2],
            lambda **changes: domain.update.plan(device, **changes),
        )
        return form, "", text

    def _edit(
        self, spec: Any, values: Any, title: str, read: Callable[[], Any], change: Any
    ) -> EditForm:
        return EditForm(spec, values, title=title, host=self.domain.host, read=read, change=change)

    def _open(self, key: str, form: PageForm | None, note: str, text: str) -> None:
        known = self.form is not None and self._opened == key
        if self.choice.value != key or known:
            if form is not None:
                form.close()
        else:
            self._put(form, key)
        if self.choice.value != key:
            return
        put(self.head, value=status(note) if note else "")
        show(self.order.box, on=key == "page:boot")
        put(self.detail, value=_folded(text) if text else "")
        self.enable()

    def _put(self, form: PageForm | None, key: str) -> None:
        """Show a form in the place of the one before."""
        old, self.form, self._opened = self.form, form, key
        before = self.holder.children
        if form is None:
            put(self.holder, children=())
        else:
            if isinstance(form, EditForm):
                form.on_done(lambda _result: self.refresh())
            widget = form.widget
            widget.offer_code()
            put(self.holder, children=(widget,))
            unbind_tree(self.holder)
        if old is not None:
            old.close()
        for each in before:
            close_tree(each)

    # -- adding and removing -------------------------------------------------------------------------

    def _add(self) -> None:
        kind = self.kinds[self.kind.value]
        try:
            form = add_form(self.domain, kind)
        except Exception as error:  # noqa: BLE001 - whatever it is, the page says it
            put(self.words, value=alert(str(error)))
            return
        form.on_done(self._added)
        put(self.choice, value=None)
        self._put(form, f"add:{kind.key}")
        self.enable()
        show(self.order.box, on=False)
        put(self.head, value="")
        put(self.detail, value="")

    def _added(self, device: Any) -> None:
        """Turn to what was added."""
        self._wanted = device.record.uuid
        self.refresh()

    def _remove(self) -> None:
        device = self._device()
        if device is not None:
            target: Any = self.domain
            self.propose(
                _("Remove {device}").format(device=device.name),
                lambda: (target.detach.plan(device),),
            )

    def close(self) -> None:
        """Close the form that is open."""
        form, self.form = self.form, None
        if form is not None:
            form.close()


def _line(record: Any, *, running: bool) -> str:
    where = ""
    if running and not (record.live and record.stored):
        where = _("running only") if record.live else _("at the next start")
    words = [record.type, record.name, record.what, record.bus, record.source, where]
    return " · ".join(dict.fromkeys(each for each in words if each))


def _folded(text: str) -> str:
    from html import escape

    return f"<details><summary>{escape(_('XML of the device'))}</summary>{pre(text)}</details>"
