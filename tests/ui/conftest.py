"""A real JupyterLab and a real browser, one server for all and one page per module.

Pictures go to the folder that ``LABVIRT_UI_ARTEFACTS`` names, else to pytest's own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ROOT = Path(__file__).parent.parent.parent
SYNTHETIC = ROOT / "tests" / "widgets"

SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Else cells that are out of sight leave the page.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


def _load(name):
    """Load a helper beside the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


_load("hands")
_load("pages")


def pytest_collection_modifyitems(items):
    skip = pytest.mark.skip(reason="no chromium (Debian package chromium)")
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(240))
            if CHROMIUM is None:
                item.add_marker(skip)


class Server:
    """A JupyterLab with folders of its own.

    Args:
        prompt: with labvirt's extension of the server, which is on where labvirt is installed.
    """

    def __init__(self, folder, *, prompt=True):
        self.folder, self.token = folder, secrets.token_hex(16)
        self.books = folder / "books"
        self.books.mkdir()
        names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
        places = {f"JUPYTER_{name}": str(folder / name.lower()) for name in names}
        settings = folder / "settings"
        for plugin, values in SETTINGS.items():
            file = settings / f"{plugin}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = (folder / "server.log").open("wb")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0"),
                f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.books}",
                "--LabApp.expose_app_in_browser=True",
                f"--ServerApp.jpserver_extensions=labvirt.server={prompt}",
            ],
            env={
                **os.environ,
                **places,
                "IPYTHONDIR": str(folder / "ipython"),
                "JUPYTERLAB_SETTINGS_DIR": str(settings),
                "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
                "PYTHONPATH": f"{ROOT}{os.pathsep}{SYNTHETIC}",
            },
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.wait()

    def wait(self):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port}/api/status?token={self.token}", timeout=5
                ).close()
            except urllib.error.HTTPError as error:
                error.close()  # not ready yet
                time.sleep(0.1)
            except OSError:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()
                time.sleep(0.1)
            else:
                return
        raise TimeoutError((self.folder / "server.log").read_text())

    def book(self, name, *cells):
        """Write a notebook and return its name."""
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        made.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(made, self.books / f"{name}.ipynb")
        return f"{name}.ipynb"

    def stop(self):
        # Its kernels are in its session and end with it; SIGTERM asks nobody.
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser():
    """A browser, for one file: Playwright's loop must not run on under the tests of others."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory):
    """Folder of pictures."""
    named = os.environ.get("LABVIRT_UI_ARTEFACTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Book:
    """A notebook in the page: run it, ask its kernel, look at its charts."""

    def __init__(self, lab, name):
        self.lab, self.name, self.page = lab, name, lab.page

    def run(self):
        """Run all cells; returns when each has been answered."""
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells').then(() => true)")
        return self

    def ask(self, code, timeout_s=30):
        """Run code in the kernel, without a cell, and return what it printed."""
        return self.page.evaluate(
            """async ([code, limit]) => {
              const {kernel} = jupyterapp.shell.currentWidget.sessionContext.session;
              const future = kernel.requestExecute({code, store_history: false});
              let text = '';
              future.onIOPub = (message) => {
                if (message.header.msg_type === 'stream') text += message.content.text;
                if (message.header.msg_type === 'error') text += message.content.traceback.join('');
              };
              const late = new Promise((_, no) => setTimeout(() => no(new Error('late')), limit));
              await Promise.race([future.done, late]);
              return text;
            }""",
            [code, timeout_s * 1000],
        )

    def cell(self, source):
        """Add a cell at the end, run it alone, and return when it has been answered."""
        self.page.evaluate(
            """async (source) => {
              const {content} = jupyterapp.shell.currentWidget;
              content.activeCellIndex = content.widgets.length - 1;
              await jupyterapp.commands.execute('notebook:insert-cell-below');
              content.activeCell.model.sharedModel.setSource(source);
              await jupyterapp.commands.execute('notebook:run-cell');
            }""",
            source,
        )

    def run_cell(self, index):
        """Run one cell again."""
        self.page.evaluate(
            """async (index) => {
              const {content} = jupyterapp.shell.currentWidget;
              content.activeCellIndex = index;
              content.deselectAll();
              await jupyterapp.commands.execute('notebook:run-cell');
            }""",
            index,
        )

    @property
    def boards(self):
        """The boards that are in the page."""
        return self.page.locator("[data-lv]")

    @property
    def errors(self):
        """What cells said on stderr or failed with."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('.jp-OutputArea-output')]
              .filter((el) => /stderr|error/.test(el.dataset.mimeType || ''))
              .map((el) => el.innerText)"""
        )

    def until(self, code, wanted, timeout_s=20):
        """Wait until the kernel prints something for an expression."""
        until = time.monotonic() + timeout_s
        while (found := self.ask(f"print({code})").strip()) != wanted:
            assert time.monotonic() < until, f"{code} is {found}, not {wanted}"
            self.page.wait_for_timeout(100)

    def wait(self, expression, timeout_s=20):
        """Wait until an expression holds in the page."""
        self.page.wait_for_function(expression, timeout=timeout_s * 1000)

    def close(self):
        self.page.evaluate(
            """async () => {
              const widget = jupyterapp.shell.currentWidget;
              await widget.sessionContext.shutdown();
              widget.context.model.dirty = false;
              widget.close();
            }"""
        )


KERNEL_IDLE = """() => {
  const widget = window.jupyterapp?.shell.currentWidget;
  return widget?.context?.path === %r && widget.sessionContext.session?.kernel?.status === 'idle';
}"""


class Lab:
    """A page with JupyterLab in it; notebooks are opened one after another."""

    def __init__(self, browser, server, artefacts, name):
        self.server, self.artefacts = server, artefacts
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000})
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.faults = []
        self.page.on("pageerror", lambda error: self._fault(str(error)))
        self.frames = []  # (bytes, time) of what came over web sockets
        self.page.on("websocket", self._socket)
        self.workspace = f"auto-{name}"
        self.page.goto(self.url(), wait_until="commit")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
        self.page.wait_for_function(
            "() => ['docmanager:open', 'notebook:run-all-cells', 'apputils:change-theme'].every("
            "(name) => window.jupyterapp?.commands.hasCommand(name))",
            timeout=60_000,
        )
        self.page.evaluate("() => jupyterapp.restored.then(() => true)")

    def _fault(self, text):
        # anywidget allows a page 2 s; a machine that is busy needs longer, and the view goes on.
        if "Failed to initialize model" not in text:
            self.faults.append(text)

    def url(self, path=""):
        tree = f"/tree/{path}" if path else ""
        base = f"http://127.0.0.1:{self.server.port}/lab/workspaces/{self.workspace}{tree}"
        return f"{base}?token={self.server.token}&reset"

    def again(self, book, seen):
        """Load the page anew until it shows what a selector means.

        JupyterLab itself may lose its widgets at that (ipywidgets#3823): once more, then.
        """
        for _ in range(4):
            self.page.goto(self.url(book.name).replace("&reset", ""), wait_until="commit")
            found = self.page.wait_for_function(
                """(seen) => document.querySelector(seen) ? 'view'
                  : document.body?.innerText.includes('model not found') ? 'lost' : null""",
                arg=seen,
                timeout=60_000,
            ).json_value()
            if found == "view":
                return
        text = self.page.locator(".jp-NotebookPanel").first.inner_text()
        raise AssertionError(f"the page shows no widget after four loads: {text[-2000:]}")

    def still(self, locator):
        """Wait until a part of the page looks the same for a moment."""
        before = None
        for _ in range(100):
            now = locator.evaluate("el => [el.innerText, el.scrollWidth, el.scrollHeight]")
            if now == before:
                return
            before = now
            self.page.wait_for_timeout(200)

    def laid_out(self):
        """Wait until the page is laid out in its new size."""
        self.page.evaluate(
            "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
        )

    def hear(self, count):
        """Wait until so many more messages came from kernels."""
        wanted = len(self.frames) + count
        until = time.monotonic() + 40
        while len(self.frames) < wanted:
            assert time.monotonic() < until, "the kernel says nothing"
            self.page.wait_for_timeout(50)

    def _socket(self, socket):
        if "/channels" in socket.url:
            socket.on("framereceived", lambda data: self.frames.append((len(data), time.time())))

    def open(self, name, *cells, run=True):
        """Make a notebook, open it, and wait for its kernel."""
        path = self.server.book(name, *cells)
        self.page.evaluate(
            "(path) => jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'})"
            ".then(() => true)",
            path,
        )
        try:
            self.page.wait_for_function(KERNEL_IDLE % path, timeout=30_000)
        except Exception:
            self.picture(f"failed-open-{name}")
            raise
        book = Book(self, path)
        return book.run() if run else book

    def theme(self, dark):
        """Switch JupyterLab's theme."""
        name = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', {theme})"
            ".then(() => true)",
            name,
        )
        self.page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light", arg=str(not dark).lower()
        )

    def picture(self, name, locator=None):
        """Keep a picture of the page or a part of it."""
        (locator or self.page).screenshot(path=self.artefacts / f"{name}.png")

    def tall(self, name, locator, width=1280):
        """Keep a picture of a part that may be higher than the window; returns what sticks out."""
        before = self.page.viewport_size
        # JupyterLab's side bars take about 380 pixels.
        self.page.set_viewport_size({"width": width, "height": 1000})
        self.laid_out()
        high = locator.evaluate("el => el.scrollHeight")
        self.page.set_viewport_size({"width": width, "height": int(high) + 300})
        locator.scroll_into_view_if_needed()
        self.laid_out()
        self.picture(name, locator)
        found = locator.evaluate(sys.modules["pages"].STICKING)
        self.page.set_viewport_size(before)
        return found

    def close(self):
        self.context.close()


@pytest.fixture(scope="module")
def jupyter(browser, server, artefacts, request):
    """A page with JupyterLab, for a whole module."""
    lab = Lab(browser, server, artefacts, request.module.__name__.rpartition(".")[2])
    yield lab
    lab.close()


@pytest.fixture(autouse=True)
def kept_picture(request, artefacts):
    """Keep a picture of the page of a test that fails."""
    yield
    if "jupyter" in request.fixturenames and getattr(request.node, "failed", False):
        lab = request.getfixturevalue("jupyter")
        lab.page.screenshot(path=artefacts / f"failed-{request.node.name}.png")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        item.failed = True
    return report
