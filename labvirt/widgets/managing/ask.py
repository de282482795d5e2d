"""Ask: the few things that an action has to be told before it can be planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.deleting import files_of
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.parts import (
    button,
    close_tree,
    heading,
    put,
    show,
    status,
    unbind,
    unbind_tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labvirt.host.domain import Domain
    from labvirt.host.host import Host
    from labvirt.widgets.managing.actions import Act, Facts, Field
    from labvirt.widgets.managing.parts import Aside

__all__ = ["Ask"]

_STYLE = {"description_width": "12em"}


class Ask:
    """A form of a few fields with Continue and Cancel; hidden while nothing is asked.

    Args:
        aside: reads what the fields need of the host.
    """

    def __init__(self, aside: Aside) -> None:
        self._aside = aside
        self._read: dict[str, Callable[[], Any]] = {}
        self._go: Callable[[Mapping[str, Any]], object] = lambda _options: None
        self.title = w.HTML()
        self.fields = w.VBox([])
        self.next = button(_("Continue"), _("Show what will be done"), self._next, kind="primary")
        self.cancel = button(_("Cancel"), _("Ask no more; nothing is changed"), self.close)
        self.box = w.VBox(
            [self.title, self.fields, w.HBox([self.next, self.cancel])],
            layout=w.Layout(
                border="1px solid var(--jp-border-color1, #bbb)",
                padding="8px",
                margin="4px 0",
                display="none",
            ),
        )
        self.box.add_class("labvirt-ask")

    @property
    def is_open(self) -> bool:
        """Whether something is asked now."""
        return bool(self.box.layout.display != "none")

    def open(
        self,
        act: Act,
        chosen: Sequence[Facts],
        domains: Sequence[Domain],
        hosts: Sequence[Host],
        go: Callable[[Mapping[str, Any]], object],
    ) -> None:
        """Ask for the fields of an action; `go` gets what was said."""
        self.close()
        put(self.next, disabled=False)
        self._go = go
        names = ", ".join(each.name for each in chosen)
        title = parts.NAMED.format(label=_(act.label), name=names)
        put(self.title, value=heading(title))
        made = [self._make(field, chosen, domains, hosts) for field in act.fields]
        put(self.fields, children=tuple(made))
        show(self.box, on=True)
        first = next(iter(getattr(made[0], "children", made)), None) if made else None
        focus = getattr(first, "focus", None)
        if focus is not None:
            focus()
            unbind(first)

    def _make(
        self,
        field: Field,
        chosen: Sequence[Facts],
        domains: Sequence[Domain],
        hosts: Sequence[Host],
    ) -> Any:
        label = _(field.label)
        first = chosen[0]
        if field.kind == "flag":
            made = w.Checkbox(
                value=bool(field.default), description=label, indent=False, tooltip=_(field.help)
            )
            self._read[field.name] = lambda: made.value
            return w.VBox([made, w.HTML(status(_(field.help)))])
        if field.kind == "host":
            ours = {each.host for each in chosen}
            others = [each for each in hosts if not ours >= {each.name} and not each.readonly]
            pick = w.Dropdown(
                options=[(f"{each.name} · {each.label}", at) for at, each in enumerate(others)],
                description=label,
                style=_STYLE,
                layout=w.Layout(width="36em"),
            )
            self._read[field.name] = lambda: others[pick.value] if pick.value is not None else None
            return pick
        if field.kind == "file":
            return self._files(field, domains)
        if field.kind == "snapshot":
            return self._snapshots(field, domains[0])
        known = {
            "name": first.name,
            "tags": " ".join(first.tags),
            "title": first.title,
            "description": first.description,
        }
        text = (w.Textarea if field.kind == "long" else w.Text)(
            value=str(field.default).format(**known),
            description=label,
            tooltip=_(field.help) or label,
            style=_STYLE,
            layout=w.Layout(width="36em"),
        )
        self._read[field.name] = lambda: text.value
        return text

    def _snapshots(self, field: Field, domain: Domain) -> Any:
        """Return a choice of the domain's snapshots, which are asked for aside."""
        words = w.HTML(status(_("Looking for snapshots …")))
        pick = w.Dropdown(
            options=[],
            description=_(field.label),
            disabled=True,
            style=_STYLE,
            layout=w.Layout(width="36em"),
        )
        self._read[field.name] = lambda: pick.value

        def found(records: Sequence[Any]) -> None:
            options = [
                (f"{each.name} · {each.state} · {each.created:%Y-%m-%d %H:%M:%S} UTC", each.name)
                for each in records
            ]
            put(pick, options=tuple(options), disabled=not options)
            put(words, value="" if options else status(_("The VM has no snapshots.")))
            put(self.next, disabled=not options)

        def failed(error: BaseException) -> None:
            put(words, value=fault(error))

        put(self.next, disabled=True)
        self._aside.run("snapshots", lambda: domain.snapshots.records, found, failed, latest=True)
        return w.VBox([pick, words])

    def _files(self, field: Field, domains: Sequence[Domain]) -> Any:
        """Return a place for check boxes of files, which are looked for aside."""
        place = w.VBox([w.HTML(status(_("Looking for files of the VM …")))])
        boxes: list[tuple[str, str, Any]] = []
        self._read[field.name] = lambda: {path: of for path, of, box in boxes if box.value}

        def found(files: Sequence[tuple[str, str, str]]) -> None:
            made: list[Any] = []
            for path, why, of in files:
                text = f"{path} ({_('stays')}: {why})" if why else path
                box = w.Checkbox(
                    value=False,
                    description=text,
                    disabled=bool(why),
                    indent=False,
                    tooltip=text,
                    layout=w.Layout(width="auto"),
                )
                boxes.append((path, of, box))
                made.append(box)
            words = _(field.label) if made else _("The VM has no files of its own.")
            put(place, children=(w.HTML(heading(words)), *made))
            unbind_tree(place)

        def failed(error: BaseException) -> None:
            put(place, children=(w.HTML(fault(error)),))

        self._aside.run(
            "files",
            lambda: [(*each, domain.uuid) for domain in domains for each in files_of(domain)],
            found,
            failed,
            latest=True,
        )
        return place

    def _next(self) -> None:
        if not self.is_open:
            return
        options = {name: read() for name, read in self._read.items()}
        go = self._go
        self.close()
        go(options)

    def close(self) -> None:
        """Ask no more."""
        show(self.box, on=False)
        self._read = {}
        old = self.fields.children
        put(self.fields, children=())
        for each in old:
            close_tree(each)
