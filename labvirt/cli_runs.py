"""The commands ``labvirt runs ...``: the history of runs, and going on from one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labvirt.cli_run import Progress, perform, say_end
from labvirt.errors import ConfirmationError, SpecError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from labvirt.runbook.records import RunRecord

__all__ = ["runs_app"]

runs_app = typer.Typer(
    help="Runs of runbooks: list them, compare them, go on from them.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
Run = Annotated[str, typer.Argument(help="Its id, a part of it that is unique, or 'last'.")]
How = Annotated[Progress, typer.Option("--progress", help="How to tell what happens.")]
Pairs = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="May be given again."),
]


@runs_app.command("list")
def list_runs(
    book: Annotated[str | None, typer.Option(help="Only runs of this book.")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Only: running, ok, failed, cancelled, died ...")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Only runs on this host.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Begun later: a date (2026-03-01), or how long ago (2d).")
    ] = None,
    parameters: Pairs = None,
    last: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List the runs, newest first."""
    from labvirt.runbook.ledger import Ledger
    from labvirt.runbook.records import OUTCOMES

    if outcome is not None and outcome not in OUTCOMES:
        raise SpecError(f"--outcome {outcome!r} is none", hint="one of " + ", ".join(OUTCOMES))
    found = Ledger().runs(
        book=book,
        outcome=outcome,
        host=host,
        since=_since(since) if since else None,
        parameters=_pairs(parameters or []),
        limit=last,
    )
    if as_json:
        _print_json([run.to_dict() for run in found])
        return
    _print_table(
        ["Run", "Book", "Outcome", "Began", "Time", "Steps", "Host"],
        [
            (
                run.id,
                run.book,
                run.outcome,
                _local(run.began),
                _spent(run.seconds),
                _steps_done(run),
                run.host,
            )
            for run in found
        ],
    )


@runs_app.command()
def show(run: Run = "last", as_json: Json = False) -> None:
    """Show one run: what it was given, how its steps went, where its files are."""
    from labvirt.runbook.ledger import Ledger

    record = Ledger().get(run)
    if as_json:
        _print_json(record.to_dict())
        return
    _print_table(["Run", record.id], _facts(record))
    if record.parameters:
        rows = [(name, _value(value)) for name, value in record.parameters.items()]
        _print_table(["Parameter", "Value"], rows)
    if record.steps:
        _print_table(
            ["Step", "Verdict", "Time", "Title", "Error"],
            [(s.id, s.verdict, _spent(s.seconds), s.title, s.error) for s in record.steps],
        )
    if record.artefacts:
        there = [(name, _size(record.folder / name)) for name in record.artefacts]
        _print_table(["File", "Size"], there)


@runs_app.command()
def diff(
    a: Run,
    b: Run = "last",
    exact: Annotated[
        bool, typer.Option("--exact", help="Times, identifiers and addresses count too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare two runs: parameters, versions, steps and their times, outputs."""
    from labvirt.runbook.compare import compare
    from labvirt.runbook.ledger import Ledger

    ledger = Ledger()
    found = compare(ledger.get(a), ledger.get(b), normalise=not exact)
    if as_json:
        _print_json(found.to_dict())
    else:
        typer.echo("\n".join(_clean(line) for line in str(found).split("\n")))


@runs_app.command()
def rerun(
    run: Run, parameters: Pairs = None, progress: How = "auto", as_json: Json = False
) -> None:
    """Run the book of a run again, with the same parameters but those given here."""
    from labvirt.runbook.execute import ask_rerun

    _perform(ask_rerun(run, _pairs(parameters or [])), progress, as_json=as_json)


@runs_app.command()
def resume(run: Run = "last", progress: How = "auto", as_json: Json = False) -> None:
    """Go on with a run that did not end well, after its last good step."""
    from labvirt.runbook.execute import ask_resume

    _perform(ask_resume(run), progress, as_json=as_json)


@runs_app.command()
def undo(run: Run, progress: How = "auto", as_json: Json = False) -> None:
    """Undo what the steps of a run did, last step first."""
    from labvirt.runbook.execute import ask_undo

    _perform(ask_undo(run), progress, as_json=as_json)


@runs_app.command()
def report(
    run: Run = "last",
    open_path: Annotated[
        bool, typer.Option("--open-path", help="Open it in the browser as well.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the HTML report of a run again and print its path."""
    from labvirt.runbook.ledger import Ledger
    from labvirt.runbook.retell import retell

    ledger = Ledger()
    record = retell(ledger.get(run))
    ledger.update(record)
    if as_json:
        _print_json({"id": record.id, "html": str(record.html)})
    else:
        typer.echo(record.html)
    if open_path:
        typer.launch(str(record.html))


@runs_app.command()
def prune(
    older_than: Annotated[
        str | None, typer.Option(help="Runs that ended longer ago than this: 30d, 12h.")
    ] = None,
    keep: Annotated[int | None, typer.Option(help="How many of the newest to keep.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really; without it nothing is lost.")] = False,
    as_json: Json = False,
) -> None:
    """Remove old runs and their files; running ones, and folders you chose yourself, stay."""
    from labvirt.runbook.ledger import Ledger

    age = _span("--older-than", older_than) if older_than is not None else None
    try:
        gone = Ledger().prune(older_than=age, keep=keep, confirm=yes)
    except ConfirmationError as error:
        said = f"prune of {len(error.destroys)} runs"
        raise ConfirmationError(said, destroys=error.destroys, hint="--yes") from error
    if as_json:
        _print_json([run.to_dict() for run in gone])
        return
    for run in gone:
        typer.echo(f"removed {run.id} {run.book}")
    typer.echo(f"{len(gone)} runs removed")


def _perform(asked: Any, progress: Progress, *, as_json: bool) -> None:
    record = perform(asked, progress)
    if as_json:
        typer.echo(record.to_json())
    elif progress != "json":
        say_end(record)
    raise typer.Exit(record.exit_code)


def _pairs(given: list[str]) -> dict[str, Any]:
    from labvirt.runbook import gather

    return gather(given, [], {})


def _since(text: str) -> dt.datetime:
    """Read a date, a date with time (local when it has no zone), or how long ago."""
    import datetime as dt

    try:
        return dt.datetime.fromisoformat(text).astimezone()
    except ValueError:
        pass
    try:
        return dt.datetime.now(dt.UTC) - _span("--since", text)
    except (SpecError, OverflowError):
        hint = "--since 2026-03-01, --since '2026-03-01 18:00' or --since 2d"
        raise SpecError(f"--since {text!r} is neither a date nor a duration", hint=hint) from None


def _span(option: str, text: str) -> dt.timedelta:
    import datetime as dt

    from labvirt.runbook.kinds import Duration

    try:
        return dt.timedelta(seconds=Duration(text))
    except OverflowError:
        raise SpecError(f"{option} {text!r} is too long", hint=f"{option} 30d") from None


def _facts(run: RunRecord) -> Iterable[tuple[str, Any]]:
    """Return the rows that stand on top; those without a value are left out."""
    steps = _steps_done(run)
    code = "" if run.exit_code < 0 else f" (exit code {run.exit_code})"
    rows = (
        ("Book", f"{run.book}: {run.title}" if run.title else run.book),
        ("Outcome", f"{run.outcome}{code}"),
        ("Error", run.error),
        ("Began", _local(run.began)),
        ("Ended", _local(run.ended)),
        ("Time", _spent(run.seconds)),
        ("Steps", f"{steps}, last good: {run.last_good_step or 'none'}" if steps else ""),
        ("Host", run.host),
        ("By", f"{run.user}@{run.machine}" if run.user else run.machine),
        ("From", f"{run.relation} of {run.parent}" if run.parent else ""),
        ("File of the book", run.book_path),
        ("Record", run.notebook),
        ("HTML", run.html if run.html.exists() else ""),
        ("Versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
    )
    return [row for row in rows if row[1]]


def _steps_done(run: RunRecord) -> str:
    if not run.steps:
        return ""
    done = sum(step.verdict in ("ok", "kept") for step in run.steps)
    return f"{done} of {len(run.steps)}"


def _local(text: str) -> str:
    import datetime as dt

    try:
        return f"{dt.datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return text


def _spent(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def _size(path: Path) -> str:
    try:
        return f"{path.stat().st_size} bytes"
    except OSError:
        return "is gone"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _clean(text: str) -> str:
    """Return text whose control characters cannot move the cursor of the reader's terminal."""
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


def _print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    import sys

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, heading in enumerate(headings):
        # An id that is broken over two lines cannot be copied.
        table.add_column(_clean(heading), overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(_clean(str(value))) for value in row))
    # What goes to a file or a pipe is not cut to the width of a terminal that is not there.
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print()


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, default=str))
