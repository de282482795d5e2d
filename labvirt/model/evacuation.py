"""How all guests of a host are to move away."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from labvirt.model.spec import Spec

__all__ = ["EvacuationSpec"]


class EvacuationSpec(Spec):
    """The policy of an evacuation."""

    at_once: Annotated[int, Strict(), Field(ge=1, le=16)] = Field(
        1, description="how many guests are under way at once"
    )
    order: Literal["largest", "smallest", "name"] = Field(
        "largest", description="who goes first: by memory, or by name"
    )
    on_failure: Literal["continue", "stop", "undo"] = Field(
        "continue",
        description="when one fails: continue: the others go all the same; stop: nobody else "
        "begins; undo: those that have moved come back",
    )
    include_off: bool = Field(
        default=True, description="definitions of guests that are shut off move too"
    )
    partial: bool = Field(
        default=False, description="move whom it is possible for, and leave the others"
    )
    reserve_mib: Annotated[int, Strict(), Field(ge=0, le=1 << 30)] = Field(
        0, description="memory that must stay free on every destination, MiB"
    )
