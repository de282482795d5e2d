"""The actions of snapshots, block jobs and backups, by the name under which they are journaled."""

from __future__ import annotations

from typing import Any

from labvirt.host.blockjob_actions import BLOCK_ACTIONS
from labvirt.host.disk_actions import DISK_ACTIONS
from labvirt.plan import Action

__all__ = ["KEEPING_ACTIONS"]

KEEPING_ACTIONS: dict[str, type[Action[Any]]] = {
    **NEW_FILE_ACTIONS,
    **BLOCK_ACTIONS,
    **DISK_ACTIONS,
}
