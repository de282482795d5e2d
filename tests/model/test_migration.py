"""A migration that is asked for: what goes together, and what does not."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model.migration import MigrationSpec


def test_the_defaults_are_live_direct_and_move_the_definition():
    spec = MigrationSpec()
    assert (spec.live, spec.offline, spec.mode, spec.storage) == (True, False, "direct", "shared")
    assert spec.persist
    assert spec.undefine_source
    assert not spec.unsafe
    assert not spec.p2p
    assert not spec.copies_disks


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"offline": True, "auto_converge": True}, "auto_converge"),
        ({"offline": True, "persist": False}, "persist"),
        ({"offline": True, "storage": "copy"}, "storage"),
        ({"offline": True, "mode": "tunnelled"}, "mode"),
        ({"offline": True, "postcopy": True}, "postcopy"),
        ({"mode": "tunnelled", "migrate_uri": "tcp://b"}, "migrate_uri"),
        ({"mode": "tunnelled", "tls": True}, "tls"),
        ({"mode": "tunnelled", "storage": "copy"}, "storage"),
        ({"peer_uri": "qemu+tls://b/system"}, "peer_uri"),
        ({"migrate_uri": "http://b"}, "migrate_uri"),
        ({"tls_name": "b.example"}, "tls_name"),
        ({"disks": ("vda",)}, "disks"),
        ({"pool": "default"}, "pool"),
        ({"throttle_initial": 20}, "throttle_initial"),
        ({"compression": "zstd"}, "compression"),
        ({"compression": "xbzrle", "parallel": 2}, "compression"),
        ({"postcopy_after_s": 2.0}, "postcopy_after_s"),
        ({"on_timeout": "postcopy"}, "on_timeout"),
        ({"postcopy": True, "storage": "copy"}, "postcopy"),
        ({"postcopy": True, "live": False}, "postcopy"),
        ({"bandwidth_mib_s": 0}, "bandwidth_mib_s"),
        ({"bandwidth_mib_s": True}, "bandwidth_mib_s"),
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"rename": "a/b"}, "rename"),
        ({"rename": ""}, "rename"),
        ({"parallel": 256}, "parallel"),
        ({"max_downtime_ms": -1}, "max_downtime_ms"),
        ({"speed": 3}, "speed"),
    ],
)
def test_what_does_not_go_together_names_the_field(wrong, field):
    with pytest.raises(SpecError) as caught:
        MigrationSpec(**wrong)
    assert field in {problem.field for problem in caught.value.problems}


def test_every_problem_is_told_at_once():
    with pytest.raises(SpecError) as caught:
        MigrationSpec(tls_name="b", throttle_initial=1, disks=("vda",), on_timeout="postcopy")
    assert len(caught.value.problems) == 4
