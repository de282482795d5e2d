"""The extension of Jupyter's server: the web sockets of kernels send at once."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from tornado import httpserver, testing, web, websocket

import labvirt
from labvirt import server

KEY = "kernel_websocket_connection_class"
ROOT = Path(labvirt.__file__).parent


class Connection:
    """As much of a kernel's connection as the server's handler uses."""

    def __init__(self, handler):
        self.websocket_handler = handler

    def connect(self):
        return "connected"


class Handler(websocket.WebSocketHandler):
    """Opens a connection as Jupyter's handler does."""

    def open(self):
        answer = self.settings[KEY](self).connect()
        stream = self.ws_connection.stream
        on = stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        self.write_message(f"{answer} {bool(on)}")


@pytest.mark.parametrize("loaded", [False, True])
def test_the_web_socket_of_a_kernel_does_not_wait(loaded):
    async def ask():
        app = web.Application([("/", Handler)], **{KEY: Connection})
        if loaded:
            server._load_jupyter_server_extension(SimpleNamespace(web_app=app))
        sock, port = testing.bind_unused_port()
        http = httpserver.HTTPServer(app)
        http.add_socket(sock)
        page = await websocket.websocket_connect(f"ws://127.0.0.1:{port}/")
        answer = await asyncio.wait_for(page.read_message(), 20)
        page.close()
        http.stop()
        await http.close_all_connections()
        return answer

    assert asyncio.run(ask()) == f"connected {loaded}"


def test_a_socket_that_cannot_is_served_all_the_same():
    def refuse(_on):
        raise OSError("not with this one")

    made = server.at_once(Connection)(SimpleNamespace(set_nodelay=refuse))
    assert made.connect() == "connected"
    assert type(made).__name__ == "PromptConnection"


def test_a_server_without_kernels_is_left_alone():
    app = SimpleNamespace(settings={})
    server._load_jupyter_server_extension(SimpleNamespace(web_app=app))
    assert app.settings == {}


def test_jupyter_finds_and_takes_it():
    """What is installed beside Jupyter's server names the module, and the server knows its point."""
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    (source, place), *_ = shared.items()
    assert place == "etc/jupyter/jupyter_server_config.d/labvirt.json"
    told = json.loads((ROOT.parent / source).read_text())
    assert told == {"ServerApp": {"jpserver_extensions": {"labvirt.server": True}}}
    code = (
        "import sys\n"
        "from jupyter_server.extension.manager import ExtensionPackage\n"
        "package = ExtensionPackage(name='labvirt.server', enabled=True)\n"
        "assert package.validate() and list(package.extension_points) == ['labvirt.server']\n"
        "assert not {'libvirt', 'pandas', 'ipywidgets'} & set(sys.modules), 'the server stays light'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
