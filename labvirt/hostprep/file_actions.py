"""Actions on the files of this machine: folders, lines, texts, secrets; exact modes, all undoable.

Files are put in place whole or not at all. Links are never followed: who prepares the files of
another user as root must not be led elsewhere. A file belongs to the owner of its folder.
"""

from __future__ import annotations

import difflib
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.errors import AccessDeniedError, ConflictError, HostError
from labvirt.hostprep.files import give_to, mode_of, no_plain_file, put_whole, read_text
from labvirt.plan import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.plan import Crash, JobControl

__all__ = [
    "ACTIONS",
    "AddLines",
    "ChangeText",
    "MakeFile",
    "MakeFolder",
    "RemoveFile",
    "SetMode",
]


@dataclass(frozen=True)
class MakeFolder(Action[Any]):
    """Make a folder, with those above it, that is not there.

    Attributes:
        path: the folder.
        mode: its mode; folders above it get 0755.
        made: the topmost folder that has to be made.
    """

    kind: ClassVar[str] = "make-folder"
    path: str
    mode: int
    made: str

    @property
    def title(self) -> str:
        return f"make folder {self.path}, mode {self.mode:04o}"

    @property
    def shell(self) -> tuple[str, ...]:
        return (f"mkdir -p -m {self.mode:04o} {shlex.quote(self.path)}",)

    def do(self, host: Any, control: JobControl) -> None:
        path = Path(self.path)
        for each in (*reversed(path.parents), path):
            mode = self.mode if each == path else 0o755
            try:
                each.mkdir()
            except FileExistsError:
                continue
            except OSError as error:
                kind = AccessDeniedError if isinstance(error, PermissionError) else HostError
                raise kind(f"make folder {each}", libvirt_text=str(error.strerror)) from error
            each.chmod(mode)
            if os.geteuid() == 0:
                above = each.parent.lstat()
                os.chown(each, above.st_uid, above.st_gid, follow_symlinks=False)

    def undo(self, host: Any, crash: Crash | None = None) -> str | None:
        path = Path(self.path)
        while path.is_relative_to(self.made):
            try:
                path.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                return "others have put something there, so it stays"
            path = path.parent
        return None


@dataclass(frozen=True)
class SetMode(Action[Any]):
    """Give a file or folder its exact mode."""

    kind: ClassVar[str] = "set-mode"
    path: str
    mode: int
    before: int

    @property
    def title(self) -> str:
        return f"set mode {self.mode:04o} of {self.path} (was {self.before:04o})"

    @property
    def shell(self) -> tuple[str, ...]:
        return (f"chmod {self.mode:04o} {shlex.quote(self.path)}",)

    def _set(self, mode: int) -> None:
        path = Path(self.path)
        if path.is_symlink():
            raise no_plain_file(path)
        try:
            path.chmod(mode)
        except OSError as error:
            raise AccessDeniedError(self.title, libvirt_text=str(error.strerror)) from error

    def do(self, host: Any, control: JobControl) -> None:
        self._set(self.mode)

    def undo(self, host: Any, crash: Crash | None = None) -> None:
        if mode_of(Path(self.path)) == self.mode:
            self._set(self.before)


@dataclass(frozen=True)
class AddLines(Action[Any]):
    """Add lines to a file that lacks them; the rest of it stays as it is.

    Attributes:
        path: the file; made when it is not there.
        lines: the lines that are missing now.
        mode: its mode when it is made.
        fresh: it was not there.
    """

    kind: ClassVar[str] = "add-lines"
    path: str
    lines: tuple[str, ...]
    mode: int
    fresh: bool

    @property
    def title(self) -> str:
        return f"add {len(self.lines)} line{'s' * (len(self.lines) != 1)} to {self.path}"

    @property
    def shell(self) -> tuple[str, ...]:
        words = shlex.join(["printf", "%s\\n", *self.lines])
        return (f"{words} >> {shlex.quote(self.path)}",)

    @property
    def diff(self) -> str:
        return "\n".join(f"+{line}" for line in self.lines)

    def do(self, host: Any, control: JobControl) -> None:
        path = Path(self.path)
        old = read_text(path)
        missing = [line for line in self.lines if line not in old.splitlines()]
        gap = "" if not old or old.endswith("\n") else "\n"
        text = gap + "".join(f"{line}\n" for line in missing)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, self.mode)
        except OSError as error:
            raise AccessDeniedError(self.title, libvirt_text=str(error.strerror)) from error
        try:
            if self.fresh:
                os.fchmod(fd, self.mode)
                give_to(fd, path.parent)
            # One write, so that two who add at once do not tear each other's lines.
            os.write(fd, text.encode(errors="surrogateescape"))
        finally:
            os.close(fd)

    def undo(self, host: Any, crash: Crash | None = None) -> None:
        path = Path(self.path)
        old = read_text(path)
        if not old and not path.exists():
            return
        kept = [
            line for line in old.splitlines(keepends=True) if line.rstrip("\n") not in self.lines
        ]
        if not kept and self.fresh:
            path.unlink(missing_ok=True)
        else:
            text = "".join(kept).encode(errors="surrogateescape")
            put_whole(path, text, mode_of(path) or self.mode, new=False)


@dataclass(frozen=True)
class ChangeText(Action[Any]):
    """Give a file without secrets another text.

    Attributes:
        path: the file.
        before: its text now; None when it is not there.
        after: the text it gets.
        mode: its mode.
        line: the shell line that would do it, where the text itself tells nobody anything.
    """

    kind: ClassVar[str] = "change-text"
    path: str
    before: str | None
    after: str
    mode: int = 0o644
    line: str = ""

    @property
    def title(self) -> str:
        return f"{'write' if self.before is None else 'change'} {self.path}"

    @property
    def shell(self) -> tuple[str, ...]:
        if self.line:
            return (self.line,)
        text = self.after if self.after.endswith("\n") else f"{self.after}\n"
        return (f"tee {shlex.quote(self.path)} >/dev/null <<'END'\n{text}END",)

    @property
    def diff(self) -> str:
        if self.line:
            return ""
        old = (self.before or "").splitlines()
        lines = difflib.unified_diff(
            old, self.after.splitlines(), self.path, self.path, "", "", 1, ""
        )
        return "\n".join(lines)

    def check(self, host: Any) -> None:
        path = Path(self.path)
        now = read_text(path) if path.exists() or path.is_symlink() else None
        if now != self.before:
            raise ConflictError(
                self.title, libvirt_text="somebody has changed it meanwhile", hint="plan again"
            )

    def do(self, host: Any, control: JobControl) -> None:
        path = Path(self.path)
        put_whole(
            path, self.after.encode(errors="surrogateescape"), self.mode, new=self.before is None
        )

    def undo(self, host: Any, crash: Crash | None = None) -> str | None:
        path = Path(self.path)
        if read_text(path) != self.after:
            return "it is not as it was written, so it stays" if path.exists() else None
        if self.before is None:
            path.unlink(missing_ok=True)
        else:
            text = self.before.encode(errors="surrogateescape")
            put_whole(path, text, mode_of(path) or self.mode, new=False)
        return None


@dataclass(frozen=True)
class MakeFile(Action[Any]):
    """Make a new file whose content is made in that moment and stands nowhere else.

    Attributes:
        path: the file; one that is there is never overwritten.
        mode: its mode from the first moment on.
        what: what it is, for people.
        line: the shell line that would do it.
        make: makes the content; not written down.
    """

    kind: ClassVar[str] = "make-file"
    path: str
    mode: int
    what: str
    line: str = ""
    make: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)

    @property
    def title(self) -> str:
        return f"make {self.what} {self.path}, mode {self.mode:04o}"

    @property
    def shell(self) -> tuple[str, ...]:
        return (self.line,) if self.line else ()

    def to_record(self) -> dict[str, Any]:
        record = super().to_record()
        del record["make"]
        return record

    def check(self, host: Any) -> None:
        if mode_of(Path(self.path)) is not None:
            raise ConflictError(
                self.title,
                libvirt_text="it is there already and is never overwritten",
                hint="move it away, or choose another name",
            )

    def do(self, host: Any, control: JobControl) -> None:
        assert self.make is not None
        put_whole(Path(self.path), self.make(), self.mode, new=True)

    def undo(self, host: Any, crash: Crash | None = None) -> None:
        Path(self.path).unlink(missing_ok=True)


@dataclass(frozen=True)
class RemoveFile(Action[Any]):
    """Remove a file; nothing brings it back.

    Attributes:
        path: the file.
        what: what it is, for people.
    """

    kind: ClassVar[str] = "remove-file"
    path: str
    what: str

    @property
    def title(self) -> str:
        return f"remove {self.what} {self.path}"

    @property
    def shell(self) -> tuple[str, ...]:
        return (f"rm {shlex.quote(self.path)}",)

    @property
    def destroys(self) -> tuple[str, ...]:
        return (f"{self.what} {self.path}",)

    def do(self, host: Any, control: JobControl) -> None:
        try:
            Path(self.path).unlink(missing_ok=True)
        except OSError as error:
            raise AccessDeniedError(self.title, libvirt_text=str(error.strerror)) from error


ACTIONS: dict[str, type[Action[Any]]] = {
    kind.kind: kind for kind in (MakeFolder, SetMode, AddLines, ChangeText, MakeFile)
}
