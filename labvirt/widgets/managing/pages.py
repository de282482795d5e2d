"""Pages of the details: what a domain is, and its hardware (G16.3-01, G16.7-02 to -07)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.errors import Problem, SpecError
from labvirt.model.disk import DiskSpec
from labvirt.model.interface import InterfaceSpec
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.parts import button, facts, heading, pre, put, status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.domain import Domain
    from labvirt.plan import Plan
    from labvirt.widgets.managing.deed import Deed
    from labvirt.widgets.managing.parts import Aside

__all__ = ["STYLE", "HardwarePage", "OverviewPage", "Page"]

STYLE = {"description_width": "12em"}
_WIDE = {"style": STYLE, "layout": {"width": "36em"}}


class Page:
    """One page of a domain: it is read aside, and what it changes goes through the deed.

    Args:
        domain: whose.
        aside: reads.
        deed: where changes are confirmed.
    """

    def __init__(self, domain: Domain, aside: Aside, deed: Deed) -> None:
        self.domain, self._aside, self._deed = domain, aside, deed
        self.words = w.HTML()
        self.changers: list[Any] = []
        self.box = self.build()
        put(self.box, children=(*self.box.children, self.words))

    def build(self) -> w.VBox:
        """Return the widgets."""
        raise NotImplementedError

    def read(self) -> Any:
        """Ask the host for what is shown."""
        raise NotImplementedError

    def draw(self, found: Any) -> None:
        """Show what was read."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Read and draw, aside."""
        self._aside.run(type(self).__name__, self.read, self._drawn, self._failed, latest=True)

    def _drawn(self, found: Any) -> None:
        put(self.words, value="")
        self.draw(found)
        self.enable()

    def _failed(self, error: BaseException) -> None:
        put(self.words, value=parts.alert(parts.told(error)))

    def enable(self) -> None:
        """Let nothing be changed on a host that is open read-only, and say why."""
        host = self.domain.host
        readonly = host.readonly
        for each in self.changers:
            put(each, disabled=readonly)
        if readonly and not self.words.value:
            text = _("{host} is open read-only").format(host=host.name)
            put(self.words, value=status(text))

    def propose(self, title: str, make: Any) -> None:
        """Show a change before it is made, whatever it is."""
        text = parts.NAMED.format(label=title, name=self.domain.name)
        self._deed.propose(text, make, ask=True, after=self.refresh)


class OverviewPage(Page):
    """Name, UUID, state; title, description, tags and autostart can be changed."""

    def build(self) -> w.VBox:
        """Return the widgets."""
        self.facts = w.HTML()
        self.title = w.Text(description=_("Title"), **_WIDE)
        self.description = w.Textarea(description=_("Description"), rows=3, **_WIDE)
        self.tags = w.Text(
            description=_("Tags"), placeholder=_("words, spaces between them"), **_WIDE
        )
        self.autostart = w.Checkbox(
            description=_("Start with the host"),
            indent=False,
            tooltip=_("Start the VM when the host's daemon starts"),
        )
        self.apply = button(_("Apply"), _("Show what would change"), self._apply, kind="primary")
        self.changers = [self.title, self.description, self.tags, self.autostart, self.apply]
        return w.VBox([self.facts, *self.changers])

    def read(self) -> Any:
        """Ask for the record and the stored definition."""
        return self.domain.info(), DomainXml.parse(self.domain.xml(inactive=True))

    def draw(self, found: Any) -> None:
        """Show them."""
        record, document = found
        self._was = {
            "title": record.title,
            "description": document.description or "",
            "tags": " ".join(record.tags),
            "autostart": record.autostart,
        }
        for name, value in self._was.items():
            put(getattr(self, name), value=value)
        shown = [
            (_("Name"), record.name),
            (_("UUID"), record.uuid),
            (_("State"), f"{_(record.state.text)} ({_(record.reason)})"),
            (_("Host"), self.domain.host.name),
            (_("Saved"), record.has_managed_save),
            (_("Persistent"), record.persistent),
            (_("vCPUs"), record.vcpus),
            (_("Memory"), f"{Size(record.memory)} / {Size(record.max_memory)}"),
            (_("Machine"), document.machine or ""),
            (_("Virtualization"), document.type or ""),
        ]
        put(self.facts, value=facts(shown))

    def _apply(self) -> None:
        was = getattr(self, "_was", None)
        if was is None:
            return
        now = {name: getattr(self, name).value for name in was}
        changed = {name: value for name, value in now.items() if value != was[name]}
        if not changed:
            put(self.words, value=status(_("Nothing is other than before.")))
            return
        self.propose(_("Change"), lambda: self._plans(changed))

    def _plans(self, changed: dict[str, Any]) -> Sequence[Plan[Any]]:
        domain: Any = self.domain
        made = {
            "title": lambda value: domain.set_title.plan(value.strip() or None),
            "description": lambda value: domain.set_description.plan(value.strip() or None),
            "tags": lambda value: domain.set_tags.plan(tuple(value.replace(",", " ").split())),
            "autostart": domain.set_autostart.plan,
        }
        return [made[name](value) for name, value in changed.items()]


class HardwarePage(Page):
    """Processors, memory, boot order, and every device: add, remove, what waits for a restart."""

    def build(self) -> w.VBox:
        """Return the widgets."""
        self.vcpus = w.BoundedIntText(min=1, max=4096, description=_("vCPUs in use"), style=STYLE)
        self.max_vcpus = w.BoundedIntText(
            min=1, max=4096, description=_("vCPUs at most"), style=STYLE
        )
        self.memory = w.Text(description=_("Memory in use"), placeholder="256 MiB", style=STYLE)
        self.max_memory = w.Text(
            description=_("Memory at most"), placeholder="512 MiB", style=STYLE
        )
        self.boot = w.Text(description=_("Boot order"), placeholder="hd network", style=STYLE)
        note = _(
            "The maxima and the boot order change at the next start; a running VM must be shut down first."
        )
        self.apply = button(_("Apply"), _("Show what would change"), self._apply, kind="primary")
        self.choice = w.Select(
            options=[], rows=8, description=_("Devices"), layout=w.Layout(width="36em")
        )
        self.choice.observe(lambda _change: self._look(), names="value")
        self.detail = w.HTML()
        self.remove = button(_("Remove"), _("Take the device away"), self._remove)
        self.size = w.Text(
            description=_("New disk"), placeholder="1 GiB", tooltip=_("Its size"), style=STYLE
        )
        self.add_disk = button(_("Add disk"), _("Make a volume and plug it in"), self._add_disk)
        self.source = w.Text(
            description=_("New interface"),
            placeholder=_("default, user, network:NAME, bridge:NAME"),
            tooltip=_("What it is connected to"),
            style=STYLE,
            layout=w.Layout(width="30em"),
        )
        self.add_nic = button(_("Add interface"), _("Plug a network card in"), self._add_nic)
        self.pending = w.HTML()
        edits = [self.vcpus, self.max_vcpus, self.memory, self.max_memory, self.boot]
        self.changers = [
            *edits, self.apply, self.remove, self.size, self.add_disk, self.source, self.add_nic,
        ]  # fmt: skip
        return w.VBox(
            [
                *edits,
                w.HTML(status(note)),
                self.apply,
                self.pending,
                self.choice,
                self.detail,
                self.remove,
                w.HBox([self.size, self.add_disk]),
                w.HBox([self.source, self.add_nic]),
            ]
        )

    def read(self) -> Any:
        """Ask for record, definition, devices, and what waits for a restart."""
        domain = self.domain
        document = DomainXml.parse(domain.xml(inactive=True))
        devices = tuple(domain.devices)
        return domain.info(), document, devices, domain.pending

    def draw(self, found: Any) -> None:
        """Show them."""
        record, document, devices, pending = found
        self._was = {
            "vcpus": record.vcpus,
            "max_vcpus": document.vcpus or 1,
            "memory": str(Size(record.memory)),
            "max_memory": str(Size(record.max_memory)),
            "boot": " ".join(document.boot_order),
        }
        for name, value in self._was.items():
            put(getattr(self, name), value=value)
        self._devices = devices
        lines = tuple(
            (_device_line(each.record, running=record.is_active), number)
            for number, each in enumerate(devices)
        )
        put(self.choice, options=lines)
        self._look()
        waits = heading(_("Changes at the next start (pending)")) + pre(pending) if pending else ""
        put(self.pending, value=waits)

    def _look(self) -> None:
        device = self._device()
        if device is None:
            put(self.detail, value="")
            return
        self._aside.run(
            "device",
            device.xml,
            lambda text: put(self.detail, value=pre(text)),
            self._failed,
            latest=True,
        )

    def _device(self) -> Any:
        number = self.choice.value
        devices: Sequence[Any] = getattr(self, "_devices", ())
        return devices[number] if number is not None and number < len(devices) else None

    def _apply(self) -> None:
        was = getattr(self, "_was", None)
        if was is None:
            return
        now = {name: getattr(self, name).value for name in was}
        changed = {name: value for name, value in now.items() if value != was[name]}
        if not changed:
            put(self.words, value=status(_("Nothing is other than before.")))
            return
        self.propose(_("Change"), lambda: self._plans(changed))

    def _plans(self, changed: dict[str, Any]) -> Sequence[Plan[Any]]:
        """Return one plan for the stored definition, and those for what runs.

        They are all made before the first is applied: the definition comes first, as it would take
        back what the others store.
        """
        domain: Any = self.domain
        running = domain.is_active
        live = {"vcpus", "memory"} if running else set()
        stored = {name: value for name, value in changed.items() if name not in live}
        plans = [self._define(stored)] if stored else []
        if "vcpus" in changed and running:
            plans.append(domain.set_vcpus.plan(changed["vcpus"]))
        if "memory" in changed and running:
            plans.append(domain.set_memory.plan(changed["memory"]))
        return plans

    def _define(self, changed: dict[str, Any]) -> Plan[Any]:
        """Return the plan that stores other processors, memory and boot order."""
        document = DomainXml.parse(self.domain.xml(inactive=True, secure=True))
        most = Size.of(changed.get("max_memory", document.memory or 0))
        used = Size.of(changed.get("memory", document.current_memory or document.memory or most))
        cpus = int(changed.get("max_vcpus", document.vcpus or 1))
        online = int(changed.get("vcpus", document.current_vcpus or document.vcpus or cpus))
        _fits("memory", used, most)
        _fits("vcpus", online, cpus)
        document.memory, document.current_memory = most, used
        document.vcpus = cpus
        document.current_vcpus = online if online != cpus else None
        if "boot" in changed:
            document.boot_order = tuple(changed["boot"].replace(",", " ").split())
        return self.domain.host.define.plan(document.text())

    def _remove(self) -> None:
        device = self._device()
        if device is not None:
            self.propose(
                _("Remove {device}").format(device=device.name),
                lambda: (self.domain.detach.plan(device),),
            )

    def _add_disk(self) -> None:
        asked: dict[str, Any] = {"size": self.size.value}
        self.propose(_("Add disk"), lambda: (self.domain.attach.plan(DiskSpec(**asked)),))

    def _add_nic(self) -> None:
        kind, _colon, source = (self.source.value.strip() or "default").partition(":")
        self.propose(
            _("Add interface"),
            lambda: (self.domain.attach.plan(InterfaceSpec(kind=kind, source=source or None)),),
        )


def _fits(field: str, used: int, most: int) -> None:
    if used > most:
        why = _("is more than at most: {most}").format(most=most)
        raise SpecError(_("change the hardware"), [Problem(field, str(used), why)])


def _device_line(record: Any, *, running: bool) -> str:
    where = ""
    if running and not (record.live and record.stored):
        where = _("running only") if record.live else _("at the next start")
    words = [record.type, record.name, record.what, record.bus, record.source, where]
    return " · ".join(dict.fromkeys(each for each in words if each))
