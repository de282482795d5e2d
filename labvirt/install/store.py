"""The cache of this room: one lock, work done aside, results that appear whole or not at all.

::

    CACHE/install/lock         held while something is fetched or built
                  staging/     work under way; whatever is in it when the lock is free is rubbish
                  packages/    downloaded packages and the sets they belong to
                  guests/      one folder per build, named by what went into it
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt import places
from labvirt.errors import LabError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Progress = Callable[[str], None]

__all__ = ["KEPT_BUILDS", "Built", "Store", "copy_checked", "file_digest", "matches", "write_json"]

#: How many builds stay in the cache; the least recently used go first.
KEPT_BUILDS = 8
_LOCK_POLL_S = 0.05
_FICLONE = 0x40049409
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Built:
    """One file of a build.

    Attributes:
        path: where it is in the cache.
        size: its length in bytes.
        sha256: its digest, in hexadecimal.
    """

    path: Path
    size: int
    sha256: str


class Store:
    """The cache on disk.

    Args:
        root: its folder; under `labvirt.places.cache` when not given.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = places.cache() / "install" if root is None else root
        self.packages = self.root / "packages"
        self.guests = self.root / "guests"
        self._staging = self.root / "staging"

    @contextlib.contextmanager
    def locked(
        self, *, timeout_s: float = 900.0, progress: Progress | None = None
    ) -> Iterator[None]:
        """Hold the one lock; first clean what a killed builder has left behind.

        Raises:
            LabError: the cache cannot be written.
            WaitTimeoutError: another process holds the lock for too long.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        lock = self.root / "lock"
        with lock.open("a+") as handle:
            self._wait(handle.fileno(), lock, timeout_s, progress)
            for left in self._staging.glob("*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    def _wait(self, lock: int, path: Path, timeout_s: float, progress: Progress | None) -> None:
        began = time.monotonic()
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if progress and not told:
                    progress("waiting for another labvirt process that builds a guest")
                    told = True
                if time.monotonic() - began > timeout_s:
                    raise WaitTimeoutError(
                        f"the lock {path}",
                        timeout_s=timeout_s,
                        likely_cause="another labvirt process is building and has got stuck",
                        hint=f"find it with: fuser -v {path}",
                    ) from None
                time.sleep(_LOCK_POLL_S)
            else:
                return

    @contextlib.contextmanager
    def workshop(self) -> Iterator[Path]:
        """Give a fresh private folder for work; it is gone afterwards. Hold the lock."""
        self._staging.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._staging))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def find(self, key: str) -> dict[str, Built] | None:
        """Return the files of a build by their names, or None when there is no whole build.

        Sizes are compared, digests are not: whoever copies a file out compares its digest.
        """
        folder = self.guests / key
        files = read_json(folder / _MANIFEST)
        if not files:
            return None
        try:
            found = {
                name: Built(folder / name, int(facts["size"]), str(facts["sha256"]))
                for name, facts in files.items()
            }
            if any(file.path.stat().st_size != file.size for file in found.values()):
                return None
        except (OSError, KeyError, TypeError, ValueError):
            return None
        # Its time says when it was last used; a cache that is another user's cannot be told.
        with contextlib.suppress(OSError):
            os.utime(folder / _MANIFEST)
        return found

    def publish(self, key: str, folder: Path) -> dict[str, Built]:
        """Make the files of `folder` the build `key`; replaces a build that was damaged.

        Args:
            key: digest of everything that went into the build.
            folder: a folder inside a `workshop`, with nothing but the files of the build.
        """
        place = self.guests / key
        built: dict[str, Built] = {}
        for path in sorted(folder.iterdir()):
            path.chmod(0o644)
            size = path.stat().st_size
            built[path.name] = Built(place / path.name, size, file_digest(path))
        facts = {name: {"size": b.size, "sha256": b.sha256} for name, b in built.items()}
        write_json(folder / _MANIFEST, facts)
        folder.chmod(0o755)
        self.guests.mkdir(parents=True, exist_ok=True)
        self.forget(key)
        folder.rename(place)
        self._prune()
        return built

    def forget(self, key: str) -> None:
        """Drop a build; there is no moment at which half of it can be seen."""
        self._staging.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError), self.workshop() as rubbish:
            (self.guests / key).rename(rubbish / key)

    def _prune(self) -> None:
        def used(folder: Path) -> float:
            with contextlib.suppress(OSError):
                return (folder / _MANIFEST).stat().st_mtime
            return 0.0

        builds = sorted(self.guests.iterdir(), key=used, reverse=True)
        for old in builds[KEPT_BUILDS:]:
            self.forget(old.name)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def matches(path: Path, size: int, sha256: str) -> bool:
    """True when the file is there, whole and unchanged."""
    try:
        return path.stat().st_size == size and file_digest(path) == sha256
    except OSError:
        return False


def copy_checked(file: Built, target: Path) -> None:
    """Copy a built file to `target`, which appears whole, with mode 0644, or not at all.

    It shares its blocks with the cache where the file system can do that. It is no hard link: a
    host that changes owner or content of its file must not change the cache.

    Raises:
        LabError: the file in the cache is not what was built.
        OSError: it cannot be written.
    """
    # Of two processes that copy at once each writes its own, and the last rename wins.
    part = target.with_name(f".{target.name}.{os.getpid()}-{time.monotonic_ns()}.part")
    for left in target.parent.glob(f".{target.name}.*.part"):
        if not _alive(left.name):
            left.unlink(missing_ok=True)
    try:
        _clone(file.path, part)
        if not matches(part, file.size, file.sha256):
            raise LabError(f"the file {file.path} in the cache is damaged")
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _clone(source: Path, target: Path) -> None:
    try:
        with source.open("rb") as old, target.open("wb") as new:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
    except OSError:
        shutil.copyfile(source, target)


def _alive(part: str) -> bool:
    """True when the process that writes this ``.part`` file still runs."""
    pid = part.removesuffix(".part").rpartition(".")[2].partition("-")[0]
    return pid.isdigit() and Path("/proc", pid).exists()


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one when the file is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write a JSON file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            json.dump(value, stream, indent=1, sort_keys=True)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
