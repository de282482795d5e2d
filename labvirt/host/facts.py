"""HostFacts: what the one who opens a host knows of it that libvirt does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from labvirt.model.interface import InterfaceSpec

__all__ = ["HostFacts"]


@dataclass(frozen=True)
class HostFacts:
    """What is known of a host beside its URI. An ordinary host needs none of it.

    Attributes:
        name: short name for people; the host's own name when empty.
        lab: name of the embedded lab the host belongs to; empty for a real host.
        migrate_uri: how migration data reaches this host (``tcp://kvm7``, ``unix:///run/m-{id}``)
            when its own name does not resolve; ``{id}`` is replaced by something new each time.
        shared_folders: folders that every host of the lab sees at the same path, as one file
            system; images there migrate without being copied.
        media_folder: where kernels and images that are made for guests are put: readable by QEMU
            and by this process, at the same path on every host of the lab.
        serial_folder: where QEMU writes the transcripts of serial consoles; readable here.
        default_pool: pool for new volumes when a spec names none.
        default_interface: interface for a spec that says nothing about its network.
        virt: ``kvm`` or ``qemu`` as proved by a probe on this machine; None when not proved.
        virt_why: what the probe saw, in words; empty when not proved.
        dial: opens a TCP connection from inside the host's network: (address, port, timeout_s).
        run: runs a program where the host's libvirt runs: (argv, timeout_s) -> exit code, output,
            complaints.
    """

    name: str = ""
    lab: str = ""
    migrate_uri: str | None = None
    shared_folders: tuple[Path, ...] = ()
    media_folder: Path | None = None
    serial_folder: Path | None = None
    default_pool: str | None = None
    default_interface: InterfaceSpec | None = None
    virt: Literal["kvm", "qemu"] | None = None
    virt_why: str = ""
    dial: Callable[[str, int, float], socket.socket] | None = None
    run: Callable[[Sequence[str], float], tuple[int, str, str]] | None = None
