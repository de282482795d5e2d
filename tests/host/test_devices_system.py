"""What only a privileged host can show: networks changed live, shared folders, honest limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import (
    ConflictError,
    LabError,
    NotFoundError,
    UnsupportedError,
)
from labvirt.model import DomainXml, FilesystemSpec, InterfaceSpec, VsockSpec

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def wide():
    """A lab of one system host."""
    try:
        lab = lv.Lab.start(f"dev-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        yield lab
        lab.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder of the host with a file in it, which QEMU may enter."""
    folder = tmp_path_factory.mktemp("share")
    (folder / "hello").write_text("from the host")
    for one in (folder, *folder.parents[:3]):
        one.chmod(0o777 if one == folder else one.stat().st_mode | 0o5)
    return folder


@pytest.fixture(scope="module")
def guest(wide, shared):
    """A guest of machine q35 whose memory is shared, with a virtiofs folder from its first start."""
    spec = lv.DomainSpec(
        name="q35",
        memory="160 MiB",
        machine="q35",
        shared_memory=True,
        source=lv.TinyGuest(),
        interfaces=("network:default",),
    )
    domain = wide["alpha"].plan(spec, start=False).apply()
    domain.attach(FilesystemSpec(path=str(shared), tag="share"))
    domain.add_pci_ports(3)
    domain.start()
    domain.wait_for("agent", timeout_s=90)
    return domain


@pytest.mark.slow(seconds=20)
def test_a_folder_is_shared_both_ways(guest, shared):
    assert guest.devices["share"].record.what == "folder of the host as share"
    seen = guest.ask(
        "modprobe virtiofs; mount -t virtiofs share /mnt && cat /mnt/hello; echo back > /mnt/reply; umount /mnt"
    )
    assert "from the host" in seen.text
    assert (shared / "reply").read_text() == "back\n"


@pytest.mark.slow(seconds=8)
def test_plugging_a_folder_in_is_refused_where_libvirt_would_die(guest, shared):
    if not guest.host.version().daemon.startswith("9.0."):
        pytest.skip("this libvirt is not 9.0")
    with pytest.raises(UnsupportedError, match="crashes"):
        guest.attach(FilesystemSpec(path=str(shared), tag="more"))
    report = guest.hotplug().df
    assert not report[report.bus == "virtiofs"].can.any()


def test_ports_are_counted_filled_and_asked_for(guest):
    room = guest.hotplug().room
    assert room.has_ports
    assert room.free >= 3
    made = [guest.attach(lv.model.RngSpec(), live=True) for _ in range(room.free)]
    assert guest.hotplug().room.free == 0
    with pytest.raises(UnsupportedError, match=r"add_pci_ports\(\)"):
        guest.attach(lv.model.RngSpec())
    with pytest.raises(UnsupportedError, match="not PCI Express"):
        guest.attach(InterfaceSpec(model="e1000"))
    for device in made:
        device.detach()
    assert guest.hotplug().room.free == room.free


def test_what_sits_on_the_root_bus_stays(guest):
    on_root = next(one for one in guest.devices.records if one.address.startswith("pci 0000:00:1f"))
    with pytest.raises(UnsupportedError):
        guest.detach(on_root.uuid)


def test_an_interface_moves_to_another_network_while_the_guest_runs(guest, eventually):
    guest.update("interface", source="isolated")
    bridge = guest.host.networks["isolated"].info().bridge
    for inactive in (False, True):
        assert DomainXml.parse(guest.xml(inactive=inactive)).interfaces[0].source == "isolated"
    ask = (
        "ip link set eth0 down; ip link set eth0 up; udhcpc -n -q -i eth0 -t 12 -T 1 2>&1 | tail -1"
    )
    assert "obtained" in guest.ask(ask, timeout_s=60).text
    macs = {lease.mac for lease in guest.host.networks["isolated"].leases()}
    assert guest.devices["interface"].name in macs
    guest.update("interface", kind="bridge", source=bridge)
    assert DomainXml.parse(guest.xml()).interfaces[0].source_bridge == bridge
    guest.update("interface", kind="network", source="default")
    for inactive in (False, True):
        assert DomainXml.parse(guest.xml(inactive=inactive)).interfaces[0].source == "default"


def test_an_interface_is_plugged_gets_a_lease_and_goes(guest, eventually):
    card = guest.attach(InterfaceSpec(source="isolated"))
    eventually(
        lambda: card.name in {one.mac for one in guest.host.networks["isolated"].leases()},
        "a lease of the new interface",
    )
    card.detach()
    assert card.name not in guest.devices.names


@pytest.mark.parametrize(
    ("changes", "error", "word"),
    [
        ({"filter": "no-such-filter"}, NotFoundError, "no nwfilter 'no-such-filter'"),
        ({"source": "no-such-network"}, (NotFoundError, ConflictError), "no-such-network"),
    ],
)
def test_bad_changes_leave_everything_as_it_was(guest, changes, error, word):
    before = guest.xml(), guest.xml(inactive=True)
    with pytest.raises(error, match=word):
        guest.update("interface", **changes)
    assert (guest.xml(), guest.xml(inactive=True)) == before


def test_rates_are_set_or_the_kernel_s_lack_is_told(guest):
    before = guest.xml(inactive=True)
    told = ""
    try:
        guest.update("interface", inbound="1 MiB")
    except UnsupportedError as error:
        told = error.hint
    if told:
        assert "traffic shaping" in told
        assert guest.xml(inactive=True) == before
        return
    assert DomainXml.parse(guest.xml()).interfaces[0].inbound_kib_s == 1024
    guest.update("interface", inbound=None)


def test_a_vsock_needs_its_driver_on_the_host(guest):
    if Path("/dev/vhost-vsock").exists():
        pytest.skip("this host has vhost-vsock")
    with pytest.raises(UnsupportedError, match="vsock"):
        guest.attach(VsockSpec())
