"""A real Prometheus that scrapes one address each second."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.request


def read(address, timeout_s=10):
    """Return what an address says, past any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=timeout_s) as file:
        return file.read().decode()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(claim, what="", timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not (found := claim()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what or claim}"
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def scraping(address, folder):
    """Give the address of a Prometheus that scrapes an exporter."""
    folder.mkdir()
    target = address.removeprefix("http://").removesuffix("/metrics")
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "900ms"},
        "scrape_configs": [{"job_name": "labvirt", "static_configs": [{"targets": [target]}]}],
    }
    # YAML is a superset of JSON
    (folder / "prometheus.yml").write_text(json.dumps(config))
    url = f"http://127.0.0.1:{free_port()}"
    asked = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(asked, stdout=log, stderr=log)
        try:
            wait_for(lambda: is_ready(url), (folder / "log").read_text()[-2000:])
            yield url
        finally:
            process.terminate()
            process.wait(20)


def is_ready(url):
    try:
        read(f"{url}/-/ready")
    except OSError:
        return False
    return True
