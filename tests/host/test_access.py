"""May QEMU's user open a file: the walk, the verdict, the fix and its undo, against a real QEMU."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import LabvirtError, NotFoundError, SpecError, UnsupportedError
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.acl import EXECUTE, READ, WRITE, Acl
from labvirt.host.storage.qemuuser import QemuUser
from labvirt.host.storage.security import security_notes
from labvirt.model import FileSource, VolumeSpec

pytestmark = pytest.mark.lab


@pytest.fixture
def image(alpha, tmp_path):
    """An image below two folders that QEMU's user may pass, as far as this file decides."""
    if os.getuid() != 0:
        pytest.skip("needs root: QEMU must be another user than this process")
    base = Path(alpha.pools["default"].info().path).with_name("access")
    inner = base / "a" / "b"
    inner.mkdir(parents=True)
    path = inner / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"], check=True, timeout=30)
    for folder in (base, base / "a", inner):
        folder.chmod(0o755)
    path.chmod(0o666)
    yield path
    subprocess.run(["rm", "-rf", str(base)], check=True, timeout=30)


def starts(alpha, spec, path, name="opener"):
    """Whether a real QEMU can open an image."""
    disk = lv.DiskSpec(source=FileSource(path=str(path), format="qcow2"))
    try:
        domain = alpha.plan(spec.replace(name=name, disks=(disk,)), transient=True).apply()
    except LabvirtError:
        return False
    domain.destroy(confirm=True)
    return True


def test_an_open_way_is_open(alpha, spec, image):
    access = alpha.explain_access(str(image))
    assert access.allowed, str(access)
    assert access.blocked_by == ()
    assert access.commands == ()
    assert starts(alpha, spec, image)


@pytest.mark.parametrize(
    ("where", "mode"),
    [("a", 0o700), ("a/b", 0o600), ("a/b/disk.qcow2", 0o600), ("a/b/disk.qcow2", 0o444)],
)
def test_the_component_in_the_way_is_named_and_opened_no_further_than_needed(
    alpha, spec, image, where, mode
):
    base = image.parents[2]
    closed = base / where
    closed.chmod(mode)
    access = alpha.explain_access(str(image))
    assert not access.allowed
    assert [step.path for step in access.blocked_by] == [str(closed)]
    assert str(access.user.uid) in access.commands[0]
    assert "setfacl" in access.commands[0]
    assert "blocked by" in str(access)
    assert not starts(alpha, spec, image)

    plan = access.plan()
    assert plan.diff.startswith("+ setfacl")
    plan.apply()
    acl = Acl.read(str(closed), closed.lstat())
    # A stranger still gets what he had.
    assert acl.rights(54321, frozenset({54321})) == mode & 7
    assert str(closed) in access.commands[0]
    assert alpha.explain_access(str(image)).allowed
    assert starts(alpha, spec, image)

    for action in plan.actions:
        action.undo(alpha)
    assert stat.S_IMODE(closed.stat().st_mode) == mode
    assert "system.posix_acl_access" not in os.listxattr(closed)
    assert not alpha.explain_access(str(image)).allowed


def test_an_access_list_that_was_there_comes_back(alpha, image):
    folder = image.parent
    folder.chmod(0o700)
    Acl.read(str(folder), folder.lstat()).granting(4711, READ | EXECUTE).write(str(folder))
    before = os.getxattr(folder, "system.posix_acl_access")
    access = alpha.explain_access(str(image))
    assert access.blocked_by[0].acl
    plan = access.plan()
    plan.apply()
    assert alpha.explain_access(str(image)).allowed
    kept = Acl.read(str(folder), folder.lstat())
    assert kept.rights(4711, frozenset()) == READ | EXECUTE
    plan.actions[0].undo(alpha)
    assert os.getxattr(folder, "system.posix_acl_access") == before


def test_the_kernel_agrees_with_the_rules(alpha, image):
    """The rules of acl(5) are ours here; the kernel's own verdict is asked by another user."""
    uid = alpha.explain_access(str(image)).user.uid
    probe = "import os,sys; print(int(os.access(sys.argv[1], os.R_OK)), int(os.access(sys.argv[1], os.W_OK)))"
    for mode in (0o600, 0o640, 0o644, 0o646, 0o606):
        for extra in (0, READ, READ | WRITE):
            if "system.posix_acl_access" in os.listxattr(image):
                os.removexattr(image, "system.posix_acl_access")
            image.chmod(mode)
            if extra:
                Acl.read(str(image), image.lstat()).granting(uid, extra).write(str(image))
            has = Acl.read(str(image), image.lstat()).rights(uid, frozenset({uid}))
            told = subprocess.run(
                ["/usr/bin/python3", "-c", probe, str(image)],
                user=uid, group=uid, extra_groups=[], capture_output=True, text=True, check=True, timeout=30,
            )  # fmt: skip
            assert told.stdout.split() == [str(int(bool(has & READ))), str(int(bool(has & WRITE)))]


def test_links_are_followed_as_the_kernel_does(alpha, image):
    link = image.with_name("link.qcow2")
    link.symlink_to("../b/disk.qcow2")
    access = alpha.explain_access(str(link))
    assert access.allowed
    assert access.real_path == str(image)
    assert any(step.what == "link" for step in access.steps)
    image.with_name("x").symlink_to("y")
    image.with_name("y").symlink_to("x")
    with pytest.raises(SpecError, match="round in circles"):
        alpha.explain_access(str(image.with_name("x")))
    with pytest.raises(NotFoundError, match="/b/none does not exist"):
        alpha.explain_access(str(image.with_name("none") / "deeper"))


def test_reading_needs_less_than_writing(alpha, image):
    image.chmod(0o644)
    assert not alpha.explain_access(str(image)).allowed
    assert alpha.explain_access(str(image), write=False).allowed


def test_a_volume_and_a_read_only_mount(alpha, lab):
    volume = alpha.pools["shared"].plan(VolumeSpec(name="acc", capacity="1 MiB")).apply()
    assert volume.access().path == volume.path
    volume.delete(confirm=True)
    files = HostFiles.of(alpha)
    readonly = next((m for m in files.mounts() if "ro" in m.options and m.kind != "proc"), None)
    if readonly is None:
        pytest.skip("nothing is mounted read-only here")
    access = alpha.explain_access(readonly.path)
    assert not any(step.allowed for step in access.steps if step.what == "mount")
    with pytest.raises(UnsupportedError, match="read-only"):
        access.plan()


def test_the_images_below_must_be_readable_too(alpha):
    shared = alpha.pools["shared"]
    base = shared.plan(VolumeSpec(name="acc-base.qcow2", capacity="1 MiB")).apply()
    spec = VolumeSpec(name="acc-over.qcow2", backing_path=base.path, backing_format="qcow2")
    over = shared.plan(spec).apply()
    top, below = over.chain_access()
    assert (top.write, top.allowed) == (True, True)
    assert (below.path, below.write, below.allowed) == (base.path, False, True)
    over.delete(confirm=True)
    base.delete(confirm=True)


# -- other hosts' security, told by what they would say ---------------------------------------------

CAPABILITIES = """<capabilities><host>
<secmodel><model>{}</model><doi>0</doi></secmodel>
<secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>+64055:+108</baselabel>
<baselabel type='qemu'>+64055:+108</baselabel></secmodel></host></capabilities>"""


def test_the_user_is_the_one_that_libvirt_tells(tmp_path):
    (tmp_path / "etc/libvirt").mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("root:x:0:0\nlibvirt-qemu:x:64055:108:qemu:/:/bin/false\n")
    (tmp_path / "etc/group").write_text("kvm:x:108:\nimages:x:999:someone,libvirt-qemu\n")
    files = HostFiles(str(tmp_path), 0, 0, 0)
    user = QemuUser.of(files, CAPABILITIES.format("apparmor"), is_system=True)
    assert str(user) == "libvirt-qemu 64055:108"
    assert user.groups == {108, 999}
    assert user.takes_over
    assert not user.almighty
    (tmp_path / "etc/libvirt/qemu.conf").write_text(
        "#dynamic_ownership = 1\ndynamic_ownership = 0\n"
    )
    assert not QemuUser.of(files, CAPABILITIES.format("none"), is_system=True).takes_over
    root = CAPABILITIES.format("none").replace("64055", "0").replace("108", "0")
    assert not QemuUser.of(files, root, is_system=True).almighty
    (tmp_path / "etc/libvirt/qemu.conf").write_text("clear_emulator_capabilities = 0\n")
    assert QemuUser.of(files, root, is_system=True).almighty


def test_apparmor_and_selinux_are_told_where_they_are_at_work(tmp_path):
    files = HostFiles(str(tmp_path), 0, 0, 0)
    notes, denied = security_notes(files, CAPABILITIES.format("apparmor"), "/etc/images/a")
    assert "virt-aa-helper" in denied[0]
    notes, denied = security_notes(files, CAPABILITIES.format("apparmor"), "/srv/a")
    assert not denied
    assert "AppArmor" in notes[0]
    notes, denied = security_notes(files, CAPABILITIES.format("selinux"), "/srv/a")
    assert "semanage fcontext" in notes[0]
    assert security_notes(files, CAPABILITIES.format("none"), "/srv/a") == ((), ())


MAPPED = """<capabilities><host><secmodel><model>dac</model>
<baselabel type='qemu'>+0:+0</baselabel></secmodel></host><guest/></capabilities>"""


def test_root_in_a_user_namespace_is_the_user_who_made_it():
    """A rootless daemon tells QEMU's user as it is inside; the files here know the one outside."""
    if os.getuid() != 0:
        pytest.skip("needs root: it writes the table of another process")
    with subprocess.Popen(["unshare", "-U", "sleep", "60"]) as process:
        try:
            table = Path(f"/proc/{process.pid}/uid_map")
            own = Path("/proc/self/ns/user").readlink()
            deadline = time.monotonic() + 10
            while Path(f"/proc/{process.pid}/ns/user").readlink() == own:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            table.write_text("0 4711 1")
            table.with_name("gid_map").write_text("0 4712 1")
            user = QemuUser.of(HostFiles("", process.pid, 4711, 4712), MAPPED, is_system=True)
        finally:
            process.kill()
    assert (user.uid, user.gid, str(user)) == (4711, 4712, "user 4711:4712")
    assert user.groups == {4712}
    assert not user.almighty
    assert not user.takes_over
