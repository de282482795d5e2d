"""Requests to a lab's keeper, from the side of whoever uses the lab."""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabError
from labvirt.lab import wire
from labvirt.lab.control import SOCKET_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.lab.records import LabRecord

__all__ = ["Done", "dial", "request", "run_inside"]

_LARGEST = 32 * 1024 * 1024
_SLACK_S = 5.0


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a program that was run inside a host.

    Attributes:
        code: its exit code, negative for the signal that ended it.
        stdout: what it wrote, decoded as UTF-8 with replacement.
        stderr: what it complained of, likewise.
    """

    code: int
    stdout: str
    stderr: str


def request(
    record: LabRecord, question: dict[str, Any], *, timeout_s: float = 10.0
) -> dict[str, Any]:
    """Ask the keeper something.

    Args:
        record: the lab.
        question: the request; see `labvirt.lab.control`.
        timeout_s: limit for the answer.

    Raises:
        LabError: the keeper is gone, does not answer in time, or refuses.
    """
    answer, handles = _converse(record, question, timeout_s, descriptors=0)
    assert not handles  # none were asked for
    return answer


def dial(record: LabRecord, host: str, address: str, port: int, timeout_s: float) -> socket.socket:
    """Open a TCP connection from inside a host's network.

    Args:
        record: the lab.
        host: name of the host.
        address: numeric address, e.g. a guest's.
        port: TCP port.
        timeout_s: limit for connecting, also set on the socket that is returned.

    Raises:
        LabError: the keeper is gone, or nobody answers at that address.
    """
    question = {
        "op": "dial",
        "host": host,
        "address": address,
        "port": port,
        "timeout_s": timeout_s,
    }
    _, handles = _converse(record, question, timeout_s + _SLACK_S, descriptors=1)
    if not handles:
        raise LabError(f"dialling {address}:{port} from host {host} brought no connection")
    dialled = socket.socket(fileno=handles[0])
    dialled.settimeout(timeout_s)
    return dialled


def run_inside(
    record: LabRecord, host: str, argv: Sequence[str], stdin: bytes, timeout_s: float
) -> Done:
    """Run a program inside a host's namespaces and wait for its end.

    Args:
        record: the lab.
        host: name of the host.
        argv: the program and its arguments; no shell.
        stdin: what it reads.
        timeout_s: limit, after which it is killed.

    Raises:
        LabError: the keeper is gone, there is no such program, or it took too long.
    """
    question = {
        "op": "exec",
        "host": host,
        "argv": list(argv),
        "stdin": base64.b64encode(stdin).decode(),
        "timeout_s": timeout_s,
    }
    answer = request(record, question, timeout_s=timeout_s + _SLACK_S)
    out, err = (
        base64.b64decode(answer[name]).decode("utf-8", errors="replace")
        for name in ("stdout", "stderr")
    )
    return Done(int(answer["code"]), out, err)


def _converse(
    record: LabRecord, question: dict[str, Any], timeout_s: float, *, descriptors: int
) -> tuple[dict[str, Any], list[int]]:
    path = Path(record.sockets, SOCKET_NAME)
    asked = f"asking the keeper of lab {record.name} to {question['op']}"
    handles: list[int] = []
    try:
        with socket.socket(socket.AF_UNIX) as link:
            wire.connect(link, str(path), timeout_s)
            link.sendall(json.dumps(question).encode() + b"\n")
            received = bytearray()
            while not received.endswith(b"\n"):
                part, more, _, _ = socket.recv_fds(link, 65536, descriptors)
                handles += more
                if not part or len(received) > _LARGEST:
                    raise ConnectionResetError("it hung up in the middle")
                received += part
        answer: dict[str, Any] = json.loads(received)
    except TimeoutError as error:
        raise LabError(
            f"{asked}: no answer within {timeout_s:g} s",
            hint=f"labvirt lab stop {record.name}, which works without the keeper too",
        ) from error
    except (OSError, ValueError) as error:
        raise LabError(
            f"{asked} failed: {error}",
            hint=f"the keeper may be gone: labvirt lab list; labvirt lab stop {record.name}",
        ) from error
    if not answer.get("ok"):
        raise LabError(f"{asked}: {answer.get('error', 'refused')}", hint=answer.get("hint", ""))
    return answer, handles
