"""What is: frozen records of domains, networks, pools, volumes and hosts, and the store of them."""

from labvirt.status.blockjob import BlockJobRecord
from labvirt.status.checkpoint import CheckpointRecord
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
from labvirt.status.nwfilter import FilterBindingRecord, NwFilterRecord
from labvirt.status.pool import PoolRecord, PoolState
from labvirt.status.pool_type import PoolTypeRecord, SourceRecord
from labvirt.status.sample import Mark, Reading, Sample, Subject, Table
from labvirt.status.secret import SecretRecord
from labvirt.status.series import SERIES, Series
from labvirt.status.snapshot import SnapshotDisk, SnapshotRecord
from labvirt.status.store import Change, Record, Store
from labvirt.status.volume import VolumeRecord

__all__ = [
    "SERIES",
    "AddressRecord",
    "BlockJobRecord",
    "Change",
    "CheckpointRecord",
    "ControlRecord",
    "DeviceRecord",
    "DomainRecord",
    "DomainState",
    "FilterBindingRecord",
    "JobRecord",
    "LeaseRecord",
    "Mark",
    "NetworkRecord",
    "NodeDeviceRecord",
    "NodeRecord",
    "NwFilterRecord",
    "PoolRecord",
    "PoolState",
    "PoolTypeRecord",
    "Reading",
    "Record",
    "Sample",
    "SecretRecord",
    "Series",
    "SnapshotDisk",
    "SnapshotRecord",
    "SourceRecord",
    "Store",
    "Subject",
    "Table",
    "VcpuRecord",
    "VersionRecord",
    "VolumeRecord",
    "device_records",
]
