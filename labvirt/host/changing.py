"""Changing a definition: facts by their names, the boot order, or the XML as a whole."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import ConflictError, Problem, SpecError
from labvirt.host.devices.device_actions import ChangeDefinition
from labvirt.host.handle import python_call, xml_diff
from labvirt.host.present import twins
from labvirt.host.resources import ResourceVerbs
from labvirt.host.validate import require_valid
from labvirt.model.editing import MACHINE_FACTS, facts_now, spec_of
from labvirt.model.redact import unmask
from labvirt.model.spec import did_you_mean
from labvirt.model.spec_text import spec_text
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb
from labvirt.status.device import records_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from labvirt.model.spec import Spec
    from labvirt.plan import Action
    from labvirt.status import DeviceRecord

__all__ = ["BOOTABLE", "ChangingVerbs", "Stored"]

_NAMES: Final = tuple(dict.fromkeys(name for names in MACHINE_FACTS.values() for name in names))
_SIZES: Final = frozenset({"memory", "current_memory", "max_memory"})

#: Kinds of devices from which a guest can boot.
BOOTABLE: Final = frozenset({"disk", "interface", "hostdev", "redirdev"})


@dataclass(frozen=True)
class Stored:
    """What became of a definition that was asked for.

    Attributes:
        asked: the XML that was given.
        stored: what libvirt keeps.
    """

    asked: str
    stored: str

    @property
    def diff(self) -> str:
        """What libvirt added, dropped or wrote in another way; empty when nothing."""
        name = DomainXml.parse(self.stored).name or ""
        return xml_diff(_plain(self.asked), _plain(self.stored), name)


class ChangingVerbs(ResourceVerbs):
    """Verbs that store another definition, whatever of it is another one."""

    def editing(self, page: str) -> tuple[type[Spec], dict[str, Any]]:
        """Return what can be changed on a page of the machine: a spec of it, and what holds now.

        Args:
            page: ``processors``, ``memory``, ``boot``, ``clock``, ``machine`` or ``power``.

        Raises:
            SpecError: there is no such page.
        """
        if page not in MACHINE_FACTS:
            hint = did_you_mean(page, tuple(MACHINE_FACTS))
            raise SpecError(
                f"{self.name} has no page of this name", [Problem("page", page, "", hint)]
            )
        document = DomainXml.parse(self.xml(inactive=self.info().persistent))
        spec = spec_of(page, document)
        assert spec is not None
        return spec, facts_now(page, document)

    def boot_devices(self) -> tuple[tuple[str, str, int | None], ...]:
        """Return the devices a guest can boot from: name, what it is, place from 1 or None.

        Those with a place come first, in their order.
        """
        document = DomainXml.parse(self.xml(inactive=self.info().persistent))
        found = [(name, view.boot_order) for name, view in bootable(document).items()]
        whats = {one.name: one.what for one in _records(document)}
        found.sort(key=lambda each: (each[1] is None, each[1]))
        return tuple((name, whats[name], place) for name, place in found)

    @verb
    def change(self, /, **facts: Any) -> Plan[None]:
        """Change facts of the machine under the names of its XML table (G16.7-04, G16.7-05).

        ``current_vcpus`` and ``current_memory`` of a running domain change at once, as far as its
        guest plays along; everything else waits for the next start, and the plan says so.

        Args:
            facts: e.g. ``memory="2 GiB"``, ``vcpus=4``, ``cpu_mode="host-model"``,
                ``clock_offset="localtime"``, ``on_crash="restart"``; None removes. Those there
                are: `labvirt.model.editing.MACHINE_FACTS`.

        Raises:
            SpecError: no such fact, a value that it does not take, or more in use than at most.
            ConflictError: the domain is transient and has no definition.
        """
        asked = f"change domain {self.name}"
        wrong = [name for name in facts if name not in _NAMES]
        if wrong or not facts:
            hint = did_you_mean(wrong[0], _NAMES, limit=40) if wrong else "change(vcpus=2)"
            name = wrong[0] if wrong else "facts"
            why = "there is no such fact" if wrong else "none is named"
            raise SpecError(f"cannot {asked}", [Problem(name, "", why, hint)])
        given = {
            name: Size.of(value) if name in _SIZES and value is not None else value
            for name, value in facts.items()
        }
        active = self.is_active
        live = (
            {name for name in given if name in _LIVE and given[name] is not None}
            if active
            else set()
        )
        before, document = self._stored_text()
        _put(document, given)
        after = document.text()
        require_valid(after)
        actions: list[Action[Any]] = []
        if set(given) - live or "current_memory" in live or "current_vcpus" in live:
            what = f"change {', '.join(given)}"
            actions.append(ChangeDefinition(self.name, self.uuid, what, before, after))
        warnings: list[str] = []
        for name in sorted(live):
            plan = _LIVE[name](self, given[name])
            actions += plan.actions
            warnings += plan.warnings
        waits = sorted(set(given) - live)
        if active and waits:
            warnings.append(f"{', '.join(waits)}: takes effect at the next start of {self.name}")
        shown = ", ".join(f"{name}={spec_text(value)}" for name, value in facts.items())
        return self._changed(actions, f".change({shown})", warnings)

    @verb
    def set_boot_order(self, devices: Iterable[str]) -> Plan[None]:
        """Set from which devices the guest boots, first to last, from its next start on.

        Each device gets its own place; libvirt's older order of kinds (``hd``, ``network``) goes.

        Args:
            devices: names as in `devices`: ``["vda", "52:54:00:12:34:56"]``; empty: no device has
                a place, and the guest boots from its first disk.

        Raises:
            SpecError: a device is named twice, is not there, or nothing can boot from it.
        """
        names = [devices] if isinstance(devices, str) else [str(each) for each in devices]
        before, document = self._stored_text()
        known = bootable(document)
        problems = [
            Problem(f"devices[{at}]", name, why, hint)
            for at, name in enumerate(names)
            if (found := _refused(name, names[:at], tuple(known))) is not None
            for why, hint in (found,)
        ]
        if problems:
            raise SpecError(f"cannot set the boot order of {self.name}", problems)
        document.boot_order = ()
        for view in known.values():
            view.boot_order = None
        for place, name in enumerate(names, 1):
            known[name].boot_order = place
        if not names:
            document.boot_order = ("hd",)
        require_valid(document.text())
        action = ChangeDefinition(
            self.name, self.uuid, "set the boot order", before, document.text()
        )
        waits = (f"takes effect at the next start of {self.name}",) if self.is_active else ()
        return self._changed([action], python_call("", "set_boot_order", (names,), {}), waits)

    @verb
    def redefine(self, xml: str, *, was: str | None = None) -> Plan[Stored]:
        """Store another definition of this domain, written as XML.

        Args:
            xml: the whole definition; its UUID is this domain's.
            was: what the stored definition was when somebody began to write, with or without
                passwords; when it is another one by now nothing is stored.

        Returns:
            What was asked and what libvirt keeps: `Stored.diff` tells what it did not take.

        Raises:
            SpecError: not the XML of a domain; names element, attribute, and what is allowed.
            ConflictError: the definition was changed meanwhile, or name or UUID are another's.
        """
        asked = f"change the definition of domain {self.name}"
        before = self._stored_text()[0]
        if was is not None and _plain(was) != _plain(before):
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text="it was changed by somebody else since it was read",
                hint="read it anew and make your changes again:\n"
                + xml_diff(_plain(was), _plain(before), self.name),
            )
        text = self._checked(xml, before, asked)
        warnings = tuple(twins(self.host, DomainXml.parse(text), self.uuid))
        if self.is_active:
            warnings += (f"takes effect at the next start of {self.name}",)
        action = ChangeDefinition(self.name, self.uuid, "change the definition", before, text)
        plan = self._changed([action], ".redefine(xml)", warnings)
        return Plan(
            title=plan.title,
            host=self.host,
            actions=plan.actions,
            result=lambda: Stored(text, self.xml(inactive=True)),
            warnings=plan.warnings,
            python=plan.python,
            journal=self.host.journal,
        )

    def _checked(self, xml: str, before: str, asked: str) -> str:
        """Return what is to be stored: valid, of this domain, with its passwords put back."""
        document = DomainXml.parse(xml)
        old = DomainXml.parse(before)
        if document.uuid is None:
            document.uuid = old.uuid
        problems = [
            Problem(field, str(now), "is another domain's or none", f"{was}: " + hint)
            for field, now, was, hint in (
                ("uuid", document.uuid, old.uuid, "a copy is made with clone()"),
                ("name", document.name, old.name, "rename() gives another name"),
            )
            if now != was
        ]
        if problems:
            raise SpecError(f"cannot {asked}", problems)
        unmask(document.element, old.element)
        text = document.text()
        require_valid(text)
        return text

    def _stored_text(self) -> tuple[str, DomainXml]:
        """Return the stored definition with its secrets, which it would lose otherwise."""
        self.scope(config=True)
        text = self.xml(inactive=True, secure=not self.host.readonly)
        return text, DomainXml.parse(text)

    def _changed(
        self, actions: Sequence[Action[Any]], python: str, warnings: Iterable[str]
    ) -> Plan[None]:
        return Plan(
            title=actions[0].title,
            host=self.host,
            actions=tuple(actions),
            result=lambda: None,
            warnings=tuple(warnings),
            python=f"{self.host.python}.domains[{self.name!r}]{python}",
            journal=self.host.journal,
        )


def bootable(document: DomainXml) -> dict[str, Any]:
    """Return the devices from which a guest can boot by their names, in their order."""
    pairs = zip(_records(document), document.devices, strict=True)
    return {record.name: view for record, view in pairs if record.type in BOOTABLE}


def _records(document: DomainXml) -> list[DeviceRecord]:
    return records_of(document, dt.datetime.now(dt.UTC), live=False)


def _refused(name: str, before: Sequence[str], known: tuple[str, ...]) -> tuple[str, str] | None:
    if name in before:
        return "is there twice", ""
    if name not in known:
        return "is no device to boot from", did_you_mean(name, known)
    return None


def _plain(xml: str) -> str:
    """Return a definition without its secrets: libvirt leaves those of graphics out by itself."""
    document = DomainXml.parse(xml)
    for view in document.graphics:
        view.password = None
    return document.redacted()


#: What a running domain can change, and the plan of it.
_LIVE: Final[Mapping[str, Any]] = {
    "current_vcpus": lambda domain, value: domain.set_vcpus.plan(value, live=True),
    "current_memory": lambda domain, value: domain.set_memory.plan(value, live=True),
}


def _put(document: DomainXml, given: Mapping[str, Any]) -> None:
    """Write facts, and look at those that must fit each other.

    Raises:
        SpecError: they do not.
    """
    was_full = document.current_memory in {None, document.memory}
    for name, value in given.items():
        setattr(document, name, value)
    if given.get("cpu_mode") not in {None, "custom"} and "cpu_model" not in given:
        document.cpu_fallback = document.cpu_model = document.cpu_match = None
    if "memory" in given and "current_memory" not in given and was_full:
        document.current_memory = document.memory
    if document.current_vcpus == document.vcpus:
        document.current_vcpus = None
    problems = [*_unfit_sizes(document), *_unfit_topology(document)]
    if problems:
        raise SpecError("cannot change the machine", problems)


def _unfit_sizes(document: DomainXml) -> Iterator[Problem]:
    """Yield what is more in use than there is at most."""
    memory, vcpus = document.memory, document.vcpus or 1
    if not memory:
        yield Problem("memory", "", "is missing", "a size such as 512 MiB")
    elif (document.current_memory or 0) > memory:
        shown = str(document.current_memory)
        yield Problem(
            "current_memory", shown, f"is more than at most: {memory}", "raise memory too"
        )
    if (document.current_vcpus or 0) > vcpus:
        shown = str(document.current_vcpus)
        yield Problem("current_vcpus", shown, f"is more than at most: {vcpus}", "raise vcpus too")


def _unfit_topology(document: DomainXml) -> Iterator[Problem]:
    """Complete the topology, and yield what is wrong with it; without numbers there is none."""
    names = ("cpu_sockets", "cpu_cores", "cpu_threads")
    shape = [getattr(document, name) for name in names]
    left = document.element.find("cpu/topology")
    if not any(shape):
        if left is not None:
            document.doc.remove(left)
        return
    for name, value in zip(names, shape, strict=True):
        setattr(document, name, value or 1)
    count = math.prod(value or 1 for value in shape)
    if count != (document.vcpus or 1):
        why = f"sockets x cores x threads are {count}, and there are {document.vcpus} vCPUs"
        yield Problem("cpu_sockets", str(shape[0] or 1), why)
