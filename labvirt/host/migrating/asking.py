"""A migration as libvirt's call and as a virsh line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from labvirt.model.migration import MigrationSpec

__all__ = ["disks_uri_of", "options_of", "params_of", "virsh_words"]


def options_of(spec: MigrationSpec) -> set[str]:
    """Return virsh's words for what is asked, without those that the call takes by name."""
    wanted = {
        "auto-converge": spec.auto_converge,
        "compressed": spec.compression is not None,
        "copy-storage-all": spec.storage == "copy",
        "copy-storage-inc": spec.storage == "increment",
        "offline": spec.offline,
        "parallel": spec.parallel is not None,
        "postcopy": spec.postcopy,
        "suspend": spec.paused,
        "tls": spec.tls,
        "tunnelled": spec.mode == "tunnelled",
    }
    return {word for word, on in wanted.items() if on}


def disks_uri_of(data_uri: str | None) -> str | None:
    """Return where the disks' data goes when the memory goes through a unix socket.

    QEMU's NBD server needs a socket of its own, and libvirt asks for its name; by TCP both are
    chosen by the destination.
    """
    return f"{data_uri}.nbd" if data_uri is not None and data_uri.startswith("unix:") else None


def params_of(
    spec: MigrationSpec,
    *,
    disks: Sequence[str] = (),
    disks_uri: str | None = None,
    xml: str | None = None,
    persistent_xml: str | None = None,
) -> dict[str, Any]:
    """Return the parameters of libvirt's call, under its names (``VIR_MIGRATE_PARAM_*``).

    Args:
        spec: what is asked.
        disks: targets of the disks that are copied.
        disks_uri: where their data goes, when it is not where the memory goes.
        xml: the domain as it is to be there, when it differs.
        persistent_xml: the stored definition there, when it differs.
    """
    wanted: dict[str, Any] = {
        "destination_name": spec.rename,
        "destination_xml": xml,
        "persistent_xml": persistent_xml if spec.persist else None,
        "tls.destination": spec.tls_name,
        "auto_converge.initial": spec.throttle_initial,
        "auto_converge.increment": spec.throttle_increment,
        "parallel.connections": spec.parallel,
        "compression": [spec.compression] if spec.compression is not None else None,
        "migrate_disks": list(disks) or None,
        "disks_uri": disks_uri if disks else None,
        "bandwidth.postcopy": spec.bandwidth_mib_s if spec.postcopy else None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def virsh_words(
    spec: MigrationSpec,
    name: str,
    destination: str,
    *,
    migrate_uri: str | None,
    params: Mapping[str, Any],
    options: Collection[str] = (),
) -> list[str]:
    """Return ``virsh migrate`` with the same options (G15-23); to be quoted for the shell."""
    words = ["migrate"]
    words += ["--live"] * (spec.live and not spec.offline)
    words += ["--p2p"] * spec.p2p
    words += ["--persistent"] * spec.persist
    words += ["--undefinesource"] * spec.undefine_source
    words += ["--unsafe"] * spec.unsafe
    words += [f"--{word}" for word in sorted(options or options_of(spec))]
    valued = (
        ("bandwidth", spec.bandwidth_mib_s),
        ("postcopy-bandwidth", params.get("bandwidth.postcopy")),
        ("dname", spec.rename),
        ("migrate-disks", ",".join(params.get("migrate_disks", ())) or None),
        ("disks-uri", params.get("disks_uri")),
        ("tls-destination", spec.tls_name),
        ("comp-methods", spec.compression),
        ("parallel-connections", spec.parallel),
        ("auto-converge-initial", spec.throttle_initial),
        ("auto-converge-increment", spec.throttle_increment),
        ("xml", "FILE" if "destination_xml" in params else None),
        ("persistent-xml", "FILE" if "persistent_xml" in params else None),
    )
    for option, value in valued:
        if value is not None:
            words += [f"--{option}", str(value)]
    words += ["--domain", name, "--desturi", destination]
    words += ["--migrateuri", migrate_uri] if migrate_uri else []
    return words
