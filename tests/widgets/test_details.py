"""The details of a domain as Python objects, on a real lab of two hosts."""

from __future__ import annotations

import os
import re
import time

import pytest

import labvirt as lv
from labvirt.errors import LabvirtError
from labvirt.model import VolumeSpec
from labvirt.model.editing import DEVICE_FACTS, MACHINE_FACTS, spec_of
from labvirt.widgets.managing.adding import KINDS, add_form
from labvirt.widgets.managing.migrating import MigrateForm
from labvirt.widgets.managing.restoring import restore_form
from labvirt.widgets.managing.xml_page import faults_of

HURT = "<script>window.hurt = 1</script>"
PLAIN = {"memory": "32 MiB", "interfaces": (), "agent": False, "rng": False}

pytestmark = pytest.mark.lab


def wait(claim, what="", timeout_s=25.0):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = claim()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(what() if callable(what) else what)


@pytest.fixture(scope="module")
def lab():
    with lv.Lab.start(f"detobj-{os.getpid()}", hosts=2, backend="session", ephemeral=True) as lab:
        yield lab
        lab.stop()


@pytest.fixture(scope="module")
def web1(lab):
    disks = (lv.DiskSpec(size="1 MiB"), lv.DiskSpec(device="cdrom", bus="sata"))
    spec = lv.DomainSpec(name="web1", title=HURT, max_vcpus=2, disks=disks, machine="q35", **PLAIN)
    return lab["alpha"].plan(spec, start=False).apply()


@pytest.fixture
def details(lab, web1):
    made = lv.ui.details(web1, lab.hosts)
    yield made
    made.close()
    made.close()
    assert "closed" in repr(made)


def ended(deed, outcome="done"):
    wait(lambda: deed.outcome and deed.state == "idle", lambda: f"{deed.state}: {deed.words.value}")
    assert deed.outcome == outcome, deed.words.value


def agree(deed, outcome="done"):
    wait(lambda: deed.state == "asking", lambda: deed.words.value)
    deed.apply.click()
    ended(deed, outcome)


def made(form, phase="done"):
    assert form.start(), (form.blocked(), dict(form.errors))
    wait(lambda: form.phase in {"done", "failed", "cancelled"}, lambda: form.phase)
    assert form.phase == phase, form.error
    return form.result


def turn(details, key):
    details.tab.selected_index = 2
    hardware = details.hardware
    wait(lambda: hardware.choice.options, "the hardware")
    hardware.open(key)
    full = f"page:{key}" if key in MACHINE_FACTS else key
    wait(lambda: hardware._opened == full, lambda: hardware.words.value)
    return hardware.form


def test_only_what_was_changed_goes_into_the_plan(web1, details):
    page = details.overview
    wait(lambda: page.title.value == HURT, "the title")
    assert HURT not in page.facts.value
    page.description.value = "a web server"
    page.apply.click()
    wait(lambda: details.deed.state == "asking", "a question")
    assert "description" in details.deed.words.value
    assert "title" not in re.sub(r"<[^>]+>", "", details.deed.words.value)
    agree(details.deed)
    form = turn(details, "memory")
    assert form.blocked() == "Nothing is other than before."
    form.set("memory", "64 MiB")
    assert form.edits == {"memory": 64 << 20}
    assert "currentMemory" in form.plan().diff
    made(form)
    assert web1.info().max_memory == 64 << 20
    wait(lambda: form.values["memory"] == 64 << 20, "what holds now")
    assert form.blocked() == "Nothing is other than before."
    form.set("memory", "a lot")
    assert "memory" in form.errors
    assert not form.start()
    form.clear()
    assert form.edits == {}
    assert form.state.raw["memory"] == "64 MiB"


def test_a_fault_is_told_at_its_field_before_anything_is_changed(web1, details):
    form = turn(details, "processors")
    before = web1.xml(inactive=True)
    form.set("current_vcpus", "9")
    made(form, "failed")
    assert "current_vcpus" in form.errors or "current_vcpus" in form.given_elsewhere()
    form.set("current_vcpus", "1")
    form.set("cpu_sockets", "3")
    made(form, "failed")
    assert "2 vCPUs" in form.given_elsewhere()["cpu_sockets"]
    assert web1.xml(inactive=True) == before


def test_two_pages_overwrite_nothing_of_each_other(web1, details):
    mine = turn(details, "power")
    other = lv.ui.details(web1)
    try:
        theirs = turn(other, "power")
        mine.set("on_crash", "restart")
        theirs.set("on_crash", "preserve")
        theirs.set("on_reboot", "destroy")
        made(theirs)
        details.hardware.refresh()
        wait(lambda: mine.newer, "the news")
        assert "preserve" in mine.model()["notes"][0][1]
        assert mine.state.raw["on_crash"] == "restart", "what was written stays"
        made(mine, "failed")
        assert "somebody else" in mine.error
        assert "<on_crash>preserve" in web1.xml(inactive=True)
        mine.clear()
        assert mine.state.raw["on_crash"] == "preserve"
        mine.set("on_crash", "destroy")
        made(mine)
        assert "<on_reboot>destroy" in web1.xml(inactive=True), "what they changed stays"
    finally:
        other.close()


def test_the_first_page_overwrites_nothing_either(web1, details):
    page = details.overview
    wait(lambda: page.title.value == HURT, "the title")
    page.title.value = "mine"
    page.tags.value = "web"
    web1.set_title("theirs")
    wait(lambda: "meanwhile" in page.meanwhile.value, lambda: page.meanwhile.value)
    assert page.title.value == "mine"
    page.apply.click()
    ended(details.deed, "failed")
    assert "theirs" in details.deed.words.value
    assert web1.info().title == "theirs"
    page.revert.click()
    wait(lambda: page.title.value == "theirs", "theirs")
    web1.set_title(HURT)


def test_devices_are_added_edited_and_removed(web1, details):
    turn(details, "memory")
    hardware = details.hardware
    hardware.kind.value = "disk"
    hardware.add.click()
    form = hardware.form
    form.set("source.size", "1 MiB")
    form.set("bus", "virtio")
    disk = made(form)
    key = disk.record.uuid
    wait(lambda: hardware._opened == key, "the new disk")
    edit = hardware.form
    edit.set("cache", "none")
    edit.set("serial", "ABC-1")
    made(edit)
    assert "cache='none'" in disk.xml(stored=True)
    hardware.remove.click()
    agree(details.deed)
    wait(lambda: key not in dict(hardware.choice.options).values(), "it is gone")
    assert key not in [each.record.uuid for each in web1.devices]


def test_a_medium_goes_into_a_drive_and_out_again(lab, web1, details):
    drive = next(each for each in web1.devices if "CD drive" in each.record.what)
    spec = VolumeSpec(name=f"disc-{os.getpid()}.iso", capacity="1 MiB", format="raw")
    image = lab["alpha"].pools["default"].plan(spec).apply()
    form = turn(details, drive.record.uuid)
    assert "source" in form.model()["sections"][0]["nodes"][0]["path"]
    form.set("source", str(image.path))
    made(form)
    assert str(image.path) in drive.xml(stored=True)
    wait(lambda: form.values["source"] == str(image.path), "what holds now")
    form.set("source", "")
    made(form)
    assert "<source" not in drive.xml(stored=True)


def test_the_boot_order_is_moved_and_stored(web1, details):
    turn(details, "boot")
    order = details.hardware.order
    wait(lambda: order.box.layout.display != "none", "the order")
    names = [name for name, _what, _place in web1.boot_devices()]
    assert len(names) >= 2
    for name in names[:2]:
        order.choice.value = name
        if name not in order.order:
            order.switch.click()
    order.choice.value = names[1]
    order.up.click()
    assert order.order[:2] == [names[1], names[0]]
    assert order.up.disabled
    order.apply.click()
    agree(details.deed)
    places = {name: place for name, _what, place in web1.boot_devices()}
    assert (places[names[1]], places[names[0]]) == (1, 2)
    assert "<boot dev=" not in web1.xml(inactive=True)
    wait(lambda: order.apply.disabled, "nothing to apply")


#: What a form needs besides its defaults, for a machine q35 without USB and SPICE.
GIVEN = {
    "filesystem": {"driver": "9p", "path": "/tmp", "tag": "share"},
    "shmem": {"name": "s1"},
    "channel": {"name": "org.labvirt.x"},
    "interface": {"kind": "user"},
    "floppy": {"target": "fda"},
    "controller": {"kind": "scsi"},
    "video": {"model": "virtio"},
    "input": {"kind": "keyboard", "bus": "virtio"},
    "disk": {"source.size": "1 MiB"},
    "xml": {"xml": "<hub type='usb'/>"},
    "smartcard": {"mode": "host"},
}
#: What is refused, and what the host says.
REFUSED = {
    "redirdev": "without spice graphics",
    "tpm": "TPM|swtpm",
    "memballoon": "memballoon already",
    "usb": "missing|no such|NotFound",
    "pci": "missing|no such|NotFound",
}


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_every_kind_of_device_can_be_added_or_is_refused_with_a_reason(kind, web1):
    form = add_form(web1, kind)
    try:
        for path, value in GIVEN.get(kind.key, {}).items():
            form.set(path, value)
        if kind.key in {"usb", "pci"}:
            assert "device" in form.errors
            form.set("device", "no_such_device")
            made(form, "failed")
            assert "no_such_device" in form.error
        elif form.start():
            wait(lambda: form.phase in {"done", "failed"}, kind.key)
            if form.phase == "failed":
                assert re.search(REFUSED.get(kind.key, "^$"), form.error), form.error
            else:
                assert form.result.record.type == kind.key.replace("cdrom", "disk").replace(
                    "floppy", "disk"
                ).replace("xml", "hub")
                _kind, spec, values = form.result.editing()
                assert spec is None or spec(**values)
        else:
            raise AssertionError(dict(form.errors))
    finally:
        form.close()
    if form.phase == "done":
        web1.detach(form.result, config=True)


def test_every_fact_of_every_page_is_one_that_the_host_takes():
    for kind in DEVICE_FACTS:
        assert spec_of(kind) is not None, kind


@pytest.mark.slow(seconds=5)
def test_a_running_vm_changes_at_once_or_at_its_next_start(web1, details):
    web1.start()
    try:
        form = turn(details, "processors")
        form.set("current_vcpus", "2")
        form.set("cpu_mode", "maximum")
        plan = form.plan()
        assert any("cpu_mode" in each and "next start" in each for each in plan.warnings)
        assert "setvcpus" in plan.virsh
        made(form)
        assert web1.info().vcpus == 2
        wait(lambda: "maximum" in details.hardware.pending.value, "what waits")
        hardware = details.hardware
        hardware.kind.value = "sound"
        hardware.add.click()
        add = hardware.form
        made(add, "failed")
        assert "config=True" in add.error
        add.set("@later", True)
        made(add)
        wait(lambda: any("next start" in line for line, _key in hardware.choice.options), "sound")
    finally:
        web1.destroy(confirm=True)


def test_xml_is_checked_at_its_line_and_stored_unless_somebody_was_first(web1, details):
    details.tab.selected_index = 6
    page = details.xml
    wait(lambda: "<name>web1" in page.text.value, "the XML")
    good = page.text.value
    page.text.value = good.replace("<memory unit", "<memorie unit", 1).replace(
        "</memory>", "</memorie>", 1
    )
    [(line, words), *_rest] = wait(lambda: page.text._faults, "the fault")
    assert "<memory" in good.splitlines()[line - 1]
    assert "memor" in words
    asked = good.replace("<name>web1</name>", "<name>web1</name>\n  <genid/>")
    page.text.value = asked
    wait(lambda: "no objection" in page.text._said, lambda: page.text._faults)
    page.apply.click()
    wait(lambda: "genid" in details.deed.command.value, lambda: details.deed.words.value)
    agree(details.deed)
    wait(lambda: "asked, then stored" in page.stored.value, lambda: page.stored.value)
    assert "<genid>" in web1.xml(inactive=True)
    wait(lambda: "<genid>" in page.text.value, "what is stored")
    page.text.value = page.text.value.replace("<on_poweroff>destroy", "<on_poweroff>restart")
    web1.set_description("changed by somebody else")
    page.apply.click()
    ended(details.deed, "failed")
    assert "somebody else" in details.deed.words.value
    assert "<on_poweroff>destroy" in web1.xml(inactive=True)
    page.again.click()
    wait(lambda: "changed by somebody else" in page.text.value, "what is stored")


def test_faults_of_xml_have_lines():
    assert faults_of("<domain>\n <name>x</nam>\n</domain>")[0][0] == 2
    assert faults_of("")[0][1].why


def test_snapshots_are_made_reverted_and_deleted_with_their_children(lab, details):
    disk = lv.DiskSpec(size="1 MiB")
    spec = lv.DomainSpec(name="snap1", disks=(disk,), machine="pc", **PLAIN)
    domain = lab["alpha"].plan(spec, start=False).apply()
    view = lv.ui.details(domain)
    try:
        view.tab.selected_index = 3
        page = view.snapshots
        wait(lambda: page.name.value == "snapshot1", "a name")
        page.description.value = HURT
        page.make.click()
        agree(view.deed)
        wait(lambda: page.name.value == "snapshot2", "the next name")
        domain.start()
        page.make.click()
        agree(view.deed)
        wait(lambda: page.choice.options == ("snapshot1", "snapshot2"), "two of them")
        assert HURT not in page.tree.value
        assert "└ snapshot2" in page.tree.value
        assert "← now" in page.tree.value
        assert re.search(r"KiB|MiB", page.tree.value), "the memory's size"
        page.choice.value = "snapshot1"
        wait(lambda: "discards" in page.verdict.value, "the verdict")
        page.revert.click()
        wait(lambda: view.deed.state == "asking", lambda: view.deed.words.value)
        assert "in memory now" in view.deed.words.value
        agree(view.deed)
        assert not domain.is_active
        page.what.value = "tree"
        page.delete.click()
        agree(view.deed)
        wait(lambda: page.choice.options == (), "none")
        page.keep.value = "overlay"
        page.make.click()
        agree(view.deed)
        assert domain.snapshots.records[0].is_external
    finally:
        view.close()


@pytest.mark.slow(seconds=6)
def test_a_vm_is_moved_and_what_stands_in_the_way_is_told(lab):
    alpha, beta = lab["alpha"], lab["beta"]
    guest = alpha.plan(lv.DomainSpec(name="mover", **PLAIN)).apply()
    readonly = lv.connect(beta.uri, readonly=True)
    form = MigrateForm(guest, lambda: (*lab.hosts, readonly))
    try:
        form.set("destination", "alpha")
        made(form, "failed")
        assert "no open host is called so" in form.error
        form.set("destination", beta.name)
        form.set("max_downtime_ms", "400")
        form.set("bandwidth_mib_s", "1")
        plan = form.plan()
        assert "--live --persistent --undefinesource" in plan.virsh, plan.virsh
        assert "--bandwidth 1" in plan.virsh
        assert "Can migrate: yes" in form.more()["notes"][0][1]
        assert form.start()
        wait(lambda: form.phase == "running", "the move")
        form.cancel()
        wait(lambda: form.phase in {"cancelled", "done"}, lambda: form.phase)
        if form.phase == "cancelled":
            assert "on alpha it is running" in form.error
            form.set("bandwidth_mib_s", "")
            made(form)
        assert "mover: alpha -> beta" in form._outcome()
        assert "mover" not in alpha.domains
        back = MigrateForm(beta.domains["mover"], lambda: lab.hosts)
        beta.domains["mover"].destroy(confirm=True)
        back.set("destination", "alpha")
        made(back, "failed")
        assert "is not running" in back.error
        assert "Can migrate: no" in back.more()["notes"][0][1]
        back.close()
    finally:
        form.close()
        readonly.close()


@pytest.mark.slow(seconds=5)
def test_a_saved_vm_is_restored_from_its_file(lab):
    beta = lab["beta"]
    guest = beta.plan(lv.DomainSpec(name="sleeper", **PLAIN)).apply()
    path = str(beta.facts.shared_folders[0] / f"sleeper-{os.getpid()}.save")
    guest.save(path)
    form = restore_form(beta)
    try:
        form.set("path", path)
        assert form.plan().title == "restore domain sleeper"
        assert "VM sleeper" in form.more()["notes"][0][1]
        wait(lambda: path in form.choices._found.get("path", ()), "what lies beside it")
        form.set("then", "paused")
        assert made(form).name == "sleeper"
        assert guest.state.value == "paused"
        form.set("path", "/etc/passwd")
        made(form, "failed")
        assert "no domain that was saved" in form.error
    finally:
        form.close()
    guest.destroy(confirm=True)


def test_read_only_disables_and_says_why(lab, web1):
    with lv.connect(lab["alpha"].uri, readonly=True) as host:
        view = lv.ui.details(host.domains["web1"])
        try:
            form = turn(view, "memory")
            form.set("memory", "128 MiB")
            assert "read-only" in form.blocked()
            assert not form.start()
            view.tab.selected_index = 6
            wait(lambda: view.xml.text.value, "the XML")
            wait(lambda: view.xml.apply.disabled and view.xml.text.readonly, "read-only")
            assert "read-only" in view.xml.words.value
            assert view.hardware.add.disabled
        finally:
            view.close()


def test_a_domain_deleted_under_the_page_is_said_and_nothing_can_be_pressed(lab):
    domain = lab["alpha"].plan(lv.DomainSpec(name="brief", **PLAIN), start=False).apply()
    view = lv.ui.details(domain)
    try:
        form = turn(view, "memory")
        form.set("memory", "64 MiB")
        domain.undefine(confirm=True)
        wait(lambda: "is gone" in view.gone.value, "the news")
        wait(lambda: "gone" in form.blocked(), form.blocked)
        assert form.state.raw["memory"] == "64 MiB", "what was written stays"
        assert view.overview.apply.disabled
        with pytest.raises(LabvirtError):
            form.plan()
    finally:
        view.close()


def test_a_host_that_is_lost_during_apply_is_said(lab, web1):
    host = lv.connect(lab["alpha"].uri)
    view = lv.ui.details(host.domains["web1"])
    try:
        form = turn(view, "power")
        form.set("on_crash", "coredump-destroy")
        before = web1.xml(inactive=True)
        host.close()
        made(form, "failed")
        assert form.error
        assert form.state.raw["on_crash"] == "coredump-destroy", "what was written stays"
        assert web1.xml(inactive=True) == before
    finally:
        view.close()


def test_events_and_journal_are_of_this_domain_only(lab, web1, details):
    details.tab.selected_index = 5
    page = details.news
    web2 = lab["alpha"].plan(lv.DomainSpec(name="web2", **PLAIN), start=False).apply()
    web2.set_title("of another one")
    web1.set_title("told")
    wait(lambda: "told" in page.events.shown.value, "the event")
    assert "web2" not in page.events.shown.value
    page.journal.refresh()
    wait(lambda: "web1" in page.journal.shown.value, "the journal")
    assert "web2" not in page.journal.shown.value
    assert HURT not in page.journal.shown.value
    web1.set_title(HURT)


@pytest.mark.parametrize("turned", [False, True])
def test_opening_and_closing_leaves_no_widget_behind(lab, web1, turned):
    from ipywidgets.widgets.widget import _instances

    def once(view, target):
        made = view(target)
        for number in range(len(made.tab.titles) if turned else 0):
            made.tab.selected_index = number
        made.close()

    for view, target in ((lv.ui.details, web1), (lv.ui.host_details, lab["alpha"])):
        once(view, target)
        before = set(_instances)
        for _each in range(3):
            once(view, target)
        left = [each for key, each in _instances.items() if key not in before]
        assert not left, left
