"""Specs tell enough about themselves that forms, options and documents can be made of them."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from pydantic import BaseModel

from labvirt.errors import SpecError
from labvirt.model import (
    DomainSpec,
    ImportImage,
    IsoInstall,
    KernelBoot,
    Media,
    NetworkBoot,
    NetworkSpec,
    PoolSpec,
    SecretSpec,
    Size,
    Spec,
    TinyGuest,
    VolumeSpec,
)
from labvirt.model.disk import DiskSource
from labvirt.model.source import DISK_FORMATS, Source

# The least that makes each spec, so that one field after the other can be tried.
LEAST = {
    "DomainSpec": {"name": "a", "memory": "1 GiB"},
    "NetworkSpec": {"name": "a", "forward": "isolated"},
    "NetworkIp": {"address": "10.0.0.1/24"},
    "DhcpHost": {"mac": "52:54:00:00:00:01", "ip": "10.0.0.5"},
    "DhcpRange": {"start": "10.0.0.2", "end": "10.0.0.9"},
    "DnsForwarder": {"address": "10.0.0.1"},
    "DnsHost": {"ip": "10.0.0.1", "names": ["a"]},
    "DnsTxt": {"name": "a", "value": "b"},
    "DnsSrv": {"service": "ldap"},
    "Bandwidth": {"average": 1},
    "VlanSpec": {"tags": [1]},
    "PortGroup": {"name": "a"},
    "RouteSpec": {"network": "10.9.0.0/16", "gateway": "10.0.0.2"},
    "PoolSpec": {"name": "a", "path": "/a"},
    "PoolHost": {"name": "nas1"},
    "PoolAuth": {"type": "chap", "user": "u", "secret_usage": "s"},
    "ScsiAdapter": {"name": "host0"},
    "VolumeSpec": {"name": "a", "capacity": "1 GiB"},
    "VolumeEncryption": {"secret_usage": "s"},
    "SecretSpec": {"usage": "/a"},
    "Media": {"kernel": "/k", "minimum_memory": "1 MiB", "digest": "d"},
    "NewVolume": {"size": "1 GiB"},
    "VolumeSource": {"pool": "p", "name": "v"},
    "FileSource": {"path": "/a"},
    "BlockSource": {"path": "/a"},
    "DiskSpec": {"path": "/a"},
    "ImportImage": {"path": "/a"},
    "IsoInstall": {"path": "/a"},
    "KernelBoot": {"kernel": "/k"},
    "CpuFeature": {"name": "vmx"},
    "TimerSpec": {"name": "rtc"},
}
# Fields that need another one beside them.
BESIDE = {
    ("CpuSpec", "model"): {"mode": "custom"},
    ("ClockSpec", "timezone"): {"offset": "timezone"},
    ("InterfaceSpec", "source"): {"kind": "network"},
    ("InterfaceSpec", "address"): {"kind": "mcast", "port": 5558},
    ("InterfaceSpec", "port"): {"kind": "mcast", "address": "230.0.0.1"},
    ("PoolSpec", "device"): {"kind": "disk"},
    ("PoolSpec", "target"): {"kind": "iscsi", "hosts": ["nas1"]},
    ("PoolSpec", "hosts"): {"kind": "netfs", "dir": "/d"},
    ("PoolSpec", "dir"): {"kind": "netfs", "hosts": ["nas1"]},
    ("PoolSpec", "source_name"): {"kind": "logical"},
    ("PoolSpec", "format"): {"kind": "fs", "device": "/dev/vdb"},
    ("PoolSpec", "protocol_version"): {"kind": "netfs", "dir": "/d", "hosts": ["nas1"]},
    ("PoolSpec", "mount_options"): {"kind": "fs", "device": "/dev/vdb"},
    ("NetworkIp", "boot_server"): {"boot_file": "x"},
    ("DhcpHost", "id"): {"mac": None, "ip": "fd00::5"},
    ("DhcpRange", "start"): {"end": "192.168.100.9"},
    ("DhcpRange", "end"): {"start": "192.168.100.9"},
    ("DnsSrv", "target"): {"port": 389},
    ("NetworkSpec", "devices"): {"forward": "private"},
    ("NetworkSpec", "forward_dev"): {"forward": "route", "ips": ["10.0.0.1/24"]},
}


def all_specs():
    found, waiting = [], [DomainSpec, NetworkSpec, PoolSpec, VolumeSpec, SecretSpec, Media]
    while waiting:
        cls = waiting.pop(0)
        if cls in found:
            continue
        found.append(cls)
        notes = [info.annotation for info in cls.model_fields.values()]
        while notes:
            note = notes.pop()
            notes.extend(get_args(note))
            if isinstance(note, type) and issubclass(note, BaseModel):
                waiting.append(note)
    return found


SPECS = all_specs()
EXAMPLES = [
    pytest.param(cls, name, example, id=f"{cls.__name__}.{name}-{place}")
    for cls in SPECS
    for name, info in cls.model_fields.items()
    for place, example in enumerate(info.examples or [])
]


def make(cls, **fields):
    least = dict(LEAST.get(cls.__name__, {}))
    if cls.__name__ == "DiskSpec" and "source" in fields:
        least = {}
    return cls(**{**least, **fields})


def test_all_parts_of_a_domain_are_found():
    names = {cls.__name__ for cls in SPECS}
    assert {
        "DiskSpec",
        "InterfaceSpec",
        "TinyGuest",
        "NewVolume",
        "CpuTopology",
        "TimerSpec",
    } <= names
    assert len(names) >= 25


@pytest.mark.parametrize("cls", SPECS, ids=lambda cls: cls.__name__)
def test_the_least_that_is_asked_makes_each_spec(cls):
    made = make(cls)
    assert cls.model_validate(made.model_dump()) == made
    assert cls.model_validate_json(made.to_json()) == made
    assert made.replace() == made


@pytest.mark.parametrize(("cls", "name", "example"), EXAMPLES)
def test_each_example_of_a_field_is_taken_by_it(cls, name, example):
    beside = BESIDE.get((cls.__name__, name), {})
    made = make(cls, **beside, **{name: example})
    assert getattr(made, name) is not None


@pytest.mark.parametrize("cls", SPECS, ids=lambda cls: cls.__name__)
def test_each_field_has_a_description_in_plain_words(cls):
    for name, info in cls.model_fields.items():
        if name == "kind" and len(get_args(info.annotation)) == 1:
            continue  # the tag of a union is no question to the user
        assert info.description, f"{cls.__name__}.{name}"
        assert not info.description.endswith(".")
        assert (
            info.description[0].islower()
            or info.description[:2].isupper()
            or info.description[0].isupper()
        )


@pytest.mark.parametrize("cls", SPECS, ids=lambda cls: cls.__name__)
def test_each_spec_has_a_json_schema(cls):
    schema = cls.model_json_schema()
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema
    for name, info in cls.model_fields.items():
        assert (name in schema.get("required", [])) is info.is_required()


@pytest.mark.parametrize("cls", SPECS, ids=lambda cls: cls.__name__)
def test_each_spec_is_frozen_and_refuses_what_it_does_not_know(cls):
    made = make(cls)
    first = next(iter(cls.model_fields))
    with pytest.raises(SpecError, match="cannot be changed"):
        setattr(made, first, None)
    with pytest.raises(SpecError, match="there is no such field"):
        make(cls, nobody_knows_this=1)


@pytest.mark.parametrize("cls", SPECS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize(
    "junk", [None, 5, "", [], {"a": 1}, b"x", object()], ids=lambda junk: type(junk).__name__
)
def test_junk_in_any_field_is_one_of_our_errors_or_is_taken(cls, junk):
    for name in cls.model_fields:
        try:
            make(cls, **{name: junk})
        except SpecError as failure:
            assert failure.problems, name  # noqa: PT017 - it may also be taken


def test_sizes_are_text_with_a_form_in_schemas():
    memory = DomainSpec.model_json_schema()["properties"]["memory"]
    assert memory["type"] == "string"
    assert memory["format"] == "size"
    assert memory["examples"] == ["256 MiB", "4 GiB"]
    import re

    assert re.search(memory["pattern"], "256 MiB")
    assert not re.search(memory["pattern"], "12 parsecs")


def test_limits_are_in_schemas():
    vcpus = DomainSpec.model_json_schema()["properties"]["vcpus"]
    assert (vcpus["minimum"], vcpus["maximum"], vcpus["default"]) == (1, 4096, 1)


def test_unions_are_told_apart_by_their_kind():
    for union in (Source, DiskSource):
        members = get_args(get_args(union)[0])
        kinds = [cls.model_fields["kind"].default for cls in members]
        assert len(set(kinds)) == len(kinds) >= 4
        for cls, kind in zip(members, kinds, strict=True):
            assert get_args(cls.model_fields["kind"].annotation) == (kind,)
            assert kind not in cls.model_fields
    assert "qcow2" in DISK_FORMATS


@pytest.mark.parametrize(
    "source",
    [
        TinyGuest(boot="disk", ssh=True),
        ImportImage(pool="p", volume="v", format="vmdk", bus="sata"),
        IsoInstall(path="/a.iso"),
        KernelBoot(kernel="/k", cmdline="a=b"),
        NetworkBoot(),
    ],
    ids=lambda source: source.kind,
)
def test_each_source_goes_through_json(source):
    spec = DomainSpec(name="a", memory="1 GiB", source=source)
    again = DomainSpec.model_validate_json(spec.to_json())
    assert again.source == source
    assert type(again.source) is type(source)
    assert json.loads(spec.to_json())["source"]["kind"] == source.kind


def test_a_spec_is_made_of_plain_data_as_from_a_file():
    spec = DomainSpec.model_validate(
        {
            "name": "web1",
            "memory": "256 MiB",
            "source": {"kind": "tiny-guest"},
            "disks": ["2 GiB", {"path": "/a.iso", "device": "cdrom"}],
            "interfaces": ["user", {"kind": "bridge", "source": "br0"}],
            "graphics": "vnc",
            "tags": ["web"],
        }
    )
    assert spec.memory == Size.parse("256 MiB")
    assert isinstance(spec.source, TinyGuest)
    assert [one.device for one in spec.disks] == ["disk", "cdrom"]
    assert isinstance(spec, Spec)
