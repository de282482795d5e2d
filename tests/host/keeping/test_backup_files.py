"""Manifests of backups: written last, read back, and never believed when something is missing."""

from __future__ import annotations

import json

import pytest

from labvirt.errors import NotFoundError
from labvirt.host.keeping.backup_files import (
    Backup,
    BackupImage,
    backups_in,
    chain_to,
    merged_source,
    unfinished_in,
)


def backup(folder, name, since="", target="vda", form="qcow2", when="2026-01-01T00:00:00.000001"):
    image = BackupImage(target, f"{name}.{target}.{form}", form, 1024)
    made = Backup(str(folder), name, "web1", "uuid", when, since, name, (image,), "<domain/>")
    made.path(target).write_bytes(b"data")
    made.write()
    return made


def test_what_is_written_is_read(tmp_path):
    made = backup(tmp_path, "one")
    assert Backup.read(made.manifest) == made
    assert backups_in(tmp_path) == (made,)
    assert made.level == "full"
    assert made.manifest.stat().st_mode & 0o777 == 0o600
    with pytest.raises(NotFoundError, match="vdz"):
        made.path("vdz")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', '{"name": 1}'])
def test_what_is_no_manifest_is_no_backup(tmp_path, text):
    (tmp_path / "x.backup.json").write_text(text)
    assert backups_in(tmp_path) == ()
    with pytest.raises(NotFoundError, match=r"x\.backup\.json"):
        Backup.read(tmp_path / "x.backup.json")


def test_half_files_are_told(tmp_path):
    (tmp_path / "x.vda.qcow2.partial").write_bytes(b"")
    assert unfinished_in(tmp_path) == (str(tmp_path / "x.vda.qcow2.partial"),)
    assert backups_in(tmp_path) == ()


def test_a_chain_is_followed_down_to_the_full_one(tmp_path):
    one = backup(tmp_path, "one", when="1")
    two = backup(tmp_path, "two", since="one", when="2")
    three = backup(tmp_path, "three", since="two", when="3")
    assert chain_to(three) == (one, two, three)
    node = json.loads(merged_source((one, two, three), "vda").removeprefix("json:"))
    assert node["file"]["filename"].endswith("three.vda.qcow2")
    assert node["backing"]["backing"]["backing"] is None
    two.path("vda").unlink()
    with pytest.raises(NotFoundError, match=r"two\.vda\.qcow2"):
        chain_to(three)
    two.manifest.unlink()
    with pytest.raises(NotFoundError, match="two, on which three is laid"):
        chain_to(three)


def test_a_chain_that_bites_its_tail_is_refused(tmp_path):
    backup(tmp_path, "one", since="two")
    two = backup(tmp_path, "two", since="one")
    with pytest.raises(NotFoundError, match="laid"):
        chain_to(two)
