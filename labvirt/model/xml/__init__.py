"""Libvirt's XML, one line per fact, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.model.xml.capabilities import Capabilities, DomainCapabilities
    from labvirt.model.xml.chardev import ChannelXml, CharXml, ConsoleXml, ParallelXml, SerialXml
    from labvirt.model.xml.devices import (
        ControllerXml,
        DeviceXml,
        DiskXml,
        FilesystemXml,
        HostdevXml,
        InputXml,
        InterfaceXml,
        MemballoonXml,
        MemoryDeviceXml,
        PanicXml,
        RngXml,
        SoundXml,
        TpmXml,
        WatchdogXml,
    )
    from labvirt.model.xml.display import GraphicsXml, VideoXml
    from labvirt.model.xml.domain import DomainXml
    from labvirt.model.xml.machine import CpuFeatureXml, FirmwareFeatureXml, SeclabelXml, TimerXml
    from labvirt.model.xml.network import NetworkXml
    from labvirt.model.xml.pool import PoolXml
    from labvirt.model.xml.text import XmlDoc
    from labvirt.model.xml.view import View
    from labvirt.model.xml.volume import VolumeXml

__all__ = [
    "Capabilities",
    "ChannelXml",
    "CharXml",
    "ConsoleXml",
    "ControllerXml",
    "CpuFeatureXml",
    "DeviceXml",
    "DiskXml",
    "DomainCapabilities",
    "DomainXml",
    "FilesystemXml",
    "FirmwareFeatureXml",
    "GraphicsXml",
    "HostdevXml",
    "InputXml",
    "InterfaceXml",
    "MemballoonXml",
    "MemoryDeviceXml",
    "NetworkXml",
    "PanicXml",
    "ParallelXml",
    "PoolXml",
    "RngXml",
    "SeclabelXml",
    "SerialXml",
    "SoundXml",
    "TimerXml",
    "TpmXml",
    "VideoXml",
    "View",
    "VolumeXml",
    "WatchdogXml",
    "XmlDoc",
]

_HOMES = {
    "labvirt.model.xml.capabilities": (
        "Capabilities",
        "DomainCapabilities",
    ),
    "labvirt.model.xml.chardev": (
        "ChannelXml",
        "CharXml",
        "ConsoleXml",
        "ParallelXml",
        "SerialXml",
    ),
    "labvirt.model.xml.devices": (
        "ControllerXml",
        "DeviceXml",
        "DiskXml",
        "FilesystemXml",
        "HostdevXml",
        "InputXml",
        "InterfaceXml",
        "MemballoonXml",
        "MemoryDeviceXml",
        "PanicXml",
        "RngXml",
        "SoundXml",
        "TpmXml",
        "WatchdogXml",
    ),
    "labvirt.model.xml.display": (
        "GraphicsXml",
        "VideoXml",
    ),
    "labvirt.model.xml.domain": ("DomainXml",),
    "labvirt.model.xml.machine": (
        "CpuFeatureXml",
        "FirmwareFeatureXml",
        "SeclabelXml",
        "TimerXml",
    ),
    "labvirt.model.xml.network": ("NetworkXml",),
    "labvirt.model.xml.pool": ("PoolXml",),
    "labvirt.model.xml.text": ("XmlDoc",),
    "labvirt.model.xml.view": ("View",),
    "labvirt.model.xml.volume": ("VolumeXml",),
}

__getattr__, __dir__ = lazily(__name__, _HOMES)
