"""Plans: shown before, applied whole or not at all, confirmed when they destroy, written down."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from labvirt.errors import (
    CancelledError,
    ConfirmationError,
    ConflictError,
    HostError,
    PlanError,
)
from labvirt.plan import Action, Call, Journal, Plan, verb


@dataclass
class Host:
    """A host that is a folder: an object is a file."""

    folder: Path
    name: str = "alpha"
    label: str = "folder:///here"


@dataclass(frozen=True)
class Make(Action[Host]):
    kind: ClassVar[str] = "make"
    file: str
    xml: str = ""
    fails: bool = False
    stuck: bool = False

    @property
    def title(self):
        return f"make {self.file}"

    @property
    def virsh(self):
        return (f"touch {self.file}",)

    @property
    def diff(self):
        return f"+{self.file}"

    def do(self, host, control):
        if (host.folder / self.file).exists():
            raise ConflictError(f"make {self.file}", libvirt_text="exists")
        (host.folder / self.file).write_text("new")
        if self.fails:
            raise HostError(f"make {self.file}", libvirt_text="disk full", hint="delete something")

    def undo(self, host, crash=None):
        if self.stuck:
            raise HostError(f"remove {self.file}", libvirt_text="busy")
        (host.folder / self.file).unlink(missing_ok=True)


@pytest.fixture
def host(tmp_path):
    (tmp_path / "host").mkdir()
    return Host(tmp_path / "host")


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal")


def plan(host, journal, *actions, **more):
    return Plan("build", host, actions, lambda: "built", journal=journal, **more)


def files(host):
    return sorted(path.name for path in host.folder.iterdir())


def test_apply_does_every_action_in_order_and_returns_the_result(host, journal):
    assert plan(host, journal, Make("a"), Make("b")).apply() == "built"
    assert files(host) == ["a", "b"]


def test_nothing_happens_before_apply(host, journal):
    made = plan(host, journal, Make("a"))
    assert str(made)
    assert made._repr_html_()
    assert files(host) == []


def test_a_failure_rolls_everything_back_and_says_which_action_failed(host, journal):
    with pytest.raises(PlanError) as caught:
        plan(host, journal, Make("a"), Make("b", fails=True), Make("c")).apply()
    assert files(host) == []
    assert caught.value.action == "make b"
    assert caught.value.undone == ("make b", "make a")
    assert caught.value.remains == ()
    assert "disk full" in str(caught.value)
    assert "delete something" in str(caught.value)
    assert list((journal.folder / "open").iterdir()) == []


def test_what_was_there_before_is_never_removed(host, journal):
    (host.folder / "b").write_text("precious")
    with pytest.raises(PlanError):
        plan(host, journal, Make("a"), Make("b")).apply()
    assert files(host) == ["b"]
    assert (host.folder / "b").read_text() == "precious"


def test_a_roll_back_that_fails_says_what_remains_and_stays_open_for_the_next_command(
    host, journal, caplog
):
    with pytest.raises(PlanError) as caught:
        plan(host, journal, Make("a", stuck=True), Make("b", fails=True)).apply()
    assert files(host) == ["a"]
    assert "busy" in caught.value.remains[0]

    found = journal.recover(host, {"make": Make})
    assert "busy" in found[0].remains[0]

    @dataclass(frozen=True)
    class Willing(Make):
        def undo(self, host, crash=None):
            (host.folder / self.file).unlink(missing_ok=True)

    found = journal.recover(host, {"make": Willing})
    assert found[0].remains == ()
    assert files(host) == []
    assert journal.recover(host, {"make": Willing}) == ()


def test_the_error_of_a_single_action_comes_as_it_is(host, journal):
    with pytest.raises(HostError, match="disk full"):
        plan(host, journal, Make("a", fails=True)).apply()
    assert files(host) == []


def test_cancelling_between_actions_undoes_what_was_done(host, journal):
    def cancel_now(_, control):
        control.cancel()

    with pytest.raises(CancelledError, match="undone: make a"):
        plan(host, journal, Make("a"), Call("pause", cancel_now), Make("b")).apply()
    assert files(host) == []


def test_an_error_of_the_result_rolls_back_too(host, journal):
    def broken():
        raise HostError("look at it")

    made = Plan("build", host, (Make("a"), Make("b")), broken, journal=journal)
    with pytest.raises(PlanError):
        made.apply()
    assert files(host) == []


def test_checks_run_before_the_first_change(host, journal):
    def check(_):
        raise ConflictError("start it", libvirt_text="no")

    with pytest.raises(ConflictError):
        plan(host, journal, Make("a"), Call("start", lambda *_: None, before=check)).apply()
    assert files(host) == []


def test_a_destructive_plan_names_the_loss_and_needs_a_confirmation(host, journal):
    wipe = Call("wipe", lambda h, _: (h.folder / "x").write_text("gone"), loses=("all of x",))
    made = plan(host, journal, wipe)
    with pytest.raises(ConfirmationError, match="all of x") as caught:
        made.apply()
    assert caught.value.exit_code == 2
    assert files(host) == []
    made.apply(confirm=True)
    assert files(host) == ["x"]


def test_a_plan_may_carry_the_confirmation(host, journal):
    wipe = Call("wipe", lambda *_: None, loses=("all",))
    assert plan(host, journal, wipe, confirmed=True).apply() == "built"


def test_text_and_html_show_all_forms_and_escape(host, journal):
    made = plan(
        host, journal, Make("<b>"), warnings=("be <careful>",), python="x<y", virt_install="vi"
    )
    text, html = str(made), made._repr_html_()
    assert "1. make <b>" in text
    assert "virsh -c folder:///here touch <b>" in text
    for part in ("&lt;b&gt;", "be &lt;careful&gt;", "x&lt;y", "vi", "virsh"):
        assert part in html
    assert "<b>&lt;" not in html.replace("<b>Plan", "")


def test_the_journal_says_who_did_what_where_and_how_it_ended(host, journal):
    plan(host, journal, Make("a")).apply()
    with pytest.raises(PlanError):
        plan(host, journal, Make("b"), Make("c", fails=True)).apply()
    first, second = journal.entries()
    assert first["outcome"] == "applied"
    assert first["host"] == "alpha"
    assert first["uri"] == "folder:///here"
    assert first["user"]
    assert dt.datetime.fromisoformat(first["when"]).tzinfo
    assert first["actions"][0] == {"title": "make a", "virsh": ["touch a"], "diff": "+a"}
    assert second["outcome"] == "failed"
    assert "disk full" in second["error"]
    assert (journal.folder / "journal.jsonl").stat().st_mode & 0o077 == 0


def test_a_torn_line_does_not_hide_the_rest_of_the_journal(host, journal):
    plan(host, journal, Make("a")).apply()
    with (journal.folder / "journal.jsonl").open("a") as file:
        file.write('{"torn": ')
    assert [entry["outcome"] for entry in journal.entries()] == ["applied"]


def test_secrets_in_xml_never_reach_the_journal(host, journal):
    secret = (
        "<domain type='qemu'><devices><graphics type='vnc' passwd='hunter2'/></devices></domain>"
    )
    seen = []

    @dataclass(frozen=True)
    class Spy(Make):
        kind: ClassVar[str] = "spy"

        def do(self, host, control):
            seen.extend(path.read_text() for path in (journal.folder / "open").iterdir())

    plan(host, journal, Spy("a", xml=secret)).apply()
    assert seen
    assert "hunter2" not in seen[0]
    assert "hunter2" not in (journal.folder / "journal.jsonl").read_text()


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_plan import Host, Make, plan
from labvirt.plan import Call, Journal
host, journal = Host(Path({host!r})), Journal(Path({journal!r}))
plan(host, journal, Make("a"), Call("die", lambda *_: os.kill(os.getpid(), signal.SIGKILL)), Make("b")).apply()
"""


def die_in_the_middle(host, journal):
    code = CHILD.format(
        tests=str(Path(__file__).parent), host=str(host.folder), journal=str(journal.folder)
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL


def test_after_kill_9_the_next_command_reports_and_cleans(host, journal, caplog):
    die_in_the_middle(host, journal)
    assert files(host) == ["a"]

    found = journal.recover(host, {"make": Make})

    assert files(host) == []
    assert found[0].title == "build"
    assert found[0].undone == ("make a",)
    assert "cut short" in caplog.text
    assert journal.recover(host, {"make": Make}) == ()
    assert journal.entries()[-1]["outcome"] == "recovered"


def test_a_plan_of_another_host_is_left_alone(host, journal):
    die_in_the_middle(host, journal)
    other = Host(host.folder, "beta", "folder:///there")
    assert journal.recover(other, {"make": Make}) == ()
    assert files(host) == ["a"]


def test_a_plan_under_way_in_another_process_is_left_alone(host, journal):
    code = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_plan import Host, Make, plan
        from labvirt.plan import Call, Journal
        host, journal = Host(Path({str(host.folder)!r})), Journal(Path({str(journal.folder)!r}))
        def wait(*_):
            print("under way", flush=True)
            sys.stdin.readline()
        plan(host, journal, Make("a"), Call("wait", wait)).apply()
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "under way\n"
    assert journal.recover(host, {"make": Make}) == ()
    assert files(host) == ["a"]
    child.communicate("go on\n", timeout=20)
    assert child.returncode == 0
    assert files(host) == ["a"]


def test_an_entry_torn_by_the_kill_is_cleaned(host, journal):
    pending = journal.folder / "open"
    pending.mkdir(parents=True)
    (pending / "x.jsonl").write_text('{"id": "x", "tit')
    assert journal.recover(host, {"make": Make})
    assert list(pending.iterdir()) == []


def test_an_action_is_told_when_it_was_begun_and_whether_it_was_finished(host, journal):
    die_in_the_middle(host, journal)
    seen = []

    @dataclass(frozen=True)
    class Spy(Make):
        def undo(self, host, crash=None):
            seen.append(crash)

    journal.recover(host, {"make": Spy})
    assert abs((seen[0].begun - dt.datetime.now(dt.UTC)).total_seconds()) < 60
    assert seen[0].finished


def test_open_entries_are_readable_by_their_owner_only(host, journal):
    modes = []

    def look(*_):
        modes.extend(p.stat().st_mode & 0o777 for p in (journal.folder / "open").iterdir())

    plan(host, journal, Make("a"), Call("look", look)).apply()
    assert modes == [0o600]


def test_plans_that_cannot_be_undone_leave_no_open_entry(host, journal):
    def look(*_):
        assert not (journal.folder / "open").exists()

    plan(host, journal, Call("look", look)).apply()


class Machine:
    """Something with verbs."""

    def __init__(self, host, journal):
        self.host, self.journal = host, journal

    @verb
    def press(self, times: int = 1) -> Plan[int]:
        """Press the button."""
        call = Call("press", lambda *_: times)
        return Plan("press", self.host, (call,), lambda: call.results[-1], journal=self.journal)


def test_a_verb_is_done_shown_or_started(host, journal):
    machine = Machine(host, journal)
    assert machine.press() == 1
    assert machine.press(times=3) == 3
    assert machine.press.plan(times=2).title == "press"
    assert machine.press.job(4).result(5) == 4
    assert machine.press.__doc__ == "Press the button."
    assert Machine.press.__doc__ == "Press the button."
    assert len(journal.entries()) == 3


def test_the_user_is_named_even_without_a_password_entry(host, journal, monkeypatch):
    import getpass

    def nobody():
        raise OSError("no such user")

    monkeypatch.setattr(getpass, "getuser", nobody)
    plan(host, journal, Make("a")).apply()
    assert journal.entries()[-1]["user"] == f"uid {os.getuid()}"
    assert json.dumps(journal.entries())
