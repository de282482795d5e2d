"""PNG of charts without a browser: the drawing of the SVG, painted by Pillow.

plotly's own export needs kaleido with a Chromium and takes seconds for each picture; who has them
can still say ``chart.figure().write_image(...)``.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import tempfile
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labvirt.errors import Problem, SpecError
from labvirt.widgets.scene import THEMES, Path, Text, scene
from labvirt.widgets.svg import plain
from labvirt.widgets.tracks import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labvirt.history.source import Source
    from labvirt.widgets.panels import Panel
    from labvirt.widgets.scene import Scene, Theme

__all__ = ["png"]

_SMOOTH: Final = 2  # painted so many times larger, then made smaller, for smooth lines
_MOST_PIXELS: Final = 100_000_000
_FONTS: Final = ("DejaVuSans", "NotoSans-Regular", "LiberationSans-Regular", "Arial")
_BOLD: Final = ("DejaVuSans-Bold", "NotoSans-Bold", "LiberationSans-Bold", "Arial_Bold")


def png(
    panels: Sequence[Panel],
    source: Source,
    path: str | os.PathLike[str] | None = None,
    *,
    start: float | None = None,
    end: float | None = None,
    theme: Theme = "light",
    title: str = "",
    scale: float = 2.0,
) -> bytes:
    """Return a PNG picture of some panels, and write it when a path is given.

    Args:
        panels: what is drawn.
        source: where the samples are.
        path: a file that is replaced in one step, or left as it was.
        start: from when, seconds since 1970, UTC; None from the first.
        end: until when.
        theme: ``light`` or ``dark``.
        title: a heading on the picture.
        scale: pixels of the picture per pixel of the drawing (900 wide), 0.5 to 4.

    Raises:
        SpecError: the scale is out of its limits; the source has no such series.
        OSError: the file cannot be written.
    """
    if not 0.5 <= scale <= 4:
        raise SpecError(
            f"cannot draw at a scale of {scale!r}",
            (Problem("scale", str(scale), "out of its limits", "write 0.5 to 4"),),
        )
    data = _painted(scene(read(panels, source, start=start, end=end), title=title), theme, scale)
    if path is not None:
        _write(FilePath(path), data)
    return data


def _painted(drawing: Scene, theme: Theme, scale: float) -> bytes:
    from PIL import Image, ImageDraw

    times = scale * _SMOOTH
    # Very tall boards are painted smaller: a picture has to fit into memory.
    times = min(times, (_MOST_PIXELS / (drawing.width * drawing.height)) ** 0.5)
    colours = THEMES[theme]
    size = (round(drawing.width * times), round(drawing.height * times))
    image = Image.new("RGB", size, colours["paper"])
    pen = ImageDraw.Draw(image, "RGBA")
    for part in drawing.parts:
        colour = colours.get(part.colour, part.colour)
        if isinstance(part, Text):
            font = _font(round(part.size * times), part.bold)
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[part.anchor]
            where = (part.x * times, part.y * times)
            pen.text(where, plain(part.text), fill=colour, font=font, anchor=anchor)
        elif isinstance(part, Path):
            wide = max(round(part.width * times), 1)
            for piece in _dashed(part.points, part.dash):
                pen.line(_flat(piece * times), fill=colour, width=wide, joint="curve")
        else:
            pen.polygon(_flat(part.points * times), fill=(*_rgb(colour), round(255 * part.opacity)))
    wanted = (round(size[0] / _SMOOTH), round(size[1] / _SMOOTH))
    stream = io.BytesIO()
    image.resize(wanted, Image.Resampling.BOX).save(stream, "PNG")
    return stream.getvalue()


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _flat(points: NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points.tolist()]


@functools.lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> Any:  # noqa: FBT001 - the cache wants it by position
    """Return a font of the machine, which knows more scripts, or Pillow's own."""
    from PIL import ImageFont

    for name in _BOLD if bold else _FONTS:
        with contextlib.suppress(OSError):
            return ImageFont.truetype(f"{name}.ttf", size)
    return ImageFont.load_default(size)


def _dashed(points: NDArray[np.float64], dash: tuple[float, ...]) -> list[NDArray[np.float64]]:
    """Return a line as the pieces that are painted of it."""
    if not dash or len(points) < 2:
        return [points]
    lengths = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    pieces = []
    for begin in np.arange(0.0, along[-1], sum(dash)):
        finish = min(begin + dash[0], along[-1])
        inner = along[(along > begin) & (along < finish)]
        stops = np.concatenate([[begin], inner, [finish]])
        pieces.append(
            np.column_stack([np.interp(stops, along, points[:, axis]) for axis in (0, 1)])
        )
    return pieces


def _write(path: FilePath, data: bytes) -> None:
    """Put a file into its place in one step."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        FilePath(name).chmod(0o666 & ~umask)
        FilePath(name).replace(path)
    except BaseException:
        FilePath(name).unlink(missing_ok=True)
        raise
