"""Typed views of what shows pictures: graphics (the host's end) and video (the guest's card)."""

from __future__ import annotations

from labvirt.model.xml.devices import BusDeviceXml, DeviceXml
from labvirt.model.xml.table import Choice, Int, Text, YesNo

__all__ = ["GraphicsXml", "VideoXml"]


class GraphicsXml(DeviceXml):
    """A graphical console that the host serves."""

    TAG = "graphics"

    type = Choice("@type", "protocol", values="vnc spice sdl rdp desktop egl-headless dbus")
    port = Int("@port", "TCP port; -1 lets libvirt choose")
    tls_port = Int("@tlsPort", "TLS port of SPICE; -1 lets libvirt choose")
    autoport = YesNo("@autoport", "libvirt chooses the port")
    websocket = Int("@websocket", "websocket port of VNC; -1 lets libvirt choose")
    listen = Text("@listen", "address of the host to listen on, older form")
    listen_type = Choice("listen/@type", "where it listens", values="address network socket none")
    listen_address = Text("listen/@address", "address of the host to listen on", keep=True)
    listen_network = Text("listen/@network", "libvirt network to listen on", keep=True)
    listen_socket = Text("listen/@socket", "path of a UNIX socket to listen on", keep=True)
    socket = Text("@socket", "path of a UNIX socket, older form")
    password = Text("@passwd", "password, in the clear; VNC counts 8 characters")
    password_until = Text("@passwdValidTo", "when the password ends: 2027-01-31T18:00:00, UTC")
    connected = Choice(
        "@connected", "what a new password does to who is there", values="fail disconnect keep"
    )
    keymap = Text("@keymap", "keyboard layout: en-us, de, ru ...")


class VideoXml(BusDeviceXml):
    """A graphics card."""

    TAG = "video"

    model = Choice(
        "model/@type", "kind", values="vga cirrus vmvga xen vbox virtio gop none bochs ramfb qxl"
    )
    vram_kib = Int("model/@vram", "video memory in KiB")
    heads = Int("model/@heads", "number of screens")
    primary = YesNo("model/@primary", "the card the firmware uses")
    accel3d = YesNo("model/acceleration/@accel3d", "3D acceleration")
