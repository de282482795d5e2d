"""Records: libvirt's numbers become words, and what can be said of a record is right."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import libvirt
import pytest

import labvirt.status as room
from labvirt.model.units import Size
from labvirt.status import (
    DomainRecord,
    DomainState,
    JobRecord,
    PoolRecord,
    PoolState,
    VcpuRecord,
)
from labvirt.status.domain import reason_text
from labvirt.status.host import version_text

STATES = {
    # libvirt's constant: our state, virsh's words, letter of xm list, word of the guide (G15-04)
    "NOSTATE": (DomainState.NOSTATE, "no state", "-", ""),
    "RUNNING": (DomainState.RUNNING, "running", "r", "running"),
    "BLOCKED": (DomainState.BLOCKED, "idle", "b", "blocked"),
    "PAUSED": (DomainState.PAUSED, "paused", "p", "paused"),
    "SHUTDOWN": (DomainState.SHUTDOWN, "in shutdown", "s", "shutdown"),
    "SHUTOFF": (DomainState.SHUTOFF, "shut off", "", "inactive"),
    "CRASHED": (DomainState.CRASHED, "crashed", "c", "crashed"),
    "PMSUSPENDED": (DomainState.PMSUSPENDED, "pmsuspended", "", ""),
}


@pytest.mark.parametrize("name", STATES)
def test_every_state_of_libvirt_has_its_number_words_and_older_names(name):
    state, text, letter, word = STATES[name]
    assert DomainState.of(getattr(libvirt, f"VIR_DOMAIN_{name}")) is state
    assert state.number == getattr(libvirt, f"VIR_DOMAIN_{name}")
    assert (state.text, state.xm_letter, state.guide_name) == (text, letter, word)
    assert str(state) == text


def test_there_is_no_other_state_and_an_unknown_one_is_no_state():
    assert {state.name for state in DomainState} == set(STATES)
    assert DomainState.of(99) is DomainState.NOSTATE


def test_active_states_are_those_with_a_process():
    active = {state for state in DomainState if state.is_active}
    assert active == set(DomainState) - {DomainState.SHUTOFF, DomainState.NOSTATE}


def test_reasons_agree_with_libvirts_numbers():
    # Names that look like reasons and are none: ways to shut down, and reasons of an event.
    others = ("SHUTDOWN_DEFAULT", "SHUTDOWN_ACPI", "SHUTDOWN_GUEST", "SHUTDOWN_INITCTL",
              "SHUTDOWN_SIGNAL", "SHUTDOWN_PARAVIRT", "PMSUSPENDED_DISK")  # fmt: skip
    seen = 0
    for name in dir(libvirt):
        short = name.removeprefix("VIR_DOMAIN_")
        head, _, tail = short.partition("_")
        if short == name or short.startswith(others) or not tail or head not in STATES:
            continue
        number = getattr(libvirt, name)
        words = reason_text(STATES[head][0], number).lower()
        plain = words.replace(" ", "").replace("-", "").replace("/", "")
        assert words != f"reason {number}", name
        assert tail.lower()[:3] in plain, (name, words)
        seen += 1
    assert seen > 40


def test_a_reason_from_the_future_is_shown_as_its_number():
    assert reason_text(DomainState.RUNNING, 99) == "reason 99"
    assert reason_text(DomainState.RUNNING, -1) == "reason -1"


def test_pool_states_agree_with_libvirts_numbers():
    for state in PoolState:
        assert PoolState.of(getattr(libvirt, f"VIR_STORAGE_POOL_{state.name}")) is state
    assert PoolState.of(99) is PoolState.INACCESSIBLE


def test_versions_are_unpacked():
    assert version_text(9_000_000) == "9.0.0"
    assert version_text(7_002_022) == "7.2.22"
    assert version_text(10_010_003) == "10.10.3"


def test_an_affinity_is_shown_as_virsh_shows_it():
    record = VcpuRecord(0, "running", 1, 5, frozenset({0, 2}), 4)
    assert record.affinity_map == "y-y-"


@pytest.mark.parametrize(
    ("total", "remaining", "part"),
    [(0, 0, None), (100, 100, 0.0), (100, 25, 0.75), (100, 0, 1.0), (100, 150, 0.0)],
)
def test_the_part_that_is_done_stays_between_nothing_and_all(total, remaining, part):
    job = JobRecord("unbounded", "migration_out", 10, total, 0, remaining, {})
    assert job.done_part == part
    assert job.is_running
    assert not JobRecord("completed", "", 0, 0, 0, 0, {}).is_running


def test_activity_of_a_pool_follows_its_state():
    def pool(state: PoolState) -> PoolRecord:
        return PoolRecord("u", "p", "dir", state, True, True, Size(0), Size(0), Size(0), "", None)

    assert not pool(PoolState.INACTIVE).is_active
    assert pool(PoolState.DEGRADED).is_active


def test_every_record_is_frozen_small_documented_and_exported():
    records = [
        thing for name in room.__all__ if dataclasses.is_dataclass(thing := getattr(room, name))
    ]
    assert DomainRecord in records
    for record in records:
        assert record.__dataclass_params__.frozen, record
        assert hasattr(record, "__slots__"), record
        documented = inspect.getdoc(record) or ""
        for field in dataclasses.fields(record):
            assert f"{field.name}: " in documented, (record, field.name)


def test_the_room_knows_no_libvirt_and_no_clock():
    program = "import sys, labvirt.status; print('libvirt' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == ["False", "False"]
