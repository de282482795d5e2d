"""Verb: a method that is applied when called, and shown by its ``plan``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.plan.job import Job
    from labvirt.plan.plan import Plan

__all__ = ["BoundVerb", "Verb", "verb"]

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")


class BoundVerb(Generic[P, R]):
    """A verb of one object: ``web1.start()`` does it, ``web1.start.plan()`` shows it."""

    def __init__(self, build: Callable[P, Plan[R]], doc: Callable[..., Any]) -> None:
        self._build = build
        functools.update_wrapper(self, doc)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do it and wait for the end."""
        return self._build(*args, **kwargs).apply()

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Plan[R]:
        """Return what would be done; nothing is changed."""
        return self._build(*args, **kwargs)

    def job(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """Begin to do it and return the `Job`."""
        return self._build(*args, **kwargs).start()


class Verb(Generic[S, P, R]):
    """Descriptor made by `verb`."""

    def __init__(self, build: Callable[Concatenate[S, P], Plan[R]]) -> None:
        self._build = build
        functools.update_wrapper(self, build)  # type: ignore[arg-type]  # any callable will do

    @overload
    def __get__(self, instance: None, owner: type[S]) -> Verb[S, P, R]: ...
    @overload
    def __get__(self, instance: S, owner: type[S]) -> BoundVerb[P, R]: ...
    def __get__(self, instance: S | None, owner: type[S]) -> Verb[S, P, R] | BoundVerb[P, R]:
        """Bind the verb to an object."""
        if instance is None:
            return self
        return BoundVerb(functools.partial(self._build, instance), self._build)


def verb(build: Callable[Concatenate[S, P], Plan[R]]) -> Verb[S, P, R]:
    """Turn a method that returns a plan into a verb.

    Calling the verb applies the plan; ``.plan(...)`` returns it, ``.job(...)`` starts it.
    """
    return Verb(build)
