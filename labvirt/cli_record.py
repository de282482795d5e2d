"""The commands that keep numbers: ``record``, ``exporter``, ``history``."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["record_commands"]

_HOSTS = "Host: a libvirt URI, or lab:NAME/HOST; may be given again."
_GROUPS = (
    "What is read, with commas: cpu, memory, network, vcpu, host, disk, balloon, steal."
    " The last three ask the hypervisor processes."
)
Uris = Annotated[list[str], typer.Argument(metavar="URI...", help=_HOSTS)]
Groups = Annotated[str, typer.Option(help=_GROUPS)]
Interval = Annotated[float | None, typer.Option(help="Seconds between two readings, from 0.2.")]

history_app = typer.Typer(help="What was recorded: look at it, roll it up.", no_args_is_help=True)


def record_commands(app: typer.Typer) -> None:
    """Put the commands that keep numbers into an app."""
    app.command("record")(record)
    app.command("exporter")(exporter)
    app.add_typer(history_app, name="history")


def record(
    uris: Uris,
    out: Annotated[Path, typer.Option("--out", "-o", help="File, .sqlite; gone on with.")],
    seconds: Annotated[
        float | None, typer.Option(help="How long; without it until Ctrl-C or SIGTERM.", min=0.1)
    ] = None,
    interval: Interval = None,
    groups: Groups = "cpu,memory,network,host,disk,balloon",
    keep: Annotated[
        str | None, typer.Option(help="Remove samples older than this: 12h, 7d, 4w.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(help="Remove the oldest above this size: 500 MB, 1 GB.")
    ] = None,
    rollup: Annotated[
        Path | None, typer.Option(help="At the end, roll up to Parquet files in this folder.")
    ] = None,
) -> None:
    """Record the numbers of hosts to a file; every tick is on disk within a second.

    The file explains itself (unit and definition of each series), can be read while it is written,
    and is played by the charts: labvirt.history.open(FILE).
    """
    from labvirt.history.recorder import Recorder
    from labvirt.host.recorded import retention_of

    with _stopped() as ended, _opened(uris, interval) as hosts, contextlib.ExitStack() as stack:
        for host in hosts:  # whatever is wrong with them is told before a file is made
            stack.enter_context(host.sampler.listen(_nobody, _split(groups)))
        recorder = Recorder(out, retention=retention_of(keep, max_size))
        with recorder:
            for host in hosts:
                recorder.follow(host.sampler, _split(groups), marks=host.history)
            names = ", ".join(host.name for host in hosts)
            typer.echo(f"recording {names} to {recorder.path}; Ctrl-C ends it", err=True)
            until = None if seconds is None else time.monotonic() + seconds
            while not ended.wait(0.2) and recorder.state == "recording":
                if until is not None and time.monotonic() >= until:
                    break
    if recorder.error is not None:
        raise recorder.error
    size = recorder.path.stat().st_size
    typer.echo(f"{recorder.samples} samples, {size / 2**20:.1f} MiB: {recorder.path}")
    if rollup is not None:
        rollup_files(recorder.path, rollup)


def exporter(
    uris: Uris,
    listen: Annotated[
        str, typer.Option(help="Address and port; there is no password, so keep to loopback.")
    ] = "127.0.0.1:9177",
    interval: Interval = None,
    groups: Groups = "cpu,memory,network,host,disk,balloon",
    idle: Annotated[
        float, typer.Option(help="Read nothing after so many seconds without a scrape.", min=1)
    ] = 300.0,
) -> None:
    """Serve the numbers of hosts to Prometheus, until Ctrl-C or SIGTERM.

    Hosts are read while somebody scrapes; a scrape never waits for a guest.
    """
    from labvirt.history.exporter import Exporter

    with (
        _stopped() as ended,
        _opened(uris, interval) as hosts,
        Exporter(hosts, groups=_split(groups), idle_s=idle) as serving,
    ):
        typer.echo(f"serving {serving.serve(listen)}; Ctrl-C ends it", err=True)
        ended.wait()


@history_app.command("info")
def info(
    path: Annotated[Path, typer.Argument(help="Recording, or folder of roll-ups.")],
    check: Annotated[
        bool, typer.Option("--check", help="Read all of it; exit code 1 when something is missing.")
    ] = False,
) -> None:
    """Show what is in a recording or a folder of roll-ups."""
    from labvirt.history import Recording
    from labvirt.history import open as open_history
    from labvirt.status.series import KINDS

    source = open_history(path)
    typer.echo(repr(source)[1:-1])
    for kind in KINDS:
        if count := len(source.subjects(kind)):
            typer.echo(f"  {kind}: {count}")
    typer.echo(f"  marks: {len(source.marks())}")
    if isinstance(source, Recording):
        problems = source.check() if check else source.problems
        for problem in problems:
            typer.echo(f"  missing: {problem}")
        if check and problems:
            raise typer.Exit(1)


@history_app.command("rollup")
def rollup_files(
    path: Annotated[Path, typer.Argument(help="Recording.")],
    folder: Annotated[Path, typer.Argument(help="Where the Parquet files go.")],
    every: Annotated[str, typer.Option(help="Length of a bin: 1 min, 10 s, 1 h.")] = "1 min",
) -> None:
    """Roll a recording up: mean, lowest, highest and last value of each minute, as Parquet files.

    Rolling up again changes nothing; what the recording has forgotten meanwhile stays.
    """
    from labvirt.history import rollup

    typer.echo(str(rollup(path, folder, every)))


def _nobody(_: Any) -> None:
    """Listen to nothing."""


def _split(groups: str) -> Sequence[Any]:
    return tuple(each.strip() for each in groups.split(",") if each.strip())


@contextlib.contextmanager
def _opened(uris: Sequence[str], interval: float | None) -> Iterator[list[Any]]:
    """Open hosts to read, and close them at the end."""
    from labvirt.front import connect

    with contextlib.ExitStack() as stack:
        hosts = [stack.enter_context(connect(uri, readonly=True)) for uri in uris]
        for host in hosts:
            if interval is not None:
                host.sampler.interval_s = interval
        yield hosts


@contextlib.contextmanager
def _stopped() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set, so that everything is closed in order."""
    ended = threading.Event()
    before = {
        each: signal.signal(each, lambda *_: ended.set())
        for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield ended
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
