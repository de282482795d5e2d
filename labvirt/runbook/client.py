"""The client of a kernel: nbclient, with outputs redacted, limited and told as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from nbclient.client import NotebookClient

from labvirt.errors import RunError
from labvirt.runbook.streams import join_streams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["STEP_MIME", "Masker", "RunClient", "Told"]

STEP_MIME: Final = "application/vnd.labvirt.step+json"
"""What ``labvirt.step()`` displays; the runner takes the news of a step from it."""

_KEPT: Final = 256 * 1024
"""Characters of one stream of one cell that stay in the notebook; the rest is in a side file."""


class Masker(Protocol):
    """Takes secrets out; see `labvirt.runbook.secrets.Redactor`."""

    def text(self, text: str, /) -> str:
        """Return text without them."""

    def deep(self, value: Any, /) -> Any:
        """Return plain data without them."""

    def stream(self) -> Any:
        """Return something with ``feed(text)`` and ``flush()`` for text that comes in parts."""


class Told(Protocol):
    """Takes events; see `labvirt.runbook.events.EventLog`."""

    def write(self, kind: str, **fields: Any) -> Any:
        """Take one event."""


class RunClient(NotebookClient):
    """Executes cells; everything that a kernel says goes through here.

    Args:
        notebook: the notebook that is being executed, edited in place.
        kernel: a started `labvirt.runbook.kernel.Kernel`.
        log: where outputs are told.
        masker: takes secrets out.
        folder: the run's folder; long outputs go to ``outputs/`` in it.
        on_step: called with what ``labvirt.step()`` told.
    """

    def __init__(
        self,
        notebook: Any,
        *,
        log: Told,
        masker: Masker,
        folder: Path,
        on_step: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__(
            notebook,
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=False,  # `join_streams` does it
            iopub_timeout=30,
            timeout_func=self._limit_of,
        )
        self._log, self._masker, self._folder, self._on_step = log, masker, folder, on_step
        self._limit_s: float | None = None
        self._is_secret = False
        self._streams: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}

    def _limit_of(self, _: Any) -> float | None:
        return self._limit_s

    async def run_cell(self, index: int, *, limit_s: float | None, secret: bool) -> None:
        """Execute one cell.

        Raises:
            CellExecutionError, CellTimeoutError, DeadKernelError: nbclient's own.
        """
        self._limit_s, self._is_secret = limit_s, secret
        self._streams, self._sizes = {}, {}
        cell = self.nb.cells[index]
        # The tag would make nbclient skip what is to be run now (undo, remediate).
        tags = cell.metadata.get("tags", [])
        skipped = self.skip_cells_with_tag in tags
        if skipped:
            cell.metadata["tags"] = [tag for tag in tags if tag != self.skip_cells_with_tag]
        try:
            await self.async_execute_cell(cell, index)
        finally:
            cell.outputs = join_streams(cell.outputs)
            if skipped:
                cell.metadata["tags"] = tags

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Take a message of the kernel: mask it, tell it, keep it."""
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream":
            return self._text(msg, cell, cell_index)
        if kind == "status" and content.get("execution_state") == "idle":
            self._flush(cell, cell_index)
        elif kind in ("display_data", "execute_result", "update_display_data", "error"):
            content.update(
                self._masker.deep({k: v for k, v in content.items() if k != "transient"})
            )
            self._flush(cell, cell_index)
            self._step_news(content)
            if self._is_secret and kind != "error":
                return None
        elif kind == "clear_output" and not content.get("wait"):
            self._log.write("clear", cell=cell_index)
        if kind == "update_display_data":
            self._tell_update(content)
        return super().process_message(msg, cell, cell_index)

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: Any, cell_index: int) -> Any:
        """Keep an output and tell it."""
        waits = self.clear_before_next_output
        made = super().output(outs, msg, display_id, cell_index)
        if waits and not self.clear_before_next_output:
            self._log.write("clear", cell=cell_index)
        if made is not None:
            more = {"display_id": display_id} if display_id else {}
            self._log.write("output", cell=cell_index, output=made, **more)
        return made

    def _tell_update(self, content: dict[str, Any]) -> None:
        number = (content.get("transient") or {}).get("display_id")
        if number:
            data = {"data": content["data"], "metadata": content["metadata"]}
            self._log.write("update", cell=-1, display_id=number, output=data)

    def _step_news(self, content: dict[str, Any]) -> None:
        news = (
            content.get("data", {}).get(STEP_MIME)
            if isinstance(content.get("data"), dict)
            else None
        )
        if isinstance(news, dict):
            self._on_step(news)

    # -- text, which comes in parts ---------------------------------------------------------

    def _text(self, msg: dict[str, Any], cell: Any, index: int) -> Any:
        name = msg["content"]["name"]
        stream = self._streams.setdefault(name, self._masker.stream())
        return self._put(name, stream.feed(msg["content"]["text"]), msg, cell, index)

    def _flush(self, cell: Any, index: int) -> None:
        """Give out what was held back because it might have been the beginning of a secret."""
        for name, stream in self._streams.items():
            self._put(name, stream.flush(), None, cell, index)

    def _put(self, name: str, text: str, msg: dict[str, Any] | None, cell: Any, index: int) -> Any:
        if not text or self._is_secret:
            return None
        size = self._sizes.get(name, 0)
        self._sizes[name] = size + len(text)
        if size + len(text) > _KEPT:
            text = self._overflow(name, text, size, cell, index)
        if not text:
            return None
        made = {
            "msg_type": "stream",
            "content": {"name": name, "text": text},
            "parent_header": (msg or {}).get("parent_header", {}),
            # What was held back comes without a message, and may be the first of its output.
            "header": (msg or {}).get("header", {"msg_type": "stream"}),
            "metadata": {},
        }
        return self.output(cell.outputs, made, None, index)

    def _overflow(self, name: str, text: str, size: int, cell: Any, index: int) -> str:
        """Write what is too long into a side file and return what still fits."""
        kept = text[: max(_KEPT - size, 0)]
        path = self._folder / "outputs" / f"cell{index + 1}-{name}.txt"
        before = ""
        if size <= _KEPT:
            before = "".join(
                out.text for out in cell.outputs if out.output_type == "stream" and out.name == name
            )
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with path.open("a", encoding="utf-8", errors="backslashreplace") as side:
                side.write(before + text)
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error.strerror}") from error
        place = str(path.relative_to(self._folder))
        listed = cell.metadata.setdefault("labvirt", {}).setdefault("side_files", [])
        if place in listed:
            return kept
        listed.append(place)
        return f"{kept}\n[... more in {place}]\n"
