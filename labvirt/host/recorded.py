"""The numbers of a host, kept in a file while they are read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from labvirt.errors import WaitTimeoutError
from labvirt.host.sampled import SampledHost
from labvirt.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from labvirt.history import Recorder, Retention
    from labvirt.status.sample import Sample
    from labvirt.status.series import Group

__all__ = ["RecordedHost", "retention_of"]

_log = logging.getLogger("labvirt")


def retention_of(keep: float | str | None, max_size: Size | str | None) -> Retention:
    """Return how much of a recording is kept.

    Args:
        keep: seconds, or text such as ``7d``; None keeps all.
        max_size: such as ``1 GB``; None does not limit it.

    Raises:
        SpecError: a length of time or size is wrong or too small.
    """
    from labvirt.history import Retention
    from labvirt.history.amounts import seconds_of

    return Retention(
        None if keep is None else seconds_of(keep, "keep"),
        None if max_size is None else int(Size.of(max_size)),
    )


class RecordedHost(SampledHost):
    """What records the numbers of a host; `Host` inherits it."""

    _recorders: tuple[Recorder, ...] = ()

    def record(
        self,
        path: str | PathLike[str],
        *,
        groups: Iterable[Group] | None = None,
        domains: Iterable[str] | None = None,
        keep: float | str | None = None,
        max_size: Size | str | None = None,
    ) -> Recorder:
        """Keep what is sampled in a file, until ``.stop()`` or until this host is closed.

        What happens (started, migrated, stalled ...) is kept with it. ``labvirt.history.open``
        reads the file, also while it is written; a recording that is there is gone on with.

        Args:
            path: the file, ``.sqlite``.
            groups: what is sampled; None for all but single vCPUs and steal.
            domains: names or UUIDs for the costly groups; None for all active ones.
            keep: how old samples may become, ``7d``; None keeps all.
            max_size: how large the file may become, ``1 GB``; the oldest samples go first.

        Raises:
            SpecError: something that is no recording stands there; an argument is wrong.
            ConflictError: another recorder writes this file.
            AccessDeniedError: it cannot be written.
            ConnectionLostError: the host is closed.
        """
        from labvirt.history.recorder import RECORDED, Recorder

        retention = retention_of(keep, max_size)
        wanted = RECORDED if groups is None else tuple(groups)
        # Whatever is wrong with groups, domains or link is told before a file is made.
        with self.sampler.listen(_nobody, wanted, domains):
            recorder = Recorder(path, retention=retention, tell=self.history.mark)
            try:
                recorder.follow(self.sampler, wanted, domains, marks=self.history)
            except BaseException:
                recorder.close()
                raise
        self._recorders = tuple(r for r in self._recorders if r.state == "recording")
        self._recorders = (*self._recorders, recorder)
        return recorder

    def _end_sampling(self) -> None:
        recorders, self._recorders = self._recorders, ()
        for each in recorders:
            try:
                each.close()
            except WaitTimeoutError as error:
                _log.warning("%s", error)
        super()._end_sampling()


def _nobody(_: Sample) -> None:
    """Listen to nothing."""
