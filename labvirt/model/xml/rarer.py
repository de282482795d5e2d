"""Typed views of rarer devices: USB redirection and smart card readers."""

from __future__ import annotations

from labvirt.model.xml.devices import BusDeviceXml, DeviceXml
from labvirt.model.xml.table import Choice, Int

__all__ = ["RedirdevXml", "SmartcardXml"]


class RedirdevXml(BusDeviceXml):
    """A USB port into which a viewer plugs a device of its own machine."""

    TAG = "redirdev"

    bus = Choice("@bus", "bus", values="usb")
    type = Choice("@type", "what carries it", values="spicevmc tcp")
    boot_order = Int("boot/@order", "place in the boot order, from 1")


class SmartcardXml(DeviceXml):
    """A smart card reader."""

    TAG = "smartcard"

    mode = Choice("@mode", "whose card", values="passthrough host host-certificates")
    type = Choice("@type", "what carries it, mode passthrough", values="spicevmc tcp unix pty")
