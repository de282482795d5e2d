"""Badge: whether what a form would make could be migrated, and why not, in the views' language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.widgets.i18n import N_, _

if TYPE_CHECKING:
    from labvirt.model.movable import Movable

__all__ = ["SAID", "badge"]

#: What `labvirt.model.movable.OBSTACLES` says, for the catalogue; a test compares them.
SAID: Final[dict[str, str]] = {
    "local-file": N_("{what} is on this host alone: put it on shared storage, or copy it"),
    "local-medium": N_("{what} is in a drive and on this host alone: eject it before"),
    "transient-disk": N_("disk {what} drops its changes, and they would be lost"),
    "hostdev": N_("{what} is a device of this host: detach it before"),
    "shared-folder": N_("{what} is a folder of this host that the guest mounts: unplug it"),
    "tpm-passthrough": N_("the TPM of this host is passed through: use an emulated one"),
    "cpu-fixed": N_("the CPU has {what}, which QEMU does not migrate: leave it out"),
    "shmem": N_("memory {what} is shared with other guests of this host"),
    "tpm-state": N_("the state of the TPM goes along: swtpm must be there too"),
    "cpu-same": N_("CPU mode {what}: the other host needs the very same processor"),
    "network": N_("the other host needs an active network {what}"),
    "bridge": N_("the other host needs a bridge {what}"),
    "direct": N_("the other host needs a device {what} in the same network"),
    "user-network": N_("connections through QEMU's own NAT are cut"),
    "hugepages": N_("the other host needs free huge pages"),
    "vsock": N_("the guest's vsock address must be free there"),
    "qemu-arguments": N_("QEMU's own arguments must mean the same there: {what}"),
}


def badge(found: Movable) -> dict[str, Any]:
    """Return the badge as a page gets it: the word, and a line for each reason or condition."""
    if found:
        title = _("Can migrate: yes, but mind") if found.conditions else _("Can migrate: yes")
    else:
        title = _("Can migrate: no, because")
    told = found.reasons or found.conditions
    texts = [_(SAID[each.kind]).format(what=each.what) for each in told]
    return {"title": title, "texts": texts, "is_bad": not found}
