"""A storage volume's XML; see https://libvirt.org/formatstorage.html#storage-volume-xml."""

from __future__ import annotations

from labvirt.model.xml.table import Choice, Present, SizeFact, Text
from labvirt.model.xml.view import View

__all__ = ["VolumeXml"]


class VolumeXml(View):
    """The definition of a volume."""

    TAG = "volume"

    type = Choice("@type", "what it is", values="file block dir network netdir")
    name = Text("name", "name, unique in the pool")
    key = Text("key", "what libvirt knows it by, everywhere the same")
    capacity = SizeFact("capacity", "size the guest sees", default="bytes")
    allocation = SizeFact("allocation", "space taken", default="bytes")
    physical = SizeFact("physical", "size of the file on the host", default="bytes")
    path = Text("target/path", "path on the host")
    format = Text("target/format/@type", "format: qcow2, raw ...")
    mode = Text("target/permissions/mode", "rights in octal")
    owner = Text("target/permissions/owner", "user id")
    group = Text("target/permissions/group", "group id")
    label = Text("target/permissions/label", "security label")
    compat = Text("target/compat", "version of qcow2: 0.10 or 1.1")
    nocow = Present("target/nocow", "no copy on write on btrfs")
    cluster_size = SizeFact("target/clusterSize", "cluster of qcow2", default="bytes")
    backing_path = Text("backingStore/path", "image below this one")
    backing_format = Text("backingStore/format/@type", "its format")
