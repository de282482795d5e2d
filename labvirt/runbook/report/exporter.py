"""The exporter of nbconvert that makes the report: ``jupyter nbconvert --to labvirt-html``."""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

from markupsafe import Markup
from nbconvert.exporters.html import HTMLExporter
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from traitlets import Bool, default

from labvirt.runbook.report import charts
from labvirt.runbook.report.colours import colours
from labvirt.runbook.report.document import build
from labvirt.runbook.report.summary import SHAPES, duration

__all__ = ["ReportExporter"]

_TEMPLATES = Path(__file__).parent / "templates"


class ReportExporter(HTMLExporter):
    """Makes one HTML file of an executed notebook, which needs no network and no kernel.

    Attributes:
        record: the run as `RunRecord.to_dict` gives it; the notebook's own metadata when None.
    """

    export_from_notebook = "labvirt report"
    embed_images = Bool(default_value=True).tag(config=True)
    record: dict[str, Any] | None = None

    @default("template_name")
    def _template_name_default(self) -> str:
        return "labvirt"

    @default("extra_template_basedirs")
    def _basedirs_default(self) -> list[str]:
        return [str(_TEMPLATES)]

    @default("default_preprocessors")
    def _preprocessors_default(self) -> list[str]:
        return []  # each would go through all outputs, however long they are

    def from_notebook_node(  # type: ignore[override] # as nbconvert's own exporters do
        self,
        nb: Any,
        resources: dict[str, Any] | None = None,
        **kw: Any,  # noqa: ARG002 - nbconvert's signature
    ) -> tuple[str, dict[str, Any]]:
        """Return the report, and the side files that the caller is to write.

        Args:
            nb: the executed notebook.
            resources: what nbconvert knows; ``side_folder`` is a folder into which side files
                are written at once.
            **kw: not used.
        """
        resources = self._init_resources(resources)  # type: ignore[no-untyped-call]
        about = resources.get("metadata") or {}
        is_file = "side_folder" in resources
        title = str(about.get("name") or "") if is_file else ""
        document = build(
            nb,
            title,
            record=self.record,
            folder=resources.get("side_folder"),
            prose=self._prose(str(about.get("path") or "")),
            markdown=_printed,
            highlight=self._highlighter(nb),
        )
        resources["report"] = document
        if document.held:
            resources.setdefault("outputs", {}).update(document.held)
        style, script = _static("report.css"), _static("report.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        body = self.template.render(
            report=document,
            language=self.language_code,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=digest,
            library=charts.library() if document.charts else "",
        )
        return body, resources

    def _create_environment(self) -> Any:
        environment = TemplateExporter._create_environment(self)  # noqa: SLF001
        environment.autoescape = True
        environment.trim_blocks = environment.lstrip_blocks = True
        environment.filters["colours"] = colours
        environment.filters["shape"] = lambda verdict: SHAPES.get(verdict, "open")
        environment.filters["duration"] = duration
        return environment

    def _prose(self, folder: str) -> Any:
        def render(source: str) -> str:
            renderer = IPythonRenderer(
                escape=False,
                embed_images=self.embed_images and bool(folder),
                path=folder,
                exclude_anchor_links=True,
            )
            return str(MarkdownWithMath(renderer=renderer).render(source))

        return render

    def _highlighter(self, notebook: Any) -> Any:
        language = notebook.metadata.get("language_info") or {}
        lexer = language.get("pygments_lexer") or language.get("name")
        return Highlight2HTML(pygments_lexer=lexer, parent=self)


def _printed(source: str) -> str:
    """Return the HTML of markdown that a cell printed; it may name no files of this machine."""
    renderer = IPythonRenderer(escape=False, embed_images=False, exclude_anchor_links=True)
    return str(MarkdownWithMath(renderer=renderer).render(source))


@functools.cache
def _static(name: str) -> str:
    return (_TEMPLATES / "labvirt" / name).read_text()
