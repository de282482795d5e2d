"""Lab: real libvirt hosts on this machine, started, found again, looked at, reset and stopped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, Self

from labvirt.errors import LabError
from labvirt.lab import requests
from labvirt.lab.asked import BACKENDS, check_lab_name, check_shape
from labvirt.lab.cleaning import end_lab
from labvirt.lab.display import as_html, as_text
from labvirt.lab.exercises.verbs import Teaching
from labvirt.lab.launch import start_lab
from labvirt.lab.looking import look_at, wait_for_daemon
from labvirt.lab.store import Shelf, all_names, forget_orphaned_sockets, locked

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from labvirt.host import Host
    from labvirt.lab.records import LabRecord, LabStatus, Limit, Outcome
    from labvirt.model.interface import InterfaceSpec

__all__ = ["Lab"]

_OPEN_S, _RESET_S, _DAEMON_S = 20.0, 120.0, 15.0


class Lab(Teaching):
    """One to eight real libvirt hosts that belong together, on this machine.

    Made by `Lab.start` or `Lab.attach`. A lab lives on its own: it outlives the process that
    started it, unless it is ephemeral, and is found again by its name. In a ``with`` block a lab
    that was started for the block is stopped at its end; one that ran already is only let go.

    Attributes:
        name: its name.
    """

    def __init__(
        self,
        name: str,
        record: LabRecord | None,
        outcome: Outcome | None,
        *,
        started_here: bool = False,
    ) -> None:
        self.name = name
        self._record = record
        self._outcome = outcome
        self._started_here = started_here
        self._hosts: dict[str, Host] = {}
        self._limits: tuple[Limit, ...] | None = None
        self._lifeline: int | None = None

    # -- labs as a whole --------------------------------------------------------------------

    @classmethod
    def start(
        cls,
        name: str,
        hosts: int | Sequence[str] = 2,
        backend: Literal["auto", "session", "system"] = "auto",
        *,
        ephemeral: bool = False,
        timeout_s: float = 90.0,
        progress: Callable[[str], None] | None = None,
    ) -> Self:
        """Start a lab, or find it running already in the same shape.

        Args:
            name: letters, digits and ``. _ + -``, at most 40 characters.
            hosts: how many, 1 to 8, or their names (letters a-z, digits and ``-``).
            backend: ``session`` always works; ``system`` has real networks and host names; ``auto``
                takes the better one that this machine allows, `limits` says what it lacks.
            ephemeral: end with this process, however that ends.
            timeout_s: limit in seconds for all of it; the very first start takes longest.
            progress: told in words what is being done.

        Raises:
            SpecError: a name, the number of hosts or the back end cannot be right.
            LabError: it does not come up, or runs already in another shape; nothing is left.
        """
        names = check_shape(name, hosts, backend)
        forget_orphaned_sockets()
        shelf = Shelf(name)
        with locked(name, doing="start") as lock:
            found = cls._running(shelf, names, backend, ephemeral=ephemeral)
            if found is not None:
                return found
            if shelf.exists and progress is not None:
                progress("removing what a broken start or a killed lab has left")
            end_lab(shelf)
            birth = start_lab(
                shelf,
                names,
                BACKENDS[backend],
                ephemeral=ephemeral,
                timeout_s=timeout_s,
                lock=lock,
                progress=progress,
            )
        lab = cls(name, birth.record, birth.outcome, started_here=True)
        lab._lifeline = birth.lifeline
        return lab

    @classmethod
    def _running(
        cls, shelf: Shelf, names: tuple[str, ...], backend: str, *, ephemeral: bool
    ) -> Self | None:
        """Return the lab when it runs in this shape, None when it does not run."""
        record, outcome, status = shelf.record(), shelf.outcome(), look_at(shelf)
        if status.state == "not answering":
            # Its guests may be well; nobody asked to end them.
            raise LabError(
                f"lab {shelf.name} is there but does not answer: {status.note}",
                hint=f"wait, or labvirt lab stop {shelf.name}, which ends its guests too",
            )
        if record is None or outcome is None or status.state != "running":
            return None
        asked = f"hosts {', '.join(names)}; back end {backend}; ephemeral {ephemeral}"
        has = (
            f"hosts {', '.join(record.names)}; back end {outcome.backend};"
            f" ephemeral {record.ephemeral}"
        )
        if (
            record.names != names
            or backend not in {"auto", outcome.backend}
            or record.ephemeral != ephemeral
        ):
            raise LabError(
                f"lab {shelf.name} runs already in another shape ({has}) than asked ({asked})",
                hint=f"Lab.attach({shelf.name!r}) uses it as it is; labvirt lab stop {shelf.name}"
                " makes room; or take another name",
            )
        return cls(shelf.name, record, outcome)

    @classmethod
    def attach(cls, name: str, *, broken: bool = False) -> Self:
        """Find a lab by its name.

        Args:
            name: its name.
            broken: also take one that does not run any more, to stop or reset it.

        Raises:
            SpecError: no lab can have this name.
            LabError: there is no such lab, or it does not run.
        """
        shelf = Shelf(check_lab_name(name))
        if not shelf.exists:
            known = ", ".join(all_names())
            raise LabError(
                f"there is no lab {name}",
                hint=f"known labs: {known}" if known else f"labvirt lab start {name}",
            )
        status = look_at(shelf)
        if status.state != "running" and not broken:
            raise LabError(
                f"lab {name} is {status.state}" + (f": {status.note}" if status.note else ""),
                hint=f"labvirt lab stop {name}, then labvirt lab start {name}",
            )
        return cls(name, shelf.record(), shelf.outcome())

    @classmethod
    def list(cls) -> tuple[LabStatus, ...]:
        """Return how each lab of this user is, also of those that are broken."""
        return tuple(look_at(Shelf(name)) for name in all_names())

    def status(self) -> LabStatus:
        """Return how the lab is now, host by host; never waits for a hanging daemon.

        Raises:
            LabError: it has been stopped.
        """
        shelf = Shelf(self.name)
        if not shelf.exists:
            raise LabError(
                f"lab {self.name} has been stopped", hint=f"labvirt lab start {self.name}"
            )
        return look_at(shelf)

    def stop(self) -> None:
        """End all guests and daemons of the lab and remove all of its files; twice is harmless.

        Raises:
            LabError: something would not go away; says what.
        """
        self.close()
        with locked(self.name, doing="stop"):
            end_lab(Shelf(self.name))
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def reset(self) -> None:
        """Bring the lab back to its beginning: same hosts, none of what was made on them.

        A lab that is broken is started anew, with this process as its starter.

        Raises:
            LabError: it did not come back.
        """
        self.close()
        shelf = Shelf(self.name)
        record = self._known_record()
        with locked(self.name, doing="reset") as lock:
            if look_at(shelf).state == "running":
                requests.request(record, {"op": "reset"}, timeout_s=_RESET_S)
                self._outcome = shelf.outcome()
                return
            end_lab(shelf)
            birth = start_lab(
                shelf,
                record.names,
                record.backends,
                ephemeral=record.ephemeral,
                timeout_s=_RESET_S,
                lock=lock,
                progress=None,
            )
        self._record, self._outcome, self._limits = birth.record, birth.outcome, None
        self._lifeline = birth.lifeline

    def close(self) -> None:
        """Close the links to the hosts; the lab itself runs on. Twice is harmless."""
        while self._hosts:
            self._hosts.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._started_here:
            self.stop()
        else:
            self.close()

    # -- its hosts --------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the hosts, in order."""
        return self._record.names if self._record is not None else ()

    @property
    def backend(self) -> str:
        """``session`` or ``system``; empty for a lab that never came up."""
        return self._outcome.backend if self._outcome is not None else ""

    @property
    def uris(self) -> dict[str, str]:
        """Host name -> the URI by which any libvirt tool of this machine reaches it."""
        return dict(self._known_outcome().uris)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts, opened when first asked for."""
        return tuple(self)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What this lab cannot do on this machine, why, and what would help."""
        if self._limits is None:
            from labvirt.lab.facts import acceleration_limit

            outcome = self._known_outcome()
            slow = acceleration_limit(outcome)
            self._limits = (*outcome.limits, slow) if slow is not None else outcome.limits
        return self._limits

    @property
    def wire(self) -> InterfaceSpec:
        """An interface on the one wire that joins the guests of all hosts."""
        from labvirt.lab.facts import wire_interface

        return wire_interface(self._known_record(), self._known_outcome())

    def __getitem__(self, name: str) -> Host:
        """Return a host, open.

        Raises:
            LabError: the lab has no such host.
            HostError: its libvirtd does not answer.
        """
        if name not in self._hosts:
            self._hosts[name] = self.open(name)
        return self._hosts[name]

    def open(self, name: str, *, readonly: bool = False) -> Host:
        """Open a host anew; whoever asked closes it."""
        from labvirt.lab.facts import open_host

        known = self._known_record(), self._known_outcome()
        self._check_host(name)
        return open_host(name, *known, timeout_s=_OPEN_S, readonly=readonly)

    def __iter__(self) -> Iterator[Host]:
        return (self[name] for name in self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    # -- inside its hosts -------------------------------------------------------------------

    def run(
        self, host: str, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 30.0
    ) -> requests.Done:
        """Run a program inside a host: its network, files and user.

        Args:
            host: name of the host.
            argv: the program and its arguments; no shell.
            stdin: what it reads.
            timeout_s: limit in seconds, after which it is killed.

        Raises:
            LabError: no such host or program, it took too long, or the keeper is gone.
        """
        self._check_host(host)
        return requests.run_inside(self._known_record(), host, argv, stdin, timeout_s)

    def dial(self, host: str, address: str, port: int, timeout_s: float = 10.0) -> socket.socket:
        """Open a TCP connection from inside a host's network, e.g. to a guest.

        Args:
            host: name of the host.
            address: numeric address.
            port: TCP port.
            timeout_s: limit in seconds, also set on the socket that is returned.

        Raises:
            LabError: nobody answers there, no such host, or the keeper is gone.
        """
        self._check_host(host)
        return requests.dial(self._known_record(), host, address, port, timeout_s)

    def daemon(
        self, host: str, do: Literal["start", "stop", "KILL", "TERM", "STOP", "CONT"]
    ) -> None:
        """Start or stop a host's libvirtd, or send it a signal; guests run on.

        A libvirtd that ends without having been stopped is started again at once.

        Args:
            host: name of the host.
            do: ``start``, ``stop``, or the name of a signal.

        Raises:
            LabError: no such host, or the keeper is gone.
        """
        self._check_host(host)
        requests.request(self._known_record(), {"op": "daemon", "host": host, "do": do})
        if do in {"start", "stop"}:
            wanted = "running" if do == "start" else "stopped"
            wait_for_daemon(Shelf(self.name), host, wanted, _DAEMON_S)

    # -- shown ------------------------------------------------------------------------------

    def __repr__(self) -> str:
        """Return one line, without asking anybody."""
        return as_text(self.name, self._record, self._outcome)

    def _repr_html_(self) -> str:
        """Return a table of the hosts and limits, without asking anybody."""
        return as_html(self.name, self._record, self._outcome)

    # -- what is known of it ----------------------------------------------------------------

    def _known_record(self) -> LabRecord:
        if self._record is None:
            raise self._lost()
        return self._record

    def _known_outcome(self) -> Outcome:
        if self._outcome is None:
            raise self._lost()
        return self._outcome

    def _lost(self) -> LabError:
        hint = f"labvirt lab stop {self.name}, then labvirt lab start {self.name}"
        return LabError(f"lab {self.name} never came up, or its record is lost", hint=hint)

    def _check_host(self, name: str) -> None:
        if name not in self.names:
            raise LabError(
                f"lab {self.name} has no host {name!r}", hint=f"one of {', '.join(self.names)}"
            )
