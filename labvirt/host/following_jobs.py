"""Progress of a libvirt job that runs inside one call: migration, save."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from labvirt.connection import domain as calls
from labvirt.errors import LabvirtError
from labvirt.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.host import Host
    from labvirt.plan import JobControl

__all__ = ["followed"]

_EVERY_S: Final = 0.5


@contextmanager
def followed(host: Host, uuid: str, control: JobControl) -> Iterator[None]:
    """Report how far a domain's job is, until the block ends.

    Args:
        host: where the domain is.
        uuid: the domain.
        control: whom it is told.
    """
    over = threading.Event()

    def look() -> None:
        while not over.wait(_EVERY_S):
            try:
                found = calls.job(host.connection, uuid)
            except LabvirtError:
                continue
            if found.is_running and found.data_total > 0:
                left = Size(found.data_remaining)
                moved = Size(found.data_processed)
                words = f"{moved.mib:.0f} MiB moved, {left.mib:.0f} MiB left"
                control.report(words, step=1, steps=1, fraction=found.done_part)

    thread = threading.Thread(target=look, name="labvirt-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)
