"""Rows of the overview: samples go in, what a view must know comes out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from making import START, Machine, uuid_of

from labvirt.widgets import overview_html
from labvirt.widgets.row_order import FRAME, frame, most, ordered, value
from labvirt.widgets.rows import METRICS, POINTS, VALUES, Row, Rows


class View:
    """What a view makes of the messages: the same arithmetic as the JavaScript has."""

    def __init__(self, head, block):
        size, points = head["size"], head["points"]
        self.rows = dict(head["rows"])
        self.times = np.frombuffer(block, np.float64, points)
        floats = np.frombuffer(block, np.float32, offset=8 * points)
        self.now = floats[: len(VALUES) * size].reshape(len(VALUES), size).copy()
        self.past = floats[len(VALUES) * size :].reshape(points, len(METRICS), size)

    def change(self, head):
        more = head["size"] - self.now.shape[1]
        self.now = np.pad(self.now, ((0, 0), (0, more)), constant_values=np.nan)
        for slot, row in head["rows"]:
            if row is None:
                del self.rows[slot]
                self.now[:, slot] = np.nan
            else:
                self.rows[slot] = row

    def take(self, block):
        self.at = np.frombuffer(block, np.float64, 1)[0]
        floats = np.frombuffer(block, np.float32, offset=8)
        place = len(VALUES)
        for column, count in enumerate(floats[: len(VALUES)].astype(int)):
            if count < 0:
                self.now[column] = floats[place : place + self.now.shape[1]]
                place += self.now.shape[1]
                continue
            slots = floats[place : place + count].astype(int)
            self.now[column, slots] = floats[place + count : place + 2 * count]
            place += 2 * count
        assert place == len(floats), "a number too many or too few"


@pytest.fixture
def machine():
    return Machine(count=5, inactive=2, host_cpus=8)


@pytest.fixture
def rows(machine):
    rows = Rows()
    rows.put(machine.rows())
    return rows


def ticked(rows, machine, count=1, **numbers):
    for _ in range(count):
        sample = machine.sample(**numbers)
        rows.take(sample)
        rows.tick(sample.at)


def same(view, rows):
    np.testing.assert_array_equal(view.now, rows.now[:, : rows.size].astype(np.float32))


def test_a_sample_is_found_again_in_the_row_of_its_domain(rows, machine):
    ticked(rows, machine, cpu=[10, 20, 30, 40, 50], disk=[1000, 2000, 3000, 4000, 5000])
    row = rows.rows["alpha", uuid_of(3)]
    assert value(rows, row, "cpu") == 40
    assert value(rows, row, "cpu_host") == pytest.approx(40 * 2 / 8)
    assert value(rows, row, "disk") == 6000
    assert value(rows, row, "net") == 12000
    assert value(rows, row, "memory_host") == pytest.approx(100 * 256 / (64 * 1024))
    host = rows.rows["alpha", ""]
    assert value(rows, host, "cpu") == value(rows, host, "cpu_host") == 41.5
    assert value(rows, host, "memory_host") == 25


def test_a_view_that_has_all_deltas_knows_what_the_kernel_knows(rows, machine):
    ticked(rows, machine, 3)
    head, block = rows.everything()
    view = View(json.loads(json.dumps(head)), block)
    same(view, rows)
    for step in range(6):
        ticked(rows, machine, cpu=np.where(np.arange(5) == step % 5, 90.0, 10.0))
        view.take(rows.delta())
        same(view, rows)
        assert view.at == rows.at
    assert rows.changes() is None


def test_numbers_that_stay_are_not_sent_again(machine):
    rows = Rows()
    machine = Machine(count=500)
    rows.put(machine.rows())
    still = {"cpu": np.full(500, 3.0), "disk": np.zeros(500)}
    ticked(rows, machine, **still)
    rows.everything()
    ticked(rows, machine, **still)
    assert len(rows.delta()) == 8 + 4 * len(VALUES)
    busy = np.full(500, 3.0)
    busy[[4, 400]] = 77.0
    ticked(rows, machine, cpu=busy, disk=np.zeros(500))
    assert len(rows.delta()) == 8 + 4 * len(VALUES) + 2 * (4 + 4)


def test_a_busy_tick_of_500_domains_is_small_and_quick():
    import time

    rows, machine = Rows(), Machine(count=500)
    rows.put(machine.rows())
    ticked(rows, machine, 2)
    rows.everything()
    samples = [machine.sample() for _ in range(20)]
    began = time.process_time()
    for sample in samples:
        rows.take(sample)
        rows.tick(sample.at)
        block = rows.delta()
    assert (time.process_time() - began) / 20 < 0.02, "CPU seconds a tick"
    assert len(block) < 5 * 4 * 501 + 100, "CPU, disk and network, in and out: five columns"


def test_the_share_of_an_idle_domain_is_remembered(rows, machine):
    ticked(rows, machine, cpu=[10, 20, 30, 40, 50])
    ticked(rows, machine, cpu=[0, 0, 0, 0, 0])
    row = rows.rows["alpha", uuid_of(1)]
    assert value(rows, row, "cpu_host") == 0
    assert rows.now[VALUES.index("cpu_share"), rows.slots[row.key]] == pytest.approx(2 / 8)


def test_the_past_is_a_minute_and_the_newest_is_last(rows, machine):
    ticked(rows, machine, POINTS + 10)
    head, block = rows.everything()
    view = View(head, block)
    assert head["points"] == POINTS
    assert view.times[-1] == rows.at == START + POINTS + 10
    assert (np.diff(view.times) == 1).all()
    np.testing.assert_array_equal(view.past[-1, 0], view.now[0])
    np.testing.assert_allclose(view.past[-1, 2], view.now[3] + view.now[4], rtol=1e-6)


def test_rows_come_and_go_and_their_slots_are_used_again(rows, machine):
    ticked(rows, machine)
    head, block = rows.everything()
    view = View(head, block)
    before = rows.size
    gone = rows.slots["alpha", uuid_of(0)]
    rows.drop([("alpha", uuid_of(0))])
    view.change(rows.changes())
    assert gone not in view.rows
    rows.put([Row("alpha", uuid_of(77), "new", state="running", text="running")])
    assert rows.slots["alpha", uuid_of(77)] == gone
    assert rows.size == before
    change = rows.changes()
    view.change(change)
    assert view.rows[gone]["name"] == "new"
    assert np.isnan(rows.past[:, :, gone]).all(), "the past of another domain"
    same(view, rows)


def test_the_last_domain_of_a_host_goes_too():
    machine, rows = Machine(count=1), Rows()
    rows.put(machine.rows())
    ticked(rows, machine)
    # It has moved to another host: its event comes before the next sample.
    rows.replace_host("alpha", machine.rows()[:1])
    assert len(rows.rows) == 2, "its numbers are still those of the last sample"
    machine.subjects, machine.vcpus = (), machine.vcpus[:0]
    machine.count, machine.names = 0, {}
    ticked(rows, machine)
    assert [row.name for row in rows.rows.values()] == ["alpha"]


def test_a_domain_nobody_told_of_gets_a_row_and_one_that_stops_no_numbers(rows, machine):
    bigger = Machine(count=6)
    bigger.names[uuid_of(5)] = "late"
    ticked(rows, machine)
    rows.everything()
    sample = bigger.sample(at=START + 50)
    rows.take(sample)
    rows.tick(sample.at)
    assert rows.rows["alpha", uuid_of(5)].name == "late"
    ticked(rows, machine)
    assert np.isnan(rows.now[:, rows.slots["alpha", uuid_of(5)]]).all()


def test_a_new_name_and_a_stalled_domain_are_changes(rows, machine):
    ticked(rows, machine)
    rows.everything()
    machine.names[uuid_of(1)] = "<b>renamed</b>"
    machine.stalled = {uuid_of(2): START}
    ticked(rows, machine)
    changed = {row["name"]: row for _, row in rows.changes()["rows"]}
    assert set(changed) == {"<b>renamed</b>", "vm2"}
    assert changed["vm2"]["stalled_since"] == START
    machine.stalled = {}
    ticked(rows, machine)
    [[_, row]] = rows.changes()["rows"]
    assert "stalled_since" not in row


def test_numbers_of_a_host_that_says_no_more_are_dropped(machine):
    rows, other = Rows(), Machine("beta", 2)
    rows.put([*machine.rows(), *other.rows()])
    ticked(rows, machine)
    ticked(rows, other)
    rows.tick(START + 3)
    assert np.isfinite(rows.now[0, rows.slots["alpha", uuid_of(0)]])
    other.number = 20
    ticked(rows, other)
    assert np.isnan(rows.now[:, rows.of_host("alpha")]).all()
    assert np.isfinite(rows.now[0, rows.slots["beta", uuid_of(0)]])
    assert rows.rows["beta", uuid_of(0)].stale_since is None
    assert {rows.rows["alpha", each].stale_since for each in ("", uuid_of(0))} == {START + 1}
    rows.replace_host("alpha", machine.rows())
    assert rows.rows["alpha", ""].stale_since == START + 1, "records do not make it live again"
    machine.number = 25
    ticked(rows, machine)
    assert rows.rows["alpha", ""].stale_since is rows.rows["alpha", uuid_of(0)].stale_since is None


def test_one_uuid_on_two_hosts_is_two_rows(machine):
    rows, other = Rows(), Machine("beta", 5, host_cpus=8)
    rows.put([*machine.rows(), *other.rows()])
    ticked(rows, machine, cpu=[10] * 5)
    ticked(rows, other, cpu=[90] * 5)
    cpus = [value(rows, rows.rows[host, uuid_of(0)], "cpu") for host in ("alpha", "beta")]
    assert cpus == [10, 90]
    rows.replace_host("beta", other.rows()[:1])
    assert ("beta", uuid_of(0)) in rows.rows, "the last sample has it"
    rows.take(Machine("beta", 0).sample())
    rows.take(Machine("beta", 1).sample())
    assert ("beta", uuid_of(0)) in rows.rows
    assert ("beta", uuid_of(1)) not in rows.rows, "neither records nor sample know it"
    assert ("alpha", uuid_of(0)) in rows.rows


def test_a_past_that_was_kept_elsewhere_is_taken_over(rows):
    times = START + np.arange(10.0)
    values = np.tile([[50.0], [12.5], [1 << 28], [1.0], [2.0], [3.0], [4.0]], (1, 10))
    rows.seed(times, {("alpha", uuid_of(1)): values, ("alpha", "nobody"): values})
    head, block = rows.everything()
    view = View(head, block)
    slot = rows.slots["alpha", uuid_of(1)]
    assert head["points"] == 10
    assert view.past[:, :, slot].tolist() == [[50, 1 << 28, 3, 7]] * 10
    assert value(rows, rows.rows["alpha", uuid_of(1)], "cpu_host") == 12.5


def test_order_by_every_column_and_no_data_is_last(rows, machine):
    ticked(rows, machine, cpu=[10, 50, np.nan, 0, 20], disk=[5, 4, 3, 2, 1])
    rows.put([replace(rows.rows["alpha", uuid_of(0)], name="vm10")])

    def names(**how):
        return [row.name for row in ordered(rows, **how)]

    assert names(inactive=False) == ["vm1", "vm2", "vm3", "vm4", "vm10"]
    by_cpu = names(sort="cpu", descending=True)
    assert by_cpu == ["vm1", "vm4", "vm10", "vm3", "vm2", "z-off0", "z-off1"]
    assert names(sort="cpu") == ["vm3", "vm10", "vm4", "vm1", "vm2", "z-off0", "z-off1"]
    assert names(sort="disk", descending=True)[:2] == ["vm10", "vm1"]
    assert names(sort="state")[-2:] == ["z-off0", "z-off1"]
    assert names(sort="id", descending=True, inactive=False)[0] == "vm4"
    for column in overview_html.COLUMNS:
        assert len(names(sort=column)) == 7


def test_who_uses_most_counts_cpu_of_the_host(rows, machine):
    # vm1 and vm3 have two vCPUs: 60 % of two is more than 100 % of one.
    ticked(rows, machine, 3, cpu=[100, 60, 1, 0, 2])
    found = most(rows, "cpu", 2)
    assert [row.name for row, _ in found] == ["vm1", "vm0"]
    assert found[0][1] == pytest.approx(60 * 2 / 8)
    assert [row.name for row, _ in most(rows, "memory", 9)] == [f"vm{n}" for n in range(5)]


def test_the_frame_has_its_documented_columns_and_units(rows, machine):
    ticked(rows, machine, cpu=[10, 20, 30, 40, 50])
    found = frame(rows, ordered(rows))
    assert list(found.columns) == list(FRAME)
    assert found.attrs["units"]["disk_read_bytes_s"] == "B/s"
    by_name = found.set_index("name")
    assert by_name.loc["vm3", "cpu_host_percent"] == pytest.approx(10)
    assert by_name.loc["vm3", "memory_bytes"] == 256 << 20
    assert by_name.loc["vm3", "id"] == 4
    assert by_name["id"].isna().sum() == 2
    assert str(by_name["at"].dtype).endswith("UTC]")
    assert frame(Rows(), []).empty


def test_html_shows_fifty_escapes_names_and_needs_no_script(rows):
    machine = Machine(count=80)
    machine.names[uuid_of(0)] = "<script>alert(1)</script>"
    machine.names[uuid_of(1)] = "a" + "長い名前" * 40
    rows = Rows()
    rows.put(machine.rows())
    ticked(rows, machine, 4)
    shown = ordered(rows, sort="name")
    found = overview_html.html(rows, "alpha", tuple(overview_html.COLUMNS), shown)
    assert "<script" not in found
    assert "&lt;script&gt;" in found
    assert "and 30 more" in found
    assert found.count("<tr>") == 1 + 1 + 50
    assert found.count("data:image/svg+xml;base64,") == 51 * 3
    assert "<svg" not in found
    assert "…" in found
    text = overview_html.plain(rows, "alpha")
    assert text.startswith("alpha, 20")
    assert len(text.splitlines()) == 51


def test_without_domains_and_without_values_there_is_still_something_to_say():
    rows = Rows()
    found = overview_html.html(rows, "alpha", ("name", "cpu"), [])
    assert "This host has no domains." in found
    assert "no values yet" in found
    rows.put(Machine(count=1).rows())
    assert rows.everything()[0]["points"] == 0
    assert "running" in overview_html.plain(rows, "alpha")


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (float("nan"), "B", "–"),  # noqa: RUF001
        (0, "B/s", "0 B/s"),
        (1536, "B", "1.50 KiB"),
        (1500, "B/s", "1.50 kB/s"),
        (12.34, "%", "12.3 %"),
        (300 * 2**30, "B", "300 GiB"),
    ],
)
def test_numbers_in_words(number, unit, text):
    assert overview_html.amount(number, unit) == text
