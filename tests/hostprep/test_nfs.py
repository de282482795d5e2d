"""NFS: lines of exports and fstab, read and written, below a root folder (12.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.hostprep import nfs


def test_the_line_of_the_guide_with_sync_instead_of_async():
    """G12.2-01, E-63."""
    line = nfs.export_line(
        "/var/lib/libvirt/images", ["*.bne.redhat.com"], ["rw", "no_root_squash", "async"]
    )
    assert line == "/var/lib/libvirt/images *.bne.redhat.com(rw,no_root_squash,async)"
    (export,) = nfs.parse_exports(line)
    assert any("async" in warning for warning in export.warnings)
    safe = nfs.export_line("/var/lib/libvirt/images", ["*.bne.redhat.com"])
    assert "async" not in safe
    assert "sync" in safe
    (wide,) = nfs.parse_exports("/srv *(ro)")
    assert "every host" in wide.warnings[0]


OPTIONS = st.lists(
    st.sampled_from(["rw", "sync", "no_subtree_check", "fsid=0", "sec=sys"]), unique=True
)
CLIENTS = st.lists(
    st.builds(
        nfs.Client,
        st.sampled_from(["kvm7", "*.example.com", "10.0.0.0/8", "@hosts", "2001:db8::/32"]),
        OPTIONS.map(tuple),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@given(st.sampled_from(["/a", "/var/lib/libvirt/images", "/with blank/x"]), CLIENTS)
def test_a_line_comes_back_as_it_was(path, clients):
    export = nfs.Export(path, tuple(clients))
    assert nfs.parse_exports(export.line) == (export,)


def test_comments_continued_lines_and_defaults_are_read():
    text = "# images\n/srv -rw,sync a \\\n  b(ro)\n\n/home\n"
    first, second = nfs.parse_exports(text)
    assert first.clients == (nfs.Client("a", ("rw", "sync")), nfs.Client("b", ("ro",)))
    assert second.clients == (nfs.Client("*", ()),)


@pytest.mark.parametrize(
    ("path", "client", "options"),
    [
        ("relative", "a", None),
        ("/a/../b", "a", None),
        ("/a", "a b", None),
        ("/a", "10.0.0.0/99", None),
        ("/a", "a", ["rw", "ro"]),
        ("/a", "a", ["no_such"]),
    ],
)
def test_what_cannot_be_right_is_refused(path, client, options):
    with pytest.raises(SpecError):
        nfs.export_line(path, [client], options)


def test_export_and_mount_are_added_once_and_leave_the_rest(tmp_path):
    """G12.2-03."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/exports").write_text("/home a(ro)")
    export = nfs.Export("/var/lib/libvirt/images", (nfs.Client("b"),))
    for _ in range(2):
        path = nfs.export_plan(export, root=tmp_path).apply()
    assert path.read_text() == f"/home a(ro)\n{export.line}\n"
    with pytest.raises(SpecError, match="already"):
        nfs.export_plan(nfs.Export("/home", (nfs.Client("b"),)), root=tmp_path)

    mount = nfs.Mount("nas", "/var/lib/libvirt/images")
    for _ in range(2):
        path = nfs.mount_plan(mount, root=tmp_path).apply()
    assert path.read_text() == f"{mount.fstab}\n"
    assert (tmp_path / "var/lib/libvirt/images").is_dir()
    with pytest.raises(SpecError, match="another mount"):
        nfs.mount_plan(nfs.Mount("other", "/var/lib/libvirt/images"), root=tmp_path)
    assert nfs.Mount("nas", "/a", ("soft",)).warnings


def test_what_a_server_needs():
    """G12.2-02."""
    debian = nfs.setup("debian", clients="10.1.0.0/16", version3=True)
    assert debian.packages == ("nfs-kernel-server",)
    assert "111/tcp" in debian.ports
    assert "10.1.0.0/255.255.0.0" in debian.hosts_allow
    fedora = nfs.setup()
    assert fedora.packages == ("nfs-utils",)
    assert fedora.ports == ("2049/tcp",)
    assert fedora.commands[-1] == "exportfs -ra"
