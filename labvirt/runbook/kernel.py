"""One kernel for one run: over private sockets, ended with the run whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Kernel", "forget_orphans"]

_START_S: Final = 60.0
_STOP_S: Final = 3.0
_TRIES: Final = 2
_SOCKETS: Final = Path("/tmp")  # noqa: S108 - each folder in it is made for its owner alone
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


class Kernel:
    """A Jupyter kernel that is used once.

    Args:
        name: kernel specification, ``python3``.
    """

    def __init__(self, name: str = "python3") -> None:
        self.name = name
        self.manager: Any = None
        self.client: Any = None
        self._folder = ""

    async def start(self) -> None:
        """Start it and wait until it answers; a start that fails is tried once more.

        Raises:
            RunError: there is no such kernel, or it does not answer.
        """
        error: Exception | None = None
        for _ in range(_TRIES):
            try:
                await self._start()
            except (RuntimeError, OSError) as failed:
                error = failed
                await self.kill()
            else:
                return
        raise RunError(
            f"the kernel {self.name!r} did not start: {error}",
            hint=f"python -m ipykernel --version; waited {_START_S:g} s for it",
        )

    async def _start(self) -> None:
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
            await manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except NoSuchKernel as error:
            raise RunError(
                f"there is no kernel {self.name!r} on this machine",
                code=2,
                hint="jupyter kernelspec list",
            ) from error
        self.manager = manager
        self.client = manager.client()
        self.client.allow_stdin = False
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=_START_S)

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
