"""One verb on many real domains at once: all of them, some that cannot, and none."""

from __future__ import annotations

import time

import pytest

import labvirt as lv
from labvirt.errors import CancelledError, ConfirmationError, PlanError, SpecError

pytestmark = pytest.mark.lab


@pytest.fixture
def many(alpha, spec):
    """Three domains without a system, switched off, and the selection of them."""
    for number in range(3):
        alpha.plan(spec.replace(name=f"{spec.name}-m{number}"), start=False).apply()
    return alpha.domains.where(f"{spec.name}-m*")


def test_one_plan_starts_and_stops_them_all(many):
    names = many.names
    plan = many.all.start.plan()
    assert plan.virsh.count("\n") == 2
    assert all(f"start {name}" in plan.virsh for name in names)
    result = plan.apply()
    assert [fate.name for fate in result.fates] == names
    assert not result.failed
    assert all(domain.is_active for domain in many)
    assert names[0] in result._repr_html_()
    with pytest.raises(ConfirmationError, match=f"{names[0]}.*\n?.*{names[1]}|{names[1]}"):
        many.all.destroy()
    many.all.destroy(confirm=True)
    assert not any(domain.is_active for domain in many)


def test_one_that_cannot_does_not_stop_the_others(many):
    first, *rest = list(many)
    first.start()
    with pytest.raises(PlanError, match="1 failed, 2 done") as caught:
        many.all.start()
    assert first.name in str(caught.value)
    assert all(domain.is_active for domain in rest)


def test_each_change_is_an_entry_of_its_own_in_the_journal(many):
    many.all.set_title("one of three")
    assert {domain.info().title for domain in many} == {"one of three"}
    titles = [entry["title"] for entry in next(iter(many)).host.journal.entries()[-4:]]
    assert sum("set title" in title for title in titles) == 4


def test_what_is_no_verb_or_no_selection_is_refused(many, alpha):
    with pytest.raises(AttributeError, match="no verb"):
        many.all.name  # noqa: B018
    with pytest.raises(AttributeError, match="no verb"):
        many.all.fly  # noqa: B018
    with pytest.raises(SpecError, match="nothing is selected"):
        alpha.domains.where("nobody*").all.start()
    with pytest.raises(SpecError, match="64 of what"):
        many.all.set_memory("64")
    with pytest.raises(SpecError, match="no verbs"):
        next(iter(many)).devices.all  # noqa: B018


def test_cancelling_stops_those_under_way(many):
    many.all.start()
    job = many.all.shutdown.job(timeout_s=60)
    time.sleep(0.5)
    began = time.monotonic()
    job.cancel()
    with pytest.raises(CancelledError):
        job.result(timeout_s=20)
    assert time.monotonic() - began < 10


def test_the_wait_of_many_is_the_wait_of_one(many):
    many.all.start()
    began = time.monotonic()
    with pytest.raises(lv.errors.PlanError, match="3 failed"):
        many.all.shutdown(timeout_s=1)
    assert time.monotonic() - began < 2.7
