"""Choices: what a host offers for the fields of a form; asked once, on a worker."""

from __future__ import annotations

import contextlib
import re
import threading
from typing import TYPE_CHECKING, Final, Literal

from labvirt.errors import LabvirtError
from labvirt.host.offering import HostOffer, offer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

__all__ = ["Choices", "Offers"]

_INDEX: Final = re.compile(r"\[\d+\]")

#: Spec and field (without numbers): which part of the offer fits.
_OFFERED: Final[dict[tuple[str, str], str]] = {
    ("DomainSpec", "source.pool"): "pools",
    ("DomainSpec", "disks.source.pool"): "pools",
    ("DomainSpec", "disks.source.path"): "images",
    ("DomainSpec", "machine"): "machines",
    ("DomainSpec", "cpu.model"): "cpu_models",
    ("NetworkSpec", "forward_dev"): "devices",
    ("NetworkSpec", "devices"): "devices",
    ("NetworkSpec", "bridge"): "bridges",
    **{(spec, "source.pool"): "pools" for spec in ("DiskSpec", "CdromSpec", "FloppySpec")},
    ("DiskSpec", "source.path"): "images",
    ("CdromSpec", "source.path"): "discs",
    ("FloppySpec", "source.path"): "discs",
    ("CdromEdit", "source"): "discs",
    ("FloppyEdit", "source"): "discs",
    ("MachinePage", "machine"): "machines",
    ("ProcessorsPage", "cpu_model"): "cpu_models",
}
_LINKS: Final = {"network": "networks", "bridge": "bridges", "direct": "devices"}
#: Those that depend on the kind beside them.
_BY_KIND: Final = {
    ("DomainSpec", "source.path"): {"iso-install": "discs", "import-image": "images"},
    ("DomainSpec", "interfaces.source"): _LINKS,
    ("InterfaceSpec", "source"): _LINKS,
    ("InterfaceEdit", "source"): _LINKS,
}


class Choices:
    """What a host offers: loading at first, then there, or failed with a reason.

    Args:
        host: who is asked; None when the form belongs to no host.
    """

    def __init__(self, host: Any | None) -> None:
        self._host = host
        self._lock = threading.Lock()
        self.state: Literal["none", "asked", "loading", "ready", "failed"]
        self.state = "none" if host is None else "asked"
        self.offer: HostOffer | None = None
        self.error = ""

    def load(self) -> None:
        """Ask the host; call it on a worker. It never raises."""
        if self._host is None:
            return
        with self._lock:
            self.state, self.error = "loading", ""
        try:
            offer = offer_of(self._host)
        except Exception as error:  # noqa: BLE001 - whatever it is, the form says it and goes on
            text = str(error) if isinstance(error, LabvirtError) else repr(error)
            with self._lock:
                self.state, self.error = "failed", text
        else:
            with self._lock:
                self.state, self.offer = "ready", offer

    def of(self, spec: str, path: str, kind: Callable[[], str]) -> tuple[str, ...]:
        """Return what may be chosen for a field; empty when the host knows nothing for it.

        Args:
            spec: name of the spec's class.
            path: place of the field.
            kind: gives the kind that stands beside it.
        """
        if self.offer is None:
            return ()
        place = (spec, _INDEX.sub("", path))
        part = _OFFERED.get(place) or _BY_KIND.get(place, {}).get(
            kind() if place in _BY_KIND else ""
        )
        return tuple(getattr(self.offer, part)) if part else ()


class Offers(Choices):
    """What a host offers, and what somebody else knows for some fields.

    Args:
        host: who is asked.
        own: field to what gives its choices; it may ask a host.
    """

    def __init__(self, host: Any | None, own: Mapping[str, Callable[[], Sequence[str]]]) -> None:
        super().__init__(host)
        self._own = dict(own)
        self._found: dict[str, tuple[str, ...]] = {}

    def load(self) -> None:
        """Ask; what one field cannot be told is left open."""
        super().load()
        for name, ask in self._own.items():
            with contextlib.suppress(LabvirtError):
                self._found[name] = tuple(ask())
        if self._host is None:
            with self._lock:
                self.state = "ready"

    def of(self, spec: str, path: str, kind: Callable[[], str]) -> tuple[str, ...]:
        """Return what may be chosen for a field; see `Choices.of`."""
        return self._found.get(path) or super().of(spec, path, kind)
