"""The command line for numbers: ``top``, ``record``, ``exporter``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.cli_record import record_commands
from labvirt.cli_top import top_command

if TYPE_CHECKING:
    import typer

__all__ = ["stats_commands"]


def stats_commands(app: typer.Typer) -> None:
    """Put the commands for numbers into an app."""
    record_commands(app)
    app.command("top")(top_command)
