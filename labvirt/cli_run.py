"""The command ``labvirt run``: a runbook in this process, its progress on the terminal."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.runbook import RunRecord
    from labvirt.runbook.events import Event

__all__ = ["run_command"]

Progress = Literal["auto", "rich", "plain", "json", "none"]


def run_command(
    context: typer.Context,
    book: Annotated[str, typer.Argument(help="Name of a runbook, or path of a notebook.")] = "",
    parameters: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="May be given again."),
    ] = None,
    files: Annotated[
        list[Path] | None, typer.Option("-f", "--file", help="YAML file of parameters.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the record goes.")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Limit of a cell that sets none, in seconds.")
    ] = None,
    html: Annotated[bool, typer.Option(help="Write the HTML report.")] = True,
    progress: Annotated[Progress, typer.Option(help="How to tell what happens.")] = "auto",
    show: Annotated[bool, typer.Option("--parameters", help="Show the parameters only.")] = False,
    schema: Annotated[bool, typer.Option(help="Print the parameters as JSON Schema.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    matrix: Annotated[
        Path | None, typer.Option(help="YAML file of many sets of parameters: one run for each.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="With --matrix: how many run at once.")] = 2,
    per_host: Annotated[
        int | None, typer.Option(help="With --matrix: how many at once on one host.")
    ] = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="With --matrix: begin no more after a failure.")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(help="With --matrix: run on a Dask cluster, tcp://HOST:8786 or 'local'."),
    ] = None,
    help_: Annotated[
        bool, typer.Option("--help", help="Show this, and the parameters of BOOK.")
    ] = False,
) -> None:
    """Run a runbook; the executed notebook and an HTML file are the record.

    Parameters come from -p, from -f, and from the environment (LABVIRT_PARAM_NAME), in this order.

    Exit codes: 0 ok, 1 failed, 2 bad parameters, 3 precondition, 130 cancelled, 138 kernel died.
    """
    if help_ or not book:
        typer.echo(context.get_help())
        if not book:
            raise typer.Exit(0 if help_ else 2)
    if help_ or show or schema:
        _show_parameters(book, schema=schema)
        return
    from labvirt.runbook.execute import ask

    given = _given(book, parameters or [], files or [])
    if matrix is not None:
        many = _Many(matrix, jobs, per_host, stop, scheduler, timeout, html)
        raise typer.Exit(many.run(book, given, progress, as_json=as_json))
    asked = ask(book, given, folder=folder, timeout_s=timeout, html=html)
    record = perform(asked, progress)
    if as_json:
        typer.echo(record.to_json())
    elif progress != "json":
        say_end(record)
    raise typer.Exit(record.exit_code)


@dataclass(frozen=True)
class _Many:
    """The options of many runs."""

    matrix: Path
    jobs: int
    per_host: int | None
    stop: bool
    scheduler: str | None
    timeout: float | None
    html: bool

    def run(self, book: str, given: dict[str, Any], progress: Progress, *, as_json: bool) -> int:
        from labvirt.runbook.executors import DaskExecutor
        from labvirt.runbook.many import run_many
        from labvirt.runbook.matrix import read_matrix

        sets = [{**given, **one} for one in read_matrix(self.matrix)]
        executor = None
        if self.scheduler is not None:
            address = None if self.scheduler == "local" else self.scheduler
            executor = DaskExecutor(address, jobs=self.jobs)
        try:
            done = run_many(
                book,
                sets,
                jobs=self.jobs,
                per_host=self.per_host,
                stop_on_failure=self.stop,
                timeout_s=self.timeout,
                html=self.html,
                executor=executor,
                on_event=None if progress == "none" else _tell_many(progress),
            )
        finally:
            if executor is not None:
                executor.close()
        if as_json:
            typer.echo(
                json.dumps([record.to_dict() if record else None for record in done.records])
            )
        else:
            _show_many(done)
        return done.exit_code


def _tell_many(progress: Progress) -> Callable[[int, Event], None]:
    def tell(number: int, event: Event) -> None:
        if progress == "json":
            typer.echo(json.dumps({"number": number, **event}, default=str))
        elif line := plain_line(event):
            typer.echo(f"{number + 1}: {line}", err=True)

    return tell


def _show_many(done: Any) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("Parameters", "Outcome", "Seconds", "Run", "Error"):
        table.add_column(heading, overflow="fold")
    for row in done.rows():
        table.add_row(*row)
    Console().print(table)
    typer.echo(str(done))


def _given(book: str, pairs: list[str], files: list[Path]) -> dict[str, Any]:
    from labvirt.runbook import find_book, gather, read_parameters

    declared = read_parameters(find_book(book).parameters_source)
    return gather(pairs, files, os.environ, parameters=declared)


def _show_parameters(book: str, *, schema: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from labvirt.runbook import describe, find_book, json_schema, read_parameters

    found = find_book(book)
    parameters = read_parameters(found.parameters_source)
    if schema:
        typer.echo(json.dumps(json_schema(parameters), indent=2))
        return
    table = Table(title=f"{found.name}: {found.title}", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("Parameter", "Type", "Default", "Help"):
        table.add_column(heading, overflow="fold")
    for row in describe(parameters):
        table.add_row(*(str(cell) for cell in row))
    Console().print(table)


def perform(asked: Any, progress: Progress = "auto") -> RunRecord:
    """Perform a request in this process and show its progress."""
    import asyncio

    from labvirt.runbook.perform import Performance
    from labvirt.runbook.worker import perform_here

    with _Teller(progress) as tell:
        performance = Performance(asked.request, environment=asked.environment, listeners=(tell,))
        record: RunRecord = asyncio.run(perform_here(performance))
    return record


def say_end(record: RunRecord) -> None:
    """Print how a run ended and where its record is."""
    typer.echo(f"{record.book}: {record.outcome} after {record.seconds:.1f} s")
    if record.error:
        typer.echo(f"  {record.error}")
    typer.echo(f"  Run:    {record.id}")
    typer.echo(f"  Record: {record.notebook}")
    if record.html.exists():
        typer.echo(f"  HTML:   {record.html}")
    if record.outcome in ("failed", "died"):
        typer.echo(f"  Go on:  labvirt runs resume {record.id}")


class _Teller:
    """Shows events: a bar on a terminal, lines in a log, JSON for programs."""

    def __init__(self, way: Progress) -> None:
        if way == "auto":
            way = "rich" if sys.stderr.isatty() else "plain"
        self._way = way
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Callable[[Event], None]:
        if self._way != "rich":
            return (
                self._json
                if self._way == "json"
                else self._plain
                if self._way == "plain"
                else _nothing
            )
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=1)
        self._bar.start()
        return self._rich

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _json(self, event: Event) -> None:
        if event["kind"] not in ("output", "update", "clear"):
            typer.echo(json.dumps(event, default=str))

    def _plain(self, event: Event) -> None:
        line = plain_line(event)
        if line:
            typer.echo(line, err=True)

    def _rich(self, event: Event) -> None:
        if event["kind"] in ("step-begin", "step-end"):
            step = event["step"]
            done = event["position"] - (event["kind"] == "step-begin")
            self._bar.update(
                self._task, description=step["title"], completed=done, total=event["steps"]
            )


def _nothing(_: Event) -> None:
    """Tell nothing."""


def plain_line(event: Event) -> str:
    """Return an event as a line of a log; empty for those that only programs need."""
    at = event["at"][11:19]
    if event["kind"] == "run-begin":
        return f"{at} run {event['record']['id']} of {event['record']['book']} begins"
    if event["kind"] == "step-begin":
        return f"{at} [{event['position']}/{event['steps']}] {event['step']['title']} ..."
    if event["kind"] == "step-end":
        step = event["step"]
        tail = f": {step['error']}" if step["error"] else ""
        return (
            f"{at} [{event['position']}/{event['steps']}] {step['title']}: {step['verdict']}"
            f" ({step['seconds']:.1f} s){tail}"
        )
    if event["kind"] == "note":
        return f"{at} {event['text']}"
    return ""
