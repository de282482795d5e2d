"""The HTML form of an executed notebook: one file that needs no network and no kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_html"]

#: What a reader sees of an output that has several forms; live widgets need a kernel, so the
#: static forms beside them are taken.
_PRIORITY = [
    "text/html",
    "application/pdf",
    "text/latex",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/markdown",
    "text/plain",
]
_ADDRESSES = ("mathjax_url", "require_js_url", "jupyter_widgets_base_url", "mermaid_js_url")


def write_html(notebook: Any, path: Path, title: str) -> None:
    """Write an executed notebook as a self-contained HTML file."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    config = Config()
    config.NbConvertBase.display_data_priority = _PRIORITY
    exporter = HTMLExporter(config=config)
    exporter.embed_images = True
    for trait in _ADDRESSES:
        # Without these the page would fetch scripts from public servers.
        if exporter.has_trait(trait):
            setattr(exporter, trait, "")
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})
    path.write_text(body)
