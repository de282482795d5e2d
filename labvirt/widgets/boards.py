"""Boards: which panels show a domain, a host, or several of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, product
from typing import TYPE_CHECKING, Literal

from labvirt.status.sample import Subject
from labvirt.status.series import SERIES
from labvirt.widgets.i18n import N_
from labvirt.widgets.panels import COLOURS, Line, Panel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from labvirt.status.series import Group, Kind

    Dash = Literal["solid", "dash", "dot"]

__all__ = ["MOST", "PANELS", "Known", "domain_panels", "domains_panels", "host_panels"]

#: As many domains have a line of their own on a board; more are not told apart.
MOST = 20

#: Keys of the panels, by board: what `charts(panels=)` takes.
PANELS: dict[str, tuple[str, ...]] = {
    "domain": ("cpu", "vcpu", "memory", "disk", "latency", "network"),
    "domains": ("cpu", "memory", "disk", "network"),
    "host": ("host_cpu", "host_memory", "cpu_by_domain", "memory_by_domain", "disk", "network"),
}

_DASHES: tuple[Dash, ...] = ("solid", "dash", "dot")


@dataclass(frozen=True, slots=True)
class Known:
    """Who there is.

    Attributes:
        subjects: by kind, in a steady order.
        names: UUID to name.
        groups: what is asked for.
    """

    subjects: Mapping[Kind, Sequence[Subject]]
    names: Mapping[str, str]
    groups: frozenset[Group]

    def renamed(self, names: Mapping[str, str]) -> Known:
        """Return the same, with names for those that have none yet."""
        return Known(self.subjects, {**names, **self.names}, self.groups)

    def of(self, kind: Kind, uuid: str) -> list[Subject]:
        """Return the devices of a domain, in order of their names."""
        found = [each for each in self.subjects.get(kind, ()) if each.uuid == uuid]
        return sorted(found, key=lambda each: (len(each.device), each.device))


def _looks(dashes: Iterable[Dash] = _DASHES) -> Iterator[tuple[str, Dash]]:
    """Yield colours, then the same again with another dash."""
    return cycle((colour, dash) for dash, colour in product(dashes, COLOURS))


def _line(  # noqa: PLR0917
    panel: str,
    kind: Kind,
    subject: Subject,
    name: str,
    label: str,
    look: tuple[str, Dash],
    *,
    negated: bool = False,
) -> Line:
    key = f"{panel}/{subject.host}/{subject.uuid}/{subject.device}/{name}"
    return Line(key, subject, SERIES[kind, name], label, *look, negated=negated)


def _pairs(
    panel: str,
    kind: Kind,
    subjects: Sequence[tuple[Subject, str]],
    up: tuple[str, str],
    down: tuple[str, str],
    *,
    mirrored: bool = True,
) -> tuple[Line, ...]:
    """Return two lines per subject in one colour: one up, and one down or dashed."""
    lines = []
    for (subject, label), (colour, _) in zip(subjects, _looks(), strict=False):
        first, second = (f"{label} {word}".strip() for word in (up[1], down[1]))
        lines.append(_line(panel, kind, subject, up[0], first, (colour, "solid")))
        lines.append(
            _line(panel, kind, subject, down[0], second, (colour, "dash"), negated=mirrored)
        )
    return tuple(lines)


def _panels(made: Iterable[Panel]) -> tuple[Panel, ...]:
    return tuple(panel for panel in made if panel.lines)


def domain_panels(subject: Subject, known: Known) -> tuple[Panel, ...]:
    """Return the board of one domain: CPU, vCPUs, memory, disks, latency, network."""
    return tuple(_domain_panels(subject, known))


def _domain_panels(subject: Subject, known: Known) -> Iterator[Panel]:
    groups, looks = known.groups, list(zip(range(7), _looks(), strict=False))
    look = [each for _, each in looks]
    if "cpu" in groups:
        lines = [_line("cpu", "domain", subject, "cpu_percent", "guest", look[0])]
        if "steal" in groups:
            lines.append(_line("cpu", "domain", subject, "cpu_steal_percent", "steal", look[5]))
        yield Panel("cpu", N_("CPU"), "%", tuple(lines), top=100.0)
    vcpus = known.of("vcpu", subject.uuid)
    if "vcpu" in groups and len(vcpus) > 1:
        lines = [
            _line("vcpu", "vcpu", each, "cpu_percent", f"vCPU {each.device}", chosen)
            for each, chosen in zip(vcpus, _looks(), strict=False)
        ]
        yield Panel("vcpu", N_("CPU of each vCPU"), "%", tuple(lines), top=100.0)
    if "memory" in groups:
        lines = [_line("memory", "domain", subject, "memory_bytes", "given", look[0])]
        if "balloon" in groups:
            lines.append(_line("memory", "domain", subject, "memory_used_bytes", "used", look[1]))
        yield Panel("memory", N_("Memory"), "B", tuple(lines))
    if "disk" in groups:
        disks = [(each, each.device) for each in known.of("disk", subject.uuid)]
        lines_ = _pairs(
            "disk", "disk", disks, ("read_bytes_s", "read"), ("write_bytes_s", "written")
        )
        yield Panel("disk", N_("Disks: read up, written down"), "B/s", lines_)
        lines_ = _pairs(
            "latency",
            "disk",
            disks,
            ("read_latency_s", "read"),
            ("write_latency_s", "write"),
            mirrored=False,
        )
        yield Panel("latency", N_("Disk latency"), "s", lines_)
    if "network" in groups:
        cards = [(each, each.device) for each in known.of("interface", subject.uuid)]
        lines_ = _pairs(
            "network",
            "interface",
            cards,
            ("rx_bytes_s", "received"),
            ("tx_bytes_s", "sent"),
        )
        yield Panel("network", N_("Network: received up, sent down"), "B/s", lines_)


def domains_panels(subjects: Sequence[Subject], known: Known) -> tuple[Panel, ...]:
    """Return a board that compares domains: a line each for CPU and memory, two for the rest."""
    return _panels(_compared(subjects, known))


def _compared(subjects: Sequence[Subject], known: Known) -> Iterator[Panel]:
    shown = [(each, known.names.get(each.uuid, each.uuid)) for each in subjects[:MOST]]

    def one_each(panel: str, name: str) -> tuple[Line, ...]:
        return tuple(
            _line(panel, "domain", subject, name, label, look)
            for (subject, label), look in zip(shown, _looks(), strict=False)
        )

    if "cpu" in known.groups:
        yield Panel("cpu", N_("CPU"), "%", one_each("cpu", "cpu_percent"), top=100.0)
    if "memory" in known.groups:
        yield Panel("memory", N_("Memory"), "B", one_each("memory", "memory_bytes"))
    if "disk" in known.groups:
        up, down = ("disk_read_bytes_s", "read"), ("disk_write_bytes_s", "written")
        lines = _pairs("disk", "domain", shown, up, down)
        yield Panel("disk", N_("Disks: read up, written down"), "B/s", lines)
    if "network" in known.groups:
        up, down = ("net_rx_bytes_s", "received"), ("net_tx_bytes_s", "sent")
        lines = _pairs("network", "domain", shown, up, down)
        yield Panel("network", N_("Network: received up, sent down"), "B/s", lines)


def host_panels(
    hosts: Sequence[str], domains: Sequence[Subject], known: Known
) -> tuple[Panel, ...]:
    """Return the board of hosts: their own row, then who of their domains uses how much."""
    return _panels(_host_panels(hosts, domains, known))


def _host_panels(hosts: Sequence[str], domains: Sequence[Subject], known: Known) -> Iterator[Panel]:
    several = len(hosts) > 1
    own = [(Subject(name), name if several else "") for name in hosts]

    def both(panel: str, first: tuple[str, str], second: tuple[str, str]) -> tuple[Line, ...]:
        return _pairs(panel, "host", own, first, second, mirrored=False)

    if "host" in known.groups:
        lines = both("host_cpu", ("cpu_percent", "host"), ("guests_cpu_percent", "its domains"))
        yield Panel("host_cpu", N_("CPU of host"), "%", lines, top=100.0)
        lines = both(
            "host_memory",
            ("memory_used_bytes", "used"),
            ("guests_memory_bytes", "given to domains"),
        )
        yield Panel("host_memory", N_("Memory of host"), "B", lines)
    stacks = (
        ("cpu", "cpu_by_domain", "cpu_host_percent", N_("CPU of host by domain"), "%"),
        ("memory", "memory_by_domain", "memory_bytes", N_("Memory by domain"), "B"),
    )
    for group, key, name, title, unit in stacks:
        if group not in known.groups:
            continue
        lines = tuple(
            _line(key, "domain", subject, name, _called(subject, known, several=several), look)
            for subject, look in zip(domains[:MOST], _looks(), strict=False)
        )
        yield Panel(key, title, unit, lines, style="stack")
    if "host" in known.groups:
        lines = _pairs(
            "disk", "host", own, ("disk_read_bytes_s", "read"), ("disk_write_bytes_s", "written")
        )
        yield Panel("disk", N_("Disks of host: read up, written down"), "B/s", lines)
        lines = _pairs(
            "network", "host", own, ("net_rx_bytes_s", "received"), ("net_tx_bytes_s", "sent")
        )
        yield Panel("network", N_("Network of host: received up, sent down"), "B/s", lines)


def _called(subject: Subject, known: Known, *, several: bool) -> str:
    name = known.names.get(subject.uuid, subject.uuid)
    return f"{name} ({subject.host})" if several else name
