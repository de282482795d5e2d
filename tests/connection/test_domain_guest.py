"""Reaching into a guest: screen, keys, addresses, agent; what works and what is refused clearly."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import libvirt
import libvirt_qemu
import pytest

from labvirt.connection import domain
from labvirt.connection.keycodes import CODESETS, KEYCODES
from labvirt.errors import ConflictError, HostError, SpecError

CHANNEL = (
    "<channel type='unix'><source mode='bind'/>"
    "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
)


@pytest.mark.lab
def test_a_screenshot_is_a_picture_that_shows_itself_in_a_cell(conn, paused):
    taken = domain.screenshot(conn, paused)
    assert taken.mime == "image/png"
    assert taken.data.startswith(b"\x89PNG")
    bundle = taken._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == taken.data
    assert "data" not in repr(taken)


@pytest.mark.lab
def test_a_screenshot_of_what_is_off_or_has_no_such_screen_is_refused(conn, paused):
    with pytest.raises(HostError):
        domain.screenshot(conn, paused, screen=7)
    domain.destroy(conn, paused)
    with pytest.raises(ConflictError, match="start it first"):
        domain.screenshot(conn, paused)


@pytest.mark.lab
def test_keys_are_pressed(conn, paused):
    domain.resume(conn, paused)
    keys = [KEYCODES[name] for name in ("KEY_LEFTCTRL", "KEY_LEFTALT", "KEY_DELETE")]
    domain.send_key(conn, paused, "linux", keys, 50)
    domain.send_key(conn, paused, codeset="usb", keys=[0x28], hold_ms=0)


@pytest.mark.lab
def test_keys_that_cannot_be_pressed_are_refused(conn, paused):
    with pytest.raises(SpecError, match="linux, xt"):
        domain.send_key(conn, paused, "morse", [1])
    for keys in ([], [1] * 17):
        with pytest.raises(SpecError, match="1 to 16"):
            domain.send_key(conn, paused, "linux", keys)


def test_key_codes_are_those_of_the_kernel():
    """A few known by heart, and all of them against the kernel's own header where it is."""
    assert KEYCODES["KEY_ESC"] == 1
    assert KEYCODES["KEY_ENTER"] == 28
    assert KEYCODES["KEY_LEFTCTRL"] == 29
    assert KEYCODES["KEY_SYSRQ"] == 99
    assert KEYCODES["KEY_DELETE"] == 111
    assert KEYCODES["KEY_F12"] == 88
    assert KEYCODES["KEY_F24"] == 194


def test_key_codes_agree_with_the_kernels_header():
    header = Path("/usr/include/linux/input-event-codes.h")
    try:
        with header.open() as text:
            defined = {
                words[1]: words[2]
                for line in text
                if len(words := line.split()) > 2 and words[0] == "#define"
            }
    except FileNotFoundError:
        pytest.skip("not on this machine: linux-libc-dev (input-event-codes.h)")
    assert {name: int(defined[name], 0) for name in KEYCODES} == KEYCODES


def test_code_sets_are_libvirts():
    assert CODESETS["linux"] == libvirt.VIR_KEYCODE_SET_LINUX
    assert CODESETS["xt-kbd"] == libvirt.VIR_KEYCODE_SET_XT_KBD
    assert len(set(CODESETS.values())) == len(CODESETS)


@pytest.mark.lab
def test_addresses_without_network_or_agent_are_empty_or_refused(conn, paused, domain_xml):
    assert domain.interface_addresses(conn, paused) == ()
    with pytest.raises(HostError):
        domain.interface_addresses(conn, paused, source="agent")
    domain.destroy(conn, paused)
    with pytest.raises(ConflictError):
        domain.interface_addresses(conn, paused)


@pytest.mark.lab
def test_the_name_of_a_guest_that_tells_none(conn, paused):
    with pytest.raises(HostError):
        domain.guest_hostname(conn, paused)
    with pytest.raises(SpecError, match="lease or agent"):
        domain.guest_hostname(conn, paused, source="guess")


@pytest.mark.lab
def test_an_agent_that_is_not_there_says_what_to_do(conn, paused, domain_xml):
    with pytest.raises(HostError):
        domain.agent(conn, paused, {"execute": "guest-ping"})
    uuid = domain.create(conn, domain_xml("web1", CHANNEL))
    with pytest.raises(ConflictError, match="qemu-guest-agent"):
        domain.agent(conn, uuid, {"execute": "guest-ping"})


@pytest.mark.lab
def test_what_an_agent_answers_is_given_back_whole(conn, paused, monkeypatch):
    """A real agent needs a guest with a system: `tests/lab`. Here only its words are stood in."""
    asked = []

    def answer(_handle, text, timeout_s, flags):
        asked.append((json.loads(text), timeout_s, flags))
        return '{"return": {"host-name": "inside"}}'

    monkeypatch.setattr(libvirt_qemu, "qemuAgentCommand", answer)
    command = {"execute": "guest-get-host-name"}
    assert domain.agent(conn, paused, command, 7.4) == {"return": {"host-name": "inside"}}
    assert asked == [(command, 7, 0)]


@pytest.mark.lab
def test_an_agent_that_babbles_is_a_host_error(conn, paused, monkeypatch):
    monkeypatch.setattr(libvirt_qemu, "qemuAgentCommand", lambda *_: "<html>")
    with pytest.raises(HostError, match="no JSON"):
        domain.agent(conn, paused, {"execute": "guest-ping"})


@pytest.mark.lab
def test_addresses_of_either_family_are_records(conn, paused, monkeypatch):
    told = {
        "eth0": {
            "hwaddr": "52:54:00:AA:00:01",
            "addrs": [
                {"addr": "10.0.2.15", "prefix": 24, "type": libvirt.VIR_IP_ADDR_TYPE_IPV4},
                {"addr": "fe80::1", "prefix": 64, "type": libvirt.VIR_IP_ADDR_TYPE_IPV6},
            ],
        },
        "lo": {"hwaddr": None, "addrs": None},
    }
    monkeypatch.setattr(libvirt.virDomain, "interfaceAddresses", lambda *_: told)
    four, six = domain.interface_addresses(conn, paused, source="agent")
    assert (four.interface, four.mac, four.family) == ("eth0", "52:54:00:aa:00:01", "ipv4")
    assert (four.address, four.prefix, four.source) == ("10.0.2.15", 24, "agent")
    assert (six.family, six.address) == ("ipv6", "fe80::1")
