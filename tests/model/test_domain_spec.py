"""A domain that is asked for: bad input, cross checks, filling, media, placing of disks."""

from __future__ import annotations

import random

import pytest

from labvirt.errors import SpecError
from labvirt.model import (
    DiskSpec,
    DomainSpec,
    GraphicsSpec,
    ImportImage,
    InterfaceSpec,
    IsoInstall,
    KernelBoot,
    Media,
    NetworkBoot,
    NewVolume,
    Size,
    TinyGuest,
    parse_source,
)
from labvirt.model.disk import place_disks
from labvirt.model.xml import DomainXml

KERNEL = Media(
    kernel="/m/vmlinuz",
    initrd="/m/initrd",
    cmdline="console=ttyS0",
    minimum_memory="128 MiB",
    digest="d",
)


def spec(**fields):
    return DomainSpec(**{"name": "web1", "memory": "256 MiB", "virt": "qemu", **fields})


def refused(**fields):
    with pytest.raises(SpecError) as caught:
        spec(**fields)
    return caught.value


BAD = [
    ({"name": "a<b"}, "name"),
    ({"name": "a'b"}, "name"),
    ({"name": 'a"b'}, "name"),
    ({"name": "a b"}, "name"),
    ({"name": "a/b"}, "name"),
    ({"name": "../x"}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "x" * 300}, "name"),
    ({"name": ""}, "name"),
    ({"name": None}, "name"),
    ({"name": 7}, "name"),
    ({"memory": "-1"}, "memory"),
    ({"memory": "0"}, "memory"),
    ({"memory": 0}, "memory"),
    ({"memory": "0 MiB"}, "memory"),
    ({"memory": "12 parsecs"}, "memory"),
    ({"memory": 268435456}, "memory"),
    ({"memory": "1 KiB"}, "memory"),
    ({"memory": "999999 EiB"}, "memory"),
    ({"memory": None}, "memory"),
    ({"memory": float("nan")}, "memory"),
    ({"current_memory": "1 GiB"}, "current_memory"),
    ({"vcpus": 0}, "vcpus"),
    ({"vcpus": -1}, "vcpus"),
    ({"vcpus": 2.5}, "vcpus"),
    ({"vcpus": 100_000}, "vcpus"),
    ({"vcpus": 2, "max_vcpus": 1}, "vcpus"),
    ({"uuid": "1234"}, "uuid"),
    ({"title": "two\nlines"}, "title"),
    ({"title": ""}, "title"),
    ({"title": "\x07"}, "title"),
    ({"description": "\ud800"}, "description"),
    ({"description": "nul \0"}, "description"),
    ({"tags": ["a", "a"]}, "tags"),
    ({"tags": ["a b"]}, "tags[0]"),
    ({"virt": "xen"}, "virt"),
    ({"arch": "x86-64"}, "arch"),
    ({"machine": "pc <x>"}, "machine"),
    ({"firmware": "uefi"}, "firmware"),
    ({"secure_boot": True}, "secure_boot"),
    ({"secure_boot": True, "firmware": "efi", "machine": "pc"}, "machine"),
    ({"secure_boot": True, "firmware": "efi", "features": {"smm": False}}, "features.smm"),
    ({"arch": "aarch64"}, "firmware"),
    ({"boot": ["hd", "hd"], "disks": "1 GiB"}, "boot"),
    ({"boot": "floppy"}, "boot[0]"),
    ({"boot": "hd"}, "boot"),
    ({"boot": "network", "interfaces": ()}, "boot"),
    ({"source": NetworkBoot(), "interfaces": ()}, "interfaces"),
    ({"source": KernelBoot(kernel="/k"), "boot": "network"}, "boot"),
    ({"source": TinyGuest(), "boot": "network"}, "boot"),
    ({"source": {"kind": "tiny"}}, "source"),
    ({"source": {"kind": "tiny-guest", "boot": "floppy"}}, "source.boot"),
    ({"source": {"kind": "import-image"}}, "source.path"),
    ({"source": {"kind": "import-image", "path": "relative.img"}}, "source.path"),
    ({"source": {"kind": "import-image", "path": "/a", "pool": "p", "volume": "v"}}, "source.path"),
    ({"source": {"kind": "iso-install", "pool": "p"}}, "source.volume"),
    ({"source": {"kind": "kernel-boot", "kernel": "/"}}, "source.kernel"),
    ({"source": {"kind": "kernel-boot", "kernel": "/k", "cmdline": "a\nb"}}, "source.cmdline"),
    ({"disks": ["12 parsecs"]}, "disks[0].source.size"),
    ({"disks": ["-1"]}, "disks[0].source.size"),
    ({"disks": [{"size": "0 MiB"}]}, "disks[0].source.size"),
    ({"disks": [{}]}, "disks[0].source"),
    ({"disks": [{"size": "1 GiB", "bus": "virtoi"}]}, "disks[0].bus"),
    ({"disks": [{"size": "1 GiB", "target": "xyz"}]}, "disks[0].target"),
    ({"disks": [{"size": "1 GiB", "bus": "virtio", "target": "sda"}]}, "disks[0].target"),
    ({"disks": [{"size": "1 GiB", "serial": "<x>"}]}, "disks[0].serial"),
    ({"disks": [{"size": "1 GiB", "device": "cdrom"}]}, "disks[0].source"),
    ({"disks": [{"path": "/a", "device": "cdrom", "readonly": False}]}, "disks[0].readonly"),
    ({"disks": [{"path": "/a", "device": "cdrom", "bus": "virtio"}]}, "disks[0].bus"),
    ({"disks": [{"path": "/a", "device": "floppy", "bus": "ide"}]}, "disks[0].bus"),
    ({"disks": [{"path": "/a", "bus": "sata", "readonly": True}]}, "disks[0].readonly"),
    ({"disks": [{"size": "1 GiB", "target": "vda"}, {"path": "/a", "target": "vda"}]}, "disks"),
    ({"disks": [{"path": f"/{n}", "bus": "ide"} for n in range(5)]}, "disks"),
    ({"disks": [{"path": "/a", "bus": "ide"}], "machine": "q35"}, "disks"),
    (
        {"disks": [{"source": {"kind": "new-volume", "backing_path": "/b"}}]},
        "disks[0].source.backing_format",
    ),
    (
        {"disks": [{"source": {"kind": "new-volume", "size": "1 GiB", "allocation": "2 GiB"}}]},
        "disks[0].source.allocation",
    ),
    ({"disks": [{"path": "/a", "serial": "s"}, {"path": "/b", "serial": "s"}]}, "disks.serial"),
    ({"disks": [{"path": "/a", "boot_order": 1}], "interfaces": [{"boot_order": 1}]}, "boot_order"),
    ({"disks": [{"path": "/a", "boot_order": 1}], "boot": "hd"}, "boot"),
    ({"interfaces": ["bridge"]}, "interfaces[0].source"),
    ({"interfaces": ["user:x"]}, "interfaces[0].source"),
    ({"interfaces": ["nat"]}, "interfaces[0].kind"),
    ({"interfaces": ["bridge:much-too-long-for-linux"]}, "interfaces[0].source"),
    ({"interfaces": [{"mac": "nonsense"}]}, "interfaces[0].mac"),
    ({"interfaces": [{"mac": "01:00:5e:00:00:01"}]}, "interfaces[0].mac"),
    (
        {"interfaces": [{"mac": "52:54:00:00:00:01"}, {"mac": "52-54-00-00-00-01"}]},
        "interfaces.mac",
    ),
    ({"interfaces": [{"kind": "mcast", "port": 5558}]}, "interfaces[0].address"),
    (
        {"interfaces": [{"kind": "mcast", "address": "10.0.0.1", "port": 1}]},
        "interfaces[0].address",
    ),
    ({"interfaces": [{"kind": "user", "port": 5}]}, "interfaces[0].port"),
    ({"interfaces": [{"mode": "vepa"}]}, "interfaces[0].mode"),
    ({"interfaces": [{"model": "e1000 fast"}]}, "interfaces[0].model"),
    ({"interfaces": [{"mtu": 5}]}, "interfaces[0].mtu"),
    ({"graphics": "rdp"}, "graphics.kind"),
    ({"graphics": {"listen": "everywhere"}}, "graphics.listen"),
    ({"graphics": {"listen": "none", "port": 5900}}, "graphics.port"),
    ({"graphics": {"port": 70000}}, "graphics.port"),
    ({"graphics": {"password": "longer than eight"}}, "graphics.password"),
    ({"graphics": {"password": "****"}}, "graphics.password"),
    ({"graphics": {"password": ""}}, "graphics.password"),
    ({"graphics": {"keymap": "<de>"}}, "graphics.keymap"),
    ({"video": "ega"}, "video.model"),
    ({"serial": "modem"}, "serial.kind"),
    ({"serial": "file"}, "serial.path"),
    ({"serial": {"kind": "pty", "path": "/x"}}, "serial.path"),
    ({"serial": {"log_path": "log"}}, "serial.log_path"),
    ({"cpu": {"mode": "custom"}}, "cpu.model"),
    ({"cpu": {"mode": "host-model", "model": "x"}}, "cpu.model"),
    ({"cpu": {"topology": {"cores": 3}}}, "cpu.topology"),
    ({"cpu": {"topology": {"cores": 0}}}, "cpu.topology.cores"),
    ({"cpu": {"features": ["vmx", "vmx"]}}, "cpu.features"),
    ({"clock": "moon"}, "clock.offset"),
    ({"clock": "timezone"}, "clock.timezone"),
    ({"clock": {"adjustment_s": 5}}, "clock.adjustment_s"),
    ({"clock": {"timers": [{"name": "rtc"}, {"name": "rtc"}]}}, "clock.timers"),
    (
        {"clock": {"timers": [{"name": "kvmclock", "tick_policy": "delay"}]}},
        "clock.timers[0].tick_policy",
    ),
    ({"on_crash": "explode"}, "on_crash"),
    ({"watchdog": "bark"}, "watchdog.action"),
    ({"features": {"tb_cache": "0 MiB"}}, "features.tb_cache"),
    ({"memroy": "1 GiB"}, "memroy"),
]


@pytest.mark.parametrize(("fields", "field"), BAD, ids=[f"{n}-{f}" for n, (_, f) in enumerate(BAD)])
def test_bad_input_is_one_error_that_names_the_field(fields, field):
    error = refused(**fields)
    assert [problem.field for problem in error.problems] == [field]
    assert error.problems[0].why
    assert len(str(error)) < 1000
    assert "Traceback" not in str(error)
    assert "pydantic" not in str(error)


def test_all_problems_are_told_together():
    error = refused(name="a b", memory="1", vcpus=0, disks=["x"], interfaces=["bridge"])
    assert len(error.problems) == 5


def test_names_and_paths_cannot_break_out_of_the_xml():
    evil = "/a'/><x y='\"<!--]]>&amp;"
    made = spec(
        disks=[{"path": evil}],
        title="</title><evil/>",
        source=KernelBoot(kernel=evil, cmdline="</cmdline><evil/>"),
        serial={"log_path": evil},
    )
    domain = DomainXml.parse(made.filled().to_xml())
    assert domain.disks[0].source_file == evil
    assert domain.kernel == evil
    assert domain.title == "</title><evil/>"
    assert domain.serials[0].log_file == evil
    assert domain.element.find(".//evil") is None


def test_xml_needs_everything_to_be_decided():
    with pytest.raises(SpecError, match="virt = 'auto': is not decided"):
        spec(virt="auto").to_xml()
    with pytest.raises(SpecError, match="must be built first"):
        spec(source=TinyGuest()).to_xml()
    with pytest.raises(SpecError, match="no name yet"):
        spec(disks="1 GiB").to_xml()
    with pytest.raises(SpecError, match="needs KVM"):
        spec(cpu={"mode": "host-passthrough"}).to_xml()


def test_filling_decides_everything_and_leaves_what_was_given():
    asked = spec(
        virt="auto",
        disks=["1 GiB", {"size": "2 GiB", "name": "mine.qcow2", "pool": "p"}],
        interfaces=["default", {"kind": "user", "mac": "52:54:00:00:00:09"}],
    )
    ready = asked.filled(
        ["52:54:00:00:00:01"],
        ["4a4c59a7-ee3f-c781-96e4-288f2862f011"],
        random.Random(3),
        virt="qemu",
        default_interface=InterfaceSpec(kind="bridge", source="br7"),
        default_pool="images",
    )
    assert ready.virt == "qemu"
    assert ready.uuid is not None
    assert [one.source.name for one in ready.disks] == ["web1-vda.qcow2", "mine.qcow2"]
    assert [one.source.pool for one in ready.disks] == ["images", "p"]
    assert [one.target for one in ready.disks] == ["vda", "vdb"]
    assert ready.interfaces[0].kind == "bridge"
    assert ready.interfaces[0].mac not in {None, "52:54:00:00:00:01", "52:54:00:00:00:09"}
    assert ready.interfaces[1].mac == "52:54:00:00:00:09"
    assert ready.filled(rng=random.Random(9)) == ready
    assert asked.uuid is None


def test_filling_is_repeatable_with_the_same_randomness():
    one = spec().filled(rng=random.Random(1))
    assert one == spec().filled(rng=random.Random(1))
    assert one != spec().filled(rng=random.Random(2))


def test_a_default_interface_keeps_what_was_asked_of_it():
    asked = spec(interfaces=[InterfaceSpec(model="e1000", mtu=1400)])
    ready = asked.filled(default_interface=InterfaceSpec(kind="user", mac="52:54:00:00:00:01"))
    nic = ready.interfaces[0]
    assert (nic.kind, nic.model, nic.mtu) == ("user", "e1000", 1400)
    assert nic.mac != "52:54:00:00:00:01"


def test_addresses_and_uuids_in_use_are_refused_before_anything_happens():
    asked = spec(uuid="4a4c59a7ee3fc78196e4288f2862f011", interfaces=[{"mac": "52:54:00:aa:00:01"}])
    with pytest.raises(SpecError) as caught:
        asked.filled(["52-54-00-AA-00-01"], ["4A4C59A7EE3FC78196E4288F2862F011"])
    assert [one.field for one in caught.value.problems] == ["interfaces[0].mac", "uuid"]


def test_a_thousand_domains_have_addresses_of_their_own():
    rng = random.Random(0)
    macs, uuids = set(), set()
    for number in range(1000):
        one = spec(name=f"d{number}").filled(macs, uuids, rng)
        macs.add(one.interfaces[0].mac)
        uuids.add(one.uuid)
    assert len(macs) == len(uuids) == 1000


def test_media_with_a_kernel_are_booted_directly():
    made = spec(source=TinyGuest()).with_media(KERNEL)
    assert made.source == KernelBoot(
        kernel="/m/vmlinuz", initrd="/m/initrd", cmdline="console=ttyS0 hostname=web1"
    )
    domain = made.domain_xml()
    assert domain.boot_order == ()
    assert (domain.kernel, domain.machine) == ("/m/vmlinuz", "pc")


def test_media_with_a_disk_are_the_image_below_a_new_first_disk():
    media = Media(disk="/m/t.qcow2", disk_format="qcow2", minimum_memory="128 MiB", digest="d")
    made = spec(source=TinyGuest(boot="disk"), disks="1 GiB").with_media(media).filled()
    volumes = made.new_volumes
    assert [one.target for one in volumes] == ["vda", "vdb"]
    assert volumes[0].volume.backing_path == "/m/t.qcow2"
    assert volumes[0].volume.capacity is None
    assert volumes[1].volume.capacity == Size.parse("1 GiB")
    assert made.domain_xml().boot_order == ("hd",)


def test_media_that_need_more_memory_are_refused():
    with pytest.raises(SpecError, match="128 MiB or more"):
        spec(memory="64 MiB", source=TinyGuest()).with_media(KERNEL)


@pytest.mark.parametrize("fields", [{}, {"kernel": "/k", "disk": "/d"}])
def test_media_are_a_kernel_or_a_disk(fields):
    with pytest.raises(SpecError, match="either a kernel or a disk"):
        Media(minimum_memory="1 MiB", digest="d", **fields)


def test_only_the_tiny_guest_must_be_built():
    assert TinyGuest().needs_media
    for source in (
        ImportImage(path="/a"),
        IsoInstall(path="/a"),
        KernelBoot(kernel="/k"),
        NetworkBoot(),
    ):
        assert not source.needs_media


def test_new_volumes_need_names():
    with pytest.raises(SpecError, match="no name yet"):
        _ = spec(disks="1 GiB").new_volumes
    assert spec(disks=[{"path": "/a"}]).new_volumes == ()


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ({}, ("network",)),
        ({"interfaces": ()}, ("hd",)),
        ({"disks": "1 GiB"}, ("hd",)),
        ({"source": NetworkBoot()}, ("network",)),
        ({"source": NetworkBoot(), "disks": "1 GiB"}, ("hd", "network")),
        ({"source": IsoInstall(path="/a")}, ("cdrom",)),
        ({"source": IsoInstall(path="/a"), "disks": "1 GiB"}, ("hd", "cdrom")),
        ({"source": ImportImage(path="/a")}, ("hd",)),
        ({"source": KernelBoot(kernel="/k"), "disks": "1 GiB"}, ()),
        ({"boot": ("network", "hd"), "disks": "1 GiB"}, ("network", "hd")),
    ],
)
def test_what_is_booted_suits_the_source(fields, order):
    assert spec(**fields).filled().domain_xml().boot_order == order


@pytest.mark.parametrize(
    ("fields", "machine"),
    [
        ({}, "pc"),
        ({"firmware": "efi"}, "q35"),
        ({"machine": "pc-i440fx-7.2"}, "pc-i440fx-7.2"),
        ({"arch": "aarch64", "firmware": "efi"}, "virt"),
        ({"arch": "ppc64le"}, None),
    ],
)
def test_the_machine_suits_firmware_and_architecture(fields, machine):
    assert spec(**fields).domain_xml().machine == machine


def test_cpu_and_cache_suit_the_way_of_running():
    tcg, kvm = spec().domain_xml(), spec(virt="kvm").domain_xml()
    assert (tcg.cpu_mode, tcg.cpu_model, tcg.tb_cache) == ("custom", "qemu64", Size.parse("64 MiB"))
    assert (kvm.cpu_mode, kvm.cpu_model, kvm.tb_cache) == ("host-model", None, None)
    assert spec(arch="aarch64", firmware="efi").domain_xml().cpu_mode == "maximum"
    assert spec(cpu={"model": "Nehalem"}).domain_xml().cpu_model == "Nehalem"
    assert (
        spec(virt="kvm", cpu={"mode": "host-passthrough"}).domain_xml().cpu_mode
        == "host-passthrough"
    )


def test_devices_for_work_inside_the_guest_are_there_and_can_be_left_out():
    full = spec(serial={"log_path": "/l"}).domain_xml()
    assert full.channels[0].target_name == "org.qemu.guest_agent.0"
    assert full.rngs[0].backend == "/dev/urandom"
    assert full.memballoons[0].model == "virtio"
    assert (full.serials[0].log_file, full.serials[0].log_append) == ("/l", True)
    assert full.consoles[0].target_type == "serial"
    bare = spec(agent=False, rng=False, balloon=False, serial=None).domain_xml()
    assert [len(bare.channels), len(bare.rngs), len(bare.serials)] == [0, 0, 0]
    assert bare.memballoons[0].model == "none"


def test_disks_are_placed_in_order_and_given_targets_are_kept():
    placed = place_disks(
        [
            DiskSpec(size="1 GiB"),
            DiskSpec(path="/a", target="vda"),
            DiskSpec(path="/b", target="sda"),
            DiskSpec(path="/c", target="hdb"),
            DiskSpec(path="/d", device="cdrom"),
            DiskSpec(path="/e", device="floppy"),
            DiskSpec(path="/f", bus="usb"),
            DiskSpec(device="cdrom", target="sdx"),
        ]
    )
    assert [(one.bus, one.target) for one in placed] == [
        ("virtio", "vdb"),
        ("virtio", "vda"),
        ("scsi", "sda"),
        ("ide", "hdb"),
        ("ide", "hda"),
        ("fdc", "fda"),
        ("usb", "sdb"),
        ("sata", "sdx"),
    ]


def test_a_hundred_disks_are_named_as_linux_names_them():
    placed = place_disks([DiskSpec(path=f"/{n}") for n in range(100)])
    assert [one.target for one in placed][24:29] == ["vdy", "vdz", "vdaa", "vdab", "vdac"]
    assert len({one.target for one in placed}) == 100


def test_a_cd_goes_where_the_machine_has_a_place():
    iso = IsoInstall(path="/a.iso")
    assert spec(source=iso).placed_disks[-1].target == "hda"
    assert spec(source=iso, machine="q35").placed_disks[-1].bus == "sata"
    assert spec(source=iso, arch="aarch64", firmware="efi").placed_disks[-1].bus == "scsi"


def test_the_disk_of_the_source_comes_first():
    disks = spec(source=ImportImage(path="/a.qcow2"), disks="1 GiB").placed_disks
    assert [one.target for one in disks] == ["vda", "vdb"]
    assert disks[0].source.path == "/a.qcow2"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"disks": "2 GiB"}, {"disks": [DiskSpec(source=NewVolume(size="2 GiB"))]}),
        ({"interfaces": "user"}, {"interfaces": [InterfaceSpec(kind="user")]}),
        (
            {"interfaces": ["network:n"]},
            {"interfaces": [InterfaceSpec(kind="network", source="n")]},
        ),
        (
            {"interfaces": [{"source": "n"}]},
            {"interfaces": [InterfaceSpec(kind="network", source="n")]},
        ),
        ({"graphics": "vnc"}, {"graphics": GraphicsSpec()}),
        ({"boot": "network"}, {"boot": ("network",)}),
    ],
)
def test_short_forms_mean_the_long_ones(short, long):
    assert spec(**short) == spec(**long)


def test_a_path_may_be_a_path_object(tmp_path):
    assert spec(disks=[{"path": tmp_path / "a.img"}]).disks[0].source.path == f"{tmp_path}/a.img"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"memory": "32 MiB"}, "hardly any system"),
        ({"source": IsoInstall(path="/a"), "disks": "1 GiB"}, "most installers"),
        ({"source": IsoInstall(path="/a"), "memory": "1 GiB"}, "no disk to install to"),
        ({"graphics": {"listen": "0.0.0.0"}}, "open to the whole network"),
        ({"serial": None}, "neither a graphical nor a serial"),
    ],
)
def test_what_is_allowed_but_unwise_is_said(fields, word):
    said = spec(**fields).warnings
    assert len(said) == 1
    assert word in said[0]


def test_a_usual_domain_has_no_warnings():
    assert spec(disks="1 GiB").warnings == ()
    assert spec(source=TinyGuest(), memory="48 MiB").warnings == ()


def test_a_password_is_in_the_xml_but_in_no_text_of_the_spec():
    made = spec(graphics=GraphicsSpec(password="hunter2"))
    assert made.domain_xml().graphics[0].password == "hunter2"
    assert "hunter2" not in repr(made)
    assert "hunter2" not in made.to_json()
    with pytest.raises(SpecError, match="was masked"):
        DomainSpec.model_validate_json(made.to_json())


def test_sources_are_read_from_short_texts():
    assert parse_source("tiny") == TinyGuest()
    assert parse_source("tiny-disk") == TinyGuest(boot="disk")
    assert parse_source("image:/a.raw") == ImportImage(path="/a.raw", format="raw")
    assert parse_source("image:/a.qcow2").format == "qcow2"
    assert parse_source("iso:/a.iso") == IsoInstall(path="/a.iso")
    assert parse_source("kernel:/k") == KernelBoot(kernel="/k")
    assert parse_source("pxe") == NetworkBoot()
    for wrong in ("", "tin", "iso:", "iso:relative", "image"):
        with pytest.raises(SpecError):
            parse_source(wrong)


def every_spec():
    waiting, found = [DomainSpec], []
    while waiting:
        cls = waiting.pop()
        if cls in found:
            continue
        found.append(cls)
        for info in cls.model_fields.values():
            notes = [info.annotation]
            while notes:
                note = notes.pop()
                notes.extend(getattr(note, "__args__", ()))
                if isinstance(note, type) and hasattr(note, "model_fields"):
                    waiting.append(note)
    return found


@pytest.mark.parametrize("cls", every_spec(), ids=lambda cls: cls.__name__)
def test_every_field_says_what_it_means_so_that_forms_can_be_made(cls):
    assert cls.__doc__
    for name, info in cls.model_fields.items():
        assert name == "kind" or info.description, f"{cls.__name__}.{name}"
    assert cls.model_json_schema()["properties"].keys() == cls.model_fields.keys()
