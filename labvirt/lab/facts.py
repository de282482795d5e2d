"""What a lab knows of its hosts, put into the form in which `labvirt.host` takes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import LabvirtError
from labvirt.host import Host, HostFacts
from labvirt.install import build_media, probe
from labvirt.lab import requests
from labvirt.lab.records import Limit
from labvirt.model.interface import InterfaceSpec
from labvirt.model.uri import Uri

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from labvirt.lab.records import LabRecord, Outcome

__all__ = ["acceleration_limit", "facts_of", "open_host", "wire_interface"]

_WIRE_ADDRESS = "230.7.7.7"


def acceleration_limit(outcome: Outcome) -> Limit | None:
    """Return what keeps guests from hardware acceleration, None when they have it.

    Args:
        outcome: what came of the lab's start.
    """
    what = "hardware acceleration (KVM); guests run under TCG, several times slower"
    remedy = "a machine, or a virtual machine with nested virtualisation, on which KVM runs"
    if not outcome.kvm:
        return Limit(
            what,
            "the user of the lab's daemons may not open /dev/kvm",
            "add that user to the group kvm, if this machine has /dev/kvm",
        )
    try:
        found = probe()
    except LabvirtError as error:
        return Limit(what, error.what, error.hint)
    return None if found.works else Limit(what, found.why, remedy)


def facts_of(name: str, record: LabRecord, outcome: Outcome) -> HostFacts:
    """Return what `labvirt.host` should know of a host of a lab.

    Args:
        name: name of the host.
        record: the lab as it was asked for.
        outcome: what came of its start.
    """
    data = Path(outcome.data)
    is_session = outcome.backend == "session"
    slow = acceleration_limit(outcome)

    def dial(address: str, port: int, timeout_s: float) -> socket.socket:
        return requests.dial(record, name, address, port, timeout_s)

    def run(argv: Sequence[str], timeout_s: float) -> tuple[int, str, str]:
        done = requests.run_inside(record, name, argv, b"", timeout_s)
        return done.code, done.stdout, done.stderr

    return HostFacts(
        name=name,
        lab=record.name,
        migrate_uri=_migrate_uri(outcome.uris[name]) if is_session else None,
        shared_folders=(data / "shared", data / "media"),
        media_folder=data / "media",
        serial_folder=data / "serial",
        default_pool="shared",
        default_interface=(
            InterfaceSpec(kind="user")
            if is_session
            else InterfaceSpec(kind="network", source="default")
        ),
        virt="qemu" if slow else "kvm",
        virt_why=slow.why if slow else "",
        dial=dial,
        run=run,
    )


def _migrate_uri(uri: str) -> str:
    """Return how migration data reaches a session host: by a socket in its run folder.

    Session hosts share one host name, which migration could not tell apart, and on TCP ports
    they would take each other's.
    """
    socket_path = Path(str(Uri.parse(uri).param("socket")))
    return f"unix://{socket_path.parent.parent}/m-{{id}}"


def open_host(
    name: str,
    record: LabRecord,
    outcome: Outcome,
    *,
    timeout_s: float,
    readonly: bool = False,
) -> Host:
    """Open a host of a lab.

    Args:
        name: name of the host.
        record: the lab as it was asked for.
        outcome: what came of its start.
        timeout_s: limit for opening.
        readonly: open without the right to change anything.

    Raises:
        HostError: its libvirtd does not answer.
    """
    return Host.open(
        outcome.uris[name],
        readonly=readonly,
        facts=facts_of(name, record, outcome),
        builder=build_media,
        timeout_s=timeout_s,
    )


def wire_interface(record: LabRecord, outcome: Outcome) -> InterfaceSpec:
    """Return an interface on the one wire that joins guests of all hosts of a lab.

    Args:
        record: the lab as it was asked for.
        outcome: what came of its start.
    """
    if outcome.backend == "system":
        return InterfaceSpec(kind="network", source="fabric")
    return InterfaceSpec(kind="mcast", address=_WIRE_ADDRESS, port=record.wire_port)
