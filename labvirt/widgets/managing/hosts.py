"""The hosts of a manager: which are open, which of them it owns, what they tell, how links are."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError, SpecError
from labvirt.model.uri import Uri
from labvirt.widgets.managing.connections import open_host

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.widgets.managing.parts import Aside

__all__ = ["Hosts", "targets_of"]

#: How often links are looked at; a lost one has no event that a page would get.
_LOOK_S = 1.0


def targets_of(target: Any) -> tuple[tuple[Host, ...], tuple[Uri, ...]]:
    """Return the hosts that are open and the URIs that are not yet.

    Raises:
        SpecError: there is nothing to manage of such a target, or a URI has a fault.
    """
    members = getattr(target, "hosts", None)
    given = members if members is not None else target
    listed = list(given) if isinstance(given, (list, tuple, set, frozenset)) else [given]
    hosts, uris = [], []
    for each in listed:
        if isinstance(each, (str, Uri)):
            uris.append(each if isinstance(each, Uri) else Uri.parse(each))
        elif hasattr(each, "news") and hasattr(each, "sampler"):
            hosts.append(each)
        else:
            raise SpecError(
                f"manage: there is nothing to manage of {each!r:.200}",
                hint="give a lab, a host, a list of hosts, or URIs such as qemu:///system",
            )
    return tuple(dict.fromkeys(hosts)), tuple(dict.fromkeys(uris))


class Hosts:
    """The open hosts, and who owns them.

    Args:
        aside: opens and closes hosts.
        changed: is called when there are other hosts.
        heard: gets a host and its news, on a thread of the host.
        looked: is called when a link is another one than before.
    """

    def __init__(
        self,
        aside: Aside,
        *,
        changed: Callable[[], object],
        heard: Callable[[Host, Sequence[Any]], None],
        looked: Callable[[], object],
    ) -> None:
        self._aside = aside
        self._changed, self._heard, self._looked = changed, heard, looked
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._ends: dict[Host, Callable[[], None]] = {}
        self._owned: set[Host] = set()
        self._links: tuple[Any, ...] = ()
        self.all: tuple[Host, ...] = ()
        threading.Thread(target=self._watch, name="labvirt-manager-watch", daemon=True).start()

    def open(
        self,
        uri: Uri,
        *,
        readonly: bool,
        wait: bool,
        failed: Callable[[BaseException], object],
    ) -> None:
        """Open a host that this owns; aside, unless it is waited for."""
        if wait:
            self.add(open_host(uri, readonly=readonly), owned=True)
            return
        self._aside.run(
            f"open {uri.redacted()}",
            lambda: open_host(uri, readonly=readonly),
            lambda host: self.add(host, owned=True),
            failed,
        )

    def add(self, *hosts: Host, owned: bool = False) -> None:
        """Have some more hosts; those that come too late for the view are closed if it owns them."""
        with self._lock:
            over = self._over.is_set()
            if not over:
                if owned:
                    self._owned.update(hosts)
                self._take(tuple(dict.fromkeys((*self.all, *hosts))))
        for host in hosts if over and owned else ():
            host.close()

    def drop(self, host: Host) -> None:
        """Have a host no more; one that this owns is closed, aside."""
        with self._lock:
            self._take(tuple(each for each in self.all if each != host))
            owned = host in self._owned
            self._owned.discard(host)
        if owned:
            self._aside.run(f"close {host.label}", host.close, lambda _none: None, lambda _e: None)

    def _take(self, hosts: tuple[Host, ...]) -> None:
        for host in set(self._ends) - set(hosts):
            self._ends.pop(host)()
        for host in hosts:
            if host not in self._ends:
                self._ends[host] = self._follow(host)
        self.all = hosts
        self._changed()

    def _follow(self, host: Host) -> Callable[[], None]:
        return host.listen(lambda changes: self._heard(host, changes))

    def _watch(self) -> None:
        """Notice links that break and come back."""
        while not self._over.wait(_LOOK_S):
            links = tuple((host.state, host.stale_since) for host in self.all)
            if links != self._links:
                self._links = links
                self._looked()

    def close(self) -> None:
        """Listen no more, and close what this owns. Twice is harmless."""
        with self._lock:
            if self._over.is_set():
                return
            self._over.set()
            ends, self._ends = list(self._ends.values()), {}
        for end in ends:
            end()
        for host in self._owned:
            with contextlib.suppress(LabvirtError):
                host.close()
