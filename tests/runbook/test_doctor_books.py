"""The doctor's books on a lab: a fault is found, only what is allowed is mended, and it is looked again."""

from __future__ import annotations

import os

import nbformat
import pytest

import labvirt as lv
from labvirt.errors import LabvirtError

pytestmark = [pytest.mark.lab, pytest.mark.slow(seconds=30)]


@pytest.fixture(scope="module")
def lab():
    with lv.Lab.start(f"docbk-{os.getpid()}", hosts=1, backend="session", ephemeral=True) as lab:
        yield lab


def text_of(path):
    return "\n".join(
        str(out.get("text", "")) + str(out.get("data", {}).get("text/plain", ""))
        for cell in nbformat.read(path, as_version=4).cells
        for out in cell.get("outputs", [])
    )


def run(lab, book, folder, **values):
    record = lv.run(book, {"uri": f"lab:{lab.name}/alpha", **values}, folder=folder, html=False)
    return record, text_of(record.notebook)


def test_a_pool_that_is_off_is_found_and_mended_only_when_it_may_be(lab, tmp_path):
    pool = lab["alpha"].pools["default"]
    pool.stop()
    record, text = run(lab, "troubleshoot", tmp_path / "a", symptom="no-disk")
    record.require_ok()
    assert "storage.active:default" in text
    assert "not applied: apply='none'" in text
    assert not pool.info().is_active
    record, text = run(lab, "troubleshoot", tmp_path / "b", symptom="no-disk", apply="safe")
    record.require_ok()
    assert "mended: storage.active:default" in text
    assert pool.info().is_active


def test_a_fault_that_stays_ends_a_strict_run(lab, tmp_path):
    pool = lab["alpha"].pools["default"]
    pool.stop()
    try:
        record, _text = run(lab, "troubleshoot", tmp_path, symptom="no-disk", strict=True)
        assert (record.outcome, record.exit_code) == ("precondition", 3)
        assert "storage.active:default" in record.error
    finally:
        pool.start()


def test_an_audit_looks_at_every_area_and_changes_nothing(lab, tmp_path):
    before = len(lab["alpha"].journal.entries(last=10_000))
    record, text = run(lab, "host-audit", tmp_path)
    record.require_ok()
    assert "audit" in text or "alpha" in text
    assert text.count("alpha: ") >= 4
    assert len(lab["alpha"].journal.entries(last=10_000)) == before


def test_a_symptom_that_nobody_knows_is_refused_before_a_kernel_starts(lab):
    with pytest.raises(LabvirtError, match="symptom"):
        lv.run("troubleshoot", {"symptom": "headache"})
