"""Create a VM: one page or step by step over `DomainSpec`; everything it does is `host.plan`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

from labvirt.errors import LabvirtError, SpecError
from labvirt.host.movable import movable_plan
from labvirt.install.oslist import has_osinfo, known_oses
from labvirt.model.domain import DomainSpec
from labvirt.model.domain_read import read_domain
from labvirt.model.osinfo import GuestOs, find_os, like
from labvirt.model.units import Size
from labvirt.model.virtinstall_read import read_virt_install
from labvirt.preferences import Preferences
from labvirt.widgets.forms.badge import badge
from labvirt.widgets.forms.capacity import advice, numbers, room
from labvirt.widgets.forms.given_presets import PRESETS
from labvirt.widgets.forms.planning import PlanForm
from labvirt.widgets.forms.presets import Presets
from labvirt.widgets.forms.systems import fill, too_little
from labvirt.widgets.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.plan import Plan
    from labvirt.widgets.afterwards import Afterwards
    from labvirt.widgets.forms.raw import Raw
    from labvirt.widgets.forms.tree import Section

__all__ = ["PRESETS", "Create", "create"]

_LONGEST: Final = 200
_OWN: Final = "own:"
SECTIONS: Final[tuple[Section, ...]] = (
    ("general", N_("General"), ("name", "title", "description", "tags")),
    ("system", N_("Where the system comes from"), ("source", "boot")),
    ("size", N_("Memory and processors"), ("memory", "vcpus", "max_vcpus", "cpu")),
    ("disks", N_("Storage"), ("disks",)),
    ("network", N_("Network"), ("interfaces",)),
    ("screen", N_("Consoles"), ("graphics", "video", "serial")),
    (
        "machine",
        N_("Machine and firmware"),
        ("firmware", "secure_boot", "machine", "virt", "arch", "features", "clock"),
    ),
    (
        "more",
        N_("Other devices and behaviour"),
        (
            *("agent", "balloon", "rng", "watchdog", "current_memory", "hugepages"),
            *("shared_memory", "on_poweroff", "on_reboot", "on_crash", "uuid"),
        ),
    ),
)


def create(host: Any, spec: DomainSpec | None = None) -> Create:
    """Return a form that makes a VM on a host (G2.2-03 to G2.2-13).

    One page, or step by step; presets, one's own too; from a virt-install line of 2009 or of today,
    or from XML; the operating system fills in what it needs. It shows the plan as steps, XML, virsh,
    virt-install and Python (which goes into a new cell) before anything is made, says whether the
    VM could migrate, and `host.plan(spec).start()` is all that its button does. Then the console
    opens below it, or the details of a VM that is only defined.

    Args:
        host: where; a read-only one disables the button and says why.
        spec: what the form is filled with at first.

    Raises:
        SpecError: `host` is no host.
    """
    if not hasattr(host, "plan") or not hasattr(host, "domains"):
        raise SpecError(f"create: {type(host).__name__} is no host", hint="lv.connect(...)")
    made = Create(host)
    if spec is not None:
        made.load(spec)
    return made


class Create(PlanForm[DomainSpec]):
    """The form that makes a VM; see `create`."""

    _own: ClassVar[frozenset[str]] = frozenset({"open"})

    def __init__(self, host: Any) -> None:
        start = N_("Start it when it is made")
        text = N_("Off: it is only defined, and can be changed before its first start")
        after = N_("Open its console when it is made")
        more = N_("Below this form; of one that is only defined its details, with every device")
        self._after: Afterwards | None = None
        super().__init__(
            DomainSpec,
            title=N_("Create a virtual machine"),
            verb=N_("Create VM"),
            plan=host.plan,
            host=host,
            sections=SECTIONS,
            options={
                "start": (start, text, True),
                "open": (after, more, Preferences.load().console_auto_open != "never"),
            },
        )
        self.on_done(self._open)
        self._notes: tuple[str, ...] = ()
        self.presets = Presets("DomainSpec")
        self._os = ""
        self._oses: tuple[GuestOs, ...] = ()
        self._filled: dict[str, Raw] = {}

    @property
    def widget(self) -> Any:
        """The form, and below it the place where the console of what was made opens."""
        from labvirt.widgets.afterwards import Afterwards

        live = super().widget
        with self._lock:
            if self._after is None:
                self._after = Afterwards(live)
            return self._after.box

    @property
    def opened(self) -> Any:
        """The console or the details that opened below the form; None when there is none."""
        return self._after.view if self._after is not None else None

    def close(self) -> None:
        """End the form, and what opened below it. Twice is harmless."""
        super().close()
        with self._lock:
            after, self._after = self._after, None
        if after is not None:
            after.close()

    def judged(self, plan: Plan[Any]) -> dict[str, Any]:
        """Return whether what is made could be migrated."""
        try:
            found = movable_plan(self.host, plan)
        except LabvirtError:
            found = None
        return {"badge": badge(found)} if found is not None else {}

    def _open(self, domain: Any) -> None:
        if self._after is not None and self.options["open"]:
            self._after.open(domain, started=self.options["start"])

    @property
    def system(self) -> GuestOs | None:
        """The operating system that was chosen; None when none was, or none of that name is known."""
        return find_os(self._os, self._known_systems()) if self._os else None

    def set(self, path: str, value: Any) -> None:
        """Give a value; see `PlanForm.set`. ``@os`` is the operating system, by name or short id.

        What it needs is filled in where nobody has given anything.
        """
        if path != "@os":
            super().set(path, value)
            return
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise SpecError("the form: the operating system must be text of a line")
        with self._lock:
            self._os = value.strip()
            found = self.system
            if found is not None:
                self._filled = fill(self.state, found, self._filled)
        self._update()

    def _known_systems(self) -> tuple[GuestOs, ...]:
        if not self._oses:
            self._oses = known_oses()
        return self._oses

    def _ask_host(self) -> None:
        self._known_systems()
        super()._ask_host()

    def _system_node(self) -> dict[str, Any]:
        """Return the control of the operating system."""
        text = _("Search by name. Memory, disk and devices are filled in where nothing was given")
        if self._oses and not has_osinfo():
            text += ". " + _("A short list: this machine has no osinfo-db")
        unknown = bool(self._os) and self.system is None
        return {
            "path": "@os",
            "kind": "text",
            "label": _("Operating system"),
            "help": text + ".",
            "value": self._os,
            "given": bool(self._os),
            "required": False,
            "error": _("No such system is known; nothing is filled in") if unknown else "",
            "example": "Debian 12",
            "more": False,
            "offered": [each.name for each in like(self._os, self._oses)] or ["Debian 12"],
        }

    def more(self) -> dict[str, Any]:
        """Return presets, the host's numbers and what would be too much for it."""
        offer = self.choices.offer
        notes: list[tuple[str, str]] = [("info", text) for text in self._notes]
        if offer is not None:
            notes += [("info", text) for text in (numbers(offer), room(offer)) if text]
            notes += [("warning", text) for text in advice(offer, *self._size())]
            notes += [("info", text) for text in offer.lacking]
        if self.system is not None:
            notes += [("warning", text) for text in too_little(self.state, self.system)]
        mine = self.presets.names()
        tip = _("Your own preset")
        return {
            **super().more(),
            "tops": [self._system_node()],
            "presets": [
                *([key, _(label), _(tip)] for key, (label, tip, _v) in PRESETS.items()),
                *([f"{_OWN}{name}", name, tip] for name in mine),
            ],
            "mine": list(mine),
            "can_import": True,
            "notes": notes,
        }

    def take_over(self, text: str) -> tuple[str, ...]:
        """Fill the form from a virt-install line or from libvirt's XML; return what was left out.

        UUID and MAC addresses are not taken over: the new VM gets its own.

        Raises:
            SpecError: it is neither.
        """
        found, left = (
            read_domain(text) if text.lstrip().startswith("<") else read_virt_install(text)
        )
        data = {name: value for name, value in found.items() if name != "uuid"}
        for link in data.get("interfaces", ()):
            link.pop("mac", None)
        with self._lock:
            lost = (*left, *self.state.load(data))
            self._os, self._filled = _system_of(text), {}
        self._say_taken(lost)
        return lost

    def preset(self, name: str) -> None:
        """Fill in the values of a preset; the name that was given stays.

        Args:
            name: key of one that comes with the form, or ``own:`` and the name of one's own.

        Raises:
            SpecError: there is no such preset.
        """
        is_own = name.startswith(_OWN)
        if not is_own and name not in PRESETS:
            raise SpecError(f"create: no preset {name!r:.60}", hint=", ".join(PRESETS))
        with self._lock:
            kept: dict[str, Raw] = {
                key: value for key, value in self.state.raw.items() if key in {"name", "title"}
            }
            if is_own:
                self.presets.load(name.removeprefix(_OWN), self.state)
            else:
                self.state.load(PRESETS[name][2])
            self.state.raw |= kept
            self._os, self._filled = "", {}
        self._notes = ()
        self._update()

    def save_preset(self, name: str) -> tuple[str, ...]:
        """Keep what is given now as a preset of one's own; return the secrets left out.

        Raises:
            SpecError: no such name can be.
            HostError: the folder cannot be written.
        """
        with self._lock:
            left = self.presets.save(name, self.state)
        said = [_("Saved as preset “{name}”").format(name=" ".join(name.split()))]
        if left:
            said.append(_("without secrets: {what}").format(what=", ".join(left)))
        self.say(", ".join(said) + ".")
        self.refresh()
        return left

    def delete_preset(self, name: str) -> None:
        """Forget a preset of one's own.

        Raises:
            SpecError: there is none of that name.
        """
        self.presets.delete(name)
        self.say(_("Preset “{name}” is deleted.").format(name=name))
        self.refresh()

    def pressed(self, name: str, value: str) -> None:
        """Do what a button stands for."""
        does = {
            "preset": self.preset,
            "import": self.take_over,
            "save-preset": self.save_preset,
            "delete-preset": self.delete_preset,
        }
        if name in does:
            does[name](value)
        else:
            super().pressed(name, value)

    def clear(self) -> None:
        """Take everything away that was given."""
        self._notes, self._os, self._filled = (), "", {}
        super().clear()

    def _say_taken(self, lost: tuple[str, ...]) -> None:
        said = [_("Taken over. Look at it, then press the button.")]
        if lost:
            said.append(_("Not taken over: {what}").format(what="; ".join(lost)))
        self._notes = tuple(said)
        self._update()

    def _size(self) -> tuple[int, int]:
        """Return memory in bytes and virtual CPUs as given; 0 for what cannot be read."""
        data: Mapping[str, Any] = self.state.data()
        try:
            memory = int(Size.parse(str(data.get("memory", "0 B"))))
        except SpecError:
            memory = 0
        vcpus = data.get("vcpus", 1)
        return memory, vcpus if isinstance(vcpus, int) else 0


def _system_of(line: str) -> str:
    """Return the operating system that a virt-install line names; empty when it names none."""
    found = re.search(r"--(?:os-variant|osinfo)[= ]\s*['\"]?(?:name=|short-id=)?([\w.-]+)", line)
    known = find_os(found[1], known_oses()) if found else None
    return known.name if known is not None else ""
