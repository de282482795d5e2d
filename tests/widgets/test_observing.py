"""`lv.ui.migration` without a browser: the board, rows while it runs, still forms, the buttons."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

import labvirt as lv
from labvirt.errors import LabvirtError, SpecError
from labvirt.host.migrating.track import MigrationTrack
from labvirt.status.migration import MigrationSample
from labvirt.widgets.controlling import numbers_of
from labvirt.widgets.i18n import set_language
from labvirt.widgets.picking import lines_of
from labvirt.widgets.track_driver import TrackDriver

MIB = 1 << 20


def sample(at, left, *, phase="precopy", dirty=2.0, sent=20.0, **more):
    return MigrationSample(
        elapsed_s=at,
        phase=phase,
        remaining_bytes=left * MIB,
        processed_bytes=(256 - left) * MIB,
        total_bytes=256 * MIB,
        memory_remaining_bytes=left * MIB,
        bandwidth_bytes_s=sent * MIB,
        dirty_bytes_s=dirty * MIB,
        iteration=1 + int(at),
        downtime_ms=more.pop("downtime_ms", 400.0),
        **more,
    )


def track_of(seconds=10, *, label="live", name="web1", done=True, **more):
    """A migration of which one knows every number: 20 MiB/s, a look each half second."""
    made = MigrationTrack(name, "alpha", "beta", label)
    for step in range(1, 2 * seconds + 1):
        made.add(sample(step / 2, 256 - 10 * step, **more))
    if done:
        made.add(sample(seconds + 0.25, 0, phase="done", downtime_ms=87.0))
    return made


class Guest:
    """A domain of which only the migration matters."""

    uuid, name = "u1", "web1"

    def __init__(self, track=None):
        self.newest, self.asked, self.fails = track, [], None

    @property
    def migration(self):
        return self.newest

    def __getattr__(self, verb):
        if verb not in {
            "abort_migration",
            "set_migration_speed",
            "set_migration_downtime",
            "switch_to_postcopy",
        }:
            raise AttributeError(verb)

        def call(*values):
            if self.fails:
                raise self.fails
            self.asked.append((verb, *values))

        return call


def until(true, what="it"):
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.01)


# -- kept ------------------------------------------------------------------------------------


def test_a_track_comes_back_from_json_as_it_was():
    track = track_of(throttle_percent=30.0)
    track.mark("tuned", "speed 50 MiB/s")
    text = track.to_json()
    back = MigrationTrack.from_json(text)
    assert back.samples == track.samples or all(
        (a == b) or (math.isnan(a) and math.isnan(b))
        for old, new in zip(track.samples, back.samples, strict=True)
        for a, b in zip(old.as_dict().values(), new.as_dict().values(), strict=True)
        if isinstance(a, float)
    )
    assert (back.marks, back.phase, back.label) == (track.marks, "done", "live")
    assert back.to_json() == text
    assert "NaN" not in text
    assert json.loads(text)["format"].startswith("labvirt-migration-track/")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", '{"format": "labvirt-migration-track/2"}'),
        track_of().to_json().replace("precopy", "flying"),
        track_of().to_json().replace('"iteration":[', '"iteration":["x",'),
    ],
)
def test_what_is_no_track_is_one_clear_error(text):
    with pytest.raises(SpecError, match="track of a migration"):
        MigrationTrack.from_json(text)


# -- the board -------------------------------------------------------------------------------


def test_one_migration_has_its_panels_and_only_those_that_matter():
    view = lv.ui.migration(track_of())
    assert [panel.key for panel in view.driver.panels()] == [
        *("left", "rates", "predicted", "downtime", "rounds"),
    ]
    slowed = lv.ui.migration(track_of(throttle_percent=20.0))
    assert slowed.driver.panels()[-1].key == "throttle"
    keys = [line.key for line in lines_of(slowed.driver.panels())]
    assert len(keys) == len(set(keys))


def test_several_are_compared_from_the_start_of_each():
    view = lv.ui.migration([track_of(), track_of(4, label="auto-converge")])
    left = view.driver.panels()[0]
    assert [line.label for line in left.lines] == ["web1: live", "web1: auto-converge"]
    assert left.lines[0].colour != left.lines[1].colour
    block = view.driver.window(60)
    assert block[0, 0] <= 0.5
    assert block[0, -1] == 10.25
    assert np.isnan(block[2, block[0] > 4.3]).all(), "what is over goes on"
    table = view.table()
    assert list(table["downtime_ms"]) == [87.0, 87.0]
    assert list(table["phase"]) == ["done", "done"]


def test_the_prediction_is_what_is_left_by_what_is_gained():
    view = lv.ui.migration(track_of())
    frame = view.df(fields=["seconds_left", "left_bytes"])
    row = frame[frame["elapsed_s"] == 5.0].iloc[0]
    assert row["left_bytes"] == 156 * MIB
    assert row["seconds_left"] == pytest.approx(156 / 18)
    never = lv.ui.migration(track_of(dirty=30.0, done=False))
    assert never.df(fields=["seconds_left"])["seconds_left"].isna().all()
    assert "never" in dict(numbers_of(never.tracks[0]))["Predicted end"]


def test_what_cannot_be_seen_is_one_clear_error():
    for target in (None, 7, "web1", [], {}):
        with pytest.raises(SpecError, match="draw migrations"):
            lv.ui.migration(target)
    with pytest.raises(SpecError, match="draw migrations"):
        lv.ui.migration()
    with pytest.raises(SpecError, match="engine"):
        lv.ui.migration(track_of(), engine="excel")
    with pytest.raises(SpecError, match="window_s"):
        lv.ui.migration(track_of(), window_s=float("nan"))


# -- live ------------------------------------------------------------------------------------


def test_rows_come_as_it_runs_and_none_twice():
    track = MigrationTrack("web1", "alpha", "beta")
    guest = Guest()
    driver = TrackDriver("web1", [], [guest])
    assert driver.state() == {"empty": "No migration yet"}
    guest.newest = track
    assert driver.tick().anew
    driver.window(300)
    track.add(sample(0.5, 250))
    assert driver.state() == {}
    times = []
    for step in range(2, 12):
        track.add(sample(step / 2, 256 - 5 * step))
        tick = driver.tick()
        if tick.anew:
            times = list(driver.window(300)[0])
        elif tick.rows is not None:
            times += list(tick.rows[:, 0])
    assert times == sorted(set(times))
    assert times[-1] == 5.5
    assert np.diff(times).max() <= 0.26
    track.add(sample(5.75, 0, phase="done", downtime_ms=50.0))
    assert driver.tick().anew, "the end is seen"
    assert "Moved: web1" in driver.state()["over"]
    assert driver.window(300)[0, -1] == 5.75


def test_an_older_run_is_drawn_as_far_as_the_one_that_goes_on():
    now = MigrationTrack("web1", "alpha", "beta", "post-copy")
    now.add(sample(1.0, 240))
    now.add(sample(2.0, 220))
    driver = TrackDriver("both", [track_of(), now])
    block = driver.window(300)
    assert block[0, -1] == 2.0
    now.add(sample(3.0, 0, phase="done"))
    driver.tick()
    assert driver.window(300)[0, -1] == 10.25


def test_two_at_once_are_sent_anew_and_a_thread_ends():
    both = [MigrationTrack(name, "alpha", "beta") for name in ("web1", "db1")]
    for each in both:
        each.add(sample(1.0, 200))
    driver = TrackDriver("both", both)
    driver.tick()
    assert driver.tick(every=True).anew
    assert not driver.tick(every=False).anew
    ticks = []
    before = threading.active_count()
    driver.start(ticks.append)
    until(lambda: ticks, "a tick")
    driver.stop()
    until(lambda: threading.active_count() <= before, "the end of the thread")


# -- still forms -----------------------------------------------------------------------------


def test_still_forms_have_picture_table_and_text():
    view = lv.ui.migration(track_of(), track_of(4, label="<b>&", name="db1"))
    made = view.bundle()
    page = made["text/html"]
    assert page.count("data:image/svg+xml") == 1
    assert "&lt;b&gt;&amp;" in page
    assert "<b>" not in page
    assert "87" in page
    assert "1970" not in page + made["text/plain"]
    assert "0.0 s to 10.2 s" in made["text/plain"] or "0.0 s to 10.3 s" in made["text/plain"]
    figure = view.figure(theme="dark")
    assert figure.layout.xaxis.tickformat == "%H:%M:%S"
    assert len(view.png(scale=0.5)) > 3000
    empty = lv.ui.migration(Guest())
    assert "not begun yet" in empty.bundle()["text/plain"]


def test_in_a_batch_it_is_a_picture_drawn_again_at_the_end(monkeypatch):
    monkeypatch.setenv("LABVIRT_STATIC", "1")
    shown = []
    handle = SimpleNamespace(update=lambda made, raw: shown.append(made))
    track = track_of(3, done=False)
    view = lv.ui.migration(track)
    monkeypatch.setattr(view, "_show", lambda made: shown.append(made) or handle)
    view._ipython_display_()
    track.add(sample(3.25, 0, phase="done", downtime_ms=12.0))
    view.close()
    assert "under way" in shown[0]["text/html"]
    assert "moved" in shown[1]["text/html"]
    assert not any("widget" in kind for made in shown for kind in made)


# -- buttons ---------------------------------------------------------------------------------


def test_buttons_are_the_verbs_of_the_domain():
    guest = Guest(track_of(done=False, label="live, post-copy"))
    view = lv.ui.migration(guest)
    controls = view.controls
    controls.speed.value, controls.downtime.value = 50, 700
    for press in (controls.set_speed, controls.set_downtime, controls.abort):
        count = len(guest.asked)
        press.click()
        until(lambda count=count: len(guest.asked) > count, press.description)
    controls.switch.click()
    assert controls.question.layout.display is None
    assert len(guest.asked) == 3, "it asks first"
    controls.sure.click()
    until(lambda: len(guest.asked) == 4, "the switch")
    assert guest.asked == [
        ("set_migration_speed", 50),
        ("set_migration_downtime", 700),
        ("abort_migration",),
        ("switch_to_postcopy",),
    ]
    guest.fails = LabvirtError("the daemon said no")
    controls.set_speed.click()
    until(lambda: "the daemon said no" in controls.said.value, "the error")
    view.close()
    view.close()
    with pytest.raises(LabvirtError, match="closed"):
        _ = view.widget


def test_buttons_are_off_with_a_reason():
    guest = Guest()
    view = lv.ui.migration(guest)
    controls = view.controls
    assert controls.abort.disabled
    assert "no migration" in controls.abort.tooltip
    guest.newest = track_of(done=False)
    view.driver.look()
    controls.refresh(now=True)
    assert not controls.abort.disabled
    assert controls.switch.disabled
    assert "postcopy=True" in controls.switch.tooltip
    assert lv.ui.migration(track_of(), track_of()).domain is None
    view.close()


def test_it_speaks_russian():
    set_language("ru")
    try:
        view = lv.ui.migration(track_of(done=False))
        assert view.driver.title == "Миграция: web1"
        names = [name for name, _ in numbers_of(view.tracks[0])]
        assert not any(each.isascii() for each in names), names
    finally:
        set_language(None)


def test_a_record_shows_its_migrations_again(tmp_path):
    made = lv.ui.migration(track_of(), track_of(4, label="post-copy")).bundle()
    output = {"output_type": "display_data", "data": made, "metadata": {}}
    cells = [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": [output, output]}]
    path = tmp_path / "record.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    again = lv.ui.migration(path)
    assert [each.label for each in again.tracks] == ["live", "post-copy"]
    assert again.bundle()["text/html"] == made["text/html"]
    path.write_text(json.dumps({"cells": []}))
    for wrong in (path, tmp_path / "none.ipynb"):
        with pytest.raises(SpecError, match="draw migrations"):
            lv.ui.migration(wrong)


@pytest.mark.slow(seconds=25)
@pytest.mark.lab
def test_a_real_guest_is_switched_over_before_its_memory_is_there():
    """The switch to post-copy is on the observatory's time axis, and in its figure."""
    if os.geteuid() != 0:
        pytest.skip("post-copy needs userfaultfd, which this kernel gives to root only")
    busy = "mkdir -p /tmp; mount -t tmpfs -o size=40m t /tmp; while :; do"
    busy += " dd if=/dev/urandom of=/tmp/x bs=1M count=24 2>/dev/null; done"
    name = f"watched-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend="system", ephemeral=True) as lab:
        spec = lv.DomainSpec(
            name="web1", memory="128 MiB", source=lv.TinyGuest(), interfaces=(), rng=False
        )
        guest = lab["alpha"].plan(spec).apply()
        guest.wait_for("agent", timeout_s=90)
        guest.agent("guest-exec", path="/bin/sh", arg=["-c", busy])
        view = lv.ui.migration(guest)
        try:
            moved = guest.migrate(
                lab["beta"], postcopy=True, postcopy_after_s=2.0, bandwidth_mib_s=16
            )
            figure = view.figure()
        finally:
            view.close()
        assert moved.domain.state.text == "running"
        assert "postcopy" in {note.text for note in figure.layout.annotations}
        left = next(line for line in figure.data if line.name == "Left")
        assert left.y[-1] == 0 < np.nanmax(left.y)
