"""One kernel for one run: over private sockets, ended with the run whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import RunError
from labvirt.runbook.nursery import NurseryProvisioner, can_be_forked

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Kernel", "forget_orphans"]

_START_S: Final = 60.0
_STOP_S: Final = 3.0
_TRIES: Final = 2
_SOCKETS: Final = Path("/tmp")  # noqa: S108 - each folder in it is made for its owner alone
#: Cells of a run have no place among the commands that the user typed.
_NO_HISTORY: Final = "--HistoryManager.enabled=False"
_ARRANGE: Final = """\
import json as _j, os as _o, sys as _s
_a = _j.loads({text!r})
_o.environ.update(_a["env"]); _o.chdir(_a["cwd"])
if _a["cwd"] not in _s.path: _s.path.insert(0, _a["cwd"])
del _j, _o, _s, _a
"""


def forget_orphans() -> None:
    """Remove the folders of sockets that a killed runner left."""
    for folder in _SOCKETS.glob("lvk-*-*"):
        owner = folder.name.split("-")[1]
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and not Path(f"/proc/{owner}").exists():
                shutil.rmtree(folder, ignore_errors=True)


async def _message_for(number: str, get: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    while (await get())["parent_header"].get("msg_id") != number:
        pass


class Kernel:
    """A Jupyter kernel that is used once.

    Args:
        name: kernel specification, ``python3``.
        nursery: where a kernel of this Python can be forked; a process is started when None.
    """

    def __init__(self, name: str = "python3", *, nursery: socket.socket | None = None) -> None:
        self.name = name
        self._nursery = nursery
        self.manager: Any = None
        self.client: Any = None
        self._folder = ""
        self._is_forked = False
        self._is_ready = False

    async def start(self) -> None:
        """Start it and wait until it answers; a start that fails is tried once more, unforked.

        Raises:
            RunError: there is no such kernel, or it does not answer.
        """
        if self._is_ready and await self.alive():
            return
        error: Exception | None = None
        for _ in range(_TRIES):
            try:
                if not await self.alive():
                    await self.kill()
                    await self.launch()
                await self._answers()
                self._is_ready = True
            except (RuntimeError, OSError) as failed:
                error = failed
                self._nursery = None
                await self.kill()
            else:
                return
        raise RunError(
            f"the kernel {self.name!r} did not start: {error}",
            hint=f"python -m ipykernel --version; waited {_START_S:g} s for it",
        )

    async def launch(self) -> None:
        """Begin to start it, without waiting until it answers.

        Raises:
            RunError: there is no such kernel.
            OSError: no process can be made.
        """
        from jupyter_client.kernelspec import NoSuchKernel
        from jupyter_client.manager import AsyncKernelManager

        # A socket's path may have 107 bytes at most, so the folder must be a short one; nobody
        # else may open it, and so nobody else can listen.
        forget_orphans()
        self._folder = tempfile.mkdtemp(prefix=f"lvk-{os.getpid()}-", dir=_SOCKETS)
        manager = AsyncKernelManager(
            kernel_name=self.name,
            transport="ipc",
            ip=f"{self._folder}/k",
            connection_file=f"{self._folder}/kernel.json",
            shutdown_wait_time=_STOP_S,
        )
        try:
            usual = can_be_forked(manager.kernel_spec)
            self._is_forked = usual and self._nursery is not None
            if self._is_forked:
                provisioner = NurseryProvisioner(kernel_spec=manager.kernel_spec, parent=manager)
                provisioner.nursery = self._nursery
                manager.provisioner = provisioner
            await manager.start_kernel(
                extra_arguments=[_NO_HISTORY] if usual else [],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except NoSuchKernel as error:
            raise RunError(
                f"there is no kernel {self.name!r} on this machine",
                code=2,
                hint="jupyter kernelspec list",
            ) from error
        self.manager = manager
        self.client = manager.client()
        self.client.allow_stdin = False
        # Whether it lives is asked of its process: no need for a heart to beat.
        self.client.start_channels(hb=False)

    async def _answers(self) -> None:
        """Wait until it answers on both of its channels.

        Raises:
            RuntimeError: it does not, or has ended.
        """
        if not self._is_forked:
            await self.client.wait_for_ready(timeout=_START_S)
            return
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            number = self.client.kernel_info()
            try:
                async with asyncio.timeout(1):
                    await _message_for(number, self.client.get_shell_msg)
                # The second channel carries what cells say; what was said before it was open is lost.
                async with asyncio.timeout(0.1):
                    await _message_for(number, self.client.get_iopub_msg)
            except TimeoutError:
                if not await self.alive():
                    raise RuntimeError("it ended before it answered") from None
            else:
                return
        raise RuntimeError(f"no answer within {_START_S:g} s")

    async def arrange(self, cwd: Path, environment: Mapping[str, str]) -> None:
        """Give it its working folder and environment; nothing of this is kept in the record."""
        text = json.dumps({"cwd": str(cwd), "env": dict(environment)})
        await self.whisper(_ARRANGE.format(text=text))

    async def whisper(self, code: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """Run code that leaves no trace in the notebook and return the kernel's reply.

        Raises:
            RunError: it failed, or took too long.
        """
        number = self.client.execute(code, silent=True, store_history=False, allow_stdin=False)
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    reply = await self.client.get_shell_msg(timeout=timeout_s)
                    if reply["parent_header"].get("msg_id") == number:
                        break
        except Exception as error:
            raise RunError(f"the kernel did not answer within {timeout_s:g} s") from error
        if reply["content"].get("status") != "ok":
            raise RunError(f"the kernel refused to be prepared: {reply['content'].get('evalue')}")
        return dict(reply["content"])

    @property
    def pid(self) -> int | None:
        """Number of its process, None before it has started."""
        return getattr(getattr(self.manager, "provisioner", None), "pid", None)

    async def alive(self) -> bool:
        """Look whether its process is there."""
        return self.manager is not None and bool(await self.manager.is_alive())

    async def interrupt(self) -> None:
        """Press ``Ctrl-C`` in it."""
        if await self.alive():
            await self.manager.interrupt_kernel()

    async def calm(self, grace_s: float) -> bool:
        """Wait until it answers again; False when it does not within `grace_s`."""
        if not await self.alive():
            return False
        try:
            await self.whisper("", timeout_s=grace_s)
        except RunError:
            return False
        return True

    async def stop(self) -> None:
        """Let it end in its own way, and by force when it does not."""
        await self._end(now=False)

    async def kill(self) -> None:
        """End it at once."""
        await self._end(now=True)

    async def _end(self, *, now: bool) -> None:
        self._is_ready = False
        if self.client is not None:
            self.client.stop_channels()
            self.client = None
        if self.manager is not None:
            manager, self.manager = self.manager, None
            with contextlib.suppress(Exception):
                await manager.shutdown_kernel(now=now)
            manager.cleanup_connection_file()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""
