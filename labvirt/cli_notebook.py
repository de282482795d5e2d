"""``labvirt notebook``: JupyterLab on the notebooks."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from labvirt.errors import LabvirtError
from labvirt.shelf import lay_out, pick

__all__ = ["notebook_command"]


def notebook_command(
    book: Annotated[str, typer.Argument(help="Name of a notebook; the index when left out.")] = "",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="A free one from 8888 on when left out.")
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address.")
    ] = False,
    lang: Annotated[
        Literal["en", "ru"] | None, typer.Option(help="Language of the views: en or ru.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where your copies of the notebooks are kept.")
    ] = None,
) -> None:
    """Open JupyterLab on your copies of the notebooks; Ctrl-C ends it."""
    path = pick(book)
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabvirtError("JupyterLab is not installed here", hint="pip install jupyterlab")
    if port is not None:
        _check_port(port)
    laid = lay_out(folder)
    typer.echo(f"The notebooks are in {laid.folder}")
    for each in laid.kept:
        typer.echo(f"  {each} is kept as you have changed it")
    if lang:
        os.environ["LABVIRT_LANG"] = lang
    options = [
        f"--ServerApp.root_dir={laid.folder}",
        f"--LabApp.default_url=/lab/tree/{path}",
        # Else Ctrl-C would ask.
        "--ServerApp.answer_yes=True",
    ]
    if port is not None:
        options += [f"--port={port}", "--ServerApp.port_retries=0"]
    if no_browser:
        options.append("--no-browser")
    if os.geteuid() == 0:
        options.append("--allow-root")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *options])  # noqa: S606 - JupyterLab takes this process over, signals and all


def _check_port(port: int) -> None:
    """Find out now whether a port is free: JupyterLab would say so after a page of text."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = error.strerror or str(error)
            raise LabvirtError(
                f"port {port} cannot be used: {why}",
                hint="give another --port, or none: a free one is taken then",
            ) from error
