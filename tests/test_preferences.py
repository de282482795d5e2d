"""Preferences: kept whole, read with care, never lost."""

from __future__ import annotations

import json
import logging
import os
import threading

import pytest

from labvirt.errors import HostError, SpecError
from labvirt.preferences import Preferences


@pytest.fixture(autouse=True)
def own(home):
    return home


def test_without_a_file_there_are_defaults(caplog):
    assert Preferences.load() == Preferences()
    assert Preferences.load().interval_s == 1.0
    assert not caplog.records


def test_what_is_saved_is_read_again():
    wanted = Preferences(interval_s=3, poll_disk=False, console_auto_open="never")
    path = wanted.save()
    assert path == Preferences.path()
    assert Preferences.load() == wanted
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("bad", [0, -1, 0.001, 3601, float("nan"), float("inf"), "1", True, None])
def test_an_interval_out_of_bounds_is_refused(bad):
    with pytest.raises(SpecError, match="interval_s"):
        Preferences(interval_s=bad)


def test_a_field_that_is_not_there_names_the_nearest():
    with pytest.raises(SpecError, match="interval_s"):
        Preferences(intervall_s=2)


def test_every_field_has_help_and_seconds_say_so():
    for name, field in Preferences.model_fields.items():
        assert field.description, name
        if name.endswith("_s"):
            assert "seconds" in field.description


def write(text):
    path = Preferences.path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", "null", b"\xff\xfe\x00", "[" * 100_000, '{"interval_s": 1e999}']
)
def test_a_damaged_file_gives_defaults_with_a_warning_and_is_put_aside(text, caplog):
    path = write(text)
    with caplog.at_level(logging.WARNING, "labvirt"):
        assert Preferences.load() == Preferences()
    assert str(path) in caplog.text
    before = path.read_bytes()
    Preferences(interval_s=5).save()
    assert Preferences.load().interval_s == 5
    assert path.with_name("preferences.json.damaged-1").read_bytes() == before
    path.write_text("{")
    Preferences().save()
    assert path.with_name("preferences.json.damaged-2").read_text() == "{"


def test_one_wrong_field_does_not_cost_the_others(caplog):
    write(json.dumps({"interval_s": 0, "history_s": 600, "poll_disk": "perhaps"}))
    with caplog.at_level(logging.WARNING, "labvirt"):
        found = Preferences.load()
    assert (found.interval_s, found.history_s, found.poll_disk) == (1.0, 600, True)
    assert "interval_s" in caplog.text
    assert "poll_disk" in caplog.text


def test_what_a_newer_version_wrote_survives(caplog):
    path = write(json.dumps({"form": 9, "interval_s": 2, "colour_of_charts": "green"}))
    Preferences.load().replace(history_s=900).save()
    told = json.loads(path.read_text())
    assert told["colour_of_charts"] == "green"
    assert (told["interval_s"], told["history_s"]) == (2.0, 900.0)
    assert not caplog.records


def test_a_folder_that_cannot_be_made_is_one_clear_error(home):
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be")
    with pytest.raises(HostError, match="save preferences"):
        Preferences().save()


def test_a_write_that_fails_leaves_the_old_file(monkeypatch):
    path = Preferences(interval_s=7).save()

    def broken(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(HostError, match="No space left"):
            Preferences(interval_s=8).save()
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert json.loads(path.read_text())["interval_s"] == 7


def test_many_writers_leave_one_whole_file():
    each = [Preferences(interval_s=float(n + 1)) for n in range(8)]
    threads = [threading.Thread(target=one.save) for one in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Preferences.load() in each


def test_groups_are_those_that_are_wanted():
    from labvirt.status.series import GROUPS

    assert set(Preferences().groups) <= set(GROUPS)
    chosen = Preferences(poll_disk=False, poll_network=False, poll_memory=False).groups
    assert chosen == ("cpu", "memory", "host")
