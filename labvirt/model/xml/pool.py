"""A storage pool's XML; see https://libvirt.org/formatstorage.html."""

from __future__ import annotations

from labvirt.model.xml.table import Children, Choice, Int, SizeFact, Text, Values, YesNo
from labvirt.model.xml.view import View

__all__ = ["PoolHostXml", "PoolXml"]


class PoolHostXml(View):
    """A server of a pool."""

    TAG = "host"

    name = Text("@name", "name or address")
    port = Int("@port", "port")


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
    cow = YesNo("features/cow/@state", "copy on write on btrfs")
    hosts = Children("source/host", PoolHostXml, "servers of the storage")
    source_host = Text("source/host/@name", "server of the storage")
    devices = Values("source/device/@path", "devices of the storage")
    source_device = Text("source/device/@path", "device of the storage")
    part_separator = YesNo("source/device/@part_separator", "p between device and partition")
    source_dir = Text("source/dir/@path", "folder on the server")
    adapter_type = Choice("source/adapter/@type", "kind of adapter", values="scsi_host fc_host")
    adapter_name = Text("source/adapter/@name", "name of the adapter, e.g. host0")
    adapter_parent = Text("source/adapter/@parent", "host adapter of a virtual one")
    adapter_wwnn = Text("source/adapter/@wwnn", "World Wide Node Name")
    adapter_wwpn = Text("source/adapter/@wwpn", "World Wide Port Name")
    adapter_managed = YesNo("source/adapter/@managed", "the virtual adapter goes with the pool")
    source_name = Text("source/name", "name of the storage, e.g. a volume group")
    initiator = Text("source/initiator/iqn/@name", "name of this host as iSCSI initiator")
    auth_type = Choice("source/auth/@type", "how to log in", values="chap ceph")
    auth_user = Text("source/auth/@username", "user on the server")
    auth_uuid = Text("source/auth/secret/@uuid", "libvirt's object with the password, by UUID")
    auth_usage = Text("source/auth/secret/@usage", "the same, by usage")
    source_format = Text("source/format/@type", "format of the storage")
    protocol_version = Text("source/protocol/@ver", "version of NFS")
    vendor = Text("source/vendor/@name", "who made the storage")
    product = Text("source/product/@name", "what it is")
    path = Text("target/path", "folder on the host")
    mode = Text("target/permissions/mode", "rights in octal")
    owner = Text("target/permissions/owner", "user id")
    group = Text("target/permissions/group", "group id")
    label = Text("target/permissions/label", "security label")
    refresh_allocation = Choice(
        "refresh/volume/@allocation", "how taken space is found", values="default capacity"
    )
    mount_options = Values("fs:mount_opts/fs:option/@name", "options of mount")
    rbd_options = Values("rbd:config_opts/rbd:option/@name", "options of the Ceph client")
    rbd_values = Values("rbd:config_opts/rbd:option/@value", "their values, in the same order")
