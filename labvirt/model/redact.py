"""Secrets masked in XML, so that it can be shown, logged and kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from labvirt.errors import SpecError
from labvirt.model.spec import MASK
from labvirt.model.xml.source import is_element
from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

__all__ = ["MASK", "redact_words", "redact_xml", "unmask"]

_NAMES: Final = re.compile(
    r"(?:passw(?:or)?d|passphrase|passwd|secret|token|api[_-]?key|private[_-]?key|dh-?cert)",
    re.IGNORECASE,
)
# `<secret type='...' uuid='...'/>` points at a secret and holds none.
_POINTERS: Final = frozenset({"passwdValidTo", "keymap"})
_IN_WORDS: Final = re.compile(
    r"(?P<key>[\w.:/-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|rootpw|[_.-]pw)"
    r"[\w.-]*\s*[=:]\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&]+)",
    re.IGNORECASE,
)
_ATTRIBUTE: Final = re.compile(r"(?P<key>\bpasswd\s*=\s*)(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_FREE_TEXT: Final = frozenset(
    {"cmdline", "initarg", "arg", "env", "description", "bootloader_args"}
)


def redact_xml(text: str) -> str:
    """Return ``text`` with the value of every secret replaced by ``***``, all else unchanged.

    Secrets are: attributes and elements whose name says so (``passwd``, ``password``, ``secret``,
    ``token`` ...), and ``key=value`` pairs of such a name in kernel command lines, QEMU arguments,
    environments and descriptions. Text that is no XML is masked word by word.
    """
    try:
        doc = XmlDoc.parse(text)
    except SpecError:
        return redact_words(_ATTRIBUTE.sub(lambda found: f"{found['key']}'{MASK}'", text))
    for element in doc:
        _redact_element(element)
    return doc.text()


def redact_words(text: str) -> str:
    """Return one line or more of free text with ``password=...`` and the like masked."""
    return _IN_WORDS.sub(lambda found: f"{found['key']}{MASK}", text)


def _redact_element(element: Element) -> None:
    tag = str(element.tag).rpartition("}")[2]
    for key, value in element.attrib.items():
        name, words = str(key), str(value)
        if (_NAMES.search(name) and name not in _POINTERS) or (
            tag == "env" and name == "value" and _NAMES.search(str(element.get("name")))
        ):
            element.set(name, MASK)
        elif tag in _FREE_TEXT and name == "value":
            _put(element, name, redact_words(words), words)
    held = element.text or ""
    if _NAMES.fullmatch(tag) and held.strip():
        element.text = MASK
    elif tag in _FREE_TEXT and redact_words(held) != held:
        element.text = redact_words(held)


def _put(element: Element, name: str, new: str, old: str) -> None:
    if new != old:
        element.set(name, new)


def unmask(new: Element, old: Element) -> None:
    """Put secrets back into XML that was edited without them, where it still stands for the same.

    Args:
        new: what somebody wrote over the redacted text, or over libvirt's, which leaves the
            passwords of graphics out.
        old: what it was, with its secrets.
    """
    shown = XmlDoc.parse(redact_xml(_text(old))).root
    tree, was = new.getroottree(), old.getroottree()
    for true, masked in zip(old.iter(), shown.iter(), strict=True):
        if not is_element(true):
            continue
        found: Any = tree.xpath(was.getpath(true))
        if not found:
            continue
        here: Element = found[0]
        for key, value in true.attrib.items():
            name, words, mask = str(key), str(value), masked.get(str(key))
            left_out = name == "passwd" and here.get(name) is None and _alike(here, true)
            if mask != words and (here.get(name) == mask or left_out):
                here.set(name, words)
        if masked.text != true.text and here.text == masked.text:
            here.text = true.text


def _alike(one: Element, other: Element) -> bool:
    return one.tag == other.tag and one.get("type") == other.get("type")


def _text(element: Element) -> str:
    return etree.tostring(element, encoding="unicode", with_tail=False)
