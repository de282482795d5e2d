"""The fix of a closed way: an access list for QEMU's user, put on and taken off again."""

from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING

from labvirt.errors import UnsupportedError
from labvirt.host.storage.access_actions import GrantAccess, files_of_host
from labvirt.host.storage.acl import Acl
from labvirt.plan import Plan

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.host.storage.access import Access

__all__ = ["fix_plan"]


def fix_plan(host: Host, access: Access) -> Plan[None]:
    """Return the plan that opens the way of an `Access`; see `Access.plan`."""
    files = files_of_host(host)
    other = [step for step in access.blocked_by if not step.rights]
    if other:
        raise UnsupportedError(
            f"open the way to {access.path}",
            uri=host.label,
            libvirt_text=f"{other[0].path}: {other[0].why}",
            hint="; ".join(access.commands),
        )
    actions = []
    for step in access.blocked_by:
        info = files.require(step.path, f"open the way to {access.path}")
        acl = Acl.read(files.here(step.path), info)
        before = base64.b64encode(acl.raw()).decode() if acl.extended else ""
        mode = stat.S_IMODE(info.st_mode)
        uid = info.st_uid if step.to_owner else access.user.uid
        actions.append(GrantAccess(step.path, uid, step.rights, before, mode))
    return Plan(
        title=f"open the way to {access.path}",
        host=host,
        actions=tuple(actions),
        result=lambda: None,
        python=f"{host.python}.explain_access({access.path!r}).plan().apply()",
        journal=host.journal,
    )
