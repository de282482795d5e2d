"""Long jobs: progress while they run, an end by force, and memory dumps."""

from __future__ import annotations

import threading

import pytest

from labvirt.connection import domain
from labvirt.errors import ConflictError, HostError, SpecError
from labvirt.status import DomainState

pytestmark = pytest.mark.lab


@pytest.fixture
def images(shared_daemon):
    folder = shared_daemon.folder / "images"
    yield folder
    for path in folder.iterdir():
        path.unlink()


@pytest.fixture
def large(conn, domain_xml):
    """A paused domain whose memory takes seconds to write at 1 MiB/s, even as empty as it is."""
    xml = domain_xml("large").replace("<memory unit='MiB'>16<", "<memory unit='MiB'>2048<")
    uuid = domain.define(conn, xml)
    domain.start(conn, uuid, paused=True)
    return uuid


def test_without_a_job_there_is_nothing_to_read_and_nothing_to_abort(conn, paused):
    record = domain.job(conn, paused)
    assert record.kind == "none"
    assert not record.is_running
    assert record.done_part is None
    assert domain.job_stats(conn, paused).get("type", 0) == 0
    with pytest.raises(ConflictError):
        domain.abort_job(conn, paused)


def test_a_dump_of_memory_is_an_elf_file_and_the_domain_goes_on(conn, paused, images):
    path = images / "core"
    domain.dump_core(conn, paused, str(path))
    assert path.read_bytes()[:4] == b"\x7fELF"
    assert path.stat().st_size > 16 * 2**20
    assert domain.read(conn, paused).state is DomainState.PAUSED


def test_a_dump_may_end_the_domain_as_crashed(conn, paused, images):
    domain.dump_core(conn, paused, str(images / "core"), crash=True)
    assert not domain.read(conn, paused).is_active


def test_a_dump_in_an_unknown_format_is_refused(conn, paused, images):
    with pytest.raises(SpecError, match="kdump-zlib"):
        domain.dump_core(conn, paused, str(images / "core"), format="zip")
    assert not (images / "core").exists()


def test_a_save_is_aborted_from_another_thread_and_the_domain_goes_on(
    conn, large, images, eventually
):
    caught: list[Exception] = []

    def save():
        try:
            domain.save(conn, large, str(images / "slow"))
        except HostError as error:
            caught.append(error)

    conn.call(
        "slow the job down", lambda raw: raw.lookupByUUIDString(large).migrateSetMaxSpeed(1, 0)
    )
    saving = threading.Thread(target=save)
    saving.start()
    eventually(lambda: domain.job(conn, large).is_running, "the job")
    assert domain.job(conn, large).operation == "save"
    domain.abort_job(conn, large)
    saving.join(30)
    assert not saving.is_alive()
    assert isinstance(caught[0], ConflictError)
    assert "save domain large" in str(caught[0])
    assert domain.read(conn, large).is_active
