"""Verbs of a domain's life: each does what virsh does, and says what it would destroy."""

from __future__ import annotations

from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import (
    ConfirmationError,
    ConflictError,
    HostError,
    LabvirtError,
    NotFoundError,
    SpecError,
    WaitTimeoutError,
)
from labvirt.model import DomainXml

pytestmark = pytest.mark.lab


def test_start_suspend_resume_destroy(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    assert (domain.state.text, domain.id, domain.is_active) == ("shut off", None, False)
    domain.start()
    assert domain.state.text == "running"
    assert domain.id > 0
    domain.suspend()
    assert (domain.state.text, domain.reason) == ("paused", "user")
    domain.resume()
    assert domain.state.text == "running"
    domain.destroy(confirm=True)
    assert (domain.state.text, domain.reason) == ("shut off", "destroyed")


def test_starting_twice_is_a_conflict(blank):
    with pytest.raises(ConflictError, match="already running"):
        blank.start()


@pytest.mark.parametrize("verb", ["destroy", "reset", "undefine"])
def test_destructive_verbs_name_the_loss_and_do_nothing_unconfirmed(blank, verb):
    with pytest.raises(ConfirmationError) as caught:
        getattr(blank, verb)()
    assert blank.name in str(caught.value)
    assert caught.value.destroys
    assert blank.state.text == "running"
    assert blank.info().persistent


def test_a_verb_shows_its_plan(blank):
    plan = blank.suspend.plan()
    assert plan.title == f"suspend domain {blank.name}"
    assert plan.virsh.endswith(f"suspend {blank.name}")
    assert blank.host.label in plan.virsh
    assert blank.name in plan.python
    assert blank.state.text == "running"
    plan.apply()
    assert blank.state.text == "paused"


def test_reset_boots_anew_in_the_same_process(blank):
    number = blank.id
    blank.reset(confirm=True)
    assert blank.id == number
    assert blank.state.text == "running"


def test_shutdown_of_a_domain_without_a_system_gives_up_with_the_cause(blank):
    with pytest.raises(WaitTimeoutError) as caught:
        blank.shutdown(timeout_s=1)
    assert "ignores" in str(caught.value)
    assert "destroy" in str(caught.value)
    assert blank.state.text == "running"


def test_shutdown_may_end_in_force(blank):
    with pytest.raises(ConfirmationError):
        blank.shutdown(timeout_s=0.5, then="destroy")
    assert blank.shutdown(timeout_s=0.5, then="destroy", confirm=True).text == "shut off"


def test_shutdown_may_just_tell(blank):
    assert blank.shutdown(timeout_s=0.5, then="return").text == "running"
    assert blank.shutdown(timeout_s=0).text == "running"


@pytest.mark.parametrize("options", [{"then": "explode"}, {"mode": "politely"}])
def test_shutdown_refuses_what_it_does_not_know(blank, options):
    with pytest.raises(SpecError, match=next(iter(options.values()))):
        blank.shutdown(timeout_s=0, **options)


def saved_file(host, name):
    return str(Path(host.pools["shared"].info().path) / f"{name}.save")


def test_save_and_restore_keep_name_and_uuid_and_give_a_new_number(blank, alpha):
    path = saved_file(alpha, blank.name)
    number = blank.id
    blank.save(path)
    try:
        assert (blank.state.text, blank.reason) == ("shut off", "saved")
        assert Path(path).stat().st_size > 0
        back = alpha.restore(path)
        assert (back.name, back.uuid) == (blank.name, blank.uuid)
        assert back.id > number
        assert back.state.text == "running"
    finally:
        Path(path).unlink()


def test_save_does_not_overwrite_a_file_unasked(blank, alpha):
    path = Path(saved_file(alpha, blank.name))
    path.write_bytes(b"precious")
    with pytest.raises(ConfirmationError, match=path.name):
        blank.save(str(path))
    assert path.read_bytes() == b"precious"
    assert blank.state.text == "running"
    path.unlink()


@pytest.mark.parametrize(
    ("path", "word"), [("state", "absolute"), ("", "absolute"), (None, "path"), ("/a\nb", "line")]
)
def test_files_of_the_host_are_named_by_absolute_paths(blank, alpha, path, word):
    for call in (blank.save, blank.dump, alpha.restore):
        with pytest.raises(SpecError, match=word):
            call(path)
    assert blank.state.text == "running"


def test_save_to_a_path_that_is_too_long_is_an_error_of_ours(blank):
    with pytest.raises(LabvirtError):
        blank.save("/tmp/" + "x" * 300)
    assert blank.state.text == "running"


def test_restore_of_a_running_domain_is_refused(blank, alpha):
    path = saved_file(alpha, blank.name)
    blank.save(path)
    try:
        alpha.restore(path)
        with pytest.raises(ConflictError, match="runs already"):
            alpha.restore(path)
    finally:
        Path(path).unlink()


def test_restore_of_something_else_is_refused(alpha):
    with pytest.raises(HostError, match="nosuch"):
        alpha.restore("/nowhere/nosuch.save")


def test_restore_warns_when_a_disk_was_written_since(alpha, name):
    spec = lv.DomainSpec(
        name=name, memory="32 MiB", interfaces=(), disks=(lv.DiskSpec(size="1 MiB"),)
    )
    domain = alpha.plan(spec).apply()
    path = saved_file(alpha, name)
    domain.save(path)
    try:
        image = Path(DomainXml.parse(domain.xml()).disks[0].source_path)
        when = Path(path).stat().st_mtime + 5
        import os

        os.utime(image, (when, when))
        assert any(str(image) in warning for warning in alpha.restore.plan(path).warnings)
    finally:
        Path(path).unlink()


def test_managed_save_goes_on_at_the_next_start(blank):
    blank.managed_save()
    assert blank.info().has_managed_save
    blank.start()
    assert blank.reason == "restored"
    assert not blank.info().has_managed_save


def test_force_boot_throws_the_saved_state_away_only_when_confirmed(blank):
    blank.managed_save()
    with pytest.raises(ConfirmationError, match="saved state"):
        blank.start(force_boot=True)
    blank.start(force_boot=True, confirm=True)
    assert blank.reason == "booted"


def test_managed_save_can_be_removed(blank):
    blank.managed_save()
    with pytest.raises(ConfirmationError):
        blank.managed_save_remove()
    blank.managed_save_remove(confirm=True)
    assert not blank.info().has_managed_save


def test_autostart(blank):
    blank.set_autostart()
    assert blank.info().autostart
    blank.set_autostart(False)
    assert not blank.info().autostart


def test_rename_needs_an_inactive_domain_and_keeps_the_uuid(blank, alpha, name):
    with pytest.raises(ConflictError, match="shut it down"):
        blank.rename(f"{name}new")
    with pytest.raises(SpecError):
        blank.rename("no/slash")
    blank.destroy(confirm=True)
    blank.rename(f"{name}new")
    assert blank.name == f"{name}new"
    assert alpha.domains[f"{name}new"].uuid == blank.uuid
    assert name not in alpha.domains


def test_undefine_says_what_remains(alpha, name):
    spec = lv.DomainSpec(
        name=name, memory="32 MiB", interfaces=(), disks=(lv.DiskSpec(size="1 MiB"),)
    )
    domain = alpha.plan(spec, start=False).apply()
    plan = domain.undefine.plan()
    assert any(f"{name}-vda.qcow2" in warning for warning in plan.warnings)
    (image,) = domain.undefine(confirm=True)
    assert Path(image).exists()
    assert name not in alpha.domains


def test_undefine_of_a_running_domain_makes_it_transient(blank):
    blank.undefine(confirm=True)
    assert not blank.info().persistent
    assert blank.state.text == "running"


def test_undefine_with_a_saved_state_must_name_it(blank):
    blank.managed_save()
    with pytest.raises(HostError):
        blank.undefine(confirm=True)
    blank.undefine(managed_save=True, confirm=True)


def test_define_changes_an_existing_definition_and_shows_the_difference(blank, alpha):
    document = DomainXml.parse(blank.xml(inactive=True))
    document.title = "changed"
    plan = alpha.define.plan(document.text())
    assert "+  <title>changed</title>" in plan.diff
    assert any("next start" in warning for warning in plan.warnings)
    plan.apply()
    assert "changed" in blank.xml(inactive=True)
    assert "changed" not in blank.xml()
    assert "<title>changed</title>" in blank.pending


@pytest.mark.parametrize("bad", [".", "..", "a/b", "a&#10;b", "x" * 300, " "])
@pytest.mark.parametrize("verb", ["define", "create"])
def test_names_that_libvirt_cannot_keep_are_refused(alpha, verb, bad):
    xml = (
        f"<domain type='qemu'><name>{bad}</name><memory unit='MiB'>16</memory>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
    )
    before = alpha.domains.names
    with pytest.raises(SpecError, match="name"):
        getattr(alpha, verb)(xml)
    assert alpha.domains.names == before


@pytest.mark.parametrize("what", [None, 5, [], Path("/etc/passwd")])
def test_what_is_no_text_is_no_definition(alpha, what):
    with pytest.raises(SpecError, match="no text"):
        alpha.define(what)


def test_define_takes_bytes(alpha, spec, name):
    xml = spec.filled(virt="qemu").to_xml()
    assert alpha.define(xml.encode("utf-16")).name == name


def test_a_definition_with_anothers_image_or_address_or_for_kvm_is_a_warning(alpha, tiny, spec):
    mac = DomainXml.parse(tiny.xml()).interfaces[0].mac
    twin = spec.replace(interfaces=(lv.InterfaceSpec(kind="user", mac=mac),))
    assert any(
        mac in text for text in alpha.define.plan(twin.filled(virt="qemu").to_xml()).warnings
    )
    assert not alpha.define.plan(tiny.xml(inactive=True)).warnings[1:]
    xml = spec.filled(virt="qemu").to_xml().replace("type='qemu'", "type='kvm'", 1)
    kvm = xml.replace('type="qemu"', 'type="kvm"', 1)
    assert "kvm" in kvm
    does = alpha.default_virt() == "kvm"
    assert any("KVM" in text for text in alpha.define.plan(kvm).warnings) is not does


@pytest.mark.parametrize("key", [None, True, 1.0, b"x", ()])
def test_a_key_of_another_kind_finds_nobody(alpha, spec, key):
    alpha.plan(spec, start=False).apply()
    with pytest.raises(NotFoundError):
        alpha.domains[key]


def test_define_refuses_a_name_that_belongs_to_another(blank, alpha):
    document = DomainXml.parse(blank.xml(inactive=True))
    document.uuid = lv.model.new_uuid()
    with pytest.raises(ConflictError, match=blank.uuid):
        alpha.define(document.text())


def test_create_from_xml_is_transient(alpha, spec):
    xml = spec.filled(virt="qemu").to_xml()
    domain = alpha.create(xml, paused=True)
    assert domain.state.text == "paused"
    assert not domain.info().persistent
    with pytest.raises(ConflictError, match="runs already"):
        alpha.create(xml)


def test_lookup_by_number_name_and_uuid_with_and_without_dashes(blank, alpha):
    for key in (blank.id, blank.name, blank.uuid, blank.uuid.replace("-", ""), blank.uuid.upper()):
        assert alpha.domains[key] == blank
    assert blank.name in alpha.domains
    assert blank.uuid in alpha.domains


def test_a_domain_that_is_gone_says_so(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    domain.undefine(confirm=True)
    with pytest.raises(NotFoundError):
        domain.info()
    assert repr(domain)


def test_jobs_of_verbs_run_in_the_background(blank):
    job = blank.suspend.job()
    job.result(20)
    assert blank.state.text == "paused"


def test_every_verb_is_journaled(blank):
    blank.suspend()
    entry = blank.host.journal.entries()[-1]
    assert entry["title"] == f"suspend domain {blank.name}"
    assert entry["actions"][0]["virsh"] == [f"suspend {blank.name}"]
