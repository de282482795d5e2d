"""Every window and column of chapter 16 has a widget that covers it, or a reason why not."""

from __future__ import annotations

import crowd
import pytest
from guide16 import OPEN, ROWS

import labvirt.widgets as views
from labvirt.widgets.managing.details import Details
from labvirt.widgets.row_order import COLUMNS

#: The steps of chapter 16 and the windows of 12.4 in the guide.
STEPS = {
    *(f"G12.4-0{number}" for number in range(1, 8)),
    *("G16.1-01", "G16.2-01", "G16.3-01", "G16.4-01", "G16.4-02", "G16.4-03", "G16.5-01"),
    *("G16.5-02", "G16.6-01", "G16.8-01", "G16.8-02", "G16.14-01"),
    *(f"G16.7-0{number}" for number in range(1, 8)),
    *(f"G16.{number}-01" for number in range(9, 14)),
    *(f"G16.15-0{number}" for number in range(1, 8)),
}


@pytest.fixture(scope="module")
def made():
    host = crowd.Host(count=2)
    host.label, host.readonly = "test:///x", False
    host.news.record = lambda _kind, uuid: next((r for r in host.records if r.uuid == uuid), None)

    class Domain:
        uuid, name, devices = host.records[0].uuid, "vm0", ()

    domain = Domain()
    domain.host = host
    found = {"manager": views.manager(host), "details": Details(domain)}
    yield found
    for each in found.values():
        each.close()


def test_every_step_has_a_row_or_a_reason():
    assert {step for step, *_ in ROWS} | set(OPEN) == STEPS
    assert not {step for step, *_ in ROWS} & set(OPEN)


@pytest.mark.parametrize(
    ("step", "shows", "view", "part"), ROWS, ids=lambda each: each.replace(" ", "_")
)
def test_the_widget_of_a_row_is_there(step, shows, view, part, made):
    if view not in views.__all__:
        pytest.skip(f"the view {view} is not part of this installation")
    assert callable(getattr(views, view))
    if part.startswith("column:"):
        assert part.removeprefix("column:") in COLUMNS
        return
    found = made.get(view)
    for name in filter(None, part.split(".")):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
        assert found is not None
