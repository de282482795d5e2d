"""Disks that are copied along: made before, written over only when agreed, removed on failure."""

from __future__ import annotations

import pytest

from labvirt.errors import (
    CancelledError,
    ConfirmationError,
    PlanError,
    PreconditionError,
    UnsupportedError,
)
from labvirt.model import DomainXml
from tests.bench.migrations import COPY, FAULTS, under_way

pytestmark = pytest.mark.lab
COPIED = {"storage": "copy", "pool": "default"}


def volumes(host):
    pool = host.pools["default"]
    pool.refresh()
    return set(pool.volumes.names)


def test_the_plan_makes_the_volume_and_names_what_stays(local):
    plan = local.domain.migrate.plan(local.other, **COPIED)
    assert [action.kind for action in plan.actions] == ["prepare-volume", "migrate-domain"]
    assert f"virsh -c '{local.other.label}' vol-create default" in plan.virsh
    assert "--copy-storage-all --migrate-disks vda" in plan.virsh
    assert ".nbd" in plan.virsh
    assert "stays" in plan.warnings[0]
    assert plan.destroys == ()
    assert not any(name.startswith(local.domain.name) for name in volumes(local.other))


def test_without_copying_or_a_pool_of_its_folder_it_is_refused(local):
    with pytest.raises(PreconditionError, match="is not on storage that both"):
        local.domain.migrate(local.other)
    with pytest.raises(PreconditionError, match=r"no active pool for .*pool=\.\.\. names another"):
        local.domain.migrate(local.other, storage="copy")
    with pytest.raises(PreconditionError, match="has no pool nowhere"):
        local.domain.migrate(local.other, storage="copy", pool="nowhere")
    with pytest.raises(PreconditionError, match="has no disk vdz"):
        local.domain.migrate(local.other, **COPIED, disks=("vdz",))
    with pytest.raises(PreconditionError, match="no image below it"):
        local.domain.migrate(local.other, storage="increment", pool="default")
    with pytest.raises(UnsupportedError, match="cannot be encrypted"):
        local.domain.migrate(local.other, **COPIED, tls=True)


def test_a_broken_off_copy_leaves_nothing_there(local):
    before = volumes(local.other)
    boot, count, checksum = local.proof()
    job = local.domain.migrate.job(local.other, **COPIED, bandwidth_mib_s=2)
    under_way(local, job, "setup")
    job.cancel()
    with pytest.raises(CancelledError, match="it is running") as caught:
        job.result(60)
    assert "undone" in str(caught.value)
    assert volumes(local.other) == before
    assert local.domain.whereabouts(local.other).where == "stayed"
    now = local.proof()
    assert (now[0], now[2]) == (boot, checksum)
    assert now[1] > count


@pytest.mark.slow(seconds=8)
def test_a_copy_that_takes_too_long_says_what_was_removed(local):
    before = volumes(local.other)
    with pytest.raises(PlanError, match=r"waited 2 s .* it is running") as caught:
        local.domain.migrate(local.other, **COPIED, bandwidth_mib_s=1, timeout_s=2.0)
    assert any("create volume" in undone for undone in caught.value.undone)
    assert volumes(local.other) == before


@pytest.mark.slow(seconds=11)
def test_a_killed_client_leaves_a_volume_that_the_next_one_removes(local):
    case = next(case for case in FAULTS if case.name == "client killed, disks copied")
    assert local.play(case).wrong == ""


def test_the_disk_goes_along_and_what_is_there_is_not_written_over_unasked(local):
    boot, count, checksum = local.proof()
    left = local.here
    result = local.domain.migrate(local.other, **COPIED)
    local.domain, local.other = result.domain, left
    now = local.proof()
    assert (now[0], now[2]) == (boot, checksum)
    assert now[1] > count
    for inactive in (False, True):
        disk = DomainXml.parse(local.domain.xml(inactive=inactive)).disks[0]
        assert disk.source_file.startswith(local.here.pools["default"].info().path)
    # The image it left is still there: going back would write over it.
    with pytest.raises(ConfirmationError, match="would destroy: the content of volume"):
        local.domain.migrate(local.other, **COPIED)
    back = local.domain.migrate(local.other, **COPY)
    local.domain, local.other = back.domain, local.here
    assert local.proof()[2] == checksum
