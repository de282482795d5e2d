"""Where a live view is shown, and how it is frozen into what every reader of a notebook sees."""

from __future__ import annotations

from typing import Any

__all__ = ["Shown"]


class Shown:
    """What views have in common: each display of one can be replaced by a still bundle."""

    def __init__(self) -> None:
        #: Handles of the displays of live views.
        self._views: list[Any] = []

    def bundle(self) -> dict[str, Any]:
        """Return what it shows now by MIME type, as every reader of a notebook shows it."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""
        raise NotImplementedError

    def _show(self, made: dict[str, Any]) -> Any:
        """Display a bundle; returns its handle, None where nothing can be displayed."""
        from IPython.display import display

        return display(made, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def _show_live(self, made: dict[str, Any]) -> None:
        handle = self._show(made)
        if handle is not None:
            self._views.append(handle)

    def freeze(self) -> None:
        """Put what is shown now in the place of the live views, for good, and close them.

        A live view is gone from a notebook that is read without its kernel; this stays. Where no
        view was shown it comes below the running cell.
        """
        made = self.bundle()
        shown, self._views = self._views, []
        for handle in shown:
            handle.update(made, raw=True)
        if not shown:
            self._show(made)
        self.close()
