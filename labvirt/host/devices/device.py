"""The devices of one domain: a collection of them, and one of them found by any of its names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as calls
from labvirt.errors import NotFoundError
from labvirt.host.collection import Collection, Table
from labvirt.model.editing import facts_now, kind_of, spec_of
from labvirt.model.spec import did_you_mean
from labvirt.model.xml.domain import DomainXml
from labvirt.status.device import DeviceRecord, device_records, records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.devices.verbs import DeviceVerbs
    from labvirt.model.spec import Spec
    from labvirt.model.xml.devices import DeviceXml

__all__ = ["Device", "Devices", "find_view", "read_devices"]

TABLE = Table(
    "device",
    [
        ("type", "", lambda r: r.type),
        ("name", "", lambda r: r.name),
        ("what", "", lambda r: r.what),
        ("bus", "", lambda r: r.bus),
        ("model", "", lambda r: r.model),
        ("source", "", lambda r: r.source),
        ("address", "", lambda r: r.address),
        ("alias", "", lambda r: r.alias),
        ("live", "", lambda r: r.live),
        ("stored", "", lambda r: r.stored),
    ],
)


class Device:
    """One device of a domain, as it was when it was read.

    Attributes:
        domain: whose it is.
        record: what it is.
    """

    def __init__(self, domain: DeviceVerbs, record: DeviceRecord) -> None:
        self.domain = domain
        self.record = record

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<Device {self.record.type} {self.record.name} of {self.domain.name}>"

    @property
    def name(self) -> str:
        """What it is known by."""
        return self.record.name

    def xml(self, *, stored: bool = False) -> str:
        """Return its XML without secrets, of the running domain or of the stored definition.

        Raises:
            NotFoundError: it is not there any more.
        """
        document = DomainXml.parse(self.domain.xml(inactive=stored or not self.record.live))
        view = find_view(document, self.record)
        if view is None:
            raise NotFoundError(f"find {self.record.type} {self.name} of {self.domain.name}")
        return view.text()

    def editing(self) -> tuple[str, type[Spec] | None, dict[str, Any]]:
        """Return what can be changed of it: its kind, a spec of that, and what holds now.

        A stored device is read from the stored definition, another one from the running domain.
        The names are those of `Domain.update`. The spec is None where nothing can be changed.

        Raises:
            NotFoundError: it is not there any more.
        """
        document = DomainXml.parse(self.domain.xml(inactive=self.record.stored))
        view = find_view(document, self.record)
        if view is None:
            raise NotFoundError(f"find {self.record.type} {self.name} of {self.domain.name}")
        kind = kind_of(view)
        return kind, spec_of(kind, view), facts_now(kind, view)

    def detach(self, **options: Any) -> None:
        """Remove it; see `Domain.detach`."""
        self.domain.detach(self, **options)

    def update(self, **changes: Any) -> None:
        """Change it; see `Domain.update`."""
        self.domain.update(self, **changes)


class Devices(Collection[Device]):
    """The devices of a domain: by name, MAC address, alias, path, or kind when it has one only."""

    def __init__(self, domain: DeviceVerbs) -> None:
        self._domain = domain
        super().__init__(
            "device",
            f"domain {domain.name}",
            records=lambda: read_devices(domain),
            wrap=lambda record: Device(domain, record),
            table=TABLE,
            cached=lambda: ((), None),
        )

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<Devices of {self._domain.name}>"

    def __getitem__(self, key: int | str) -> Device:
        """Return the one with this name, MAC address, alias, source, address, or sole kind.

        Raises:
            NotFoundError: there is none; names those there are.
        """
        return Device(self._domain, pick(self._domain, self._read(), str(key)))


def read_devices(domain: DeviceVerbs) -> tuple[DeviceRecord, ...]:
    """Read the devices of a domain, running and stored."""
    record = domain.info()
    live = stored = None
    if record.id is not None:
        live = DomainXml.parse(domain.xml())
    if record.persistent:
        stored = DomainXml.parse(calls.xml(domain.host.connection, domain.uuid, inactive=True))
    return device_records(live, stored, domain.host.connection.now())


#: What a device can be called by, the surest first.
_NAMES: tuple[Callable[[DeviceRecord], set[str]], ...] = (
    lambda r: {r.name, r.name.lower(), r.uuid},
    lambda r: {r.alias, r.source, r.address, r.address.partition(" ")[2]} - {""},
    lambda r: {r.type},
)


def pick(domain: DeviceVerbs, records: Sequence[DeviceRecord], key: str) -> DeviceRecord:
    """Return the device that a name means.

    Raises:
        NotFoundError: none, or several; names those there are.
    """
    low = key.lower()
    for names in _NAMES:
        found = [record for record in records if {key, low} & names(record)]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(record.uuid for record in found)
            raise NotFoundError(
                f"find the device {key!r} of domain {domain.name}",
                uri=domain.host.label,
                libvirt_text=f"several are meant by it: {listed}",
                hint="name one of them",
            )
    known = tuple(record.name for record in records)
    raise NotFoundError(
        f"find the device {key!r} of domain {domain.name}",
        uri=domain.host.label,
        hint=did_you_mean(key, known, limit=30).replace("allowed:", "there are:"),
    )


def find_view(document: DomainXml, record: DeviceRecord) -> DeviceXml | None:
    """Return the element of a device in a domain's XML; None when it has no such device."""
    found = records_of(document, record.read_at, live=True, known=(record,))
    for view, one in zip(document.devices, found, strict=True):
        if one.uuid == record.uuid:
            return view
    return None
