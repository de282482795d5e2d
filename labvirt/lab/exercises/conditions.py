"""Conditions: what a check of an exercise looks at; each only reads the state of the lab."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from labvirt.lab.exercises.condition_base import Look
from labvirt.lab.exercises.conditions_host import (
    DaemonAnswers,
    DoctorSays,
    FileThere,
    OnHost,
)
from labvirt.lab.exercises.conditions_inside import Answers, HasAddress, Inside, SameBoot, Serves
from labvirt.lab.exercises.conditions_things import (
    Autostart,
    Differs,
    DomainState,
    NetworkIs,
    PoolIs,
    SnapshotIs,
    There,
    VolumeIs,
    XmlSays,
)

__all__ = ["Condition", "Look"]

Condition = Annotated[
    There
    | DomainState
    | Autostart
    | XmlSays
    | NetworkIs
    | PoolIs
    | VolumeIs
    | SnapshotIs
    | Differs
    | Answers
    | HasAddress
    | Serves
    | Inside
    | SameBoot
    | DaemonAnswers
    | DoctorSays
    | FileThere
    | OnHost,
    Field(discriminator="kind"),
]
"""Any of the conditions; ``kind`` says which."""
