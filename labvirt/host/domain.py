"""Domain: one virtual machine of a host, with all its verbs."""

from __future__ import annotations

from labvirt.host.changing import ChangingVerbs
from labvirt.host.clones.cloning import CloningVerbs
from labvirt.host.clones.identity import IdentityVerbs
from labvirt.host.devices.verbs import DeviceVerbs
from labvirt.host.devices.virtio import VirtioVerbs
from labvirt.host.keeping.backup import BackupVerbs
from labvirt.host.keeping.blockjobs import BlockJobVerbs
from labvirt.host.keeping.moving_disks import MovingDiskVerbs
from labvirt.host.keeping.snapshots import SnapshotVerbs
from labvirt.host.lifecycle import LifecycleVerbs
from labvirt.host.measuring.verbs import MeasuringVerbs
from labvirt.host.migrating.stopping import StoppingVerbs
from labvirt.host.migrating.verbs import MigratingVerbs
from labvirt.host.networks.filtering import FilterVerbs
from labvirt.host.waiting import WaitingVerbs

__all__ = ["Domain"]


class Domain(
    LifecycleVerbs,
    ChangingVerbs,
    WaitingVerbs,
    MigratingVerbs,
    StoppingVerbs,
    FilterVerbs,
    DeviceVerbs,
    MovingDiskVerbs,
    BlockJobVerbs,
    SnapshotVerbs,
    CloningVerbs,
    IdentityVerbs,
    VirtioVerbs,
    BackupVerbs,
    MeasuringVerbs,
):
    """A domain of a host.

    Verbs mean what they mean in virsh. Calling one does it: ``web1.shutdown()``. Each can be seen
    before: ``web1.shutdown.plan()``, and run in the background: ``web1.shutdown.job()``.
    """
