"""Verb of a domain: the network filter of one of its interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection import domain as calls
from labvirt.connection import nwfilter as filters
from labvirt.errors import NotFoundError, UnsupportedError
from labvirt.host.handle import DomainHandle, xml_diff
from labvirt.model.nwfilter import FilterUse
from labvirt.model.spec_text import spec_text
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.order import insert_in_order
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from labvirt.connection import Connection
    from labvirt.plan import JobControl

__all__ = ["FilterVerbs"]

_FILTERED = frozenset({"network", "bridge", "ethernet"})


class FilterVerbs(DomainHandle):
    """The verb that puts a filter onto an interface."""

    @verb
    def set_filter(
        self,
        mac: str,
        use: str | FilterUse | None,
        *,
        live: bool | None = None,
        config: bool | None = None,
    ) -> Plan[None]:
        """Put a network filter onto an interface, change its parameters, or take it off.

        Args:
            mac: MAC address of the interface.
            use: name of the filter, or a `FilterUse` with values for its variables; None takes
                the filter off.
            live: change the running domain; None: when it is active.
            config: change the definition; None: when it has one.

        Raises:
            NotFoundError: the domain has no such interface, or the host no such filter.
            UnsupportedError: the host has no filters (session), or the interface cannot have one.
        """
        asked = f"set the filter of interface {mac} of domain {self.name}"
        on_live, on_config = self.scope(live=live, config=config)
        wanted = FilterUse.model_validate(use) if use is not None else None
        known = {record.name for record in filters.list_all(self._link)}
        if wanted is not None and wanted.filter not in known:
            raise NotFoundError(
                asked,
                uri=self.host.label,
                libvirt_text=f"there is no network filter {wanted.filter}",
                hint=f"there are: {', '.join(sorted(known)) or 'none'}",
            )
        changes = [
            (is_live, *self._filtered(asked, mac, wanted, live=is_live))
            for is_live, on in ((True, on_live), (False, on_config))
            if on
        ]

        def run(link: Connection, _: JobControl) -> None:
            for is_live, device, _before, _after in changes:
                calls.update_device(link, self.uuid, device, live=is_live, config=not is_live)

        shown = "None" if wanted is None else spec_text(wanted)
        flags = ("--live",) * on_live + ("--config",) * on_config
        what = "take the filter off" if wanted is None else f"put filter {wanted.filter} onto"
        return self.one_call(
            f"{what} interface {mac} of domain",
            run,
            virsh=("update-device", self.name, "/dev/stdin", *flags),
            python=f".set_filter({mac!r}, {shown})",
            diff=xml_diff(changes[-1][2], changes[-1][3], self.name),
        )

    def _filtered(
        self, asked: str, mac: str, wanted: FilterUse | None, *, live: bool
    ) -> tuple[str, str, str]:
        """Return the interface with its new filter, and the domain before and after."""
        before = self.xml(inactive=not live)
        document = DomainXml.parse(before)
        interface = next(
            (one for one in document.interfaces if (one.mac or "").lower() == mac.lower()), None
        )
        if interface is None:
            macs = ", ".join(str(one.mac) for one in document.interfaces)
            raise NotFoundError(
                asked,
                uri=self.host.label,
                libvirt_text="it has no such interface",
                hint=f"it has: {macs or 'none'}",
            )
        if wanted is not None and interface.type not in _FILTERED:
            raise UnsupportedError(
                asked,
                uri=self.host.label,
                libvirt_text=f"libvirt filters taps, and an interface of type {interface.type} "
                "has none",
                hint="an interface on a network or bridge can be filtered",
            )
        old = interface.element.find("filterref")
        if old is not None:
            document.doc.remove(old)
        if wanted is not None:
            insert_in_order(interface.element, wanted.view().element)
        return interface.text(), before, document.text()
