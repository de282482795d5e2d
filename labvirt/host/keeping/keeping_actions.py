"""The actions of snapshots, block jobs and backups, by the name under which they are journaled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.host.keeping.backup_actions import BACKUP_ACTIONS
from labvirt.host.keeping.blockjob_actions import BLOCK_ACTIONS
from labvirt.host.keeping.snapshot_actions import SNAPSHOT_ACTIONS
from labvirt.host.keeping.snapshot_text_actions import SNAPSHOT_TEXT_ACTIONS
from labvirt.host.storage.disk_actions import DISK_ACTIONS

if TYPE_CHECKING:
    from labvirt.plan import Action

__all__ = ["KEEPING_ACTIONS"]

KEEPING_ACTIONS: dict[str, type[Action[Any]]] = {
    **BACKUP_ACTIONS,
    **BLOCK_ACTIONS,
    **DISK_ACTIONS,
    **SNAPSHOT_ACTIONS,
    **SNAPSHOT_TEXT_ACTIONS,
}
