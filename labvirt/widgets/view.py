"""The widget: one anywidget for every live view; its code is fetched once per page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from labvirt.widgets.code import bundle, bundle_key, stub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Receive = Callable[[Mapping[str, Any]], None]

__all__ = ["LiveView", "kernel_is_busy"]


class LiveView(anywidget.AnyWidget):
    """A view of a feed. Its state holds no values, so a saved notebook stays small.

    Args:
        name: the widget's bundle in ``static/``.
        receive: takes what views send.
        engine: which renderer draws.
    """

    _esm = stub()
    _bundle = traitlets.Unicode().tag(sync=True)
    _engine = traitlets.Unicode().tag(sync=True)

    def __init__(self, name: str, receive: Receive, *, engine: str = "") -> None:
        super().__init__(_bundle=bundle_key(name), _engine=engine)
        self._lv_name, self._lv_receive = name, receive
        self._lv_lock = threading.Lock()
        self._lv_over = False
        self.on_msg(self._lv_take)
        self._lv_unbind()

    def _lv_unbind(self) -> None:
        """Let the kernel hear the page where the page says, not where the last message came from.

        ipykernel 7.4 routes what a page sends to the subshell in whose name the comm sent last. A
        thread sends in the name of the newest request, whose subshell may be gone when the page
        answers: every message of every view would be refused from then on. Without that note the
        page's own choice holds, which is a subshell that answers while a cell runs.
        """
        if self.comm is not None:
            self.comm.__dict__.pop("_reply_subshell_id", None)

    def send_code(self) -> None:
        """Send the widget's code to the page."""
        self.send_all({"t": "code", "key": bundle_key(self._lv_name)}, [bundle(self._lv_name)])

    def offer_code(self) -> None:
        """Send the code when this kernel has not done so yet; pages without it ask."""
        key = bundle_key(self._lv_name)
        with _watching:
            known = key in _offered
            _offered.add(key)
        if not known:
            self.send_code()

    def send_all(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        """Send a message to every page that shows the widget; from any thread."""
        with self._lv_lock:
            if not self._lv_over:
                self.send(message, buffers)
                self._lv_unbind()

    def _lv_take(self, _widget: Any, message: Any, _buffers: Any) -> None:
        if not isinstance(message, dict):
            return
        if message.get("t") == "code":
            self.send_code()
        elif message.get("t") == "library":
            self._lv_send_plotly(message.get("view"))
        else:
            self._lv_receive(message)

    def _lv_send_plotly(self, view: Any) -> None:
        """Send plotly.js to a page that has it from nowhere else; 4.8 MB."""
        message = {"t": "library", "view": view}
        try:
            from plotly.offline import get_plotlyjs

            self.send_all(message, [get_plotlyjs().encode()])
        except Exception as error:  # noqa: BLE001 - the view says why, and goes on without it
            self.send_all({**message, "error": str(error) or type(error).__name__}, [])

    def end(self) -> None:
        """Close the comm and drop every reference."""
        with self._lv_lock:
            if self._lv_over:
                return
            self._lv_over = True
        self.on_msg(self._lv_take, remove=True)
        self._lv_receive = lambda _message: None
        layout = self.layout
        self.close()
        # A widget of its own, with a comm of its own, which ipywidgets would keep for ever.
        layout.close()


_busy = threading.Event()
_watching = threading.Lock()
_watched: list[Any] = []
_offered: set[str] = set()


def kernel_is_busy() -> bool:
    """Return whether a cell is running, so that the kernel may not hear its views."""
    return _busy.is_set()


def watch_kernel() -> None:
    """Begin to note when cells run."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    with _watching:
        if shell is None or shell in _watched:
            return
        _watched.append(shell)
    shell.events.register("pre_run_cell", _began)
    shell.events.register("post_run_cell", _ended)
    kernel = getattr(shell, "kernel", None)
    parent = kernel.get_parent() if kernel is not None else {}
    # Made by a button and not by a cell: nothing would tell when it ends.
    if (parent or {}).get("header", {}).get("msg_type") == "execute_request":
        _busy.set()


def _began(_info: object = None) -> None:
    _busy.set()


def _ended(_result: object = None) -> None:
    _busy.clear()
