"""ListAsk: the few things that an action on a network, pool or volume has to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.parts import button, close_tree, heading, put, show, unbind_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labvirt.widgets.managing.listed import ListAct, ListField

__all__ = ["ListAsk"]

_STYLE = {"description_width": "12em"}
_WIDE = {"style": _STYLE, "layout": {"width": "min(36em, 98%)"}}


class ListAsk:
    """A form of a few fields with Continue and Cancel; hidden while nothing is asked."""

    def __init__(self) -> None:
        self._read: dict[str, Callable[[], Any]] = {}
        self._go: Callable[[Mapping[str, Any]], object] = lambda _options: None
        self.inputs: dict[str, Any] = {}
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
        act: ListAct,
        facts: Mapping[str, Any],
        pools: Sequence[str],
        go: Callable[[Mapping[str, Any]], object],
    ) -> None:
        """Ask for the fields of an action.

        Args:
            act: the action.
            facts: of the record: ``name`` and what the fields' defaults name.
            pools: pools that run on its host.
            go: gets what was said, by name of the field.
        """
        self.close()
        self._go = go
        title = parts.NAMED.format(label=_(act.label), name=facts["name"])
        put(self.title, value=heading(title))
        made = [self._make(field, facts, pools) for field in act.fields]
        box = [
            w.VBox([each, w.HTML(_help(field))])
            for each, field in zip(made, act.fields, strict=True)
        ]
        put(self.fields, children=tuple(box))
        unbind_tree(self.fields)
        show(self.box, on=True)
        made[0].focus()
        parts.unbind(made[0])

    def _make(self, field: ListField, facts: Mapping[str, Any], pools: Sequence[str]) -> Any:
        label, tip = _(field.label), _(field.help) or _(field.label)
        made: Any
        if field.kind == "flag":
            made = w.Checkbox(
                value=bool(field.default), description=label, indent=False, tooltip=tip,
                layout=w.Layout(width="auto"),
            )  # fmt: skip
        elif field.kind in {"choice", "pool"}:
            names = field.choices if field.kind == "choice" else tuple(pools)
            value = str(field.default).format(**facts)
            made = w.Dropdown(
                options=names, value=value if value in names else None, description=label,
                tooltip=tip, **_WIDE,
            )  # fmt: skip
        else:
            value = str(field.default).format(**facts)
            made = w.Text(value=value, description=label, tooltip=tip, **_WIDE)
        self.inputs[field.name] = made
        self._read[field.name] = lambda: _told(made.value, optional=field.optional)
        return made

    def _next(self) -> None:
        if not self.is_open:
            return
        options = {name: read() for name, read in self._read.items()}
        go = self._go
        self.close()
        go({name: value for name, value in options.items() if value is not None})

    def close(self) -> None:
        """Ask no more."""
        show(self.box, on=False)
        self._read, self.inputs = {}, {}
        old = self.fields.children
        put(self.fields, children=())
        for each in old:
            close_tree(each)


def _told(value: Any, *, optional: bool) -> Any:
    if isinstance(value, str):
        value = value.strip()
    return None if optional and not value else value


def _help(field: ListField) -> str:
    from html import escape

    return f"<small>{escape(_(field.help))}</small>" if field.help else ""
