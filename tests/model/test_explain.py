"""Explanations of broken documents of all kinds, and of every sample broken everywhere."""

from __future__ import annotations

import pytest
from lxml import etree

from labvirt.model.xml import XmlDoc

NETWORK = """<network>
  <name>n</name>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='52:54:00:00:00:01'/>
  <domain name='lab.example' localOnly='yes'/>
  <dns enable='yes'>
    <host ip='10.0.0.9'>
      <hostname>a</hostname>
    </host>
  </dns>
  <ip address='10.0.0.1' prefix='24'>
    <dhcp>
      <range start='10.0.0.2' end='10.0.0.9'/>
      <host mac='52:54:00:00:00:02' name='b' ip='10.0.0.3'/>
    </dhcp>
  </ip>
</network>
"""
POOL = """<pool type='netfs'>
  <name>p</name>
  <source>
    <host name='server'/>
    <dir path='/export'/>
    <format type='nfs'/>
  </source>
  <target>
    <path>/p</path>
    <permissions>
      <mode>0711</mode>
      <owner>0</owner>
      <group>0</group>
    </permissions>
  </target>
</pool>
"""
VOLUME = """<volume type='file'>
  <name>v.qcow2</name>
  <capacity unit='GiB'>1</capacity>
  <target>
    <format type='qcow2'/>
    <permissions>
      <mode>0644</mode>
    </permissions>
    <compat>1.1</compat>
  </target>
  <backingStore>
    <path>/b.raw</path>
    <format type='raw'/>
  </backingStore>
</volume>
"""
SNAPSHOT = """<domainsnapshot>
  <name>s</name>
  <description>d</description>
  <memory snapshot='external' file='/m'/>
  <disks>
    <disk name='vda' snapshot='external'>
      <source file='/new'/>
    </disk>
  </disks>
</domainsnapshot>
"""
SECRET = """<secret ephemeral='no' private='yes'>
  <description>d</description>
  <usage type='volume'>
    <volume>/a.qcow2</volume>
  </usage>
</secret>
"""
FRAMES = {
    "network": NETWORK,
    "pool": POOL,
    "volume": VOLUME,
    "snapshot": SNAPSHOT,
    "secret": SECRET,
}

BROKEN = [
    ("network", "mode='nat'", "mode='natt'", "/network/forward/@mode", "did you mean 'nat'"),
    ("network", "<bridge name", "<bridge nam", "/network/bridge/@nam", "did you mean 'name'"),
    ("network", "stp='on'", "stp='yes'", "/network/bridge/@stp", "allowed: on, off"),
    ("network", "delay='0'", "delay='soon'", "/network/bridge/@delay", "a whole number"),
    (
        "network",
        "delay='0'",
        "forwardDelay='0'",
        "/network/bridge/@forwardDelay",
        "did you mean 'delay'",
    ),
    ("network", "<name>n</name>", "", "/network", "<name> is missing"),
    ("network", "52:54:00:00:00:01", "01:00:5e:00:00:01", "/network/mac/@address", "unicast MAC"),
    ("network", "52:54:00:00:00:02", "52:54", "/network/ip/dhcp/host/@mac", "unicast MAC"),
    (
        "network",
        "address='10.0.0.1'",
        "address='10.0.0'",
        "/network/ip/@address",
        "an IPv4 address",
    ),
    (
        "network",
        "start='10.0.0.2'",
        "begin='10.0.0.2'",
        "/network/ip/dhcp/range/@begin",
        "allowed: end, start",
    ),
    ("network", "prefix='24'", "prefix='240'", "/network/ip/@prefix", ""),
    (
        "network",
        "<dhcp>",
        "<dhcp><range start='10.0.0.5'/>",
        "/network/ip/dhcp/range[1]/@end",
        "'end' is missing",
    ),
    ("network", "enable='yes'", "enable='1'", "/network/dns/@enable", "allowed: yes, no"),
    ("network", "<hostname>a</hostname>", "", "/network/dns/host", "<hostname> is missing"),
    ("network", "localOnly", "localonly", "/network/domain/@localonly", "did you mean 'localOnly'"),
    ("network", "name='lab.example'", "name='lab example'", "/network/domain/@name", "a DNS name"),
    (
        "network",
        "<ip address",
        "<range start='1'/><ip address",
        "/network/range",
        "belongs in <dhcp>",
    ),
    ("network", "end='65535'", "end='70000'", "/network/forward/nat/port/@end", "to 65535"),
    ("pool", "type='netfs'", "type='nfs'", "/pool/@type", "did you mean 'fs'"),
    ("pool", "<host name='server'/>", "", "/pool/source", "<host> is missing"),
    ("pool", "<path>/p</path>", "<path>p</path>", "/pool/target/path", "an absolute path"),
    (
        "pool",
        "<mode>0711</mode>",
        "<mode>rwx</mode>",
        "/pool/target/permissions/mode",
        "access rights in octal",
    ),
    ("pool", "type='nfs'", "type='ext4'", "/pool/source/format/@type", "nfs"),
    ("pool", "<name>p</name>", "<name>a/b</name>", "/pool/name", "a name without '/'"),
    (
        "pool",
        "<owner>0</owner>",
        "<owner>root</owner>",
        "/pool/target/permissions/owner",
        "a whole number",
    ),
    (
        "volume",
        "type='qcow2'",
        "type='qcow22'",
        "/volume/target/format/@type",
        "did you mean 'qcow2'",
    ),
    ("volume", "unit='GiB'", "unit='Gigs'", "/volume/capacity/@unit", "a unit: bytes"),
    ("volume", ">1<", ">one<", "/volume/capacity", "a whole number"),
    (
        "volume",
        "<compat>1.1</compat>",
        "<compat>new</compat>",
        "/volume/target/compat",
        "text of the form",
    ),
    ("volume", "v.qcow2", "..", "/volume/name", "a file name"),
    ("volume", "<path>/b.raw</path>", "", "/volume/backingStore", "<path> is missing"),
    ("volume", "type='file'", "type='files'", "/volume/@type", "did you mean 'file'"),
    ("snapshot", "name='vda'", "name='zda'", "/domainsnapshot/disks/disk/@name", "a disk name"),
    (
        "snapshot",
        "snapshot='external' file",
        "snapshot='outside' file",
        "/domainsnapshot/memory/@snapshot",
        "external",
    ),
    ("snapshot", "<disks>", "<discs/><disks>", "/domainsnapshot/discs", "did you mean 'disks'"),
    ("secret", "private='yes'", "private='true'", "/secret/@private", "allowed: yes, no"),
    ("secret", "type='volume'", "type='volumes'", "/secret/usage/@type", "did you mean 'volume'"),
    ("secret", "<volume>/a.qcow2</volume>", "", "/secret/usage", "<volume> is missing"),
]


@pytest.mark.parametrize("kind", FRAMES)
def test_the_frames_are_valid(kind, schema):
    assert schema.check(FRAMES[kind], kind) == ()


@pytest.mark.parametrize(
    ("kind", "old", "new", "place", "words"),
    BROKEN,
    ids=[f"{n}-{row[0]}" for n, row in enumerate(BROKEN)],
)
def test_faults_of_networks_pools_volumes_snapshots_and_secrets_are_named(
    kind, old, new, place, words, *, schema
):
    assert old in FRAMES[kind]
    problems = schema.check(FRAMES[kind].replace(old, new, 1), kind)
    found = [one for one in problems if one.field == place]
    assert found, [str(one) for one in problems]
    assert words in str(found[0])
    assert len(problems) <= 2


def breakable(root):
    return [node for node in root.iter() if isinstance(node.tag, str) and not in_metadata(node)]


def in_metadata(node):
    """Below <metadata> everything is allowed."""
    return any(one.tag == "metadata" for one in node.iterancestors())


def test_an_element_with_a_nonsense_name_is_found_wherever_it_stands(sample, schema):
    """Every element of every sample is renamed in turn."""
    doc = XmlDoc.parse(sample)
    if schema.check(doc):
        return
    for node in breakable(doc.root)[1:]:
        tag = node.tag
        node.tag = "nonsense"
        path = doc.root.getroottree().getpath(node)
        problems = schema.check(doc)
        assert path in {one.field for one in problems}, path
        node.tag = tag
    assert schema.check(doc) == ()


def test_an_attribute_with_a_nonsense_name_is_found_wherever_it_stands(sample, schema):
    """Every element of every sample gets an attribute that it has not."""
    doc = XmlDoc.parse(sample)
    if schema.check(doc):
        return
    for node in breakable(doc.root):
        node.set("nonsense", "1")
        path = doc.root.getroottree().getpath(node)
        problems = schema.check(doc)
        assert f"{path}/@nonsense" in {one.field for one in problems}, path
        del node.attrib["nonsense"]
    assert schema.check(doc) == ()


def test_a_value_out_of_its_list_is_found_wherever_it_stands(sample, schema):
    """Every attribute of every sample is set to nonsense; where that is not allowed, it is named."""
    doc = XmlDoc.parse(sample)
    if schema.check(doc):
        return
    grammar = schema._grammar("domain")
    named = 0
    for node in breakable(doc.root):
        for key, value in node.attrib.items():
            node.set(key, "\u2603 \n nonsense")
            if not grammar.accepts(doc.root):
                path = doc.root.getroottree().getpath(node)
                fields = {one.field for one in grammar.explainer.explain(doc.root)}
                local = etree.QName(key).localname
                assert any(field.startswith(path) for field in fields), (path, local, fields)
                named += 1
            node.set(key, value)
    assert named >= 1
    assert schema.check(doc) == ()


def test_a_missing_element_is_found_wherever_it_is_required(sample, schema):
    """Every element of every sample is left out in turn."""
    doc = XmlDoc.parse(sample)
    if schema.check(doc):
        return
    grammar = schema._grammar("domain")
    for node in breakable(doc.root)[1:]:
        parent = node.getparent()
        place, tail = parent.index(node), node.tail
        parent.remove(node)
        if not grammar.accepts(doc.root):
            path = doc.root.getroottree().getpath(parent)
            fields = [one.field for one in grammar.explainer.explain(doc.root)]
            assert any(field.startswith(path) for field in fields), (path, node.tag, fields)
        parent.insert(place, node)
        node.tail = tail
    assert doc.text() == sample
