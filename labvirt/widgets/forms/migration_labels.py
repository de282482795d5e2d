"""Labels of what a migration is asked for with; see `labels`."""

from __future__ import annotations

from typing import Final

from labvirt.widgets.i18n import N_

__all__ = ["CHOICE_OWN", "MIGRATION_LABELS"]

#: By the name of the field.
MIGRATION_LABELS: Final[dict[str, str]] = {
    "destination": N_("Destination"),
    "live": N_("Live migration"),
    "offline": N_("Definition only"),
    "peer_uri": N_("Destination, as the source calls it"),
    "migrate_uri": N_("Data goes to"),
    "tls": N_("Encrypt the data"),
    "tls_name": N_("Name in the certificate"),
    "storage": N_("Storage"),
    "bandwidth_mib_s": N_("Bandwidth, MiB/s"),
    "max_downtime_ms": N_("Max downtime, ms"),
    "auto_converge": N_("Auto-converge"),
    "throttle_initial": N_("First slowing down, %"),
    "throttle_increment": N_("Further slowing down, %"),
    "compression": N_("Compression"),
    "parallel": N_("Parallel connections"),
    "postcopy": N_("Allow post-copy"),
    "postcopy_after_s": N_("Switch over after, s"),
    "timeout_s": N_("Time limit, s"),
    "on_timeout": N_("After the time limit"),
    "persist": N_("Keep on the destination"),
    "undefine_source": N_("Remove from this host"),
    "paused": N_("Leave paused there"),
    "rename": N_("New name"),
    "unsafe": N_("Even if libvirt fears for the disks"),
}

#: Choices that mean something else in one field.
CHOICE_OWN: Final = {
    ("mode", "direct"): N_("direct: this notebook speaks to both hosts"),
    ("mode", "p2p"): N_("p2p: the hosts speak to each other"),
    ("mode", "tunnelled"): N_("tunnelled: data goes through the hosts' own connection"),
    ("storage", "shared"): N_("both hosts see the same disks"),
    ("storage", "copy"): N_("disks are copied along"),
    ("storage", "increment"): N_("only the top images are copied"),
    ("on_timeout", "abort"): N_("break off: it stays here"),
    ("on_timeout", "suspend"): N_("pause it, so that it ends"),
    ("on_timeout", "postcopy"): N_("switch over"),
}
