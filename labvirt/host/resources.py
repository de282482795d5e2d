"""Resource verbs of a domain: memory, processors, labels (table 15.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection import domain as calls
from labvirt.errors import SpecError
from labvirt.host.handle import DomainHandle, python_call, xml_diff
from labvirt.model.arguments import Count, Labels, checked
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.text import XmlDoc
from labvirt.model.xml.view import NAMESPACES
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labvirt.connection import Connection
    from labvirt.plan import JobControl
    from labvirt.status import VcpuRecord

__all__ = ["ResourceVerbs"]

#: Below this a guest of the guide's time could not run (G15-24).
SMALL_MEMORY = Size.parse("64 MiB")


def _tags_xml(document: DomainXml) -> str | None:
    """Return labvirt's metadata element as libvirt takes it, None when there are no tags."""
    element = document.element.find("metadata/labvirt:labvirt", {"labvirt": NAMESPACES["labvirt"]})
    if element is None:
        return None
    made = XmlDoc.new("labvirt")
    for tag in document.tags:
        etree = made.root.makeelement("tag")
        etree.text = tag
        made.root.append(etree)
    return made.text()


def _flags(*, live: bool, config: bool) -> tuple[str, ...]:
    return ("--live",) * live + ("--config",) * config


class ResourceVerbs(DomainHandle):
    """Verbs that change what a domain has. All take `live` and `config`, see `scope`."""

    def _change(
        self,
        text: str,
        edit: Callable[[DomainXml], None],
        run: Callable[[Connection, JobControl], None],
        *,
        virsh: tuple[object, ...],
        python: str,
        scope: tuple[bool, bool],
        warnings: tuple[str, ...] = (),
    ) -> Plan[None]:
        """Return the plan of a change whose effect on the XML is known."""
        live, config = scope
        document = DomainXml.parse(self.xml(inactive=config and not live))
        before = document.text()
        edit(document)
        if config and not live and self.is_active:
            warnings = (*warnings, f"takes effect at the next start of {self.name}")
        return self.one_call(
            text,
            run,
            virsh=virsh,
            python=python,
            diff=xml_diff(before, document.text(), self.name),
            warnings=warnings,
        )

    @verb
    def set_memory(
        self, size: str | Size, *, live: bool | None = None, config: bool | None = None
    ) -> Plan[None]:
        """Set the memory in use; the guest's balloon driver must play along (G15-24).

        Args:
            size: with its unit: ``"256 MiB"``; not above `max_memory`.
            live: change the running domain.
            config: change the stored definition.

        Raises:
            SpecError: no unit, zero, or above the maximum.
        """
        wanted, scope = Size.of(size), self.scope(live=live, config=config)
        record = self.info()
        if wanted > record.max_memory:
            raise SpecError(
                f"{wanted} is more than the maximum memory {Size(record.max_memory)} of {self.name}",
                hint=f"shut it down and set_max_memory('{wanted}') first",
            )
        small = (f"{wanted} is less than most systems need",) if wanted < SMALL_MEMORY else ()
        asks = ("the guest's balloon driver decides whether it obeys",) if scope[0] else ()

        def edit(document: DomainXml) -> None:
            document.current_memory = wanted

        return self._change(
            "set memory of domain",
            edit,
            lambda link, _: calls.set_memory(
                link, self.uuid, wanted, live=scope[0], config=scope[1]
            ),
            virsh=("setmem", self.name, wanted.kib, *_flags(live=scope[0], config=scope[1])),
            python=python_call("", "set_memory", (str(wanted),), {"live": live, "config": config}),
            scope=scope,
            warnings=small + asks,
        )

    @verb
    def set_max_memory(self, size: str | Size) -> Plan[None]:
        """Set the most memory the domain can have, from its next start on (G15-25)."""
        wanted = Size.of(size)
        self.scope(config=True)

        def edit(document: DomainXml) -> None:
            document.memory = wanted
            if document.current_memory and document.current_memory > wanted:
                document.current_memory = wanted

        return self._change(
            "set maximum memory of domain",
            edit,
            lambda link, _: calls.set_max_memory(link, self.uuid, wanted),
            virsh=("setmaxmem", self.name, wanted.kib, "--config"),
            python=python_call("", "set_max_memory", (str(wanted),), {}),
            scope=(False, True),
        )

    @verb
    def set_vcpus(
        self,
        count: int,
        *,
        maximum: bool = False,
        live: bool | None = None,
        config: bool | None = None,
    ) -> Plan[None]:
        """Set how many virtual processors are in use, or with `maximum` how many can be (G15-26).

        Raises:
            SpecError: fewer than one, or above the maximum of the domain or the host.
        """
        count = checked(Count, f"set the processors of {self.name}", count=count).count
        scope = (False, True) if maximum else self.scope(live=live, config=config)
        document = DomainXml.parse(self.xml(inactive=scope[1] and not scope[0]))
        limit = self.host.max_vcpus() if maximum else document.vcpus or 1
        if not 1 <= count <= limit:
            whose = "the host" if maximum else f"{self.name}"
            raise SpecError(
                f"{count} virtual processors: {whose} allows 1 to {limit}",
                hint="" if maximum else f"set_vcpus({count}, maximum=True) and a restart first",
            )

        def edit(changed: DomainXml) -> None:
            if maximum:
                changed.vcpus = count
            else:
                changed.current_vcpus = count

        return self._change(
            "set maximum processors of domain" if maximum else "set processors of domain",
            edit,
            lambda link, _: calls.set_vcpus(
                link, self.uuid, count, live=scope[0], config=scope[1], maximum=maximum
            ),
            virsh=(
                "setvcpus",
                self.name,
                count,
                *("--maximum",) * maximum,
                *_flags(live=scope[0], config=scope[1]),
            ),
            python=python_call("", "set_vcpus", (count,), {"maximum": maximum, "live": live}),
            scope=scope,
        )

    def vcpus(self) -> tuple[VcpuRecord, ...]:
        """Read the virtual processors: number, state, time, where they may run (G15-27)."""
        return calls.vcpus(self._link, self.uuid)

    @verb
    def pin_vcpu(
        self,
        vcpu: int,
        cpus: Iterable[int],
        *,
        live: bool | None = None,
        config: bool | None = None,
    ) -> Plan[None]:
        """Let a virtual processor run on these processors of the host only (G15-28).

        Raises:
            SpecError: no such virtual processor, or no such processor on the host.
        """
        chosen, scope = frozenset(cpus), self.scope(live=live, config=config)
        have = self.host.info().cpus
        wrong = sorted(cpu for cpu in chosen if not 0 <= cpu < have)
        if wrong or not chosen:
            raise SpecError(
                f"processors {wrong or 'none'} of {self.host.name}: it has 0 to {have - 1}"
            )
        count = DomainXml.parse(self.xml()).vcpus or 1
        if not 0 <= vcpu < count:
            raise SpecError(f"virtual processor {vcpu} of {self.name}: it has 0 to {count - 1}")
        listed = ",".join(str(cpu) for cpu in sorted(chosen))
        return self.one_call(
            f"pin processor {vcpu} of domain",
            lambda link, _: calls.pin_vcpu(
                link, self.uuid, vcpu, chosen, live=scope[0], config=scope[1]
            ),
            virsh=("vcpupin", self.name, vcpu, listed, *_flags(live=scope[0], config=scope[1])),
            python=python_call("", "pin_vcpu", (vcpu, sorted(chosen)), {}),
        )

    @verb
    def set_title(self, title: str | None) -> Plan[None]:
        """Set the short title, None removes it; a running domain gets it too."""
        asked = checked(Labels, f"set the title of {self.name}", title=title or None)
        return self._label("title", asked.title, calls.set_title)

    @verb
    def set_description(self, text: str | None) -> Plan[None]:
        """Set the description, None removes it; a running domain gets it too."""
        asked = checked(Labels, f"describe {self.name}", description=text or None)
        return self._label("description", asked.description, calls.set_description)

    def _label(self, field: str, value: str | None, call: Callable[..., None]) -> Plan[None]:
        scope = self.scope()

        def edit(document: DomainXml) -> None:
            setattr(document, field, value)

        option = ("--title",) if field == "title" else ()
        return self._change(
            f"set {field} of domain",
            edit,
            lambda link, _: call(link, self.uuid, value, live=scope[0], config=scope[1]),
            virsh=(
                "desc",
                self.name,
                *_flags(live=scope[0], config=scope[1]),
                *option,
                "--new-desc",
                value or "",
            ),
            python=python_call("", f"set_{field}", (value,), {}),
            scope=scope,
        )

    @property
    def tags(self) -> tuple[str, ...]:
        """Labels of the domain, kept in its metadata."""
        return self.info().tags

    @verb
    def set_tags(self, tags: Iterable[str]) -> Plan[None]:
        """Replace the labels of the domain; they travel with it and survive restarts.

        Raises:
            SpecError: a tag is empty, has spaces, or is no text at all.
        """
        given = tags if isinstance(tags, str) else tuple(tags)
        asked = checked(Labels, f"set the tags of {self.name}", tags=given)
        wanted = tuple(dict.fromkeys(asked.tags))
        scope = self.scope()
        document = DomainXml.parse(self.xml())

        def edit(changed: DomainXml) -> None:
            changed.tags = wanted

        edit(document)
        payload = _tags_xml(document)
        what = ("--set", payload) if payload else ("--remove",)
        return self._change(
            "set tags of domain",
            edit,
            lambda link, _: calls.set_metadata(
                link,
                self.uuid,
                NAMESPACES["labvirt"],
                "labvirt",
                payload,
                live=scope[0],
                config=scope[1],
            ),
            virsh=(
                "metadata",
                self.name,
                NAMESPACES["labvirt"],
                "--key",
                "labvirt",
                *what,
                *_flags(live=scope[0], config=scope[1]),
            ),
            python=python_call("", "set_tags", (list(wanted),), {}),
            scope=scope,
        )
