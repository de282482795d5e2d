"""Writing a report and its side files into the folder of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labvirt.runbook.report.document import Document

__all__ = ["Report", "write_html"]


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        path: the HTML file.
        size_bytes: its size.
        side_files: files with what is too long for it, relative to its folder.
        charts: number of interactive charts in it.
    """

    path: Path
    size_bytes: int
    side_files: tuple[str, ...]
    charts: int


def write_html(
    notebook: Any,
    path: Path,
    title: str = "",
    *,
    record: Mapping[str, Any] | None = None,
    book_folder: Path | None = None,
) -> Report:
    """Write an executed notebook as one HTML file that needs neither network nor kernel.

    What is too long for it goes into files in the folder ``outputs`` beside it. A side file that
    a cell names already in its metadata (``labvirt.side_files``) is linked and left as it is.

    Args:
        notebook: the executed notebook (nbformat 4); it is not changed.
        path: the HTML file; replaced at once when it exists.
        title: heading of the report; the notebook's first heading when empty.
        record: the run as `RunRecord.to_dict` gives it; the notebook's own metadata when None.
        book_folder: where pictures beside the notebook are looked for; the report's folder
            when None.

    Returns:
        What was written.

    Raises:
        OSError: the files cannot be written; a report that was there is left as it was.
    """
    from labvirt.runbook.report.exporter import ReportExporter

    folder = path.absolute().parent
    exporter = ReportExporter()  # type: ignore[no-untyped-call]
    exporter.record = dict(record) if record is not None else None
    resources: dict[str, Any] = {
        "metadata": {"name": title, "path": str(book_folder or folder)},
        "side_folder": folder,
    }
    body, resources = exporter.from_notebook_node(notebook, resources)
    data = body.encode(errors="backslashreplace")
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    document: Document = resources["report"]
    return Report(path, len(data), tuple(document.side_files), document.charts)
