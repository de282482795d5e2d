"""Every check of the pre-flight fails with the right cause when its item is not well. No libvirt."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math

import pytest

from labvirt.host.migrating.dialling import answer_of
from labvirt.host.migrating.estimating import finding_of
from labvirt.host.migrating.peeking import read_answer
from labvirt.host.migrating.preflight import Preflight, judge
from labvirt.host.migrating.sides import FileSeen, Look, PoolSeen, Side, Way
from labvirt.model.migration import MigrationSpec
from labvirt.model.units import Size
from labvirt.model.xml.capabilities import DomainCapabilities, GuestCapability
from labvirt.model.xml.domain import DomainXml
from labvirt.status import DomainRecord, DomainState
from labvirt.status.finding import Finding, Findings, worst
from labvirt.status.migration import estimate, guide_seconds

MIB, GIB = 1 << 20, 1 << 30
UUID = "11111111-2222-3333-4444-555555555555"
DISK = "/srv/vm/a.qcow2"

XML = """<domain type='kvm'><name>web1</name><uuid>{uuid}</uuid><memory unit='MiB'>1024</memory>
<vcpu>2</vcpu><os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type>{os}</os>{cpu}
<devices>{devices}</devices></domain>"""
FILE = (
    "<disk type='file' device='{device}'><driver name='qemu' type='qcow2'{cache}/>"
    "<source file='{path}'{policy}/><target dev='vda' bus='virtio'/>{more}</disk>"
)


def record(**changes):
    made = DomainRecord(
        uuid=UUID,
        name="web1",
        id=3,
        state=DomainState.RUNNING,
        reason="booted",
        persistent=True,
        autostart=False,
        has_managed_save=False,
        os_type="hvm",
        max_memory=Size(GIB),
        memory=Size(GIB),
        vcpus=2,
        cpu_time_ns=0,
        title="",
        tags=(),
        read_at=dt.datetime.now(dt.UTC),
    )
    return dataclasses.replace(made, **changes)


def disk(path=DISK, *, device="disk", cache="", policy="", more=""):
    cache = f" cache='{cache}'" if cache else ""
    policy = f" startupPolicy='{policy}'" if policy else ""
    return FILE.format(path=path, device=device, cache=cache, policy=policy, more=more)


def side(name, **changes):
    guest = GuestCapability("hvm", "x86_64", 64, "/usr/bin/qemu", ("qemu", "kvm"), ("pc-q35-7.2",))
    values = {
        "label": f"qemu+ssh://{name}/system",
        "driver": "QEMU",
        "daemon": "9.0.0",
        "hypervisor": "7.2.0",
        "cpu": "AMD EPYC",
        "guests": (guest,),
        "memory": 16 * GIB,
        "available": 8 * GIB,
        "cpus": 8,
        "max_vcpus": 64,
        "networks": {"default": True},
        "devices": frozenset({"br0", "eth0"}),
        "filters": frozenset({"clean-traffic"}),
        "files": {DISK: FileSeen(exists=True, size=GIB, identity="7:9", writable=True)},
        "boot_id": "one",
        "clock_ahead_s": 0.0,
    }
    return Side(name, **{**values, **changes})


def look(devices="", *, os="", cpu="", here=None, there=None, spec=None, **changes):
    document = DomainXml.parse(XML.format(uuid=UUID, devices=devices, os=os, cpu=cpu))
    values = {
        "name": "web1",
        "uuid": UUID,
        "document": document,
        "record": record(),
        "spec": MigrationSpec(**(spec or {})),
        "source": side("kvm1", **(here or {})),
        "destination": side("kvm2", **(there or {})),
        "data_uri": "unix:///m",
    }
    return Look(**{**values, **changes})


def found(key, *args, **kwargs):
    return {one.id: one for one in judge(look(*args, **kwargs))}[key]


def test_where_all_is_well_nothing_fails():
    nic = "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>"
    verdicts = {one.id: one.verdict for one in judge(look(disk() + nic))}
    assert set(verdicts.values()) <= {"ok", "n/a"}, verdicts


CANNED = [
    ("source-answers", {"here": {"error": "no link"}}, "kvm1 gives no answer"),
    ("destination-answers", {"there": {"error": "no link"}}, "kvm2 gives no answer"),
    ("source-writable", {"here": {"readonly": True}}, "kvm1 is open read-only"),
    ("destination-writable", {"there": {"readonly": True}}, "kvm2 is open read-only"),
    ("two-hosts", {"is_same": True}, "same host"),
    ("driver", {"there": {"driver": "Xen"}}, "runs Xen, and not QEMU"),
    ("state", {"spec": {"offline": True}}, "is running, and an offline"),
    ("state", {"record": record(id=None, state=DomainState.SHUTOFF)}, "is not running"),
    (
        "state",
        {"record": record(id=None, persistent=False), "spec": {"offline": True}},
        "is transient",
    ),
    ("job", {"job": "backup"}, "a job of web1 is under way: backup"),
    ("job", {"block_jobs": {"vda": "commit"}}, "commit of vda"),
    ("sending", {"spec": {"compression": "mt"}}, "can corrupt the guest's memory"),
    ("snapshots", {"snapshots": 2}, "does not migrate a domain with snapshots (2)"),
    ("checkpoints", {"checkpoints": 1}, "with checkpoints (1)"),
    ("name", {"there": {"domains": (record(uuid="x"),)}}, "has a domain web1 (running) already"),
    ("uuid", {"there": {"domains": (record(name="old"),)}}, "with this UUID already: old"),
    ("type", {"there": {"guests": ()}}, "runs no guests for x86_64"),
    ("machine", {"there": {"guests": ()}}, "does not know the machine type pc-q35-7.2"),
    (
        "cpu",
        {"cpu": "<cpu mode='custom'><model>EPYC</model></cpu>"}
        | {"there": {"cpu_verdict": "incompatible", "cpu_baseline": "qemu64"}},
        "cannot be EPYC",
    ),
    (
        "cpu",
        {"cpu": "<cpu mode='host-passthrough'/>", "there": {"cpu": "Intel Skylake"}},
        "needs the very same processor",
    ),
    ("vcpus", {"there": {"max_vcpus": 1}}, "at most 1 virtual CPUs"),
    ("memory", {"there": {"memory": GIB // 2}}, "more memory than kvm2"),
    (
        "hostdev",
        {
            "devices": "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/>"
            "<product id='0x5678'/></source></hostdev>"
        },
        "usb 0x1234:0x5678 is a device of this host",
    ),
    (
        "shared-folder",
        {"devices": "<filesystem type='mount'><source dir='/x'/><target dir='t'/></filesystem>"},
        "/x is a folder of this host",
    ),
    (
        "tpm",
        {
            "devices": "<tpm model='tpm-tis'><backend type='passthrough'>"
            "<device path='/dev/tpm0'/></backend></tpm>"
        },
        "stays with the host",
    ),
    (
        "nic:52:54:00:00:00:01",
        {
            "devices": "<interface type='network'><mac address='52:54:00:00:00:01'/>"
            "<source network='lan'/></interface>"
        },
        "kvm2 has no network lan",
    ),
    (
        "nic:52:54:00:00:00:01",
        {
            "devices": "<interface type='network'><mac address='52:54:00:00:00:01'/>"
            "<source network='default'/></interface>",
            "there": {"networks": {"default": False}},
        },
        "network default of kvm2 is not active",
    ),
    (
        "nic:52:54:00:00:00:01",
        {
            "devices": "<interface type='bridge'><mac address='52:54:00:00:00:01'/>"
            "<source bridge='br7'/></interface>"
        },
        "kvm2 has no bridge br7",
    ),
    (
        "filters",
        {
            "devices": "<interface type='network'><source network='default'/>"
            "<filterref filter='mine'/></interface>"
        },
        "no network filter mine",
    ),
]


@pytest.mark.parametrize(
    ("key", "wrong", "cause"), CANNED, ids=[f"{c[0]}-{c[2][:20]}" for c in CANNED]
)
def test_each_item_fails_with_its_own_cause(key, wrong, cause):
    wrong = dict(wrong)
    one = found(key, wrong.pop("devices", ""), **wrong)
    assert one.verdict == "fail"
    assert cause in one.cause
    assert one.evidence or one.remedy


STORAGE = [
    ("gone here", {"here": {"files": {DISK: FileSeen(exists=False)}}}, "is missing on kvm1"),
    ("gone there", {"there": {"files": {DISK: FileSeen(exists=False)}}}, "kvm2 has no such file"),
    (
        "another file",
        {"there": {"files": {DISK: FileSeen(exists=True, size=GIB, identity="7:8")}}},
        "another file is at that path",
    ),
    (
        "read-only",
        {"there": {"files": {DISK: FileSeen(exists=True, identity="7:9", writable=False)}}},
        "is read-only on kvm2",
    ),
    (
        "same inode of another machine's own file system",
        {
            "there": {
                "boot_id": "two",
                "files": {DISK: FileSeen(exists=True, size=GIB, identity="7:9", file_system="xfs")},
            }
        },
        "another file is at that path",
    ),
    (
        "the storage is mounted elsewhere",
        {
            "here": {"pools": (PoolSeen("p", "netfs", True, "/srv/vm", source="nfs1:/vm"),)},
            "there": {
                "pools": (PoolSeen("p", "netfs", True, "/mnt/vm", source="nfs1:/vm"),),
                "files": {DISK: FileSeen(exists=False)},
            },
        },
        "is at /mnt/vm on kvm2: another path",
    ),
    (
        "shared, and yet not there",
        {
            "here": {"shared_folders": ("/srv/vm",)},
            "there": {"shared_folders": ("/srv/vm",), "files": {DISK: FileSeen(exists=False)}},
        },
        "though shared folder /srv/vm should have it",
    ),
    (
        "a lab's own folder",
        {"here": {"lab": "l"}, "there": {"lab": "l"}},
        "not on storage that both",
    ),
]


@pytest.mark.parametrize(
    ("wrong", "cause"), [one[1:] for one in STORAGE], ids=[s[0] for s in STORAGE]
)
def test_a_disk_fails_with_its_own_cause(wrong, cause):
    one = found("disk:vda", disk(), **wrong)
    assert one.verdict == "fail"
    assert cause in one.cause
    assert one.remedy


def test_one_file_of_a_server_is_known_by_its_inode():
    seen = FileSeen(exists=True, size=GIB, identity="7:9", file_system="nfs", writable=True)
    other = dataclasses.replace(seen, identity="44:9")
    one = found(
        "disk:vda",
        disk(),
        here={"files": {DISK: seen}},
        there={"files": {DISK: other}, "boot_id": "two"},
    )
    assert one.verdict == "ok"
    pools = (PoolSeen("p", "netfs", True, "/srv/vm", source="nfs1:/vm"),)
    one = found("disk:vda", disk(), here={"pools": pools, "files": {}}, there={"pools": pools})
    assert "network storage nfs1:/vm" in one.evidence


def test_what_could_not_be_looked_at_is_unknown_and_not_well():
    assert found("disk:vda", disk(), here={"files": {}}, there={"files": {}}).verdict == "unknown"
    assert found("clocks", there={"clock_ahead_s": None}).verdict == "unknown"
    assert found("way:data", data_uri=None).verdict == "unknown"
    bridge = "<interface type='bridge'><mac address='1'/><source bridge='br7'/></interface>"
    assert found("nic:1", bridge, there={"devices": None}).verdict == "unknown"


def test_a_cd_that_is_not_there():
    gone = {"files": {DISK: FileSeen(exists=False)}}
    one = found("disk:vda", disk(device="cdrom"), there=gone)
    assert one.verdict == "fail"
    assert "--eject" in one.remedy
    one = found("disk:vda", disk(device="cdrom", policy="optional"), there=gone)
    assert one.verdict == "warning"
    empty = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
    assert found("disk:sda", empty).verdict == "ok"


def test_disks_of_the_network_and_of_pools():
    rbd = "<disk type='network'><source protocol='rbd' name='p/i'/><target dev='vdb'/></disk>"
    assert found("disk:vdb", rbd).verdict == "ok"
    volume = "<disk type='volume'><source pool='p' volume='v'/><target dev='vdb'/></disk>"
    assert "kvm2 has no pool p" in found("disk:vdb", volume).cause
    here = {"pools": (PoolSeen("p", "dir", True, "/a"),)}
    off = {"pools": (PoolSeen("p", "dir", False, "/a"),)}
    assert "not active" in found("disk:vdb", volume, here=here, there=off).cause
    other = {"pools": (PoolSeen("p", "dir", True, "/b"),)}
    assert "p is /a here and /b there" in found("disk:vdb", volume, here=here, there=other).cause
    lun = "<disk type='block'><source dev='/dev/sdz'/><target dev='vdb'/></disk>"
    gone = {"files": {"/dev/sdz": FileSeen(exists=False)}}
    assert "no block device /dev/sdz" in found("disk:vdb", lun, there=gone).cause
    assert found("disk:vdb", lun).verdict == "warning"


def test_a_disk_that_is_copied_and_what_speaks_against_it():
    gone = {"files": {DISK: FileSeen(exists=False)}}
    spec = {"storage": "copy"}
    one = found("disk:vda", disk(), there=gone, spec=spec, copied={"vda": "/b/a of pool p"})
    assert (one.verdict, one.evidence) == ("ok", "copied to /b/a of pool p")
    one = found("copy:0", disk(), spec=spec, copy_problems=("kvm2 has no pool p",))
    assert (one.verdict, one.cause) == ("fail", "kvm2 has no pool p")


def test_what_works_but_deserves_a_thought():
    warned = [
        found("hypervisor-version", there={"hypervisor": "6.2.0"}),
        found("libvirt-version", there={"daemon": "8.10.0"}),
        found("clocks", there={"clock_ahead_s": 7.5}),
        found("cpu", cpu="<cpu mode='host-passthrough'/>"),
        found("memory", there={"available": MIB}),
        found(
            "overcommit",
            there={"domains": (record(uuid="x", name="y", max_memory=Size(16 * GIB)),)},
        ),
        found("vcpus", there={"cpus": 1}),
        found("cache", disk(cache="unsafe")),
        found("nic:0", "<interface type='user'/>"),
        found("state", record=record(id=None, has_managed_save=True), spec={"offline": True}),
    ]
    assert [one.verdict for one in warned] == ["warning"] * len(warned)
    assert "is older than 7.2.0" in warned[0].cause
    assert all(one.cause and one.remedy for one in warned)


def test_old_hypervisors_need_a_cache_mode_without_a_cache():
    one = found("cache", disk(), there={"hypervisor": "2.12.0"})
    assert (one.verdict, one.remedy) == ("fail", "cache='none'")
    assert found("cache", disk(cache="none"), there={"hypervisor": "2.12.0"}).verdict == "ok"


DOMCAPS = """<domainCapabilities><path>/q</path><domain>kvm</domain><machine>q35</machine>
<arch>x86_64</arch><os supported='yes'><loader supported='yes'><value>/fw/OVMF.fd</value></loader>
</os><devices><tpm supported='yes'><enum name='backendModel'><value>{tpm}</value></enum></tpm>
</devices></domainCapabilities>"""


def test_firmware_variables_and_tpm():
    caps = DomainCapabilities.parse(DOMCAPS.format(tpm="passthrough"))
    efi = "<loader readonly='yes' type='pflash'>{}</loader><nvram>/var/web1_VARS.fd</nvram>"
    there = {"domcaps": caps}
    one = found("firmware", os=efi.format("/fw/OTHER.fd"), there=there)
    assert "has no firmware /fw/OTHER.fd" in one.cause
    assert found("firmware", os=efi.format("/fw/OVMF.fd"), there=there).verdict == "ok"
    assert found("nvram", os=efi.format("/x")).verdict == "ok"
    offline = {"spec": {"offline": True}, "record": record(id=None)}
    assert "not copied by an offline" in found("nvram", os=efi.format("/x"), **offline).cause
    tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
    assert "no emulator of TPMs" in found("tpm", tpm, there=there).cause
    able = {"domcaps": DomainCapabilities.parse(DOMCAPS.format(tpm="emulator"))}
    assert found("tpm", tpm, there=able).verdict == "ok"
    assert found("tpm", tpm, there=able, **offline).verdict == "warning"


@pytest.mark.parametrize(
    ("key", "answer", "verdict", "words"),
    [
        ("data", "refused", "ok", ""),
        ("data", "open", "ok", ""),
        ("data", "silent", "fail", "port 49152 of kvm2 cannot be reached from kvm1"),
        ("data", "no-name", "fail", "cannot resolve the name kvm2"),
        ("back", "silent", "warning", "cannot be reached"),
        ("daemon", "refused", "fail", "no daemon listens on port 49152"),
        ("data", "unknown", "unknown", ""),
    ],
)
def test_ways_are_judged_by_how_the_port_answered(key, answer, verdict, words):
    way = Way(key, "kvm1", "kvm2", 49152, answer, "said so")
    one = found(f"way:{key}", ways=(way,), data_uri=None)
    assert one.verdict == verdict
    assert words in one.cause


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("[Errno 111] Connection refused", "refused"),
        ("[Errno -2] Name or service not known", "no-name"),
        ("timed out", "silent"),
        ("[Errno 113] No route to host", "unreachable"),
        ("the keeper is gone", "unknown"),
    ],
)
def test_what_an_error_means(text, answer):
    assert answer_of(text) == answer


def test_the_answer_of_the_script():
    out = "100.5\nboot\n7:9 1024\nnfs\nw\n-\n-\n-\n"
    seen = read_answer(out, ["/a", "/b"], 90.0, 90.1)
    assert seen.files["/a"] == FileSeen(True, 1024, "7:9", "nfs", writable=True)
    assert not seen.files["/b"].exists
    assert seen.clock_ahead_s == pytest.approx(10.45)
    assert read_answer(out, ["/a", "/b"], 100.4, 100.6).clock_ahead_s == 0
    assert read_answer("half", ["/a"], 0, 0) is None


def test_the_honest_figure_of_the_guide():
    assert guide_seconds(118e6) == pytest.approx(18.2, abs=0.3)
    assert guide_seconds(215e6) == pytest.approx(10.0, abs=0.1)
    assert math.isinf(guide_seconds(10 * MIB, 20 * MIB))
    fast = estimate(memory_bytes=GIB, dirty_bytes_s=0, bandwidth_bytes_s=1000 * MIB)
    told = finding_of(fast, 1000 * MIB, 0.0, MigrationSpec())
    assert (told.verdict, "2 GB in 10 s hold" in told.evidence) == ("ok", True)
    never = estimate(memory_bytes=GIB, dirty_bytes_s=50 * MIB, bandwidth_bytes_s=10 * MIB)
    told = finding_of(never, 10 * MIB, 50.0 * MIB, MigrationSpec())
    assert told.verdict == "warning"
    assert "auto_converge" in told.remedy
    assert finding_of(never, 10 * MIB, 50.0 * MIB, MigrationSpec(postcopy=True)).verdict == "ok"


def test_findings_are_a_table_a_text_and_a_verdict():
    bad = Finding("disk:vda", "Is it there?", "fail", "<x>", "gone", "copy it", "G12.1-01")
    good = Finding("name", "Is it free?", "ok")
    both = Findings("a look", (good, bad))
    assert (both.verdict, len(both), "name" in both, both["disk:vda"]) == ("fail", 2, True, bad)
    assert "✗ Is it there? fail: <x>; gone\n    -> copy it" in str(both)
    assert "&lt;x&gt;" in both._repr_html_()
    assert (bad.kind, bad.reason, worst(())) == ("disk", "gone", "n/a")
    with pytest.raises(KeyError, match=r"none of name, disk:vda"):
        both["other"]
    flight = Preflight("a look", (good, bad))
    assert (flight.can, flight.why, flight.remedies) == (False, "gone", ("copy it",))
    assert flight.df().loc["disk:vda", "cause"] == "gone"
