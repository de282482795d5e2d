"""``labvirt top``: samples as lines, and lines as a table, JSON or CSV; it asks no host itself."""

from labvirt.top.frame import SORTS, DomainLine, Frame, HostLine, Look, facts_of, frame_of
from labvirt.top.keys import Keys
from labvirt.top.lines import CSV_COLUMNS, csv_text, to_dict
from labvirt.top.screen import draw, printable

__all__ = [
    "CSV_COLUMNS",
    "SORTS",
    "DomainLine",
    "Frame",
    "HostLine",
    "Keys",
    "Look",
    "csv_text",
    "draw",
    "facts_of",
    "frame_of",
    "printable",
    "to_dict",
]
