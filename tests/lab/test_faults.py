"""Faults: refused where nothing may be broken, undone from any process, noticed by the doctor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

import labvirt as lv
from labvirt.errors import ConflictError, LabError, SpecError
from labvirt.lab.faults import all_faults
from labvirt.lab.faults.registry import words_of


@pytest.fixture(scope="module")
def lab():
    with lv.Lab.start(f"broken-{os.getpid()}", hosts=1, backend="session", ephemeral=True) as lab:
        yield lab


def test_there_are_28_and_each_speaks_two_languages():
    faults = all_faults()
    assert len({one.id for one in faults}) == 28
    for one in faults:
        for language in ("en", "ru"):
            words = words_of(one.id, language)
            assert words["title"]
            assert words["symptom"]
            assert len(words["hints"]) == 3


def test_each_check_that_must_notice_is_there():
    from labvirt.doctor.checks import all_checks

    assert {one.check for one in all_faults()} <= {one.id for one in all_checks()}


def test_what_cannot_be_is_refused_before_anything_is_changed(lab):
    with pytest.raises(SpecError, match="no fault"):
        lab.inject("pool-inactiv")
    with pytest.raises(LabError, match="no host 'gamma'"):
        lab.inject("pool-inactive", host="gamma")
    with pytest.raises(LabError, match="back end"):
        lab.inject("network-inactive")
    with pytest.raises(SpecError, match="no such option"):
        lab.inject("pool-inactive", size=3)
    with pytest.raises(LabError, match="no pool nowhere"):
        lab.inject("pool-inactive", pool="nowhere")
    assert lab.planted() == ()


def test_a_host_that_is_not_of_the_lab_is_never_broken(lab):
    with lv.Host.open("test:///default") as host, pytest.raises(LabError, match="no host of it"):
        lab.inject("pool-inactive", host=host)


def test_it_is_broken_once_and_undone_once(lab):
    planted = lab.inject("pool-inactive", language="ru")
    assert "default" in planted.symptom
    assert len(planted.hints) == 3
    assert not lab["alpha"].pools["default"].info().is_active
    with pytest.raises(ConflictError, match="already"):
        lab.inject("pool-inactive")
    assert "started again" in planted.undo()
    assert lab["alpha"].pools["default"].info().is_active
    assert "before" in planted.undo()
    assert lab.planted() == ()


def test_what_a_user_has_mended_is_left_as_it_is(lab):
    planted = lab.inject("pool-inactive")
    lab["alpha"].pools["default"].start()
    assert "mended already" in planted.undo()
    assert lab["alpha"].pools["default"].info().is_active


def test_it_is_undone_after_its_maker_was_killed(lab):
    code = (
        "import os, labvirt as lv\n"
        f"lv.Lab.attach({lab.name!r}).inject('pool-inactive')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    (planted,) = lv.Lab.attach(lab.name).planted()
    assert json.loads(planted.path.read_text())["id"] == "pool-inactive"
    assert "started again" in planted.undo()


def test_a_file_outside_the_lab_is_never_touched(lab, tmp_path):
    image = tmp_path / "mine.raw"
    image.write_bytes(bytes(1 << 20))
    tmp_path.chmod(0o755)
    spec = lv.DomainSpec(
        name="mine",
        memory="32 MiB",
        interfaces=(),
        disks=(lv.DiskSpec(path=str(image), format="raw"),),
    )
    domain = lab["alpha"].plan(spec, start=False).apply()
    with pytest.raises(LabError, match="outside the lab"):
        lab.inject("image-renamed", domain="mine")
    assert image.exists()
    domain.undefine(confirm=True)


@pytest.mark.slow(seconds=240)
@pytest.mark.parametrize("backend", ["session", "system"])
def test_every_fault_is_noticed_and_undone(backend):
    from tests.bench import faults as bench

    try:
        with bench.stage(backend) as here:
            rows = [here.play(one) for one in all_faults() if backend in one.backends]
    except LabError as error:
        if backend == "system" and "start" in error.what:
            pytest.skip(error.what)
        raise
    assert {row.fault.id: row.wrong for row in rows if row.wrong} == {}
