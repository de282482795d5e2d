"""A secret object's XML; see https://libvirt.org/formatsecret.html."""

from __future__ import annotations

from labvirt.model.xml.table import Choice, Text, YesNo
from labvirt.model.xml.view import View

__all__ = ["SecretXml"]


class SecretXml(View):
    """The definition of a secret object; the value never stands in it."""

    TAG = "secret"

    ephemeral = YesNo("@ephemeral", "kept in memory only")
    private = YesNo("@private", "nobody can read the value back")
    uuid = Text("uuid", "UUID")
    description = Text("description", "words for people")
    usage_type = Choice("usage/@type", "what it is for", values="volume ceph iscsi tls vtpm")
    usage_volume = Text("usage/volume", "path of the volume")
    usage_target = Text("usage/target", "name of the iSCSI target")
    usage_name = Text("usage/name", "name")
