"""NwFilter: a network filter of a host, who uses it, and its use on interfaces of domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as domains
from labvirt.connection import nwfilter as calls
from labvirt.errors import ConflictError, NotFoundError
from labvirt.host.collection import Collection, Table
from labvirt.host.networks.network_actions import DefineFilter, UndefineFilter
from labvirt.host.networks.network_guests import Rows
from labvirt.host.validate import require_valid
from labvirt.model.ident import new_uuid
from labvirt.model.nwfilter import NwFilterSpec
from labvirt.model.xml.nwfilter import NwFilterXml
from labvirt.model.xml.text import XmlDoc
from labvirt.plan import Plan, verb
from labvirt.status import FilterBindingRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host.host import Host
    from labvirt.status import NwFilterRecord

__all__ = ["Bindings", "NwFilter", "NwFilters", "filters_of", "plan_filter"]

FILTERS = Table(
    "network filter",
    [
        ("name", "", lambda r: r.name),
        ("uuid", "", lambda r: r.uuid),
        ("read_at", "UTC", lambda r: r.read_at),
    ],
)


class Bindings(Rows[FilterBindingRecord]):
    """On which ports of the host which filters are in force."""

    table = Table(
        "filter binding",
        [
            ("port", "", lambda r: r.name),
            ("filter", "", lambda r: r.filter),
            ("domain", "", lambda r: r.domain),
            ("mac", "", lambda r: r.mac),
            ("parameters", "", lambda r: r.parameters),
        ],
    )


class NwFilter:
    """A network filter of a host."""

    def __init__(self, host: Host, record: NwFilterRecord) -> None:
        self.host = host
        self.uuid: str = record.uuid
        self.name: str = record.name

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<NwFilter {self.name} on {self.host.name}>"

    def xml(self) -> str:
        """Return the filter's XML (``virsh nwfilter-dumpxml``)."""
        return calls.xml(self.host.connection, self.uuid)

    def bindings(self) -> Bindings:
        """Return the ports on which it is in force now."""
        found = calls.bindings(self.host.connection)
        return Bindings(one for one in found if one.filter == self.name)

    def users(self) -> tuple[str, ...]:
        """Return who names it, in words: other filters, domains, ports of the host."""
        link = self.host.connection
        found = []
        for record in calls.list_all(link):
            refs = NwFilterXml.parse(calls.xml(link, record.uuid)).refs
            if any(ref.filter == self.name for ref in refs):
                found.append(f"network filter {record.name}")
        for domain in domains.list_all(link):
            try:
                texts = [domains.xml(link, domain.uuid)]
                if domain.id is not None and domain.persistent:
                    texts.append(domains.xml(link, domain.uuid, inactive=True))
            except NotFoundError:
                continue
            path = "devices/interface/filterref"
            named = {ref.get("filter") for text in texts for ref in _find(text, path)}
            if self.name in named:
                found.append(f"domain {domain.name}")
        held = {one.domain or one.name for one in self.bindings()}
        found += [f"port of {name}" for name in sorted(held) if f"domain {name}" not in found]
        return tuple(found)

    @verb
    def edit(self, change: str | NwFilterXml | Callable[[NwFilterXml], object]) -> Plan[None]:
        """Change the filter; guests that use it get the change at once.

        Args:
            change: the new XML, or a function that changes the `NwFilterXml` it gets.

        Raises:
            SpecError: the XML is not that of a filter.
            ConflictError: another name or UUID.
        """
        before = self.xml()
        document = NwFilterXml.parse(before if callable(change) else _text(change))
        if callable(change):
            change(document)
        if document.uuid is None:
            document.uuid = self.uuid
        if (document.name, document.uuid) != (self.name, self.uuid):
            raise ConflictError(
                f"edit network filter {self.name}",
                uri=self.host.label,
                libvirt_text=f"the XML is that of {document.name} ({document.uuid})",
                hint="libvirt renames no filters: define another one and undefine this one",
            )
        text = document.text()
        require_valid(text, "nwfilter")
        action = DefineFilter(self.name, self.uuid, text, before)
        plan: Plan[None] = _plan(self.host, "edit", self.name, action, python=".edit(...)")
        return plan

    @verb
    def undefine(self, *, confirm: bool = False) -> Plan[None]:
        """Remove the filter.

        Args:
            confirm: agree to lose it.

        Raises:
            ConflictError: another filter, a domain or a port uses it; says which.
        """
        users = self.users()
        if users:
            raise ConflictError(
                f"undefine network filter {self.name}",
                uri=self.host.label,
                libvirt_text=f"it is used by {', '.join(users)}",
                hint="domain.set_filter(mac, None) takes it off an interface",
            )
        action = UndefineFilter(self.name, self.uuid, self.xml())
        python = ".undefine(confirm=True)"
        plan: Plan[None] = _plan(
            self.host, "undefine", self.name, action, python=python, confirm=confirm
        )
        return plan


def _text(change: str | NwFilterXml | Any) -> str:
    return change if isinstance(change, str) else str(change.text())


def _find(text: str, path: str) -> list[Any]:
    return list(XmlDoc.parse(text).root.iterfind(path))


def _plan(
    host: Host,
    what: str,
    name: str,
    action: DefineFilter | UndefineFilter,
    *,
    python: str,
    result: Callable[[], Any] = lambda: None,
    confirm: bool = False,
) -> Plan[Any]:
    host.require_writable(f"{what} network filter {name}")
    return Plan(
        title=f"{what} network filter {name}",
        host=host,
        actions=(action,),
        result=result,
        python=f"{host.python}.nwfilters[{name!r}]{python}" if what != "define" else python,
        confirmed=confirm,
        journal=host.journal,
    )


class NwFilters(Collection[NwFilter]):
    """The network filters of a host, by name or UUID."""

    host: Host

    def bindings(self) -> Bindings:
        """Return on which ports of the host which filters are in force now."""
        return Bindings(calls.bindings(self.host.connection))


def filters_of(host: Host) -> NwFilters:
    """Return the network filters of a host."""
    found = NwFilters(
        "network filter",
        host.name,
        records=lambda: calls.list_all(host.connection),
        wrap=lambda record: NwFilter(host, record),
        table=FILTERS,
        cached=lambda: ((), None),
    )
    found.host = host
    return found


def plan_filter(host: Host, wanted: NwFilterSpec | str) -> Plan[NwFilter]:
    """Return the plan that defines a filter; see `Host.define_nwfilter`."""
    spec = isinstance(wanted, NwFilterSpec)
    document = NwFilterXml.parse(wanted.to_xml() if isinstance(wanted, NwFilterSpec) else wanted)
    name = document.name or ""
    asked = f"define network filter {name}"
    host.require_writable(asked)
    known = {record.name: record for record in calls.list_all(host.connection)}
    if name in known and (spec or document.uuid not in (None, known[name].uuid)):
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"network filter {name} exists already",
            hint=f"host.nwfilters[{name!r}].edit(...) changes it",
        )
    owner = next((one.name for one in known.values() if one.uuid == document.uuid), name)
    if owner != name:
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"the UUID {document.uuid} belongs to network filter {owner}",
            hint="leave it out: a free one is made",
        )
    if document.uuid is None:
        document.uuid = known[name].uuid if name in known else new_uuid()
    missing = sorted({str(ref.filter) for ref in document.refs} - set(known))
    if missing:
        raise NotFoundError(
            asked,
            uri=host.label,
            libvirt_text=f"it uses {', '.join(missing)}, and there is no such network filter",
            hint=f"there are: {', '.join(sorted(known)) or 'none'}; libvirt's own are in the "
            "package libvirt-daemon-config-nwfilter",
        )
    text, uuid = document.text(), document.uuid
    require_valid(text, "nwfilter")
    before = calls.xml(host.connection, known[name].uuid) if name in known else ""
    action = DefineFilter(name, uuid, text, before)
    python = f"{host.python}.define_nwfilter({text!r})"
    plan: Plan[NwFilter] = _plan(
        host, "define", name, action, python=python, result=lambda: host.nwfilters[uuid]
    )
    return plan
