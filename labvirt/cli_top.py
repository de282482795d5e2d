"""``labvirt top``: who uses what, on some hosts, in a terminal or for other programs."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from labvirt.errors import LabvirtError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from labvirt.host import Host
    from labvirt.status.sample import Sample
    from labvirt.top import Frame, Keys, Look

__all__ = ["top_command"]

Sort = Literal["cpu", "memory", "disk", "network", "name"]
_KEYS: dict[str, Sort] = {"c": "cpu", "m": "memory", "d": "disk", "n": "network", "N": "name"}
#: A connected host that says nothing for so long is called silent, seconds.
_SILENT_S = 5.0


@dataclass
class _Wish:
    """What the user wants to see; `sort` changes with the keys."""

    interval_s: float
    groups: tuple[str, ...]
    sort: Sort
    pattern: str
    count: int | None


@dataclass
class _Watch:
    """One host, and the newest sample of it."""

    host: Host
    wake: Callable[[], None] = lambda: None
    sample: Sample | None = None
    shown: Sample | None = field(default=None, repr=False)
    facts: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    begun: float = field(default_factory=time.time)

    def take(self, sample: Sample) -> None:
        """Keep a sample; called on a thread of the sampler."""
        self.sample = sample
        self.wake()

    def is_ready(self) -> bool:
        """Return True when there is something new to show, or nothing can be expected."""
        new = self.sample is not self.shown and self.sample is not None and self.sample.number > 1
        return new or self.host.state != "connected"

    def look(self, interval_s: float) -> Look:
        """Return what is known of the host now; old numbers are not told as if they were new."""
        from labvirt.top import Look, facts_of

        state = self.host.state
        last = self.sample.at if self.sample else self.begun
        if state == "connected" and time.time() - last > max(_SILENT_S, 3 * interval_s):
            state = "silent"
        facts = self.facts or facts_of(self.host.sampler.counters("domain"))
        return Look(self.host.name, self.host.label, state, self.sample, facts)

    def read_once(self, wish: _Wish) -> None:
        """Read twice; what goes wrong is told, and leaves the host without numbers."""
        try:
            self.sample = self.host.sample(wish.groups, seconds=wish.interval_s)
            records = self.host.domains.records
        except LabvirtError as error:
            typer.echo(f"labvirt: {error}", err=True)
        else:
            self.facts = {each.uuid: (each.state.text, each.vcpus) for each in records}


def top_command(  # each option is an argument
    uris: Annotated[
        list[str] | None,
        typer.Argument(help="Hosts: libvirt URIs, lab:NAME/HOST, or lab:NAME for all of a lab."),
    ] = None,
    sort: Annotated[Sort, typer.Option(help="What comes first.")] = "cpu",
    interval: Annotated[
        float | None, typer.Option(help="Seconds between readings, 0.2 to 3600.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many readings.")] = None,
    pattern: Annotated[
        str, typer.Option("--filter", help="Only domains whose name fits: 'web*'.")
    ] = "*",
    once: Annotated[bool, typer.Option("--once", help="Read twice, print one table.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for each reading.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, its heading once.")] = False,
) -> None:
    """Show who uses what: CPU, memory, disks, network of hosts and their domains.

    In a terminal: c m d n N sort by CPU, memory, disk, network, name; q ends it. CPU% is of what a
    domain's vCPUs could use, Host% of what all CPUs of the host could give; K, M, G are powers of
    1024. Nothing is changed on the hosts: they are opened read-only.
    """
    from labvirt.preferences import Preferences

    if as_json and as_csv:
        raise SpecError("--json and --csv: one of them, please")
    preferred = Preferences.load()
    if interval is not None:
        preferred = preferred.replace(interval_s=interval)
    wish = _Wish(preferred.interval_s, preferred.groups, sort, pattern, 1 if once else count)
    form = "json" if as_json else "csv" if as_csv else "table"
    with contextlib.suppress(AttributeError, OSError):
        # A name that the terminal's encoding does not have must not end the program.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        with _ends_cleanly(), contextlib.ExitStack() as stack:
            watches = [_Watch(stack.enter_context(host)) for host in _open_all(uris or [""])]
            _run(watches, wish, form, once=once)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise
        # Whoever read has read enough, or the terminal is gone; Python would complain once more
        # when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _ends_cleanly() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the program as an exception does, so that all is put back."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, leave) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _open_all(uris: Sequence[str]) -> list[Host]:
    """Open hosts; when one of them cannot be opened, none stays open."""
    from labvirt.front import connect

    opened: list[Host] = []
    try:
        for uri in uris:
            opened += [connect(each or None, readonly=True) for each in _hosts_of(uri)]
    except BaseException:
        for host in opened:
            host.close()
        raise
    return opened


def _hosts_of(uri: str) -> list[str]:
    from labvirt.lab import Lab

    lab = uri.removeprefix("lab:")
    if lab == uri or "/" in lab or not lab:
        return [uri]
    return [f"{uri}/{name}" for name in Lab.attach(lab).names]


def _run(watches: Sequence[_Watch], wish: _Wish, form: str, *, once: bool) -> None:
    from rich.console import Console

    from labvirt.top import Keys

    console = Console(soft_wrap=False, highlight=False, markup=False)
    if once:
        with ThreadPoolExecutor(len(watches)) as pool:
            list(pool.map(lambda watch: watch.read_once(wish), watches))
        _print(_frame(watches, wish), form, console, first=True)
        return
    live = form == "table" and console.is_terminal and not console.is_dumb_terminal
    with contextlib.ExitStack() as stack:
        keys = stack.enter_context(Keys(None if live else -1))
        for watch in watches:
            watch.wake = keys.wake
            watch.host.sampler.interval_s = wish.interval_s
            stack.enter_context(watch.host.sampler.listen(watch.take, wish.groups))
        if live:
            _show_live(watches, wish, keys, console)
        else:
            for number, frame in enumerate(_frames(watches, wish, keys)):
                _print(frame, form, console, first=number == 0)


def _frame(watches: Sequence[_Watch], wish: _Wish) -> Frame:
    from labvirt.top import frame_of

    return frame_of(
        [watch.look(wish.interval_s) for watch in watches],
        at=time.time(),
        interval_s=wish.interval_s,
        sort=wish.sort,
        pattern=wish.pattern,
    )


def _frames(
    watches: Sequence[_Watch],
    wish: _Wish,
    keys: Keys,
    redraw: Callable[[], None] = lambda: None,
) -> Iterator[Frame]:
    """Yield a frame for each reading, until `count` is reached or q is pressed.

    A host that is late holds up the others for half an interval at most.
    """
    given = 0
    due = time.monotonic() + 2 * wish.interval_s + _SILENT_S
    while wish.count is None or given < wish.count:
        for key in keys.wait(min(max(due - time.monotonic(), 0.0), 0.5)):
            if key == "q":
                return
            wish.sort = _KEYS.get(key, wish.sort)
            redraw()
        lost = all(watch.host.state != "connected" for watch in watches)
        ready = not lost and all(watch.is_ready() for watch in watches)
        if not ready and time.monotonic() < due:
            redraw()
            continue
        for watch in watches:
            watch.shown = watch.sample
        due = time.monotonic() + 1.5 * wish.interval_s
        given += 1
        yield _frame(watches, wish)


def _show_live(watches: Sequence[_Watch], wish: _Wish, keys: Keys, console: Console) -> None:
    from rich.live import Live

    from labvirt.top import draw

    def picture() -> Any:
        width, height = console.size
        return draw(_frame(watches, wish), width=width, height=height, keys=keys.is_open)

    before = signal.signal(signal.SIGWINCH, lambda *_: keys.wake())
    try:
        with Live(picture(), console=console, screen=True, auto_refresh=False) as view:
            for _ in _frames(watches, wish, keys, lambda: view.update(picture(), refresh=True)):
                view.update(picture(), refresh=True)
    finally:
        signal.signal(signal.SIGWINCH, before)
    # The screen that comes back shows what was seen last.
    console.print(draw(_frame(watches, wish), width=console.width, height=console.height - 1))


def _print(frame: Frame, form: str, console: Console, *, first: bool) -> None:
    from labvirt.top import csv_text, draw, printable, to_dict

    if form == "json":
        typer.echo(json.dumps(to_dict(frame), allow_nan=False))
    elif form == "csv":
        text = csv_text(frame, header=first)
        if console.is_terminal:
            text = "\n".join(printable(line) for line in text.split("\n"))
        typer.echo(text, nl=False)
    else:
        if not first:
            typer.echo()
        # What goes to a file or a pipe is not cut to the width of a terminal that is not there.
        width = console.width if console.is_terminal else 200
        _plain_print(draw(frame, width=width), console, width)
    sys.stdout.flush()


def _plain_print(shown: Any, console: Console, width: int) -> None:
    from rich.console import Console as Plain

    if console.is_terminal:
        console.print(shown)
        return
    Plain(width=width, color_system=None, force_terminal=False).print(shown)
