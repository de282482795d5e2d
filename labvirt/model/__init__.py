"""What is asked for: specs, and libvirt's XML as a table. Pure: no libvirt, no threads, no clock.

Names are looked up when they are first used, so that a part can be had without the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.model.backup import BackupDiskSpec, BackupSpec
    from labvirt.model.checkpoint import CheckpointSpec
    from labvirt.model.clock import ClockSpec, TimerSpec
    from labvirt.model.cpu import CpuFeature, CpuSpec, CpuTopology
    from labvirt.model.disk import BlockSource, DiskSpec, FileSource, NewVolume, VolumeSource
    from labvirt.model.domain import DomainSpec, NewDiskVolume
    from labvirt.model.features import FeaturesSpec, WatchdogSpec
    from labvirt.model.graphics import GraphicsSpec, VideoSpec
    from labvirt.model.ident import new_mac, new_uuid, normal_mac, normal_uuid
    from labvirt.model.interface import InterfaceSpec
    from labvirt.model.names import check_name, suggest_name
    from labvirt.model.network import DhcpHost, NetworkIp, NetworkSpec
    from labvirt.model.pool import PoolSpec
    from labvirt.model.redact import redact_xml
    from labvirt.model.schema import Schema
    from labvirt.model.serial import SerialSpec
    from labvirt.model.snapshot import SnapshotDiskSpec, SnapshotSpec
    from labvirt.model.source import (
        ImportImage,
        IsoInstall,
        KernelBoot,
        Media,
        NetworkBoot,
        Source,
        TinyGuest,
        parse_source,
    )
    from labvirt.model.spec import Spec
    from labvirt.model.units import Size
    from labvirt.model.uri import Uri
    from labvirt.model.virtinstall import virt_install_line
    from labvirt.model.volume import VolumeSpec
    from labvirt.model.xml import (
        Capabilities,
        DiskXml,
        DomainCapabilities,
        DomainXml,
        InterfaceXml,
        NetworkXml,
        PoolXml,
        VolumeXml,
        XmlDoc,
    )

__all__ = [
    "BackupDiskSpec",
    "BackupSpec",
    "BlockSource",
    "Capabilities",
    "CheckpointSpec",
    "ClockSpec",
    "CpuFeature",
    "CpuSpec",
    "CpuTopology",
    "DhcpHost",
    "DiskSpec",
    "DiskXml",
    "DomainCapabilities",
    "DomainSpec",
    "DomainXml",
    "FeaturesSpec",
    "FileSource",
    "GraphicsSpec",
    "ImportImage",
    "InterfaceSpec",
    "InterfaceXml",
    "IsoInstall",
    "KernelBoot",
    "Media",
    "NetworkBoot",
    "NetworkIp",
    "NetworkSpec",
    "NetworkXml",
    "NewDiskVolume",
    "NewVolume",
    "PoolSpec",
    "PoolXml",
    "Schema",
    "SerialSpec",
    "Size",
    "SnapshotDiskSpec",
    "SnapshotSpec",
    "Source",
    "Spec",
    "TimerSpec",
    "TinyGuest",
    "Uri",
    "VideoSpec",
    "VolumeSource",
    "VolumeSpec",
    "VolumeXml",
    "WatchdogSpec",
    "XmlDoc",
    "check_name",
    "new_mac",
    "new_uuid",
    "normal_mac",
    "normal_uuid",
    "parse_source",
    "redact_xml",
    "suggest_name",
    "virt_install_line",
]

_HOMES = {
    "labvirt.model.backup": (
        "BackupDiskSpec",
        "BackupSpec",
    ),
    "labvirt.model.checkpoint": ("CheckpointSpec",),
    "labvirt.model.clock": (
        "ClockSpec",
        "TimerSpec",
    ),
    "labvirt.model.cpu": (
        "CpuFeature",
        "CpuSpec",
        "CpuTopology",
    ),
    "labvirt.model.disk": (
        "BlockSource",
        "DiskSpec",
        "FileSource",
        "NewVolume",
        "VolumeSource",
    ),
    "labvirt.model.domain": (
        "DomainSpec",
        "NewDiskVolume",
    ),
    "labvirt.model.features": (
        "FeaturesSpec",
        "WatchdogSpec",
    ),
    "labvirt.model.graphics": (
        "GraphicsSpec",
        "VideoSpec",
    ),
    "labvirt.model.ident": (
        "new_mac",
        "new_uuid",
        "normal_mac",
        "normal_uuid",
    ),
    "labvirt.model.interface": ("InterfaceSpec",),
    "labvirt.model.names": (
        "check_name",
        "suggest_name",
    ),
    "labvirt.model.network": (
        "DhcpHost",
        "NetworkIp",
        "NetworkSpec",
    ),
    "labvirt.model.pool": ("PoolSpec",),
    "labvirt.model.redact": ("redact_xml",),
    "labvirt.model.schema": ("Schema",),
    "labvirt.model.serial": ("SerialSpec",),
    "labvirt.model.snapshot": (
        "SnapshotDiskSpec",
        "SnapshotSpec",
    ),
    "labvirt.model.source": (
        "ImportImage",
        "IsoInstall",
        "KernelBoot",
        "Media",
        "NetworkBoot",
        "Source",
        "TinyGuest",
        "parse_source",
    ),
    "labvirt.model.spec": ("Spec",),
    "labvirt.model.units": ("Size",),
    "labvirt.model.uri": ("Uri",),
    "labvirt.model.virtinstall": ("virt_install_line",),
    "labvirt.model.volume": ("VolumeSpec",),
    "labvirt.model.xml": (
        "Capabilities",
        "DiskXml",
        "DomainCapabilities",
        "DomainXml",
        "InterfaceXml",
        "NetworkXml",
        "PoolXml",
        "VolumeXml",
        "XmlDoc",
    ),
}
__getattr__, __dir__ = lazily(__name__, _HOMES)
