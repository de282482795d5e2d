"""The process of one run: takes a request on its standard input, tells events on its output.

The first line is a JSON object: ``request`` and ``environment`` (secrets for the kernel; they are
written nowhere). A second line, or the end of the input, cancels the run: so it ends when whoever
asked for it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError
from labvirt.runbook.light import load_less

if TYPE_CHECKING:
    import socket

    from labvirt.runbook.events import Event
    from labvirt.runbook.perform import Performance

__all__ = ["main", "perform_here", "work"]

_QUIET = ("output", "update", "clear")


def _tell(event: Event) -> None:
    """Write an event for whoever asked; that nobody listens any more is no reason to stop."""
    if event["kind"] in _QUIET:
        return
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(event, default=str) + "\n")
        sys.stdout.flush()


async def perform_here(performance: Performance) -> Any:
    """Perform a request on this thread; ``Ctrl-C`` and a request to end cancel it."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, performance.cancel)
    try:
        return await performance.perform()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def work(*, standby: bool, nursery: socket.socket | None = None) -> int:
    """Take a request from the standard input and perform it; return the exit code.

    Args:
        standby: start the kernel before the request comes.
        nursery: where kernels can be forked.
    """
    load_less()
    from labvirt.runbook.kernel import Kernel
    from labvirt.runbook.perform import Performance
    from labvirt.runbook.request import Request

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    kernel = Kernel(nursery=nursery)
    try:
        if standby:
            await kernel.start()
            _tell({"kind": "ready"})
        line = await reader.readline()
        if not line:
            return 0
        if nursery is not None and not standby:
            # It is born while the run is prepared.
            with contextlib.suppress(OSError):
                await kernel.launch()
        asked = json.loads(line)
        request = Request.from_json(json.dumps(asked["request"]))
        performance = Performance(
            request, environment=asked["environment"], listeners=(_tell,), kernel=kernel
        )
        watcher = asyncio.ensure_future(_watch(reader, performance))
        try:
            record = await perform_here(performance)
        except LabvirtError as error:
            _tell({"kind": "refused", "error": _told(error)})
            return error.exit_code
        finally:
            watcher.cancel()
        return max(int(record.exit_code), 0)
    finally:
        await kernel.kill()


async def _watch(reader: asyncio.StreamReader, performance: Performance) -> None:
    """Cancel when whoever asked says so or is gone."""
    while True:
        line = await reader.readline()
        performance.cancel()
        if not line:
            return


def _told(error: LabvirtError) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "what": error.what,
        "text": str(error),
        "hint": error.hint,
        "code": error.exit_code,
    }


def main() -> None:
    """Run one request and end."""
    sys.exit(asyncio.run(work(standby=False)))


if __name__ == "__main__":
    main()
