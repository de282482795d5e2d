"""The life cycle of domains; the other calls on domains are offered here too, one door for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.console import ConsoleStream, open_console
from labvirt.connection.domain_config import (
    attach,
    detach,
    pin_vcpu,
    rename,
    set_autostart,
    set_description,
    set_max_memory,
    set_memory,
    set_metadata,
    set_title,
    set_vcpus,
    update_device,
)
from labvirt.connection.domain_guest import (
    Screenshot,
    agent,
    guest_hostname,
    interface_addresses,
    screenshot,
    send_key,
)
from labvirt.connection.domain_jobs import (
    abort_job,
    dump_core,
    job,
    job_stats,
)
from labvirt.connection.domain_migration import MIGRATE_OPTIONS, migrate
from labvirt.connection.domain_reading import (
    control_info,
    find,
    list_all,
    memory_stats,
    metadata,
    read,
    vcpus,
    xml,
)
from labvirt.connection.graphics import open_graphics
from labvirt.connection.handles import SLOW_S, bits, on_domain
from labvirt.connection.keycodes import CODESETS, KEYCODES
from labvirt.connection.xmlfacts import element_text, name_in
from labvirt.errors import SpecError

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection

__all__ = [
    "CODESETS",
    "KEYCODES",
    "MIGRATE_OPTIONS",
    "ConsoleStream",
    "Screenshot",
    "abort_job",
    "agent",
    "attach",
    "control_info",
    "create",
    "define",
    "destroy",
    "detach",
    "dump_core",
    "find",
    "guest_hostname",
    "interface_addresses",
    "job",
    "job_stats",
    "list_all",
    "managed_save",
    "managed_save_remove",
    "memory_stats",
    "metadata",
    "migrate",
    "open_console",
    "open_graphics",
    "pin_vcpu",
    "read",
    "reboot",
    "rename",
    "reset",
    "restore",
    "resume",
    "save",
    "save_image_xml",
    "screenshot",
    "send_key",
    "set_autostart",
    "set_description",
    "set_max_memory",
    "set_memory",
    "set_metadata",
    "set_title",
    "set_vcpus",
    "shutdown",
    "start",
    "suspend",
    "undefine",
    "update_device",
    "vcpus",
    "xml",
]

#: Ways to ask a guest to shut down or reboot; the numbers are the same for both.
_MODES = {
    None: 0,
    "acpi": libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
    "agent": libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
    "initctl": libvirt.VIR_DOMAIN_SHUTDOWN_INITCTL,
    "signal": libvirt.VIR_DOMAIN_SHUTDOWN_SIGNAL,
    "paravirt": libvirt.VIR_DOMAIN_SHUTDOWN_PARAVIRT,
}


def define(conn: Connection, xml: str) -> str:
    """Store a domain's definition, checked against libvirt's schema (G15-09).

    An existing domain with the same name and UUID gets the new definition.

    Returns:
        Its UUID.

    Raises:
        SpecError: libvirt does not accept the XML.
        ConflictError: the name or the UUID belongs to another domain.
    """
    flags = libvirt.VIR_DOMAIN_DEFINE_VALIDATE
    return _made(conn, "define", xml, lambda raw: raw.defineXMLFlags(xml, flags))


def create(conn: Connection, xml: str, *, paused: bool = False) -> str:
    """Start a transient domain, gone when it stops, checked against libvirt's schema (G15-06).

    Returns:
        Its UUID.

    Raises:
        SpecError: libvirt does not accept the XML.
        ConflictError: the name or the UUID is taken.
    """
    flags = bits(DOMAIN_START_VALIDATE=True, DOMAIN_START_PAUSED=paused)
    return _made(conn, "create", xml, lambda raw: raw.createXML(xml, flags))


def _made(conn: Connection, verb: str, xml: str, fn: Any) -> str:
    def make(raw: Any) -> tuple[str, str]:
        domain = fn(raw)
        return domain.UUIDString(), domain.name()

    asked = f"{verb} domain {name_in(xml)}".rstrip()
    uuid, name = conn.call(asked, make, timeout_s=SLOW_S)
    conn.learn(uuid, name)
    return uuid


def start(
    conn: Connection,
    uuid: str,
    *,
    paused: bool = False,
    force_boot: bool = False,
    bypass_cache: bool = False,
) -> None:
    """Start a domain (G15-07).

    Args:
        conn: the connection.
        uuid: which domain.
        paused: leave it before its first instruction.
        force_boot: throw saved memory away instead of resuming from it.
        bypass_cache: read saved memory around the file system cache.

    Raises:
        ConflictError: it runs already, or something it needs is missing or in use.
    """
    flags = bits(
        DOMAIN_START_PAUSED=paused,
        DOMAIN_START_FORCE_BOOT=force_boot,
        DOMAIN_START_BYPASS_CACHE=bypass_cache,
    )
    on_domain(conn, uuid, "start", lambda d: d.createWithFlags(flags), timeout_s=SLOW_S)


def _mode(mode: str | None) -> int:
    try:
        return int(_MODES[mode])
    except KeyError:
        known = ", ".join(str(name) for name in _MODES if name)
        raise SpecError(f"the mode {mode!r} is not known", hint=known) from None


def shutdown(conn: Connection, uuid: str, *, mode: str | None = None) -> None:
    """Ask the guest to shut down; returns at once, and the guest may ignore it (G15-21).

    Args:
        conn: the connection.
        uuid: which domain.
        mode: ``acpi``, ``agent``, ``initctl``, ``signal``, ``paravirt``; None lets libvirt choose.
    """
    flags = _mode(mode)
    on_domain(conn, uuid, "shut down", lambda domain: domain.shutdownFlags(flags))


def reboot(conn: Connection, uuid: str, *, mode: str | None = None) -> None:
    """Ask the guest to reboot; what then happens is up to ``on_reboot`` (G15-16)."""
    flags = _mode(mode)
    on_domain(conn, uuid, "reboot", lambda domain: domain.reboot(flags))


def reset(conn: Connection, uuid: str) -> None:
    """Press the reset button."""
    on_domain(conn, uuid, "reset", lambda domain: domain.reset(0))


def destroy(conn: Connection, uuid: str, *, graceful: bool = False) -> None:
    """Stop a domain at once, as a power cut does (G15-08).

    Args:
        conn: the connection.
        uuid: which domain.
        graceful: give up instead of killing a hypervisor process that does not end.
    """
    flags = bits(DOMAIN_DESTROY_GRACEFUL=graceful)
    on_domain(conn, uuid, "destroy", lambda d: d.destroyFlags(flags), timeout_s=SLOW_S)


def suspend(conn: Connection, uuid: str) -> None:
    """Pause a domain: it keeps its memory and uses no CPU (G15-19)."""
    on_domain(conn, uuid, "suspend", lambda domain: domain.suspend(), timeout_s=SLOW_S)


def resume(conn: Connection, uuid: str) -> None:
    """Let a paused domain run on (G15-20)."""
    on_domain(conn, uuid, "resume", lambda domain: domain.resume(), timeout_s=SLOW_S)


def _save_flags(*, paused: bool | None, bypass_cache: bool = False) -> int:
    return bits(
        DOMAIN_SAVE_RUNNING=paused is False,
        DOMAIN_SAVE_PAUSED=paused is True,
        DOMAIN_SAVE_BYPASS_CACHE=bypass_cache,
    )


def save(
    conn: Connection,
    uuid: str,
    path: str,
    *,
    paused: bool | None = None,
    bypass_cache: bool = False,
) -> None:
    """Write a domain's memory to a file of the host and stop it; blocks to the end (G15-17).

    `abort_job` from another thread breaks it off.

    Args:
        conn: the connection.
        uuid: which domain.
        path: absolute path on the host.
        paused: whether it shall be paused after `restore`; None keeps what it is now.
        bypass_cache: write around the file system cache.
    """
    flags = _save_flags(paused=paused, bypass_cache=bypass_cache)
    on_domain(conn, uuid, "save", lambda d: d.saveFlags(path, None, flags), timeout_s=None)


def restore(
    conn: Connection,
    path: str,
    *,
    xml: str | None = None,
    paused: bool | None = None,
    bypass_cache: bool = False,
) -> str:
    """Bring a saved domain back: same name and UUID, another id (G15-18); blocks to the end.

    Args:
        conn: the connection.
        path: absolute path on the host.
        xml: definition to use instead of the saved one.
        paused: whether it shall be paused; None as it was saved.
        bypass_cache: read around the file system cache.

    Returns:
        Its UUID.
    """
    flags = _save_flags(paused=paused, bypass_cache=bypass_cache)
    uuid, name = element_text(save_image_xml(conn, path), "uuid", "name")
    conn.call(
        f"restore domain {name} from {path}",
        lambda raw: raw.restoreFlags(path, xml, flags),
        timeout_s=None,
    )
    conn.learn(uuid, name)
    return uuid


def save_image_xml(conn: Connection, path: str, *, secure: bool = False) -> str:
    """Return the XML in a saved image, without restoring it (``virsh save-image-dumpxml``).

    Raises:
        HostError: the file is no saved image, or cannot be read.
    """
    flags = bits(DOMAIN_SAVE_IMAGE_XML_SECURE=secure)
    return conn.call(
        f"read the saved image {path}", lambda raw: str(raw.saveImageGetXMLDesc(path, flags))
    )


def managed_save(
    conn: Connection, uuid: str, *, paused: bool | None = None, bypass_cache: bool = False
) -> None:
    """Save a domain where libvirt keeps it; the next start goes on from there."""
    flags = _save_flags(paused=paused, bypass_cache=bypass_cache)
    on_domain(conn, uuid, "save", lambda d: d.managedSave(flags), timeout_s=None)


def managed_save_remove(conn: Connection, uuid: str) -> None:
    """Throw the saved memory away; the next start boots."""
    on_domain(conn, uuid, "remove the saved memory of", lambda d: d.managedSaveRemove(0))


def undefine(
    conn: Connection,
    uuid: str,
    *,
    managed_save: bool = False,
    snapshots_metadata: bool = False,
    checkpoints_metadata: bool = False,
    nvram: str | None = None,
    tpm: str | None = None,
) -> None:
    """Remove a domain's definition; its disks stay, a running one goes on as transient (G15-22).

    Args:
        conn: the connection.
        uuid: which domain.
        managed_save: remove its saved memory too.
        snapshots_metadata: forget its snapshots too.
        checkpoints_metadata: forget its checkpoints too.
        nvram: ``keep`` or ``remove`` its UEFI variables.
        tpm: ``keep`` or ``remove`` the state of its TPM.

    Raises:
        ConflictError: it has something that was not named.
    """
    for name, choice in (("nvram", nvram), ("tpm", tpm)):
        if choice not in (None, "keep", "remove"):
            raise SpecError(f"{name}={choice!r} is not known", hint="'keep' or 'remove'")
    flags = bits(
        DOMAIN_UNDEFINE_MANAGED_SAVE=managed_save,
        DOMAIN_UNDEFINE_SNAPSHOTS_METADATA=snapshots_metadata,
        DOMAIN_UNDEFINE_CHECKPOINTS_METADATA=checkpoints_metadata,
        DOMAIN_UNDEFINE_NVRAM=nvram == "remove",
        DOMAIN_UNDEFINE_KEEP_NVRAM=nvram == "keep",
        DOMAIN_UNDEFINE_TPM=tpm == "remove",
        DOMAIN_UNDEFINE_KEEP_TPM=tpm == "keep",
    )
    on_domain(conn, uuid, "undefine", lambda domain: domain.undefineFlags(flags))
