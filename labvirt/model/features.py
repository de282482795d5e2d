"""The switches of the virtual machine itself: ACPI, APIC, SMM, Hyper-V ..., and the watchdog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, model_validator

from labvirt.model.spec import Spec
from labvirt.model.units import Size
from labvirt.model.xml.devices import WatchdogXml

if TYPE_CHECKING:
    from labvirt.model.xml.domain import DomainXml

__all__ = ["FeaturesSpec", "WatchdogSpec"]

_TB_CACHE: Final = Size(64 * 2**20)
"""QEMU's default grows to 1 GiB for each domain; 64 MiB is as fast for small guests."""


class FeaturesSpec(Spec):
    """What the virtual machine has besides its devices."""

    acpi: bool = Field(default=True, description="power button, orderly shutdown")
    apic: bool = Field(default=True, description="programmable interrupts, PC only")
    pae: bool = Field(default=False, description="physical address extension, 32-bit guests")
    smm: bool | None = Field(None, description="system management mode; left out: as needed")
    vmport: bool | None = Field(None, description="VMware's I/O port; off for some Windows")
    kvm_hidden: bool = Field(default=False, description="the guest does not see KVM")
    hyperv: bool = Field(
        default=False, description="what makes Windows faster: relaxed timers, vapic, spin locks"
    )
    tb_cache: Size | None = Field(
        None, gt=0, description="cache of translated code without KVM; left out: 64 MiB"
    )

    def describe(self, domain: DomainXml, *, virt: str, arch: str, needs_smm: bool) -> None:
        """Write ``<features>`` into ``domain``."""
        is_pc = arch in {"x86_64", "i686"}
        domain.pae = self.pae and is_pc
        domain.acpi = self.acpi and (is_pc or domain.firmware == "efi")
        domain.apic = self.apic and is_pc
        if self.hyperv:
            # vpindex, and with it synic and stimer, makes a domain without KVM fail to start.
            domain.set(hyperv_relaxed=True, hyperv_vapic=True, hyperv_spinlocks=True)
            domain.hyperv_retries = 8191
        if self.kvm_hidden:
            domain.kvm_hidden = True
        domain.set(vmport=self.vmport, smm=True if needs_smm else self.smm)
        if virt == "qemu":
            domain.tb_cache = self.tb_cache or _TB_CACHE


class WatchdogSpec(Spec):
    """A watchdog, which acts when the guest stops feeding it; short form: the action."""

    model: Literal["i6300esb", "ib700", "itco", "diag288"] = Field(
        "i6300esb", description="kind; itco is a part of machine q35, diag288 of s390x"
    )
    action: Literal["reset", "shutdown", "poweroff", "pause", "none", "dump", "inject-nmi"] = Field(
        "reset", description="what it does"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"action": data} if isinstance(data, str) else data

    def device_xml(self) -> WatchdogXml:
        """Return the ``<watchdog>`` element."""
        return WatchdogXml.new(model=self.model, action=self.action)
