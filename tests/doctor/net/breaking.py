"""Looking at single checks, and definitions that are there for a while."""

from __future__ import annotations

import contextlib
import subprocess

import labvirt as lv

CARD = "52:54:00:00:0d:01"
SPARE = "52:54:00:00:0d:09"


def look(host, key, about=None):
    """Return the only answer of a check about one thing."""
    found = lv.doctor.examine(host, checks=(key,)).of(key)
    mine = [one for one in found if about is None or one.id == f"{key}:{about}"]
    assert len(mine) == 1, [str(one) for one in found]
    return mine[0]


def virsh(host, *words, text=None):
    subprocess.run(["virsh", "-c", host.uri, *words], input=text, check=True, text=True,
                   capture_output=True, timeout=30)  # fmt: skip


@contextlib.contextmanager
def defined(host, xml, kind="domain"):
    """Store a definition as virsh does, whatever labvirt thinks of it, for a while."""
    words = {"domain": ("define", "undefine"), "network": ("net-define", "net-undefine")}[kind]
    name = xml.partition("<name>")[2].partition("</name>")[0]
    virsh(host, words[0], "/dev/stdin", text=xml)
    try:
        yield name
    finally:
        virsh(host, words[1], name)


def off_domain(name, nic):
    return (f"<domain type='qemu'><name>{name}</name><memory>32768</memory>"
            f"<os><type>hvm</type></os><devices>{nic}</devices></domain>")  # fmt: skip
