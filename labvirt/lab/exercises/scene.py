"""Scene: where the conditions of an exercise look, and in which language they tell what they saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.host import Domain, Host
    from labvirt.lab.lab import Lab

__all__ = ["Scene", "Seen"]


@dataclass(frozen=True)
class Seen:
    """What one look gave.

    Attributes:
        holds: whether it is as it should be.
        expected: what should be there.
        seen: what is there.
        settled: it will not change by waiting.
    """

    holds: bool
    expected: str
    seen: str
    settled: bool = False


@dataclass(frozen=True)
class Scene:
    """A lab as the conditions see it; they only read.

    Attributes:
        lab: the lab.
        language: in which is told what was seen: ``en`` or ``ru``.
        memory: what was noted when the exercise began: ``boots`` and ``uuids`` by guest.
    """

    lab: Lab
    language: str = "en"
    memory: Mapping[str, Any] = field(default_factory=dict)

    def say(self, english: str, russian: str, **values: object) -> str:
        """Return a text in the language of the student."""
        return (russian if self.language == "ru" else english).format(**values)

    def host(self, name: str) -> Host:
        """Return a host of the lab.

        Raises:
            LabError: there is no such host.
            HostError: its libvirtd does not answer.
        """
        return self.lab[name]

    def domain(self, host: str, name: str) -> Domain | None:
        """Return a domain, None when it is not there."""
        domains = self.host(host).domains
        return domains[name] if name in domains else None  # noqa: SIM401 - no mapping

    def missing(self, expected: str, name: str, host: str) -> Seen:
        """Return the answer for something that is not on a host."""
        told = self.say(
            "there is no {name} on {host}", "на {host} нет {name}", name=name, host=host
        )
        return Seen(holds=False, expected=expected, seen=told, settled=True)

    @staticmethod
    def found(xml: str, path: str) -> list[str]:
        """Return the texts that an XPath finds in a document: of elements their text."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        result: Any = etree.fromstring(xml.encode(), parser).xpath(path)
        if not isinstance(result, list):
            result = [result]
        texts = (each if isinstance(each, str) else getattr(each, "text", each) for each in result)
        return [_plain(each) for each in texts]


def _plain(value: object) -> str:
    """Return a value of XPath as text; a count without its ``.0``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return "" if value is None else str(value).strip()
