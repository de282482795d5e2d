"""Lists of networks, pools and volumes, details of a host, preferences: as Python objects."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from types import SimpleNamespace

import pytest

import labvirt as lv
from labvirt.errors import ConnectionLostError, LabError, SpecError
from labvirt.host.networks.looking import NetworkLook
from labvirt.host.storage.looking import PoolLook, VolumeLook
from labvirt.host.storage.users import FileUser
from labvirt.model import VolumeSpec
from labvirt.model.units import Size
from labvirt.preferences import Preferences
from labvirt.status import LeaseRecord, NetworkRecord, PoolRecord, PoolState, VolumeRecord
from labvirt.widgets.managing import list_cells as cells
from labvirt.widgets.managing import tabs
from labvirt.widgets.managing.listed import NETWORK, POOL, VOLUME, list_why_not
from labvirt.widgets.managing.table import Cell, Column, Row, Table
from labvirt.widgets.preferring import PreferencesForm

HURT = "<script>window.hurt = 1</script>"
NOW = dt.datetime(2026, 11, 23, 21, 0, tzinfo=dt.UTC)
GIB = 1 << 30


def wait(claim, what, timeout_s=20.0):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = claim()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(what() if callable(what) else what)


def network(**facts):
    base = {
        "uuid": "u1", "name": "lab", "is_active": True, "persistent": True, "autostart": False,
        "bridge": "virbr7", "forward": "nat", "read_at": NOW,
    }  # fmt: skip
    return NetworkRecord(**{**base, **facts})


def pool(**facts):
    base = {
        "uuid": "u2", "name": "images", "type": "dir", "state": PoolState.RUNNING,
        "persistent": True, "autostart": True, "capacity": Size(10 * GIB),
        "allocation": Size(4 * GIB), "available": Size(6 * GIB), "path": "/images", "read_at": NOW,
    }  # fmt: skip
    return PoolRecord(**{**base, **facts})


def volume(**facts):
    base = {
        "pool": "images", "name": "a.qcow2", "key": "/images/a.qcow2", "path": "/images/a.qcow2",
        "type": "file", "format": "qcow2", "capacity": Size(GIB), "allocation": Size(GIB // 4),
        "backing_path": "", "backing_format": "", "read_at": NOW,
    }  # fmt: skip
    return VolumeRecord(**{**base, **facts})


# -- pure -------------------------------------------------------------------------------------------


def reasons(acts, look, **facts):
    asked = {"host": "alpha", "readonly": False, "link": "connected", **facts}
    return {act.key: list_why_not(act, look, **asked) for act in acts}


def test_what_cannot_be_done_says_why():
    found = reasons(NETWORK, NetworkLook(network()))
    assert [key for key, why in found.items() if not why] == ["stop", "autostart", "restart"]
    assert found["start"] == "lab is started: stop it first"
    assert found["no_autostart"] == "autostart of lab is off"
    transient = reasons(NETWORK, NetworkLook(network(persistent=False)))
    assert transient["autostart"] == "lab is transient"
    readonly = reasons(POOL, PoolLook(pool()), readonly=True)
    assert set(readonly.values()) == {"alpha is open read-only"}
    lost = reasons(POOL, PoolLook(pool()), link="lost")
    assert set(lost.values()) == {"the link to alpha is lost"}
    assert set(reasons(VOLUME, None).values()) == {"nothing is selected"}


def test_what_a_type_of_pool_cannot_do_is_said():
    iscsi = reasons(POOL, PoolLook(pool(type="iscsi", state=PoolState.INACTIVE)))
    assert iscsi["build"] == iscsi["delete_place"] == "pools of this type cannot do that"
    folder = reasons(POOL, PoolLook(pool(state=PoolState.INACTIVE)))
    assert folder["build"] == ""
    assert folder["upload_new"] == "images is not started"
    found = reasons(VOLUME, VolumeLook(volume(), "iscsi"))
    assert found["resize"] == "pools of this type cannot do that"
    assert found["download"] == ""


def test_a_volume_in_use_is_left_alone():
    off = VolumeLook(volume(), "dir", users=(FileUser("domain", "web1", "disk vda"),))
    assert reasons(VOLUME, off)["delete_volume"] == "a.qcow2 is in use: web1"
    assert reasons(VOLUME, off)["resize"] == ""
    on = VolumeLook(volume(), "dir", users=(FileUser("domain", "web1", "disk vda", active=True),))
    assert reasons(VOLUME, on)["resize"] == "a.qcow2 is in use: web1"
    assert reasons(VOLUME, on)["download"] == ""


def test_capacity_has_a_bar_and_words_and_overcommit_is_marked():
    look = PoolLook(pool(), 3, Size(15 * GIB))
    row = dict(
        zip([one.key for one in cells.POOL_COLUMNS], cells.pool_cells("alpha", look), strict=True)
    )
    assert (row["space"].text, row["space"].bar) == ("40 % of 10 GiB", 0.4)
    assert "6 GiB free" in row["space"].tip
    assert row["promised"].text == "⚠ 15 GiB (150 %)"
    assert "can become full" in cells.pool_detail(look)
    assert not row["space"].full
    stopped = cells.pool_cells("alpha", PoolLook(pool(state=PoolState.INACTIVE, capacity=Size(0))))
    assert stopped[1].text == "○ inactive"
    assert stopped[3] == Cell("")


def test_a_lease_is_told_with_who_holds_it_and_nothing_is_html():
    lease = LeaseRecord("52:54:00:00:00:01", "ipv4", "10.0.0.7", 24, HURT, "", NOW)
    guest = SimpleNamespace(
        domain=HURT, uuid="d", is_active=True, mac=lease.mac, device="vnet0", model="virtio",
        portgroup="", link_up=False,
    )  # fmt: skip
    look = NetworkLook(
        network(), ("10.0.0.1/24",), ("10.0.0.2 - 10.0.0.9",), "", "", (lease,), (guest,)
    )
    assert look.holder(lease) == HURT
    shown = cells.network_detail(look)
    assert HURT not in shown
    assert "&lt;script&gt;" in shown
    assert "2026-11-23 21:00:00 UTC" in shown
    assert "10.0.0.7/24" in shown
    texts = [cell.text for cell in cells.network_cells("alpha", look)]
    assert texts[6:8] == ["1", "1/1"]


def test_a_host_that_does_not_answer_shows_what_was_last_read_and_says_so():
    def gone(_host):
        raise ConnectionLostError("read the networks of alpha")

    host = SimpleNamespace(name="alpha", news=SimpleNamespace(records=lambda _kind: (network(),)))
    items, words, _began = tabs._read((host,), gone, "network", NetworkLook)
    assert [one.record.name for one in items] == ["lab"]
    assert "alpha: what is shown is old. read the networks of alpha" in words[0]


# -- a table ----------------------------------------------------------------------------------------


@pytest.fixture
def table():
    made = Table("Things", (Column("name", "Name"),), empty="None.", look_s=5)
    yield made
    made.close()
    made.close()


def test_what_is_selected_stays_selected(table):
    told = []
    table.on_select = lambda: told.append(table.selected)
    table.set([Row("a", (Cell("A"),)), Row("b", (Cell("B"),))])
    assert table.selected == "a"
    table._receive({"t": "select", "key": "b"})
    assert told == ["b"]
    table.set([Row("b", (Cell("B"),)), Row("c", (Cell("C"),))])
    assert table.selected == "b"
    table.set([Row("c", (Cell("C"),))])
    assert table.selected == "c"
    for odd in ({"t": "select", "key": "zzz"}, {"t": "select", "key": 7}, {"t": "open"}, {}):
        table._receive(odd)
    assert table.selected == "c"
    table.set(())
    assert table.selected is None
    assert "None." in table.html()


def test_a_long_reading_is_not_repeated_soon(table):
    told = []
    table.on_look = lambda: told.append(1)
    table._receive({"t": "look"})
    table.spent(60.0)
    table._receive({"t": "look"})
    assert len(told) == 1


# -- on a real lab ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab():
    name = f"lists-{os.getpid()}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        images = lab["alpha"].pools["default"]
        base = images.plan(VolumeSpec(name="base.qcow2", capacity="2 MiB", format="qcow2")).apply()
        over = VolumeSpec(
            name="over.qcow2", capacity="2 MiB", format="qcow2",
            backing_path=base.path, backing_format="qcow2",
        )  # fmt: skip
        images.plan(over).apply()
        images.plan(VolumeSpec(name="raw.img", capacity="1 MiB", format="raw")).apply()
        yield lab
        lab.stop()


@pytest.fixture
def manager(lab):
    made = lv.ui.manager(lab)
    yield made
    made.close()


@pytest.fixture
def volumes(manager):
    manager.tab.selected_index = 2
    listing = manager.storage.volumes
    pick(manager.storage.list, "default")
    wait(lambda: len(listing.items) >= 3, lambda: manager.storage.words.value)
    return listing


def pick(listing, name):
    item = wait(
        lambda: next((one for one in listing.items if one.record.name == name), None),
        lambda: f"no {name}: {[one.record.name for one in listing.items]}",
    )
    listing.choice.select(item.key)
    return item


def go(listing, key, **fields):
    wait(lambda: not listing.reasons()[key], lambda: listing.reasons()[key])
    act = next(act for act in listing._acts if act.key == key)
    assert listing.go(act)
    for name, value in fields.items():
        listing.ask.inputs[name].value = value
    if listing.ask.is_open:
        listing.ask.next.click()


def asked(deed):
    wait(lambda: deed.state == "asking", lambda: deed.words.value)


def ended(deed, outcome="done"):
    wait(lambda: deed.outcome, lambda: f"{deed.state}: {deed.words.value}")
    assert deed.outcome == outcome, deed.words.value


@pytest.mark.lab
def test_volumes_show_chain_and_users(volumes, manager):
    pick(volumes, "over.qcow2")
    wait(lambda: "base.qcow2 (qcow2, 2 MiB)" in volumes.detail.value, lambda: volumes.detail.value)
    pick(volumes, "base.qcow2")
    wait(lambda: "default/over.qcow2" in volumes.detail.value, lambda: volumes.detail.value)
    assert volumes.reasons()["wipe"] == "base.qcow2 is in use: default/over.qcow2"
    assert volumes.buttons["wipe"].disabled
    assert "in use" in volumes.buttons["wipe"].tooltip
    assert "in use" in volumes.why.value
    found = manager.storage.list.item.look
    assert found.volumes >= 3
    assert found.promised >= 5 << 20


@pytest.mark.lab
def test_a_volume_is_resized_cloned_downloaded_overwritten_wiped_and_deleted(
    lab, volumes, manager, tmp_path
):
    images, deed = lab["alpha"].pools["default"], manager.deed
    pick(volumes, "raw.img")
    go(volumes, "resize", capacity="a lot")
    ended(deed, "failed")
    assert "a lot" in deed.words.value
    go(volumes, "resize", capacity="2 MiB")
    asked(deed)
    assert "vol-resize" in deed.command.value
    deed.apply.click()
    ended(deed)
    assert images.volumes["raw.img"].info().capacity == 2 << 20
    go(volumes, "clone", name="copy.img")
    asked(deed)
    deed.apply.click()
    ended(deed)
    pick(volumes, "copy.img")
    file = tmp_path / "bytes.img"
    go(volumes, "download", path=str(file))
    asked(deed)
    deed.apply.click()
    ended(deed)
    assert file.stat().st_size == 2 << 20
    file.write_bytes(b"x" * (2 << 20))
    go(volumes, "upload", path=str(file))
    asked(deed)
    assert "copy.img" in deed.words.value
    assert "lost for good" in deed.words.value
    deed.apply.click()
    ended(deed)
    assert images.volumes["copy.img"].checksum() != images.volumes["raw.img"].checksum()
    go(volumes, "wipe")
    asked(deed)
    deed.apply.click()
    ended(deed)
    assert images.volumes["copy.img"].checksum() == images.volumes["raw.img"].checksum()
    go(volumes, "delete_volume")
    asked(deed)
    assert "volume copy.img (2 MiB" in deed.words.value
    assert "copy.img" in images.volumes.names, "nothing is done before Apply"
    deed.apply.click()
    ended(deed)
    wait(lambda: "copy.img" not in [one.record.name for one in volumes.items], "the list anew")


@pytest.mark.lab
def test_an_upload_makes_a_volume_and_what_others_make_is_seen(lab, volumes, manager, tmp_path):
    images = lab["alpha"].pools["default"]
    file = tmp_path / "small.img"
    file.write_bytes(b"\0" * 4096)
    go(manager.storage.list, "upload_new", path=str(file))
    asked(manager.deed)
    manager.deed.apply.click()
    ended(manager.deed)
    pick(volumes, "small.img")
    images.volumes["small.img"].delete(confirm=True)
    # Libvirt has no event for it: the page asks while somebody looks.
    manager.storage.list.choice._due = 0.0
    manager.storage.list.choice._receive({"t": "look"})
    wait(lambda: "small.img" not in [one.record.name for one in volumes.items], "its end")


@pytest.mark.lab
def test_a_pool_that_others_stop_is_seen_by_its_event(lab, volumes, manager):
    images = lab["alpha"].pools["default"]
    pools = manager.storage.list
    images.stop()
    wait(lambda: pools.item and not pools.item.record.is_active, "the event")
    wait(lambda: not volumes.items, "no volumes")
    assert manager.storage.new_volume.disabled
    assert "is not started" in manager.storage.new_volume.tooltip
    go(pools, "start")
    ended(manager.deed)
    wait(lambda: volumes.items, "its volumes")


@pytest.mark.lab
def test_a_read_only_host_changes_nothing_and_says_why(lab):
    with lv.connect(lab["alpha"].uri, readonly=True) as host:
        made = lv.ui.host_details(host)
        made.tab.selected_index = 3
        wait(lambda: made.storage.volumes.items, lambda: made.storage.words.value)
        why = f"{host.name} is open read-only"
        assert set(made.storage.list.reasons().values()) == {why}
        assert set(made.storage.volumes.reasons().values()) == {why}
        assert made.storage.new.disabled
        assert why in made.storage.new.tooltip
        assert not made.storage.volumes.go(VOLUME[0])
        wait(lambda: "read-only" in made.overview.text.value, "the overview")
        made.close()


@pytest.mark.lab
def test_details_of_a_host_have_all_pages_and_leave_nothing(lab):
    host = lab["alpha"]
    with pytest.raises(SpecError, match="give a host"):
        lv.ui.host_details("alpha")
    made = lv.ui.host_details(host)
    wait(lambda: "Hypervisor" in made.overview.text.value, lambda: made.overview.text.value)
    assert host.version().daemon in made.overview.text.value
    assert "TCG" in made.overview.text.value or "KVM" in made.overview.text.value
    for number in range(1, 8):
        made.tab.selected_index = number
    wait(lambda: "x86_64" in made.capabilities.text.value, lambda: made.capabilities.text.value)
    wait(lambda: made.links.choice.rows, lambda: made.links.words.value)
    wait(lambda: made.devices.choice._is_read, lambda: made.devices.words.value)
    wait(lambda: made.secrets.choice._is_read, lambda: made.secrets.words.value)
    assert "no secrets" in made.secrets.choice.html()
    assert made.performance.children
    assert "Hypervisor" in made.bundle()["text/html"]
    made.close()
    made.close()
    assert "closed" in repr(made)
    assert made._repr_mimebundle_() == {"text/plain": repr(made)}
    wait(
        lambda: not [t for t in threading.enumerate() if t.name == "labvirt-host"],
        "threads to end",
    )


@pytest.mark.lab
def test_the_manager_opens_a_host_and_the_preferences(lab, manager):
    manager._open_row("alpha", "")  # Enter on the row of a host
    wait(lambda: "Host: alpha" in manager.tab.titles, "a tab")
    manager.menu.details.click()
    assert list(manager.tab.titles).count("Host: alpha") == 1
    manager.menu.preferences.click()
    wait(lambda: "Preferences" in manager.tab.titles, "a tab")
    manager.menu.preferences.click()
    assert list(manager.tab.titles).count("Preferences") == 1


@pytest.mark.lab
def test_who_wants_every_change_to_wait_has_it_so(lab, home):
    Preferences(confirm="always").save()
    made = lv.ui.manager(lab)
    assert made.preview.value
    made.tab.selected_index = 2
    pools, deed = made.storage.list, made.deed
    pick(pools, "default")
    go(pools, "no_autostart" if pools.item.record.autostart else "autostart")
    asked(deed)
    assert deed.apply.description == "Apply"
    deed.stop()
    made.close()


# -- preferences ------------------------------------------------------------------------------------


@pytest.fixture
def preferring(home):
    told = []
    host = SimpleNamespace(prefer=told.append)
    form = PreferencesForm(lambda: (host,))
    yield form, told
    form.close()
    lv.ui.set_language(None)


def test_preferences_are_kept_and_hold_at_once(preferring):
    form, told = preferring
    form.set("interval_s", "2.5")
    form.set("confirm", "always")
    form.set("poll_disk", False)
    assert form.save()
    kept = Preferences.load()
    assert (kept.interval_s, kept.confirm, kept.poll_disk) == (2.5, "always", False)
    assert told == [kept]
    assert str(Preferences.path()) in form.more()["job"]["said"]
    form.set("language", "ru")
    assert form.save()
    assert form.model()["title"] == "Настройки"
    again = PreferencesForm()
    assert again.spec() == Preferences.load()
    again.close()


@pytest.mark.parametrize("bad", ["0", "-1", "4000", "often", "nan", HURT])
def test_a_wrong_preference_is_said_at_its_field_and_nothing_is_kept(preferring, bad):
    form, told = preferring
    form.set("interval_s", bad)
    assert not form.save()
    assert "interval_s" in form.errors
    assert form.model()["focus"][1] == "interval_s"
    assert not Preferences.path().exists()
    assert told == []


def test_a_folder_that_cannot_be_written_is_said(preferring, home):
    form, _told = preferring
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be")
    assert not form.save()
    job = form.more()["job"]
    assert job["phase"] == "failed"
    assert "LABVIRT_HOME" in job["said"]


# -- networks, which only a system host has ----------------------------------------------------------


@pytest.fixture(scope="module")
def wide():
    try:
        lab = lv.Lab.start(f"listnet-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        lab["alpha"].ensure_network("default")
        yield lab
        lab.stop()


@pytest.fixture
def networks(wide):
    made = lv.ui.manager(wide)
    made.tab.selected_index = 1
    yield made.networks.list
    made.close()


@pytest.mark.lab
def test_networks_are_stopped_deleted_and_what_others_start_is_seen(wide, networks):
    alpha, deed = wide["alpha"], networks._deed
    pick(networks, "default")
    row = networks.choice.text(networks.item.key)
    assert "nat · virbr0 · 192.168.122.1/24 · 192.168.122.2 - 192.168.122.254" in row
    pick(networks, "isolated")
    go(networks, "no_autostart")
    ended(deed)
    go(networks, "stop")
    asked(deed)
    deed.apply.click()
    ended(deed)
    wait(lambda: not networks.item.record.is_active, "the list anew")
    assert not networks.item.record.autostart
    alpha.networks["isolated"].start()
    wait(lambda: networks.item.record.is_active, "the event of another tool's start")
    go(networks, "stop")
    asked(deed)
    deed.apply.click()
    ended(deed)
    wait(lambda: not networks.reasons()["delete"], networks.reasons)
    go(networks, "delete")
    asked(deed)
    assert "isolated" in deed.words.value
    deed.apply.click()
    ended(deed)
    wait(lambda: "isolated" not in [one.record.name for one in networks.items], "its end")


@pytest.mark.lab
@pytest.mark.slow(seconds=15)
def test_a_guest_s_lease_is_shown_with_its_name_and_what_it_would_lose(wide, networks):
    card = lv.InterfaceSpec(kind="network", source="default")
    spec = lv.DomainSpec(name="net1", memory="128 MiB", source=lv.TinyGuest(), interfaces=(card,))
    guest = wide["alpha"].plan(spec).apply()
    guest.wait_for("network", timeout_s=90)
    pick(networks, "default")

    def leases():
        networks.choice._due = 0.0
        networks.choice._receive({"t": "look"})
        return networks.item.look.leases

    [lease] = wait(leases, "a lease", 60)
    wait(lambda: f"{lease.address}/24" in networks.detail.value, lambda: networks.detail.value)
    assert networks.item.look.holder(lease) == "net1"
    go(networks, "stop")
    deed = networks._deed
    asked(deed)
    assert f"the link of net1 ({lease.mac})" in deed.words.value
    deed.stop()
    assert wide["alpha"].networks["default"].is_active
