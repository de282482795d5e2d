"""Life cycle of domains on a real daemon: every verb of table 15.1, with its refusals."""

from __future__ import annotations

import threading
import time

import pytest

from labvirt.connection import domain, node
from labvirt.errors import ConflictError, HostError, NotFoundError, SpecError
from labvirt.status import DomainState

pytestmark = pytest.mark.lab


@pytest.fixture
def images(shared_daemon):
    """A folder in which the daemon's user may write."""
    folder = shared_daemon.folder / "images"
    yield folder
    for path in folder.iterdir():
        path.unlink()


def state(conn, uuid) -> DomainState:
    return domain.read(conn, uuid).state


def test_define_start_suspend_resume_destroy_undefine(conn, domain_xml):
    uuid = domain.define(conn, domain_xml("web1"))
    assert state(conn, uuid) is DomainState.SHUTOFF
    domain.start(conn, uuid)
    assert state(conn, uuid) is DomainState.RUNNING
    domain.suspend(conn, uuid)
    assert state(conn, uuid) is DomainState.PAUSED
    domain.resume(conn, uuid)
    assert state(conn, uuid) is DomainState.RUNNING
    domain.destroy(conn, uuid)
    assert state(conn, uuid) is DomainState.SHUTOFF
    domain.undefine(conn, uuid)
    with pytest.raises(NotFoundError):
        domain.read(conn, uuid)


def test_a_transient_domain_is_gone_after_destroy(conn, domain_xml):
    uuid = domain.create(conn, domain_xml("brief"), paused=True)
    record = domain.read(conn, uuid)
    assert record.state is DomainState.PAUSED
    assert not record.persistent
    domain.destroy(conn, uuid, graceful=True)
    with pytest.raises(NotFoundError):
        domain.read(conn, uuid)


def test_starting_twice_and_stopping_what_is_off_are_conflicts(conn, paused):
    with pytest.raises(ConflictError, match="already running"):
        domain.start(conn, paused)
    domain.destroy(conn, paused)
    for verb in (domain.destroy, domain.suspend, domain.resume, domain.shutdown, domain.reset):
        with pytest.raises(ConflictError, match="not running"):
            verb(conn, paused)


def test_a_name_that_is_taken_is_a_conflict(conn, paused, domain_xml):
    with pytest.raises(ConflictError, match="choose another name"):
        domain.define(conn, domain_xml("paused"))
    with pytest.raises(ConflictError):
        domain.create(conn, domain_xml("paused"))


def test_an_unknown_element_is_refused_by_define_and_by_create(conn, domain_xml):
    wrong = domain_xml("web1").replace("<vcpu>", "<vcpuu>").replace("</vcpu>", "</vcpuu>")
    for verb in (domain.define, domain.create):
        with pytest.raises(SpecError) as caught:
            verb(conn, wrong)
        assert "vcpuu" in str(caught.value)
    assert domain.list_all(conn) == ()


@pytest.mark.parametrize(
    "document",
    [
        "",
        "<domain",
        "<network><name>x</name></network>",
        "not xml at all",
        "<domain type='qemu'><name>a/b</name></domain>",
        "<domain type='qemu'><name>x</name><memory>oops</memory></domain>",
        '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><domain><name>&b;</name></domain>',
    ],
)
def test_a_broken_document_is_one_clear_refusal(conn, document):
    with pytest.raises((SpecError, HostError)) as caught:
        domain.define(conn, document)
    assert "define domain" in str(caught.value)
    assert domain.list_all(conn) == ()


def test_a_guest_without_a_system_ignores_shutdown_and_reboot(conn, paused):
    domain.resume(conn, paused)
    domain.shutdown(conn, paused)
    domain.shutdown(conn, paused, mode="acpi")
    domain.reboot(conn, paused)
    time.sleep(0.3)
    assert state(conn, paused) is DomainState.RUNNING
    domain.reset(conn, paused)
    assert state(conn, paused) is DomainState.RUNNING


def test_an_unknown_mode_is_refused_with_the_known_ones(conn, paused):
    for verb in (domain.shutdown, domain.reboot):
        with pytest.raises(SpecError, match="acpi, agent, initctl"):
            verb(conn, paused, mode="politely")


def test_shutdown_by_an_agent_that_is_not_there_says_what_to_do(conn, domain_xml):
    channel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    uuid = domain.create(conn, domain_xml("web1", channel))
    with pytest.raises(ConflictError, match="qemu-guest-agent"):
        domain.shutdown(conn, uuid, mode="agent")


def test_autostart_is_set_and_cleared(conn, paused):
    domain.set_autostart(conn, paused, True)
    assert domain.read(conn, paused).autostart
    domain.set_autostart(conn, paused, False)
    assert not domain.read(conn, paused).autostart


def test_a_saved_domain_comes_back_with_another_id(conn, paused, images):
    path = str(images / "saved")
    before = domain.read(conn, paused)
    domain.save(conn, paused, path)
    assert state(conn, paused) is DomainState.SHUTOFF
    assert domain.read(conn, paused).reason == "saved"
    assert paused in domain.save_image_xml(conn, path)
    assert domain.restore(conn, path) == paused
    after = domain.read(conn, paused)
    assert (after.name, after.uuid, after.state) == (before.name, before.uuid, DomainState.PAUSED)
    assert after.id != before.id


def test_a_domain_saved_paused_can_be_restored_running(conn, paused, images):
    path = str(images / "saved")
    domain.save(conn, paused, path, paused=False)
    domain.restore(conn, path)
    assert state(conn, paused) is DomainState.RUNNING
    domain.save(conn, paused, path)
    domain.restore(conn, path, paused=True)
    assert state(conn, paused) is DomainState.PAUSED


def test_a_file_that_is_no_saved_image_is_refused(conn, images):
    with pytest.raises(NotFoundError, match="check the path"):
        domain.restore(conn, str(images / "nothing"))
    other = images / "other"
    other.write_text("hello\n" * 100)
    other.chmod(0o644)
    with pytest.raises(HostError, match="saved image"):
        domain.restore(conn, str(other))


def test_saving_where_nobody_may_write_leaves_the_domain_as_it_was(conn, paused):
    with pytest.raises(HostError):
        domain.save(conn, paused, "/proc/nowhere/saved")
    assert state(conn, paused) is DomainState.PAUSED


def test_managed_save_is_resumed_by_start_or_thrown_away(conn, paused):
    domain.managed_save(conn, paused)
    assert domain.read(conn, paused).has_managed_save
    domain.start(conn, paused)
    assert state(conn, paused) is DomainState.PAUSED
    assert not domain.read(conn, paused).has_managed_save

    domain.managed_save(conn, paused, paused=False)
    domain.managed_save_remove(conn, paused)
    assert not domain.read(conn, paused).has_managed_save
    domain.start(conn, paused)
    assert state(conn, paused) is DomainState.RUNNING


def test_force_boot_throws_managed_save_away(conn, paused):
    domain.managed_save(conn, paused)
    domain.start(conn, paused, force_boot=True)
    record = domain.read(conn, paused)
    assert (record.state, record.reason) == (DomainState.RUNNING, "booted")


def test_undefine_refuses_to_lose_what_was_not_named(conn, paused):
    domain.managed_save(conn, paused)
    with pytest.raises(ConflictError, match="managed_save=True"):
        domain.undefine(conn, paused)
    domain.undefine(conn, paused, managed_save=True)
    assert domain.list_all(conn) == ()
    with pytest.raises(SpecError, match="'keep' or 'remove'"):
        domain.undefine(conn, paused, nvram="maybe")


def test_undefine_of_a_running_domain_makes_it_transient(conn, paused):
    domain.undefine(conn, paused)
    record = domain.read(conn, paused)
    assert record.is_active
    assert not record.persistent


def test_rename_keeps_the_uuid_and_refuses_an_active_domain(conn, paused):
    with pytest.raises(ConflictError):
        domain.rename(conn, paused, "other")
    domain.destroy(conn, paused)
    domain.rename(conn, paused, "other")
    assert domain.find(conn, "other") == paused
    with pytest.raises(ConflictError, match="suspend domain other"):
        domain.suspend(conn, paused)


def test_starting_with_a_network_that_is_not_there_says_so(conn, domain_xml):
    card = "<interface type='network'><source network='lan'/></interface>"
    uuid = domain.define(conn, domain_xml("web1", card))
    with pytest.raises(HostError, match="lan"):
        domain.start(conn, uuid)


def test_kvm_where_there_is_none_says_what_to_use(conn, domain_xml):
    if "<domain type='kvm'" in node.capabilities(conn):
        pytest.skip("this machine has KVM")
    with pytest.raises(HostError, match="virt='qemu'"):
        domain.define(conn, domain_xml("web1").replace("type='qemu'", "type='kvm'"))


def test_ten_domains_start_side_by_side(conn, domain_xml):
    uuids = [domain.define(conn, domain_xml(f"d{number}")) for number in range(10)]
    failed: list[Exception] = []

    def start(uuid):
        try:
            domain.start(conn, uuid, paused=True)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=start, args=(uuid,)) for uuid in uuids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert {record.state for record in domain.list_all(conn)} == {DomainState.PAUSED}
