"""Executors: where many runs are performed, on this machine or by a Dask cluster."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from labvirt.errors import LabvirtError, RunError, WaitTimeoutError
from labvirt.runbook.handle import Asked, Run, start
from labvirt.runbook.records import RunRecord
from labvirt.runbook.request import Request
from labvirt.runbook.server import RunServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.runbook.events import Event

__all__ = ["DaskExecutor", "Executor", "LocalExecutor", "Submitted"]


class Submitted(Protocol):
    """A run that was given to an executor."""

    def cancel(self) -> object:
        """Stop it; what it did is undone."""

    def result(self) -> RunRecord:
        """Wait for its end and return the record."""

    def add_done_callback(self, then: Callable[[Any], object], /) -> None:
        """Have something called when it is over."""


class Executor(Protocol):
    """Performs runs, several at once."""

    def submit(self, asked: Asked, on_event: Callable[[Event], None] | None = None) -> Submitted:
        """Begin a run."""

    def close(self) -> None:
        """Give back what it took."""


class _LocalRun(Future[RunRecord]):
    """A run in a process of this machine."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.set_running_or_notify_cancel()
        self._run = run
        run.on_over(self._over)
        self._told = threading.Lock()

    def _over(self) -> None:
        try:
            self.set_result(self._run.result(0))
        except LabvirtError as error:
            self.set_exception(error)

    def cancel(self) -> bool:
        """Stop it; a second call gives up at once."""
        self._run.cancel()
        return True


class LocalExecutor:
    """Performs each run in a process of this machine, forked from one that has all loaded."""

    def __init__(self) -> None:
        self._server: RunServer | None = None

    def submit(self, asked: Asked, on_event: Callable[[Event], None] | None = None) -> Submitted:
        """Begin a run."""
        if self._server is None:
            self._server = RunServer()
        return _LocalRun(Run(asked, self._server.worker(), on_event))

    def close(self) -> None:
        """End the process from which runs are forked."""
        if self._server is not None:
            self._server.close()
            self._server = None


class DaskExecutor:
    """Performs runs by the workers of a Dask cluster (extra ``distributed``).

    The workers need labvirt, and the folder of records must be one that they and this machine
    share; each run is a process of its own there too.

    Args:
        address: of the scheduler, ``tcp://host:8786``; a cluster on this machine when None.
        jobs: how many workers such a cluster has.
        timeout_s: limit for the scheduler to answer.

    Raises:
        RunError: Dask is not installed, or nobody answers at the address.
    """

    def __init__(
        self, address: str | None = None, *, jobs: int = 2, timeout_s: float = 15.0
    ) -> None:
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise RunError(
                "many runs on a cluster need Dask",
                code=2,
                hint="pip install 'labvirt[distributed]'",
            ) from error
        self._cluster: Any = None
        try:
            if address is None:
                self._cluster = LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=jobs, threads_per_worker=1, dashboard_address=None
                )
            self._client: Any = Client(self._cluster or address, timeout=timeout_s)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError, ValueError) as error:
            if self._cluster is not None:
                self._cluster.close()
            raise RunError(
                f"no Dask scheduler answers at {address}: {error}", code=2, hint="tcp://HOST:8786"
            ) from error

    def submit(
        self,
        asked: Asked,
        on_event: Callable[[Event], None] | None = None,  # noqa: ARG002 - they stay there
    ) -> Submitted:
        """Begin a run; its events stay with the worker."""
        if asked.environment:
            raise RunError(
                "a secret given by its value cannot go to a cluster",
                code=2,
                hint="give it by reference: env:NAME or file:PATH, as the workers have it",
            )
        from distributed import Event as Flag

        future = self._client.submit(
            _perform_there, asked.request.to_json(), key=asked.request.id, pure=False, retries=0
        )
        flag: Any = Flag
        return _DaskRun(future, flag(_wish_of(asked.request), client=self._client))

    def close(self) -> None:
        """Leave the cluster, and end it if it is ours."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


class _DaskRun:
    def __init__(self, future: Any, wish: Any) -> None:
        self._future, self._wish = future, wish

    def cancel(self) -> None:
        self._wish.set()

    def result(self) -> RunRecord:
        return RunRecord.from_dict(self._future.result())

    def add_done_callback(self, then: Callable[[Any], object], /) -> None:
        self._future.add_done_callback(then)


def _perform_there(request: str) -> dict[str, Any]:
    """Perform a request on a worker, looking now and then whether it is to be cancelled."""
    from distributed import Event as Flag

    asked = Asked(Request.from_json(request))
    flag: Any = Flag
    wish = flag(_wish_of(asked.request))
    going = start(asked)
    cancelled = False
    while True:
        try:
            return going.result(0.5).to_dict()
        except WaitTimeoutError:
            if not cancelled and wish.is_set():
                going.cancel()
                cancelled = True


def _wish_of(request: Request) -> str:
    return f"labvirt-cancel-{request.id}"
