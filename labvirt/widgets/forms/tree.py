"""Tree: a form as data for the page: sections, controls, groups and lists, in one language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.widgets.forms.depends import ADVANCED, FOLDED
from labvirt.widgets.forms.labels import CHOICE_LABELS, one_of
from labvirt.widgets.forms.migration_labels import CHOICE_OWN
from labvirt.widgets.forms.raw import unit_shown
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.widgets.forms.choices import Choices
    from labvirt.widgets.forms.fields import FormField
    from labvirt.widgets.forms.state import FormState

__all__ = ["Section", "nodes_of", "section_nodes"]

_NAMES: Final = frozenset({"kvm", "utc", "kvm,", "off", "virtio"})

#: Key, title, and the fields of one part of a form.
Section = tuple[str, str, tuple[str, ...]]


def section_nodes(
    state: FormState[Any],
    sections: Sequence[Section],
    choices: Choices,
    errors: Mapping[str, str],
    offered: Mapping[str, tuple[str, ...]],
) -> list[dict[str, Any]]:
    """Return the parts of a form, each with its controls and the number of its errors."""
    made = []
    by_name = {field.name: field for field in state.fields}
    for key, title, names in sections:
        fields = [by_name[name] for name in names if name in by_name]
        nodes = nodes_of(state, fields, "", choices, errors)
        if not nodes:
            continue  # other values leave nothing to ask here
        for node in nodes:
            if node["path"] in offered:
                node["offered"] = list(offered[node["path"]])
        heads = tuple(field.name for field in fields)
        wrong = sum(path.split(".")[0].split("[")[0] in heads for path in errors if path)
        made.append({"key": key, "title": _(title), "nodes": nodes, "wrong": wrong})
    return made


def nodes_of(
    state: FormState[Any],
    fields: Sequence[FormField],
    prefix: str,
    choices: Choices,
    errors: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return the controls of one level and, inside groups and lists, of those below."""
    return [
        _node(state, field, path, choices, errors)
        for field, path in state.shown(tuple(fields), prefix)
    ]


def _node(
    state: FormState[Any],
    field: FormField,
    path: str,
    choices: Choices,
    errors: Mapping[str, str],
) -> dict[str, Any]:
    node: dict[str, Any] = {
        "path": path,
        "kind": field.kind,
        "label": _(field.label),
        "help": _help(field),
        "unit": unit_shown(field, str(state.value(field, path))),
        # A secret goes to the kernel and never back.
        "value": "" if field.kind == "secret" else state.value(field, path),
        "given": path in state.raw,
        "required": field.required,
        "error": errors.get(path, ""),
        "example": field.examples[0] if field.examples else "",
        "more": _is_folded(state, field, path),
    }
    if field.kind in {"choice", "group"} and field.choices:
        node["choices"] = _choices(field, required=field.required)
        node["kind"] = "choice" if field.kind == "choice" else "variant"
    offered = choices.of(state.cls.__name__, path, lambda: _kind_beside(state, path))
    if offered and field.kind in {"text", "words"}:
        node["offered"] = list(offered)
    if field.kind == "group" and not field.variants:
        node["kind"] = "switch" if field.optional else "group"
    levels = list(state.inner(field, path))
    if field.kind == "list":
        node["one"] = _(one_of(field.name))
        node["elements"] = [
            {
                "path": below[:-1],
                "label": f"{node['one']} {number}",
                "error": errors.get(below[:-1], ""),
                "nodes": nodes_of(state, inner, below, choices, errors),
            }
            for number, (inner, below) in enumerate(levels, 1)
        ]
    elif levels:
        inner, below = levels[0]
        node["nodes"] = nodes_of(state, inner, below, choices, errors)
    return node


def _is_folded(state: FormState[Any], field: FormField, path: str) -> bool:
    if "." in path:
        return field.name in ADVANCED
    return field.name in FOLDED.get(state.cls.__name__, ())


def _kind_beside(state: FormState[Any], path: str) -> str:
    """Return the kind that decides what a field is offered."""
    parent = path.rpartition(".")[0]
    if not parent:
        return str(state.value(state.find("kind"), "kind"))
    field = state.find(parent)
    if field.kind == "list":
        kind = f"{parent}.kind"
        return str(state.value(state.find(kind), kind))
    return str(state.value(field, parent))


def _choices(field: FormField, *, required: bool) -> list[list[str]]:
    names = list(field.choices)
    if (field.optional or field.kind == "group" or required) and field.default in {None, True}:
        names = ["", *names]
    told = {
        name: CHOICE_OWN.get((field.name, name)) or CHOICE_LABELS.get(name, "") for name in names
    }
    return [[name, _(told[name]) or name] for name in names]


def _help(field: FormField) -> str:
    """Return what a field is, its limits, and an example."""
    text = _(field.help)
    # Names such as kvm are written as they are.
    is_name = text.split(" ", 1)[0].rstrip(":,;") in _NAMES
    parts = [text if is_name else text[:1].upper() + text[1:] if text else _(field.label)]
    if field.low is not None and field.high is not None:
        parts.append(_("From {low} to {high}").format(low=field.low, high=field.high))
    elif field.low:
        parts.append(_("At least {low}").format(low=field.low))
    if field.unit and field.kind == "size":
        parts.append(_("A bare number is in {unit}").format(unit=field.unit))
    if field.kind == "lines":
        parts.append(_("Several: one on each line"))
    if field.kind == "pairs":
        parts.append(_("Several name=value: with commas"))
    if field.kind == "words":
        parts.append(_("Several: with commas"))
    if field.examples:
        parts.append(_("Example: {text}").format(text=", ".join(field.examples)))
    return ". ".join(parts) + "."
