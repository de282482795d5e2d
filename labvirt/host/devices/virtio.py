"""Converting a domain to virtio (chapter 9): a look inside, the change as a plan, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.errors import ConflictError, PreconditionError, SpecError
from labvirt.host.clones.inside import InsideVerbs
from labvirt.host.devices.device_actions import ChangeDefinition
from labvirt.host.devices.guest_drivers import DriverReport, look_inside
from labvirt.host.handle import python_call
from labvirt.host.validate import require_valid
from labvirt.model.virtio import candidates, swap_back, to_virtio
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labvirt.model.virtio import Swap

__all__ = ["VirtioVerbs"]


class VirtioVerbs(InsideVerbs):
    """Verbs that put virtio in the place of emulated disks and cards."""

    def virtio_check(self) -> DriverReport:
        """Look inside the running guest: has it the drivers, what names its disks (G9.1-03).

        Linux is asked by its agent or serial console: modules, initial RAM disk, ``/etc/fstab``,
        boot loader, rules for network cards. Windows is asked by its agent for its drivers.

        Raises:
            ConflictError: the domain does not run.
            WaitTimeoutError: nobody inside answers.
        """
        if not self.is_active:
            raise ConflictError(
                f"look inside domain {self.name}",
                uri=self.host.label,
                libvirt_text="it does not run",
                hint="start it, look, shut it down, then convert it",
            )
        return look_inside(self)

    @property
    def not_virtio(self) -> tuple[str, ...]:
        """Disks and interfaces of the stored definition that could be virtio and are not."""
        return candidates(DomainXml.parse(self.xml(inactive=True)))

    @verb
    def convert_to_virtio(
        self,
        devices: Iterable[str] = (),
        *,
        check: DriverReport | None = None,
        drivers_installed: bool = False,
    ) -> Plan[tuple[Swap, ...]]:
        """Put virtio in the place of IDE and SATA disks and of emulated network cards (G9.1-07).

        The domain must be off. What was before is noted in its metadata: `convert_back` undoes it.

        Args:
            devices: targets and MAC addresses; all that can be when empty.
            check: what `virtio_check` saw while the guest ran.
            drivers_installed: you know that the guest has the drivers.

        Returns:
            What became of each device.

        Raises:
            PreconditionError: nobody looked inside, or what was seen would not boot.
            ConflictError: the domain is running.
            SpecError: no such device, nothing to convert, or no PCI slot.
        """
        asked = f"convert domain {self.name} to virtio"
        self._require_off(asked)
        if check is not None and check.uuid != self.uuid:
            raise SpecError(f"{asked}: the check is that of domain {check.name}")
        blockers = check.blockers if check is not None else ()
        if blockers and not drivers_installed:
            told = "\n".join(f"  - {one}" for one in blockers)
            raise PreconditionError(f"{asked}: it would not run:\n{told}")
        if check is None and not drivers_installed:
            raise PreconditionError(
                f"{asked}: nobody looked whether its guest has the drivers",
                hint="start it, check = domain.virtio_check(), shut it down, then check=check; or "
                "attach a small virtio disk first and let the guest find it; or "
                "drivers_installed=True",
            )
        warnings = [str(one) for one in check.findings if one.level == "warning"] if check else []
        before = self.xml(inactive=True, secure=True)
        document = DomainXml.parse(before)
        swaps = to_virtio(document, tuple(devices))
        warnings += [str(one) for one in swaps]
        if document.cmdline and any(f"/dev/{word}" in document.cmdline for word in ("hd", "sd")):
            warnings.append(f"the kernel's command line names a disk: {document.cmdline}")
        return self._swap(
            asked, before, document, swaps, python="convert_to_virtio", warnings=tuple(warnings)
        )

    @verb
    def convert_back(self) -> Plan[tuple[Swap, ...]]:
        """Undo `convert_to_virtio`: the devices get back their bus, names and models.

        Raises:
            ConflictError: the domain is running.
            SpecError: it was not converted by labvirt.
        """
        asked = f"convert domain {self.name} back from virtio"
        self._require_off(asked)
        before = self.xml(inactive=True, secure=True)
        document = DomainXml.parse(before)
        return self._swap(asked, before, document, swap_back(document), python="convert_back")

    def _require_off(self, asked: str) -> None:
        if self.is_active:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text="it is running",
                hint="shut it down first: its disks change their bus",
            )

    def _swap(
        self,
        asked: str,
        before: str,
        document: DomainXml,
        swaps: tuple[Swap, ...],
        *,
        python: str,
        warnings: tuple[str, ...] = (),
    ) -> Plan[tuple[Swap, ...]]:
        after = document.text()
        require_valid(after)
        names = ", ".join(one.name for one in swaps)
        what = f"{'convert' if python == 'convert_to_virtio' else 'convert back'} {names}"
        return Plan(
            title=asked,
            host=self.host,
            actions=(ChangeDefinition(self.name, self.uuid, what, before, after),),
            result=lambda: swaps,
            warnings=warnings,
            python=f"{self.host.python}.domains[{self.name!r}]" + python_call("", python, (), {}),
            journal=self.host.journal,
        )
