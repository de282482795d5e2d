"""What is: frozen records of domains, networks, pools, volumes and hosts, and the store of them."""

from labvirt.status.device import DeviceRecord, device_records
from labvirt.status.domain import (
    AddressRecord,
    ControlRecord,
    DomainRecord,
    DomainState,
    JobRecord,
    VcpuRecord,
)
from labvirt.status.host import NodeRecord, VersionRecord
from labvirt.status.network import LeaseRecord, NetworkRecord
from labvirt.status.nodedev import NodeDeviceRecord
from labvirt.status.pool import PoolRecord, PoolState
from labvirt.status.store import Change, Record, Store
from labvirt.status.volume import VolumeRecord

__all__ = [
    "AddressRecord",
    "Change",
    "ControlRecord",
    "DeviceRecord",
    "DomainRecord",
    "DomainState",
    "JobRecord",
    "LeaseRecord",
    "NetworkRecord",
    "NodeDeviceRecord",
    "NodeRecord",
    "PoolRecord",
    "PoolState",
    "Record",
    "Store",
    "VcpuRecord",
    "VersionRecord",
    "VolumeRecord",
    "device_records",
]
