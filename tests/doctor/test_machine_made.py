"""The tests' own machines: made of a folder and canned answers."""

from __future__ import annotations

import pytest

from labvirt.errors import NotFoundError


def test_a_machine_of_a_folder_answers_like_a_real_one(machine):
    made = machine(
        {"/proc/sys/net/ipv4/ip_forward": "1\n", "/etc/hosts": "x\n", "/sys/class/net/br0": None},
        {"ss -lnt": "LISTEN 0", "getenforce": (1, "", "no")},
    )
    assert made.sysctl("net.ipv4.ip_forward") == "1"
    assert made.read("/etc/hosts") == "x\n"
    assert made.read("/etc/absent") is None
    assert made.listdir("/sys/class/net") == ["br0"]
    assert made.listdir("/sys/absent") == []
    assert made.exists("/etc/hosts")
    assert not made.exists("/etc/absent")
    assert made.run("ss", "-lnt", "-p").out == "LISTEN 0"
    assert not made.run("getenforce")
    assert made.has("ss")
    assert not made.has("nft")
    with pytest.raises(NotFoundError, match="nft"):
        made.run("nft", "list")
