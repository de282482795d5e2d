"""The HTML form of an executed notebook: one file that needs no network and no kernel."""

from labvirt.runbook.report.writer import Report, write_html

__all__ = ["Report", "write_html"]
