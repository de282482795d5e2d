"""The small protocol by which a host gets media that are made elsewhere (by `install`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from labvirt.model.source import Media, TinyGuest

__all__ = ["MediaBuilder"]


class MediaBuilder(Protocol):
    """Makes what a guest boots from, on this machine."""

    def __call__(self, source: TinyGuest, folder: Path) -> Media:
        """Make the media of a source.

        Args:
            source: what is asked for.
            folder: where to put the files.
        """
