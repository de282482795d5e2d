"""The numbers of a host: its sampler, its history, and one sample by hand."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self
from weakref import WeakValueDictionary

from labvirt.host.sampling.wishes import DEFAULT_GROUPS
from labvirt.preferences import Preferences

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labvirt.connection import Connection
    from labvirt.history.history import History
    from labvirt.host.sampling.sampler import Sampler
    from labvirt.status.sample import Sample

__all__ = ["SampledHost"]

_making = threading.Lock()


class SampledHost:
    """What a host has for numbers; everything is made when it is asked for."""

    connection: Connection
    _sampler: Sampler | None = None
    _history: History | None = None
    _moved: WeakValueDictionary[str, Self] | None = None

    if TYPE_CHECKING:

        @property
        def name(self) -> str:
            """Short name."""

        @property
        def is_local(self) -> bool:
            """Whether it is this machine."""

    @property
    def sampler(self) -> Sampler:
        """Reads the numbers of this host once for all who listen."""
        from labvirt.host.sampling.sampler import Sampler  # numpy is loaded with the first numbers

        with _making:
            if self._sampler is None:
                self._sampler = Sampler(
                    self.connection,
                    lambda: self.name,
                    lambda: self.history,
                    is_local=self.is_local,
                )
                preferred = Preferences.load()
                self._sampler.interval_s = preferred.interval_s
                self._sampler.slow_interval_s = preferred.slow_interval_s
            return self._sampler

    @property
    def history(self) -> History:
        """What was sampled; it is fed while anybody listens, and kept after."""
        from labvirt.history.history import History

        with _making:
            if self._history is None:
                self._history = History(Preferences.load().history_s)
            return self._history

    def prefer(self, preferred: Preferences) -> None:
        """Read numbers as a user prefers from now on; what was kept stays (G16.8-01)."""
        with _making:
            sampler, history = self._sampler, self._history
        if sampler is not None:
            sampler.interval_s = preferred.interval_s
            sampler.slow_interval_s = preferred.slow_interval_s
        if history is not None:
            history.seconds = preferred.history_s

    def moved_to(self, uuid: str) -> Self | None:
        """Return the host to which labvirt has moved a domain from here; None for none."""
        return None if self._moved is None else self._moved.get(uuid)

    def note_move(self, uuid: str, destination: Self) -> None:
        """Remember where a domain went, so that charts of it go on there."""
        with _making:
            if self._moved is None:
                self._moved = WeakValueDictionary()
            self._moved[uuid] = destination
            if destination._moved is not None:
                destination._moved.pop(uuid, None)

    def sample(
        self,
        groups: Iterable[str] = DEFAULT_GROUPS,
        domains: Iterable[str] | None = None,
        seconds: float = 1.0,
    ) -> Sample:
        """Read twice and return the rates between the two readings; then everything is closed.

        Args:
            groups: what is wanted, of `labvirt.status.series.GROUPS`.
            domains: names or UUIDs for the costly groups; None for all active domains.
            seconds: time between the two readings, 0.2 to 3600.

        Raises:
            SpecError: an argument is wrong.
            NotFoundError: there is no domain of that name.
            ConnectionLostError: there is no link to the host.
            WaitTimeoutError: the host does not answer.
        """
        from labvirt.host.sampling.once import sample_once

        return sample_once(self, groups=groups, domains=domains, seconds=seconds)

    def mark(self, kind: str, uuid: str = "", text: str = "") -> None:
        """Put something that happened on the time axis, now; nothing while nobody listens.

        Args:
            kind: as in `labvirt.status.sample.Mark`; ``note`` for anything else.
            uuid: the domain; empty for the host.
            text: what happened, in words.
        """
        if self._sampler is not None and self._sampler.is_running:
            self._sampler.mark(kind, uuid, text)

    def _end_sampling(self) -> None:
        if self._sampler is not None:
            self._sampler.close()
