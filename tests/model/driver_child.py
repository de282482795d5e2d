"""Defines documents with libvirt's test driver; one JSON line in, one out."""

from __future__ import annotations

import json
import sys

import libvirt
from lxml import etree


def for_test_driver(xml):
    """The test driver runs domains of type test on i686 only; all else stays as it is."""
    root = etree.fromstring(xml.encode())
    root.set("type", "test")
    kind = root.find("os/type")
    kind.set("arch", "i686")
    kind.attrib.pop("machine", None)
    return etree.tostring(root, encoding="unicode")


def define(connection, kind, xml):
    if kind == "domain":
        text = for_test_driver(xml)
        domain = connection.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        memory_kib = domain.maxMemory()
        domain.undefine()
        return memory_kib
    if kind == "network":
        connection.networkDefineXMLFlags(xml, libvirt.VIR_NETWORK_DEFINE_VALIDATE).undefine()
    elif kind == "pool":
        connection.storagePoolDefineXML(xml, 0).undefine()
    elif kind == "volume":
        pool = connection.storagePoolLookupByName("default-pool")
        pool.createXML(xml, 0).delete(0)
    return 0


def main():
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection = libvirt.open("test:///default")
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            memory_kib, error = define(connection, asked["kind"], asked["xml"]), ""
        except libvirt.libvirtError as failure:
            memory_kib, error = 0, str(failure)
        print(json.dumps({"error": error, "memory_kib": memory_kib}), flush=True)
    connection.close()


if __name__ == "__main__":
    main()
