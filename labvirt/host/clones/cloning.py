"""Cloning a domain: full or linked, off or running, as a plan (G17.12, G17.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from labvirt.connection import domain as domains
from labvirt.connection import network as networks_calls
from labvirt.errors import ConflictError, Problem, SpecError
from labvirt.host.actions import DefineDomain, StartDomain, require_new_domain
from labvirt.host.clones.clone_disks import CloneDisks
from labvirt.host.handle import DomainHandle, python_call
from labvirt.host.present import Present
from labvirt.host.validate import require_valid
from labvirt.model.arguments import Wait, checked
from labvirt.model.cloning import fresh_definition
from labvirt.model.ident import new_uuid, normal_uuid
from labvirt.model.names import check_name
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.plan import Action
    from labvirt.status import DomainRecord

__all__ = ["CloningVerbs"]

_INSIDE = (
    "inside, the clone still calls itself {old}: host name, machine id, SSH host keys, DHCP "
    "leases and old MAC addresses; clone.renew_identity() changes them, "
    "clone.identity_steps() tells what and how"
)


class CloningVerbs(DomainHandle):
    """The verb that makes another domain like this one."""

    @verb
    def clone(
        self,
        name: str,
        *,
        linked: bool = False,
        live: bool = False,
        start: bool = False,
        uuid: str | None = None,
        macs: Mapping[str, str] | None = None,
        networks: Mapping[str, str] | None = None,
        disks: Mapping[str, str] | None = None,
        pool: str | None = None,
        quiesce: bool | None = None,
        timeout_s: float = 3600.0,
    ) -> Plan[Self]:
        """Make a domain like this one, with disks of its own.

        Fresh in it: name, UUID, MAC addresses, SMBIOS UUID and serial numbers, generation id,
        NVRAM file, files and sockets of serial ports and channels, ports of graphics. Autostart,
        snapshots and a managed save stay with the original.

        Args:
            name: name of the clone.
            linked: do not copy the disks: the clone's are laid over them. Quick whatever their
                size. The disks below must never change again: they are made read-only, so the
                original does not start any more; a running one (`live`) gets a layer of its own
                instead and goes on.
            live: the original may be running: its disks are held still under a layer, which is
                merged back when they are copied. With the guest agent its file systems are whole,
                without it they are as after a power cut.
            start: start the clone.
            uuid: its UUID; made when None.
            macs: its MAC addresses, by those of the original; the others are made.
            networks: networks or bridges by those of the original (G17.12-04).
            disks: what becomes of single disks, by target: ``copy``, ``link``, ``share`` (both
                use it), ``skip`` (the clone has no such disk). CD-ROMs, floppies, read-only and
                shareable disks are shared, the others copied or linked.
            pool: where the new volumes go; beside the old ones when None.
            quiesce: hold the guest's file systems still (`live`); None when its agent answers.
            timeout_s: limit for each long step, seconds.

        Returns:
            The clone.

        Raises:
            SpecError: a name, UUID or MAC address that cannot be; an unknown disk or network.
            ConflictError: the name, a volume or a MAC address is taken; the original runs and
                `live` is not given.
            UnsupportedError: a disk cannot be copied (network disks, devices of the host).
            PreconditionError: not enough space.
        """
        host = self.host
        record = self._clone_record(name, live=live, timeout_s=timeout_s)
        running = record.id is not None
        present = Present(host)
        new_id = self._clone_uuid(uuid, present)
        document = DomainXml.parse(
            domains.xml(
                host.connection,
                self.uuid,
                inactive=record.persistent,
                migratable=not record.persistent,
                secure=True,
            )
        )
        placed = CloneDisks(
            self, document, name, linked=linked, running=running, pool=pool, timeout_s=timeout_s
        )
        placed.quiesce = self._quiesces(quiesce) if running else False
        placed.settle(dict(disks or {}))
        self._require_networks(networks or {})
        for mac in set((macs or {}).values()) & set(present.macs):
            raise self._taken(f"the MAC address {mac}", present.macs[mac])
        _, notes = fresh_definition(
            document,
            name,
            new_id,
            taken=set(present.macs),
            macs=macs or {},
            networks=networks or {},
        )
        xml = document.text()
        require_valid(xml)
        actions: list[Action[Any]] = [*placed.actions, DefineDomain(name, new_id, xml)]
        if start:
            log = next((one.log_file for one in document.serials if one.log_file), "")
            actions.append(StartDomain(name, new_id, serial_log=log or ""))
        saved = (
            (f"{self.name} has a saved state; the clone boots from disks as they were then",)
            if record.has_managed_save
            else ()
        )
        options = {
            "linked": linked, "live": live, "start": start, "uuid": uuid, "pool": pool,
            "macs": dict(macs or {}) or None, "networks": dict(networks or {}) or None,
            "disks": dict(disks or {}) or None, "quiesce": quiesce,
        }  # fmt: skip
        kind = "linked " if linked else ""
        return Plan(
            title=f"{kind}clone of domain {self.name}: {name}",
            host=host,
            actions=tuple(actions),
            result=lambda: self._cloned(new_id, name),
            warnings=(*placed.warnings, *saved, *notes, _INSIDE.format(old=self.name)),
            python=python_call(f"{host.python}.domains[{self.name!r}]", "clone", (name,), options),
            journal=host.journal,
        )

    def _clone_record(self, name: str, *, live: bool, timeout_s: float) -> DomainRecord:
        """Look whether the domain can be cloned under a name now, and read it."""
        host = self.host
        host.require_writable(f"clone domain {self.name}")
        checked(Wait, f"clone {self.name}", timeout_s=timeout_s)
        check_name(name)
        require_new_domain(host, name)
        record = self.info()
        if record.id is not None and not live:
            raise ConflictError(
                f"clone domain {self.name}",
                uri=host.label,
                libvirt_text=f"{self.name} is {record.state.text}, and its disks change",
                hint="live=True clones it as it is now; or shut it down first",
            )
        return record

    def _taken(self, what: str, owner: str) -> ConflictError:
        return ConflictError(
            f"clone domain {self.name}",
            uri=self.host.label,
            libvirt_text=f"{what} belongs to {owner}",
            hint="leave it out: a free one is made",
        )

    def _cloned(self, uuid: str, name: str) -> Self:
        clone = type(self)(self.host, uuid, name)
        clone.info()
        return clone

    def _clone_uuid(self, uuid: str | None, present: Present) -> str:
        if uuid is None:
            return new_uuid(taken=tuple(present.uuids))
        wanted = normal_uuid(uuid)
        if wanted in present.uuids:
            raise self._taken(f"the UUID {wanted}", present.uuids[wanted])
        return wanted

    def _quiesces(self, asked: bool | None) -> bool:  # noqa: FBT001 - the argument as it came
        answers = asked is not False and bool(
            self.agent_answers()  # type: ignore[attr-defined]  # of InsideVerbs
        )
        if asked and not answers:
            raise ConflictError(
                f"hold {self.name} still",
                uri=self.host.label,
                libvirt_text="its guest agent does not answer",
                hint="quiesce=False: the clone is as after a power cut",
            )
        return answers

    def _require_networks(self, wanted: Mapping[str, str]) -> None:
        """Refuse networks that the host does not have; bridges are known to the kernel only."""
        known = {record.name for record in networks_calls.list_all(self.host.connection)}
        document = DomainXml.parse(self.xml(inactive=True))
        used = {one.source for one in document.interfaces if one.type == "network"}
        for old, new in wanted.items():
            if old in used and new not in known:
                names = ", ".join(sorted(known)) or "none"
                why = f"{self.host.name} has no such network"
                raise SpecError(
                    f"clone domain {self.name}:",
                    [Problem(f"networks[{old!r}]", new, why, f"it has: {names}")],
                )
