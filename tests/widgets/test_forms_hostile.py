"""Every field of every form, given what no field should get: one error at most per field, no crash."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.errors import SpecError
from labvirt.model.network import NetworkSpec
from labvirt.model.pool import PoolSpec
from labvirt.model.volume import VolumeSpec
from labvirt.widgets.forms.fields import fields_of
from labvirt.widgets.forms.state import FormState
from labvirt.widgets.forms.static import as_html

NASTY = (
    "-1",
    "9" * 5000,
    "</pre><img src=x onerror=alert(1)><script>window.hurt = 1</script>",
    "'; rm -rf / #",
    "{0.__class__} %s",
    "../../etc/passwd",
    "a\x00b\n",
    "\ud800",
    "\u202eevil",
)


def leaves(fields, prefix="", steps=()):
    """Yield what has to be done so that a field is shown, its path, and the field."""
    for field in fields:
        path = f"{prefix}{field.name}"
        if field.kind == "list":
            inner = (*steps, ("add", path))
            yield from leaves(field.inner, f"{path}[0].", inner)
        elif field.variants:
            for name, inside in field.variants:
                yield from leaves(inside, f"{path}.", (*steps, (path, name)))
        elif field.kind == "group":
            yield from leaves(field.inner, f"{path}.", (*steps, (path, True)))
        elif field.kind != "flag":
            yield steps, path, field


@pytest.mark.parametrize("spec", [lv.DomainSpec, NetworkSpec, PoolSpec, VolumeSpec])
def test_every_field_takes_or_refuses_what_it_is_given(spec):
    seen = 0
    for steps, path, _field in leaves(fields_of(spec)):
        state = FormState(spec)
        for where, value in steps:
            if where == "add":
                state.add(value)
            else:
                state.set(where, value)
        seen += 1
        for value in NASTY:
            before = dict(state.raw)
            try:
                state.set(path, value)
            except SpecError:
                assert state.raw == before
                continue
            checked = state.check()
            assert all(isinstance(text, str) and text for text in checked.errors.values())
            assert all(len(text) < 1000 for text in checked.errors.values()), (path, value[:40])
            if "<script" in value:
                shown = as_html("form", state, checked.errors)
                assert "<script" not in shown, path
                assert "<img" not in shown, path
    assert seen > 10
