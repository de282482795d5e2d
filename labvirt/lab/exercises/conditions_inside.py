"""Conditions on what a guest itself does: it answers, has an address, serves, was not restarted."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from labvirt.errors import LabvirtError
from labvirt.lab.exercises.condition_base import Expected, Look
from labvirt.lab.exercises.scene import Seen

if TYPE_CHECKING:
    from labvirt.host import Domain
    from labvirt.lab.exercises.scene import Scene

__all__ = ["Answers", "HasAddress", "Inside", "SameBoot", "Serves", "boot_of"]

_AGENT_S = 5.0


def _subnet(text: str) -> str:
    return str(ipaddress.ip_network(text, strict=False))


def boot_of(domain: Domain) -> str:
    """Return which start of a tiny guest this is.

    Raises:
        LabvirtError: its agent does not answer.
    """
    return domain.run(["/bin/cat", "/run/bootid"], timeout_s=_AGENT_S).stdout.strip()


class Answers(Look):
    """The guest agent answers."""

    kind: Literal["answers"] = "answers"
    domain: str = Field(description="name of the domain")

    def look(self, scene: Scene) -> Seen:
        """Ask the agent for a sign of life."""
        expected = scene.say("the guest agent answers", "гостевой агент отвечает")
        domain = scene.domain(self.host, self.domain)
        if domain is None:
            return scene.missing(expected, self.domain, self.host)
        if not domain.is_active:
            return Seen(holds=False, expected=expected, seen=domain.state.text, settled=True)
        try:
            domain.agent("guest-ping", timeout_s=_AGENT_S)
        except LabvirtError as error:
            return Seen(holds=False, expected=expected, seen=error.what)
        return Seen(holds=True, expected=expected, seen=expected)


class HasAddress(Look):
    """The host knows an address of the guest, within a subnet if one is asked for."""

    kind: Literal["address"] = "address"
    domain: str = Field(description="name of the domain")
    subnet: Annotated[str, AfterValidator(_subnet)] | None = Field(
        None, description="subnet that it must be in", examples=["192.168.122.0/24"]
    )
    address: str | None = Field(None, description="exactly this address")

    def look(self, scene: Scene) -> Seen:
        """Look at leases, and what agent and serial line tell."""
        wanted = self.address or self.subnet or ""
        expected = scene.say("an address {w}", "адрес {w}", w=wanted).strip()
        domain = scene.domain(self.host, self.domain)
        if domain is None:
            return scene.missing(expected, self.domain, self.host)
        try:
            found = [each.address for each in domain.addresses()]
        except LabvirtError:
            nothing = scene.say("no address ({s})", "адреса нет ({s})", s=domain.state.text)
            off = not domain.is_active
            return Seen(holds=False, expected=expected, seen=nothing, settled=off)
        return Seen(any(map(self._fits, found)), expected, ", ".join(found))

    def _fits(self, address: str) -> bool:
        if self.address is not None:
            return address == self.address
        return self.subnet is None or ipaddress.ip_address(address) in ipaddress.ip_network(
            self.subnet
        )


class Serves(Look):
    """The guest's web server can be reached from its host."""

    kind: Literal["serves"] = "serves"
    domain: str = Field(description="name of the domain")
    port: int = Field(80, ge=1, le=65535, description="TCP port")

    def look(self, scene: Scene) -> Seen:
        """Open a connection from inside the host."""
        expected = scene.say("TCP port {p} answers", "TCP-порт {p} отвечает", p=self.port)
        domain = scene.domain(self.host, self.domain)
        if domain is None:
            return scene.missing(expected, self.domain, self.host)
        nowhere = scene.say("it has no address", "нет адреса")
        try:
            addresses = [each.address for each in domain.addresses() if each.family == "ipv4"]
        except LabvirtError:
            off = not domain.is_active
            return Seen(holds=False, expected=expected, seen=nowhere, settled=off)
        told = ""
        for address in addresses:
            try:
                scene.lab.dial(self.host, address, self.port, timeout_s=2.0).close()
            except LabvirtError as error:
                told = error.what
            else:
                return Seen(holds=True, expected=expected, seen=f"{address}:{self.port}")
        return Seen(holds=False, expected=expected, seen=told or nowhere)


class Inside(Expected):
    """What a command prints that the guest agent runs inside the guest."""

    kind: Literal["inside"] = "inside"
    domain: str = Field(description="name of the domain")
    run: str = Field(description="line for the guest's shell; it must change nothing")

    def look(self, scene: Scene) -> Seen:
        """Run it."""
        expected = f"{self.run}: {self.told(scene)}"
        domain = scene.domain(self.host, self.domain)
        if domain is None:
            return scene.missing(expected, self.domain, self.host)
        if not domain.is_active:
            return Seen(holds=False, expected=expected, seen=domain.state.text, settled=True)
        try:
            said = domain.run(["/bin/sh", "-c", self.run], timeout_s=10.0)
        except LabvirtError as error:
            return Seen(holds=False, expected=expected, seen=error.what)
        text = (said.stdout + said.stderr).strip()
        return Seen(self.fits(text), expected, text or scene.say("nothing", "ничего"), settled=True)


class SameBoot(Look):
    """The guest runs as it was started: it was neither restarted nor made anew."""

    kind: Literal["same-boot"] = "same-boot"
    domain: str = Field(description="name of the domain")

    def look(self, scene: Scene) -> Seen:
        """Compare the mark of this boot with the one that was noted at the beginning."""
        expected = scene.say("it runs since the beginning", "работает с самого начала")  # noqa: RUF001
        domain = scene.domain(self.host, self.domain)
        if domain is None:
            return scene.missing(expected, self.domain, self.host)
        noted = scene.memory.get("boots", {}).get(self.domain)
        try:
            now = boot_of(domain)
        except LabvirtError as error:
            return Seen(holds=False, expected=expected, seen=error.what)
        again = scene.say("it was started again", "её запускали заново")
        return Seen(now == noted, expected, expected if now == noted else again)
