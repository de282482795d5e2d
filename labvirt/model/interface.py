"""Network interfaces of a domain that is asked for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import Mac, ObjectName
from labvirt.model.spec import Spec
from labvirt.model.units import Size
from labvirt.model.xml.devices import InterfaceXml

__all__ = ["InterfaceSpec"]

Kind = Literal["default", "network", "bridge", "user", "mcast", "direct", "none"]

_NEED_SOURCE: Final = {"network": "default", "bridge": "br0", "direct": "eth0"}
_DEVICE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,15}")  # IFNAMSIZ of the kernel, less its end
_TYPE: Final = {"default": "network", "none": "null"}


class InterfaceSpec(Spec):
    """A network interface.

    Short forms where an interface is wanted: ``"user"``, ``"network:default"``, ``"bridge:br0"``.
    """

    kind: Kind = Field(
        "default",
        description="how it is connected: what this host offers (default), a libvirt network, "
        "a bridge of the host, QEMU's own NAT (user), a multicast group shared by domains "
        "(mcast), a device of the host by macvtap (direct), or not at all (none)",
    )
    source: ObjectName | None = Field(
        None,
        description="name of the network, bridge or device",
        examples=["default", "br0", "eth1"],
    )
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(
        "virtio", description="card the guest sees", examples=["virtio", "e1000e"]
    )
    mac: Mac | None = Field(None, description="MAC address; a free one is made when left out")
    address: str | None = Field(
        None, description="multicast group, kind mcast", examples=["230.0.0.1"]
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="UDP port of the group, kind mcast", examples=[5558]
    )
    mode: Literal["vepa", "bridge", "private", "passthrough"] | None = Field(
        None, description="macvtap mode, kind direct"
    )
    filter: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")] | None = Field(
        None, description="name of an nwfilter", examples=["clean-traffic"]
    )
    link_up: bool = Field(default=True, description="the cable is plugged in")
    boot_order: int | None = Field(None, ge=1, description="place in the boot order, from 1")
    mtu: int | None = Field(None, ge=68, le=65535, description="MTU in bytes")
    inbound: Size | None = Field(
        None, ge=1024, description="usual rate to the guest, in a second", examples=["10 MiB"]
    )
    outbound: Size | None = Field(
        None, ge=1024, description="usual rate from the guest, in a second", examples=["10 MiB"]
    )

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        if isinstance(data, str):
            kind, _, source = data.partition(":")
            return {"kind": kind, **({"source": source} if source else {})}
        if isinstance(data, Mapping) and data.get("source") and "kind" not in data:
            return {**data, "kind": "network"}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.kind in _NEED_SOURCE and self.source is None:
            example = _NEED_SOURCE[self.kind]
            problems.append(Problem("source", "", f"kind {self.kind} needs one", f"e.g. {example}"))
        if self.kind in {"bridge", "direct"} and not _DEVICE.fullmatch(self.source or "x"):
            problems.append(Problem("source", self.source or "", "is no name of a device"))
        if self.kind not in _NEED_SOURCE and self.source is not None:
            problems.append(Problem("source", self.source, f"kind {self.kind} has none"))
        if self.kind == "mcast":
            problems.extend(self._group_problems())
        else:
            problems.extend(
                Problem(name, str(value), f"only kind mcast has it, not {self.kind}")
                for name, value in (("address", self.address), ("port", self.port))
                if value is not None
            )
        if self.mode is not None and self.kind != "direct":
            problems.append(Problem("mode", self.mode, f"only kind direct has it, not {self.kind}"))
        if problems:
            raise SpecError("InterfaceSpec", problems)
        return self

    def _group_problems(self) -> list[Problem]:
        missing = [
            Problem(name, "", "kind mcast needs it", f"e.g. {example}")
            for name, value, example in (
                ("address", self.address, "230.0.0.1"),
                ("port", self.port, "5558"),
            )
            if value is None
        ]
        if self.address is None:
            return missing
        try:
            is_group = ipaddress.IPv4Address(self.address).is_multicast
        except ValueError:
            is_group = False
        if not is_group:
            why = "is no IPv4 multicast address"
            missing.append(Problem("address", self.address, why, "224.0.0.0 to 239.255.255.255"))
        return missing

    def device_xml(self) -> InterfaceXml:
        """Return the ``<interface>`` element; kind default is libvirt's network ``default``."""
        nic = InterfaceXml.new(type=_TYPE.get(self.kind, self.kind), mac=self.mac)
        if self.kind in {"network", "default"}:
            nic.source_network = self.source or "default"
        elif self.kind == "bridge":
            nic.source_bridge = self.source
        elif self.kind == "direct":
            nic.set(source_dev=self.source, source_mode=self.mode or "bridge")
        elif self.kind == "mcast":
            nic.set(source_address=self.address, source_port=self.port)
        nic.set(model=self.model, filter=self.filter)
        if not self.link_up:
            nic.link_state = "down"
        nic.set(mtu=self.mtu, boot_order=self.boot_order)
        for name, rate in (("inbound_kib_s", self.inbound), ("outbound_kib_s", self.outbound)):
            if rate is not None:
                setattr(nic, name, rate.kib)
        return nic

    def to_xml(self) -> str:
        """Return the ``<interface>`` element as text, e.g. to attach it."""
        return self.device_xml().text()
