"""A network filter that is asked for: rules for what a guest's interface may send and receive."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import Uuid
from labvirt.model.spec import Spec, did_you_mean
from labvirt.model.xml.nwfilter import FilterParameterXml, FilterRefXml, NwFilterXml, NwRuleXml

__all__ = ["FilterUse", "NwFilterSpec", "NwRule"]

_BOTH: Final = ("tcp", "udp", "sctp", "all", "esp", "ah", "udplite")
PROTOCOLS: Final = (
    *("mac", "vlan", "stp", "arp", "rarp", "ip", "ipv6", "icmp", "igmp", "icmpv6"),
    *_BOTH,
    *(f"{name}-ipv6" for name in _BOTH),
)
"""What a rule can match."""

FilterName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
Variable = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_]+$")]
VariableValue = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.:]+$")]
Attribute = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")]


class FilterUse(Spec):
    """The use of a filter, with values for its variables; short form: its name."""

    filter: FilterName = Field(description="name of the filter", examples=["clean-traffic"])
    parameters: dict[Variable, tuple[VariableValue, ...]] = Field(
        default_factory=dict,
        description="values of its variables; a variable may have several",
        examples=[{"IP": ["192.168.122.10"]}],
    )

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"filter": data}
        if isinstance(data, dict) and isinstance(data.get("parameters"), dict):
            given = data["parameters"]
            several = {k: (v,) if isinstance(v, str) else v for k, v in given.items()}
            return {**data, "parameters": several}
        return data

    def view(self) -> FilterRefXml:
        """Return the ``<filterref>`` element."""
        view = FilterRefXml.new(filter=self.filter)
        for name, values in self.parameters.items():
            for value in values:
                view.parameters.append(FilterParameterXml.new(name=name, value=value))
        return view


class NwRule(Spec):
    """One rule of a filter."""

    action: Literal["drop", "accept", "reject", "return", "continue"] = Field(
        description="what happens to a packet that it matches"
    )
    direction: Literal["in", "out", "inout"] = Field(
        "inout", description="to the guest (in), from the guest (out), or both"
    )
    priority: int | None = Field(
        None, ge=-1000, le=1000, description="lower ones are tried first; 500 when left out"
    )
    protocol: str | None = Field(
        None, description="what it looks at; left out: every packet", examples=["tcp", "arp"]
    )
    match: dict[Attribute, str] = Field(
        default_factory=dict,
        description="what must be equal, by libvirt's names; variables begin with $",
        examples=[{"dstportstart": "22"}],
    )
    negate: bool = Field(default=False, description="it matches what is not equal")
    stateless: bool = Field(default=False, description="connections are not tracked for it")

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.protocol is not None and self.protocol not in PROTOCOLS:
            hint = did_you_mean(self.protocol, PROTOCOLS, limit=30)
            problems.append(Problem("protocol", self.protocol, "is not known", hint))
        if self.protocol is None and (self.match or self.negate):
            problems.append(Problem("protocol", "", "is missing", "match belongs to one"))
        if problems:
            raise SpecError("NwRule", problems)
        return self

    def view(self) -> NwRuleXml:
        """Return the ``<rule>`` element."""
        view = NwRuleXml.new(action=self.action, direction=self.direction, priority=self.priority)
        if self.stateless:
            view.statematch = "false"
        if self.protocol is not None:
            child = view.element.makeelement(self.protocol, dict(self.match))
            if self.negate:
                child.set("match", "no")
            view.element.append(child)
        return view


class NwFilterSpec(Spec):
    """A network filter of the host."""

    name: FilterName = Field(description="name, unique on the host", examples=["no-smtp"])
    uuid: Uuid | None = Field(None, description="UUID; one is made when left out")
    chain: (
        Annotated[str, Field(pattern=r"^(root|(mac|stp|vlan|arp|rarp|ipv4|ipv6)[\w.:-]{0,9})$")]
        | None
    ) = Field(None, description="chain that its rules are in; root when left out")
    priority: int | None = Field(
        None, ge=-1000, le=1000, description="place of the chain; lower ones are tried first"
    )
    uses: tuple[FilterUse, ...] = Field((), description="filters that are part of it")
    rules: tuple[NwRule, ...] = Field((), description="its rules, in order")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(use.filter == self.name for use in self.uses):
            raise SpecError("NwFilterSpec", (Problem("uses", self.name, "is the filter itself"),))
        return self

    def to_xml(self) -> str:
        """Return the definition; see https://libvirt.org/formatnwfilter.html."""
        view = NwFilterXml.new(name=self.name, chain=self.chain, priority=self.priority)
        view.set(uuid=self.uuid)
        for use in self.uses:
            view.refs.append(use.view())
        for rule in self.rules:
            view.rules.append(rule.view())
        return view.text()
