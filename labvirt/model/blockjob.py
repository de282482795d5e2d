"""How a block job shall run: how fast at most, and how long at most."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from labvirt.model.spec import Spec
from labvirt.model.units import Size

__all__ = ["BlockJobOptions", "NewSize"]


class BlockJobOptions(Spec):
    """Limits of a block job."""

    speed: Size | None = Field(
        None, ge=0, description="most bytes per second; no limit when left out", examples=["20 MiB"]
    )
    timeout_s: Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)] = Field(
        3600.0, description="the job is aborted after this time, seconds"
    )


class NewSize(Spec):
    """The size that a disk shall have."""

    size: Size = Field(gt=0, description="size that the guest sees", examples=["20 GiB"])
