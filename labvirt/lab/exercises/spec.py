"""What an exercise is, as its YAML file tells it: frozen specs with every fault told at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from labvirt.lab.exercises.conditions import Condition
from labvirt.model.domain import DomainSpec
from labvirt.model.fields import Line, Prose
from labvirt.model.network import NetworkSpec
from labvirt.model.nwfilter import NwFilterSpec
from labvirt.model.pool import PoolSpec
from labvirt.model.spec import Spec
from labvirt.model.volume import VolumeSpec

__all__ = [
    "LANGUAGES",
    "CheckSetup",
    "ExerciseSpec",
    "FaultSetup",
    "GuestSetup",
    "HintSetup",
    "StepSetup",
    "Topology",
    "Words",
]

#: Languages in which every exercise is told.
LANGUAGES = ("en", "ru")
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
HostKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,20}$")]


class Words(Spec):
    """A text in both languages."""

    en: Prose = Field(description="in English")
    ru: Prose = Field(description="in Russian")

    def __getitem__(self, language: str) -> str:
        """Return the text in a language of `LANGUAGES`."""
        return self.ru if language == "ru" else self.en


class NetworkSetup(Spec):
    """A network that is there when the exercise begins."""

    host: HostKey = Field("alpha", description="host of the lab")
    spec: NetworkSpec = Field(description="the network")
    active: bool = Field(default=True, description="it runs when the exercise begins")


class NwFilterSetup(Spec):
    """A network filter that is there when the exercise begins."""

    host: HostKey = Field("alpha", description="host of the lab")
    spec: NwFilterSpec = Field(description="the filter")


class PoolSetup(Spec):
    """A pool that is there when the exercise begins; of a folder of its own."""

    host: HostKey = Field("alpha", description="host of the lab")
    spec: PoolSpec = Field(description="the pool")
    active: bool = Field(default=True, description="it runs when the exercise begins")


class VolumeSetup(Spec):
    """A volume that is there when the exercise begins."""

    host: HostKey = Field("alpha", description="host of the lab")
    pool: str = Field("shared", description="its pool")
    spec: VolumeSpec = Field(description="the volume")


class GuestSetup(Spec):
    """A guest that is there when the exercise begins."""

    host: HostKey = Field("alpha", description="host of the lab")
    spec: DomainSpec = Field(description="the domain")
    start: bool = Field(default=True, description="it runs when the exercise begins")
    wait: Literal["agent", "ready", "network", "none"] = Field(
        "agent", description="what is waited for before the exercise begins"
    )
    paused: bool = Field(default=False, description="it stands still when the exercise begins")


class SnapshotSetup(Spec):
    """A snapshot that is there when the exercise begins."""

    host: HostKey = Field("alpha", description="host of the lab")
    domain: str = Field(description="of which guest")
    name: str = Field(description="name of the snapshot")


class InsideSetup(Spec):
    """A command that runs inside a guest before the exercise begins."""

    host: HostKey = Field("alpha", description="host of the lab")
    domain: str = Field(description="in which guest")
    run: Line = Field(description="line for its shell", examples=["echo 1 > /tmp/x"])


class Topology(Spec):
    """What is there when an exercise begins, in the order in which it is made.

    Guests boot one beside the other. What is not active, or paused, becomes so at the end.
    """

    nwfilters: tuple[NwFilterSetup, ...] = Field((), description="network filters")
    networks: tuple[NetworkSetup, ...] = Field((), description="networks")
    pools: tuple[PoolSetup, ...] = Field((), description="pools")
    volumes: tuple[VolumeSetup, ...] = Field((), description="volumes")
    guests: tuple[GuestSetup, ...] = Field((), description="guests")
    later: tuple[GuestSetup, ...] = Field((), description="guests that come when those are there")
    inside: tuple[InsideSetup, ...] = Field((), description="what runs in guests")
    snapshots: tuple[SnapshotSetup, ...] = Field((), description="snapshots")
    spoiled: tuple[InsideSetup, ...] = Field((), description="what runs after the snapshots")
    settle_s: float = Field(0, ge=0, le=30, description="seconds that this takes to show")

    @property
    def machines(self) -> tuple[GuestSetup, ...]:
        """All guests, in the order in which they are made."""
        return (*self.guests, *self.later)


class Asked(Spec):
    """What the student is asked to make: it must not be there before, and goes with a reset."""

    domains: tuple[str, ...] = Field((), description="names of guests")
    networks: tuple[str, ...] = Field((), description="names of networks")
    pools: tuple[str, ...] = Field((), description="names of pools")
    volumes: tuple[str, ...] = Field((), description="names of volumes, in whatever pool")


class FaultSetup(Spec):
    """A planted break; `Lab.faults` lists them."""

    id: Key = Field(description="which fault", examples=["network-inactive"])
    host: HostKey | None = Field("alpha", description="host of the lab")
    domain: str | None = Field(None, description="the guest that suffers")
    network: str | None = Field(None, description="the network that is broken")
    pool: str | None = Field(None, description="the pool that is broken")
    disk: str | None = Field(None, description="the disk that is broken", examples=["vda"])
    interface: str | None = Field(None, description="MAC address of the interface")
    options: dict[str, Any] = Field({}, description="further options of the fault")


class CheckSetup(Spec):
    """One thing that must hold at the end."""

    id: Key = Field(description="short name, unique in the exercise")
    what: Words = Field(description="what must hold, as a phrase")
    that: Condition = Field(description="how it is looked at")
    points: int = Field(1, ge=0, le=100, description="what it is worth")
    hint: Words = Field(description="told when it does not hold")
    wait_s: float = Field(
        0, ge=0, le=60, description="seconds it may take to become true, when all before it holds"
    )


class HintSetup(Spec):
    """A hint: the first is vague, the last exact."""

    text: Words = Field(description="what is told")
    cost: int = Field(1, ge=0, le=100, description="points that it costs")


class StepSetup(Spec):
    """A step of the solution."""

    text: Words = Field(description="what is done and why")
    python: Prose = Field(description="Python with lab, the hosts and the varied names in it")


def _distinct(checks: tuple[CheckSetup, ...]) -> tuple[CheckSetup, ...]:
    seen = [one.id for one in checks]
    twice = sorted({one for one in seen if seen.count(one) > 1})
    if twice:
        raise ValueError(f"two checks are called {twice[0]}")
    return checks


class ExerciseSpec(Spec):
    """An exercise: story, set-up, faults, checks, hints and solution, for one student.

    Texts may name what varies from student to student: ``{guest}``.
    """

    title: Words = Field(description="a few words")
    story: Words = Field(description="what happened, and what is wanted")
    chapter: Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,2})?$")] = Field(
        description="chapter of the guide", examples=["8", "17.4"]
    )
    guide: tuple[str, ...] = Field((), description="rows of the guide")
    level: Literal[1, 2, 3] = Field(1, description="1 easy, 2 usual, 3 hard")
    minutes: int = Field(ge=1, le=240, description="time that it should take")
    backend: Literal["any", "session", "system"] = Field("any", description="labs that can do it")
    hosts: int = Field(1, ge=1, le=8, description="hosts that it needs")
    vary: dict[str, Any] = Field({}, description="what was chosen for this student")
    topology: Topology = Field(Topology(), description="what is there at the beginning")
    asked: Asked = Field(Asked(), description="what the student is to make")
    faults: tuple[FaultSetup, ...] = Field((), description="what is broken")
    checks: Annotated[tuple[CheckSetup, ...], AfterValidator(_distinct)] = Field(
        min_length=1, description="what must hold at the end"
    )
    hints: tuple[HintSetup, ...] = Field((), description="hints, the vague one first")
    solution: tuple[StepSetup, ...] = Field(min_length=1, description="one way to solve it")

    @property
    def points(self) -> int:
        """Points of all checks together."""
        return sum(one.points for one in self.checks)

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the guests that belong to the exercise, made for it or by the student."""
        made = (one.spec.name for one in self.topology.machines)
        return tuple(dict.fromkeys((*made, *self.asked.domains)))

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that belong to the exercise."""
        made = (one.spec.name for one in self.topology.networks)
        return tuple(dict.fromkeys((*made, *self.asked.networks)))

    @property
    def nwfilters(self) -> tuple[str, ...]:
        """Names of the network filters that belong to the exercise."""
        return tuple(one.spec.name for one in self.topology.nwfilters)

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of the pools that belong to the exercise."""
        made = (one.spec.name for one in self.topology.pools)
        return tuple(dict.fromkeys((*made, *self.asked.pools)))

    @property
    def volumes(self) -> tuple[str, ...]:
        """Names of the volumes that belong to the exercise."""
        made = (one.spec.name for one in self.topology.volumes)
        return tuple(dict.fromkeys((*made, *self.asked.volumes)))
