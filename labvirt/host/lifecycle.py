"""Life-cycle verbs of a domain: start, shut down, suspend, save, rename, undefine (table 15.1)."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from labvirt.connection import domain as calls
from labvirt.errors import ConflictError, SpecError, WaitTimeoutError
from labvirt.host.handle import DomainHandle, python_call
from labvirt.host.networks.linking import link_actions
from labvirt.host.watch import watch
from labvirt.model.arguments import HostFile, Limit, checked
from labvirt.model.names import check_name
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from labvirt.connection import Connection
    from labvirt.host.actions import StartNetwork
    from labvirt.plan import JobControl
    from labvirt.status import DomainState

__all__ = ["LifecycleVerbs"]

_UNSAVED = "what {name} has in memory and not yet written to its disks"


class LifecycleVerbs(DomainHandle):
    """Verbs that change the state of the whole domain."""

    @verb
    def start(
        self,
        *,
        paused: bool = False,
        force_boot: bool = False,
        bypass_cache: bool = False,
        ensure: bool = False,
        confirm: bool = False,
    ) -> Plan[None]:
        """Start the domain; one that was saved by libvirt goes on where it was (G15-07).

        Args:
            paused: leave it paused before its first instruction.
            force_boot: boot anew and throw a managed save image away.
            bypass_cache: read a managed save image around the file system cache.
            ensure: start the networks it is connected to first, where they are not active.
            confirm: agree to lose the managed save image (``force_boot``).

        Raises:
            ConflictError: it is running already, or a network it needs is not active.
            NotFoundError: a network, bridge or device it is connected to is missing.
        """
        flags = ("--paused",) * paused + ("--force-boot",) * force_boot
        lost = f"the saved state of {self.name}"

        def run(link: Connection, _: JobControl) -> None:
            if force_boot or not self.info().has_managed_save:
                self._mark_boot()
            calls.start(
                link, self.uuid, paused=paused, force_boot=force_boot, bypass_cache=bypass_cache
            )

        record = self.info()
        asked = f"start domain {self.name}"
        links: tuple[StartNetwork, ...] = ()
        if record.id is None:
            links = link_actions(self.host, self.xml(inactive=True), asked, ensure=ensure)
        options = {"paused": paused, "force_boot": force_boot, "ensure": ensure}
        plan = self.one_call(
            "start domain",
            run,
            virsh=("start", self.name, *flags),
            python=python_call("", "start", (), options),
            destroys=(lost,) if force_boot and record.has_managed_save else (),
            confirm=confirm,
        )
        return dataclasses.replace(plan, actions=(*links, *plan.actions)) if links else plan

    def _mark_boot(self) -> None:
        """Note where the coming boot begins in the transcript of the serial console."""
        document = DomainXml.parse(self.xml(inactive=True))
        log = next((serial.log_file for serial in document.serials if serial.log_file), "")
        self.host.mark_serial(self.uuid, log)

    @verb
    def shutdown(
        self,
        *,
        mode: str | None = None,
        timeout_s: float = 60.0,
        then: str = "report",
        confirm: bool = False,
    ) -> Plan[DomainState]:
        """Ask the guest to shut down and wait until it has (G15-21).

        Args:
            mode: ``acpi`` (power button), ``agent``, ``initctl``, ``signal`` or ``paravirt``;
                None lets the hypervisor choose.
            timeout_s: how long to wait; 0 only asks.
            then: when the guest does not obey: ``report`` raises, ``destroy`` forces it off,
                ``return`` gives the state back.
            confirm: agree to the loss that ``then="destroy"`` may bring.

        Returns:
            The state at the end.

        Raises:
            WaitTimeoutError: the guest did not shut down in time (``then="report"``).
        """
        if then not in ("report", "destroy", "return"):
            raise SpecError(f"then={then!r} is not known", hint="report, destroy or return")
        checked(Limit, f"shut down {self.name}", timeout_s=timeout_s)
        options = {"mode": mode, "timeout_s": timeout_s, "then": then}

        def run(link: Connection, control: JobControl) -> DomainState:
            calls.shutdown(link, self.uuid, mode=mode)
            if self._wait_off(control, timeout_s) or then == "return" or timeout_s == 0:
                return self.state
            if then == "destroy":
                calls.destroy(link, self.uuid)
                return self.state
            raise WaitTimeoutError(
                f"domain {self.name} to shut down",
                timeout_s=timeout_s,
                last_seen=self.state.text,
                likely_cause="the guest ignores the request: no system is running in it, it has "
                "not finished booting, or it does not listen to the power button",
                hint="mode='agent' if the guest agent runs, or destroy(confirm=True)",
            )

        return self.one_call(
            "shut down domain",
            run,
            virsh=("shutdown", self.name, *(("--mode", mode) if mode else ())),
            python=python_call("", "shutdown", (), options),
            destroys=(_UNSAVED.format(name=self.name),) if then == "destroy" else (),
            confirm=confirm,
        )

    def _wait_off(self, control: JobControl, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        with watch(self.host, self.uuid) as changed:
            while self.info().id is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                control.report(f"waiting for {self.name} to shut down")
                changed.wait(min(0.5, left))
                control.check()
        return True

    @verb
    def reboot(self, *, mode: str | None = None) -> Plan[None]:
        """Ask the guest to reboot; what happens is up to it and to ``on_reboot`` (G15-16)."""

        def run(link: Connection, _: JobControl) -> None:
            self._mark_boot()
            calls.reboot(link, self.uuid, mode=mode)

        return self.one_call(
            "reboot domain",
            run,
            virsh=("reboot", self.name, *(("--mode", mode) if mode else ())),
            python=python_call("", "reboot", (), {"mode": mode}),
        )

    @verb
    def reset(self, *, confirm: bool = False) -> Plan[None]:
        """Press the reset button: the guest boots anew without shutting down."""

        def run(link: Connection, _: JobControl) -> None:
            self._mark_boot()
            calls.reset(link, self.uuid)

        return self.one_call(
            "reset domain",
            run,
            virsh=("reset", self.name),
            python=".reset(confirm=True)",
            destroys=(_UNSAVED.format(name=self.name),),
            confirm=confirm,
        )

    @verb
    def destroy(self, *, graceful: bool = False, confirm: bool = False) -> Plan[None]:
        """Force the domain off, as if the power cord was pulled (G15-08).

        Args:
            graceful: give up rather than kill a QEMU that does not end on its own.
            confirm: agree to lose what is not on disk.
        """
        record = self.info()
        gone = () if record.persistent else (f"the transient domain {self.name} itself",)
        return self.one_call(
            "force off domain",
            lambda link, _: calls.destroy(link, self.uuid, graceful=graceful),
            virsh=("destroy", self.name, *(("--graceful",) * graceful)),
            python=python_call("", "destroy", (), {"graceful": graceful, "confirm": True}),
            destroys=(_UNSAVED.format(name=self.name), *gone),
            confirm=confirm,
        )

    @verb
    def suspend(self) -> Plan[None]:
        """Pause the domain: it keeps its memory and gets no processor time (G15-19)."""
        return self.one_call(
            "suspend domain",
            lambda link, _: calls.suspend(link, self.uuid),
            virsh=("suspend", self.name),
            python=".suspend()",
        )

    @verb
    def resume(self) -> Plan[None]:
        """Let a paused domain go on (G15-20)."""
        return self.one_call(
            "resume domain",
            lambda link, _: calls.resume(link, self.uuid),
            virsh=("resume", self.name),
            python=".resume()",
        )

    @verb
    def save(self, path: str, *, bypass_cache: bool = False, confirm: bool = False) -> Plan[None]:
        """Write the domain's memory to a file on the host and stop it (G15-17).

        Cancelling leaves the domain running. `Host.restore` brings it back.

        Args:
            path: absolute path on the host.
            bypass_cache: write around the file system cache.
            confirm: agree to overwrite a file that exists.

        Raises:
            SpecError: the path is not absolute.
            ConflictError: the domain is not running.
        """
        path = checked(HostFile, f"save {self.name}", path=path).path

        def run(link: Connection, control: JobControl) -> None:
            control.on_cancel(lambda: calls.abort_job(link, self.uuid))
            calls.save(link, self.uuid, path, bypass_cache=bypass_cache)

        return self.one_call(
            f"save to {path} the domain",
            run,
            virsh=("save", self.name, path),
            python=python_call("", "save", (path,), {}),
            destroys=self.host.overwritten(path),
            confirm=confirm,
        )

    @verb
    def managed_save(self) -> Plan[None]:
        """Save the domain where libvirt keeps it; the next start goes on from there."""

        def run(link: Connection, control: JobControl) -> None:
            control.on_cancel(lambda: calls.abort_job(link, self.uuid))
            calls.managed_save(link, self.uuid)

        return self.one_call(
            "save (managed) domain",
            run,
            virsh=("managedsave", self.name),
            python=".managed_save()",
        )

    @verb
    def managed_save_remove(self, *, confirm: bool = False) -> Plan[None]:
        """Throw the managed save image away."""
        return self.one_call(
            "remove the managed save of domain",
            lambda link, _: calls.managed_save_remove(link, self.uuid),
            virsh=("managedsave-remove", self.name),
            python=".managed_save_remove(confirm=True)",
            destroys=(f"the saved state of {self.name}",),
            confirm=confirm,
        )

    @verb
    def set_autostart(self, on: bool = True) -> Plan[None]:  # noqa: FBT001, FBT002 - reads as virsh does
        """Start the domain when its host starts, or no longer (G17.1-01, G17.1-02)."""
        return self.one_call(
            f"{'set' if on else 'clear'} autostart of domain",
            lambda link, _: calls.set_autostart(link, self.uuid, on),
            virsh=("autostart", self.name, *(() if on else ("--disable",))),
            python=python_call("", "set_autostart", (on,), {}),
        )

    @verb
    def rename(self, name: str) -> Plan[None]:
        """Give an inactive domain another name; its UUID and files stay.

        Raises:
            SpecError: the name cannot be used.
            ConflictError: the domain is active, or the name is taken.
        """
        check_name(name)
        if self.info().id is not None:
            raise ConflictError(
                f"rename domain {self.name} to {name}",
                uri=self.host.label,
                hint="a running domain keeps its name: shut it down first",
            )

        def run(link: Connection, _: JobControl) -> None:
            calls.rename(link, self.uuid, name)
            self.info()

        return self.one_call(
            f"rename to {name} the domain",
            run,
            virsh=("domrename", self.name, name),
            python=python_call("", "rename", (name,), {}),
        )

    @verb
    def undefine(
        self,
        *,
        managed_save: bool = False,
        nvram: bool = False,
        snapshots_metadata: bool = False,
        checkpoints_metadata: bool = False,
        confirm: bool = False,
    ) -> Plan[tuple[str, ...]]:
        """Remove the stored definition; disks and other files stay (G15-22).

        A running domain goes on as a transient one.

        Args:
            managed_save: remove its managed save image too.
            nvram: remove its UEFI variables too.
            snapshots_metadata: forget its snapshots too (their data stays in the images).
            checkpoints_metadata: forget its checkpoints too (the next backup must be full).
            confirm: agree to the loss.

        Returns:
            The files of the domain that remain on the host.

        Raises:
            ConflictError: it has a managed save, NVRAM, snapshots or checkpoints that were not
                named.
        """
        document = DomainXml.parse(self.xml(inactive=True))
        remain = tuple(sorted({disk.source_path for disk in document.disks if disk.source_path}))
        named = {
            "--managed-save": (managed_save, f"the saved state of {self.name}"),
            "--nvram": (nvram, f"the UEFI variables of {self.name}"),
            "--snapshots-metadata": (snapshots_metadata, f"the snapshot list of {self.name}"),
            "--checkpoints-metadata": (checkpoints_metadata, f"the checkpoints of {self.name}"),
        }

        def run(link: Connection, _: JobControl) -> tuple[str, ...]:
            calls.undefine(
                link,
                self.uuid,
                managed_save=managed_save,
                nvram="remove" if nvram else None,
                snapshots_metadata=snapshots_metadata,
                checkpoints_metadata=checkpoints_metadata,
            )
            return remain

        return self.one_call(
            "undefine domain",
            run,
            virsh=("undefine", self.name, *(flag for flag, (on, _) in named.items() if on)),
            python=".undefine(confirm=True)",
            diff="\n".join(f"-{line}" for line in document.redacted().splitlines()),
            destroys=(
                f"the definition of {self.name} (its XML stays in the journal)",
                *(text for on, text in named.values() if on),
            ),
            warnings=tuple(f"{path} stays on the host" for path in remain),
            confirm=confirm,
        )
