"""The store: readings in, changes out. Each test is a list of inputs and the changes expected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from labvirt.model.units import Size
from labvirt.status import (
    Change,
    DomainRecord,
    DomainState,
    NetworkRecord,
    PoolRecord,
    PoolState,
    Store,
    VolumeRecord,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=5)


def network(name: str, *, active: bool = False, at: datetime = NOON) -> NetworkRecord:
    return NetworkRecord(f"uuid-{name}", name, active, True, False, "virbr0", "nat", at)


def changed(changes: tuple[Change, ...]) -> list[tuple[str, str, str]]:
    """What changed, in short: new, gone or different."""
    words = {(True, False): "new", (False, True): "gone", (False, False): "different"}
    return [
        (words[change.before is None, change.after is None], change.kind, change.uuid)
        for change in changes
    ]


LISTINGS = [
    # each line: a listing, and the changes it brings
    ([], []),
    (["a"], [("new", "a")]),
    (["a"], []),
    (["a", "b"], [("new", "b")]),
    (["b", "a"], []),
    (["b", "c*"], [("new", "c"), ("gone", "a")]),
    (["b*", "c*"], [("different", "b")]),
    (["b*", "c"], [("different", "c")]),
    ([], [("gone", "b"), ("gone", "c")]),
    ([], []),
]


def test_listings_one_after_the_other_bring_only_real_changes():
    store = Store()
    for number, (listing, expected) in enumerate(LISTINGS):
        records = [
            network(
                name.rstrip("*"), active=name.endswith("*"), at=NOON + timedelta(seconds=number)
            )
            for name in listing
        ]
        seen = changed(store.replace_all("network", records))
        assert seen == [(what, "network", f"uuid-{name}") for what, name in expected], number
        assert {record.uuid for record in store.all("network")} == {r.uuid for r in records}


def test_the_time_of_reading_alone_is_no_change_but_is_kept():
    store = Store()
    store.put(network("a", at=NOON))
    assert store.put(network("a", at=LATER)) == ()
    kept = store.get("network", "uuid-a")
    assert kept is not None
    assert kept.read_at == LATER


def test_a_change_has_both_records():
    store = Store()
    before, after = network("a"), network("a", active=True)
    assert store.put(before) == (Change("network", "uuid-a", None, before),)
    assert store.put(after) == (Change("network", "uuid-a", before, after),)
    assert store.drop("network", "uuid-a") == (Change("network", "uuid-a", after, None),)


def test_dropping_what_is_not_known_is_no_change():
    store = Store()
    assert store.drop("network", "nobody") == ()
    store.put(network("a"))
    assert store.drop("domain", "uuid-a") == ()
    assert store.get("network", "uuid-a") is not None


def test_a_renamed_object_is_different_not_new():
    store = Store()
    store.put(network("a"))
    (change,) = store.put(replace(network("a"), name="b"))
    assert change.before is not None
    assert change.after is not None


def test_kinds_do_not_touch_each_other():
    store = Store()
    pool = PoolRecord(
        "uuid-a", "a", "dir", PoolState.RUNNING, True, False, Size(3), Size(1), Size(2), "/p", NOON
    )
    volume = VolumeRecord("a", "v", "/p/v", "/p/v", "file", "raw", Size(1), Size(1), "", "", NOON)
    store.put(network("a"))
    store.put(pool)
    store.put(volume)
    assert store.kinds() == ("network", "pool", "volume")
    assert store.get("pool", "uuid-a") == pool
    assert store.get("volume", "/p/v") == volume
    assert changed(store.replace_all("pool", [])) == [("gone", "pool", "uuid-a")]
    assert store.all("network") == (network("a"),)
    assert store.kinds() == ("network", "volume")


def test_an_object_listed_twice_counts_once():
    store = Store()
    assert len(store.replace_all("network", [network("a"), network("a")])) == 1
    assert len(store.all("network")) == 1


def test_stale_is_said_once_and_keeps_the_first_moment():
    store = Store()
    assert store.stale_since is None
    assert store.mark_stale(NOON)
    assert not store.mark_stale(LATER)
    assert store.stale_since == NOON
    assert store.mark_fresh()
    assert not store.mark_fresh()
    assert store.stale_since is None
    assert store.mark_stale(LATER)
    assert store.stale_since == LATER


def test_what_is_stale_is_kept():
    store = Store()
    store.put(network("a"))
    store.mark_stale(LATER)
    assert store.all("network") == (network("a"),)


LISTS = st.dictionaries(st.sampled_from("abcdef"), st.booleans()).map(
    lambda drawn: [network(name, active=active) for name, active in drawn.items()]
)


@given(st.lists(LISTS, max_size=6))
def test_changes_told_to_a_mirror_keep_it_equal(listings):
    """Whoever applies the changes to a copy has the same as the store."""
    store, mirror = Store(), {}
    for listing in listings:
        for change in store.replace_all("network", listing):
            assert change.before == mirror.get(change.uuid)
            assert change.before != change.after
            if change.after is None:
                del mirror[change.uuid]
            else:
                mirror[change.uuid] = change.after
        assert mirror == {record.uuid: record for record in store.all("network")}


@given(LISTS, LISTS)
def test_the_way_to_a_state_does_not_matter(first, second):
    one, other = Store(), Store()
    one.replace_all("network", first)
    one.replace_all("network", second)
    for record in second:
        other.put(record)
    assert set(one.all("network")) == set(other.all("network"))


def test_a_domain_record_is_a_record_of_the_store():
    record = DomainRecord(
        uuid="u", name="web1", id=None, state=DomainState.SHUTOFF, reason="shutdown",
        persistent=True, autostart=False, has_managed_save=False, os_type="hvm",
        max_memory=Size(1), memory=Size(1), vcpus=1, cpu_time_ns=0, title="", tags=("a",),
        read_at=NOON,
    )  # fmt: skip
    store = Store()
    assert store.put(record)
    assert not store.put(replace(record, read_at=LATER))
    assert store.put(replace(record, tags=("a", "b")))
