"""What is written down about a lab, and what is told of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "KEEPER_FILE",
    "OUTCOME_FILE",
    "RECORD_FILE",
    "BackendName",
    "HostRecord",
    "HostStatus",
    "LabRecord",
    "LabStatus",
    "Limit",
    "Outcome",
    "write_json",
]

RECORD_FILE, KEEPER_FILE, OUTCOME_FILE = "lab.json", "keeper.json", "outcome.json"
"""Files in a lab's folder: what was asked for, who keeps it, what came of the start."""

BackendName = Literal["session", "system"]


@dataclass(frozen=True, slots=True)
class Limit:
    """Something this lab cannot do on this machine.

    Attributes:
        what: what cannot be done.
        why: the reason, as found on this machine.
        remedy: what would make it possible; empty when nothing would.
    """

    what: str
    why: str
    remedy: str = ""

    def __str__(self) -> str:
        tail = f" (try: {self.remedy})" if self.remedy else ""
        return f"{self.what}: {self.why}{tail}"


@dataclass(frozen=True, slots=True)
class HostRecord:
    """One host of a lab as it was asked for.

    Attributes:
        name: its name; in the system back end also its host name.
        uuid: the identity its libvirt tells others.
        number: 1 for the first host.
    """

    name: str
    uuid: str
    number: int


@dataclass(frozen=True, slots=True)
class LabRecord:
    """A lab as it was asked for: all that its keeper needs, in one file.

    Attributes:
        id: identity of this start of the lab; marks its processes and folders.
        name: name of the lab.
        backends: back ends to try, in this order.
        hosts: its hosts.
        ephemeral: end when the process that started it ends.
        starter: pid of that process.
        folder: the lab's own folder.
        spare_folder: where the hosts live when the daemons' user cannot reach `folder`.
        sockets: short folder for sockets and links to the hosts' folders.
        capabilities: folder of remembered QEMU capabilities.
        keep: folders that stay at the same path inside the lab's namespaces.
        uid: user of session daemons.
        gid: that user's main group.
        user: that user's name.
        wire_port: multicast port that joins guests of session hosts.
        created: when it was asked for, ISO 8601, UTC.
    """

    id: str
    name: str
    backends: tuple[BackendName, ...]
    hosts: tuple[HostRecord, ...]
    ephemeral: bool
    starter: int
    folder: str
    spare_folder: str
    sockets: str
    capabilities: str
    keep: tuple[str, ...]
    uid: int
    gid: int
    user: str
    wire_port: int
    created: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the hosts, in order."""
        return tuple(host.name for host in self.hosts)

    def write(self, path: Path) -> None:
        """Write the record as JSON, whole or not at all."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> LabRecord:
        """Read a record.

        Raises:
            OSError: there is none.
            ValueError: it is damaged, or was written by another version of labvirt.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            hosts = tuple(HostRecord(**host) for host in found.pop("hosts"))
            for name in ("backends", "keep"):
                found[name] = tuple(found[name])
            return cls(hosts=hosts, **found)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no record of a lab: {error}") from error


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of starting a lab.

    Attributes:
        backend: the back end that was chosen.
        rootless: the system back end runs in a user namespace.
        data: folder in which the hosts live.
        uris: host name -> libvirt URI.
        kvm: the daemons' user may open ``/dev/kvm``.
        limits: what this lab cannot do here.
        seconds: how long each stage of the start took.
    """

    backend: BackendName
    rootless: bool
    data: str
    uris: dict[str, str]
    kvm: bool
    limits: tuple[Limit, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the outcome as JSON, whole or not at all."""
        write_json(path, asdict(self))

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Outcome:
        """Build an outcome from what `write` wrote.

        Raises:
            ValueError: it is damaged, or was written by another version of labvirt.
        """
        try:
            limits = tuple(Limit(**limit) for limit in found["limits"])
            return cls(**{**found, "limits": limits})
        except (KeyError, TypeError) as error:
            raise ValueError(f"no outcome of a start: {error}") from error


@dataclass(frozen=True, slots=True)
class HostStatus:
    """How one host of a lab is.

    Attributes:
        name: its name.
        state: ``running``, ``not answering``, ``restarting``, ``stopped`` (on purpose),
            ``failed`` (gave up restarting) or ``gone`` (the lab is not running).
        daemon_pid: pid of its libvirtd, None when it has none.
        uri: where libvirt tools reach it.
        domains: names of its running domains, as its files tell, daemon or no daemon.
        restarts: how often its libvirtd was started again since the lab started.
    """

    name: str
    state: str
    daemon_pid: int | None
    uri: str
    domains: tuple[str, ...]
    restarts: int


@dataclass(frozen=True, slots=True)
class LabStatus:
    """How a lab is.

    Attributes:
        name: its name.
        state: ``running``, ``starting``, ``not answering`` (its keeper hangs) or ``broken``
            (its keeper is gone; stop cleans what remains).
        backend: ``session`` or ``system``, empty before it is chosen.
        rootless: the system back end runs in a user namespace.
        hosts: its hosts; empty while it starts.
        ephemeral: it ends with the process that started it.
        keeper_pid: pid of the process that keeps it, None when that is gone.
        created: when it was started, ISO 8601, UTC.
        folder: its folder.
        note: what to know or to do, in words; empty when all is well.
    """

    name: str
    state: str
    backend: str
    rootless: bool
    hosts: tuple[HostStatus, ...]
    ephemeral: bool
    keeper_pid: int | None
    created: str
    folder: Path
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the status as plain values, ready for JSON."""
        return {**asdict(self), "folder": str(self.folder)}


def write_json(path: Path, value: object) -> None:
    """Write JSON beside the file and rename it into place."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(value, indent=1), encoding="utf-8")
    beside.replace(path)
