"""MAC addresses and UUIDs (guide G17.8-01 to 03)."""

from __future__ import annotations

import random
import re
import uuid
from collections import Counter

import pytest

from labvirt.errors import SpecError
from labvirt.model.ident import XEN_OUI, new_mac, new_uuid, normal_mac, normal_uuid


def test_ten_thousand_xen_addresses_have_the_distribution_of_the_guide():
    rng = random.Random(178)
    taken = set()
    for _ in range(10_000):
        taken.add(new_mac(XEN_OUI, taken=(), rng=rng))
    fourth = Counter(int(mac.split(":")[3], 16) for mac in taken)
    assert set(fourth) <= set(range(0x80))
    assert len(fourth) == 0x80
    assert max(fourth.values()) < 2 * 10_000 / 0x80
    assert all(re.fullmatch(r"00:16:3e(:[0-9a-f]{2}){3}", mac) for mac in taken)


def test_addresses_of_kvm_use_the_whole_range():
    rng = random.Random(1)
    made = [new_mac(rng=rng) for _ in range(2000)]
    assert all(mac.startswith("52:54:00:") for mac in made)
    assert max(int(mac.split(":")[3], 16) for mac in made) > 0x7F


def test_a_new_address_is_none_that_is_taken():
    class Loaded(random.Random):
        rolls = iter([1, 2, 3, 1, 2, 3, 1, 2, 4])

        def randint(self, low, high):
            return next(self.rolls)

    assert new_mac(taken=["52-54-00-01-02-03"], rng=Loaded()) == "52:54:00:01:02:04"


def test_a_full_range_is_an_error_and_no_endless_search():
    class Stuck(random.Random):
        def randint(self, low, high):
            return 0

    with pytest.raises(SpecError, match="no free address"):
        new_mac(taken=["52:54:00:00:00:00"], rng=Stuck())


@pytest.mark.parametrize("oui", ["", "52:54", "52:54:00:00", "zz:54:00", "01:00:5e", "52 54 00"])
def test_a_prefix_that_is_none_is_refused(oui):
    with pytest.raises(SpecError):
        new_mac(oui)


def test_a_new_uuid_is_of_version_four_and_not_taken():
    first = new_uuid(rng=random.Random(5))
    again = new_uuid(taken=[first.replace("-", "").upper()], rng=random.Random(5))
    for made in (first, again):
        assert uuid.UUID(made).version == 4
        assert uuid.UUID(made).variant == uuid.RFC_4122
    assert first != again


def test_uuids_that_are_all_taken_are_an_error_and_no_endless_search():
    class Stuck(random.Random):
        def getrandbits(self, count):
            return 0

    with pytest.raises(SpecError, match="no free UUID"):
        new_uuid(taken=[new_uuid(rng=Stuck())], rng=Stuck())


def test_addresses_are_brought_to_one_form():
    assert normal_mac(" 52-54-00-AB-cd-EF ") == "52:54:00:ab:cd:ef"
    assert normal_mac("01:00:5e:00:00:01", unicast=False) == "01:00:5e:00:00:01"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "52:54:00",
        "52:54:00:ab:cd:eg",
        "5254.00ab.cdef",
        "52:54-00:ab:cd:ef",
        "01:00:5e:00:00:01",
        "00:00:00:00:00:00",
        "x" * 300,
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(SpecError) as caught:
        normal_mac(text)
    assert caught.value.field == "mac"
    assert len(str(caught.value)) < 300


def test_uuids_are_brought_to_one_form():
    want = "4a4c59a7-ee3f-c781-96e4-288f2862f011"
    assert normal_uuid("4A4C59A7EE3FC78196E4288F2862F011") == want
    assert normal_uuid(f" {want} ") == want


@pytest.mark.parametrize("text", ["", "4a4c59a7", "4a4c59a7-ee3fc781-96e4-288f2862f011", "g" * 32])
def test_what_is_no_uuid_is_refused(text):
    with pytest.raises(SpecError) as caught:
        normal_uuid(text)
    assert caught.value.field == "uuid"
