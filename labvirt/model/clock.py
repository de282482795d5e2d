"""The clock and timers of a domain that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import Line
from labvirt.model.spec import Spec
from labvirt.model.xml.machine import TimerXml

if TYPE_CHECKING:
    from labvirt.model.xml.domain import DomainXml

__all__ = ["ClockSpec", "TimerSpec"]


class TimerSpec(Spec):
    """One timer of the guest."""

    name: Literal[
        "platform", "hpet", "kvmclock", "pit", "rtc", "tsc", "hypervclock", "armvtimer"
    ] = Field(description="which timer")
    present: bool | None = Field(None, description="the guest has it")
    tick_policy: Literal["delay", "catchup", "merge", "discard"] | None = Field(
        None, description="what happens to lost ticks"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.tick_policy and self.name in {"kvmclock", "hypervclock"}:
            why = f"timer {self.name} loses no ticks"
            raise SpecError("TimerSpec", (Problem("tick_policy", self.tick_policy, why),))
        return self


# What virt-install and virt-manager give a PC; see virtinst/domain/clock.py.
_PC_TIMERS: Final = (
    TimerSpec(name="rtc", tick_policy="catchup"),
    TimerSpec(name="pit", tick_policy="delay"),
    TimerSpec(name="hpet", present=False),
)


class ClockSpec(Spec):
    """What the guest's clock shows at boot; short form: ``"utc"`` or ``"localtime"``."""

    offset: Literal["utc", "localtime", "timezone", "variable"] = Field(
        "utc", description="utc for Linux, localtime for Windows"
    )
    timezone: Line | None = Field(
        None, description="time zone, offset timezone", examples=["Europe/Berlin"]
    )
    adjustment_s: int | None = Field(None, description="seconds from UTC, offset variable")
    timers: tuple[TimerSpec, ...] | None = Field(
        None, description="timers; left out: those that suit a PC"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"offset": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if (self.offset == "timezone") != (self.timezone is not None):
            why = "goes with offset timezone only" if self.timezone else "is missing"
            problems.append(Problem("timezone", self.timezone or "", why, "e.g. Europe/Berlin"))
        if self.adjustment_s is not None and self.offset != "variable":
            why = "goes with offset variable only"
            problems.append(Problem("adjustment_s", str(self.adjustment_s), why))
        names = [timer.name for timer in self.timers or ()]
        problems.extend(
            Problem("timers", name, "is named twice")
            for name in sorted({name for name in names if names.count(name) > 1})
        )
        if problems:
            raise SpecError("ClockSpec", problems)
        return self

    def describe(self, domain: DomainXml, *, arch: str) -> None:
        """Write ``<clock>`` into ``domain``."""
        domain.set(clock_offset=self.offset, clock_timezone=self.timezone)
        if self.offset == "variable":
            domain.clock_adjustment = str(self.adjustment_s or 0)
        is_pc = arch in {"x86_64", "i686"}
        for timer in self.timers if self.timers is not None else _PC_TIMERS if is_pc else ():
            domain.timers.append(
                TimerXml.new(name=timer.name, present=timer.present, tick_policy=timer.tick_policy)
            )
