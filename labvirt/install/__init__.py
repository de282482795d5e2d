"""What a guest boots from: media that are made here, and whether this machine can run them fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.install.acceleration import Acceleration, probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labvirt.model.source import Media, Source

__all__ = ["Acceleration", "build_media", "probe"]


def build_media(
    source: Source,
    folder: Path,
    *,
    progress: Callable[[str], None] | None = None,
    refresh: bool = False,
) -> Media:
    """Make what a guest of this source boots from, in `folder`.

    Args:
        source: a source that has to be built (``source.needs_media``).
        folder: where the files are wanted; made when it is absent.
        progress: told in words what is being done.
        refresh: take newer packages of the distribution although the cache has a whole set.

    Raises:
        LabError: nothing has to be built for this source; or it cannot be built (see
            `labvirt.install.tiny.build`).
        WaitTimeoutError: another process has been building for too long.
    """
    # Late, so that a probe loads no pydantic.
    from labvirt.errors import LabError
    from labvirt.install import tiny
    from labvirt.model.source import TinyGuest

    if not isinstance(source, TinyGuest):
        raise LabError(
            f"there is nothing to build for an installation source of kind {source.kind!r}",
            hint="only the tiny guest is built",
        )
    return tiny.build(source, folder, progress=progress, refresh=refresh)
