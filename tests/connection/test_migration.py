"""Migration between two real daemons: done, watched, slowed down, aborted, refused."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from labvirt.connection import Connection, domain
from labvirt.errors import (
    ConflictError,
    ConnectionLostError,
    HostError,
    NotFoundError,
    SpecError,
    WaitTimeoutError,
)
from labvirt.status import DomainState

pytestmark = pytest.mark.lab

TCP = "tcp://127.0.0.1"


@pytest.fixture(scope="module")
def pair(start_daemon):
    daemons = start_daemon(), start_daemon()
    yield daemons
    for daemon in daemons:
        daemon.stop()


@pytest.fixture
def alpha(pair):
    with Connection.open(pair[0].uri) as conn:
        yield conn
        _clean(conn)


@pytest.fixture
def beta(pair):
    with Connection.open(pair[1].uri) as conn:
        yield conn
        _clean(conn)


def _clean(conn):
    for record in domain.list_all(conn):
        if record.is_active:
            domain.destroy(conn, record.uuid)
        if record.persistent:
            domain.undefine(conn, record.uuid)


@pytest.fixture
def guest(alpha, domain_xml):
    uuid = domain.define(alpha, domain_xml("guest"))
    domain.start(alpha, uuid)
    return uuid


def test_a_running_domain_moves_and_is_only_there(alpha, beta, guest):
    assert domain.migrate(alpha, guest, beta, migrate_uri=TCP) == guest
    there = domain.read(beta, guest)
    assert (there.name, there.state, there.persistent) == ("guest", DomainState.RUNNING, True)
    with pytest.raises(NotFoundError):
        domain.read(alpha, guest)
    finished = domain.job(beta, guest, completed=True)
    assert finished.kind == "completed"
    assert finished.operation == "migration_in"
    assert finished.raw["downtime"] >= 0


def test_it_moves_back_and_forth_through_a_unix_socket(alpha, beta, guest, pair):
    for turn, (source, destination) in enumerate([(alpha, beta), (beta, alpha)]):
        folder = pair[1 - turn].folder
        domain.migrate(source, guest, destination, migrate_uri=f"unix://{folder}/m.sock")
        assert domain.read(destination, guest).state is DomainState.RUNNING


def test_the_definition_can_stay_behind_and_a_paused_one_moves_too(alpha, beta, guest):
    domain.suspend(alpha, guest)
    domain.migrate(
        alpha, guest, beta, migrate_uri=TCP, live=False, persistent=False, undefine_source=False
    )
    assert not domain.read(alpha, guest).is_active
    moved = domain.read(beta, guest)
    assert moved.state is DomainState.PAUSED
    assert not moved.persistent


def test_the_daemons_can_do_it_among_themselves(alpha, beta, guest):
    domain.migrate(alpha, guest, beta, migrate_uri=TCP, p2p=True)
    assert domain.read(beta, guest).state is DomainState.RUNNING


def test_a_domain_that_is_off_moves_its_definition(alpha, beta, domain_xml):
    uuid = domain.define(alpha, domain_xml("off"))
    domain.migrate(alpha, uuid, beta, live=False, options=["offline"])
    assert not domain.read(beta, uuid).is_active
    with pytest.raises(NotFoundError):
        domain.read(alpha, uuid)


# Writes 512 KiB over and over again: the smallest guest whose memory never stands still.
SCRIBBLE = bytes.fromhex(
    "fc"           # cld
    "b8 00 10"     # start: mov ax, 0x1000
    "8e c0"        # next: mov es, ax
    "31 ff"        # xor di, di
    "b9 00 80"     # mov cx, 0x8000
    "50 89 e8"     # push ax; mov ax, bp
    "f3 ab 58"     # rep stosw; pop ax
    "80 c4 10"     # add ah, 0x10
    "80 fc 90"     # cmp ah, 0x90
    "72 eb"        # jb next
    "45"           # inc bp
    "eb e5"        # jmp start
)  # fmt: skip


@pytest.fixture
def busy(alpha, pair, domain_xml):
    """A domain that cannot be moved at 1 MiB/s: it writes faster than that."""
    image = pair[0].folder / "images/scribble"
    image.write_bytes(SCRIBBLE.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    image.chmod(0o666)
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
        f"<source file='{image}'/><target dev='hda' bus='ide'/></disk>"
    )
    uuid = domain.define(alpha, domain_xml("busy", disk))
    domain.start(alpha, uuid)
    time.sleep(2.0)  # until it scribbles
    return uuid


def through_socket(daemon) -> str:
    """A way for the data that no other test run on this machine can take."""
    return f"unix://{daemon.folder}/m.sock"


def slow_migration(alpha, beta, uuid, caught, way):
    """Begin a migration that never ends by itself."""

    def move():
        try:
            domain.migrate(alpha, uuid, beta, migrate_uri=way, unsafe=True, bandwidth_mib_s=1)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            caught.append(error)

    thread = threading.Thread(target=move)
    thread.start()
    return thread


def test_a_migration_is_watched_and_aborted_from_another_thread(
    alpha, beta, busy, pair, eventually
):
    caught: list[Exception] = []
    moving = slow_migration(alpha, beta, busy, caught, through_socket(pair[1]))
    running = eventually(
        lambda: caught or ((job := domain.job(alpha, busy)).data_total > 0 and job),
        "the job to tell of its progress",
    )
    assert caught == []
    assert running.is_running
    assert running.operation == "migration_out"
    assert 0.0 <= running.done_part <= 1.0
    assert domain.list_all(alpha)[0].is_active
    domain.abort_job(alpha, busy)
    moving.join(20)
    assert not moving.is_alive()
    assert isinstance(caught[0], ConflictError)
    assert "goes on where it was" in str(caught[0])
    assert domain.read(alpha, busy).state is DomainState.RUNNING
    eventually(lambda: domain.list_all(beta) == (), "the half-made copy to go")


def test_a_migration_that_takes_too_long_is_aborted(alpha, beta, busy, pair, eventually):
    with pytest.raises(WaitTimeoutError, match="migrate domain busy"):
        domain.migrate(
            alpha,
            busy,
            beta,
            migrate_uri=through_socket(pair[1]),
            unsafe=True,
            bandwidth_mib_s=1,
            timeout_s=1.5,
        )
    eventually(lambda: not domain.job(alpha, busy).is_running, "the job to end")
    eventually(lambda: domain.read(alpha, busy).state is DomainState.RUNNING, "the guest to go on")
    eventually(lambda: domain.list_all(beta) == (), "the half-made copy to go")


def test_the_destination_dying_leaves_the_domain_where_it_was(
    alpha, busy, start_daemon, eventually
):
    other = start_daemon()
    try:
        with Connection.open(other.uri) as gamma:
            caught: list[Exception] = []
            moving = slow_migration(alpha, gamma, busy, caught, through_socket(other))
            eventually(lambda: domain.job(alpha, busy).is_running, "the job")
            other.kill()
            with contextlib.suppress(ConflictError):  # it noticed by itself
                domain.abort_job(alpha, busy)
            moving.join(30)
            assert not moving.is_alive()
            assert isinstance(caught[0], ConnectionLostError)
            assert caught[0].asked == "receive domain busy"
            eventually(
                lambda: domain.read(alpha, busy).state is DomainState.RUNNING, "the guest to go on"
            )
    finally:
        other.stop()


def test_to_the_same_host_is_refused(alpha, guest):
    with pytest.raises((ConflictError, HostError), match="same host"):
        domain.migrate(alpha, guest, alpha, migrate_uri=TCP)
    assert domain.read(alpha, guest).state is DomainState.RUNNING


def test_a_disk_that_is_not_shared_is_unsafe_and_says_what_to_do(alpha, beta, pair, domain_xml):
    image = pair[0].folder / "images/disk"
    image.write_bytes(bytes(1 << 20))
    image.chmod(0o666)
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
        f"<source file='{image}'/><target dev='vda' bus='virtio'/></disk>"
    )
    uuid = domain.create(alpha, domain_xml("disky", disk))
    with pytest.raises(ConflictError, match="unsafe=True") as caught:
        domain.migrate(alpha, uuid, beta, migrate_uri=TCP)
    assert caught.value.asked == f"migrate domain disky to {beta.uri}"
    assert caught.value.uri == str(alpha.uri)
    domain.migrate(alpha, uuid, beta, migrate_uri=TCP, unsafe=True)
    assert domain.read(beta, uuid).state is DomainState.RUNNING


def test_an_unknown_option_is_refused_before_anything_is_asked(alpha, beta, guest):
    with pytest.raises(SpecError, match="auto-converge"):
        domain.migrate(alpha, guest, beta, options=["faster"])


def test_to_a_lost_host_is_refused_at_once(alpha, guest, start_daemon, eventually):
    other = start_daemon()
    with Connection.open(other.uri) as gamma:
        other.kill()
        eventually(lambda: gamma.lost_since is not None, "the loss")
        with pytest.raises(ConnectionLostError, match=r"receive domain guest"):
            domain.migrate(alpha, guest, gamma, migrate_uri=TCP)
    other.stop()
    assert domain.read(alpha, guest).state is DomainState.RUNNING
    assert alpha.lost_since is None
