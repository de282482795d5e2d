"""Adding: the kinds of devices that can be added to a domain, and the form of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from labvirt import model
from labvirt.model.spec import Spec
from labvirt.widgets.forms.choices import Offers
from labvirt.widgets.i18n import N_
from labvirt.widgets.managing.page_forms import AddForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.domain import Domain
    from labvirt.plan import Plan

__all__ = ["KINDS", "HostDeviceChoice", "Kind", "XmlDevice", "add_form"]


class HostDeviceChoice(Spec):
    """A device of the host that the guest shall have."""

    device: str = Field(
        min_length=1, description="name of the device on the host", examples=["pci_0000_00_1f_2"]
    )


class XmlDevice(Spec):
    """A device written as libvirt's XML."""

    xml: str = Field(
        min_length=1,
        description="one device of libvirt's domain XML",
        examples=["<hub type='usb'/>"],
    )


@dataclass(frozen=True)
class Kind:
    """A kind of device that can be added.

    Attributes:
        key: name of the kind.
        label: what it is called.
        spec: what is asked for.
    """

    key: str
    label: str
    spec: type[Spec]


KINDS: Final[tuple[Kind, ...]] = (
    Kind("disk", N_("Disk"), model.DiskSpec),
    Kind("cdrom", N_("CD drive"), model.CdromSpec),
    Kind("floppy", N_("Floppy drive"), model.FloppySpec),
    Kind("interface", N_("Network interface"), model.InterfaceSpec),
    Kind("graphics", N_("Graphical console"), model.GraphicsSpec),
    Kind("video", N_("Graphics card"), model.VideoSpec),
    Kind("sound", N_("Sound card"), model.SoundSpec),
    Kind("input", N_("Keyboard, mouse, tablet"), model.InputSpec),
    Kind("controller", N_("Controller"), model.ControllerSpec),
    Kind("pci", N_("PCI device of the host"), HostDeviceChoice),
    Kind("usb", N_("USB device of the host"), HostDeviceChoice),
    Kind("filesystem", N_("Shared folder"), model.FilesystemSpec),
    Kind("serial", N_("Serial port"), model.SerialSpec),
    Kind("parallel", N_("Parallel port"), model.ParallelSpec),
    Kind("console", N_("Console"), model.ConsoleSpec),
    Kind("channel", N_("Channel"), model.ChannelSpec),
    Kind("watchdog", N_("Watchdog"), model.WatchdogSpec),
    Kind("rng", N_("Random numbers"), model.RngSpec),
    Kind("tpm", N_("TPM"), model.TpmSpec),
    Kind("memballoon", N_("Memory balloon"), model.MemballoonSpec),
    Kind("panic", N_("Panic device"), model.PanicSpec),
    Kind("vsock", N_("Socket to the host (vsock)"), model.VsockSpec),
    Kind("shmem", N_("Shared memory"), model.ShmemSpec),
    Kind("iommu", N_("IOMMU"), model.IommuSpec),
    Kind("smartcard", N_("Smart card reader"), model.SmartcardSpec),
    Kind("redirdev", N_("USB redirection"), model.RedirdevSpec),
    Kind("xml", N_("Another device, as XML"), XmlDevice),
)

_LATER: Final = {
    "later": (
        N_("Only from the next start on"),
        N_("Write it into the stored definition, and leave the running VM as it is"),
        False,
    )
}


def add_form(domain: Domain, kind: Kind) -> AddForm:
    """Return the form that adds a device of a kind: `domain.attach` of what it has.

    Args:
        domain: whose it shall be.
        kind: one of `KINDS`.
    """
    target: Any = domain

    def plan(spec: Any, *, later: bool = False) -> Plan[Any]:
        device: Any
        if isinstance(spec, HostDeviceChoice):
            device = domain.host.devices[spec.device].spec()
        else:
            device = spec.xml if isinstance(spec, XmlDevice) else spec
        made: Plan[Any] = target.attach.plan(device, config=True if later else None)
        return made

    form = AddForm(
        kind.spec, title=kind.label, verb=N_("Add"), plan=plan, host=domain.host, options=_LATER
    )
    form.state.load({"kind": "default"} if kind.key == "interface" else {})
    if kind.key == "disk":
        form.state.load({"source": {"kind": "new-volume"}})
    if kind.spec is HostDeviceChoice:
        form.choices = Offers(domain.host, {"device": lambda: _host_devices(domain, kind.key)})
    return form


def _host_devices(domain: Domain, key: str) -> Sequence[str]:
    """Return the names of the host's PCI or USB devices that can be given away."""
    wanted = {"pci": "pci", "usb": "usb_device"}[key]
    return tuple(one.name for one in domain.host.devices.records if one.type == wanted)
