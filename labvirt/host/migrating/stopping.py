"""Breaking off a migration that runs, from anywhere: another cell, another view, a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection import domain as calls
from labvirt.errors import ConflictError
from labvirt.host.handle import DomainHandle
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from labvirt.connection import Connection
    from labvirt.host.migrating.track import MigrationTrack

__all__ = ["StoppingVerbs"]


class StoppingVerbs(DomainHandle):
    """The end of a migration that nobody waits for any longer."""

    @verb
    def abort_migration(self) -> Plan[None]:
        """Break off the migration of this domain; it goes on where it is (``virsh domjobabort``).

        The call or job that migrates it ends with an error that says where the domain is.

        Raises:
            ConflictError: none is under way, or it was switched over to post-copy already: then
                its memory is on both hosts, and breaking off would lose it.
        """
        return self.one_call(
            "break off the migration of domain",
            lambda link, _control: self._abort_migration(link),
            virsh=("domjobabort", self.name),
            python=".abort_migration()",
        )

    def _abort_migration(self, link: Connection) -> None:
        track: MigrationTrack | None = self.host.migrations.get(self.uuid)
        if track is not None and track.phase == "postcopy":
            raise ConflictError(
                f"break off the migration of {self.name}",
                uri=self.host.label,
                libvirt_text=f"it runs on {track.destination} already; its memory is on both hosts",
                hint="let the rest of its memory follow",
            )
        calls.abort_job(link, self.uuid)
        if track is not None and not track.is_over:
            track.mark("cancel", "broken off")
