"""ByteView: the widget of a console: messages of its views keep their bytes."""

from __future__ import annotations

from typing import Any

from labvirt.widgets.view import LiveView

__all__ = ["ByteView"]


class ByteView(LiveView):
    """A live view whose pages send bytes; they come in ``message["bytes"]``."""

    def _lv_take(self, widget: Any, message: Any, buffers: Any) -> None:
        if isinstance(message, dict) and buffers:
            message = {**message, "bytes": b"".join(bytes(each) for each in buffers)}
        super()._lv_take(widget, message, buffers)
