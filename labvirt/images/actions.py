"""The actions on image files; each can be undone or told exactly, also after `kill -9`."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.errors import ConflictError, LabvirtError
from labvirt.images import tool
from labvirt.images.files import backing_of, put_in_place, require_image, require_new
from labvirt.plan import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.plan import Crash, JobControl

__all__ = ["ACTIONS", "ChangeImage", "CommitImage", "MakeImage"]


@dataclass(frozen=True)
class _ImageAction(Action[Any]):
    """One call of qemu-img.

    Attributes:
        text: the title.
        words: sub-command and arguments.
        path: the image that is made or changed.
        timeout_s: limit in seconds; None has none.
        secrets: passphrases; they are never written down.
        before: a look before anything is changed.
        blame: adds to a conflict who has the image open.
    """

    text: str
    words: tuple[str, ...]
    path: str
    timeout_s: float | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    before: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    blame: Callable[[ConflictError], ConflictError] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def title(self) -> str:
        return self.text

    @property
    def command(self) -> tool.Command:
        """The call."""
        return tool.Command(self.text, tuple(self.words), self.secrets)

    @property
    def shell(self) -> tuple[str, ...]:
        return (self.command.shell,)

    def check(self, host: Any) -> None:
        if self.before is not None:
            self.before()

    def call(self, control: JobControl) -> None:
        """Run qemu-img to its end."""
        try:
            tool.run(self.command, control=control, timeout_s=self.timeout_s)
        except ConflictError as error:
            if self.blame is None:
                raise
            raise self.blame(error) from error

    def do(self, host: Any, control: JobControl) -> None:
        self.call(control)

    def to_record(self) -> dict[str, Any]:
        record = super().to_record()
        for name in ("secrets", "before", "blame"):
            record.pop(name)
        return record


@dataclass(frozen=True)
class MakeImage(_ImageAction):
    """Make a new image under a name beside its place, and rename it when it is whole.

    Attributes:
        part: the name until then; stands in `words`.
        overwrite: what is at the place is replaced.
        like: a file whose owner and mode the new one gets; empty for what is usual.
        mode: its mode when `like` is empty and it shall not be the usual one.
    """

    kind: ClassVar[str] = "make-image"
    part: str = ""
    overwrite: bool = False
    like: str = ""
    mode: int | None = None

    @property
    def shell(self) -> tuple[str, ...]:
        shown = tuple(self.path if word == self.part else word for word in self.words)
        return (tool.Command(self.text, shown, self.secrets).shell,)

    @property
    def destroys(self) -> tuple[str, ...]:
        return (f"the file {self.path}",) if self.overwrite and os.path.lexists(self.path) else ()

    def check(self, host: Any) -> None:
        super().check(host)
        require_new(self.path, self.text, overwrite=self.overwrite)

    @property
    def command(self) -> tool.Command:
        return tool.Command(self.text, tuple(self.words), self.secrets, (self.part, self.path))

    def make(self, control: JobControl) -> None:
        """Write the image under its passing name."""
        self.call(control)

    def do(self, host: Any, control: JobControl) -> None:
        try:
            self.make(control)
        except LabvirtError:
            # After a conflict nobody undoes it: what stands in the way is somebody else's.
            Path(self.part).unlink(missing_ok=True)
            raise
        if self.like:
            with contextlib.suppress(OSError):
                found = Path(self.like).stat()
                os.chown(self.part, found.st_uid, found.st_gid)
                # The right to write may have been taken from what others stand on.
                Path(self.part).chmod(stat.S_IMODE(found.st_mode) | stat.S_IWUSR)
        elif self.mode is not None:
            Path(self.part).chmod(self.mode)
        put_in_place(self.part, self.path, overwrite=self.overwrite, asked=self.text)

    def undo(self, host: Any, crash: Crash | None = None) -> None:
        part, place = Path(self.part), Path(self.path)
        halfway = part.exists()
        named = halfway and place.exists() and part.samefile(place)
        part.unlink(missing_ok=True)
        # A killed process has not told whether it came to the renaming: then a whole file stays.
        finished = named or (not halfway and (crash is None or crash.finished))
        if finished and not self.overwrite:
            place.unlink(missing_ok=True)


@dataclass(frozen=True)
class ChangeImage(_ImageAction):
    """Change an image in place by a call that qemu-img itself keeps whole.

    Attributes:
        loses: what is destroyed.
        whole: what to say of the image when the process was killed: it is whole, and how.
    """

    kind: ClassVar[str] = "change-image"
    loses: tuple[str, ...] = ()

    @property
    def destroys(self) -> tuple[str, ...]:
        return tuple(self.loses)

    def do(self, host: Any, control: JobControl) -> None:
        require_image(self.path, self.text)
        super().do(host, control)


@dataclass(frozen=True)
class CommitImage(ChangeImage):
    """Write what an image holds into the one below it.

    When it is cut short the image itself still holds everything, but the base is neither what it
    was nor what it will be: `undo` says so until the commit was done again.

    Attributes:
        base: the image below that is written to.
        base_mtime_ns: when the base was written last, before the commit.
    """

    kind: ClassVar[str] = "commit-image"
    base: str = ""
    base_mtime_ns: int = 0

    def undo(self, host: Any, crash: Crash | None = None) -> None:
        try:
            untouched = Path(self.base).stat().st_mtime_ns == self.base_mtime_ns
        except OSError:
            return
        if untouched or not self._is_pending():
            return
        raise ConflictError(
            self.text,
            libvirt_text=f"it was cut short: {self.path} is whole and still holds everything, "
            f"{self.base} holds a part of it already: it can be used through {self.path} only",
            hint="commit again: it begins anew and loses nothing",
        )

    def _is_pending(self) -> bool:
        """Return True when the image still stands on the base and holds something."""
        below = backing_of(self.path)
        while below is not None and os.path.realpath(below) != os.path.realpath(self.base):
            below = backing_of(below)
        if below is None:
            return False
        try:
            words = ("map", "--output=json", "-U", self.path)
            _, told = tool.run(tool.Command(f"read {self.path}", words))
        except LabvirtError:
            # It cannot be looked at: better told once too often.
            return True
        return '"depth": 0' in told.replace('"depth":0', '"depth": 0')


ACTIONS: dict[str, type[Action[Any]]] = {kind.kind: kind for kind in (MakeImage, CommitImage)}
