"""Migration as far as it is refused or only shown; whole ones are in `migrating`."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.errors import PreconditionError

pytestmark = pytest.mark.lab


def test_the_plan_shows_the_virsh_line(blank, beta):
    plan = blank.migrate.plan(beta)
    assert "migrate --live --persistent --undefinesource" in plan.virsh
    assert f"--domain {blank.name} --desturi" in plan.virsh
    assert beta.label in plan.virsh
    assert blank.is_active


def test_every_obstacle_is_named_before_anything_is_touched(alpha, beta, spec, name):
    here = alpha.plan(spec, start=False).apply()
    beta.plan(spec).apply()
    with pytest.raises(PreconditionError) as caught:
        here.migrate(beta)
    assert "not running" in str(caught.value)
    assert f"beta has a domain {name}" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_disk_that_is_not_shared_is_named(alpha, beta, name):
    spec = lv.DomainSpec(
        name=name,
        memory="32 MiB",
        interfaces=(),
        disks=(lv.DiskSpec(size="1 MiB", pool="default"),),
    )
    domain = alpha.plan(spec).apply()
    with pytest.raises(PreconditionError, match=r"vda\.qcow2 is not on storage that both"):
        domain.migrate(beta)


def test_to_itself_is_refused(blank, alpha):
    with pytest.raises(PreconditionError, match="same host"):
        blank.migrate(alpha)
