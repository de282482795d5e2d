"""Looking at an image: what it is, what is wrong with it, what it would take, how fast it is."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labvirt.errors import ConflictError, HostError, Problem, SpecError
from labvirt.images import tool
from labvirt.images.files import dependents, full_path, require_image
from labvirt.images.records import (
    BenchRecord,
    CheckRecord,
    CompareRecord,
    Extent,
    ImageRecord,
    MeasureRecord,
)
from labvirt.model.units import Size

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["ImageReading", "Users"]

#: Exit codes of ``qemu-img check`` that are a finding and no failure.
_FOUND = (0, 2, 3)


class Users(Protocol):
    """What an image needs of a host: who uses a file."""

    @property
    def label(self) -> str:
        """The host's URI without secrets."""

    def users_of(self, path: str) -> tuple[str, ...]:
        """Return the names of the domains that use a file."""


class ImageReading:
    """The part of `Image` that changes nothing.

    Args:
        path: a file or a block device of this machine.
        format: its format; left out, qemu-img looks at its first bytes. Name it for an image that
            a guest could write to: a guest of a raw image can make it look like another format.
        passphrase: opens an encrypted image.
        host: the host whose domains may use it, to name them when it is in use.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 - the field's own word
        passphrase: str | None = None,
        host: Users | None = None,
    ) -> None:
        self.path = full_path(path, "open an image")
        self.host = host
        self.format = format
        self.passphrase = passphrase

    def __repr__(self) -> str:
        """Return one line, without a look at the file."""
        return f"<Image {self.path}>"

    @property
    def name(self) -> str:
        """The name of the file."""
        return Path(self.path).name

    # -- how qemu-img is told ----------------------------------------------------------------

    def _words(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return the arguments that name the image, and the secrets that open it."""
        if self.passphrase is None:
            return (*(("-f", self.format) if self.format else ()), self.path), {}
        form = self.format or self._probed()
        key = "key-secret" if form == "luks" else "encrypt.key-secret"
        options = {"driver": form, key: "sec0", "file.driver": "file", "file.filename": self.path}
        return ("--image-opts", tool.options_text(options)), {"sec0": self.passphrase}

    def _probed(self) -> str:
        words = ("info", "--output=json", "-U", self.path)
        _, told = tool.run(tool.Command(f"look at {self.path}", words))
        return str(json.loads(told)["format"])

    def read_by(  # the shape of every reading call
        self, verb: str, asked: str, *options: str, allowed: Sequence[int] = (0,), **more: Any
    ) -> tuple[int, str]:
        """Run a sub-command on this image; return its exit code and what it printed."""
        require_image(self.path, asked)
        words, secrets = self._words()
        command = tool.Command(asked, (verb, *options, *words), secrets)
        try:
            return tool.run(command, allowed=allowed, **more)
        except ConflictError as error:
            raise self.in_use(error) from error

    def in_use(self, error: ConflictError) -> ConflictError:
        """Name the domains that have the image open."""
        if self.host is None or not tool.LOCKED.search(error.libvirt_text):
            return error
        users = self._users()
        if not users:
            return error
        return ConflictError(
            error.asked,
            uri=self.host.label,
            libvirt_text=f"domain {', '.join(users)} uses it; {error.libvirt_text}",
            hint="shut it down first, or work on a snapshot: block_commit, block_pull, clone(live=True)",
        )

    def _users(self) -> tuple[str, ...]:
        """Return the domains that use this image or one that stands on it."""
        if self.host is None:
            return ()
        files = (self.path, *dependents(self.path))
        return tuple(dict.fromkeys(name for one in files for name in self.host.users_of(one)))

    # -- looking ------------------------------------------------------------------------------

    def info(self) -> ImageRecord:
        """Read the image and everything it stands on (``qemu-img info``, G17.3-08).

        An image that a guest is writing to is read too, and told as ``in_use``.

        Raises:
            NotFoundError: it, or an image below it, does not exist.
            AccessDeniedError: it cannot be read.
        """
        asked, options = f"look at {self.path}", ("--output=json", "--backing-chain")
        in_use = False
        try:
            _, told = self.read_by("info", asked, *options)
        except ConflictError as error:
            if not tool.LOCKED.search(error.libvirt_text):
                raise
            in_use = True
            _, told = self.read_by("info", asked, *options, "-U")
        return ImageRecord.of(json.loads(told), in_use=in_use, now=dt.datetime.now(dt.UTC))

    def check(self, *, timeout_s: float | None = 600.0) -> CheckRecord:
        """Look for faults and lost clusters; nothing is changed (``qemu-img check``).

        Raises:
            UnsupportedError: the format keeps nothing that could be checked (raw).
        """
        asked = f"check {self.path}"
        _, told = self.read_by("check", asked, "--output=json", allowed=_FOUND, timeout_s=timeout_s)
        return CheckRecord.of(json.loads(told))

    def map(self, *, timeout_s: float | None = 600.0) -> tuple[Extent, ...]:
        """Return which stretches are held by which image of the chain (``qemu-img map``)."""
        _, told = self.read_by("map", f"map {self.path}", "--output=json", timeout_s=timeout_s)
        return tuple(
            Extent(
                start=one["start"],
                length=one["length"],
                depth=one["depth"],
                present=one.get("present", True),
                zero=one["zero"],
                data=one["data"],
                offset=one.get("offset"),
            )
            for one in json.loads(told)
        )

    def measure(
        self,
        format: str = "qcow2",  # noqa: A002 - the field's own word
        options: Mapping[str, object] | None = None,
    ) -> MeasureRecord:
        """Return the space that converting the image to a format would take.

        Raises:
            UnsupportedError: qemu-img cannot measure this format (only raw, qcow2 and luks).
        """
        more = ("-o", tool.options_text(options)) if options else ()
        asked = f"measure {self.path} as {format}"
        _, told = self.read_by("measure", asked, "--output=json", "-O", format, *more)
        answer = json.loads(told)
        return MeasureRecord(Size(answer["required"]), Size(answer["fully-allocated"]))

    def compare(
        self, other: ImageReading, *, strict: bool = False, timeout_s: float | None = 3600.0
    ) -> CompareRecord:
        """Tell whether two images show a guest the same; formats may differ (G17.3-04).

        Args:
            other: the other one.
            strict: also compare sizes and which stretches are allocated.
            timeout_s: limit in seconds; None has none.
        """
        asked = f"compare {self.path} with {other.path}"
        require_image(self.path, asked)
        require_image(other.path, asked)
        words: tuple[str, ...]
        secrets: dict[str, str] = {}
        if self.passphrase is None and other.passphrase is None:
            formats = (("-f", self.format), ("-F", other.format))
            words = tuple(word for pair in formats if pair[1] for word in pair if word)
            words += (self.path, other.path)
        else:
            words = ("--image-opts", self.node_of("sec0", secrets), other.node_of("sec1", secrets))
        command = tool.Command(asked, ("compare", *("-s",) * strict, *words), secrets)
        code, said = tool.run(command, allowed=(0, 1), timeout_s=timeout_s)
        return CompareRecord(code == 0, said.strip())

    def node_of(self, key_id: str, secrets: dict[str, str]) -> str:
        """Return the image as one argument of ``--image-opts``."""
        options: dict[str, object] = {"driver": self.format or self._probed()}
        options |= {"file.driver": "file", "file.filename": self.path}
        if self.passphrase is not None:
            luks = options["driver"] == "luks"
            options["key-secret" if luks else "encrypt.key-secret"] = key_id
            secrets[key_id] = self.passphrase
        return tool.options_text(options)

    def bench(
        self, *, requests: int = 1000, size: str | Size = "4 KiB", depth: int = 64
    ) -> BenchRecord:
        """Read the image and time it (``qemu-img bench``); writing would destroy what it holds.

        Args:
            requests: how many reads.
            size: bytes of each, with a unit.
            depth: how many at once.

        Raises:
            SpecError: no requests, no size.
        """
        length = Size.of(size)
        if requests < 1 or depth < 1 or length < 1:
            why = "requests, size and depth begin at 1"
            raise SpecError(f"cannot time {self.path}:", [Problem("requests", str(requests), why)])
        options = ("-c", str(requests), "-s", str(int(length)), "-d", str(depth))
        asked = f"time {self.path}"
        _, told = self.read_by("bench", asked, *options, timeout_s=600.0)
        found = re.search(r"completed in ([0-9.]+) seconds", told)
        if found is None:
            raise HostError(asked, libvirt_text=f"qemu-img said: {told.strip()[:200]}")
        return BenchRecord(requests, length, float(found[1]), writes=False)

    def disk_usage(self) -> Size:
        """Return the bytes that the file takes on its file system, holes left out (G17.3-09)."""
        return Size(require_image(self.path, f"look at {self.path}").st_blocks * 512)

    def users(self) -> tuple[str, ...]:
        """Return the domains of `host` that use the image, or an image that stands on it.

        Raises:
            SpecError: no host was given.
        """
        if self.host is None:
            raise SpecError(
                f"cannot tell who uses {self.path}: no host was named",
                hint="Image(path, host=host).users()",
            )
        return self._users()

    def overlays(self, *folders: str) -> tuple[str, ...]:
        """Return the images that stand on this one: in its own folder and in `folders`."""
        return dependents(self.path, folders)
