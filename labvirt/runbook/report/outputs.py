"""Outputs of cells: which of its forms each is shown in, cut to what a report has room for."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labvirt.runbook.report import charts
from labvirt.runbook.report.clean import clean_html, has_content, is_deep
from labvirt.runbook.report.folding import Folded, fold, fold_file, without_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from pathlib import Path

    from labvirt.runbook.report.clean import Headings
    from labvirt.runbook.report.room import Room, SideFiles

__all__ = ["OutputShaper", "Shown"]

_HTML_BYTES = 1_000_000
_PICTURE_BYTES = 1_500_000
_CHART_BYTES = 1_500_000
_MARKDOWN_BYTES = 100_000
_PICTURES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/svg+xml": "svg",
}
#: Outputs of one cell that are shown when there are very many: the first and the last.
_FIRST, _LAST = 300, 50
_MORE = re.compile(r"\[\.\.\. more in (outputs/[\w.-]+)\]\n?\Z")
_COLOURED = re.compile(r'style="[^"]*color:')
_TITLE = re.compile(r"<title[^>]*>([^<]*)</title>")


@dataclass
class Shown:
    """One output as the template shows it.

    Attributes:
        kind: ``text``, ``html``, ``picture``, ``chart`` or ``note``.
        source: ``stdout``, ``stderr``, ``error``, ``result`` or ``display``.
        label: what it is, for who cannot see it.
        head: text (with terminal colours) before the fold.
        tail: text behind it.
        folded: how the text was cut.
        html: cleaned HTML; a chart's static form.
        coloured: the HTML brings colours of its own, made for a light page.
        uri: data URI of a picture.
        chart: a chart's data and layout as JSON.
        headline: name and message of an error.
        note: one line that says what is not here.
        file: a link: ``href`` and ``size``.
    """

    kind: str
    source: str = "display"
    label: str = ""
    head: str = ""
    tail: str = ""
    folded: Folded | None = None
    html: str = ""
    coloured: bool = False
    uri: str = ""
    chart: str = ""
    headline: str = ""
    note: str = ""
    file: dict[str, Any] = field(default_factory=dict)


@dataclass
class OutputShaper:
    """Shapes the outputs of one notebook, cell after cell.

    Attributes:
        room: what may still be put into the report.
        files: where goes what does not fit.
        headings: levels of headings so far.
        markdown: returns the HTML of markdown text; not yet cleaned.
        charts: number of charts so far.
    """

    room: Room
    files: SideFiles
    headings: Headings
    markdown: Callable[[str], str]
    charts: int = 0

    def shape(self, cell: int, outputs: list[Any], taken: Container[str] = ()) -> list[Shown]:
        """Return the outputs of a cell as they are shown.

        Args:
            cell: number of the cell, from 1.
            outputs: its outputs (nbformat 4).
            taken: side files of the cell that are there already.
        """
        shown = []
        joined = list(_joined(outputs))
        for number, output in enumerate(joined, start=1):
            name = f"cell{cell}-{number}"
            if _FIRST < number <= len(joined) - _LAST:
                if number == _FIRST + 1:
                    shown.append(self._rest(joined[_FIRST:-_LAST], f"{name}-rest.txt"))
                continue
            kind = output.get("output_type")
            if kind == "stream":
                stream = "stderr" if output.get("name") == "stderr" else "stdout"
                if output["text"]:
                    label = f"{stream} of cell {cell}"
                    shown.append(self._text(output["text"], stream, label, name, taken))
            elif kind == "error":
                shown.append(self._error(output, cell, name, taken))
            else:
                shown.append(self._rich(output, cell, name, taken))
        return shown

    def _rest(self, outputs: list[Any], name: str) -> Shown:
        """Keep the text of outputs in the middle of very many."""
        texts = []
        for output in outputs:
            data = output.get("data") or {}
            text = output.get("text") or data.get("text/plain") or output.get("evalue") or ""
            texts.append(str(_joined_text(text)).rstrip("\n"))
        note = f"{len(outputs):,} outputs of this cell are not shown; their text is in"
        return Shown("note", note=note, file=self.files.keep(name, "\n".join(texts) + "\n"))

    def _text(self, text: str, source: str, label: str, name: str, taken: Container[str]) -> Shown:
        important = source == "error"
        whole = self._whole(text, taken)
        cut = _folded(text, whole)
        if not self.room.take(_weight(cut), reserve=important):
            cut = _folded(text, whole, head=10, tail=10, width=300)
            if not self.room.take(_weight(cut), reserve=True):
                cut = Folded("", "", cut.lines, cut.lines, 0)
        shown = Shown("text", source, label, cut.head, cut.tail, cut)
        if whole is not None:
            shown.file = {"href": f"outputs/{whole.name}"}
        elif cut.is_cut:
            shown.file = self.files.keep(f"{name}.txt", text, taken)
        return shown

    def _whole(self, text: str, taken: Container[str]) -> Path | None:
        """Return the side file that the runner wrote when it cut this text itself."""
        found = _MORE.search(text, max(0, len(text) - 300))
        if found is None or found[1] not in taken:
            return None
        path = self.files.path(found[1])
        return path if path is not None and path.is_file() else None

    def _error(self, output: Any, cell: int, name: str, taken: Container[str]) -> Shown:
        traceback = output.get("traceback") or []
        text = traceback if isinstance(traceback, str) else "\n".join(map(str, traceback))
        shown = self._text(text, "error", f"traceback of cell {cell}", name, taken)
        said = f"{output.get('ename') or 'Error'}: {output.get('evalue') or ''}"
        shown.headline = " / ".join(fold(said, head=5, tail=1).head.split("\n"))
        return shown

    def _rich(self, output: Any, cell: int, name: str, taken: Container[str]) -> Shown:
        data = {key: _joined_text(value) for key, value in (output.get("data") or {}).items()}
        source = "result" if output.get("output_type") == "execute_result" else "display"
        what = f"output of cell {cell}"
        figure = data.get(charts.MIME)
        if isinstance(figure, dict):
            return self._chart(figure, data, what, name, taken)
        shown = self._html(data, what, name, taken) or self._picture(output, data, what, name)
        if shown is None and isinstance(data.get("text/markdown"), str):
            shown = self._markdown(data["text/markdown"], what)
        if shown is None:
            for mime in ("text/plain", "text/latex", "text/markdown"):
                if isinstance(data.get(mime), str):
                    return self._text(data[mime], source, what, name, taken)
            if "application/json" in data:
                text = json.dumps(data["application/json"], indent=2, ensure_ascii=False)
                return self._text(text, source, what, name, taken)
            kinds = ", ".join(sorted(map(str, data))) or "nothing"
            shown = Shown("note", note=f"An output that cannot be shown here: {kinds[:200]}")
        shown.source = source
        return shown

    def _html(
        self, data: dict[str, Any], what: str, name: str, taken: Container[str]
    ) -> Shown | None:
        html = data.get("text/html")
        if not isinstance(html, str):
            return None
        if len(html) > _HTML_BYTES or is_deep(html):
            return self._instead(html, data, what, f"{name}.html.txt", taken)
        clean = clean_html(without_controls(html), self.headings, picture=f"Picture, {what}")
        if not has_content(clean):
            return None
        if not self.room.take(len(clean), reserve=len(clean) < 2000):
            return self._instead(html, data, what, f"{name}.html.txt", taken)
        return Shown("html", label=what, html=clean, coloured=bool(_COLOURED.search(clean)))

    def _instead(
        self, html: str, data: dict[str, Any], what: str, name: str, taken: Container[str]
    ) -> Shown:
        """Show the plain form of HTML that is too long, and keep its source."""
        file = self.files.keep(name, html, taken)
        plain = data.get("text/plain")
        cut = fold(plain if isinstance(plain, str) else "", head=10, tail=10, width=300)
        if not self.room.take(_weight(cut), reserve=True):
            cut = Folded("", "", cut.lines, cut.lines, 0)
        note = "This output is too long for the report; its HTML source is in"
        return Shown("text", "display", what, cut.head, cut.tail, cut, note=note, file=file)

    def _markdown(self, text: str, what: str) -> Shown | None:
        if len(text) > _MARKDOWN_BYTES:
            return None
        html = clean_html(
            self.markdown(without_controls(text)), self.headings, picture=f"Picture, {what}"
        )
        if not self.room.take(len(html)):
            return None
        return Shown("html", label=what, html=html)

    def _picture(self, output: Any, data: dict[str, Any], what: str, name: str) -> Shown | None:
        for mime, suffix in _PICTURES.items():
            content = data.get(mime)
            if not isinstance(content, str):
                continue
            label = f"Picture, {what}"
            if mime == "image/svg+xml":
                found = _TITLE.search(content, 0, 10_000)
                label = found[1].strip() if found and found[1].strip() else label
                raw = content.encode(errors="replace")
            else:
                told = (output.get("metadata") or {}).get(mime)
                label = str(told.get("alt") or label) if isinstance(told, dict) else label
                try:
                    raw = base64.b64decode(content)
                except (binascii.Error, ValueError):
                    continue
            packed = base64.b64encode(raw).decode()
            if len(packed) <= _PICTURE_BYTES and self.room.take(len(packed)):
                return Shown("picture", label=label, uri=f"data:{mime};base64,{packed}")
            file = self.files.keep(f"{name}.{suffix}", raw)
            note = "A picture that is too large for the report is in"
            return Shown("note", label=label, note=note, file=file)
        return None

    def _chart(
        self,
        figure: dict[str, Any],
        data: dict[str, Any],
        what: str,
        name: str,
        taken: Container[str],
    ) -> Shown:
        first = not self.charts
        shown = Shown("chart", label=charts.describe(figure))
        static = self._html(data, what, name, taken) or self._picture({}, data, what, name)
        if static is not None:
            shown.html, shown.coloured = static.html, static.coloured
            shown.uri, shown.file = static.uri, static.file
        text = charts.chart_json(figure)
        library = len(charts.library()) if first else 0
        if len(text) <= _CHART_BYTES and self.room.take(len(text) + library):
            shown.chart = text
            self.charts += 1
            return shown
        shown.note = "The chart has too many points for the report; its data is in"
        shown.file = self.files.keep(f"{name}.json", text, taken)
        return shown


def _folded(text: str, whole: Path | None, **limits: int) -> Folded:
    """Fold a text, or the file that has all of it."""
    if whole is not None:
        with contextlib.suppress(OSError):
            return fold_file(whole, **limits)
    return fold(text, **limits)


def _joined(outputs: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield outputs with pieces of one stream that follow each other put together."""
    name = ""
    pieces: list[str] = []
    for output in outputs:
        kind = output.get("output_type")
        if pieces and (kind != "stream" or output.get("name") != name):
            yield {"output_type": "stream", "name": name, "text": "".join(pieces)}
            pieces = []
        if kind == "stream":
            name = str(output.get("name"))
            pieces.append(str(_joined_text(output.get("text") or "")))
        else:
            yield output
    if pieces:
        yield {"output_type": "stream", "name": name, "text": "".join(pieces)}


def _joined_text(value: Any) -> Any:
    """Return text that a file holds as a list of lines as one text; everything else as it is."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def _weight(cut: Folded) -> int:
    """Return about how many bytes a text takes in the file."""
    marks = cut.head.count("\x1b") + cut.tail.count("\x1b")
    angles = sum(part.count(one) for part in (cut.head, cut.tail) for one in "<>&\"'")
    text = len(cut.head.encode(errors="replace")) + len(cut.tail.encode(errors="replace"))
    return text + 40 * marks + 5 * angles + 300
