"""DomainHandle: a domain of one host, found anew by its UUID at each call."""

from __future__ import annotations

import difflib
import shlex
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from labvirt.connection import domain as calls
from labvirt.errors import ConflictError
from labvirt.model.redact import redact_xml
from labvirt.model.xml.text import XmlDoc
from labvirt.plan import Call, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from labvirt.connection import Connection
    from labvirt.host.host import Host
    from labvirt.plan import JobControl
    from labvirt.status import DomainRecord, DomainState

__all__ = ["DomainHandle", "python_call", "xml_diff"]

R = TypeVar("R")


def xml_diff(before: str, after: str, name: str) -> str:
    """Return a unified diff of two XML texts, without their secrets."""
    return "\n".join(
        difflib.unified_diff(
            redact_xml(before).splitlines(),
            redact_xml(after).splitlines(),
            f"{name} (now)",
            f"{name} (then)",
            lineterm="",
        )
    )


def python_call(subject: str, verb: str, args: Iterable[Any], options: Mapping[str, Any]) -> str:
    """Return the Python line of a call; options that are None or False are left out."""
    shown = [repr(arg) for arg in args]
    shown += [f"{key}={value!r}" for key, value in options.items() if value not in (None, False)]
    return f"{subject}.{verb}({', '.join(shown)})"


def _settled(xml: str) -> str:
    """Return XML without what libvirt writes of a running domain and nobody can have asked for.

    The period of the balloon's statistics is switched on while somebody looks at them, and waits for
    no start. A dynamic label without anything of its own is what libvirt gives by itself; it is told
    once the daemon was started anew.
    """
    document = XmlDoc.parse(xml)
    for path in ("vcpus", "devices/disk/backingStore", "devices/memballoon/stats", "seclabel"):
        for element in document.root.findall(path):
            if element.tag == "seclabel" and element.get("type", "dynamic") != "dynamic":
                continue
            if element.tag == "seclabel" and element.get("relabel") == "no":
                continue
            if element.tag == "vcpus" or not len(element):
                document.remove(element)
    return document.text()


def _without_partition(live: str, stored: str) -> str:
    """Return live XML without the cgroup partition that libvirt chose, as the definition names none."""
    document = XmlDoc.parse(live)
    found = document.root.find("resource")
    if found is None or XmlDoc.parse(stored).root.find("resource") is not None:
        return live
    document.remove(found)
    return document.text()


class DomainHandle:
    """What every part of `Domain` builds on: identity, reading, and making one-call plans.

    Libvirt's own handles die with the connection; this one survives reconnects.
    """

    def __init__(self, host: Host, uuid: str, name: str) -> None:
        self.host = host
        self.uuid = uuid
        self._name = name

    def __repr__(self) -> str:
        """Return one line, without any call to the host."""
        return f"<Domain {self._name} on {self.host.name}>"

    def __eq__(self, other: object) -> bool:
        """Two handles are equal when they mean the same domain of the same host."""
        if not isinstance(other, DomainHandle):
            return NotImplemented
        return (self.uuid, self.host) == (other.uuid, other.host)

    def __hash__(self) -> int:
        return hash(self.uuid)

    def _repr_html_(self) -> str:
        """Return one line as HTML, from the last record read."""
        record = self.host.news.record("domain", self.uuid)
        state = escape(record.state.text) if record is not None else "not read yet"
        return f"<b>{escape(self._name)}</b> on {escape(self.host.name)}: {state}"

    @property
    def _link(self) -> Connection:
        return self.host.connection

    @property
    def name(self) -> str:
        """Name of the domain as last read (G15-13)."""
        return self._name

    @property
    def id(self) -> int | None:
        """Number of the running domain, None when it is not active (G15-10)."""
        return self.info().id

    @property
    def state(self) -> DomainState:
        """State, read now (G15-14)."""
        return self.info().state

    @property
    def reason(self) -> str:
        """Why the domain is in its state, in libvirt's words, read now."""
        return self.info().reason

    @property
    def is_active(self) -> bool:
        """True when the domain has a process now, running or paused."""
        return self.info().id is not None

    def info(self) -> DomainRecord:
        """Read the domain now and return its record (G15-12).

        Raises:
            NotFoundError: the domain is gone.
        """
        record = calls.read(self._link, self.uuid)
        self._name = record.name
        self.host.news.note("domain", record)
        return record

    def xml(self, *, inactive: bool = False, secure: bool = False) -> str:
        """Return the domain's XML as libvirt has it now (G15-05).

        Args:
            inactive: what the domain will be at its next start, instead of what it is.
            secure: with passwords; needs a connection that may write.
        """
        return calls.xml(self._link, self.uuid, inactive=inactive, secure=secure)

    @property
    def pending(self) -> str:
        """What will change at the next start, as a diff of live against stored XML; empty if nothing.

        Addresses, aliases and other things that libvirt adds to a running domain are left out.
        """
        if not self.is_active:
            return ""
        live = _settled(calls.xml(self._link, self.uuid, migratable=True))
        stored = _settled(calls.xml(self._link, self.uuid, inactive=True, migratable=True))
        return xml_diff(_without_partition(live, stored), stored, self._name)

    def scope(self, *, live: bool | None = None, config: bool | None = None) -> tuple[bool, bool]:
        """Settle what a change applies to: the running domain, its stored definition, or both.

        None means what the domain has: live when it is active, config when it is persistent. Where
        one of them is True, None means False.

        Raises:
            ConflictError: live on a domain that is not active, or config on a transient one; or
                neither is left.
        """
        record = self.info()
        active, persistent = record.id is not None, record.persistent
        asked = f"a change of domain {self._name}"
        if live and not active:
            raise ConflictError(
                f"{asked} while it runs",
                uri=self.host.label,
                hint="the domain is not running: leave out live=True, or start it first",
            )
        if config and not persistent:
            raise ConflictError(
                f"{asked} in its stored definition",
                uri=self.host.label,
                hint="the domain is transient and has none: use live=True",
            )
        if live or config:
            return bool(live), bool(config)
        scope = live is None and active, config is None and persistent
        if not any(scope):
            raise ConflictError(
                f"{asked} of which nothing is left",
                uri=self.host.label,
                hint="leave out live and config: the change then goes wherever the domain is",
            )
        return scope

    def virsh(self, *words: object) -> str:
        """Return a virsh command; words are quoted for the shell."""
        return shlex.join(str(word) for word in words)

    def one_call(  # the shape of every simple verb
        self,
        text: str,
        run: Callable[[Connection, JobControl], R],
        *,
        virsh: tuple[object, ...] = (),
        line: str = "",
        python: str = "",
        diff: str = "",
        destroys: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
        confirm: bool = False,
    ) -> Plan[R]:
        """Return the plan of one call on this domain; `line` is a virsh command quoted already."""
        action: Call[Host, R] = Call(
            f"{text} {self._name}",
            lambda host, control: run(host.connection, control),
            line=line or (self.virsh(*virsh) if virsh else ""),
            change=diff,
            loses=destroys,
            before=lambda host: host.require_writable(f"{text} {self._name}"),
        )
        return Plan(
            title=action.text,
            host=self.host,
            actions=(action,),
            result=lambda: action.results[-1],
            warnings=warnings,
            python=f"{self.host.python}.domains[{self._name!r}]{python}" if python else "",
            confirmed=confirm,
            journal=self.host.journal,
        )
