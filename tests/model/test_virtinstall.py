"""The line for virt-install makes the same domain: asked of the real virt-install."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.model import DomainSpec, GraphicsSpec, InterfaceSpec, SerialSpec, TinyGuest
from labvirt.model.virtinstall import _value, virt_install_args, virt_install_line
from labvirt.model.xml import DomainXml

HOST = """<node>
<pool type='dir'><name>images</name><uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid>
<target><path>/images</path></target>
<volume type='file'><name>v.qcow2</name><capacity>1000000</capacity>
<target><path>/images/v.qcow2</path><format type='qcow2'/></target></volume></pool>
</node>
"""

SPECS = {
    "minimal": {"interfaces": ()},
    "usual": {"disks": [{"size": "2 GiB", "pool": "images"}], "graphics": "vnc"},
    "kernel": {
        "source": {
            "kind": "kernel-boot",
            "kernel": "/k",
            "initrd": "/i",
            "cmdline": "a, b='c' d=\"e\" \\f",
        },
    },
    "import": {"source": {"kind": "import-image", "path": "/dev/null", "format": "raw"}},
    "iso": {
        "source": {"kind": "iso-install", "path": "/dev/null"},
        "disks": [{"path": "/dev/null", "format": "raw", "cache": "none", "serial": "S-1"}],
    },
    "pxe": {"source": {"kind": "network-boot"}, "disks": [{"size": "1 GiB", "pool": "images"}]},
    "volume": {"disks": [{"source": {"kind": "volume", "pool": "images", "name": "v.qcow2"}}]},
    "empty drive": {"disks": [{"device": "cdrom"}]},
    "amounts": {
        "memory": "300000 KiB",
        "current_memory": "256 MiB",
        "max_vcpus": 4,
        "cpu": {"topology": {"sockets": 2, "cores": 2}, "features": ["vmx"]},
        "hugepages": True,
    },
    "words": {"title": "a, \"b\" 'c' \\d = $HOME `x`", "description": "two\nlines; and, more"},
    "interfaces": {
        "interfaces": [
            "user",
            "network:default",
            InterfaceSpec(kind="mcast", address="230.0.0.1", port=5558, mac="52:54:00:01:02:03"),
            InterfaceSpec(kind="none", link_up=False, model="e1000", mtu=1400),
            InterfaceSpec(kind="direct", source="eth0"),
        ]
    },
    "orders": {
        "disks": [{"path": "/dev/null", "boot_order": 2}],
        "interfaces": [InterfaceSpec(boot_order=1)],
    },
    "consoles": {
        "serial": SerialSpec(log_path="/tmp/a b,c.log"),
        "graphics": GraphicsSpec(kind="spice", listen="0.0.0.0", port=5901, keymap="de"),
        "video": "virtio",
        "watchdog": "poweroff",
    },
    "socket": {
        "graphics": GraphicsSpec(listen="/run/x.sock"),
        "serial": {"kind": "unix", "path": "/s"},
    },
    "tcp": {
        "serial": {"kind": "tcp", "host": "127.0.0.1", "port": 4555},
        "agent": False,
        "rng": False,
    },
    "bare": {"serial": None, "balloon": False, "graphics": "vnc", "on_reboot": "destroy"},
    "clock": {"clock": {"offset": "timezone", "timezone": "Europe/Berlin"}},
    "efi": {"firmware": "efi", "secure_boot": True, "machine": "q35"},
    "features": {"features": {"hyperv": True, "vmport": False, "kvm_hidden": True, "acpi": False}},
}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    path = tmp_path_factory.mktemp("host") / "node.xml"
    path.write_text(HOST)
    return f"test://{path}"


def run_virt_install(args, home):
    """Return the XML that the real virt-install would define on libvirt's test driver."""
    words = list(args)
    words[words.index("--virt-type") + 1] = "test"
    words[words.index("--arch") + 1] = "i686"
    place = words.index("--machine")
    del words[place : place + 2]
    done = subprocess.run(
        [*words, "--print-xml", "--dry-run"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    return DomainXml.parse(done.stdout)


def facts(domain):
    """What both must agree in."""
    same = [
        "name",
        "title",
        "description",
        "memory",
        "current_memory",
        "hugepages",
        "vcpus",
        "current_vcpus",
        "kernel",
        "initrd",
        "cmdline",
        "boot_order",
        "firmware",
        "cpu_mode",
        "cpu_model",
        "cpu_sockets",
        "cpu_cores",
        "cpu_threads",
        "clock_offset",
        "clock_timezone",
        "on_poweroff",
        "on_reboot",
        "on_crash",
        "tb_cache",
        "smm",
        "vmport",
        "kvm_hidden",
        "hyperv_relaxed",
        "hyperv_vapic",
        "hyperv_spinlocks",
        "acpi",
        "apic",
    ]
    found = {name: getattr(domain, name) for name in same}
    found["cpu_features"] = [(one.name, one.policy) for one in domain.cpu_features]
    found["firmware_features"] = [(one.name, one.enabled) for one in domain.firmware_features]
    found["timers"] = [(one.name, one.present, one.tick_policy) for one in domain.timers]
    found["disks"] = [
        [
            getattr(one, name)
            for name in ["device", "target", "bus", "cache", "serial", "boot_order"]
        ]
        + [bool(one.readonly), bool(one.shareable)]
        for one in domain.disks
    ]
    found["interfaces"] = [
        [
            getattr(one, name)
            for name in [
                "type",
                "source",
                "source_port",
                "source_mode",
                "model",
                "link_state",
                "mtu",
                "boot_order",
            ]
        ]
        for one in domain.interfaces
    ]
    found["graphics"] = [
        (one.type, one.port, one.listen_type, one.listen_address, one.listen_socket, one.keymap)
        for one in domain.graphics
    ]
    found["video"] = [one.model for one in domain.videos]
    found["serial"] = [
        (
            one.type,
            one.source_path,
            one.source_host,
            one.source_service,
            one.log_file,
            one.log_append,
        )
        for one in domain.serials
    ]
    found["channels"] = [(one.type, one.target_type, one.target_name) for one in domain.channels]
    found["watchdog"] = [(one.model, one.action) for one in domain.watchdogs]
    found["balloon"] = [one.model for one in domain.memballoons]
    found["rng"] = [(one.model, one.backend) for one in domain.rngs]
    return found


def without_ports_of_none(found):
    """virt-install leaves out the port that our XML gives as -1 for a socket or no listener."""
    found["graphics"] = [
        (kind, None if listen in {"socket", "none"} else port, listen, *rest)
        for kind, port, listen, *rest in found["graphics"]
    ]
    return found


@pytest.mark.parametrize("fields", SPECS.values(), ids=SPECS)
def test_virt_install_makes_the_same_domain(fields, host, tmp_path):
    spec = DomainSpec(**{"name": "web1", "memory": "256 MiB", "virt": "qemu", **fields})
    theirs = run_virt_install(virt_install_args(spec, uri=host), tmp_path)
    ours = spec.filled().domain_xml()
    assert without_ports_of_none(facts(theirs)) == without_ports_of_none(facts(ours))
    for mine, other in zip(ours.disks, theirs.disks, strict=True):
        if mine.type == "volume" and other.type == "file":
            assert other.source_file.startswith("/images/")  # made anew, named by virt-install
        else:
            assert other.source_path == mine.source_path
            assert (other.source_pool, other.source_volume) == (
                mine.source_pool,
                mine.source_volume,
            )
            assert other.driver_type in {mine.driver_type, None}
    for one, mine, other in zip(spec.interfaces, ours.interfaces, theirs.interfaces, strict=True):
        if one.mac is not None:
            assert mine.mac == other.mac == one.mac


def test_the_line_is_one_shell_line_of_the_words():
    spec = DomainSpec(name="web1", memory="1 GiB", virt="kvm", title="it's $HOME", disks="5 GiB")
    line = virt_install_line(spec, uri="qemu:///system")
    assert shlex.split(line) == list(virt_install_args(spec, uri="qemu:///system"))
    assert line.startswith("virt-install --connect qemu:///system --name web1 --virt-type kvm")
    assert "size=5," in line


def test_the_line_is_the_same_every_time_and_keeps_what_was_asked():
    spec = DomainSpec(name="web1", memory="1 GiB", virt="kvm")
    assert virt_install_line(spec) == virt_install_line(spec)
    assert "mac.address" not in virt_install_line(spec)
    ready = spec.filled()
    assert f"mac.address={ready.interfaces[0].mac}" in virt_install_line(ready)
    assert f"uuid={ready.uuid}" in virt_install_line(ready)


def test_the_password_is_not_in_the_line():
    spec = DomainSpec(
        name="web1", memory="1 GiB", virt="kvm", graphics=GraphicsSpec(password="hunter2")
    )
    line = virt_install_line(spec)
    assert "hunter2" not in line
    assert "password=" in line


@pytest.mark.parametrize(
    "fields", [{"virt": "auto"}, {"virt": "kvm", "source": TinyGuest()}], ids=["virt", "media"]
)
def test_what_is_still_open_has_no_line(fields):
    with pytest.raises(SpecError, match="no virt-install line yet"):
        virt_install_line(DomainSpec(name="web1", memory="1 GiB", **fields))


def read_as_virt_install_does(text):
    """virtinst/cli.py, parse_optstr_tuples: a POSIX shlex that splits at commas."""
    lexer = shlex.shlex(text, posix=True)
    lexer.commenters = ""
    lexer.whitespace = ","
    lexer.whitespace_split = True
    return [tuple(word.split("=", 1)) for word in lexer]


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.text("abc,='\"\\\n $`", max_size=30),
)
def test_any_words_come_through_virt_installs_own_lexer(title, description):
    value = _value("first", title=title, description=description)
    assert read_as_virt_install_does(value) == [
        ("first",),
        ("title", title),
        ("description", description),
    ]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("2 GiB", "size=2,"),
        ("512 MiB", "size=0.5,"),
        ("1 MiB", "size=0.0009765625,"),
        ("6 GB", "size=5.587935448,"),
    ],
)
def test_sizes_of_disks_are_in_gib(size, words):
    assert words in virt_install_line(DomainSpec(name="a", memory="1 GiB", virt="kvm", disks=size))


def test_memory_that_is_no_whole_mib_is_set_exactly_all_the_same():
    line = virt_install_line(DomainSpec(name="a", memory="1000001 KiB", virt="kvm"))
    assert "--memory memory=977,currentMemory=977" in line
    assert "--xml ./memory=1000001" in line
    assert "--xml ./currentMemory=1000001" in line


def test_a_domain_without_devices_says_so():
    line = virt_install_line(
        DomainSpec(
            name="a",
            memory="1 GiB",
            virt="kvm",
            interfaces=(),
            serial=None,
            agent=False,
            rng=False,
            balloon=False,
        )
    )
    for word in ("disk", "network", "graphics", "video", "rng", "memballoon"):
        assert f"--{word} none" in line
    for word in ("serial", "console", "channel", "watchdog"):
        assert f"--{word}" not in line
