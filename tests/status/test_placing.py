"""Places for guests that leave, balance, and hosts that could rest."""

from __future__ import annotations

import pytest

from labvirt.status.placing import GuestLoad, HostLoad, balance, place, save_power

GIB = 1 << 30


def host(name, *guests, memory=16, free=None, cpus=0):
    made = tuple(GuestLoad(f"{name}-{i}", size * GIB) for i, size in enumerate(guests))
    available = (memory - sum(guests) if free is None else free) * GIB
    return HostLoad(name, memory * GIB, available, cpus, made)


def test_each_goes_to_the_host_with_the_most_room_left():
    guests = [GuestLoad("a", 4 * GIB), GuestLoad("b", 4 * GIB), GuestLoad("c", 2 * GIB)]
    moves, left = place("k1", guests, [host("k2", free=6), host("k3", free=5)])
    assert left == {}
    assert {one.guest: one.destination for one in moves} == {"a": "k2", "b": "k3", "c": "k2"}
    assert [one.guest for one in moves] == ["a", "b", "c"]
    moves, _ = place("k1", guests, [host("k2", free=16)], order="smallest")
    assert [one.guest for one in moves] == ["c", "a", "b"]


def test_who_has_no_place_is_told_why():
    guests = [GuestLoad("a", 8 * GIB), GuestLoad("b", GIB, pinned="a USB stick")]
    moves, left = place("k1", guests, [host("k2", free=8)], reserve=GIB)
    assert moves == ()
    assert left == {"a": "8 GiB fit nowhere: at most 7 GiB is free", "b": "a USB stick"}
    assert "nothing is free" in place("k1", guests[:1], [])[1]["a"]


def test_the_largest_find_their_place_first_whatever_the_order():
    guests = [GuestLoad("a", 2 * GIB), GuestLoad("z", 6 * GIB)]
    moves, left = place("k1", guests, [host("k2", free=6), host("k3", free=2)], order="name")
    assert left == {}
    assert [(one.guest, one.destination) for one in moves] == [("a", "k3"), ("z", "k2")]


def test_balance_evens_out_and_then_proposes_nothing():
    found = balance([host("k1", 4, 4, 2), host("k2"), host("k3", 1)])
    assert found.moves
    assert max(found.after.values()) - min(found.after.values()) < 0.2
    assert sum(found.after.values()) == pytest.approx(sum(found.before.values()))
    assert balance([host("k1", 4), host("k2", 4)]).moves == ()
    assert "k1" in str(found)


def test_balance_never_moves_what_is_pinned_or_does_not_fit():
    pinned = HostLoad("k1", 16 * GIB, 0, 0, (GuestLoad("a", 16 * GIB, pinned="PCI"),))
    assert balance([pinned, host("k2")]).moves == ()
    assert balance([host("k1", 12), host("k2", memory=8)]).moves == ()


def test_processors_count_too():
    busy = HostLoad("k1", 16 * GIB, 15 * GIB, 2, (GuestLoad("a", GIB, 1.0), GuestLoad("b", 0, 1.0)))
    found = balance([busy, HostLoad("k2", 16 * GIB, 16 * GIB, 2)])
    assert len(found.moves) == 1
    assert found.before["k1"] == 1.0
    assert found.after["k1"] == pytest.approx(0.5)


def test_power_saving_empties_the_emptiest_and_keeps_a_reserve():
    found = save_power([host("k1", 8), host("k2", 2, 1), host("k3", 3)])
    assert set(found.emptied) == {"k2", "k3"}
    assert all(found.after[name] == 0 for name in found.emptied)
    assert {one.destination for one in found.moves} == {"k1"}
    assert "could be switched off" in found.why
    full = save_power([host("k1", 15), host("k2", 2)])
    assert (full.moves, full.emptied) == ((), ())
    assert full.why == "no host can be emptied"
