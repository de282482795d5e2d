"""The observatory of migrations: ``lv.ui.migration``."""

from __future__ import annotations

from html import escape
from os import PathLike
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from labvirt.errors import LabvirtError, SpecError
from labvirt.host.migrating.track import MigrationTrack
from labvirt.model.arguments import checked
from labvirt.model.spec import Spec
from labvirt.widgets.batch import is_batch
from labvirt.widgets.charts import Charts
from labvirt.widgets.i18n import _
from labvirt.widgets.registry import registry
from labvirt.widgets.track_driver import TrackDriver
from labvirt.widgets.track_figures import (
    bundle_of_tracks,
    figure_of_tracks,
    table_of_tracks,
    tracks_in,
)

if TYPE_CHECKING:
    import pandas as pd

    from labvirt.host.domain import Domain
    from labvirt.widgets.charts import Engine
    from labvirt.widgets.controlling import Controls
    from labvirt.widgets.scene import Theme

__all__ = ["Observatory", "migration"]


class _Options(Spec):
    """The options of `migration`."""

    engine: Literal["plotly", "light"]
    window_s: Annotated[float, Field(ge=10, le=86400, allow_inf_nan=False)]


def migration(*targets: Any, engine: Engine = "light", window_s: float = 300.0) -> Observatory:
    """Return the observatory of a migration, or of several on one chart (G12.3-01).

    Shows what is left, what is sent and what the guest writes meanwhile, the rounds, when it will
    end and how long the guest will stand still: live while it runs, as a whole afterwards. It can
    be shown before the migration is begun. Of one domain it has buttons: break off, bandwidth,
    downtime, switch over.

    Args:
        targets: domains (their newest migration and those that follow), tracks
            (`Domain.migration`, `MigrationTrack.from_json`), results of `Domain.migrate`, or the
            path of a run's notebook that has shown some; lists of them too. Several are compared: time is counted from the start of each.
        engine: ``light``, which asks least of the browser, or ``plotly``.
        window_s: seconds shown at first; the view's buttons change it. 10 to 86400.

    Raises:
        SpecError: there is no migration to be seen of such a thing.
    """
    checked(_Options, "draw migrations", engine=engine, window_s=window_s)
    tracks, domains = _sorted_out(targets)
    driver = TrackDriver(_title(tracks, domains), tracks, domains)
    made = Observatory(driver, engine=engine, window_s=float(window_s))
    if len(domains) == 1 and not tracks:
        made.domain = domains[0]
    key = ",".join([*(each.uuid for each in domains), *(str(id(each)) for each in tracks)])
    registry.claim(made, f"migration {key}")
    return made


def _sorted_out(targets: Any) -> tuple[list[MigrationTrack], list[Domain]]:
    tracks: list[MigrationTrack] = []
    domains: list[Domain] = []
    for each in targets:
        if isinstance(each, list | tuple | set | frozenset):
            more, whom = _sorted_out(each)
            tracks, domains = tracks + more, domains + whom
        elif isinstance(each, MigrationTrack):
            tracks.append(each)
        elif isinstance(each, str | PathLike):
            tracks += tracks_in(each)
        elif isinstance(getattr(each, "track", None), MigrationTrack):
            tracks.append(each.track)
        elif hasattr(type(each), "migration") and hasattr(each, "uuid"):
            domains.append(each)
        else:
            raise SpecError(
                f"draw migrations: there is none of {each!r:.200}",
                hint="give a domain, domain.migration, or what domain.migrate(...) returned",
            )
    if not tracks and not domains:
        raise SpecError("draw migrations: nothing was given", hint="lv.ui.migration(domain)")
    return tracks, domains


def _title(tracks: list[MigrationTrack], domains: list[Domain]) -> str:
    names = list(dict.fromkeys([*(one.name for one in domains), *(one.name for one in tracks)]))
    more = f" … {len(names)}" if len(names) > 6 else ""
    return _("Migration of {names}").format(names=", ".join(names[:6]) + more)


class Observatory(Charts):
    """The view of migrations; see `migration`. Shown by being the last line of a cell.

    Attributes:
        domain: whose buttons are shown; None: nobody's.
    """

    driver: TrackDriver
    domain: Domain | None = None

    def __init__(self, driver: TrackDriver, *, engine: Engine, window_s: float) -> None:
        super().__init__(driver, engine=engine, window_s=window_s)
        self._controls: Controls | None = None
        self._box: Any = None

    def __repr__(self) -> str:
        """Return one line."""
        state = "closed" if self._is_closed else f"{len(self.tracks)} migrations"
        return f"<Observatory: {self.driver.title}: {state}>"

    @property
    def tracks(self) -> tuple[MigrationTrack, ...]:
        """The migrations that are shown, oldest first."""
        self.driver.look()
        return tuple(run.track for run in self.driver.runs)

    # -- shown -----------------------------------------------------------------------------------

    @property
    def controls(self) -> Controls:
        """The numbers and buttons over the charts."""
        from labvirt.widgets.controlling import Controls

        if self._controls is None:
            self._controls = Controls(self.driver, self.domain)
        return self._controls

    @property
    def widget(self) -> Any:
        """The ipywidget, for layouts of one's own.

        Raises:
            LabvirtError: it is closed.
        """
        import ipywidgets as w

        from labvirt.widgets.frame import framed

        if self._is_closed:
            raise LabvirtError(
                f"{self.driver.title}: this view is closed.", hint="lv.ui.migration(...) anew"
            )
        if self._box is None:
            board = super().widget
            self._box = framed(w.VBox([self.controls.box, board])).add_class("labvirt-observatory")
            self.driver.notice = self.controls.refresh
        return self._box

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end."""
        if self._is_closed:
            return {"text/plain": repr(self)}
        box = self.widget
        super().widget.offer_code()
        self.feed.expect()
        made = box._repr_mimebundle_(**options)
        return made[0] if isinstance(made, tuple) else made

    def _ipython_display_(self) -> None:
        """Show the widget; where no front end is, a picture that is drawn again at `close`."""
        if self._is_closed:
            self._show(self._repr_mimebundle_())
        elif not is_batch():
            self._show_live(self._repr_mimebundle_() | self._still())
        else:
            handle = self._show(self.bundle())
            if handle is not None:
                self._pictures.append(handle)

    def _still(self) -> dict[str, str]:
        made = self.bundle()
        return {kind: made[kind] for kind in ("text/html", "text/plain")}

    # -- asked -----------------------------------------------------------------------------------

    def bundle(self) -> dict[str, Any]:
        """Return what it shows now by MIME type, as every reader of a notebook shows it."""
        if not any(len(track) for track in self.tracks):
            words = _("{title}: not begun yet").format(title=self.driver.title)
            return {"text/plain": words, "text/html": f"<p>{escape(words)}</p>"}
        return bundle_of_tracks(self.tracks, title=self.driver.title)

    def figure(self, *, theme: Theme = "light") -> Any:
        """Return the whole as a ``plotly.graph_objects.Figure``, time in it from the start."""
        return figure_of_tracks(self.tracks, theme=theme, title=self.driver.title)

    def table(self) -> pd.DataFrame:
        """Return one row per migration; see `labvirt.widgets.track_figures.table_of_tracks`."""
        return table_of_tracks(self.tracks)

    def df(self, **options: Any) -> pd.DataFrame:  # type: ignore[override]
        """Return the samples, a row for each moment of each migration; see `TrackSource.df`."""
        self.driver.look()
        return self.driver.source.df(**options)

    def close(self) -> None:
        """End it; views say so. Twice is harmless."""
        super().close()
        if self._controls is not None:
            self._controls.close()
        if self._box is not None:
            from labvirt.widgets.managing.parts import close_tree

            close_tree(self._box)
