"""The form of every condition, and how a value is compared with what is expected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from labvirt.model.spec import Spec
from labvirt.model.units import Size

if TYPE_CHECKING:
    from labvirt.lab.exercises.scene import Scene, Seen

__all__ = ["Expected", "Look", "sized"]


class Look(Spec):
    """Something that can be looked at on a host of the lab; nothing is changed by it."""

    host: str = Field("alpha", description="host of the lab")

    def look(self, scene: Scene) -> Seen:
        """Return what is there and whether it is as it should be.

        Raises:
            LabvirtError: it could not be looked at; the check then counts as not passed.
        """
        raise NotImplementedError


class Expected(Look):
    """A look whose answer is compared with a text, a pattern or bounds."""

    equal: str | int | None = Field(None, description="exactly this")
    other_than: str | int | None = Field(None, description="anything but this")
    matches: str | None = Field(None, description="a regular expression for the whole of it")
    at_least: float | None = Field(None, description="a number, not lower")
    at_most: float | None = Field(None, description="a number, not higher")

    def fits(self, seen: str) -> bool:
        """Return True when what was seen is as expected."""
        if self.equal is not None and seen != str(self.equal):
            return False
        if self.other_than is not None and seen == str(self.other_than):
            return False
        if self.matches is not None and re.fullmatch(self.matches, seen) is None:
            return False
        if self.at_least is None and self.at_most is None:
            return True
        try:
            number = float(seen)
        except ValueError:
            return False
        low = self.at_least is None or number >= self.at_least
        return low and (self.at_most is None or number <= self.at_most)

    def told(self, scene: Scene) -> str:
        """Return what is expected, as words."""
        say = scene.say
        parts = []
        if self.equal is not None:
            parts.append(str(self.equal) or say("nothing", "ничего"))
        if self.other_than is not None:
            parts.append(say("not {it}", "не {it}", it=self.other_than))
        if self.matches is not None:
            parts.append(say("like {it}", "вида {it}", it=self.matches))
        if self.at_least is not None:
            parts.append(say("at least {it:g}", "не меньше {it:g}", it=self.at_least))
        if self.at_most is not None:
            parts.append(say("at most {it:g}", "не больше {it:g}", it=self.at_most))
        return ", ".join(parts) or say("anything", "что угодно")


def sized(count: int) -> str:
    """Return bytes as people write them."""
    return str(Size(count))
