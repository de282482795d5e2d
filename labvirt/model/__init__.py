"""What is asked for: specs, and libvirt's XML as a table. Pure: no libvirt, no threads, no clock.

Names are looked up when they are first used, so that a part can be had without the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.model.backup import BackupDiskSpec, BackupSpec
    from labvirt.model.channel import (
        ChannelSpec,
        ConsoleSpec,
    )
    from labvirt.model.checkpoint import CheckpointSpec
    from labvirt.model.clock import ClockSpec, TimerSpec
    from labvirt.model.cpu import CpuFeature, CpuSpec, CpuTopology
    from labvirt.model.device import (
        ControllerSpec,
        DeviceSpec,
        InputSpec,
        IommuSpec,
        MemballoonSpec,
        PanicSpec,
        RngSpec,
        ShmemSpec,
        SoundSpec,
        TpmSpec,
        VsockSpec,
    )
    from labvirt.model.disk import (
        BlockSource,
        CdromSpec,
        DiskSpec,
        FileSource,
        FloppySpec,
        NewVolume,
        VolumeSource,
    )
    from labvirt.model.domain import DomainSpec, NewDiskVolume
    from labvirt.model.features import FeaturesSpec, WatchdogSpec
    from labvirt.model.graphics import GraphicsSpec, VideoSpec
    from labvirt.model.hostdev import (
        FilesystemSpec,
        HostPciSpec,
        HostUsbSpec,
    )
    from labvirt.model.ident import new_mac, new_uuid, normal_mac, normal_uuid
    from labvirt.model.interface import InterfaceSpec
    from labvirt.model.names import check_name, suggest_name
    from labvirt.model.network import NatSpec, NetworkSpec
    from labvirt.model.network_ip import DhcpHost, DhcpRange, NetworkIp
    from labvirt.model.network_parts import (
        Bandwidth,
        DnsForwarder,
        DnsHost,
        DnsSrv,
        DnsTxt,
        ForwardDevice,
        PortGroup,
        RouteSpec,
        VlanSpec,
    )
    from labvirt.model.nwfilter import FilterUse, NwFilterSpec, NwRule
    from labvirt.model.pool import PoolAuth, PoolHost, PoolSpec, ScsiAdapter
    from labvirt.model.pool_types import POOL_TYPES
    from labvirt.model.rarer import ParallelSpec, RedirdevSpec, SmartcardSpec
    from labvirt.model.redact import redact_xml
    from labvirt.model.schema import Schema
    from labvirt.model.secret import SecretSpec
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
    from labvirt.model.volume import VolumeEncryption, VolumeSpec
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
    "POOL_TYPES",
    "BackupDiskSpec",
    "BackupSpec",
    "Bandwidth",
    "BlockSource",
    "Capabilities",
    "CdromSpec",
    "ChannelSpec",
    "CheckpointSpec",
    "ClockSpec",
    "ConsoleSpec",
    "ControllerSpec",
    "CpuFeature",
    "CpuSpec",
    "CpuTopology",
    "DeviceSpec",
    "DhcpHost",
    "DhcpRange",
    "DiskSpec",
    "DiskXml",
    "DnsForwarder",
    "DnsHost",
    "DnsSrv",
    "DnsTxt",
    "DomainCapabilities",
    "DomainSpec",
    "DomainXml",
    "FeaturesSpec",
    "FileSource",
    "FilesystemSpec",
    "FilterUse",
    "FloppySpec",
    "ForwardDevice",
    "GraphicsSpec",
    "HostPciSpec",
    "HostUsbSpec",
    "ImportImage",
    "InputSpec",
    "InterfaceSpec",
    "InterfaceXml",
    "IommuSpec",
    "IsoInstall",
    "KernelBoot",
    "Media",
    "MemballoonSpec",
    "NatSpec",
    "NetworkBoot",
    "NetworkIp",
    "NetworkSpec",
    "NetworkXml",
    "NewDiskVolume",
    "NewVolume",
    "NwFilterSpec",
    "NwRule",
    "PanicSpec",
    "ParallelSpec",
    "PoolAuth",
    "PoolHost",
    "PoolSpec",
    "PoolXml",
    "PortGroup",
    "RedirdevSpec",
    "RngSpec",
    "RouteSpec",
    "Schema",
    "ScsiAdapter",
    "SecretSpec",
    "SerialSpec",
    "ShmemSpec",
    "Size",
    "SmartcardSpec",
    "SnapshotDiskSpec",
    "SnapshotSpec",
    "SoundSpec",
    "Source",
    "Spec",
    "TimerSpec",
    "TinyGuest",
    "TpmSpec",
    "Uri",
    "VideoSpec",
    "VlanSpec",
    "VolumeEncryption",
    "VolumeSource",
    "VolumeSpec",
    "VolumeXml",
    "VsockSpec",
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
    "labvirt.model.channel": (
        "ChannelSpec",
        "ConsoleSpec",
    ),
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
    "labvirt.model.device": (
        "ControllerSpec",
        "DeviceSpec",
        "InputSpec",
        "IommuSpec",
        "MemballoonSpec",
        "PanicSpec",
        "RngSpec",
        "ShmemSpec",
        "SoundSpec",
        "TpmSpec",
        "VsockSpec",
    ),
    "labvirt.model.disk": (
        "BlockSource",
        "CdromSpec",
        "DiskSpec",
        "FileSource",
        "FloppySpec",
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
    "labvirt.model.hostdev": (
        "FilesystemSpec",
        "HostPciSpec",
        "HostUsbSpec",
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
    "labvirt.model.network": ("NatSpec", "NetworkSpec"),
    "labvirt.model.network_ip": ("DhcpHost", "DhcpRange", "NetworkIp"),
    "labvirt.model.network_parts": (
        "Bandwidth",
        "DnsForwarder",
        "DnsHost",
        "DnsSrv",
        "DnsTxt",
        "ForwardDevice",
        "PortGroup",
        "RouteSpec",
        "VlanSpec",
    ),
    "labvirt.model.pool": (
        "PoolAuth",
        "PoolHost",
        "PoolSpec",
        "ScsiAdapter",
    ),
    "labvirt.model.pool_types": ("POOL_TYPES",),
    "labvirt.model.nwfilter": ("FilterUse", "NwFilterSpec", "NwRule"),
    "labvirt.model.rarer": ("ParallelSpec", "RedirdevSpec", "SmartcardSpec"),
    "labvirt.model.redact": ("redact_xml",),
    "labvirt.model.schema": ("Schema",),
    "labvirt.model.secret": ("SecretSpec",),
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
    "labvirt.model.volume": (
        "VolumeEncryption",
        "VolumeSpec",
    ),
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
