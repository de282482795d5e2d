"""The details of one domain: ``lv.ui.details``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.errors import LabvirtError, SpecError
from labvirt.model.units import Size
from labvirt.widgets.batch import is_batch
from labvirt.widgets.charts import charts
from labvirt.widgets.doctoring.examining import Doctor
from labvirt.widgets.doctoring.rounds import targets_of
from labvirt.widgets.frame import framed
from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.deed import Deed
from labvirt.widgets.managing.hardware_page import HardwarePage
from labvirt.widgets.managing.migrating import MigrateForm
from labvirt.widgets.managing.news_page import NewsPage
from labvirt.widgets.managing.pages import OverviewPage, Page
from labvirt.widgets.managing.parts import Aside, put
from labvirt.widgets.managing.snapshot_page import SnapshotPage
from labvirt.widgets.managing.xml_page import XmlPage
from labvirt.widgets.registry import registry
from labvirt.widgets.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.domain import Domain
    from labvirt.host.host import Host

__all__ = ["Details", "details"]

_PERFORMANCE, _MIGRATION, _EXAMINATION = 1, 4, 7

#: A tab is as wide as its name, in every language; there is a second row where it must be.
_STYLE = (
    "<style>.labvirt-details .lm-TabBar-content{flex-wrap:wrap}"
    ".labvirt-details .lm-TabBar-tab{flex:0 0 auto!important;min-width:0!important;"
    "max-width:none!important}</style>"
)


def details(domain: Domain, hosts: Sequence[Host] = ()) -> Details:
    """Return the details of a VM: what it is, what it uses, its hardware, snapshots, XML (G16.3-01).

    Args:
        domain: the domain.
        hosts: other open hosts, to which it can be migrated; any URI can be written too.

    Raises:
        SpecError: it is no domain.
    """
    if not all(hasattr(type(domain), name) for name in ("uuid", "host", "snapshots")) and not (
        hasattr(domain, "uuid") and hasattr(domain, "devices")
    ):
        raise SpecError(
            f"show details of {domain!r:.200}", hint="give a domain: host.domains['web1']"
        )
    made = Details(domain, lambda: tuple(hosts))
    registry.claim(made, f"details of {domain.uuid}")
    return made


class Details(Shown):
    """The details of a domain; see `details`. Shown by being the last line of a cell."""

    def __init__(self, domain: Domain, hosts: Callable[[], Sequence[Host]] = lambda: ()) -> None:
        super().__init__()
        self.domain = domain
        self._hosts = hosts
        self._over = threading.Event()
        self.aside = Aside("labvirt-details")
        self.deed = Deed(watch=(domain,))
        self.overview = OverviewPage(domain, self.aside, self.deed)
        self.hardware = HardwarePage(domain, self.aside, self.deed)
        self.snapshots = SnapshotPage(domain, self.aside, self.deed)
        self.xml = XmlPage(domain, self.aside, self.deed)
        self.performance = w.VBox([])
        self._charts: Any = None
        self._doctor: Doctor | None = None
        self.examination = w.VBox([])
        self.news = NewsPage(domain, self.aside, self.deed)
        self.moving = MigrateForm(domain, hosts)
        self.migration = w.VBox([])
        self._pages: dict[int, Page] = {
            0: self.overview, 2: self.hardware, 3: self.snapshots, 5: self.news, 6: self.xml,
        }  # fmt: skip
        self.gone = w.HTML()
        self.tab = w.Tab(
            children=(
                self.overview.box, self.performance, self.hardware.box, self.snapshots.box,
                self.migration, self.news.box, self.xml.box, self.examination,
            ),
            titles=(
                _("Overview"), _("Performance"), _("Hardware"), _("Snapshots"), _("Migration"),
                _("Events"), "XML", _("Examination"),
            ),
        )  # fmt: skip
        self.tab.observe(lambda _change: self._turn(), names="selected_index")
        title = w.HTML(_STYLE + parts.heading(f"{domain.name} · {domain.host.name}"))
        self.box = w.VBox([title, self.gone, self.tab, self.deed.area])
        framed(self.box).add_class("labvirt-details")
        self._end = domain.host.listen(self._hear)
        self._turned()

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Details of {self.domain.name}{': closed' if self._over.is_set() else ''}>"

    def _hear(self, changes: Any) -> None:
        """Read anew what is in sight when something of this domain is another one."""
        ours = [each for each in changes if each.uuid == self.domain.uuid]
        if not ours:
            return
        self.news.hear(ours)
        self.moving.hold(ours[-1].after is None)
        if ours[-1].after is None:
            text = _("{name} is gone from {host}").format(
                name=self.domain.name, host=self.domain.host.name
            )
            put(self.gone, value=parts.alert(text))
            for page in self._pages.values():
                page.gone(on=True)
            return
        if self.gone.value:
            put(self.gone, value="")
            for page in self._pages.values():
                page.gone(on=False)
        known = {"state", "title", "tags", "autostart", "vcpus", "memory", "max_memory"}
        if any(
            getattr(each.before, name, None) != getattr(each.after, name, None)
            for each in ours
            for name in known
        ):
            self._turned()

    def _turn(self) -> None:
        """Show another page; what was said of the one before is put away."""
        if self.deed.state == "idle":
            self.deed.stop()
        self._turned()

    def _turned(self) -> None:
        at = self.tab.selected_index or 0
        if at == _PERFORMANCE:
            self._draw_charts()
        elif at == _MIGRATION:
            self._draw_migration()
        elif at == _EXAMINATION:
            self._draw_doctor()
        elif at in self._pages:
            self._pages[at].refresh()

    def _draw_migration(self) -> None:
        if not self.migration.children and not self._over.is_set():
            widget = self.moving.widget
            widget.offer_code()
            put(self.migration, children=(widget, self.moving.watching))

    def _draw_doctor(self) -> None:
        if self._doctor is not None or self._over.is_set():
            return
        others = [each for each in self._hosts() if each is not self.domain.host]
        self._doctor = Doctor(targets_of(self.domain, others))
        widget = self._doctor.widget
        self._doctor.offer_code()
        put(self.examination, children=(widget,))

    def _draw_charts(self) -> None:
        if self._charts is not None or self._over.is_set():
            return
        try:
            self._charts = charts(self.domain, engine="light")
            self._charts.feed.expect()
            put(self.performance, children=(self._charts.widget,))
        except LabvirtError as error:
            put(self.performance, children=(w.HTML(parts.alert(str(error))),))

    @property
    def widget(self) -> Any:
        """The ipywidget, for layouts of one's own.

        Raises:
            LabvirtError: the details are closed.
        """
        if self._over.is_set():
            raise LabvirtError("these details are closed", hint="lv.ui.details(...) anew")
        return self.box

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end, and what the domain is for everything else."""
        if self._over.is_set():
            return {"text/plain": repr(self)}
        if is_batch():
            return self.bundle()
        static = self.bundle()
        made = self.box._repr_mimebundle_(**options)
        data, metadata = made if isinstance(made, tuple) else (made, {})
        return {**data, **static}, metadata

    def bundle(self) -> dict[str, Any]:
        """Return what the domain is by MIME type, as every reader of a notebook shows it."""
        record = self.domain.host.news.record("domain", self.domain.uuid)
        if record is None:
            return {"text/plain": repr(self)}
        pairs = [
            (_("Name"), record.name),
            (_("UUID"), record.uuid),
            (_("State"), _(record.state.text)),
            (_("Host"), self.domain.host.name),
            (_("vCPUs"), record.vcpus),
            (_("Memory"), str(Size(record.memory))),
            (_("Title"), record.title),
            (_("Tags"), record.tags),
        ]
        plain = "\n".join(f"{name}: {parts.cell(value)}" for name, value in pairs)
        return {"text/html": parts.facts(pairs), "text/plain": plain}

    def close(self) -> None:
        """Close the view. Twice is harmless."""
        if self._over.is_set():
            return
        self._over.set()
        self._end()
        self.aside.close()
        self.deed.close()
        for page in self._pages.values():
            page.close()
        self.moving.close()
        if self._charts is not None:
            self._charts.close()
        if self._doctor is not None:
            self._doctor.close()
        registry.forget(self)
        parts.close_tree(self.box)
