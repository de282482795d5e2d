"""The tour of the manager as a page without cells, by Voila."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

import labvirt as lv

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        importlib.util.find_spec("voila") is None, reason="no voila (pip install 'labvirt[voila]')"
    ),
]


class Page:
    """Voila on a notebook, with folders of its own."""

    def __init__(self, book, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        token = secrets.token_hex(8)
        self.address = f"http://127.0.0.1:{port}/?token={token}"
        places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        self.log = (folder / "voila.log").open("wb")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "voila", str(book), "--no-browser", f"--port={port}"),
                *("--Voila.ip=127.0.0.1", f"--token={token}"),
            ],
            env={
                **os.environ,
                **{name: str(folder / name.lower()) for name in places},
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            },
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        until = time.monotonic() + 60
        while not self.answers(port):
            assert self.process.poll() is None, (folder / "voila.log").read_text()
            assert time.monotonic() < until, (folder / "voila.log").read_text()
            time.sleep(0.1)

    @staticmethod
    def answers(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


@pytest.fixture
def voila(tmp_path):
    """Voila on a copy of the tour with a lab of its own."""
    name = f"voila-{os.getpid()}"
    book = nbformat.read(ROOT / "notebooks" / "manager.ipynb", as_version=4)
    (cell,) = [each for each in book.cells if each.id == "parameters"]
    cell.source = cell.source.replace('"manager"', repr(name))
    assert name in cell.source
    nbformat.write(book, tmp_path / "manager.ipynb")
    page = Page(tmp_path / "manager.ipynb", tmp_path)
    yield page
    page.stop()
    # The kernel ends with Voila, and the lab with its kernel.
    until = time.monotonic() + 30
    while name in {lab.name for lab in lv.Lab.list()}:
        assert time.monotonic() < until, "the lab outlived its page"
        time.sleep(0.2)


@pytest.mark.slow(seconds=20)
def test_the_tour_is_a_live_page_without_cells(voila, browser, artefacts):
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(voila.address, wait_until="commit")
    # The page comes when every cell has been run.
    page.wait_for_selector(".labvirt-manager [data-lv=ready]", timeout=150_000)
    assert page.get_by_text("import labvirt as lv").count() == 0, "no code is shown"
    for name in ("Create VM", "Create network", "Create pool", "Create volume"):
        page.get_by_role("button", name=name, exact=True).first.wait_for()
    manager = page.locator(".labvirt-manager")
    manager.get_by_role("tab", name="Storage").click()
    manager.get_by_text("default").first.wait_for()
    manager.get_by_role("tab", name="Virtual machines").click()
    page.wait_for_selector(".lv-screen canvas", timeout=40_000)
    page.wait_for_selector("[data-lv=ready][data-line=open] .xterm-rows", timeout=40_000)
    page.locator(".xterm-helper-textarea").first.focus()
    page.keyboard.type("echo from-$((3+4))-voila\n")
    page.wait_for_function(
        "() => /from-7-voila/.test(document.querySelector('.xterm-rows').innerText)", timeout=30_000
    )
    page.screenshot(path=artefacts / "voila.png", full_page=True)
    assert page.get_by_text("object at 0x").count() == 0
    assert faults == []
    context.close()
