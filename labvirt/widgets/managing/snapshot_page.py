"""The page of a domain's snapshots."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from labvirt.widgets.i18n import _
from labvirt.widgets.managing.pages import STYLE, Page
from labvirt.widgets.managing.parts import button, heading, pre, put

__all__ = ["SnapshotPage"]


class SnapshotPage(Page):
    """The snapshots as a tree: make one, go back to one, delete one, with the verdict before."""

    def build(self) -> w.VBox:
        """Return the widgets."""
        self.tree = w.HTML()
        self.choice = w.Select(
            options=[], rows=5, description=_("Snapshots"), layout=w.Layout(width="30em")
        )
        self.choice.observe(lambda _change: self._look(), names="value")
        self.verdict = w.HTML()
        self.name = w.Text(description=_("Snapshot name"), value="snapshot1", style=STYLE)
        self.make = button(_("Make snapshot"), _("Keep the state under this name"), self._make)
        self.revert = button(_("Revert"), _("Go back to the selected snapshot"), self._revert)
        self.delete = button(_("Delete"), _("Delete the selected snapshot"), self._delete)
        self.changers = [self.name, self.make, self.revert, self.delete]
        return w.VBox(
            [
                self.tree,
                self.choice,
                self.verdict,
                w.HBox([self.revert, self.delete]),
                w.HBox([self.name, self.make]),
            ]
        )

    def read(self) -> Any:
        """Ask for the snapshots."""
        snapshots = self.domain.snapshots
        return snapshots.tree, snapshots.names

    def draw(self, found: Any) -> None:
        """Show them."""
        tree, names = found
        put(self.tree, value=pre(tree) if tree else f"<p>{_('No snapshots yet.')}</p>")
        put(self.choice, options=tuple(names))
        self._look()

    def enable(self) -> None:
        """Without a snapshot there is nothing to go back to."""
        super().enable()
        for each in (self.revert, self.delete):
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
        name = self.name.value.strip()
        self.propose(_("Make snapshot"), lambda: (self.domain.snapshot.plan(name),))

    def _revert(self) -> None:
        name = self.choice.value
        self.propose(_("Revert"), lambda: (self.domain.snapshots[name].revert.plan(),))

    def _delete(self) -> None:
        name = self.choice.value
        self.propose(_("Delete"), lambda: (self.domain.snapshots[name].delete.plan(),))
