"""Runs the outside tools of this room: with a time limit, and with their own words on failure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from labvirt.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["PACKAGES", "leashed", "require", "run", "search_path"]

#: Package of Debian and Ubuntu that holds a tool.
PACKAGES = {
    "apt-cache": "apt",
    "apt-config": "apt",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "mcopy": "mtools",
    "mformat": "mtools",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "syslinux": "syslinux",
    "zstd": "zstd",
}
_SECRET = re.compile(r"//[^/\s@]+@")


def search_path() -> str:
    """Return the PATH to look for tools in: an ordinary user's often lacks the sbin folders."""
    return ":".join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def require(tool: str) -> str:
    """Return the path of a tool.

    Raises:
        LabError: it is not installed; names the package.
    """
    path = shutil.which(tool, path=search_path())
    if path is None:
        package = PACKAGES.get(tool, tool)
        raise LabError(
            f"the tool {tool} is needed and was not found in {search_path()}",
            hint=f"apt-get install {package}   (Debian, Ubuntu)",
        )
    return path


def leashed(command: Sequence[str]) -> list[str]:
    """Return a command that the kernel kills when the thread that started it dies.

    So that a `kill -9` of this process leaves no tool behind. Without util-linux's setpriv the
    command runs as it is.
    """
    setpriv = shutil.which("setpriv", path=search_path())
    if setpriv is None:
        return list(command)
    return [setpriv, "--pdeathsig", "KILL", "--", *command]


def run(
    command: Sequence[str],
    *,
    doing: str,
    timeout_s: float,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run a tool and return what it wrote to its standard output.

    Args:
        command: the tool and its arguments.
        doing: what is being done, for messages, as in "cannot {doing}".
        timeout_s: the tool is killed after this many seconds.
        folder: the working folder.
        env: variables in addition to this process's; messages are always in English.

    Raises:
        LabError: the tool is missing, fails or takes too long.
    """
    tool = require(command[0])
    variables = {**os.environ, "PATH": search_path(), "LC_ALL": "C.UTF-8", **(env or {})}
    try:
        done = subprocess.run(
            leashed([tool, *command[1:]]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=folder,
            env=variables,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"cannot {doing}: {command[0]} took longer than {timeout_s:g} s and was stopped",
            hint="look at the load, the disk and the network of this machine, then try again",
        ) from error
    except OSError as error:
        raise LabError(f"cannot {doing}: {tool} does not start: {error}") from error
    if done.returncode != 0:
        said = _words(done.stderr) or _words(done.stdout) or f"exit code {done.returncode}"
        raise LabError(f"cannot {doing}: {command[0]} said: {said}", hint=_hint(said))
    return done.stdout


def _words(output: bytes) -> str:
    """Return the telling lines of a tool's output, without credentials of an URL."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    lines = [_SECRET.sub("//***@", line) for line in lines if line]
    # apt marks its errors, the first is the cause; other tools end with theirs.
    causes = [line.removeprefix("E: ") for line in lines if line.startswith("E: ") or _full(line)]
    return " / ".join(causes[:1] or lines[-3:])[:400]


def _full(line: str) -> bool:
    return "no space left" in line.lower() or "disk full" in line.lower()


def _hint(said: str) -> str:
    return "free some space; labvirt's cache moves with LABVIRT_CACHE" if _full(said) else ""
