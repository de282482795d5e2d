"""Why a back end cannot be used here, or why a start was given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Failure", "Refusal", "StarterGoneError", "tail"]


class Refusal(Exception):  # noqa: N818 - not an error: the next back end is tried
    """This machine does not allow a back end.

    Attributes:
        why: what stands in the way.
        remedy: what would remove it.
    """

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy


class Failure(Exception):  # noqa: N818 - travels to the starter, who raises LabError
    """A stage of the start failed.

    Attributes:
        what: which stage, of which host, and what came of it.
        hint: what to try.
        log: the end of the log that tells more.
    """

    def __init__(self, what: str, *, hint: str = "", log: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.log = log


class StarterGoneError(Exception):
    """Whoever asked for the lab ended before it was ready."""


def tail(path: Path, lines: int = 12) -> str:
    """Return the last lines of a log, empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
