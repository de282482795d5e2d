"""Cleaning: text that somebody else will read, without passwords, keys and tokens.

What a pattern finds to be a secret in one text is taken out of all the others too: a password that
stands in the environment may stand bare in a log.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from labvirt.model.redact import MASK, redact_words, redact_xml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Cleaner", "is_secret_name"]

_NAME: Final = r"passw(?:or)?d|passphrase|passwd|secret|token|api[_-]?key|private[_-]?key|credential|rootpw|auth[_-]?pass"
_SECRET_NAME: Final = re.compile(_NAME, re.IGNORECASE)
# What a name with one of these words says, stands for no secret itself.
_NO_SECRET: Final = re.compile(r"(?:file|path|dir|socket|type|uuid|usage)$", re.IGNORECASE)
_SHORTEST: Final = 6
_PATTERNS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # JSON, also inside of a string
        rf'(?P<key>\\?"[^"\\]*(?:{_NAME})[^"\\]*\\?"\s*:\s*\\?")(?P<value>[^"\\]+)(?=\\?")',
        # QEMU's secret objects: -object secret,id=a,data=... and {"qom-type":"secret","data":"..."}
        r'(?P<key>\bsecret\b[^\n]{0,200}?\bdata(?:=|\\?":\s*\\?"))(?P<value>[^"\\,\s]+)',
        # words of a command line
        rf"(?P<key>(?<!\S)--?(?:{_NAME})[ =])(?P<value>\"[^\"]*\"|'[^']*'|\S+)",
        r"(?P<key>\bsecret-set-value\s+\S+\s+(?:--base64\s+)?)(?P<value>[^-\s]\S*)",
        # a URL's user:password@
        r"(?P<key>[a-z][a-z0-9+.-]*://[^\s/:@'\"]*:)(?P<value>[^\s/@'\"]+)(?=@)",
        r"(?P<key>\bauthorization\s*:\s*(?:bearer|basic)\s+)(?P<value>[\w.~+/=-]+)",
        r"(?P<key>\bbearer\s+)(?P<value>[\w.~+/=-]{8,})",
        # private keys and what is between their lines
        r"(?P<key>-----BEGIN [A-Z ]*PRIVATE KEY-----)(?P<value>.*?)(?=-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        # hashes of /etc/shadow and of cloud-init's user data
        r"(?P<key>)(?P<value>\$(?:1|2[aby]|5|6|y)\$[\w./$=,-]{10,})",
    )
)
_PAIR: Final = re.compile(
    rf"[\w.:/-]*(?:{_NAME})[\w.-]*\s*[=:]\s*(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)",
    re.IGNORECASE,
)
_XML_VALUE: Final = re.compile(r"\b(?:passwd|password|secret|token)\s*=\s*(['\"])(?P<value>.*?)\1")
_COMMON: Final = frozenset({"secret", "password", "passwd", "masterkey0", "passphrase", "system"})


def is_secret_name(name: str) -> bool:
    """Whether the value under such a name is a secret: ``DB_PASSWORD``, ``api_key``."""
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET.search(name)


class Cleaner:
    """Takes secrets out of texts; learns them from every text that it is shown.

    Args:
        environment: variables whose values are secrets where their names say so; None: our own.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._known: set[str] = set()
        for name, value in (os.environ if environment is None else environment).items():
            if is_secret_name(name):
                self._learn(value)

    def learn(self, text: str) -> None:
        """Remember the secrets that a text holds."""
        for pattern in (*_PATTERNS, _PAIR, _XML_VALUE):
            for match in pattern.finditer(text):
                self._learn(match["value"])

    def _learn(self, value: str) -> None:
        plain = value.strip().strip("'\"")
        # A short or common word would be taken out of sentences that have nothing to do with it.
        if len(plain) >= _SHORTEST and plain.lower() not in _COMMON and MASK not in plain:
            self._known.add(plain)

    def text(self, text: str) -> str:
        """Return text of any kind without secrets."""
        for value in sorted(self._known, key=len, reverse=True):
            text = text.replace(value, MASK)
        for pattern in _PATTERNS:
            text = pattern.sub(lambda match: f"{match['key']}{MASK}", text)
        return redact_words(text)

    def xml(self, text: str) -> str:
        """Return XML without secrets; text that is none is cleaned word by word."""
        cleaned = redact_xml(text)
        for value in sorted(self._known, key=len, reverse=True):
            cleaned = cleaned.replace(value, MASK)
        return cleaned

    def value(self, name: str, value: str) -> str:
        """Return the value of a variable or setting, masked where its name or form says so."""
        return MASK if is_secret_name(name) and value else self.text(value)
