"""The page of a domain's snapshots: a tree, what going back would lose, making and deleting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w

from labvirt.model.snapshot import SnapshotSpec
from labvirt.widgets.forms.capacity import short
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing.pages import STYLE, Page
from labvirt.widgets.managing.parts import NAMED, button, grid, heading, pre, put

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labvirt.status import SnapshotRecord

__all__ = ["SnapshotPage", "rows_of"]

#: What a new snapshot keeps, in the words of `SnapshotSpec`.
KEEPS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "all": (N_("Disks, and memory if it runs (inside the images)"), {}),
    "disks": (N_("Disks only (inside the images)"), {"memory": "none"}),
    "overlay": (N_("Disks only, in new overlay files"), {"disks": "external", "memory": "none"}),
}
#: What goes with a snapshot that is deleted, in the words of `Snapshot.delete`.
DELETES: Final[dict[str, tuple[str, dict[str, bool]]]] = {
    "one": (N_("it alone"), {}),
    "tree": (N_("it and its children"), {"children": True}),
    "below": (N_("its children only"), {"children_only": True}),
    "name": (N_("only its entry; the data stay"), {"metadata_only": True}),
}

#: Where a snapshot keeps something, as its record says: texts for the catalogue.
_WHERE: Final = (N_("internal"), N_("external"), N_("mixed"), N_("none"))


def rows_of(records: Sequence[SnapshotRecord]) -> Iterator[tuple[str, SnapshotRecord]]:
    """Yield snapshots as a tree, parents first: indent and record."""

    def below(parent: str, depth: int) -> Iterator[tuple[str, SnapshotRecord]]:
        for record in records:
            if record.parent == parent:
                yield "\u2003" * depth + ("└ " if depth else ""), record
                yield from below(record.name, depth + 1)

    yield from below("", 0)
    names = {record.name for record in records}
    for record in records:
        if record.parent and record.parent not in names:
            yield "", record


class SnapshotPage(Page):
    """The snapshots as a tree: make one, go back to one, delete one, with the verdict before."""

    def build(self) -> w.VBox:
        """Return the widgets."""
        wide = w.Layout(width="44em", max_width="98%")
        self.tree = w.HTML()
        self.choice = w.Select(
            options=[], rows=5, description=_("Snapshots"), layout=w.Layout(width="36em")
        )
        self.choice.observe(lambda _change: self._look(), names="value")
        self.verdict = w.HTML()
        self.name = w.Text(description=_("Snapshot name"), value="", style=STYLE, layout=wide)
        self.description = w.Text(description=_("Description"), style=STYLE, layout=wide)
        self.keep = w.Dropdown(
            options=[(_(label), key) for key, (label, _options) in KEEPS.items()],
            description=_("What it keeps"),
            style=STYLE,
            layout=wide,
        )
        self.quiesce = w.Checkbox(
            description=_("Freeze the guest's file systems meanwhile (agent; overlay files only)"),
            indent=False,
            layout=w.Layout(width="auto"),
        )
        self.make = button(_("Make snapshot"), _("Keep the state under this name"), self._make)
        self.revert = button(_("Revert"), _("Go back to the selected snapshot"), self._revert)
        self.delete = button(_("Delete"), _("Delete the selected snapshot"), self._delete)
        self.what = w.Dropdown(
            options=[(_(label), key) for key, (label, _options) in DELETES.items()],
            description=_("Delete"),
            layout=w.Layout(width="24em"),
        )
        new = [self.name, self.description, self.keep, self.quiesce, self.make]
        self.changers = [*new, self.revert, self.delete, self.what]
        rows = w.Layout(flex_flow="row wrap")
        return w.VBox(
            [
                self.tree,
                self.choice,
                self.verdict,
                w.HBox([self.revert, self.what, self.delete], layout=rows),
                w.HTML(heading(_("New snapshot"))),
                *new,
            ]
        )

    def read(self) -> Any:
        """Ask for the snapshots, and the sizes of their files where they can be seen."""
        snapshots = self.domain.snapshots
        return tuple(snapshots.records), snapshots.sizes()

    def draw(self, found: Any) -> None:
        """Show them."""
        records, sizes = found
        rows = [
            (
                f"{indent}{record.name}",
                _("← now") if record.is_current else "",
                f"{record.created:%Y-%m-%d %H:%M:%S}",
                _(record.state),
                _("disks {where}, memory {memory}").format(
                    where=_(record.location), memory=_(record.memory or _WHERE[-1])
                ),
                _size(sizes.get(record.name)),
                record.description,
            )
            for indent, record in rows_of(records)
        ]
        heads = [
            _("Name"), _("Current"), _("Made (UTC)"), _("State"), _("What it keeps"), _("Size"),
            _("Description"),
        ]  # fmt: skip
        put(self.tree, value=grid(_("Snapshots"), heads, rows, _("No snapshots yet.")))
        names = [record.name for _indent, record in rows_of(records)]
        if tuple(names) != tuple(self.choice.options):
            chosen = self.choice.value
            put(self.choice, options=tuple(names))
            if chosen in names:
                put(self.choice, value=chosen)
        if not self.name.value or self.name.value in names:
            number = next(n for n in range(1, len(names) + 2) if f"snapshot{n}" not in names)
            put(self.name, value=f"snapshot{number}")
        self._look()

    def enable(self) -> None:
        """Without a snapshot there is nothing to go back to."""
        super().enable()
        for each in (self.revert, self.delete, self.what):
            put(each, disabled=each.disabled or self.choice.value is None)

    def _look(self) -> None:
        name = self.choice.value
        self.enable()
        if name is None:
            put(self.verdict, value="")
            return
        self._aside.run(
            "verdict",
            lambda: str(self.domain.snapshots[name].verdict("revert")),
            lambda text: put(self.verdict, value=heading(_("Going back to it")) + pre(text)),
            self._failed,
            latest=True,
        )

    def _make(self) -> None:
        target: Any = self.domain
        asked: dict[str, Any] = {"name": self.name.value.strip(), **KEEPS[self.keep.value][1]}
        if self.description.value.strip():
            asked["description"] = self.description.value
        if self.quiesce.value:
            asked["quiesce"] = True
        self.propose(_("Make snapshot"), lambda: (target.snapshot.plan(SnapshotSpec(**asked)),))

    def _revert(self) -> None:
        name = self.choice.value
        self.propose(
            NAMED.format(label=_("Revert"), name=name),
            lambda: (self.domain.snapshots[name].revert.plan(),),
        )

    def _delete(self) -> None:
        name, options = self.choice.value, DELETES[self.what.value][1]
        self.propose(
            NAMED.format(label=_("Delete"), name=name),
            lambda: (self.domain.snapshots[name].delete.plan(**options),),
        )


def _size(size: int | None) -> str:
    return "" if size is None else short(size)
