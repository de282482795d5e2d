"""XML of snapshots, checkpoints and backups.

See https://libvirt.org/formatsnapshot.html, formatcheckpoint.html and formatbackup.html.
"""

from __future__ import annotations

from labvirt.model.xml.table import Children, Choice, Int, Text, YesNo
from labvirt.model.xml.view import View

__all__ = [
    "BackupDiskXml",
    "BackupXml",
    "CheckpointDiskXml",
    "CheckpointXml",
    "SnapshotDiskXml",
    "SnapshotXml",
]


class SnapshotDiskXml(View):
    """How one disk takes part in a snapshot."""

    TAG = "disk"

    name = Text("@name", "the disk: its target or its file")
    snapshot = Choice("@snapshot", "where its state is kept", values="no internal external manual")
    type = Choice("@type", "what the overlay is", values="file block network")
    driver_type = Text("driver/@type", "format of the overlay")
    source_file = Text("source/@file", "path of the overlay")
    source_dev = Text("source/@dev", "device of the overlay")


class SnapshotXml(View):
    """A snapshot of a domain."""

    TAG = "domainsnapshot"

    name = Text("name", "name, unique in the domain")
    description = Text("description", "any text")
    state = Text("state", "what the domain was")
    creation_time = Int("creationTime", "seconds since 1970")
    parent = Text("parent/name", "name of the snapshot it grew from")
    memory = Choice("memory/@snapshot", "where memory is kept", values="no internal external")
    memory_file = Text("memory/@file", "path of the memory, external")
    disks = Children("disks/disk", SnapshotDiskXml, "the disks")


class CheckpointDiskXml(View):
    """How one disk takes part in a checkpoint."""

    TAG = "disk"

    name = Text("@name", "the disk: its target")
    checkpoint = Choice("@checkpoint", "whether it is tracked", values="no bitmap")
    bitmap = Text("@bitmap", "name of the bitmap of changed blocks")


class CheckpointXml(View):
    """A checkpoint of a domain."""

    TAG = "domaincheckpoint"

    name = Text("name", "name, unique in the domain")
    description = Text("description", "any text")
    creation_time = Int("creationTime", "seconds since 1970")
    parent = Text("parent/name", "name of the checkpoint before it")
    disks = Children("disks/disk", CheckpointDiskXml, "the disks")


class BackupDiskXml(View):
    """How one disk takes part in a backup."""

    TAG = "disk"

    name = Text("@name", "the disk: its target")
    backup = YesNo("@backup", "whether it is backed up")
    type = Choice("@type", "what the target is", values="file block")
    backup_mode = Choice("@backupmode", "how much", values="full incremental")
    incremental = Text("@incremental", "checkpoint since which changes are saved")
    export_name = Text("@exportname", "name of the NBD export, pull")
    export_bitmap = Text("@exportbitmap", "name of the exported bitmap, pull")
    index = Int("@index", "number of the node, while it runs")
    driver_type = Text("driver/@type", "format of the target")
    target_file = Text("target/@file", "path of the target, push")
    scratch_file = Text("scratch/@file", "path of the scratch file, pull")


class BackupXml(View):
    """A backup job."""

    TAG = "domainbackup"

    mode = Choice("@mode", "who moves the data", values="push pull")
    incremental = Text("incremental", "checkpoint since which changes are saved")
    server_transport = Choice("server/@transport", "how it is served", values="tcp unix")
    server_socket = Text("server/@socket", "path of the socket")
    server_name = Text("server/@name", "address that is served, tcp")
    server_port = Int("server/@port", "port, tcp")
    disks = Children("disks/disk", BackupDiskXml, "the disks")
