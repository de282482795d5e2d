"""Typed views of the devices that carry characters: serial, parallel, console, channel."""

from __future__ import annotations

from typing import Final

from labvirt.model.xml.devices import BusDeviceXml
from labvirt.model.xml.table import Choice, Int, OnOff, Text

__all__ = ["ChannelXml", "CharXml", "ConsoleXml", "ParallelXml", "SerialXml"]

_TYPES: Final = (
    "pty file unix tcp udp dev null vc pipe stdio spicevmc spiceport nmdm dbus qemu-vdagent"
)


class CharXml(BusDeviceXml):
    """What all character devices have."""

    type = Choice("@type", "what stands at the host's end", values=_TYPES)
    source_path = Text("source/@path", "file, device, socket or pty on the host")
    source_append = OnOff("source/@append", "keep what the file holds, type file")
    source_mode = Choice(
        "source/@mode", "who listens, types unix, tcp and udp", values="bind connect"
    )
    source_host = Text("source/@host", "address, types tcp and udp")
    source_service = Text("source/@service", "port, types tcp and udp")
    protocol = Choice("protocol/@type", "what tcp carries", values="raw telnet telnets tls")
    log_file = Text("log/@file", "transcript of all output")
    log_append = OnOff("log/@append", "keep what the transcript holds")


class PortXml(CharXml):
    """What ports and consoles have besides."""

    tty = Text("@tty", "the pty of a running domain, older form")


class SerialXml(PortXml):
    """A serial port."""

    TAG = "serial"

    target_type = Text("target/@type", "isa-serial, pci-serial, usb-serial ...")
    target_port = Int("target/@port", "number of the port, from 0", keep=True)
    target_model = Text("target/model/@name", "model of the port")


class ParallelXml(PortXml):
    """A parallel port."""

    TAG = "parallel"

    target_port = Int("target/@port", "number of the port, from 0", keep=True)


class ConsoleXml(PortXml):
    """The primary console; on a PC a name of the first serial port."""

    TAG = "console"

    target_type = Choice(
        "target/@type", "kind of console", values="serial virtio xen lxc uml openvz sclp sclplm"
    )
    target_port = Int("target/@port", "number, from 0", keep=True)


class ChannelXml(CharXml):
    """A private channel between host and guest, e.g. that of the guest agent."""

    TAG = "channel"

    target_type = Choice("target/@type", "kind", values="virtio guestfwd xen")
    target_name = Text("target/@name", "name in the guest, e.g. org.qemu.guest_agent.0")
    target_state = Choice("target/@state", "of a running domain", values="connected disconnected")
