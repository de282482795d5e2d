"""Kinds of migration that need no guest that counts: offline, another name, above a base."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.connection import volume as volumes
from labvirt.errors import PreconditionError
from labvirt.model import DomainXml, VolumeSpec
from labvirt.model.disk import NewVolume
from tests.host.migrating.cleaning import removed

pytestmark = pytest.mark.lab


@pytest.fixture
def made(alpha, beta, spec):
    """Make a domain of a spec on alpha; it is removed wherever it is."""
    with removed(alpha, beta) as known:

        def make(asked=spec, **options):
            domain = alpha.plan(asked, **options).apply()
            known.append(domain.uuid)
            return domain

        yield make


def test_a_domain_that_is_off_moves_its_definition(made, beta):
    domain = made(start=False)
    with pytest.raises(PreconditionError, match="offline=True"):
        domain.migrate(beta)
    result = domain.migrate(beta, offline=True)
    assert not result.domain.is_active
    assert result.domain.host is beta
    assert domain.uuid not in {one.uuid for one in domain.host.domains}
    back = result.domain.migrate(domain.host, offline=True, undefine_source=False)
    assert back.domain.host is domain.host
    assert domain.uuid in {one.uuid for one in beta.domains}


def test_it_gets_another_name_there(made, beta, name):
    domain = made()
    result = domain.migrate(beta, rename=f"{name}-new")
    assert result.domain.name == f"{name}-new"
    assert result.domain.is_active
    assert name not in domain.host.domains
    assert result.whereabouts.recover == ()


@pytest.mark.slow(seconds=8)
def test_only_the_top_image_is_copied_above_a_base_that_is_there(made, alpha, beta, spec):
    base = (
        alpha.pools["shared"]
        .plan(VolumeSpec(name=f"{spec.name}-base.qcow2", capacity="8 MiB"))
        .apply()
    )
    disk = lv.DiskSpec(
        source=NewVolume(
            size="8 MiB", pool="default", backing_path=base.path, backing_format="qcow2"
        )
    )
    domain = made(spec.replace(disks=(disk,)))
    result = domain.migrate(beta, storage="increment", pool="default")
    top = DomainXml.parse(result.domain.xml()).disks[0]
    assert top.backing_file == base.path
    pool = beta.pools["default"]
    pool.refresh()
    names = [name for name in pool.volumes.names if name.startswith(spec.name)]
    found = volumes.read(beta.connection, pool.uuid, names[0])
    assert found.backing_path == base.path
    assert found.path == top.source_file
