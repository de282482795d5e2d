"""A storage volume's XML; see https://libvirt.org/formatstorage.html#storage-volume-xml."""

from __future__ import annotations

from labvirt.model.xml.table import Choice, Int, Present, SizeFact, Text
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
    encryption = Choice(
        "target/encryption/@format", "how it is encrypted", values="default qcow luks luks2"
    )
    encryption_engine = Choice("target/encryption/@engine", "who encrypts", values="qemu librbd")
    secret_uuid = Text(
        "target/encryption/secret[type=passphrase]/@uuid", "object with the passphrase, by UUID"
    )
    secret_usage = Text("target/encryption/secret[type=passphrase]/@usage", "the same, by usage")
    cipher = Text("target/encryption/cipher/@name", "cipher: aes ...")
    cipher_size = Int("target/encryption/cipher/@size", "bits of the key")
    cipher_mode = Text("target/encryption/cipher/@mode", "mode: cbc, xts ...")
    cipher_hash = Text("target/encryption/cipher/@hash", "hash: sha256 ...")
    ivgen = Text("target/encryption/ivgen/@name", "how initial vectors are made: plain64 ...")
    ivgen_hash = Text("target/encryption/ivgen/@hash", "hash of the initial vectors")
    compat = Text("target/compat", "version of qcow2: 0.10 or 1.1")
    nocow = Present("target/nocow", "no copy on write on btrfs")
    cluster_size = SizeFact("target/clusterSize", "cluster of qcow2", default="bytes")
    lazy_refcounts = Present("target/features/lazy_refcounts", "reference counts written late")
    extended_l2 = Present("target/features/extended_l2", "clusters have subclusters")
    changed_at = Text("target/timestamps/mtime", "when its bytes changed, seconds since 1970")
    status_at = Text("target/timestamps/ctime", "when the file changed, seconds since 1970")
    backing_path = Text("backingStore/path", "image below this one")
    backing_format = Text("backingStore/format/@type", "its format")
