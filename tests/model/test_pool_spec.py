"""Specs of pools, volumes and secrets: what does not go together is told, all of it at once."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model import (
    POOL_TYPES,
    PoolAuth,
    PoolHost,
    PoolSpec,
    PoolXml,
    ScsiAdapter,
    SecretSpec,
    VolumeEncryption,
    VolumeSpec,
)

IQN = "iqn.2024-01.lab.example:disks"
USAGE = {"secret_usage": "s"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "dir"}, "path"),
        ({"kind": "fs", "path": "/a"}, "device"),
        ({"kind": "netfs", "path": "/a", "hosts": "h"}, "dir"),
        ({"kind": "netfs", "path": "/a", "hosts": "h", "dir": "rel"}, "dir"),
        ({"kind": "netfs", "path": "/a", "hosts": ["h", "i"], "dir": "/d"}, "hosts"),
        (
            {
                "kind": "netfs", "path": "/a", "hosts": "h", "dir": "d", "format": "cifs",
                "protocol_version": "4",
            },
            "protocol_version",
        ),
        ({"kind": "disk"}, "device"),
        ({"kind": "disk", "device": "/dev/a", "format": "ext4"}, "format"),
        ({"kind": "logical"}, "source_name"),
        ({"kind": "logical", "source_name": "a/b"}, "source_name"),
        ({"kind": "iscsi", "hosts": "h"}, "target"),
        ({"kind": "iscsi", "hosts": "h", "target": "disks"}, "target"),
        ({"kind": "iscsi-direct", "hosts": "h", "target": IQN}, "initiator"),
        (
            {"kind": "iscsi", "hosts": "h", "target": IQN, "auth": {"type": "ceph", "user": "u", **USAGE}},
            "auth.type",
        ),
        ({"kind": "scsi"}, "adapter"),
        ({"kind": "rbd", "source_name": "p"}, "hosts"),
        ({"kind": "gluster", "hosts": "h"}, "source_name"),
        ({"kind": "zfs"}, "source_name"),
        ({"kind": "vstorage", "source_name": "c"}, "path"),
        ({"kind": "dir", "path": "/a", "device": "/dev/a"}, "device"),
        ({"kind": "mpath", "hosts": "h"}, "hosts"),
        ({"kind": "dir", "path": "/a/../b"}, "path"),
    ],
)  # fmt: skip
def test_a_pool_needs_what_its_kind_needs_and_nothing_else(fields, field):
    with pytest.raises(SpecError) as caught:
        PoolSpec(name="p", **fields)
    assert caught.value.field.startswith(field), str(caught.value)


@pytest.mark.parametrize("kind", POOL_TYPES)
def test_each_kind_is_a_row_that_the_spec_knows(kind):
    row = POOL_TYPES[kind]
    assert row.kind == kind
    assert row.about
    assert set(row.fields) <= set(PoolSpec.model_fields)
    assert set(row.volumes) <= {"create", "delete", "resize", "upload", "wipe", "clone"}
    if row.path:
        assert "path" in row.fields


def test_hosts_are_read_from_short_forms():
    told = {
        "nas1": ("nas1", None),
        "nas1:3260": ("nas1", 3260),
        "[fd00::1]:3260": ("fd00::1", 3260),
        "fd00::1": ("fd00::1", None),
        "10.0.0.1:1": ("10.0.0.1", 1),
    }
    for text, (name, port) in told.items():
        host = PoolHost.model_validate(text)
        assert (host.name, host.port) == (name, port)
    for wrong in ("", "a b", "h:99999"):
        with pytest.raises(SpecError):
            PoolHost.model_validate(wrong)


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (PoolAuth, {"type": "chap", "user": "u"}),
        (PoolAuth, {"type": "chap", "user": "u", "secret_usage": "s", "secret_uuid": "0" * 32}),
        (ScsiAdapter, {}),
        (ScsiAdapter, {"name": "host0", "wwnn": "2" * 16, "wwpn": "1" * 16}),
        (ScsiAdapter, {"wwnn": "2" * 16}),
        (SecretSpec, {"usage": "relative"}),
        (VolumeEncryption, {}),
        (VolumeEncryption, {"secret_usage": "s", "mode": "cbc"}),
        (VolumeSpec, {"name": "v", "capacity": "1 GiB", "format": "raw", "compat": "1.1"}),
        (VolumeSpec, {"name": "v", "capacity": "1 GiB", "cluster_size": "96 KiB"}),
        (VolumeSpec, {"name": "v", "capacity": "1 GiB", "compat": "0.10", "extended_l2": True}),
        (VolumeSpec, {"name": "v", "capacity": "1 GiB", "format": "linux", "encryption": USAGE}),
        (
            VolumeSpec,
            {"name": "v", "capacity": "1 GiB", "format": "raw", "preallocation": "metadata"},
        ),
        (
            VolumeSpec,
            {"name": "v", "capacity": "1 GiB", "preallocation": "off", "allocation": "1 GiB"},
        ),
        (
            VolumeSpec,
            {"name": "v", "backing_path": "/b", "backing_format": "raw", "preallocation": "falloc"},
        ),
    ],
)
def test_what_does_not_go_together_is_refused(cls, fields):
    with pytest.raises(SpecError):
        cls(**fields)


def test_a_partition_and_a_raw_volume_of_a_server_say_no_format_of_files():
    xml = VolumeSpec(name="sda1", capacity="1 GiB", format="linux").to_xml()
    assert "type='linux'" in xml
    assert "type='file'" not in xml
    assert "format" not in VolumeSpec(name="v", capacity="1 GiB", format="raw").to_xml(
        formatted=False
    )


def test_a_pool_of_somebody_else_is_edited_without_loss():
    text = (
        "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>\n"
        "  <!-- ours -->\n  <name>n</name>\n  <unknown a='b'/>\n"
        "  <source>\n    <host name='nas1'/>\n    <dir path='/d'/>\n    <vendor name='x'/>\n"
        "  </source>\n  <target>\n    <path>/p</path>\n  </target>\n"
        "  <fs:mount_opts>\n    <fs:option name='soft'/>\n  </fs:mount_opts>\n</pool>\n"
    )
    view = PoolXml.parse(text)
    assert view.mount_options == ("soft",)
    view.mount_options = ("soft", "nodev")
    view.source_host = "nas2"
    assert "<!-- ours -->" in view.text()
    assert "<unknown a='b'/>" in view.text()
    assert PoolXml.parse(view.text()).mount_options == ("soft", "nodev")
    view.mount_options = ("soft",)
    view.source_host = "nas1"
    assert view.text().split() == text.split()
