"""A secret object of libvirt that is asked for: what it is for, never its value."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import Line, Prose, Uuid
from labvirt.model.spec import Spec
from labvirt.model.xml.secret import SecretXml

__all__ = ["SecretSpec"]

_PLACES = {"volume": "usage_volume", "iscsi": "usage_target"}


class SecretSpec(Spec):
    """A libvirt object that keeps a passphrase or key for volumes, iSCSI, Ceph or TLS."""

    usage_type: Literal["volume", "iscsi", "ceph", "tls", "vtpm"] = Field(
        "volume", description="what the secret is for"
    )
    usage: Line = Field(
        description="what it is found by: path of a volume, or a name",
        examples=["/var/lib/libvirt/images/web1.luks"],
    )
    uuid: Uuid | None = Field(None, description="UUID; made when left out")
    description: Prose | None = Field(None, description="words for people")
    ephemeral: bool = Field(default=False, description="kept in the memory of the daemon only")
    private: bool = Field(default=True, description="nobody can read the value back")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.usage_type == "volume" and not self.usage.startswith("/"):
            why = "must be an absolute path for usage_type='volume'"
            raise SpecError("SecretSpec", [Problem("usage", self.usage, why)])
        return self

    def to_xml(self) -> str:
        """Return the definition; see https://libvirt.org/formatsecret.html."""
        secret = SecretXml.new(ephemeral=self.ephemeral, private=self.private, uuid=self.uuid)
        secret.set(description=self.description, usage_type=self.usage_type)
        secret.set(**{_PLACES.get(self.usage_type, "usage_name"): self.usage})
        return secret.text()
