"""Whether a domain of a host could be migrated: the pure rule, with the host's own storage."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError
from labvirt.model.movable import Movable, movable
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Plan

__all__ = ["movable_on", "movable_plan"]

#: Kinds of pools whose volumes any host may reach over the network.
_SHARED_KINDS = frozenset({"netfs", "iscsi", "iscsi-direct", "rbd", "gluster", "vstorage"})


def movable_on(host: Host, xml: str) -> Movable:
    """Return whether a domain with this definition could be migrated away from a host (G3.2-09).

    Which storage is shared is known of the lab's shared folders and of pools of network storage;
    everything else counts as local.

    Args:
        host: where it is, or will be.
        xml: its definition.

    Raises:
        SpecError: it is no domain's XML.
    """
    pools = _shared_pools(host)
    folders = (*map(str, host.facts.shared_folders), *filter(None, pools.values()))

    def is_shared(path: str) -> bool:
        return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)

    return movable(DomainXml.parse(xml), is_shared, pools.__contains__)


def movable_plan(host: Host, plan: Plan[Any]) -> Movable | None:
    """Return the same for the domain that a plan makes; None when it makes none."""
    for action in plan.actions:
        xml = getattr(action, "xml", "") or getattr(action, "transient_xml", "")
        if xml and xml.lstrip().startswith("<domain"):
            return movable_on(host, xml)
    return None


def _shared_pools(host: Host) -> dict[str, str]:
    """Return the pools of network storage, with the folder where their volumes are."""
    try:
        records = host.pools.records
    except LabvirtError:
        return {}
    return {one.name: one.path or "" for one in records if one.type in _SHARED_KINDS}
