"""Reading from Prometheus when it is not there, refuses, is late, or is something else."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time

import pytest

from labvirt.errors import (
    AccessDeniedError,
    ConnectionLostError,
    HostError,
    SpecError,
    WaitTimeoutError,
)
from labvirt.history import PrometheusSource


@pytest.fixture
def server():
    """A server that answers what it is told to; remembers what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.asked.append((self.path, dict(self.headers)))
            code, body, headers = self.server.answer
            if code is None:
                time.sleep(1.5)
                return
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - its base class calls it so

        def log_message(self, *_):
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked = []
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    made.address = f"127.0.0.1:{made.server_port}"
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def test_name_password_and_token_are_sent_and_never_shown(server):
    server.answer = (401, b"no", {})
    source = PrometheusSource(f"http://ann:s3cret@{server.address}/prom/")
    with pytest.raises(AccessDeniedError) as caught:
        source.span()
    assert server.asked[0][0] == "/prom/api/v1/query_range"
    assert server.asked[0][1]["Authorization"] == "Basic YW5uOnMzY3JldA=="
    told = f"{caught.value} {source!r} {source.url}"
    assert "s3cret" not in told
    assert "ann" not in told
    with pytest.raises(AccessDeniedError) as caught:
        PrometheusSource(f"http://{server.address}", token="t0ken").span()
    assert server.asked[1][1]["Authorization"] == "Bearer t0ken"
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((400, json.dumps({"status": "error", "error": "parse error at 7"}).encode(), {}),
         HostError, "parse error at 7"),
        ((503, b"sleeping", {}), HostError, "HTTP 503"),
        ((200, b"<html>", {}), HostError, "not Prometheus's"),
        ((200, b"{}", {}), HostError, "not Prometheus's"),
        ((302, b"", {"Location": "http://127.0.0.1:1/"}), HostError, "another address"),
        ((None, b"", {}), WaitTimeoutError, "to answer"),
    ],
    ids=["refused", "busy", "html", "other json", "redirect", "late"],
)  # fmt: skip
def test_what_it_says_is_told(server, answer, error, words):
    server.answer = answer
    with pytest.raises(error, match=words):
        PrometheusSource(f"http://{server.address}", timeout_s=0.5).span()


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionLostError, match="Connection refused"):
        PrometheusSource(f"http://u:p@127.0.0.1:{port}").subjects("domain")


@pytest.mark.parametrize(
    "url",
    ["ftp://host", "host:9090", "http://", "http://host:x", "http://h/?q=1", "http://h:99999"],
)
def test_an_address_that_is_none(url):
    with pytest.raises(SpecError, match="Prometheus"):
        PrometheusSource(url)


def test_an_empty_server_has_nothing(server):
    server.answer = (200, json.dumps({"status": "success", "data": {"result": []}}).encode(), {})
    source = PrometheusSource(f"http://{server.address}")
    assert source.span() is None
    assert source.marks() == ()
    with pytest.raises(SpecError, match="no series"):
        source.window("domain", ("alpha", "u", ""), ["cpu_procent"])
