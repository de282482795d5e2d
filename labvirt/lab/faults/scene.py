"""Scene: the host and the thing on it that a fault breaks, and what the undo must know."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from labvirt.errors import LabError, LabvirtError
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from labvirt.host import Domain, Host
    from labvirt.host.networks.network import Network
    from labvirt.host.storage.pool import Pool
    from labvirt.lab.lab import Lab
    from labvirt.model.xml.devices import DiskXml, InterfaceXml

__all__ = ["Scene"]


class Scene:
    """What a fault works with.

    Args:
        lab: the lab.
        where: what is broken: ``host``, and ``network``, ``pool``, ``domain``, ``disk``,
            ``interface`` as far as it is about one.
        options: further arguments of the fault.
        memo: what the undo must know; plain data.
        keep: writes the memo down.
    """

    def __init__(
        self,
        lab: Lab,
        where: Mapping[str, str],
        options: Mapping[str, Any],
        memo: dict[str, Any] | None = None,
        keep: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.lab = lab
        self.where = dict(where)
        self.options = dict(options)
        self.memo = dict(memo or {})
        self._keep = keep
        self._hosts: dict[str, Host] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._hosts:
            self._hosts.popitem()[1].close()

    def keep(self, **facts: Any) -> None:
        """Write more facts for the undo down, before the next step is taken."""
        self.memo |= facts
        if self._keep is not None:
            self._keep(self.memo)

    # -- where ------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the host."""
        return self.where["host"]

    @property
    def host(self) -> Host:
        """The host, over a link of its own.

        Raises:
            HostError: its daemon does not answer.
        """
        return self.peer(self.name)

    def peer(self, name: str) -> Host:
        """Return any host of the lab, likewise."""
        if name not in self._hosts:
            self._hosts[name] = self.lab.open(name)
        return self._hosts[name]

    @property
    def network(self) -> Network:
        """The network."""
        return self.host.networks[self.where["network"]]

    @property
    def pool(self) -> Pool:
        """The storage pool."""
        return self.host.pools[self.where["pool"]]

    @property
    def domain(self) -> Domain:
        """The domain."""
        return self.host.domains[self.where["domain"]]

    def document(self, *, stored: bool = False) -> DomainXml:
        """Return the XML of the domain, parsed anew."""
        return DomainXml.parse(self.domain.xml(inactive=stored))

    def disk(self, document: DomainXml) -> DiskXml:
        """Return the disk that is meant."""
        return next(one for one in document.disks if one.target == self.where["disk"])

    def interface(self, document: DomainXml) -> InterfaceXml:
        """Return the interface that is meant."""
        return document.find_interface(self.where["interface"])

    @property
    def folder(self) -> Path:
        """The host's own folder."""
        return self.data / "hosts" / self.name

    @property
    def data(self) -> Path:
        """The folder of the lab in which its hosts live."""
        return Path(self.lab._known_outcome().data)  # noqa: SLF001 - a part of the lab

    # -- doing ------------------------------------------------------------------------------

    def refuse(self, why: str, hint: str = "") -> LabError:
        """Return the error that says why this cannot be broken here."""
        return LabError(f"this cannot be broken: {why}", hint=hint)

    def run(self, *words: str, stdin: bytes = b"", timeout_s: float = 20.0) -> str:
        """Run a command inside the host and return what it printed.

        Raises:
            LabError: it failed; with what it complained of.
        """
        done = self.lab.run(self.name, words, stdin=stdin, timeout_s=timeout_s)
        if done.code:
            said = done.stderr.strip() or done.stdout.strip()
            raise LabError(
                f"{shlex.join(words)} on {self.name}: {said or f'exit code {done.code}'}"
            )
        return done.stdout

    def works(self, *words: str, timeout_s: float = 20.0) -> bool:
        """Run a command inside the host; whether it ended well."""
        try:
            return self.lab.run(self.name, words, timeout_s=timeout_s).code == 0
        except LabvirtError:
            return False

    def image(self, document: DomainXml) -> Path:
        """Return the file of the disk that is meant; it must be one of the lab's own.

        Raises:
            LabError: the disk is no file, or that lies outside the lab.
        """
        source = self.disk(document).source_file
        if not source:
            raise self.refuse(
                f"disk {self.where['disk']} of {self.where['domain']} has no file",
                "disk= names another one",
            )
        return self.own(Path(source))

    def own(self, path: Path) -> Path:
        """Return a file when it belongs to the lab: nothing else is ever touched.

        Raises:
            LabError: it lies outside the lab's folders.
        """
        if not path.resolve().is_relative_to(self.data.resolve()):
            raise self.refuse(
                f"{path} lies outside the lab, in {path.parent}",
                f"only files below {self.data} are broken: use a pool of the lab",
            )
        return path
