"""Greeting: what every VNC session begins with, answered in the kernel, as the view would do it.

A display asks for version, kind of security and sharing, one after another; asked of the page each of
them is a round trip through Jupyter's server. Where there is only one answer it is given here; the
page answers too, for itself, and what it says then is held back. RFC 6143, 7.1.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Greeting"]

_VERSION: Final = b"RFB 003.008\n"
_NO_PASSWORD: Final = b"\x01"
_SHARED: Final = b"\x01"


class Greeting:
    """The first bytes of a session, both ways."""

    def __init__(self) -> None:
        self._heard: bytes | None = b""
        self._is_versed = False
        self._owed = b""

    def hear(self, data: bytes) -> bytes:
        """Take bytes of the display; return what to answer at once, before the view has them."""
        if self._heard is None:
            return b""
        self._heard += data
        answer = b""
        if not self._is_versed and len(self._heard) >= len(_VERSION):
            if not self._heard.startswith(_VERSION):
                self._heard = None
                return b""
            self._is_versed, answer = True, _VERSION
        kinds = self._heard[len(_VERSION) :]
        if kinds and len(kinds) > kinds[0]:
            if kinds[: 1 + kinds[0]] == b"\x01" + _NO_PASSWORD:
                answer += _NO_PASSWORD + _SHARED
            self._heard = None  # a password is asked of the one who looks
        self._owed += answer
        return answer

    def said(self, data: bytes) -> bytes | None:
        """Take bytes of the view; return those that were not answered here; None: other ones."""
        size = min(len(data), len(self._owed))
        if data[:size] != self._owed[:size]:
            return None
        self._owed = self._owed[size:]
        return data[size:]
