"""The forms in which a secret shows up: as it is, escaped, encoded, and these upon each other."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SHORTEST", "forms_of", "has_length"]

SHORTEST: Final = 6
"""Characters that a secret has at least; a shorter one would mask half of every text."""

_PLAIN_URI: Final = "-_.!~*'()"  # what JavaScript's encodeURIComponent leaves as it is


def forms_of(secret: str) -> dict[str, str]:
    """Return the forms of a secret, each with what it is called: ``raw``, ``base64`` ...

    A secret of several lines is there as a whole and line by line.
    """
    found = dict.fromkeys((secret, secret.strip()), "raw")
    first = dict(_escaped(secret))
    for text, label in first.items():
        found.setdefault(text, label)
    for start in (secret, *first):
        for text, label in _encoded(start):
            found.setdefault(text, label)
    # A traceback in a notebook, a query in JSON: two escapes upon each other.
    for start, before in list(found.items()):
        for text, label in _escaped(start):
            found.setdefault(text, before if before != "raw" else label)
    if "\n" in secret or "\r" in secret:
        for line in secret.splitlines():
            # The first and last lines of a PEM key are known to everybody.
            if len(line.strip()) >= SHORTEST and not line.startswith("-----"):
                for text in _line_forms(line.strip()):
                    found.setdefault(text, "line")
    return {text: label for text, label in found.items() if has_length(text)}


def has_length(text: str) -> bool:
    """Return whether a text is long enough to be masked; line breaks do not count."""
    return len(text) - text.count("\n") - text.count("\r") >= SHORTEST


def _line_forms(line: str) -> Iterator[str]:
    yield line
    yield from (text for text, _ in _escaped(line))
    yield from (text for text, _ in _encoded(line))


def _escaped(text: str) -> Iterator[tuple[str, str]]:
    """Yield what programs write for a text so that it can stand in some other text."""
    for safe in ("", "/", _PLAIN_URI, _PLAIN_URI + ";,/?:@&=+$#"):
        yield quote(text, safe=safe, errors="surrogatepass"), "url"
        yield quote_plus(text, safe=safe, errors="surrogatepass"), "url"
    for ascii_only in (True, False):
        body = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield body, "json"
        yield body.replace("/", "\\/"), "json"
        careful = body.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        yield careful, "json"
        yield careful.replace("'", "\\u0027"), "json"
    raw = text.encode(errors="surrogatepass")
    # A quotation mark put in front makes repr take apostrophes outside.
    for parts in (
        [repr('"' + part)[2:-1] for part in text.split("'")],
        [ascii('"' + part)[2:-1] for part in text.split("'")],
        [repr(b'"' + part)[3:-1] for part in raw.split(b"'")],
    ):
        yield "'".join(parts), "repr"
        yield "\\'".join(parts), "repr"
    escaped = html.escape(text, quote=False)
    for double in ('"', "&quot;", "&#34;"):
        for single in ("'", "&#x27;", "&#39;"):
            form = escaped.replace('"', double).replace("'", single)
            yield form, "html"
            yield form.encode("ascii", "xmlcharrefreplace").decode(), "html"
    yield text.replace("'", "'\"'\"'"), "shell"
    yield text.replace("'", "'\\''"), "shell"


def _encoded(text: str) -> Iterator[tuple[str, str]]:
    """Yield what hides a text: base64 wherever it begins in what was encoded, and hexadecimal."""
    raw = text.encode(errors="surrogatepass")
    for before in range(3):
        coded = base64.b64encode(bytes(before) + raw).decode()
        # Characters that carry bits of what stands before or behind are not known.
        known = coded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield known, "base64"
        yield known.replace("+", "-").replace("/", "_"), "base64"
    for separator in ("", ":", " ", "%"):
        coded = raw.hex(separator) if separator else raw.hex()
        label = "url" if separator == "%" else "hex"
        lead = "%" if separator == "%" else ""
        yield lead + coded, label
        yield lead + coded.upper(), label
