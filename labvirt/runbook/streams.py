"""The streams of a cell, put together when it has ended."""

from __future__ import annotations

from typing import Any

__all__ = ["join_streams"]


def join_streams(outputs: list[Any]) -> list[Any]:
    """Return outputs with one text for each stream, standard output before standard error.

    The same as what nbclient makes with ``coalesce_streams``, which takes time that grows with the
    square of a line's length: half a minute for a line of 256 KiB.
    """
    joined: list[Any] = []
    streams: dict[str, list[str]] = {}
    for output in outputs:
        if output["output_type"] != "stream":
            joined.append(output)
        elif output["name"] in streams:
            streams[output["name"]].append(output["text"])
        else:
            streams[output["name"]] = [output["text"]]
            joined.append(output)
    for output in joined:
        if output["output_type"] == "stream":
            text = "".join(streams[output["name"]])
            output["text"] = "\n".join(map(_overwritten, text.split("\n")))
    for place in range(len(joined) - 1):
        first, second = joined[place : place + 2]
        if (first.get("name"), second.get("name")) == ("stderr", "stdout"):
            joined[place : place + 2] = [second, first]
    return joined


def _overwritten(line: str) -> str:
    """Return what a terminal shows of a line: what follows the last return to its beginning."""
    return line[line.rfind("\r", 0, len(line) - 1) + 1 :] if len(line) > 1 else line
