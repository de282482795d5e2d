"""A storage pool's XML; see https://libvirt.org/formatstorage.html."""

from __future__ import annotations

from labvirt.model.xml.table import Choice, SizeFact, Text
from labvirt.model.xml.view import View

__all__ = ["PoolXml"]


class PoolXml(View):
    """The definition of a storage pool."""

    TAG = "pool"

    type = Choice(
        "@type",
        "kind",
        values="dir fs netfs disk iscsi iscsi-direct logical scsi mpath rbd sheepdog gluster zfs "
        "vstorage",
    )
    name = Text("name", "name, unique on the host")
    uuid = Text("uuid", "UUID")
    capacity = SizeFact("capacity", "size", default="bytes")
    allocation = SizeFact("allocation", "space taken", default="bytes")
    available = SizeFact("available", "space left", default="bytes")
    source_host = Text("source/host/@name", "server of the storage")
    source_dir = Text("source/dir/@path", "folder on the server")
    source_device = Text("source/device/@path", "device of the storage")
    source_name = Text("source/name", "name of the storage, e.g. a volume group")
    source_format = Text("source/format/@type", "format of the storage")
    path = Text("target/path", "folder on the host")
    mode = Text("target/permissions/mode", "rights in octal")
    owner = Text("target/permissions/owner", "user id")
    group = Text("target/permissions/group", "group id")
    label = Text("target/permissions/label", "security label")
