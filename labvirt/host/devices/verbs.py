"""Device verbs of a domain: what it has, plugging in and out, changing, room for more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain_devices
from labvirt.errors import SpecError, UnsupportedError
from labvirt.host.clones.inside import InsideVerbs
from labvirt.host.collection import Table
from labvirt.host.devices.attaching import DIES, dies_of_virtiofs, plan_attach
from labvirt.host.devices.detaching import plan_detach
from labvirt.host.devices.device import Device, Devices
from labvirt.host.devices.device_actions import ChangeDefinition
from labvirt.host.devices.updating import plan_update
from labvirt.host.handle import python_call
from labvirt.model.arguments import Count, checked
from labvirt.model.hotplug import kinds, room_of
from labvirt.model.xml.devices import ControllerXml
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    import pandas as pd

    from labvirt.host.devices.attaching import HasXml
    from labvirt.model.hotplug import Room, Verdict

__all__ = ["DeviceVerbs", "HotplugReport"]

_TABLE = Table(
    "kind",
    [
        ("type", "", lambda v: v.type),
        ("bus", "", lambda v: v.bus),
        ("can", "", lambda v: v.can),
        ("why", "", lambda v: v.why),
    ],
)


@dataclass(frozen=True)
class HotplugReport:
    """What can be plugged into a running domain now.

    Attributes:
        name: the domain.
        room: free PCI slots or ports (G9-02).
        verdicts: each kind of device.
    """

    name: str
    room: Room
    verdicts: tuple[Verdict, ...]

    @property
    def df(self) -> pd.DataFrame:
        """One row for each kind and bus: can it be plugged, and why not."""
        return _TABLE.frame(self.verdicts)

    def __str__(self) -> str:
        """Return the report as text."""
        lines = [f"{self.name} ({self.room.machine}): {self.room}"]
        lines += [
            f"  {one.type} {one.bus}: {'yes' if one.can else 'no, ' + one.why}"
            for one in self.verdicts
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        words = escape(f"{self.name} ({self.room.machine}): {self.room}")
        return _TABLE.html(self.verdicts, words)


class DeviceVerbs(InsideVerbs):
    """Verbs that change the devices of a domain, running and stored."""

    @property
    def devices(self) -> Devices:
        """The devices, by name (``vda``, a MAC address, ``rng0``), alias, source, or sole kind."""
        return Devices(self)

    @verb
    def attach(
        self, device: str | HasXml, *, live: bool | None = None, config: bool | None = None
    ) -> Plan[Device]:
        """Plug a device in (G15-31, G4.2-11).

        Left open in a spec and decided here: the target of a disk (the next free one), the MAC
        address, the index of a controller, the controller that a SCSI disk needs. Addresses are
        libvirt's.

        Args:
            device: a spec (``DiskSpec``, ``InterfaceSpec``, ``RngSpec`` ...), or XML.
            live: plug it into the running domain.
            config: add it to the stored definition. None for both: wherever the domain is.

        Returns:
            The device as it is then.

        Raises:
            SpecError: it is not a device; names field or element, and what is allowed.
            ConflictError: target, MAC address or image are taken; says by whom.
            NotFoundError: a file, pool or network that it needs is not there.
            UnsupportedError: it cannot be plugged into a running domain, or there is no slot.
        """
        return plan_attach(self, device, live=live, config=config)

    @verb
    def detach(
        self,
        device: str | Device | HasXml,
        *,
        live: bool | None = None,
        config: bool | None = None,
        timeout_s: float = 20.0,
        confirm: bool = False,
    ) -> Plan[None]:
        """Take a device away and wait until the guest let go of it (G15-34 to G15-36).

        The stored definition changes after the guest released the device, never before. A disk
        that the guest has mounted, as far as its agent tells, needs `confirm`: Linux lets go of it
        all the same, with everything not yet written.

        Args:
            device: its name, MAC address or alias, a `Device`, a spec, or its XML.
            live: take it from the running domain.
            config: take it out of the stored definition. None for both: wherever it is.
            timeout_s: how long the guest may take.
            confirm: agree to the loss of what the guest has not yet written.

        Raises:
            NotFoundError: no such device.
            UnsupportedError: it can never be unplugged from a running domain.
            WaitTimeoutError: the guest does not release it; it is still there. Says why.
        """
        return plan_detach(
            self, device, live=live, config=config, timeout_s=timeout_s, confirm=confirm
        )

    @verb
    def update(
        self,
        device: str | Device | HasXml,
        /,
        *,
        live: bool | None = None,
        config: bool | None = None,
        force: bool = False,
        **changes: Any,
    ) -> Plan[None]:
        """Change a device in place; everything else of it stays.

        What libvirt can change while the domain runs is changed now and stored: media of drives
        (``source``), limits of disks (``bytes_per_s``, ``iops``), the cable, filter, network and
        rates of interfaces (``link_up``, ``filter``, ``source``, ``inbound``, ``outbound``), the
        password of graphics (``password``, ``password_until``), the balloon's ``stats_period_s``.
        Everything else is stored for the next start, and the plan says so. The two are not mixed:
        when one change must wait, all of this call wait.

        Args:
            device: its name, a `Device`, a spec, or its XML.
            live: change the running domain.
            config: change the stored definition.
            force: open a tray that the guest has locked.
            changes: what to change, by the names above or the facts of the device's table:
                ``update("vda", cache="none")``; None removes.

        Raises:
            SpecError: no such fact, or a value that it does not take.
            UnsupportedError: `live`, and a change that cannot be made live.
        """
        return plan_update(self, device, changes, live=live, config=config, force=force)

    @verb
    def insert(self, drive: str | Device, source: Any, *, force: bool = False) -> Plan[None]:
        """Put a medium into a CD or floppy drive, also in place of another one (G4.4-01).

        Args:
            drive: ``sda``, or ``Device``.
            source: path of the image on the host, a volume or a block device.
            force: open a tray that the guest has locked.

        Raises:
            NotFoundError: no such drive or file.
            ConflictError: the guest has locked the tray.
        """
        if source is None:
            raise SpecError(f"insert a medium into {self.name}: none is named", hint="eject(drive)")
        return plan_update(self, drive, {"source": source}, live=None, config=None, force=force)

    @verb
    def eject(self, drive: str | Device, *, force: bool = False) -> Plan[None]:
        """Take the medium out of a CD or floppy drive.

        Raises:
            ConflictError: the guest has locked the tray; `force` opens it.
        """
        return plan_update(self, drive, {"source": None}, live=None, config=None, force=force)

    def disk_errors(self) -> dict[str, str]:
        """Return the disks of the running domain that had I/O errors (``virsh domblkerror``).

        Returns:
            ``unspecified`` or ``no-space`` by target; a guest that runs again has none.

        Raises:
            ConflictError: the domain does not run.
        """
        return domain_devices.disk_errors(self.host.connection, self.uuid)

    def hotplug(self) -> HotplugReport:
        """Tell what can be plugged in while the domain runs, and how much room it has (G9-02)."""
        document = DomainXml.parse(self.xml())
        dies = dies_of_virtiofs(self.host)
        found = tuple(
            replace(one, can=False, why=DIES) if one.bus == "virtiofs" and dies else one
            for one in kinds(document)
        )
        return HotplugReport(self.name, room_of(document), found)

    @verb
    def add_pci_ports(self, count: int = 4) -> Plan[None]:
        """Add free PCI Express ports to the stored definition, for later hot-plug (machine q35).

        Raises:
            UnsupportedError: the machine has a PCI bus without ports.
        """
        asked = f"add PCI Express ports to {self.name}"
        count = checked(Count, asked, count=count).count
        self.scope(config=True)
        before = self.xml(inactive=True, secure=True)
        document = DomainXml.parse(before)
        if not room_of(document).has_ports:
            raise UnsupportedError(
                asked,
                uri=self.host.label,
                libvirt_text=f"machine {document.machine} has slots instead",
                hint="hotplug() shows how many are free",
            )
        for _ in range(count):
            document.controllers.append(ControllerXml.new(type="pci", model="pcie-root-port"))
        action = ChangeDefinition(
            self.name,
            self.uuid,
            f"add {count} PCI ports to the definition",
            before,
            document.text(),
        )
        waits = (f"takes effect at the next start of {self.name}",) if self.is_active else ()
        return Plan(
            title=action.title,
            host=self.host,
            actions=(action,),
            result=lambda: None,
            warnings=waits,
            python=f"{self.host.python}.domains[{self.name!r}]"
            + python_call("", "add_pci_ports", (count,), {}),
            journal=self.host.journal,
        )
