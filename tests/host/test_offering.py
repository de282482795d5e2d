"""What a host offers to a new machine."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.errors import LabvirtError
from labvirt.host.offering import offer_of

pytestmark = pytest.mark.lab


def test_names_and_numbers_are_those_of_the_host(alpha, name):
    before = offer_of(alpha)
    assert before.memory == alpha.info().memory
    assert before.cpus == alpha.info().cpus
    assert before.max_vcpus == alpha.max_vcpus()
    assert before.pools == tuple(alpha.pools.names)
    assert before.machines[:2] == ("pc", "q35")
    assert "qemu64" in before.cpu_models
    assert before.lacking == ()
    spec = lv.DomainSpec(name=name, memory="128 MiB", vcpus=2, source=lv.TinyGuest())
    alpha.plan(spec).apply()
    after = offer_of(alpha)
    assert name in after.domains
    assert after.given_memory - before.given_memory == spec.memory
    assert after.given_vcpus - before.given_vcpus == 2


def test_discs_and_images_are_told_apart(alpha):
    pool = alpha.pools["default"]
    volumes = [
        pool.plan(lv.model.VolumeSpec(name=each, capacity="1 MiB", format="raw")).apply()
        for each in ("offer.iso", "offer.raw")
    ]
    try:
        pool.refresh()
        offer = offer_of(alpha)
        assert [path for path in offer.discs if "offer" in path] == [volumes[0].path]
        assert [path for path in offer.images if "offer" in path] == [volumes[1].path]
    finally:
        for volume in volumes:
            volume.delete(confirm=True)


def test_a_closed_host_is_an_error(lab):
    host = lab.open("alpha", readonly=True)
    host.close()
    with pytest.raises(LabvirtError):
        offer_of(host)
