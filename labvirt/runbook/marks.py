"""Steps declared by code: ``with labvirt.step("define"):`` tells the runner what a tag would."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final, Self

from labvirt.errors import SpecError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Step", "step"]

_MIME: Final = "application/vnd.labvirt.step+json"


class Step:
    """A step inside a cell. Made by `step`.

    Attributes:
        name: its name.
        title: what people read.
        done: True when the run that this one goes on from has done it; the block is entered all
            the same, and its code decides what that means.
    """

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name, title
        self.done = name in os.environ.get("LABVIRT_DONE_STEPS", "").split()
        self._began = 0.0
        self._shown: Any = None

    def __enter__(self) -> Self:
        """Tell that it begins."""
        self._began = time.monotonic()
        self._tell("running")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._tell("kept" if self.done else "ok")
        else:
            self._tell("failed", f"{type(error).__name__}: {error}")

    def _tell(self, verdict: str, error: str = "") -> None:
        """Show the step where the cell shows its output; outside of a notebook there is none."""
        try:
            from IPython.core.getipython import get_ipython
            from IPython.display import display
        except ImportError:
            return
        if get_ipython() is None:
            return
        seconds = round(time.monotonic() - self._began, 3)
        words = f"step {self.name}: {verdict}"
        if verdict != "running":
            words += f" after {seconds:.1f} s"
        news = {"step": self.name, "title": self.title, "verdict": verdict, "seconds": seconds}
        data = {_MIME: {**news, "error": error}, "text/plain": words}
        if self._shown is None:
            self._shown = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._shown.update(data, raw=True)


def step(name: str, title: str = "") -> Step:
    """Declare a step by code, as the tag ``step:NAME`` does for whole cells.

    Its time and verdict are in the record of the run, beside those of the tagged steps. By plain
    papermill it only shows a line.

    Args:
        name: letters, digits, ``-`` and ``_``, small ones.
        title: what people read; the name when it is empty.

    Raises:
        SpecError: the name cannot be that of a step.
    """
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        raise SpecError(f"{name!r} cannot name a step", hint="step('define')")
    return Step(name, title or name)
