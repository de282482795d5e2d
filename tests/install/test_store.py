"""The cache: nothing half-made is ever seen, and nothing is left behind."""

from __future__ import annotations

import os
import threading
import time

import pytest

from labvirt.errors import LabError, WaitTimeoutError
from labvirt.install.store import KEPT_BUILDS, Store, copy_checked, matches, read_json, write_json


@pytest.fixture
def store(scratch):
    return Store(scratch / "cache")


def make(store, key, content=b"content"):
    with store.locked(), store.workshop() as folder:
        result = folder / "result"
        result.mkdir()
        (result / "file").write_bytes(content)
        return store.publish(key, result)


def test_a_build_is_found_again_and_readable_by_everybody(store):
    built = make(store, "k1")
    assert store.find("k1") == built
    file = built["file"]
    assert file.path.read_bytes() == b"content"
    assert file.path.stat().st_mode & 0o777 == 0o644
    assert file.path.parent.stat().st_mode & 0o777 == 0o755
    assert matches(file.path, file.size, file.sha256)


def test_a_build_that_is_not_there_is_not_found(store):
    assert store.find("k1") is None


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "{}", '{"file": 3}', '{"file": {"size": "x"}}']
)
def test_a_damaged_list_means_there_is_no_build(store, content):
    built = make(store, "k1")
    (built["file"].path.parent / "manifest.json").write_text(content)
    assert store.find("k1") is None


def test_a_cut_or_missing_file_means_there_is_no_build(store):
    path = make(store, "k1")["file"].path
    path.write_bytes(b"con")
    assert store.find("k1") is None
    path.unlink()
    assert store.find("k1") is None


def test_a_new_build_replaces_a_damaged_one(store):
    make(store, "k1", b"old")
    built = make(store, "k1", b"newer")
    assert store.find("k1") == built
    assert [path.name for path in store.guests.iterdir()] == ["k1"]
    assert not list((store.root / "staging").iterdir())


def test_the_least_used_builds_go_first(store):
    for number in range(KEPT_BUILDS):
        make(store, f"k{number}")
        manifest = store.guests / f"k{number}" / "manifest.json"
        os.utime(manifest, (number + 1, number + 1))
    assert store.find("k0")
    make(store, "new")
    assert sorted(p.name for p in store.guests.iterdir()) == sorted(
        ["k0", "new", *(f"k{n}" for n in range(2, KEPT_BUILDS))]
    )


def test_work_that_fails_leaves_nothing(store):
    def work():
        with store.locked(), store.workshop() as folder:
            (folder / "half").write_bytes(b"made")
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        work()
    assert not list((store.root / "staging").iterdir())


def test_what_a_killed_builder_left_is_cleaned_by_the_next(store):
    left = store.root / "staging" / "left"
    left.mkdir(parents=True)
    (left / "file").write_bytes(b"half")
    with store.locked():
        assert not left.exists()


def test_the_lock_lets_one_in_at_a_time(store):
    inside, most, done = [], [], []

    def work():
        with store.locked(timeout_s=20):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()
        done.append(1)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (max(most), len(done)) == (1, 5)


def test_waiting_for_the_lock_is_told_and_has_a_limit(store):
    said = []
    with (
        store.locked(),
        pytest.raises(WaitTimeoutError) as caught,
        store.locked(timeout_s=0.2, progress=said.append),
    ):
        pytest.fail("two hold the lock")
    assert said == ["waiting for another labvirt process that builds a guest"]
    assert str(store.root / "lock") in str(caught.value)


def test_a_copy_is_whole_and_has_blocks_of_its_own(store, scratch):
    file = make(store, "k1")["file"]
    target = scratch / "copy"
    copy_checked(file, target)
    target.write_bytes(b"changed")
    assert file.path.read_bytes() == b"content"
    copy_checked(file, target)
    assert target.read_bytes() == b"content"
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_damaged_file_is_not_copied(store, scratch):
    file = make(store, "k1")["file"]
    file.path.write_bytes(b"c0ntent")
    with pytest.raises(LabError, match="damaged"):
        copy_checked(file, scratch / "copy")
    assert not [path for path in scratch.iterdir() if path.is_file()]


def test_half_copies_of_the_dead_are_removed_and_of_the_living_kept(store, scratch):
    file = make(store, "k1")["file"]
    dead = scratch / ".copy.999999999-1.part"
    alive = scratch / f".copy.{os.getppid()}-1.part"
    for path in (dead, alive):
        path.write_bytes(b"half")
    copy_checked(file, scratch / "copy")
    assert not dead.exists()
    assert alive.exists()


def test_json_is_written_whole_or_not_at_all(scratch):
    path = scratch / "folder" / "file.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert [item.name for item in path.parent.iterdir()] == ["file.json"]
