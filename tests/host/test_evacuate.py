"""A host is emptied on real hosts: the plan is the outcome, and it can be stopped and taken back."""

from __future__ import annotations

import os
import threading

import pytest

import labvirt as lv
from labvirt.errors import CancelledError, NotFoundError, PlanError, PreconditionError, SpecError
from labvirt.host import suggest
from labvirt.model.migration import MigrationSpec

pytestmark = pytest.mark.lab


@pytest.fixture
def three(alpha, spec, name):
    """Two running guests, one of them with autostart, and one that is off."""
    specs = [spec.replace(name=f"{name}{letter}") for letter in "abc"]
    made = [alpha.plan(one, start=one is not specs[2]).apply() for one in specs]
    made[0].set_autostart(True)
    return made


def names(guests):
    return [one.name for one in guests]


def test_all_move_as_planned_and_come_back(alpha, beta, three):
    plan = alpha.evacuate.plan([beta], domains=names(three), at_once=2)
    assert plan.virsh.count("migrate --live") == 2
    assert plan.virsh.count("--offline") == 1
    assert [one for one in plan.warnings if one.endswith("-> beta")]
    assert three[0].is_active
    seen = []
    job = plan.start()
    job.listen(lambda progress: seen.append(progress.fraction))
    result = job.result(120)
    assert [leg.state for leg in result.legs] == ["moved"] * 3
    assert set(names(three)) <= set(beta.domains.names)
    assert not set(names(three)) & set(alpha.domains.names)
    assert beta.domains[three[0].name].info().autostart
    assert not beta.domains[three[2].name].is_active
    assert seen[-1] == 1.0
    assert alpha.evacuation is result
    frame = result.df()
    assert list(frame["destination"]) == ["beta"] * 3
    assert frame["downtime_ms"].notna().sum() == 2
    assert "3 moved" in str(result)
    assert "<table>" in result._repr_html_()

    back = result.bring_back()
    assert "3 moved" in str(back)
    assert [leg.state for leg in result.legs] == ["back"] * 3
    assert set(names(three)) <= set(alpha.domains.names)
    assert alpha.domains[three[0].name].is_active
    assert alpha.domains[three[0].name].info().autostart


def test_who_cannot_leave_is_told_before_anybody_moves(alpha, beta, three, name):
    stuck = lv.DomainSpec(
        name=f"{name}z",
        memory="32 MiB",
        interfaces=(),
        disks=(lv.DiskSpec(size="1 MiB", pool="default"),),
    )
    alpha.plan(stuck).apply()
    wanted = [*names(three), f"{name}z"]
    with pytest.raises(PreconditionError, match=r"1 of 4 cannot leave: .*not on storage") as caught:
        alpha.evacuate([beta], domains=wanted)
    assert "partial=True" in caught.value.hint
    assert three[0].is_active
    result = alpha.evacuate([beta], domains=wanted, partial=True, include_off=False)
    assert "2 moved" in str(result)
    assert list(result.left) == [f"{name}z"]
    assert alpha.domains[f"{name}z"].is_active


def test_room_is_looked_for_before(alpha, beta, three):
    much = beta.info().memory >> 20
    with pytest.raises(PreconditionError, match="fit nowhere: at most 0 bytes is free"):
        alpha.evacuate([beta], domains=names(three), reserve_mib=much)


@pytest.mark.slow(seconds=8)
def test_stopping_leaves_everybody_somewhere(alpha, beta, three):
    slow = MigrationSpec(bandwidth_mib_s=1)
    job = alpha.evacuate.job([beta], domains=names(three), order="name", migration=slow)
    begun = threading.Event()
    job.listen(lambda progress: begun.set() if "moving" in progress.stage else None)
    assert begun.wait(30)
    job.cancel()
    with pytest.raises(CancelledError, match="was stopped"):
        job.result(60)
    result = alpha.evacuation
    for leg in result.legs:
        where = [host.name for host in (alpha, beta) if leg.name in host.domains]
        assert where == [("beta" if leg.state == "moved" else "alpha")], leg
    assert result.bring_back.plan().title.startswith("bring back") if result.moved else True


@pytest.mark.slow(seconds=8)
def test_one_that_fails_stays_and_the_others_come_back(alpha, beta, spec, three):
    plan = alpha.evacuate.plan([beta], domains=names(three), on_failure="undo", order="name")
    taken = three[1].name
    beta.plan(spec.replace(name=taken), start=False).apply()
    with pytest.raises(PlanError, match=f"{taken}: ") as caught:
        plan.apply()
    assert "bring_back" in caught.value.hint
    states = {leg.name: leg.state for leg in alpha.evacuation.legs}
    assert list(states.values()) == ["back", "failed", "stayed"]
    assert [one.is_active for one in three] == [True, True, False]
    assert not {three[0].name, three[2].name} & set(beta.domains.names)


@pytest.mark.slow(seconds=6)
def test_one_that_is_stopped_meanwhile_moves_all_the_same(alpha, beta, three):
    plan = alpha.evacuate.plan([beta], domains=names(three)[:2])
    three[0].destroy(confirm=True)
    assert "2 moved" in str(plan.apply())
    assert not beta.domains[three[0].name].is_active


def test_bad_wishes_are_one_clear_error(alpha, beta):
    with pytest.raises(SpecError, match="no destination"):
        alpha.evacuate([])
    with pytest.raises(SpecError, match="among the destinations itself"):
        alpha.evacuate([alpha, beta])
    with pytest.raises(SpecError):
        alpha.evacuate([beta], at_once=0)
    with pytest.raises(NotFoundError, match="nobody"):
        alpha.evacuate([beta], domains=["nobody"])
    with pytest.raises(SpecError, match="two hosts or more"):
        suggest([alpha])


def test_a_suggestion_is_about_real_guests(alpha, beta, three):
    found = suggest([alpha, beta], "balance", measure_s=0.2)
    assert set(found.before) == {"alpha", "beta"}
    assert set(found.df().columns) == {"guest", "source", "destination", "memory"}
    power = suggest([alpha, beta], "power", reserve=0.0)
    moved = {move.guest for move in power.moves}
    running = {one.name for host in (alpha, beta) for one in host.domains.records if one.id}
    assert moved <= running
    if power.moves:
        assert "migrate --live" in power.follow.plan().virsh


@pytest.mark.slow(seconds=100)
def test_ten_guests_leave_for_two_hosts_under_load():
    with lv.Lab.start(f"ten-{os.getpid()}", hosts=3, backend="session", ephemeral=True) as lab:
        hosts = alpha, beta, gamma = tuple(lab)
        spec = lv.DomainSpec(
            memory="96 MiB",
            name="x",
            source=lv.TinyGuest(),
            interfaces=(),
            disks=(lv.DiskSpec(size="4 MiB"),),
        )
        guests = [alpha.plan(spec.replace(name=f"g{i}")).apply() for i in range(10)]
        for guest in guests:
            guest.wait_for("agent", timeout_s=150)
            _shell(guest, "dd if=/dev/urandom of=/dev/vda bs=1M count=4; sync")
        boots = {one.name: _counter(one) for one in guests}
        assert len({seal for _boot, _count, seal in boots.values()}) == 10
        busy = "while :; do dd if=/dev/urandom of=/run/x bs=64k count=16 2>/dev/null; done"
        for guest in guests[:3]:
            guest.agent("guest-exec", path="/bin/sh", arg=["-c", busy])
        plan = alpha.evacuate.plan([beta, gamma], at_once=2)
        result = plan.apply()
        planned = {leg.name: leg.destination.name for leg in result.legs}
        assert set(planned) == {one.name for one in guests}
        assert set(planned.values()) == {"beta", "gamma"}
        for host in hosts:
            here = {name for name, where in planned.items() if where == host.name}
            assert set(host.domains.names) == here
            for name in here:
                boot, count, seal = _counter(host.domains[name])
                assert (boot, seal) == (boots[name][0], boots[name][2])
                assert count > boots[name][1]
        result.bring_back()
        assert set(alpha.domains.names) == set(planned)
        assert {one: _counter(alpha.domains[one])[::2] for one in planned} == {
            one: boots[one][::2] for one in planned
        }


def _shell(domain, line):
    return domain.run(["/bin/sh", "-c", line], timeout_s=60).stdout


def _counter(domain):
    """Which boot, how far it has counted, and what is on its disk, asked inside the guest."""
    drop = "echo 3 > /proc/sys/vm/drop_caches"
    boot, count, seal, _disk = _shell(
        domain, f"{drop}; cat /run/bootid /run/counter; md5sum /dev/vda"
    ).split()
    return boot, int(count), seal
