"""Create a VM: one page or step by step over `DomainSpec`; everything it does is `host.plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import LabvirtError, SpecError
from labvirt.host.movable import movable_plan
from labvirt.model.domain import DomainSpec
from labvirt.model.domain_read import read_domain
from labvirt.model.units import Size
from labvirt.model.virtinstall_read import read_virt_install
from labvirt.preferences import Preferences
from labvirt.widgets.forms.badge import badge
from labvirt.widgets.forms.capacity import advice, numbers
from labvirt.widgets.forms.planning import PlanForm
from labvirt.widgets.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.plan import Plan
    from labvirt.widgets.afterwards import Afterwards
    from labvirt.widgets.forms.raw import Raw
    from labvirt.widgets.forms.tree import Section

__all__ = ["PRESETS", "Create", "create"]

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

#: Key: label, tooltip, and the values that it fills in.
PRESETS: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "tiny": (
        N_("Tiny guest"),
        N_("labvirt's own small Linux with a serial console; boots in seconds"),
        {"memory": "128 MiB", "source": {"kind": "tiny-guest"}},
    ),
    "linux": (
        N_("Linux from a CD"),
        N_("2 GiB of memory, 2 CPUs, a disk of 20 GiB, VNC, installed from an ISO image"),
        {
            "memory": "2 GiB",
            "vcpus": 2,
            "source": {"kind": "iso-install"},
            "disks": [{"source": {"kind": "new-volume", "size": "20 GiB"}}],
            "graphics": {"kind": "vnc"},
        },
    ),
    "windows": (
        N_("Windows from a CD"),
        N_("4 GiB, 2 CPUs, disk on SATA, card e1000e, local time, Hyper-V features"),
        {
            "memory": "4 GiB",
            "vcpus": 2,
            "machine": "q35",
            "source": {"kind": "iso-install"},
            "disks": [{"source": {"kind": "new-volume", "size": "60 GiB"}, "bus": "sata"}],
            "interfaces": [{"model": "e1000e"}],
            "graphics": {"kind": "vnc"},
            "clock": {"offset": "localtime"},
            "features": {"hyperv": True},
        },
    ),
    "image": (
        N_("Existing image"),
        N_("1 GiB of memory over an image that has a system in it"),
        {"memory": "1 GiB", "source": {"kind": "import-image"}},
    ),
    "example": (
        N_("Guide, example 2.1"),
        N_("756 MiB, disk of 6 GiB, CD drive /dev/sr0, VNC: as in the guide"),
        {
            "name": "rhel3support",
            "memory": "756 MiB",
            "source": {"kind": "iso-install", "path": "/dev/sr0"},
            "disks": [{"source": {"kind": "new-volume", "size": "6 GiB"}}],
            "graphics": {"kind": "vnc"},
        },
    ),
}


def create(host: Any, spec: DomainSpec | None = None) -> Create:
    """Return a form that makes a VM on a host (G2.2-03 to G2.2-13).

    One page, or step by step; presets; from a virt-install line of 2009 or of today, or from XML.
    It shows the plan as steps, XML, virsh, virt-install and Python before anything is made, and
    `host.plan(spec).start()` is all that its button does.

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
            plan=lambda spec, *, start, **_shown: host.plan(spec, start=start),
            host=host,
            sections=SECTIONS,
            options={
                "start": (start, text, True),
                "open": (after, more, Preferences.load().console_auto_open != "never"),
            },
        )
        self.on_done(self._open)
        self._notes: tuple[str, ...] = ()

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

    def more(self) -> dict[str, Any]:
        """Return presets, the host's numbers and what would be too much for it."""
        offer = self.choices.offer
        notes: list[tuple[str, str]] = [("info", text) for text in self._notes]
        if offer is not None:
            notes.append(("info", numbers(offer)))
            notes += [("warning", text) for text in advice(offer, *self._size())]
            notes += [("info", text) for text in offer.lacking]
        return {
            **super().more(),
            "presets": [[key, _(label), _(tip)] for key, (label, tip, _v) in PRESETS.items()],
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
        lost = (*left, *self.state.load(data))
        self._say_taken(lost)
        return lost

    def preset(self, name: str) -> None:
        """Fill in the values of a preset; the name that was given stays.

        Raises:
            SpecError: there is no such preset.
        """
        if name not in PRESETS:
            raise SpecError(f"create: no preset {name!r:.60}", hint=", ".join(PRESETS))
        with self._lock:
            names = ("name", "title")
            kept: dict[str, Raw] = {
                key: value for key, value in self.state.raw.items() if key in names
            }
            self.state.load(PRESETS[name][2])
            self.state.raw |= kept
        self._notes = ()
        self._update()

    def pressed(self, name: str, value: str) -> None:
        """Do what a button stands for."""
        if name == "preset":
            self.preset(value)
        elif name == "import":
            self.take_over(value)
        else:
            super().pressed(name, value)

    def clear(self) -> None:
        """Take everything away that was given."""
        self._notes = ()
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
