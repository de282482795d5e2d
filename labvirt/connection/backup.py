"""Backup jobs of a running domain, and the XML of saved images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, bits, on_domain

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection

__all__ = ["begin", "define_saved_image", "xml"]


def begin(
    conn: Connection, uuid: str, xml: str, checkpoint: str | None = None, *, reuse: bool = False
) -> None:
    """Begin a backup (``virsh backup-begin``); `domain.abort_job` ends it.

    Args:
        conn: the connection.
        uuid: which domain.
        xml: the backup.
        checkpoint: XML of a checkpoint that is made at the same moment.
        reuse: the files exist and are written into.
    """
    flags = bits(DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL=reuse)
    on_domain(
        conn,
        uuid,
        "begin a backup of",
        lambda domain: domain.backupBegin(xml, checkpoint, flags),
        timeout_s=SLOW_S,
    )


def xml(conn: Connection, uuid: str) -> str | None:
    """Return the XML of the backup that is under way, None when there is none."""

    def look(domain: Any) -> str | None:
        try:
            return str(domain.backupGetXMLDesc(0))
        except libvirt.libvirtError as error:
            if is_code(error, "NO_DOMAIN_BACKUP"):
                return None
            raise

    return on_domain(conn, uuid, "read the backup of", look)


def define_saved_image(
    conn: Connection, path: str, xml: str, *, paused: bool | None = None
) -> None:
    """Put another XML into a saved image (``virsh save-image-define``).

    Args:
        conn: the connection.
        path: absolute path on the host.
        xml: the definition; what the guest sees must stay the same.
        paused: whether it shall be paused when it is restored; None leaves that as it is.
    """
    flags = bits(DOMAIN_SAVE_RUNNING=paused is False, DOMAIN_SAVE_PAUSED=paused is True)
    conn.call(
        f"change the saved image {path}",
        lambda raw: raw.saveImageDefineXML(path, xml, flags),
        timeout_s=SLOW_S,
    )
