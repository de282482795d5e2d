"""The processor of a domain that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import Line
from labvirt.model.spec import Spec
from labvirt.model.xml.machine import CpuFeatureXml

if TYPE_CHECKING:
    from labvirt.model.xml.domain import DomainXml

__all__ = ["CpuFeature", "CpuSpec", "CpuTopology"]


class CpuTopology(Spec):
    """How the virtual CPUs are arranged; the product is the number of virtual CPUs."""

    sockets: int = Field(1, ge=1, description="sockets")
    cores: int = Field(1, ge=1, description="cores of a socket")
    threads: int = Field(1, ge=1, description="threads of a core")

    @property
    def count(self) -> int:
        """How many virtual CPUs there are in all."""
        return self.sockets * self.cores * self.threads


class CpuFeature(Spec):
    """One feature of the CPU; short form: its name, which requires it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = Field(
        description="name", examples=["vmx", "svm", "pdpe1gb"]
    )
    policy: Literal["force", "require", "optional", "disable", "forbid"] = Field(
        "require", description="how it is asked for"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data


class CpuSpec(Spec):
    """The CPU that the guest sees.

    The mode ``default`` is libvirt's ``host-model`` under KVM, which can be migrated, and the
    model ``qemu64`` without KVM, where the host's own CPU is not to be had.
    """

    mode: Literal["default", "custom", "host-passthrough", "host-model", "maximum"] = Field(
        "default", description="how the CPU is chosen"
    )
    model: Line | None = Field(
        None, description="name of the model, mode custom", examples=["qemu64", "Nehalem"]
    )
    topology: CpuTopology | None = Field(None, description="sockets, cores, threads")
    features: tuple[CpuFeature, ...] = Field((), description="features asked for one by one")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("model") and "mode" not in data:
            return {**data, "mode": "custom"}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.mode == "custom" and self.model is None:
            problems.append(Problem("model", "", "mode custom needs one", "e.g. qemu64"))
        if self.mode != "custom" and self.model is not None:
            problems.append(Problem("model", self.model, f"mode {self.mode} has none"))
        names = [feature.name for feature in self.features]
        problems.extend(
            Problem("features", name, "is named twice")
            for name in sorted({name for name in names if names.count(name) > 1})
        )
        if problems:
            raise SpecError("CpuSpec", problems)
        return self

    def describe(self, domain: DomainXml, *, virt: str, arch: str) -> None:
        """Write ``<cpu>`` into ``domain``.

        Raises:
            SpecError: a mode that does not exist without KVM.
        """
        mode, model = self.mode, self.model
        if virt == "qemu" and mode == "host-passthrough":
            why = "needs KVM; without it the host's CPU cannot be passed on"
            hint = "mode default, maximum, or custom with a model"
            raise SpecError("DomainSpec", (Problem("cpu.mode", mode, why, hint),))
        if mode == "default":
            is_pc = arch in {"x86_64", "i686"}
            tcg_model = "qemu64" if arch == "x86_64" else "qemu32" if is_pc else None
            mode = "host-model" if virt == "kvm" else "custom" if tcg_model else "maximum"
            model = tcg_model if mode == "custom" else None
        domain.cpu_mode = mode
        if model is not None:
            domain.set(cpu_match="exact", cpu_check="none", cpu_model=model)
            domain.cpu_fallback = "forbid"
        if self.topology is not None:
            domain.cpu_sockets = self.topology.sockets
            domain.cpu_cores = self.topology.cores
            domain.cpu_threads = self.topology.threads
        for feature in self.features:
            domain.cpu_features.append(CpuFeatureXml.new(policy=feature.policy, name=feature.name))
