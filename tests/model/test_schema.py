"""What is wrong with a document is said with place, value and what is allowed there."""

from __future__ import annotations

import copy
import random
import re
import time

import pytest
from lxml import etree

from labvirt.errors import SpecError
from labvirt.model.schema import KINDS, Schema
from labvirt.model.xml import DomainXml, XmlDoc

DOMAIN = """<domain type='qemu'>
  <name>web1</name>
  <uuid>4a4c59a7-ee3f-c781-96e4-288f2862f011</uuid>
  <memory unit='KiB'>262144</memory>
  <vcpu placement='static'>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
    <smm state='on'/>
  </features>
  <cpu mode='custom' match='exact'>
    <model fallback='forbid'>qemu64</model>
    <topology sockets='1' cores='1' threads='1'/>
  </cpu>
  <clock offset='utc'>
    <timer name='hpet' present='no'/>
  </clock>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/a.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <boot order='1'/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/>
      <source network='default'/>
      <model type='virtio'/>
      <link state='up'/>
    </interface>
    <serial type='pty'>
      <target port='0'/>
    </serial>
    <graphics type='vnc' port='-1' autoport='yes'>
      <listen type='address' address='127.0.0.1'/>
    </graphics>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
    </rng>
  </devices>
</domain>
"""

# what is changed, into what, the place that must be named, words that must be said
BROKEN = [
    # names of elements
    ("<boot dev", "<bot dev", "/domain/os/bot", "did you mean 'boot'"),
    ("<uuid>", "<uid>", "/domain/uid", "did you mean 'uuid'"),
    ("<acpi/>", "<acpy/>", "/domain/features/acpy", "did you mean 'acpi'"),
    ("<rng model", "<rgn model", "/domain/devices/rgn", "did you mean 'rng'"),
    (
        "<link state='up'/>",
        "<linkk state='up'/>",
        "/domain/devices/interface/linkk",
        "did you mean 'link'",
    ),
    (
        "<on_poweroff>destroy</on_poweroff>",
        "<on_shutdown>destroy</on_shutdown>",
        "/domain/on_shutdown",
        "it is called 'on_poweroff'",
    ),
    (
        "<acpi/>",
        "<nonsense/>",
        "/domain/features/nonsense",
        "no such element in <features> (allowed: acpi",
    ),
    (
        "<acpi/>",
        "<x:acpi xmlns:x='urn:x'/>",
        "/domain/features/x:acpi",
        "its namespace is another one",
    ),
    ("<acpi/>", "<x:y xmlns:x='urn:x'/>", "/domain/features/x:y", "belong in <metadata>"),
    # wrong place
    ("<acpi/>", "<disk type='file'/>", "/domain/features/disk", "it belongs in <devices>"),
    (
        "</devices>",
        "</devices><graphics type='vnc'/>",
        "/domain/graphics",
        "it belongs in <devices>",
    ),
    ("<devices>", "<devices><vcpu>1</vcpu>", "/domain/devices/vcpu", "it belongs in"),
    (
        "<source file='/a.qcow2'/>",
        "<source file='/a.qcow2'><target dev='vda'/></source>",
        "/domain/devices/disk/source/target",
        "belongs in",
    ),
    # once too often, missing
    ("<acpi/>", "<acpi/><acpi/>", "/domain/features/acpi[2]", "only once in <features>"),
    ("</memory>", "</memory><memory>1</memory>", "/domain/memory[2]", "only once in <domain>"),
    (
        "<target dev='vda' bus='virtio'/>",
        "",
        "/domain/devices/disk",
        "<target> is missing in <disk>",
    ),
    ("<name>web1</name>", "", "/domain", "<name> is missing in <domain>"),
    ("<type arch='x86_64' machine='pc'>hvm</type>", "", "/domain/os", "is missing in <os>"),
    (
        "<source network='default'/>",
        "",
        "/domain/devices/interface",
        "<source> is missing in <interface>",
    ),
    # names of attributes
    ("dev='vda'", "device='vda'", "/domain/devices/disk/target/@device", "did you mean 'dev'"),
    ("unit='KiB'", "units='KiB'", "/domain/memory/@units", "did you mean 'unit'"),
    ("autoport=", "autoPort=", "/domain/devices/graphics/@autoPort", "did you mean 'autoport'"),
    (
        "<disk type='file' device",
        "<disk typ='file' device",
        "/domain/devices/disk/@typ",
        "did you mean 'type'",
    ),
    ("<acpi/>", "<acpi state='on'/>", "/domain/features/acpi/@state", "it has none at all"),
    (
        "<disk type='file'",
        "<disk bus='virtio' type='file'",
        "/domain/devices/disk/@bus",
        "'bus' belongs to <address> or <target>",
    ),
    (
        "<interface type='network'>",
        "<interface type='network' address='x'>",
        "/domain/devices/interface/@address",
        "no such attribute",
    ),
    # attributes missing
    ("<domain type='qemu'>", "<domain>", "/domain/@type", "attribute 'type' is missing"),
    (
        "<target dev='vda' bus='virtio'/>",
        "<target bus='virtio'/>",
        "/domain/devices/disk/target/@dev",
        "attribute 'dev' is missing",
    ),
    (
        "<interface type='network'>",
        "<interface>",
        "/domain/devices/interface/@type",
        "'type' is missing",
    ),
    (
        "<mac address='52:54:00:12:34:56'/>",
        "<mac/>",
        "/domain/devices/interface/mac/@address",
        "a unicast MAC address",
    ),
    (
        "<boot order='1'/>",
        "<boot/>",
        "/domain/devices/disk/boot/@order",
        "must be a whole number from 1",
    ),
    # words
    ("bus='virtio'", "bus='virtoi'", "/domain/devices/disk/target/@bus", "did you mean 'virtio'"),
    (
        "device='disk'",
        "device='dvd'",
        "/domain/devices/disk/@device",
        "allowed: floppy, disk, cdrom, lun",
    ),
    ("type='qemu'", "type='kmv'", "/domain/@type", "did you mean 'kvm'"),
    ("dev='hd'", "dev='sda'", "/domain/os/boot/@dev", "allowed: hd, fd, cdrom, network"),
    ("offset='utc'", "offset='UTC'", "/domain/clock/@offset", "did you mean 'utc'"),
    (">destroy<", ">distroy<", "/domain/on_poweroff", "did you mean 'destroy'"),
    ("state='up'", "state='on'", "/domain/devices/interface/link/@state", "allowed: up, down"),
    ("present='no'", "present='false'", "/domain/clock/timer/@present", "allowed: yes, no"),
    ("state='on'", "state='true'", "/domain/features/smm/@state", "allowed: on, off"),
    ("type='vnc'", "type='VNC'", "/domain/devices/graphics/@type", "did you mean 'vnc'"),
    ("arch='x86_64'", "arch='x86-64'", "/domain/os/type/@arch", "did you mean 'x86_64'"),
    (
        "type='file' device",
        "type='flie' device",
        "/domain/devices/disk/@type",
        "did you mean 'file'",
    ),
    (
        "model='random'",
        "model='urandom'",
        "/domain/devices/rng/backend/@model",
        "did you mean 'random'",
    ),
    # numbers and forms
    (">262144<", ">256 MiB<", "/domain/memory", "must be a whole number"),
    (">262144<", ">-1<", "/domain/memory", "must be a whole number"),
    (">262144<", "> 262144 <", "/domain/memory", "remove the white space around it"),
    (">262144<", "><", "/domain/memory", "<memory> is empty"),
    ("'static'>1<", "'static'>0<", "/domain/vcpu", "a whole number from 1 to 65535"),
    ("'static'>1<", "'static'>two<", "/domain/vcpu", "a whole number from 1 to 65535"),
    ("order='1'", "order='0'", "/domain/devices/disk/boot/@order", "from 1"),
    ("order='1'", "order='first'", "/domain/devices/disk/boot/@order", "a whole number"),
    ("unit='KiB'", "unit='KiBi'", "/domain/memory/@unit", "a unit: bytes, KiB"),
    ("dev='vda'", "dev='zda'", "/domain/devices/disk/target/@dev", "a disk name such as vda"),
    (
        "52:54:00:12:34:56",
        "53:54:00:12:34:56",
        "/domain/devices/interface/mac/@address",
        "unicast MAC",
    ),
    ("52:54:00:12:34:56", "52:54:00", "/domain/devices/interface/mac/@address", "unicast MAC"),
    ("4a4c59a7-ee3f-c781-96e4-288f2862f011", "4a4c59a7", "/domain/uuid", "a UUID"),
    ("'/a.qcow2'", "'a.qcow2'", "/domain/devices/disk/source/@file", "an absolute path"),
    (">web1<", "><", "/domain/name", "<name> is empty"),
    ("threads='1'", "threads='none'", "/domain/cpu/topology/@threads", "a whole number"),
    # contradictions
    (
        "type='file' device",
        "type='block' device",
        "/domain/devices/disk/source/@file",
        "<disk> type='file' would allow it",
    ),
    (
        "<source file=",
        "<source dev=",
        "/domain/devices/disk/source/@dev",
        "<disk> type='block' would allow it",
    ),
    (
        "type='network'",
        "type='bridge'",
        "/domain/devices/interface/source/@bridge",
        "type='network' would allow it",
    ),
    (
        "name='hpet'",
        "name='hpet' track='guest'",
        "/domain/clock/timer/@track",
        "does not go with name='hpet'",
    ),
    (
        "listen type='address'",
        "listen type='none'",
        "/domain/devices/graphics/listen/@address",
        "does not go with type='none'",
    ),
    # text
    ("<devices>", "<devices>words", "/domain/devices", "holds elements, no text"),
    ("<acpi/>", "<acpi>on</acpi>", "/domain/features/acpi", "must be empty"),
]


def line_of(problem):
    return int(re.match(r"line (\d+): ", problem.why).group(1))


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    BROKEN,
    ids=[f"{n}-{row[1][:30]}" for n, row in enumerate(BROKEN)],
)
def test_each_fault_is_named_with_place_line_value_and_cure(old, new, place, words, schema):
    broken = DOMAIN.replace(old, new, 1)
    if new == "<uid>":
        broken = broken.replace("</uuid>", "</uid>")
    if new == "<rgn model":
        broken = broken.replace("</rng>", "</rgn>")
    problems = schema.check(broken)
    assert place in [problem.field for problem in problems]
    problem = next(one for one in problems if one.field == place)
    assert words in str(problem)
    assert len(problems) <= 2, [str(one) for one in problems]
    tree = etree.fromstring(broken.encode())
    path, _, attribute = place.partition("/@")
    node = tree.getroottree().xpath(path, namespaces={"x": "urn:x"})[0]
    assert line_of(problem) == node.sourceline
    if attribute and node.get(attribute) is not None:
        assert problem.value == node.get(attribute)


def test_there_are_more_than_forty_kinds_of_faults():
    assert len(BROKEN) >= 40


def test_the_frame_of_these_faults_is_valid(schema):
    assert schema.check(DOMAIN) == ()


def test_several_faults_are_told_in_one_go(schema):
    broken = DOMAIN.replace("'virtio'", "'virtoi'", 1).replace("<acpi/>", "<apci/>")
    broken = broken.replace(">262144<", ">many<").replace("<rng model", "<rng colour='red' model")
    fields = [problem.field for problem in schema.check(broken)]
    assert fields == [
        "/domain/memory",
        "/domain/features/apci",
        "/domain/devices/disk/target/@bus",
        "/domain/devices/rng/@colour",
    ]


def test_an_error_carries_all_problems_and_the_exit_code_of_bad_input(schema):
    with pytest.raises(SpecError, match="not valid for libvirt's schema") as caught:
        schema.require(DOMAIN.replace("'virtio'", "'virtoi'", 1))
    assert caught.value.field == "/domain/devices/disk/target/@bus"
    assert caught.value.exit_code == 2
    schema.require(DOMAIN)


def test_secrets_and_long_values_are_not_spread_out(schema):
    broken = DOMAIN.replace("bus='virtio'", f"bus='{'x' * 5000}'")
    assert len(str(schema.check(broken)[0])) < 400


def test_passwords_are_never_in_a_problem(schema):
    for graphics in (
        "<graphics type='vnc' passwd='hunter2' port='many'/>",
        "<graphics type='sdl' passwd='hunter2'/>",
        "<graphics type='vnc' password='hunter2'/>",
        "<graphics type='vnc' passwd='hunter2'><nonsense/></graphics>",
        "<graphics type='desktop' passwd='hunter2' keymap='de'><listen type='none'/></graphics>",
    ):
        text = DOMAIN.replace("<rng model", f"{graphics}<rng model", 1)
        said = "".join(str(one) for one in schema.check(text))
        assert said
        assert "hunter2" not in said


def test_a_document_is_checked_as_it_stands_after_edits(schema):
    domain = DomainXml.parse(DOMAIN)
    assert schema.check(domain.doc) == ()
    domain.uuid = "nonsense"
    assert [one.field for one in schema.check(domain.doc)] == ["/domain/uuid"]
    domain.uuid = None
    disk = domain.add_device("<disk type='file'><target dev='zda'/></disk>")
    problem = schema.check(domain.doc)[0]
    assert problem.field == "/domain/devices/disk[2]/target/@dev"
    lines = domain.text().splitlines()
    assert "dev='zda'" in lines[line_of(problem) - 1]
    assert disk.target == "zda"
    made = DomainXml.new(title="a", type="qemu")
    assert [one.field for one in schema.check(made.doc)] == ["/domain"]
    assert line_of(schema.check(made.doc)[0]) == 1


@pytest.mark.parametrize(
    ("kind", "text", "place", "words"),
    [
        (
            "network",
            "<network><name>n</name><bridge forwardDelay='0'/></network>",
            "/network/bridge/@forwardDelay",
            "did you mean 'delay'",
        ),
        (
            "network",
            "<network><name>n</name><forward mode='natt'/></network>",
            "/network/forward/@mode",
            "did you mean 'nat'",
        ),
        (
            "network",
            "<network><name>n</name><ip address='300.1.1.1' prefix='24'/></network>",
            "/network/ip/@address",
            "must be",
        ),
        ("pool", "<pool type='dri'><name>p</name></pool>", "/pool/@type", "did you mean 'dir'"),
        (
            "pool",
            "<pool type='dir'><name>a/b</name><target><path>/p</path></target></pool>",
            "/pool/name",
            "without '/'",
        ),
        ("volume", "<volume><name>.</name><target/></volume>", "/volume/name", "a file name"),
        ("volume", "<volume><nam>v</nam><target/></volume>", "/volume/nam", "did you mean 'name'"),
        (
            "snapshot",
            "<domainsnapshot><state>runing</state></domainsnapshot>",
            "/domainsnapshot/state",
            "did you mean 'running'",
        ),
        (
            "secret",
            "<secret><usage type='cephx'><name>n</name></usage></secret>",
            "/secret/usage/@type",
            "did you mean 'ceph'",
        ),
        ("nwfilter", "<filter name='f' chian='root'/>", "/filter/@chian", "did you mean 'chain'"),
        ("domain", "<network/>", "/network", "is no such document"),
        ("network", "<domain/>", "/domain", "is no such document"),
    ],
)
def test_other_documents_are_explained_too(kind, text, place, words, schema):
    problems = schema.check(text, kind)
    assert place in [one.field for one in problems]
    assert any(words in str(one) for one in problems)


@pytest.mark.parametrize("kind", KINDS)
def test_every_grammar_can_be_loaded_and_walked(kind, schema):
    problems = schema.check("<nonsense/>", kind)
    assert problems
    assert problems[0].field == "/nonsense"


def test_a_valid_document_of_four_kilobytes_takes_less_than_a_millisecond(schema, data):
    text = (data / "domains" / "02-running-kvm-dump.xml").read_text()
    assert len(text) > 4000
    schema.check(text)
    times = []
    for _ in range(50):
        began = time.perf_counter()
        assert schema.check(text) == ()
        times.append(time.perf_counter() - began)
    assert min(times) < 0.001


def test_an_invalid_document_is_explained_quickly(schema, data):
    text = (data / "domains" / "02-running-kvm-dump.xml").read_text()
    broken = text.replace("bus='virtio'", "bus='virtoi'")
    schema.check(broken)
    began = time.perf_counter()
    assert schema.check(broken)
    assert time.perf_counter() - began < 0.5


def mutate(root, rng, names):
    """Break a document somewhere, or leave it valid."""
    nodes = [node for node in root.iter() if isinstance(node.tag, str)]
    node = rng.choice(nodes)
    what = rng.randrange(7)
    if what == 0 and node is not root:
        node.getparent().remove(node)
    elif what == 1 and node is not root:
        node.tag = rng.choice(names)
    elif what == 2 and node.attrib:
        del node.attrib[rng.choice(list(node.attrib))]
    elif what == 3 and node.attrib:
        node.set(rng.choice(list(node.attrib)), rng.choice(["yes", "1", "", "x y", "-1", "file"]))
    elif what == 4:
        node.set(rng.choice(["type", "dev", "foo"]), rng.choice(["1", "on", "vda"]))
    elif what == 5 and node is not root:
        node.getparent().append(copy.deepcopy(node))
    elif not len(node):
        node.text = rng.choice(["", "1", "no", "words", "/a"])


@pytest.mark.slow(seconds=20)
def test_the_explainer_agrees_with_libxml2_on_a_thousand_mutants(schema, data):
    grammar = schema._grammar("domain")
    rng = random.Random(20)
    valid = []
    for path in sorted((data / "domains").glob("*.xml")):
        doc = XmlDoc.parse(path.read_bytes())
        if grammar.accepts(doc.root):
            valid.append(etree.tostring(doc.root))
    names = sorted(
        {
            node.tag
            for text in valid
            for node in etree.fromstring(text).iter()
            if isinstance(node.tag, str)
        }
    )
    differ = invalid = 0
    for _ in range(1000):
        root = etree.fromstring(rng.choice(valid))
        mutate(root, rng, names)
        root = etree.fromstring(etree.tostring(root))
        accepted = grammar.accepts(root)
        invalid += not accepted
        problems = grammar.explainer.explain(root)
        differ += accepted != (problems == ())
        assert all(problem.field and line_of(problem) > 0 for problem in problems)
    assert invalid > 300
    # libxml2 wants the parts of a nested interleave side by side; RELAX NG does not.
    assert differ <= 3


ORDERS = [
    (
        (
            "<domain type='xen' id='1'><uuid>4a4c59a7ee3fc78196e4288f2862f011</uuid>"
            "<bootloader>/b</bootloader><name>a</name></domain>"
        ),
        "/domain",
        "name, uuid, bootloader",
    ),
    (
        (
            "<domain type='kvm'><name>a</name><devices><hostdev mode='subsystem' type='pci'>"
            "<source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source>"
            "<boot order='1'/><driver name='vfio'/></hostdev></devices></domain>"
        ),
        "/domain/devices/hostdev",
        "driver, source, boot",
    ),
]


@pytest.mark.parametrize(("text", "place", "order"), ORDERS, ids=["ids", "hostdev"])
def test_an_order_that_only_libxml2_refuses_is_named_with_that_of_libvirt(
    text, place, order, schema
):
    problems = schema.check(text)
    assert [one.field for one in problems] == [place]
    assert "another order" in problems[0].why
    assert problems[0].hint == order
    assert line_of(problems[0]) == 1


def test_very_deep_metadata_are_walked_without_harm(schema):
    deep = "<a>" * 200 + "</a>" * 200
    text = DOMAIN.replace("<vcpu", f"<metadata><x:y xmlns:x='urn:x'>{deep}</x:y></metadata><vcpu")
    assert schema.check(text) == ()
    assert [one.field for one in schema.check(text.replace("'virtio'", "'virtoi'", 1))] == [
        "/domain/devices/disk/target/@bus"
    ]


def test_an_unknown_kind_is_refused_with_the_nearest(schema):
    with pytest.raises(SpecError, match="did you mean 'network'"):
        schema.check(DOMAIN, "netwrok")


def test_text_that_is_no_xml_is_refused(schema):
    with pytest.raises(SpecError, match="cannot be read"):
        schema.check("<domain>")


def test_a_folder_without_schemas_is_refused(tmp_path):
    with pytest.raises(SpecError, match="schemas are not there"):
        Schema.load(tmp_path)


def test_a_folder_with_a_torn_schema_is_refused(tmp_path):
    (tmp_path / "domain.rng").write_text("<grammar")
    with pytest.raises(SpecError, match="cannot be read"):
        Schema.load(tmp_path).check(DOMAIN)


def test_schemas_of_the_same_folder_are_loaded_once(schema):
    assert Schema.load() is schema
