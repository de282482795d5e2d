"""A process from which kernels are forked: what ``ipykernel`` loads is loaded once, not per run.

A kernel that is started anew spends half a second of processor time on loading itself. One that is
forked has the same modules, reads the same profile and has the environment it is given; it ends
when the run that asked for it ends, even by ``kill -9``, and when nobody who could ask is left the
nursery ends too.
"""

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
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo

__all__ = [
    "NurseryProvisioner",
    "can_be_forked",
    "python_settings",
    "raise_nursery",
    "reap_children",
    "show_as",
]

_LONGEST: Final = 1 << 17
_POLL_S: Final = 0.02
_COMMAND: Final = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
_PYTHONS: Final = frozenset(
    ("python", "python3", f"python{sys.version_info[0]}.{sys.version_info[1]}", sys.executable)
)
_BEGAN_IN: Final = str(Path.cwd())
#: What a kernel has loaded before its first cell.
_LOADED: Final = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
)


def can_be_forked(spec: Any) -> bool:
    """Return True for the kernel of this very Python, started in the usual way."""
    python, *words = [word for word in spec.argv if word != "-Xfrozen_modules=off"] or [""]
    return python in _PYTHONS and words == _COMMAND and not spec.env


def python_settings(environment: Any) -> dict[str, str]:
    """Return what Python itself reads of an environment: a fork cannot change it any more."""
    return {key: value for key, value in environment.items() if key.startswith("PYTHON")}


def show_as(name: str) -> None:
    """Give this process a name that ``ps -e`` and ``top`` show; forks have the same command line."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def reap_children(*_: object) -> None:
    """Take note of children that ended, so that their time is counted and none stays a zombie."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def raise_nursery(close: socket.socket) -> socket.socket | None:
    """Fork the nursery and return the socket by which it is asked; None when it is a kernel's end.

    It returns None in a process that has been a kernel and is to end now, in the normal way.

    Args:
        close: a socket that only the caller may hold.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        theirs.close()
        return ours
    ours.close()
    close.close()
    _nurse(theirs)
    return None


def _nurse(asked_by: socket.socket) -> None:
    """Fork a kernel whenever one is asked for, until nobody is left who could ask."""
    show_as("labvirt-nursery")
    before = set(os.environ)
    for name in _LOADED:
        importlib.import_module(name)
    added = {key: value for key, value in os.environ.items() if key not in before}
    gc.freeze()
    while True:
        data, handles, _, _ = socket.recv_fds(asked_by, _LONGEST + 1, 1)
        if not data:
            return
        if os.fork() == 0:
            asked_by.close()
            _become(json.loads(data), array.array("i", handles)[0], added)
            return
        for handle in handles:
            os.close(handle)


def _become(asked: dict[str, Any], handle: int, added: dict[str, str]) -> None:
    """Be a kernel."""
    show_as("labvirt-kernel")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.environ.clear()
    os.environ.update({**added, **asked["environment"]})
    os.chdir(asked["cwd"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "labvirt"]:
        # A book imports the labvirt that its own folder and environment lead to.
        del sys.modules[name]
    if not sys.flags.safe_path and sys.path[:1] == [_BEGAN_IN]:
        # Python put the folder of the server there; IPython puts that of the kernel.
        del sys.path[0]
    leash = socket.socket(fileno=handle)
    # What came over a socket would be passed on to programs that cells start.
    leash.set_inheritable(False)
    leash.send(str(os.getpid()).encode())
    threading.Thread(target=_end_with, args=(leash,), name="leash", daemon=True).start()
    sys.argv = ["ipykernel_launcher", *asked["arguments"]]
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(asked["arguments"])


def _end_with(leash: socket.socket) -> None:
    """End when whoever holds the other end does, whatever the cell is at."""
    with contextlib.suppress(OSError):
        leash.recv(1)
    os._exit(1)


class NurseryProvisioner(LocalProvisioner):
    """Takes a manager's kernel from a nursery instead of starting a process.

    Attributes:
        nursery: the socket by which it is asked.
    """

    nursery: socket.socket | None = None
    _leash: socket.socket | None = None
    _handle: int = -1
    _is_over = False

    @property
    def has_process(self) -> bool:
        """True while there is, or may be, one."""
        return self._leash is not None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Ask for the kernel and return at once: it is born while others prepare."""
        asked = {
            "arguments": cmd[cmd.index("-f") :],
            "environment": kwargs["env"],
            "cwd": os.fspath(kwargs.get("cwd") or Path.cwd()),
        }
        data = json.dumps(asked).encode()
        if self.nursery is None or len(data) > _LONGEST:
            raise OSError("the environment is too large to be handed over")
        self._leash, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._leash.settimeout(0)
        try:
            with theirs:
                socket.send_fds(self.nursery, [data], [theirs.fileno()])
        except OSError:
            self._let_go()
            raise
        return self.connection_info

    def _look(self) -> None:
        """Learn its number when it is born, and whether it has ended."""
        if self._leash is None or self._is_over:
            return
        if self._handle < 0:
            try:
                told = self._leash.recv(64)
                self.pid = self.pgid = int(told)
                self._handle = os.pidfd_open(self.pid)
            except BlockingIOError:
                return
            except (OSError, ValueError):
                self._is_over = True
                return
        born = select.poll()
        born.register(self._handle, select.POLLIN)
        self._is_over = bool(born.poll(0))

    async def poll(self) -> int | None:
        """Return None while it runs."""
        self._look()
        return 0 if self._leash is None or self._is_over else None

    async def wait(self) -> int | None:
        """Wait until it has ended."""
        while await self.poll() is None:  # noqa: ASYNC110 - a process tells by being gone
            await asyncio.sleep(_POLL_S)
        self._let_go()
        return 0

    async def send_signal(self, signum: int) -> None:
        """Send a signal to it and to the processes that it started."""
        self._look()
        if self.pid and not self._is_over:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signum)

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - theirs
        """End it at once, also before it is born."""
        await self.send_signal(signal.SIGKILL)
        self._let_go()

    async def terminate(self, restart: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - theirs
        """Ask it to end."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - theirs
        """Let go of it: it ends if it has not."""
        await super().cleanup(restart=restart)
        self._let_go()

    def _let_go(self) -> None:
        if self._leash is not None:
            self._leash.close()
            self._leash = None
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
