"""Disk images of this machine: qemu-img as typed calls, every change a plan (guide 17.3)."""

from labvirt.images.formats import FormatRecord, formats
from labvirt.images.image import Image
from labvirt.images.records import (
    BenchRecord,
    CheckRecord,
    CompareRecord,
    Extent,
    ImageRecord,
    MeasureRecord,
    SnapshotRecord,
)

__all__ = [
    "BenchRecord",
    "CheckRecord",
    "CompareRecord",
    "Extent",
    "FormatRecord",
    "Image",
    "ImageRecord",
    "MeasureRecord",
    "SnapshotRecord",
    "formats",
]
