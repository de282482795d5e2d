"""Spoken plans: what plans warn of and destroy, and why hosts refuse, as patterns for `spoken`."""

from __future__ import annotations

from typing import Final

from labvirt.widgets.i18n import N_

__all__ = ["PLANS"]

#: What is in braces is kept, or spoken itself; see `labvirt.widgets.spoken`.
PLANS: Final = (
    # losses
    N_("the file {path}"),
    N_("the file {path}, once its data are below"),
    N_("the file {path} of this machine"),
    N_("what is in {path}"),
    N_("the record of what changed since checkpoint {name}"),
    N_("host keys, machine id and leases of {name}"),
    N_("the network filter {name}"),
    N_("the state of {name}"),
    N_("everything on {path}"),
    N_("the value of secret {name}"),
    N_("the bytes of volume {name} ({path})"),
    N_("the bytes of volume {name}"),
    # warnings
    N_("{what}: takes effect at the next start of {name}"),
    N_("{name} is transient: it is gone when it is off"),
    N_("{device} is also a device of {names}: only one can run"),
    N_("the shared memory {name} stays on the host when it is off"),
    N_("disk {disk} is not backed up"),
    N_("{path} is changed: it no longer holds the older state"),
    N_("{name} is left out: {why}"),
    N_("memory {size} is below {least}; hardly any system boots with it"),
    N_("memory {size} is below {least}; most installers need more"),
    N_("the graphical console is open to the whole network"),
    N_("there is neither a graphical nor a serial console"),
    N_("there is no disk to install to"),
    N_("{path} does not exist yet: the clone begins without it"),
    N_(
        "{path} must never change again, and nothing here can keep {name} from starting: do not start it"
    ),
    N_(
        "{path} must never change again: it is made read-only, so {name} does not start (unless QEMU runs as root: then do not start it); {command} when no clone stands on it any more"
    ),
    N_("{name} goes on in {files}; what is below it and the clone must never change again"),
    N_(
        "the guest agent of {name} does not hold it still: the file systems of the clone are as after a power cut"
    ),
    N_("{disk} ({path}) is shared: only one of the two may run"),
    N_("left out on wish: {disks}: they are not reverted with it"),
    N_("not in it: {disks} (no disk that the guest writes to)"),
    N_(
        "the guest is not asked to write out what it holds back: the snapshot is like the disk after a power cut; quiesce=True if its agent runs"
    ),
    N_("the later snapshots {names} stay, as another branch"),
    N_("{path} is merged into the file below and removed"),
    N_(
        "libvirt before 9.9 cannot revert to external snapshots: labvirt lays a new overlay over the old state and lets the definition name it; memory and devices of the definition stay as they are now"
    ),
    N_("the snapshots {names} keep the old files; libvirt cannot merge them any more"),
    N_("the {count} files of its chain become one"),
    N_(
        "the bitmaps of its checkpoints are not copied while the domain is off: the next backup must be a full one"
    ),
    N_("{address} is leased to {name} until {at} UTC"),
    N_("the guest has {address} now: it gets {other} when it asks anew"),
    N_("dnsmasq's own options are not checked: a wrong one stops the start"),
    N_(
        "{path} is closed to other users: dnsmasq, which serves {root} as one of them, may not reach it"
    ),
    N_("{subnet} is no /64: guests cannot configure themselves in it"),
    N_("{subnet} belongs to the public internet"),
    N_(
        "{subnet} is routed, not translated: the world needs a route back to it; nat=NatSpec(ipv6=True) translates it"
    ),
    N_("the disk can grow to {size}, pool {pool} has {free} free: a full pool pauses the domain"),
    N_("the disks can grow to {size}, pool {pool} has {free} free: a full pool pauses the domain"),
    N_("{path} is a qcow2 image, and the guest sees it as raw"),
    N_("the pool '{pool}' is made in {path}"),
    N_("{path} is not empty: its files are hidden while the pool runs"),
    N_("{path} and {other} of another pool lie in one another"),
    N_("not looked at: {why}"),
    N_("the host is another machine: its files were not looked at"),
    N_("disk {disk} ({path}) is not in the backup: left out"),
    N_("it is another domain: UUID and MAC addresses are new"),
    N_("it has no value yet: {command}"),
    N_(
        "disk {disk} is copied: it must be on {host} already, of the same size, or in an active pool of the same path"
    ),
    N_("the kernel's command line names a disk: {line}"),
    N_("{path} is in use by {names}: an image below must not change"),
    N_("{path} is an ISO without a boot record: no guest can start from it"),
    # errors: what was asked
    N_("cannot {asked}: {why}"),
    N_("cannot {asked}:"),
    N_("{asked} was cancelled"),
    N_("{asked} while it runs on {uri} failed: {why}"),
    N_("clone domain {name}"),
    N_("rename domain {old} to {name}"),
    N_("find domain {name} on {host}"),
    N_("find network {name} on {host}"),
    N_("find pool {name} on {host}"),
    N_("find volume {name} on {host}"),
    N_("domain {name} cannot be made on {host}:"),
    N_("{what}: {failed} failed, {done} done: {why}"),
    # errors: why
    N_("it was changed by somebody else since it was read"),
    N_("a snapshot of that name exists already"),
    N_("it was interrupted"),
    N_("there is no {kind} with that name, UUID or id"),
    N_("a domain uses it by now"),
    N_("libvirt plugs a CD drive in only with a disc in it"),
    N_("virtiofs needs memory that is shared, and this domain's is not"),
    N_("it is active already"),
    N_("it is not active"),
    N_("it is transient and has no definition"),
    N_("the daemon of an ordinary user (session) may not make a bridge"),
    N_("the pool is active"),
    N_("pool {name} is not active"),
    N_("network {name} is not active"),
    N_("it has {count} volumes: {names}"),
    N_("volume {name} is in use: {users}"),
    N_("it is in use: {users}"),
    N_("the device {path} does not exist"),
    N_("{path} is in use: {users}"),
    N_("its guest agent does not answer: {why}"),
    N_("{names} uses it by now"),
    N_("libvirt cannot make a qcow2 image smaller"),
    N_("the connection is gone"),
    N_("nothing is left to do"),
    N_("another name, or another pool"),
    N_("detach it there first"),
    N_("remove the users first"),
    N_("a running domain keeps its name: shut it down first"),
)
