"""What is said of a domain after a migration, from what two hosts say. No libvirt."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from labvirt.host.migrating.outcome import Whereabouts

HERE, THERE = "qemu:///here", "qemu:///there"


def record(state, reason, name="web1"):
    return SimpleNamespace(
        name=name,
        id=None if state == "shut off" else 1,
        state=SimpleNamespace(text=state),
        reason=reason,
    )


def seen(here, there, silent=()):
    return Whereabouts("web1", "a", "b", here, there, silent, HERE, THERE)


RUNS = record("running", "booted")
CAME = record("running", "migrated")
OFF = record("shut off", "migrated")


@pytest.mark.parametrize(
    ("here", "there", "silent", "where", "recover"),
    [
        (None, CAME, (), "moved", []),
        (OFF, CAME, (), "moved", []),
        (RUNS, None, (), "stayed", []),
        (RUNS, record("shut off", "failed"), (), "stayed", []),
        (record("paused", "user"), None, (), "stayed", []),
        (record("paused", "migrating"), None, (), "stayed", [f"{HERE} resume web1"]),
        (None, record("paused", "user"), (), "moved", []),
        (None, record("paused", "migrating"), (), "moved", [f"{THERE} resume web1"]),
        (None, record("paused", "migrating", "web2"), (), "moved", [f"{THERE} resume web2"]),
        (RUNS, record("paused", "migrating"), (), "twice", [f"{THERE} destroy web1"]),
        (
            record("paused", "migrating"),
            record("paused", "migrating"),
            (),
            "twice",
            [f"{THERE} destroy web1", f"{HERE} resume web1"],
        ),
        (record("paused", "migrating"), CAME, (), "twice", [f"{HERE} destroy web1"]),
        (
            record("paused", "post-copy failed"),
            record("running", "post-copy failed"),
            (),
            "split",
            [f"{HERE} migrate --live --postcopy --postcopy-resume"],
        ),
        (
            record("paused", "post-copy failed"),
            None,
            (),
            "stayed",
            [f"{HERE} destroy web1", f"{HERE} start web1"],
        ),
        (OFF, None, (), "nowhere", [f"{HERE} start web1"]),
        (None, None, (), "nowhere", []),
        (None, CAME, ("a",), "unknown", []),
        (RUNS, None, ("b",), "unknown", []),
        (None, None, ("a", "b"), "unknown", []),
    ],
)
def test_where_it_is_and_how_to_recover(here, there, silent, where, recover):
    found = seen(here, there, silent)
    assert found.where == where
    assert len(found.recover) == len(recover)
    for line, part in zip(found.recover, recover, strict=True):
        assert line.startswith("virsh -c " + part)


def test_neither_half_of_a_post_copy_is_ever_destroyed():
    for reasons in [("post-copy", "post-copy"), ("post-copy failed", "post-copy")]:
        found = seen(record("paused", reasons[0]), record("running", reasons[1]))
        assert found.where == "split"
        assert not any("destroy" in line for line in found.recover)
