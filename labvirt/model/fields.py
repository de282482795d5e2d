"""The kinds of text that fields of specs take, each checked for what XML and libvirt allow."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from labvirt.errors import Problem, SpecError
from labvirt.model.ident import normal_mac, normal_uuid
from labvirt.model.names import check_name
from labvirt.model.spec import shorten

__all__ = ["AbsolutePath", "Line", "Mac", "ObjectName", "Prose", "SafeName", "Tag", "Uuid"]

_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TAG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,63}")


def _refusal(field: str, text: str, why: str, hint: str = "") -> SpecError:
    return SpecError(f"{shorten(text)!r} {why}", (Problem(field, shorten(text), why, hint),))


def _prose(text: str) -> str:
    """Refuse characters that XML cannot carry."""
    odd = _FORBIDDEN.search(text)
    if odd:
        raise _refusal("", text, f"contains {odd.group()!r}, which XML cannot carry")
    return text


def _line(text: str) -> str:
    """Refuse line breaks besides."""
    if "\n" in text or "\r" in text:
        raise _refusal("", text, "must be a single line")
    return _prose(text)


def _path(text: str) -> str:
    """Refuse relative paths; libvirt's daemon has another working folder than the caller."""
    if not text.startswith("/"):
        raise _refusal("", text, "must be an absolute path on the host", "start with '/'")
    if len(text) == 1:
        raise _refusal("", text, "is the root folder, not a file")
    return _line(text)


def _tag(text: str) -> str:
    if not _TAG.fullmatch(text):
        raise _refusal("", text, "is no tag", "letters, digits and . _ : / @ + -, at most 64")
    return text


def _text(value: Any) -> Any:
    """Let ``os.PathLike`` pass where a path is wanted, as everywhere in Python."""
    return value.__fspath__() if hasattr(value, "__fspath__") else value


def _object_name(text: str) -> str:
    return check_name(text, what="object", mode="libvirt")


Prose = Annotated[str, AfterValidator(_prose)]
"""Any text that XML can carry."""

Line = Annotated[str, AfterValidator(_line), Field(min_length=1)]
"""One line of text, not empty."""

AbsolutePath = Annotated[
    str,
    BeforeValidator(_text),
    AfterValidator(_path),
    Field(examples=["/var/lib/libvirt/images/web1.qcow2"]),
]
"""The path of a file as the host sees it."""

SafeName = Annotated[str, AfterValidator(check_name)]
"""The name of a new object."""

ObjectName = Annotated[str, AfterValidator(_object_name)]
"""The name of an object that exists already, or that libvirt itself would allow."""

Mac = Annotated[str, AfterValidator(normal_mac), Field(examples=["52:54:00:12:34:56"])]
"""A unicast MAC address; kept in lower case with colons."""

Uuid = Annotated[
    str, AfterValidator(normal_uuid), Field(examples=["4a4c59a7-ee3f-c781-96e4-288f2862f011"])
]
"""A UUID; kept in lower case with dashes."""

Tag = Annotated[str, AfterValidator(_tag), Field(examples=["web", "team:storage"])]
"""A word by which domains are found again."""
