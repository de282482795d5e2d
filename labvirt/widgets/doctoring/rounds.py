"""Rounds: what is looked at, and one examination of all of it, which can be broken off."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from labvirt import doctor
from labvirt.doctor import Report
from labvirt.errors import CancelledError, SpecError
from labvirt.host import Domain, Host
from labvirt.model.uri import Uri
from labvirt.widgets.i18n import _
from labvirt.widgets.managing.connections import open_host

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.status.finding import Finding

    Progress = Callable[[int, int, Finding], None]

__all__ = ["Round", "Target", "targets_of"]


class Target:
    """One thing to look at.

    Args:
        what: an open host, a domain, a URI, or a report that is there already.
        others: hosts to which guests might move.
    """

    def __init__(self, what: Any, others: Sequence[Host] = ()) -> None:
        self.what, self.others = what, tuple(others)
        #: The host, as soon as there is one.
        self.host: Host | None = None
        self._owned = False
        if isinstance(what, Report):
            self.title = what.title
        elif isinstance(what, Uri):
            self.title = what.redacted()
        elif isinstance(what, Domain):
            self.host, self.title = what.host, f"{what.host.name}: {what.name}"
        else:
            self.host, self.title = what, what.name

    @property
    def is_still(self) -> bool:
        """Whether it is a report, which cannot be looked at again."""
        return isinstance(self.what, Report)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The domain, when it is one."""
        return (self.what,) if isinstance(self.what, Domain) else ()

    def look(self, **options: Any) -> Report:
        """Look at it; see `labvirt.doctor.examine`.

        Raises:
            LabvirtError: nobody answers there.
        """
        if isinstance(self.what, Report):
            return self.what
        if not isinstance(self.what, Uri):
            return doctor.examine(self.what, others=self.others, **options)
        way = doctor.connection(str(self.what), timeout_s=min(options["timeout_s"], 20.0))
        if way.failures:
            return Report(way.title, way.findings)
        # It stays open: what mends a finding needs it.
        if self.host is None or self.host.state == "closed":
            self.host, self._owned = open_host(self.what), True
        found = doctor.examine(self.host, others=self.others, **options)
        return Report(found.title, (*way.findings, *found.findings), found.seconds)

    def close(self) -> None:
        """Close the host if it was opened here."""
        if self._owned and self.host is not None:
            with contextlib.suppress(Exception):
                self.host.close()


def targets_of(what: Any, others: Sequence[Host] = ()) -> tuple[Target, ...]:
    """Return what is to be looked at: of a lab every host, of a list each of it.

    Hosts that are looked at together are those between which guests might move.

    Raises:
        SpecError: there is nothing to look at in such a thing, or a URI has a fault.
    """
    members = getattr(what, "hosts", None)
    given = members if members is not None else what
    listed = list(given) if isinstance(given, list | tuple | set | frozenset) else [given]
    hosts = [each for each in listed if isinstance(each, Host)]
    made = []
    for each in listed:
        if isinstance(each, Host | Domain | Report | Uri):
            thing: Any = each
        elif isinstance(each, str):
            thing = Uri.parse(each)
        else:
            raise SpecError(
                f"examine: there is nothing to look at in {each!r:.200}",
                hint="give a host, a domain, a lab, a URI, a report, or a list of them",
            )
        home = thing.host if isinstance(thing, Domain) else thing
        made.append(Target(thing, tuple(others) or [one for one in hosts if one is not home]))
    if not made:
        raise SpecError("examine: nothing was given", hint="lv.ui.doctor(host)")
    return tuple(made)


class Round:
    """One examination of several targets side by side.

    Args:
        targets: what is looked at.
        told: gets how many answers are there, how many will be, and the newest.
        options: options of `labvirt.doctor.examine`.
    """

    def __init__(
        self, targets: Sequence[Target], told: Progress | None = None, **options: Any
    ) -> None:
        self._targets, self._told, self._options = tuple(targets), told, options
        self._cancelled, self._over = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._so_far: list[list[Finding]] = [[] for _each in targets]
        self._counts = [(0, 0) for _each in targets]
        self._ends: dict[int, Report | Exception] = {}

    def run(self) -> tuple[Report | Exception, ...]:
        """Return the report of each target, or what went wrong; what is there when broken off."""
        for number, _each in enumerate(self._targets):
            threading.Thread(
                target=self._look, args=(number,), name="labvirt-doctor-view", daemon=True
            ).start()
        self._over.wait()
        with self._lock:
            return tuple(
                self._ends.get(number) or Report(each.title, tuple(self._so_far[number]))
                for number, each in enumerate(self._targets)
            )

    @property
    def is_cancelled(self) -> bool:
        """Whether it was broken off."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Break it off: nothing was changed, so nothing has to be undone. Twice is harmless."""
        if not self._over.is_set():
            self._cancelled.set()
            self._over.set()

    def _look(self, number: int) -> None:
        try:
            end: Report | Exception = self._targets[number].look(
                progress=lambda done, most, one: self._hear(number, done, most, one),
                **self._options,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the view says it
            end = error
        with self._lock:
            if self._cancelled.is_set():
                return
            self._ends[number] = end
            if len(self._ends) == len(self._targets):
                self._over.set()

    def _hear(self, number: int, done: int, most: int, one: Finding) -> None:
        if self._cancelled.is_set():
            raise CancelledError(_("The rest was left out."))
        with self._lock:
            self._so_far[number].append(one)
            self._counts[number] = (done, most)
            done, most = (sum(column) for column in zip(*self._counts, strict=True))
        if self._told is not None:
            self._told(done, most, one)
