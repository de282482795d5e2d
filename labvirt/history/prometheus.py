"""PrometheusSource: what Prometheus keeps of labvirt's exporter, read as any history."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import math
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labvirt.errors import (
    AccessDeniedError,
    ConnectionLostError,
    HostError,
    SpecError,
    WaitTimeoutError,
)
from labvirt.history.amounts import seconds_of
from labvirt.history.frames import columns_of, find_domains, frame
from labvirt.history.metrics import PRESENT, promql
from labvirt.history.source import Window
from labvirt.history.windows import Loaded
from labvirt.status.sample import Mark, Subject
from labvirt.status.series import series_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from labvirt.history.source import Form
    from labvirt.status.series import Kind

__all__ = ["PrometheusSource"]

#: Prometheus gives at most 11,000 points of a line.
_POINTS: Final = 10_000
_LARGEST: Final = 256 * 2**20
_KNOWN_S: Final = 5.0


class PrometheusSource:
    """A Prometheus server that scrapes `labvirt exporter`; a `Source`.

    Rates are taken by Prometheus over four scrapes; marks are not kept there.

    Args:
        url: its address, ``http://host:9090``. A name and password in it are sent with each
            request and never shown.
        token: bearer token, sent likewise.
        every: pace of its scrapes, and of the points that are asked for.
        back: how far "from the first" goes back.
        timeout_s: limit of one request, in seconds.

    Raises:
        SpecError: the address or a length of time is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        every: float | str = "15 s",
        back: float | str = "1 d",
        timeout_s: float = 10.0,
    ) -> None:
        self._every_s = seconds_of(every, "every")
        self._back_s = seconds_of(back, "back")
        self._timeout_s = seconds_of(timeout_s, "timeout_s")
        self.url, self._headers = _address(url, token)
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if _is_loopback(self.url):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)
        self._subjects: dict[Kind, tuple[float, tuple[Subject, ...]]] = {}
        self._names: dict[str, str] = {}

    def __repr__(self) -> str:
        """Return one line, without secrets."""
        return f"<PrometheusSource {self.url}>"

    # -- as a Source ------------------------------------------------------------------------

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first and last sample of the last `back`; None without any.

        Raises:
            ConnectionLostError: the server does not answer.
        """
        times = [
            float(at)
            for line in self._range(PRESENT["host"], *self._grid(None, None))
            for at, _ in line["values"]
        ]
        return (min(times), max(times)) if times else None

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom there are samples of in the last `back`."""
        columns_of(kind, None)
        known = self._subjects.get(kind)
        if known is not None and time.monotonic() - known[0] < _KNOWN_S:
            return known[1]
        now = time.time()
        found = self._get(
            "series", {"match[]": PRESENT[kind], "start": now - self._back_s, "end": now}
        )
        who = tuple(sorted({_subject(labels) for labels in found}))
        self._subjects[kind] = (time.monotonic(), who)
        if kind == "domain":
            self._names |= {each["uuid"]: each["domain"] for each in found if "uuid" in each}
            # Of several names the one it has now.
            for line in self._get("query", {"query": PRESENT["domain"]})["result"]:
                self._names[line["metric"].get("uuid", "")] = line["metric"].get("domain", "")
        return who

    def name(self, uuid: str) -> str:
        """Return the last known name of a domain, its UUID when none is known."""
        if uuid and uuid not in self._names:
            self.subjects("domain")
        return self._names.get(uuid) or uuid

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one subject; see `Source.window`.

        Raises:
            SpecError: there is no such series.
            ConnectionLostError: the server does not answer.
            WaitTimeoutError: it does not answer in time.
        """
        columns_of(kind, fields)
        found = self._windows(kind, fields, start, end, subject)
        return found.get(subject) or Window(np.empty(0), np.empty((len(fields), 0)))

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return nothing: Prometheus keeps no marks."""
        del start, end
        return ()

    def df(
        self,
        kind: Kind = "domain",
        *,
        fields: Sequence[str] | None = None,
        domains: Iterable[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        form: Form = "long",
    ) -> pd.DataFrame:
        """Return samples as a table; see `Source.df`.

        Raises:
            SpecError: there is no such series, kind or form.
        """
        names = [series_of(kind)[column].name for column in columns_of(kind, fields)]
        wanted = find_domains(self, kind, domains)
        one = wanted[0] if len(wanted) == 1 else None
        loaded = Loaded(self, lambda: self._windows(kind, names, start, end, one))
        return frame(loaded, kind, fields=names, domains=domains, start=start, end=end, form=form)

    # -- inside -----------------------------------------------------------------------------

    def _grid(self, start: float | None, end: float | None) -> tuple[float, float, float]:
        """Return first, last and pace of the points that are asked for."""
        last = time.time() if end is None else end
        first = last - self._back_s if start is None else start
        step = self._every_s * max(1, math.ceil((last - first) / self._every_s / _POINTS))
        return math.ceil(first / step) * step, last, step

    def _windows(
        self,
        kind: Kind,
        fields: Sequence[str],
        start: float | None,
        end: float | None,
        subject: Subject | None,
    ) -> dict[Subject, Window]:
        first, last, step = self._grid(start, end)
        count = int((last - first) / step) + 1
        if count < 1:
            return {}
        selector = "" if subject is None else _selector(subject, kind)
        values: dict[Subject, Any] = {}
        for row, name in enumerate(fields):
            window_s = max(4 * self._every_s, step)
            asked = promql(kind, name, selector=selector, window_s=window_s)
            for line in self._range(asked, first, last, step):
                points = np.array(line["values"], dtype=np.float64).reshape(-1, 2)
                who = _subject(line["metric"])
                cells = values.setdefault(who, np.full((len(fields), count), np.nan))
                cells[row, np.rint((points[:, 0] - first) / step).astype(int)] = points[:, 1]
        times = first + step * np.arange(count)
        out = {}
        for who, cells in values.items():
            cells[np.isinf(cells)] = np.nan
            known = ~np.isnan(cells).all(axis=0)
            out[who] = Window(times[known], cells[:, known])
        return out

    def _range(self, query: str, first: float, last: float, step: float) -> list[Any]:
        if last < first:
            return []
        asked = {"query": query, "start": first, "end": last, "step": step}
        return list(self._get("query_range", asked)["result"])

    def _get(self, what: str, values: Mapping[str, Any]) -> Any:
        """Return the data of one answer.

        Raises:
            ConnectionLostError: the server does not answer.
            WaitTimeoutError: it does not answer in time.
            AccessDeniedError: it wants another name, password or token.
            HostError: it refuses.
        """
        asked = f"ask Prometheus for its {what.replace('_', ' ')}"
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            f"{self.url}/api/v1/{what}",
            data=urllib.parse.urlencode(values).encode(),
            headers=self._headers,
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                body = answer.read(_LARGEST + 1)
            if len(body) > _LARGEST:
                raise HostError(
                    asked,
                    uri=self.url,
                    libvirt_text="the answer is too large",
                    hint="ask for fewer series or a shorter span",
                )
            return json.loads(body)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(asked, error) from None
        except TimeoutError:
            raise self._late() from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError | socket.timeout):
                raise self._late() from None
            why = getattr(error.reason, "strerror", None) or str(error.reason)
            raise ConnectionLostError(
                asked, uri=self.url, libvirt_text=why, hint="is Prometheus running there?"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionLostError(
                asked, uri=self.url, libvirt_text=str(error) or repr(error)
            ) from None
        except (ValueError, KeyError, TypeError):
            raise HostError(
                asked,
                uri=self.url,
                libvirt_text="the answer is not Prometheus's",
                hint="is this the address of a Prometheus server?",
            ) from None

    def _late(self) -> WaitTimeoutError:
        return WaitTimeoutError(
            f"Prometheus at {self.url} to answer",
            timeout_s=self._timeout_s,
            likely_cause="it is busy, or a firewall swallows the request",
        )

    def _refused(self, asked: str, error: urllib.error.HTTPError) -> HostError:
        if error.code in (401, 403):
            return AccessDeniedError(
                asked,
                uri=self.url,
                libvirt_text=f"HTTP {error.code}",
                hint="give name and password in the URL, or token=",
            )
        try:
            said = str(json.loads(error.read(65536))["error"])
        except (ValueError, KeyError, TypeError, OSError):
            said = f"HTTP {error.code} {error.reason}"
        if 300 <= error.code < 400:
            said = f"it sends on to another address (HTTP {error.code})"
        return HostError(asked, uri=self.url, libvirt_text=said[:300])


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow nobody to another address: name and password would go there too."""

    def redirect_request(self, *_: object) -> None:
        """Refuse."""


def _address(url: str, token: str | None) -> tuple[str, dict[str, str]]:
    """Return the address without secrets, and the headers with them."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        raise SpecError("the address of Prometheus is no URL", hint="http://host:9090") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise SpecError(
            "the address of Prometheus is not http:// or https:// with a host, or has a query",
            hint="such as http://host:9090",
        )
    headers = {"Accept": "application/json"}
    if parts.username is not None:
        pair = (
            f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        )
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}", headers


def _is_loopback(url: str) -> bool:
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _subject(labels: Mapping[str, str]) -> Subject:
    return Subject(labels.get("host", ""), labels.get("uuid", ""), labels.get("device", ""))


def _selector(subject: Subject, kind: Kind) -> str:
    pairs = {"host": subject.host}
    if kind != "host":
        pairs["uuid"] = subject.uuid
    if kind not in ("host", "domain"):
        pairs["device"] = subject.device
    return ",".join(f"{name}={json.dumps(value)}" for name, value in pairs.items())
