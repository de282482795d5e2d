"""Alerts on real guests: callback, journal, mark, state; and waiting for a number."""

from __future__ import annotations

import json
import logging
import threading
import time

import nbformat
import numpy as np
import pytest
from typer.testing import CliRunner

from labvirt import runbook
from labvirt.cli import app
from labvirt.errors import LabvirtError, NotFoundError, SpecError, WaitTimeoutError
from labvirt.host.measuring.alerts import Alert
from labvirt.plan import Journal
from labvirt.preferences import Preferences
from labvirt.status.condition import Condition
from labvirt.status.sample import Sample, Subject, Table
from labvirt.status.series import SERIES, find_series, series_of
from labvirt.widgets.thresholds import thresholds_of

pytestmark = pytest.mark.lab

NAN = float("nan")


@pytest.fixture(scope="module")
def brisk(disked, lab):
    """A guest whose host is read five times a second."""
    sampler = lab["alpha"].sampler
    before, sampler.interval_s = sampler.interval_s, 0.2
    yield disked
    sampler.interval_s = before


def threads():
    return {each.name for each in threading.enumerate() if each.name.startswith("labvirt-alert")}


def test_an_alert_fires_and_clears_with_callback_journal_and_mark(
    brisk, alpha, eventually, burning
):
    events, seen_on = [], []

    def call(event):
        seen_on.append(threading.current_thread())
        events.append(event)

    began = time.time()
    with brisk.alert("cpu > 8 % for 0.6 s", call, title="too busy") as alert:
        assert alert in alpha.alerts
        eventually(lambda: alert.state == "ok", "a quiet guest")
        with burning(brisk):
            eventually(lambda: alert.state == "pending", "pending first")
            eventually(lambda: alert.firing == ("disked",), "the alert")
            (state,) = alert.states
            assert "firing</span>" in alert._repr_html_()
        assert state.value > 8
        assert state.unit == "%"
        assert began < state.since <= time.time()
        # A busy machine may starve the guest for a moment: then it fires twice.
        eventually(lambda: alert.state == "ok" and len(events) % 2 == 0, "the end of it")
        assert alert.firing == ()
        assert list(alert.states.df.state) == ["ok"]
    assert [event.what for event in events] == ["firing", "cleared"] * (len(events) // 2)
    assert threading.main_thread() not in seen_on
    written = [e for e in alpha.journal.entries(last=40) if e.get("kind") == "alert"]
    written = written[-len(events) :]
    assert [e["outcome"] for e in written] == [event.what for event in events]
    assert written[0]["title"] == events[0].text
    assert (written[0]["domain"], written[0]["unit"]) == ("disked", "%")
    marks = [m for m in alpha.history.marks(start=began) if m.kind == "alert"]
    assert [(m.uuid, m.text) for m in marks] == [(brisk.uuid, e.text) for e in events]
    told = CliRunner().invoke(app, ["journal"], env={"COLUMNS": "300"}).output
    assert events[0].text in told
    assert repr(alert).endswith("closed>")
    assert not alpha.alerts
    assert not alpha.sampler.is_running
    assert not threads()


def test_preferences_set_the_pace_and_the_length_of_the_history(lab, home):
    Preferences(interval_s=3, slow_interval_s=7, history_s=600).save()
    with lab.open("beta") as host:
        assert (host.sampler.interval_s, host.sampler.slow_interval_s) == (3, 7)
        assert host.history.seconds == 600
        host.prefer(Preferences(interval_s=2, slow_interval_s=4, history_s=1200))
        assert (host.sampler.interval_s, host.sampler.slow_interval_s) == (2, 4)
        assert host.history.seconds == 1200


def test_a_callback_that_raises_stops_nothing(brisk, eventually, caplog):
    calls = []

    def call(event):
        calls.append(event.what)
        raise ZeroDivisionError("the callback's own fault")

    with caplog.at_level(logging.ERROR, "labvirt"), brisk.alert("memory > 1 MiB", call) as alert:
        eventually(lambda: calls == ["firing"], "the call")
        eventually(lambda: "callback" in caplog.text, "the log")
        assert alert.firing == ("disked",)


def test_a_condition_on_the_host_has_one_subject(alpha, brisk, eventually):
    with alpha.alert("host:memory > 1 MiB") as alert:
        eventually(lambda: alert.firing == (alpha.name,), "the host")


def test_a_domain_that_goes_ends_what_it_fired(alpha, spec, brisk, eventually):
    domain = alpha.plan(spec).apply()
    events = []
    with alpha.alert("memory > 1 MiB", [domain.name], events.append) as alert:
        eventually(lambda: alert.firing == (domain.name,), "the alert")
        domain.destroy(confirm=True)
        eventually(lambda: [e.what for e in events] == ["firing", "cleared"], "its end")
        assert "it is gone" in events[-1].text
        assert len(alert.states) == 0
        assert alert.state == "no data"


@pytest.mark.parametrize("bad", ["", "cpu", "cpu >", "cpu > much", "nothing > 5 %", 5, None])
def test_a_condition_that_cannot_be_read_is_refused(alpha, bad):
    with pytest.raises(SpecError):
        alpha.alert(bad)
    assert not alpha.sampler.is_running
    assert not threads()


def test_other_bad_arguments_leave_nothing_running(alpha):
    with pytest.raises(NotFoundError):
        alpha.alert("cpu > 90 %", ["nobody"])
    with pytest.raises(SpecError, match="cannot be called"):
        alpha.alert("cpu > 90 %", call="print")
    assert not threads()


def test_closing_the_host_closes_its_alerts(lab):
    host = lab.open("beta")
    alert = host.alert("cpu > 90 %")
    host.close()
    assert not alert.is_open
    alert.close()
    assert not threads()
    with pytest.raises(LabvirtError):
        host.alert("cpu > 90 %")


class Fake:
    """A host without libvirt: what an alert needs of it."""

    name, label = "alpha", "test:///default"

    def __init__(self, folder):
        self.journal = Journal(folder)
        self.sampler = self.history = self
        self.marks = []
        self.is_open = True
        self.wish = self

    domains = None
    mark = property(lambda self: self.marks.append)

    def listen(self, take, **_):
        self.take = take
        return self

    def close(self):
        self.is_open = False

    def sample(self, at, **cpu):
        subjects = tuple(Subject("alpha", name) for name in cpu)
        values = np.full((len(cpu), len(series_of("domain"))), NAN)
        values[:, find_series("domain", "cpu_percent")] = list(cpu.values())
        table = Table("domain", subjects, values)
        self.take(Sample("alpha", 1, at, 1.0, {"domain": table}, {name: name for name in cpu}))


@pytest.fixture
def fake(tmp_path):
    return Fake(tmp_path)


def test_states_follow_the_samples(fake):
    now = time.time()
    with Alert(fake, Condition.parse("cpu > 50 % for 3 s")) as alert:
        for second, value in enumerate((10, 60, 60, NAN)):
            fake.sample(now - 3 + second, a=value, b=99)
        by_name = {each.name: each for each in alert.states}
        assert by_name["a"].state == "no data"
        assert by_name["b"].state == "firing"
        assert by_name["b"].since == pytest.approx(now)
        assert [each.name for each in alert.states] == ["b", "a"]


def test_no_samples_mean_no_data(fake):
    with Alert(fake, Condition.parse("cpu > 50 %")) as alert:
        assert alert.state == "no data"
        fake.sample(time.time() - 60, a=99)
        assert [each.state for each in alert.states] == ["no data"]
        fake.sample(time.time(), a=99)
        assert alert.firing == ("a",)


def test_a_journal_that_cannot_be_written_does_not_stop_the_callback(fake, tmp_path, caplog):
    (tmp_path / "journal.jsonl").mkdir()
    heard = threading.Event()
    with Alert(fake, Condition.parse("cpu > 50 %"), call=lambda _: heard.set()):
        fake.sample(time.time(), a=99)
        assert heard.wait(5)
    assert "journal cannot be written" in caplog.text


def test_names_cannot_break_the_html(fake):
    with Alert(fake, Condition.parse("cpu > 50 %"), title="<script>") as alert:
        fake.sample(time.time(), **{"<b>x": 99.0})
        html = alert._repr_html_()
    assert "<script>" not in html
    assert "<b>x" not in html


def test_levels_of_alerts_are_thresholds_of_charts(fake):
    conditions = [Condition.parse(f"cpu > {limit} %") for limit in (90, 50, 90)]
    found = thresholds_of(conditions, [SERIES["domain", "cpu_percent"]])
    assert [each.value for each in found] == [50, 90]
    assert found[0].label == str(conditions[1])
    assert thresholds_of(conditions, [SERIES["host", "cpu_percent"]]) == ()
    alert = Alert(fake, conditions[0], title="hot")
    assert thresholds_of([alert], [SERIES["domain", "cpu_percent"]])[0].label == "hot"
    alert.close()


# -- waiting for a number ---------------------------------------------------------------------


def test_waiting_for_a_quiet_guest_gives_the_evidence(brisk, alpha, burning):
    with burning(brisk):
        busy = brisk.wait_for("cpu > 8 % for 0.2 s", timeout_s=20)
    quiet = brisk.wait_for("cpu < 8 % for 0.4 s", timeout_s=20)
    assert (busy.kind, quiet.kind) == ("rate", "rate")
    assert "cpu < 8 %" in quiet.text
    assert 0.3 < quiet.seconds < 20
    assert not alpha.sampler.is_running


def test_a_number_that_does_not_come_says_what_it_was(brisk):
    with pytest.raises(WaitTimeoutError, match="all the time") as caught:
        brisk.wait_for("cpu > 95 % for 0.2 s", timeout_s=1.5)
    assert "%" in caught.value.last_seen
    with pytest.raises(WaitTimeoutError, match="1 readings came"):
        brisk.wait_for("cpu > 95 %", timeout_s=0.15)
    with pytest.raises(WaitTimeoutError, match="held for"):
        brisk.wait_for("memory > 1 MiB for 1.5 s", timeout_s=1.6)


def test_a_number_that_nobody_tells_says_so(blank):
    with pytest.raises(WaitTimeoutError) as caught:
        blank.wait_for("disk_write > 1 MiB/s", timeout_s=1.5)
    assert caught.value.last_seen == "no data"
    assert caught.value.likely_cause


def test_a_domain_that_does_not_run_has_no_numbers(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    with pytest.raises(WaitTimeoutError, match="not started"):
        domain.wait_for("cpu < 50 %", timeout_s=30)


def test_a_domain_that_stops_meanwhile_ends_the_wait(blank, brisk):
    job = blank.until("cpu > 200 %", timeout_s=60)
    time.sleep(1)
    blank.destroy(confirm=True)
    with pytest.raises(WaitTimeoutError, match="stopped"):
        job.result(20)


def test_a_wait_can_be_cancelled(brisk, alpha):
    job = brisk.until("cpu > 200 %", timeout_s=60)
    time.sleep(0.3)
    job.cancel()
    with pytest.raises(LabvirtError, match="cancel"):
        job.result(10)
    assert not alpha.sampler.is_running


@pytest.mark.slow(seconds=8)
def test_a_runbook_checks_with_it(brisk, alpha, tmp_path):
    """The second step says that the guest is busy, and its check proves that it is not."""
    cells = (
        ("host: str = ''", "parameters"),
        (f"import labvirt as lv\nguest = lv.connect(host).domains[{brisk.name!r}]",),
        ("guest.ask('echo load')", "step:load"),
        ("print(guest.wait_for('cpu < 90 % for 0.4 s', timeout_s=30))", "step:load", "check"),
        ("guest.ask('echo busy')", "step:busy"),
        ("guest.wait_for('cpu > 150 % for 0.4 s', timeout_s=3)", "step:busy", "check"),
    )
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text, metadata={"tags": tags}) for text, *tags in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    path = tmp_path / "busy.ipynb"
    nbformat.write(book, path)
    address = f"lab:{alpha.facts.lab}/alpha"
    record = runbook.run(path, parameters={"host": address}, html=False)
    assert {step.id: step.verdict for step in record.steps} == {"load": "ok", "busy": "failed"}
    assert record.outcome == "failed"
    assert "likely cause: it was" in record.error + record.steps[1].error
    said = json.dumps(nbformat.read(record.notebook, as_version=4))
    assert "(rate, after" in said


@pytest.mark.parametrize(
    ("what", "timeout_s", "word"),
    [
        ("cpu < 5 % for 30 s", 10, "30"),
        ("nothing < 5 %", 10, "nothing"),
        ("host:cpu < 50 %", 10, "host"),
        ("cpu < 50 %", 0, "timeout_s"),
    ],
)
def test_what_can_never_hold_is_refused(brisk, what, timeout_s, word):
    with pytest.raises(SpecError, match=word):
        brisk.wait_for(what, timeout_s=timeout_s)
