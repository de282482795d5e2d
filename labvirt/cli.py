"""The command line: each command is one call of the library."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from labvirt.cli_break import break_commands
from labvirt.cli_doctor import doctor_command, say_why
from labvirt.cli_notebook import notebook_command
from labvirt.cli_run import run_command
from labvirt.cli_runs import runs_app
from labvirt.cli_stats import stats_commands
from labvirt.errors import LabvirtError
from labvirt.runbook.light import load_less

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["main"]

app = typer.Typer(
    help="Real virtual machines from cells and forms, on a lab that starts by itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
lab_app = typer.Typer(
    help="Embedded labs: real libvirt hosts on this machine.", no_args_is_help=True
)
app.add_typer(lab_app, name="lab")
break_commands(lab_app)
app.add_typer(runs_app, name="runs")

Backend = Literal["auto", "session", "system"]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]


def _print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, default=str))


@app.command()
def version() -> None:
    """Show the versions of labvirt and of what it runs with."""
    from importlib import metadata

    for name in ("labvirt", "libvirt-python", "papermill", "jupyterlab"):
        try:
            typer.echo(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            typer.echo(f"{name} is not installed")


@app.command("list")
def list_domains(
    uri: Annotated[str, typer.Argument(help="Host: a libvirt URI, or lab:NAME/HOST.")] = "",
    as_json: Json = False,
) -> None:
    """List the domains of a host, running or not."""
    import labvirt as lv

    with lv.connect(uri or None, readonly=True) as host:
        if as_json:
            typer.echo(host.domains.df.to_json(orient="records", date_format="iso", indent=2))
            return
        _print_table(
            ["Id", "Name", "State", "CPUs", "Memory", "Title"],
            [
                ("-" if r.id is None else r.id, r.name, r.state.text, r.vcpus, r.memory, r.title)
                for r in host.domains.records
            ],
        )


@app.command()
def journal(
    last: Annotated[int, typer.Option(help="How many.")] = 20, as_json: Json = False
) -> None:
    """Show the plans that were applied: who, when, where, what."""
    from labvirt.plan import Journal

    entries = Journal().entries(last=last)
    if as_json:
        _print_json(entries)
        return
    keys = ("when", "user", "host", "title", "outcome")
    _print_table([k.capitalize() for k in keys], [[e.get(k, "") for k in keys] for e in entries])


@app.command()
def mac(
    oui: Annotated[str, typer.Option(help="First three bytes.")] = "52:54:00",
) -> None:
    """Print a new MAC address (G17.8-01)."""
    from labvirt.model import new_mac

    typer.echo(new_mac(oui))


@app.command()
def uuid() -> None:
    """Print a new UUID (G17.8-02)."""
    from labvirt.model import new_uuid

    typer.echo(new_uuid())


@app.command()
def ids() -> None:
    """Print a new UUID and a new MAC address (G17.8-03)."""
    from labvirt.model import new_mac, new_uuid

    typer.echo(f"New UUID: {new_uuid()}")
    typer.echo(f"New MAC:  {new_mac()}")


@app.command()
def probe() -> None:
    """Find out, by running something, whether KVM works on this machine."""
    from labvirt.install import probe as run_probe

    found = run_probe()
    typer.echo(f"KVM {'works' if found.works else 'does not work'}: {found.why}")


@app.command()
def books() -> None:
    """List the runbooks that can be run by name."""
    from labvirt.runbook import find_book, list_books

    _print_table(
        ["Name", "Title", "File"],
        [(name, find_book(path).title, path) for name, path in sorted(list_books().items())],
    )


app.command("run", add_help_option=False)(run_command)
app.command("notebook")(notebook_command)
app.command("doctor")(doctor_command)
stats_commands(app)


@lab_app.command("start")
def lab_start(
    name: str,
    hosts: Annotated[int, typer.Option(help="How many hosts, 1 to 8.")] = 2,
    backend: Annotated[Backend, typer.Option(help="auto, session or system.")] = "auto",
    as_json: Json = False,
) -> None:
    """Start a lab, or find it running."""
    from labvirt.lab import Lab

    lab = Lab.start(name, hosts=hosts, backend=backend)
    _show_lab(lab, as_json=as_json)


@lab_app.command("status")
def lab_status(name: str, as_json: Json = False) -> None:
    """Show a lab: its hosts, daemons and what the machine did not allow."""
    from labvirt.lab import Lab

    _show_lab(Lab.attach(name), as_json=as_json)


@lab_app.command("list")
def lab_list(as_json: Json = False) -> None:
    """List the labs of this user."""
    from labvirt.lab import Lab

    found = Lab.list()
    if as_json:
        _print_json([item.to_dict() for item in found])
        return
    _print_table(
        ["Lab", "State", "Back end", "Hosts"],
        [(s.name, s.state, s.backend, ", ".join(h.name for h in s.hosts)) for s in found],
    )


@lab_app.command("stop")
def lab_stop(name: str) -> None:
    """Stop a lab and all its guests; nothing of it is left running."""
    from labvirt.lab import Lab

    Lab.attach(name, broken=True).stop()
    typer.echo(f"lab {name} is stopped")


@lab_app.command("reset")
def lab_reset(name: str) -> None:
    """Bring a lab back to its beginning: its domains, networks and volumes are removed."""
    from labvirt.lab import Lab

    Lab.attach(name, broken=True).reset()
    typer.echo(f"lab {name} is as new")


def _show_lab(lab: Any, *, as_json: bool) -> None:
    status = lab.status()
    if as_json:
        _print_json(status.to_dict())
        return
    typer.echo(f"lab {status.name}: {status.state}, back end {status.backend}")
    _print_table(
        ["Host", "State", "Domains", "URI"],
        [(h.name, h.state, len(h.domains), h.uri) for h in status.hosts],
    )
    for limit in lab.limits:
        typer.echo(f"limit: {limit.what}: {limit.why}")


def main() -> None:
    """Run the command line: errors of ours are a sentence and an exit code, never a traceback."""
    load_less()
    try:
        app()
    except LabvirtError as error:
        typer.echo(f"labvirt: {error}", err=True)
        say_why(error)
        sys.exit(error.exit_code)
