"""Where a live view is shown, and how it is frozen into what every reader of a notebook sees."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["VIEW", "Shown"]

#: The MIME type of a widget in an output.
VIEW: Final = "application/vnd.jupyter.widget-view+json"


class Shown:
    """What views have in common: each display of one can be replaced by a still bundle."""

    def __init__(self) -> None:
        #: Handles of the displays of live views, and the ids of the widgets in them.
        self._views: list[Any] = []
        self._models: set[str] = set()

    def bundle(self) -> dict[str, Any]:
        """Return what it shows now by MIME type, as every reader of a notebook shows it."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end, and the still form for everything else."""
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        """Show the widget, or its still form where no front end is."""
        made = self._repr_mimebundle_()
        made = made[0] if isinstance(made, tuple) else made
        if VIEW in made:
            self._show_live(made)
        else:
            self._show(made)

    def _show(self, made: dict[str, Any]) -> Any:
        """Display a bundle; returns its handle, None where nothing can be displayed."""
        from IPython.display import display

        return display(made, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def _show_live(self, made: dict[str, Any]) -> None:
        from labvirt.widgets import clerk  # it loads anywidget, which a script does not need

        handle = self._show(made)
        if handle is not None:
            self._views.append(handle)
            self._models.add(str(made.get(VIEW, {}).get("model_id", "")))
            clerk.wake()

    def freeze(self) -> None:
        """Put what is shown now in the place of the live views, for good, and close them.

        A live view is gone from a notebook that is read without its kernel; this stays. Where no
        view was shown it comes below the running cell.
        """
        from labvirt.widgets import clerk

        made = self.bundle()
        shown, self._views = self._views, []
        for handle in shown:
            handle.update(made, raw=True)
        if shown:
            clerk.lay(sorted(self._models), made)
        else:
            self._show(made)
        self.close()
