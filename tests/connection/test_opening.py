"""How a URI is opened: without prompts, with questions answered by us, and tunnels out of ^C's way."""

from __future__ import annotations

import os
from pathlib import Path

import libvirt
import pytest

from labvirt.connection import Connection, opening
from labvirt.errors import AccessDeniedError, LabvirtError
from labvirt.model.uri import Uri


def opened_as(text: str) -> Uri:
    return opening._unattended(Uri.parse(text))


def test_ssh_never_asks_on_a_terminal_unless_told_to():
    """G13.3-20."""
    assert opened_as("qemu+ssh://h/system").param("no_tty") == "1"
    assert opened_as("qemu+ssh://h/system?no_tty=0").param("no_tty") == "0"
    assert opened_as("qemu+tls://h/system").params == ()
    assert str(opened_as("qemu:///system")) == "qemu:///system"


def test_ssh_runs_where_an_interrupt_does_not_reach_it():
    command = opened_as("qemu+ssh://h/system").param("command")
    assert command is not None
    assert os.access(command, os.X_OK)
    assert "setsid ssh" in Path(command).read_text()


def test_a_program_of_ones_own_is_left_alone():
    own = opened_as("qemu+ssh://h/system?command=/opt/ssh")
    assert own.param("command") == "/opt/ssh"


def test_without_setsid_plain_ssh_must_do(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert opened_as("qemu+ssh://h/system").param("command") is None


def test_questions_of_the_log_in_are_answered_by_the_caller():
    """The ESX driver asks before it connects: a real question without a real ESX."""
    asked: list[str] = []

    def ask(kind: str, prompt: str) -> str:
        asked.append(kind)
        assert prompt
        return "nobody"

    with pytest.raises(LabvirtError) as caught:
        Connection.open("esx://127.0.0.1:1/?no_verify=1", ask=ask, timeout_s=10)
    assert asked == ["username", "password"]
    assert "nobody" not in str(caught.value)


def test_without_answers_the_log_in_is_refused_clearly():
    with pytest.raises(AccessDeniedError, match="user name"):
        Connection.open("esx://127.0.0.1:1/", timeout_s=10)


def test_an_answer_may_be_refused():
    with pytest.raises(AccessDeniedError):
        Connection.open("esx://127.0.0.1:1/", ask=lambda *_: None, timeout_s=10)


def test_who_may_use_a_socket_is_told_for_either_daemon(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "libvirt").mkdir()
    (tmp_path / "libvirt/libvirt-sock").write_text("")
    refusal = AccessDeniedError("open", hint="join the group")
    told = opening._with_socket_facts(refusal, Uri.parse("qemu:///session"), readonly=False)
    assert f"{tmp_path}/libvirt/virtqemud-sock does not exist" in told.hint
    assert f"{tmp_path}/libvirt/libvirt-sock belongs to" in told.hint
    assert told.hint.startswith("join the group; ")


def test_facts_of_sockets_are_for_local_links_only():
    refusal = AccessDeniedError("open", hint="check the key")
    uri = Uri.parse("qemu+ssh://h/system")
    assert opening._with_socket_facts(refusal, uri, readonly=False).hint == "check the key"


def test_a_user_without_a_name_is_shown_by_number():
    assert opening._user_name(4_000_000_000) == "4000000000"
    assert opening._group_name(4_000_000_000) == "4000000000"
    assert opening._user_name(0) == "root"


def test_a_link_that_cannot_say_whether_it_lives_is_dead():
    class Broken:
        def isAlive(self):  # noqa: N802 - libvirt's name
            raise libvirt.libvirtError("no")

    assert not opening.is_alive(Broken())


def test_a_driver_in_this_process_has_no_keepalive_and_opens_all_the_same():
    with Connection.open("test:///default", keepalive=(1, 1)) as conn:
        assert conn.uri.is_in_process
        assert len(conn._lanes) == 1
