"""A process from which the processes of many runs are forked: what they need is loaded once."""

from __future__ import annotations

import array
import asyncio
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Final

from labvirt.runbook.light import load_less
from labvirt.runbook.nursery import python_settings, raise_nursery, reap_children, show_as

__all__ = ["Forked", "RunServer"]

_LONGEST: Final = 1 << 17
_ANSWER_S: Final = 30.0
#: What runs and kernels both load, and then what runs load. Names, so that no linter drops them.
_SHARED: Final = ("zmq.asyncio", "jupyter_client.manager", "jupyter_client.asynchronous")
_OF_RUNS: Final = (
    "labvirt.runbook.perform",
    "labvirt.runbook.worker",
    "labvirt.runbook.light",
    "nbclient.exceptions",
    "nbformat.v4",
    "pwd",
    "sqlite3",
)


class Forked:
    """The process of a run that was forked by a server; used as a ``subprocess.Popen`` is.

    Attributes:
        pid: its number.
        stdin: what it reads.
        stdout: what it tells.
        returncode: None while it runs; how it ended is the server's to know, so 0 afterwards.
    """

    def __init__(self, pid: int, stdin: IO[str], stdout: IO[str]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None
        # It waits for a request, so it is still there, and its number is its own.
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return 0 when it has ended, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not, after `timeout` seconds.
        """
        if self.returncode is None:
            waiting = select.poll()
            waiting.register(self._handle, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(["run"], timeout or 0)
            self.returncode = 0
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Close the pipes; it takes the end of its input as the wish to end."""
        for pipe in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def __del__(self) -> None:
        handle = getattr(self, "_handle", -1)
        if handle >= 0:
            self.close()
            with contextlib.suppress(OSError):
                os.close(handle)


class RunServer:
    """Forks processes for runs. Close it when no more are wanted; runs that go on are not touched.

    The server ends by itself when this process does.
    """

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_ANSWER_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "labvirt.runbook.server", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def worker(self, *, standby: bool = False) -> Forked:
        """Return a new process that waits for the request of a run.

        Raises:
            OSError: the server is gone, or the environment is too large for it.
        """
        asked = {"standby": standby, "environment": dict(os.environ), "cwd": str(Path.cwd())}
        data = json.dumps(asked).encode()
        if len(data) > _LONGEST:
            raise OSError("the environment is too large to be handed over")
        read_in, write_in = os.pipe()
        read_out, write_out = os.pipe()
        try:
            socket.send_fds(self._socket, [data], [read_in, write_out])
            answer = self._socket.recv(64)
        except OSError:
            os.close(write_in)
            os.close(read_out)
            raise
        finally:
            os.close(read_in)
            os.close(write_out)
        if not answer:
            os.close(write_in)
            os.close(read_out)
            raise OSError("the server of runs is gone")
        return Forked(int(answer), os.fdopen(write_in, "w"), os.fdopen(read_out))

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    def close(self) -> None:
        """End the server; twice is harmless."""
        self._socket.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)


def _serve(connection: socket.socket, nursery: socket.socket) -> None:
    """Fork until whoever asks is gone."""
    while True:
        data, handles, _, _ = socket.recv_fds(connection, _LONGEST + 1, 2)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(json.loads(data), array.array("i", handles), nursery)
        for handle in handles:
            os.close(handle)
        connection.send(str(pid).encode())


def _become(asked: dict[str, Any], handles: array.array[int], nursery: socket.socket) -> None:
    """Be the process of one run, and end with it."""
    code = 1
    show_as("labvirt-run")
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(handles[0], 0)
        os.dup2(handles[1], 1)
        for handle in handles:
            os.close(handle)
        sys.stdin = os.fdopen(0)
        sys.stdout = os.fdopen(1, "w")
        wanted = asked["environment"]
        same = python_settings(wanted) == python_settings(os.environ)
        os.environ.clear()
        os.environ.update(wanted)
        os.chdir(asked["cwd"])
        from labvirt.runbook.worker import work

        code = asyncio.run(work(standby=asked["standby"], nursery=nursery if same else None))
        sys.stdout.flush()
    finally:
        # Nothing of the server's is to be ended by its child.
        os._exit(code)


def _load() -> None:
    """Load what every run needs, and what it would work out for itself."""
    for name in _OF_RUNS:
        importlib.import_module(name)
    import nbformat

    from labvirt.runbook.request import versions

    versions()
    nbformat.validate(nbformat.v4.new_notebook())
    gc.freeze()


def main() -> None:
    """Load what runs need, then fork."""
    for name in _SHARED:
        importlib.import_module(name)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        signal.signal(signal.SIGCHLD, reap_children)
        # Kernels run other people's code: they are forked before anything else is loaded.
        nursery = raise_nursery(connection)
        if nursery is None:
            return
        show_as("labvirt-runs")
        load_less()
        _load()
        with nursery:
            _serve(connection, nursery)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


if __name__ == "__main__":
    main()
