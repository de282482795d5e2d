"""This machine as the target of plans that prepare it."""

from __future__ import annotations

import socket
from dataclasses import dataclass

__all__ = ["HERE", "Machine"]


@dataclass(frozen=True)
class Machine:
    """The machine that runs this process.

    Attributes:
        name: its name.
        label: what stands for a URI in the journal.
    """

    name: str
    label: str = "hostprep:///"


HERE = Machine(socket.gethostname() or "this machine")
