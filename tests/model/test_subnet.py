"""Free subnets: never one that is in use, in the order in which people expect them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import NotFoundError, SpecError
from labvirt.model.subnet import free_subnet, overlapping

NET = ipaddress.ip_network


def test_libvirts_own_subnet_comes_first():
    assert free_subnet([]) == NET("192.168.122.0/24")
    assert free_subnet([NET("192.168.122.0/24")]) == NET("192.168.123.0/24")
    assert free_subnet([NET("192.168.0.0/16")]) == NET("10.128.0.0/24")
    assert free_subnet([NET("192.168.0.0/16"), NET("10.0.0.0/8")]) == NET("172.16.0.0/24")
    assert free_subnet([NET("0.0.0.0/0")]) == NET("192.168.122.0/24"), (
        "the default route is no subnet"
    )


def test_what_cannot_be_offered_is_refused():
    for options in ({"prefix": 8}, {"prefix": 31}, {"version": 5}, {"version": 6, "prefix": 40}):
        with pytest.raises(SpecError, match="cannot be offered"):
            free_subnet([], **options)
    everything = [NET(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    with pytest.raises(NotFoundError):
        free_subnet(everything)


def test_ipv6_is_unique_local_and_differs_by_host():
    one, two = (free_subnet([], version=6, seed=seed) for seed in ("a", "b"))
    assert one != two
    assert one.subnet_of(NET("fd00::/8"))
    assert one.prefixlen == 64
    assert free_subnet([one], version=6, seed="a") != one


@given(
    st.lists(
        st.builds(
            lambda number, length: NET((number, length), strict=False),
            st.integers(0, 2**32 - 1),
            st.integers(9, 32),
        ),
        max_size=8,
    ),
    st.integers(9, 30),
)
def test_what_is_offered_is_free_private_and_of_the_wanted_size(taken, prefix):
    try:
        found = free_subnet(taken, prefix=prefix)
    except NotFoundError:
        return
    assert overlapping(found, taken) is None
    assert found.prefixlen == prefix
    assert found.is_private
