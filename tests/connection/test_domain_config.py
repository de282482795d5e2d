"""Changing what a domain has: live and stored apart, and refusals that say what would do."""

from __future__ import annotations

import re

import pytest

from labvirt.connection import domain, node
from labvirt.errors import ConflictError, HostError, NotFoundError, SpecError
from labvirt.model.units import Size

pytestmark = pytest.mark.lab

CARD = (
    "<interface type='user'><mac address='52:54:00:00:00:0{}'/><model type='virtio'/></interface>"
)


def memory(conn, uuid, *, inactive: bool) -> tuple[str, str]:
    xml = domain.xml(conn, uuid, inactive=inactive)
    return (
        re.search(r"<memory unit='KiB'>(\d+)", xml)[1],
        re.search(r"<currentMemory unit='KiB'>(\d+)", xml)[1],
    )


def test_memory_of_the_definition_is_set_and_the_running_domain_left(conn, paused):
    domain.set_max_memory(conn, paused, Size.parse("32 MiB"))
    domain.set_memory(conn, paused, Size.parse("24 MiB"), config=True)
    assert memory(conn, paused, inactive=True) == ("32768", "24576")
    assert memory(conn, paused, inactive=False)[0] == "16384"


def test_odd_sizes_are_rounded_up_to_whole_kib(conn, paused):
    domain.set_memory(conn, paused, 8 * 2**20 + 1, config=True)
    assert memory(conn, paused, inactive=True)[1] == str(8 * 1024 + 1)


def test_more_than_the_maximum_is_refused_with_advice(conn, paused):
    with pytest.raises(ConflictError, match="raise the maximum"):
        domain.set_memory(conn, paused, Size.parse("64 MiB"), config=True)
    with pytest.raises(ConflictError, match="raise the maximum"):
        domain.set_vcpus(conn, paused, 2, config=True)


def test_the_maximum_of_a_running_domain_cannot_be_changed_live(conn, paused):
    with pytest.raises(HostError):
        domain.set_max_memory(conn, paused, Size.parse("32 MiB"), live=True, config=False)


def test_a_running_guest_with_a_balloon_is_asked_for_memory(conn, domain_xml, eventually):
    uuid = domain.create(conn, domain_xml("web1").replace("<memballoon model='none'/>", ""))
    domain.set_memory(conn, uuid, Size.parse("8 MiB"), live=True)
    # Nobody in there obeys; libvirt took the wish all the same.
    assert domain.read(conn, uuid).max_memory == Size.parse("16 MiB")


def test_vcpus_of_the_definition_current_and_maximum(conn, paused):
    domain.set_vcpus(conn, paused, 4, config=True, maximum=True)
    domain.set_vcpus(conn, paused, 2, config=True)
    assert "<vcpu placement='static' current='2'>4</vcpu>" in domain.xml(
        conn, paused, inactive=True
    )
    assert domain.read(conn, paused).vcpus == 1


def test_a_vcpu_is_added_live(conn, domain_xml):
    two = domain_xml("web1").replace("<vcpu>1</vcpu>", "<vcpu current='1'>2</vcpu>")
    uuid = domain.create(conn, two, paused=True)
    domain.set_vcpus(conn, uuid, 2, live=True)
    assert len(domain.vcpus(conn, uuid)) == 2


def test_no_vcpu_at_all_is_refused(conn, paused):
    with pytest.raises(HostError):
        domain.set_vcpus(conn, paused, 0, config=True)


def test_a_vcpu_is_pinned_live_and_in_the_definition(conn, paused):
    domain.pin_vcpu(conn, paused, 0, {0}, live=True, config=True)
    (active,) = domain.vcpus(conn, paused)
    assert active.affinity == {0}
    assert active.affinity_map == "y" + "-" * (node.info(conn).cpus - 1)
    assert "<vcpupin vcpu='0' cpuset='0'/>" in domain.xml(conn, paused, inactive=True)


def test_pinning_to_nothing_or_to_a_cpu_that_is_not_there_is_refused(conn, paused):
    with pytest.raises(SpecError, match="at least one CPU"):
        domain.pin_vcpu(conn, paused, 0, frozenset(), live=True)
    with pytest.raises(SpecError, match="has no CPU 4000"):
        domain.pin_vcpu(conn, paused, 0, {0, 4000}, live=True)
    with pytest.raises(HostError):
        domain.pin_vcpu(conn, paused, 7, {0}, live=True)


def test_a_device_is_attached_and_detached_in_the_definition(conn, paused):
    domain.attach(conn, paused, CARD.format(1), config=True)
    assert "52:54:00:00:00:01" in domain.xml(conn, paused, inactive=True)
    assert "52:54:00:00:00:01" not in domain.xml(conn, paused)
    domain.detach(conn, paused, CARD.format(1), config=True)
    assert "52:54:00:00:00:01" not in domain.xml(conn, paused, inactive=True)


def test_a_device_is_attached_live(conn, domain_xml):
    uuid = domain.create(conn, domain_xml("web1"))
    domain.attach(conn, uuid, CARD.format(1), live=True)
    assert "52:54:00:00:00:01" in domain.xml(conn, uuid)


def test_detaching_what_is_not_there_is_not_found(conn, paused):
    with pytest.raises(NotFoundError):
        domain.detach(conn, paused, CARD.format(9), config=True)


def test_a_device_that_is_nonsense_is_refused(conn, paused):
    with pytest.raises((SpecError, HostError)):
        domain.attach(conn, paused, "<toaster/>", config=True)
    with pytest.raises((SpecError, HostError)):
        domain.attach(conn, paused, "<interface", config=True)


def test_the_link_of_an_interface_is_pulled(conn, domain_xml):
    uuid = domain.create(conn, domain_xml("web1", CARD.format(1)))
    assert "<link state='down'/>" not in domain.xml(conn, uuid)
    domain.update_device(
        conn, uuid, CARD.format(1).replace("</inter", "<link state='down'/></inter"), live=True
    )
    assert "<link state='down'/>" in domain.xml(conn, uuid)


def test_title_and_description_are_set_and_removed(conn, paused):
    domain.set_title(conn, paused, "Front <door> & 'more'", live=True, config=True)
    domain.set_description(conn, paused, "two\nlines", live=True, config=True)
    for inactive in (False, True):
        xml = domain.xml(conn, paused, inactive=inactive)
        assert "<title>Front &lt;door&gt; &amp; 'more'</title>" in xml or "Front" in xml
        assert "two\nlines" in xml
    assert domain.read(conn, paused).title == "Front <door> & 'more'"
    domain.set_title(conn, paused, None, live=True, config=True)
    domain.set_description(conn, paused, "", live=True, config=True)
    assert "<title>" not in domain.xml(conn, paused)
    assert "<description>" not in domain.xml(conn, paused)


def test_a_title_of_two_lines_is_refused(conn, paused):
    with pytest.raises((SpecError, HostError), match="line"):
        domain.set_title(conn, paused, "one\ntwo", config=True)


def test_the_definition_of_a_transient_domain_cannot_be_changed(conn, domain_xml):
    uuid = domain.create(conn, domain_xml("brief"), paused=True)
    with pytest.raises(HostError, match="live=True"):
        domain.set_title(conn, uuid, "x", config=True)


def test_without_live_or_config_libvirt_takes_what_the_domain_is(conn, paused):
    domain.set_title(conn, paused, "now")
    assert "<title>now</title>" in domain.xml(conn, paused)
    assert "<title>now</title>" not in domain.xml(conn, paused, inactive=True)
