"""The order of elements is that of libvirt: each one exists in its schemas."""

from __future__ import annotations

import pytest

from labvirt.model.grammar.patterns import elements_in
from labvirt.model.xml.order import ORDER

# In which grammar the parent is looked for.
GRAMMARS = {
    "network": "network",
    "ip": "network",
    "dhcp": "network",
    "forward": "network",
    "nat": "network",
    "dns": "network",
    "portgroup": "network",
    "pool": "pool",
    "volume": "volume",
}
# Written by libvirt newer than the oldest whose schema is installed, or one name for two parents.
NEWER = {
    "domain": {"hwuuid"},
    "features": {"ccf-assist", "ras", "ps2", "async-teardown", "privnet", "hap"},
    "devices": {"crypto", "nvram"},
    "interface": {"acpi"},
    "network": {"title", "description"},
    "target": {"model"},
    "graphics": set(),
}


def children_in(schema, kind):
    """Return parent -> names of children, from the whole grammar."""
    grammar = schema._grammar(kind)
    explainer = grammar.explainer
    found = {}
    waiting, seen = list(elements_in(explainer._start)), set()
    while waiting:
        pattern = waiting.pop()
        if id(pattern) in seen:
            continue
        seen.add(id(pattern))
        inner = list(elements_in(pattern.content))
        found.setdefault(pattern.name, set()).update(one.name for one in inner)
        waiting += inner
    return found


@pytest.mark.parametrize(
    "parent", [name for name in ORDER if name not in {"target", "permissions"}]
)
def test_each_element_of_the_order_exists_in_libvirts_schema(parent, schema):
    known = children_in(schema, GRAMMARS.get(parent, "domain"))[parent]
    unknown = set(ORDER[parent]) - known - NEWER.get(parent, set())
    assert unknown == set()


@pytest.mark.parametrize("parent", ["domain", "os", "devices", "disk", "clock", "pm"])
def test_the_order_leaves_out_no_element_of_the_schema(parent, schema):
    known = {name for name in children_in(schema, "domain")[parent] if name and "{" not in name}
    known.discard("privateData")  # libvirt's own, never in what users see
    assert known - set(ORDER[parent]) == set()


def test_samples_of_libvirts_own_output_are_in_this_order(data):
    from lxml import etree

    for name in ("02-running-kvm-dump", "07-secure-boot-tpm", "08-numa-hugepages", "20-aarch64"):
        root = etree.parse(data / "domains" / f"{name}.xml").getroot()
        for parent in root.iter(etree.Element):
            order = ORDER.get(parent.tag, ())
            ranks = [order.index(one.tag) for one in parent if one.tag in order]
            assert ranks == sorted(ranks), f"{name}: {parent.tag}"
