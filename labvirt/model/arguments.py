"""The arguments of verbs, checked as the fields of specs are, before anything is changed."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import Field, Strict

from labvirt.errors import SpecError
from labvirt.model.fields import AbsolutePath, Line, Prose, Tag
from labvirt.model.spec import Spec

__all__ = ["Count", "HostFile", "Labels", "Limit", "Measuring", "Wait", "checked"]

S = TypeVar("S", bound=Spec)

_Seconds = Annotated[float, Strict(), Field(allow_inf_nan=False)]


class HostFile(Spec):
    """A file of the host that a verb writes or reads."""

    path: AbsolutePath


class Labels(Spec):
    """What a domain is called and found by, besides its name."""

    title: Line | None = None
    description: Prose | None = None
    tags: tuple[Tag, ...] = ()


class Count(Spec):
    """How many of something."""

    count: Annotated[int, Strict(), Field(ge=1)]


class Limit(Spec):
    """How long something may take; zero does not wait."""

    timeout_s: Annotated[_Seconds, Field(ge=0)]


class Measuring(Spec):
    """How long something is measured; zero does not measure."""

    measure_s: Annotated[int, Strict(), Field(ge=0, le=60)]


class Wait(Spec):
    """How long something may take that cannot be had without waiting."""

    timeout_s: Annotated[_Seconds, Field(gt=0)]


def checked(kind: type[S], asked: str, **values: Any) -> S:
    """Return the arguments of a verb, checked.

    Args:
        kind: which arguments.
        asked: what is asked for, for the message: ``save domain web1``.
        values: as they were given.

    Raises:
        SpecError: says what was asked and every problem.
    """
    try:
        return kind(**values)
    except SpecError as error:
        raise SpecError(f"cannot {asked}:", error.problems) from None
