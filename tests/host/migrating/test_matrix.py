"""Every variant and every fault of a migration: the guest runs exactly once, with its data."""

from __future__ import annotations

import os

import pytest

from labvirt.errors import LabError
from tests.bench.migrations import CASES, Case

pytestmark = pytest.mark.lab


def marked(case: Case):
    marks = [pytest.mark.slow(seconds=case.seconds)]
    if "post-copy" in case.name or "no space" in case.name:
        root = os.geteuid() == 0
        why = "post-copy and mounting need root"
        marks += [pytest.mark.root, pytest.mark.skipif(not root, reason=why)]
    return pytest.param(case, id=case.name.replace(" ", "-"), marks=marks)


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_the_guest_runs_once_with_its_data(stage_of, case):
    try:
        stage = stage_of(case)
    except LabError as error:
        pytest.skip(f"this back end does not work here: {error.what.splitlines()[0]}")
    row = stage.play(case)
    print(row)
    assert row.wrong == ""
