"""Opening a connection, and every way in which it can fail."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from labvirt.connection import Connection, LinkState, domain, node
from labvirt.errors import (
    AccessDeniedError,
    ConnectionLostError,
    SpecError,
    UnsupportedError,
    WaitTimeoutError,
)
from labvirt.model.uri import Uri


def open_fails(uri: str, kind: type[Exception], within_s: float = 5.0, **options) -> Exception:
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        Connection.open(uri, **options)
    assert time.monotonic() - began < within_s
    return caught.value


def test_a_typo_in_the_driver_is_refused_with_a_suggestion():
    error = open_fails("qemuu:///system", SpecError, 0.5)
    assert "did you mean 'qemu'?" in str(error)


def test_a_socket_that_does_not_exist_is_named_with_what_to_try(tmp_path):
    path = tmp_path / "nobody"
    error = open_fails(f"qemu+unix:///session?socket={path}", ConnectionLostError)
    assert f"{path} does not exist" in str(error)
    assert "is libvirtd" in str(error)


def test_a_dead_socket_is_told_apart_from_a_missing_one(tmp_path):
    path = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as once:
        once.bind(str(path))
    error = open_fails(f"qemu+unix:///session?socket={path}", ConnectionLostError)
    assert "Connection refused" in str(error)
    assert "does not exist" not in str(error)


def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    path = tmp_path / ("x" * 120)
    error = open_fails(f"qemu+unix:///session?socket={path}", ConnectionLostError)
    assert "too long" in str(error)


def test_an_unknown_host_is_a_spelling_to_check():
    error = open_fails("qemu+tcp://no-such-host.invalid/system", ConnectionLostError)
    assert "check the spelling" in str(error)


def test_an_unknown_host_over_ssh_is_a_spelling_to_check():
    error = open_fails("qemu+ssh://no-such-host.invalid/system", ConnectionLostError, 10)
    assert "check the spelling" in str(error)


def test_a_refused_port_says_that_nobody_listens(free_port):
    error = open_fails(f"qemu+tcp://127.0.0.1:{free_port()}/system", ConnectionLostError)
    assert "Connection refused" in str(error)


def test_a_driver_that_this_libvirt_lacks_is_unsupported():
    error = open_fails("openvz:///system", (UnsupportedError, ConnectionLostError))
    assert "openvz:///system" in str(error)


def test_a_listener_that_never_answers_ends_at_the_limit(tmp_path):
    path = tmp_path / "mute"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        error = open_fails(
            f"qemu+unix:///session?socket={path}", WaitTimeoutError, 2.0, timeout_s=0.5
        )
    assert "hangs" in str(error)


def test_the_link_of_an_open_that_came_too_late_is_closed(tmp_path, eventually):
    before = set(threading.enumerate())
    path = tmp_path / "mute"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        mute.settimeout(5)
        open_fails(f"qemu+unix:///session?socket={path}", WaitTimeoutError, timeout_s=0.2)
        late, _ = mute.accept()
        late.close()
    eventually(
        lambda: not any("call" in t.name for t in set(threading.enumerate()) - before),
        "the worker of the open to end",
    )


def test_something_that_speaks_another_language_is_no_link(tmp_path):
    path = tmp_path / "http"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer():
            peer, _ = server.accept()
            with peer:
                peer.recv(100)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)

        answering = threading.Thread(target=answer)
        answering.start()
        error = open_fails(f"qemu+unix:///session?socket={path}", ConnectionLostError)
        answering.join(5)
    assert str(path) in str(error)


def test_a_socket_without_rights_names_its_owner_and_mode(tmp_path, passable):
    """What an ordinary user sees of root's libvirt."""
    passable(tmp_path)
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0)
        program = textwrap.dedent(f"""
            import os
            from labvirt.connection import Connection
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            try:
                Connection.open("qemu+unix:///session?socket={path}")
            except Exception as error:
                print(type(error).__name__, error)
        """)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
        )
    assert done.stdout.startswith("AccessDeniedError")
    assert f"{path} belongs to {path.owner()}:{path.group()}, mode 0" in done.stdout
    assert done.stderr == ""


@pytest.mark.lab
def test_an_open_connection_tells_of_itself(shared_daemon):
    uri = Uri.parse(shared_daemon.uri)
    with Connection.open(uri) as conn:
        assert conn.uri == uri
        assert conn.state is LinkState.CONNECTED
        assert conn.generation == 1
        assert conn.lost_since is None
        assert conn.next_attempt_s is None
        assert not conn.readonly
        assert node.is_alive(conn)
        assert "connected" in repr(conn)
    assert conn.state is LinkState.CLOSED
    assert not node.is_alive(conn)


@pytest.mark.lab
def test_a_closed_connection_refuses_calls_and_closing_twice_is_safe(shared_daemon):
    conn = Connection.open(shared_daemon.uri)
    conn.close()
    conn.close()
    with pytest.raises(ConnectionLostError, match="closed: open it again"):
        domain.list_all(conn)
    with pytest.raises(ConnectionLostError, match="closed"):
        conn.wait_link(1.0)


@pytest.mark.lab
def test_a_readonly_connection_reads_and_cannot_change(conn, shared_daemon, domain_xml):
    uuid = domain.define(conn, domain_xml("kept"))
    with Connection.open(shared_daemon.uri, readonly=True) as reading:
        assert reading.readonly
        assert [record.name for record in domain.list_all(reading)] == ["kept"]
        with pytest.raises(AccessDeniedError, match="without readonly"):
            domain.start(reading, uuid)
        with pytest.raises(AccessDeniedError):
            domain.xml(reading, uuid, secure=True)


@pytest.mark.lab
def test_many_connections_at_once_and_again_after_the_last_was_closed(shared_daemon):
    before = set(threading.enumerate())
    for _ in range(3):
        opened = [Connection.open(shared_daemon.uri) for _ in range(5)]
        assert len({node.hostname(conn) for conn in opened}) == 1
        for conn in opened:
            conn.close()
        assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("labvirt")]


@pytest.mark.lab
def test_no_file_descriptor_stays_after_close(shared_daemon, eventually):
    def cycle():
        with Connection.open(shared_daemon.uri) as conn:
            conn.listen(lambda _: None)
            domain.list_all(conn)

    cycle()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        cycle()
    eventually(
        lambda: len(list(Path("/proc/self/fd").iterdir())) <= before, "descriptors to be closed"
    )


@pytest.mark.lab
def test_a_process_that_forgets_to_close_ends_quickly_and_quietly(shared_daemon):
    program = textwrap.dedent(f"""
        from labvirt.connection import Connection, domain
        conn = Connection.open({shared_daemon.uri!r})
        kept = conn.listen(print)
        print(len(domain.list_all(conn)))
    """)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.strip().isdigit()


@pytest.mark.lab
def test_a_forked_child_is_told_to_open_its_own_and_the_parent_goes_on(shared_daemon):
    program = textwrap.dedent(f"""
        import os, sys
        from labvirt.connection import Connection, domain
        conn = Connection.open({shared_daemon.uri!r})
        domain.list_all(conn)
        pid = os.fork()
        if not pid:
            for attempt in (lambda: domain.list_all(conn), lambda: Connection.open(conn.uri)):
                try:
                    attempt()
                except Exception as error:
                    print(type(error).__name__, error, flush=True)
            conn.close()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        print("parent", len(domain.list_all(conn)))
        conn.close()
    """)
    done = subprocess.run(
        # Python 3.12 and later warn of forks beside threads, which is what this is about.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert done.stdout.count("ConnectionLostError") == 2
    assert "before a fork" in done.stdout
    assert "spawn" in done.stdout
    assert "parent 0" in done.stdout
    assert done.stderr == ""


@pytest.mark.lab
def test_libvirt_prints_nothing_when_calls_fail(conn, capfd):
    for _ in range(3):
        with pytest.raises(Exception, match="nobody"):
            domain.find(conn, "nobody")
    assert capfd.readouterr() == ("", "")
