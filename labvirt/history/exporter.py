"""Exporter: the newest readings of hosts for Prometheus, read while somebody scrapes."""

from __future__ import annotations

import errno
import logging
import math
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from labvirt.errors import AccessDeniedError, ConflictError, LabvirtError, SpecError
from labvirt.history.extras import need
from labvirt.history.metrics import GROUPS, METRICS, STATES, labels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from labvirt.history.recorder import Listening
    from labvirt.status.sample import Reading, Sample, Subject
    from labvirt.status.series import Group, Kind

__all__ = ["ADDRESS", "Exported", "Exporter"]

_log = logging.getLogger("labvirt")

ADDRESS: Final = "127.0.0.1:9177"
_ADDRESS: Final = re.compile(
    r"(?:(?P<host>[^:\[\]]+)|\[(?P<six>[0-9a-fA-F:]+)\]):(?P<port>\d{1,5})"
)


class CountingSampler(Protocol):
    """What the exporter needs of a sampler."""

    @property
    def interval_s(self) -> float:
        """Seconds between two ticks."""

    def listen(
        self,
        fn: Callable[[Sample], None],
        groups: Sequence[Group] = ...,
        domains: Iterable[str] | None = None,
    ) -> Listening:
        """Call `fn` with every sample."""

    def counters(self, kind: Kind) -> Reading | None:
        """Return the newest counters of a kind."""


class Exported(Protocol):
    """What the exporter needs of a host."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def sampler(self) -> CountingSampler:
        """Its sampler."""


class _Watch:
    """One host: listens to its sampler while somebody scrapes."""

    def __init__(self, host: Exported, groups: Sequence[Group], wait_s: float) -> None:
        self.name = host.name
        self._host = host
        self._groups = groups
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._first = threading.Event()
        self._listening: Listening | None = None
        self._sample: Sample | None = None
        self._came = -math.inf
        self._asked = time.monotonic()

    def newest(self) -> Sample | None:
        """Return the newest sample; None when the host does not answer. Waits for the first only."""
        self._asked = time.monotonic()
        with self._lock:
            if self._listening is None:
                self._first.clear()
                try:
                    self._listening = self._host.sampler.listen(self._take, groups=self._groups)
                except LabvirtError as error:
                    _log.warning("exporter: %s", error.what)
                    return None
        self._first.wait(self._wait_s)
        late = max(10.0, 3 * self._host.sampler.interval_s)
        return self._sample if time.monotonic() - self._came <= late else None

    def counters(self, kind: Kind) -> Reading | None:
        return self._host.sampler.counters(kind)

    def rest(self, idle_s: float) -> None:
        """Stop listening when nobody has asked for so long."""
        if time.monotonic() - self._asked >= idle_s:
            self.close()

    def close(self) -> None:
        with self._lock:
            listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        self._sample = None

    def _take(self, sample: Sample) -> None:
        self._sample, self._came = sample, time.monotonic()
        self._first.set()


class Exporter:
    """Serves what is read of hosts to Prometheus.

    A scrape gets what the samplers read last, so it never waits for a guest; only the first one
    waits for the first reading. When nobody has scraped for `idle_s`, the samplers rest.

    Args:
        hosts: open hosts.
        groups: what is read; add ``vcpu`` and ``steal`` for single vCPUs and waiting times.
        idle_s: seconds without a scrape after which nothing is read any more.
        wait_s: how long a first scrape waits for the first reading, in seconds.

    Raises:
        UnsupportedError: prometheus-client is not installed (extra ``exporter``).
    """

    def __init__(
        self,
        hosts: Iterable[Exported],
        *,
        groups: Sequence[Group] = GROUPS,
        idle_s: float = 300.0,
        wait_s: float = 5.0,
    ) -> None:
        self._core = need("prometheus_client.core", "exporter", "export to Prometheus")
        self._watches = [_Watch(host, groups, wait_s) for host in hosts]
        self._idle_s = idle_s
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._rester: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Return the exporter itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- serving ----------------------------------------------------------------------------

    def serve(self, listen: str = ADDRESS) -> str:
        """Serve on a thread of its own until `close`; return the address, ``http://...``.

        Args:
            listen: ``ADDRESS:PORT``; port 0 takes a free one. Only loopback addresses are safe:
                there is no password.

        Raises:
            SpecError: it is no address.
            ConflictError: the port is in use.
            AccessDeniedError: the port may not be used.
        """
        import prometheus_client

        found = _ADDRESS.fullmatch(listen)
        if found is None or int(found["port"]) > 65535:
            raise SpecError(f"{listen!r} is no address to listen on", hint=f"such as {ADDRESS}")
        registry = prometheus_client.CollectorRegistry(auto_describe=False)
        registry.register(self)
        place = found["host"] or found["six"]
        try:
            self._server, self._thread = prometheus_client.start_http_server(
                int(found["port"]), place, registry
            )
        except OSError as error:
            raise _refused(error, listen) from None
        self._rester = threading.Thread(target=self._rest, name="labvirt-exporter", daemon=True)
        self._rester.start()
        shown = f"[{place}]" if found["six"] else place
        return f"http://{shown}:{self._server.server_port}/metrics"

    def close(self) -> None:
        """End the server and the listening; calling it twice is harmless."""
        self._ended.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for thread in (self._thread, self._rester):
            if thread is not None:
                thread.join(5)
        for watch in self._watches:
            watch.close()

    def text(self) -> str:
        """Return what a scrape gets now, in Prometheus's text format."""
        import prometheus_client

        registry = prometheus_client.CollectorRegistry(auto_describe=False)
        registry.register(self)
        return prometheus_client.generate_latest(registry).decode()

    def _rest(self) -> None:
        while not self._ended.wait(min(self._idle_s / 4, 5.0)):
            for watch in self._watches:
                watch.rest(self._idle_s)

    # -- what a scrape gets -----------------------------------------------------------------

    def describe(self) -> list[Any]:
        """Return nothing: `collect` is not called before the first scrape."""
        return []

    def collect(self) -> Iterator[Any]:
        """Return the metrics, for prometheus-client."""
        newest = [(watch, watch.newest()) for watch in self._watches]
        up = self._gauge("labvirt_up", "Whether the host answers.", ["host"])
        for watch, sample in newest:
            up.add_metric([watch.name], float(sample is not None))
        yield up
        known = [(watch, sample) for watch, sample in newest if sample is not None]
        when = self._gauge(
            "labvirt_sample_timestamp_seconds", "When the host was read last.", ["host"]
        )
        for watch, sample in known:
            when.add_metric([watch.name], sample.at)
        yield when
        yield from self._states(known)
        yield from self._metrics(known)

    def _gauge(self, name: str, text: str, labels: Sequence[str]) -> Any:
        return self._core.GaugeMetricFamily(name, text, labels=labels)

    def _states(self, known: Sequence[tuple[_Watch, Sample]]) -> Iterator[Any]:
        labels = [*labels_of("domain"), "state"]
        state = self._gauge("labvirt_domain_state", "1 for the state that it is in.", labels)
        text = "Whether its hypervisor process gives no answer."
        stalled = self._gauge("labvirt_domain_stalled", text, labels_of("domain"))
        for watch, sample in known:
            reading = watch.counters("domain")
            if reading is None:
                continue
            codes = reading.counters[:, 0].tolist()
            for subject, code in zip(reading.subjects, codes, strict=True):
                who = _labels(subject, sample, "domain")
                if 0 <= code < len(STATES):
                    state.add_metric([*who, STATES[int(code)]], 1.0)
                stalled.add_metric(who, float(subject.uuid in sample.stalled))
        yield state
        yield stalled

    def _metrics(self, known: Sequence[tuple[_Watch, Sample]]) -> Iterator[Any]:
        families: dict[str, Any] = {}
        readings = _Readings(known)
        for metric in METRICS:
            labels = [*labels_of(metric.kind), *(["mode"] if metric.mode else [])]
            family = families.get(metric.name)
            if family is None:
                made = (
                    self._core.CounterMetricFamily
                    if metric.type == "counter"
                    else self._core.GaugeMetricFamily
                )
                family = families[metric.name] = made(metric.name, metric.help, labels=labels)
            more = (metric.mode,) if metric.mode else ()
            for who, values, is_stalled in readings.rows(metric.kind):
                value = values[metric.column]
                if not math.isnan(value) and not (metric.slow and is_stalled):
                    family.add_metric((*who, *more), value * metric.scale)
        yield from (family for family in families.values() if family.samples)


class _Readings:
    """Labels and counters of every row, made once per scrape."""

    def __init__(self, known: Sequence[tuple[_Watch, Sample]]) -> None:
        self._known = known
        self._rows: dict[Kind, list[tuple[tuple[str, ...], list[float], bool]]] = {}

    def rows(self, kind: Kind) -> list[tuple[tuple[str, ...], list[float], bool]]:
        if kind not in self._rows:
            self._rows[kind] = [
                (_labels(subject, sample, kind), values, subject.uuid in sample.stalled)
                for watch, sample in self._known
                if (reading := watch.counters(kind)) is not None
                for subject, values in zip(reading.subjects, reading.counters.tolist(), strict=True)
            ]
        return self._rows[kind]


def _labels(subject: Subject, sample: Sample, kind: Kind) -> tuple[str, ...]:
    if kind == "host":
        return (subject.host,)
    name = sample.names.get(subject.uuid, subject.uuid)
    if kind == "domain":
        return (subject.host, name, subject.uuid)
    return (subject.host, name, subject.uuid, subject.device)


def _refused(error: OSError, listen: str) -> LabvirtError:
    asked = f"listen on {listen}"
    if error.errno == errno.EADDRINUSE:
        return ConflictError(
            asked,
            libvirt_text="the port is in use",
            hint="name another: --listen 127.0.0.1:PORT; see who has it: ss -ltnp",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return AccessDeniedError(
            asked, libvirt_text=error.strerror or str(error), hint="a port from 1024 on"
        )
    return SpecError(f"cannot {asked}: {error.strerror or error}")
