"""A look at a file before it is put into a drive: is it there, and is it what the drive reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from labvirt.errors import NotFoundError, SpecError

if TYPE_CHECKING:
    from labvirt.host.host import Host

__all__ = ["look_at_medium"]

#: Where the first volume descriptor of a disc begins, in bytes; its name follows one byte later.
_DESCRIPTORS: Final = 32768
_DISC_NAMES: Final = (b"CD001", b"BEA01", b"NSR02", b"NSR03")
#: Bytes of the floppies that QEMU knows: 360 K to 2.88 M.
_FLOPPIES: Final = (368640, 737280, 1228800, 1474560, 1720320, 2949120)


def look_at_medium(host: Host, path: str, device: str, asked: str) -> tuple[str, ...]:
    """Look at an image for a drive, as far as this machine can.

    Args:
        host: where the image is.
        path: of the image on the host.
        device: ``cdrom``, ``floppy`` or ``disk``.
        asked: what is asked for, for messages.

    Returns:
        Warnings: the image is not what the drive reads.

    Raises:
        NotFoundError: there is no such file.
        SpecError: it is a folder.
    """
    if not host.is_local:
        return ()
    file = Path(path)
    try:
        if file.is_dir():
            raise SpecError(f"{asked}: {path} is a folder", hint="an image file, or a block device")
        size = file.stat().st_size
        if not file.is_file():
            return ()
        with file.open("rb") as image:
            image.seek(_DESCRIPTORS + 1)
            name = image.read(5)
    except FileNotFoundError:
        raise NotFoundError(
            asked,
            uri=host.label,
            libvirt_text=f"there is no file {path} on this machine",
            hint="the path as the host sees it",
        ) from None
    except OSError as error:
        return (f"{path} cannot be looked at: {error.strerror}",)
    if device == "cdrom" and name not in _DISC_NAMES:
        return (f"{path} is no ISO image: the guest will find no disc that it can read",)
    if device == "floppy" and size not in _FLOPPIES:
        return (f"{path} has {size} bytes, which is no size of a floppy (1474560 is usual)",)
    return ()
