"""An extension of Jupyter's server that lets small messages of kernels go to the page at once.

The server leaves Nagle's algorithm on for the web sockets of kernels: a small message waits there
until the page has acknowledged the one before, which browsers do some 40 ms late. That is the most
of the time from a key to its echo in a console. The extension sets TCP_NODELAY and does nothing else.

It is installed with labvirt and turned on by itself, where labvirt stands beside Jupyter's server;
``pip install labvirt[server]`` brings a server too. ``jupyter server extension disable
labvirt.server`` turns it off.
"""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["at_once"]

_CLASS = "kernel_websocket_connection_class"
_log = logging.getLogger("labvirt")


def at_once(base: type[Any]) -> type[Any]:
    """Return a class of kernel connections whose web socket has TCP_NODELAY set.

    Args:
        base: the class the server uses; what it does stays as it is.
    """

    class PromptConnection(base):  # type: ignore[misc]  # the server chooses it
        """The server's connection between a kernel and a web socket, without Nagle's algorithm."""

        def connect(self) -> Any:
            try:
                self.websocket_handler.set_nodelay(True)
            except Exception as error:  # noqa: BLE001 - slower echoes must not cost the kernel
                _log.warning("TCP_NODELAY cannot be set: %s", error)
            return super().connect()

    PromptConnection.__name__ = PromptConnection.__qualname__ = f"Prompt{base.__name__}"
    return PromptConnection


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "labvirt.server"}]


def _load_jupyter_server_extension(server: Any) -> None:
    settings = server.web_app.settings
    base = settings.get(_CLASS)
    if base is not None:
        settings[_CLASS] = at_once(base)
