"""QEMU's capabilities are remembered for the daemons they are true for."""

from __future__ import annotations

import os
import time

import pytest

from labvirt.lab.capabilities import CapabilityCache


@pytest.fixture
def top(tmp_path):
    return tmp_path / "top"


def test_what_was_found_out_is_given_to_the_next(tmp_path, top):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    (first / "a.xml").write_text("<a/>")
    (first / "notes").write_text("no")
    cache = CapabilityCache(top, "session/1", "/usr/sbin/libvirtd")
    assert cache.is_empty
    cache.harvest(first)
    assert not cache.is_empty
    cache.seed(second)
    assert [file.name for file in second.iterdir()] == ["a.xml"]
    assert (second / "a.xml").read_text() == "<a/>"


def test_other_daemons_are_not_given_it(tmp_path, top):
    (tmp_path / "a.xml").write_text("<a/>")
    CapabilityCache(top, "session/1", "/usr/sbin/libvirtd").harvest(tmp_path)
    assert CapabilityCache(top, "system/0", "/usr/sbin/libvirtd").is_empty
    assert CapabilityCache(top, "session/1", "/usr/bin/env").is_empty


def test_a_newer_finding_replaces_the_older(tmp_path, top):
    cache = CapabilityCache(top, "k", "/usr/sbin/libvirtd")
    for text in ("<a/>", "<b/>"):
        (tmp_path / "a.xml").write_text(text)
        cache.harvest(tmp_path)
    cache.seed(tmp_path / "new")
    assert (tmp_path / "new" / "a.xml").read_text() == "<b/>"


def test_a_link_planted_by_the_daemons_user_is_not_followed(tmp_path, top):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "a.xml").symlink_to(tmp_path / "secret")
    cache = CapabilityCache(top, "k", "/usr/sbin/libvirtd")
    cache.harvest(tmp_path)
    assert cache.is_empty


def test_nothing_to_remember_is_no_error(tmp_path, top):
    cache = CapabilityCache(top, "k", "/nowhere")
    cache.harvest(tmp_path / "absent")
    cache.seed(tmp_path / "seeded")
    assert cache.is_empty


def test_only_so_many_are_kept(tmp_path, top):
    (tmp_path / "a.xml").write_text("<a/>")
    for number in range(12):
        CapabilityCache(top, f"k{number}", "/usr/sbin/libvirtd").harvest(tmp_path)
        newest = max(top.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
        os.utime(newest, (time.time() + number, time.time() + number))
    assert len(list(top.iterdir())) <= 8
    assert not CapabilityCache(top, "k11", "/usr/sbin/libvirtd").is_empty
