"""The front door's calls: what puts a host, its media and the labs together."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from labvirt.errors import HostError, SpecError, WaitTimeoutError
from labvirt.host import Host, HostFacts
from labvirt.install import build_media, probe
from labvirt.lab import Lab
from labvirt.model.arguments import Wait, checked
from labvirt.model.uri import Uri

if TYPE_CHECKING:
    from labvirt.plan import Journal

__all__ = ["connect"]

_LAB_HOST = re.compile(r"lab:(?P<lab>[^/]+)(?:/(?P<host>[^/]+))?")


def connect(
    uri: str | None = None,
    *,
    readonly: bool = False,
    keepalive: tuple[int, int] = (3, 3),
    timeout_s: float = 30.0,
    journal: Journal | None = None,
) -> Host:
    """Open a host.

    Args:
        uri: any libvirt URI (``qemu:///system``, ``qemu+ssh://root@kvm7/system``; G13.3-07), a bare
            ``qemu``, ``xen`` or ``test``, or ``lab:NAME/HOST`` for a host of an embedded lab. None
            takes ``LIBVIRT_DEFAULT_URI``, and without it ``qemu:///system``.
        readonly: open without the right to change anything.
        keepalive: seconds between two signs of life, and how many may be missed.
        timeout_s: limit for opening in seconds.
        journal: where plans are written down; the user's own journal when None.

    Raises:
        SpecError: the URI has a fault; says which, and what was probably meant.
        ConnectionLostError: nobody answers there.
        AccessDeniedError: the socket or the credentials are refused.
        LabError: there is no such lab, or it has no such host.
    """
    if uri is not None and uri.startswith("lab:"):
        found = _LAB_HOST.fullmatch(uri)
        if found is None:
            raise SpecError(
                f"{uri!r} is not a host of a lab", hint="lab:NAME/HOST, e.g. lab:demo/alpha"
            )
        lab = Lab.attach(found["lab"])
        name = found["host"] or lab.names[0]
        return lab.open(name, readonly=True) if readonly else lab[name]
    checked(Wait, "open a host", timeout_s=timeout_s)
    parsed = Uri.parse(uri or os.environ.get("LIBVIRT_DEFAULT_URI") or "qemu:///system")
    try:
        return Host.open(
            parsed,
            readonly=readonly,
            facts=_proved(parsed),
            builder=build_media,
            journal=journal,
            keepalive=keepalive,
            timeout_s=timeout_s,
        )
    except (HostError, WaitTimeoutError) as error:
        # Nothing was begun: what has to change is what was asked for.
        error.exit_code = 2
        raise


def _proved(uri: Uri) -> HostFacts:
    """Return what guests of a local QEMU can really run under, when it can be proved."""
    if not uri.is_local or uri.driver != "qemu":
        return HostFacts()
    found = probe()
    return HostFacts(virt="kvm" if found.works else "qemu", virt_why=found.why)
