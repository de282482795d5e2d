"""Errors explained: every entry by a real text, and what a real daemon and real tools say."""

from __future__ import annotations

import subprocess

import libvirt
import pytest

import labvirt as lv
from labvirt.doctor.catalogue import entries, filled, find
from labvirt.doctor.codes import code_name, part_name
from labvirt.errors import LabvirtError, SpecError

#: How many errors the catalogue knows at least.
LEAST = 200


def test_the_catalogue_covers_so_many_errors_and_each_has_a_sample():
    keys = [one.key for one in entries()]
    assert len(keys) == len(set(keys))
    assert len(keys) >= LEAST
    assert all(one.samples and one.look and one.next and one.cause for one in entries())


@pytest.mark.parametrize("entry", entries(), ids=lambda one: one.key)
def test_each_sample_belongs_to_its_own_entry(entry):
    for sample in entry.samples:
        found = find(sample)
        assert found is not None, sample
        assert found[0].key == entry.key, sample
        cause = filled(entry.cause, found[1])
        assert "{" not in cause, cause


def test_codes_and_parts_are_those_of_libvirt():
    for name in dir(libvirt):
        number = getattr(libvirt, name)
        if name.startswith("VIR_FROM_"):
            assert part_name(number) in {name.removeprefix("VIR_FROM_"), ""} or number == 0
        elif name.startswith("VIR_ERR_") and name != "VIR_ERR_ERROR" and number > 1:
            assert code_name(number) == name.removeprefix("VIR_ERR_")


def test_what_nobody_knows_stays_as_it_is():
    found = lv.doctor.explain("the moon is in the wrong house")
    assert not found.is_known
    assert str(found) == "the moon is in the wrong house"


def test_what_labvirt_itself_refuses_needs_no_second_cause():
    assert not lv.doctor.explain(SpecError("memory: Permission denied is no size")).is_known


def test_the_cause_of_an_error_behind_another_is_found():
    inner = libvirt.libvirtError("x")
    inner.err = (55, 19, "Requested operation is not valid: network 'lan' is not active", 2)
    try:
        try:
            raise inner
        except libvirt.libvirtError as error:
            raise LabvirtError("it did not work") from error
    except LabvirtError as error:
        found = lv.doctor.explain(error)
    assert (found.key, found.code, found.part) == (
        "network-inactive",
        "OPERATION_INVALID",
        "NETWORK",
    )
    assert found.cause.startswith("the virtual network lan is not running")
    assert found.text == "it did not work"


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["info", "/nowhere/a.qcow2"], "file-missing"),
        (["create", "-f", "qcow3", "{}/a.img", "1M"], "qemuimg-format"),
        (["create", "-f", "qcow2", "{}/a.img"], "qemuimg-size"),
        (["create", "-f", "raw", "-o", "cluster_size=65536", "{}/a.raw", "1M"], "qemuimg-option"),
        (["info", "-f", "qcow2", "{}/plain"], "image-format"),
    ],
)
def test_what_qemu_img_says(words, key, tmp_path):
    (tmp_path / "plain").write_bytes(b"\0" * 4096)
    argv = ["qemu-img", *(each.format(tmp_path) for each in words)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode
    assert lv.doctor.explain(done.stderr).key == key, done.stderr


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("qemu+unix:///session?socket=/nowhere/sock", "socket-gone"),
        ("qemu+tcp://nosuchhost.invalid/system", "name-unknown"),
        ("qemu+tcp://127.0.0.1:1/system", "server-refused"),
    ],
)
def test_what_a_connection_says(uri, key):
    with pytest.raises(LabvirtError) as caught:
        lv.connect(uri, readonly=True, timeout_s=10)
    assert lv.doctor.explain(caught.value).key == key, caught.value
