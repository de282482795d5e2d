"""Pages of a host's details: each is read aside and drawn; pure texts and rows, no logic."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w

from labvirt.host.describing import describe
from labvirt.host.devices.passing import passing_of, tree_of
from labvirt.host.networks.links import links_of
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.list_cells import bytes_text
from labvirt.widgets.managing.parts import button, facts, grid, pre, put
from labvirt.widgets.managing.table import Cell, Column, Row, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.describing import HostDescription
    from labvirt.host.host import Host
    from labvirt.widgets.managing.parts import Aside

__all__ = [
    "RecordsPage",
    "TextPage",
    "capabilities_html",
    "device_page",
    "link_page",
    "overview_html",
    "secret_page",
]


class TextPage:
    """A page that is one text.

    Args:
        key: what it is, in code.
        aside: reads.
        read: returns the HTML; may ask the host.
    """

    def __init__(self, key: str, aside: Aside, read: Callable[[], str]) -> None:
        self._key, self._aside, self._read = key, aside, read
        self.text = w.HTML(parts.status(_("Loading …")))
        self.again = button(_("Refresh"), _("Ask the host once more"), self.refresh)
        self.box = w.VBox([self.text, self.again])

    def refresh(self) -> None:
        """Read and draw, aside."""
        self._aside.run(
            self._key,
            self._read,
            lambda text: put(self.text, value=text),
            lambda error: put(self.text, value=fault(error)),
            latest=True,
        )


class RecordsPage:
    """A page that is a table, with the details of what is selected.

    Args:
        key: what it is, in code.
        aside: reads.
        table: the table.
        read: returns records with their rows; may ask the host.
        detail: returns the HTML of a record; may ask the host.
    """

    def __init__(
        self,
        key: str,
        aside: Aside,
        table: Table,
        read: Callable[[], Sequence[tuple[Row, Any]]],
        detail: Callable[[Any], str],
    ) -> None:
        self._key, self._aside, self._read, self._detail = key, aside, read, detail
        self._records: dict[str, Any] = {}
        self.choice = table
        self.choice.on_select = self._look
        self.words, self.detail = w.HTML(), w.HTML(layout=w.Layout(width="100%"))
        self.again = button(_("Refresh"), _("Ask the host once more"), self.refresh)
        self.box = w.VBox([self.words, table.widget, self.again, self.detail])

    def refresh(self) -> None:
        """Read and draw, aside."""
        self._aside.run(self._key, self._read, self._drawn, self._failed, latest=True)

    def _drawn(self, found: Sequence[tuple[Row, Any]]) -> None:
        put(self.words, value="")
        self._records = {row.key: record for row, record in found}
        self.choice.set([row for row, _record in found])
        self._look()

    def _failed(self, error: BaseException) -> None:
        put(self.words, value=fault(error))

    def _look(self) -> None:
        key = self.choice.selected
        record = self._records.get(key or "")
        if record is None:
            put(self.detail, value="")
            return
        self._aside.run(
            f"{self._key} detail",
            lambda: (key, self._detail(record)),
            self._told,
            lambda error: put(self.detail, value=fault(error)),
            latest=True,
        )

    def _told(self, found: tuple[str, str]) -> None:
        if found[0] == self.choice.selected:
            put(self.detail, value=found[1])


# -- the machine --------------------------------------------------------------------------------------


def overview_html(host: Host) -> str:
    """Return what a host is; asks it."""
    return facts(_overview(host, describe(host)))


def _overview(host: Host, found: HostDescription) -> list[tuple[str, Any]]:
    node, versions, caps = found.node, found.versions, found.capabilities
    hypervisor = f"{versions.hypervisor} {versions.hypervisor_version}".strip()
    return [
        (_("Name"), host.name),
        (_("URI"), host.label),
        (_("Link"), _("{state}, read-only").format(state=_(host.state)) if host.readonly else _(host.state)),
        (_("Hypervisor"), hypervisor),
        (_("Acceleration"), acceleration(found)),
        (_("libvirt on the host"), versions.daemon),
        (_("libvirt here"), f"{versions.library} (libvirt-python {versions.binding})"),
        (_("Architecture"), caps.arch or node.model),
        (_("CPU model"), " ".join(each for each in (caps.cpu_vendor, caps.cpu_model) if each)),
        (_("CPUs"), node.cpus),
        (
            _("CPU topology"),
            _("sockets {sockets}, cores {cores}, threads {threads}, NUMA cells {nodes}").format(
                sockets=node.sockets, cores=node.cores, threads=node.threads, nodes=node.nodes
            ),
        ),
        (_("CPU frequency"), f"{node.mhz} MHz" if node.mhz else _("not told")),
        (_("Memory"), bytes_text(node.memory)),
        (
            _("Free memory"),
            _("not told") if found.free_memory is None else bytes_text(found.free_memory),
        ),
        (_("Security"), caps.security_models or _("none")),
        (_("UUID"), caps.host_uuid),
    ]  # fmt: skip


def acceleration(found: HostDescription) -> str:
    """Return in words what guests run under."""
    if found.is_accelerated:
        text = _("KVM: guests run by the processor's own virtualization")
    else:
        text = _("none: QEMU translates every instruction (TCG), many times slower than KVM")
    how = _("a guest was run to see") if found.proved else _("by libvirt's word")
    return f"{text} ({how})"


def capabilities_html(host: Host) -> str:
    """Return what a host can run; asks it."""
    caps = host.capabilities()
    shown = grid(
        _("Guests"),
        [_("Type"), _("Architecture"), _("Bits"), _("Run under"), _("Emulator"), _("Machines")],
        [
            (
                each.os_type,
                each.arch,
                each.word_size,
                each.domain_types,
                each.emulator,
                _short(each.machines),
            )
            for each in caps.guests
        ],
        _("No guests can be run."),
    )
    shown += grid(
        _("NUMA cells"),
        [_("Cell"), _("Memory"), _("CPUs")],
        [
            (each.id, "" if each.memory is None else bytes_text(each.memory), _short(each.cpus))
            for each in caps.cells
        ],
        _("No NUMA cells are told of."),
    )
    return shown + facts([(_("Migration by"), caps.migration_transports or _("not told"))])


def _short(values: Sequence[Any], most: int = 8) -> str:
    """Return the first of many."""
    text = ", ".join(str(each) for each in values[:most])
    more = _("and {count} more").format(count=len(values) - most)
    return f"{text}, {more}" if len(values) > most else text


# -- devices ------------------------------------------------------------------------------------------

_DEVICES: Final = (
    Column("name", N_("Name")),
    Column("type", N_("Type")),
    Column("what", N_("What it is")),
    Column("pass", N_("Pass through"), N_("Whether it can be given to a VM")),
    Column("driver", N_("Driver"), N_("The host's driver")),
    Column("address", N_("Address")),
    Column("group", N_("IOMMU group"), N_("Devices of one group are given together"), "number"),
    Column("used", N_("Used by")),
)


def device_page(host: Host, aside: Aside) -> RecordsPage:
    """Return the devices of the machine, as a tree, with which can be given to a VM."""
    table = Table(_("Node devices"), _DEVICES, empty=_("The host tells of no devices."), tree=True)

    def read() -> list[tuple[Row, Any]]:
        return [(_device_row(level, one), one) for level, one in tree_of(host.devices.records)]

    def detail(record: Any) -> str:
        verdict = passing_of(record)
        answer = _("yes") if verdict.can else _("no")
        pairs = [
            (_("Name"), record.name),
            (_("What it is"), record.what),
            (_("Vendor and product"), f"{record.vendor_id} {record.product_id}".strip()),
            (_("On the host"), record.node),
            (_("Sits on"), record.parent),
            (_("The host uses it"), record.uses or _("no")),
            (_("Pass through"), ": ".join(filter(None, (answer, verdict.why)))),
        ]
        return facts(pairs) + pre(host.devices[record.name].xml())

    return RecordsPage("devices", aside, table, read, detail)


def _device_row(level: int, record: Any) -> Row:
    verdict = passing_of(record)
    mark = f"✔ {_('yes')}" if verdict.can else f"✖ {_('no')}"
    if record.type not in {"pci", "usb_device"}:
        mark = "—"
    return Row(
        record.name,
        (
            Cell(record.name),
            Cell(record.type),
            Cell(record.what),
            Cell(mark, tip=verdict.why),
            Cell(record.driver),
            Cell(record.address),
            Cell("" if record.iommu_group is None else str(record.iommu_group)),
            Cell(", ".join((*record.used_by, *record.uses))),
        ),
        level,
    )


# -- interfaces and secrets ---------------------------------------------------------------------------

_LINKS: Final = (
    Column("name", N_("Name")),
    Column("kind", N_("Kind")),
    Column("state", N_("State")),
    Column("addresses", N_("Addresses")),
    Column("mac", N_("MAC address")),
    Column("master", N_("In the bridge")),
    Column("mtu", N_("MTU"), N_("Longest packet, bytes"), "number"),
)
_SECRETS: Final = (
    Column("usage", N_("Usage")),
    Column("type", N_("Type")),
    Column("uuid", N_("UUID")),
)


def link_page(host: Host, aside: Aside) -> RecordsPage:
    """Return the network interfaces of the machine."""
    table = Table(
        _("Network interfaces"), _LINKS, empty=_("The host tells of no interfaces."), look_s=10.0
    )

    def read() -> list[tuple[Row, Any]]:
        return [(_link_row(one), one) for one in links_of(host)]

    page = RecordsPage("links", aside, table, read, lambda _record: "")
    table.on_look = page.refresh
    return page


def _link_row(record: Any) -> Row:
    on = {"up": "●", "down": "○"}.get(record.state, "·")
    words = {"up": _("up"), "down": _("down"), "unknown": _("unknown")}
    return Row(
        record.name,
        (
            Cell(record.name),
            Cell(record.kind),
            Cell(f"{on} {words.get(record.state, record.state)}"),
            Cell(", ".join(record.addresses)),
            Cell(record.mac),
            Cell(record.master),
            Cell(str(record.mtu) if record.mtu else "", value=record.mtu),
        ),
    )


def secret_page(host: Host, aside: Aside) -> RecordsPage:
    """Return the secret objects; their values are never read."""
    table = Table(_("Secrets"), _SECRETS, empty=_("The host keeps no secrets."))

    def read() -> list[tuple[Row, Any]]:
        return [
            (Row(one.uuid, (Cell(one.usage), Cell(one.usage_type), Cell(one.uuid))), one)
            for one in host.secrets.records
        ]

    note = escape(_("The value of a secret is never shown."))
    return RecordsPage("secrets", aside, table, read, lambda _record: f"<p>{note}</p>")
