"""Tables, chains and rules of a packet filter, whatever tool told them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Chain", "Match", "Rule", "Table"]

#: What is looked at, whether the answer is turned round, and what fits.
Match = tuple[str, bool, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        matches: what must hold for a packet.
        target: ``accept``, ``drop`` (also for reject), ``return``, name of a chain, ``?`` for what
            may decide anything, or something else that decides nothing.
        text: the rule as its tool shows it.
        vague: whether it asks for more than was understood.
        remedy: the command that removes it.
        final: a chain that it leads to does not come back to this one.
    """

    matches: tuple[Match, ...]
    target: str
    text: str
    vague: bool = False
    remedy: str = ""
    final: bool = False


@dataclass(slots=True)
class Chain:
    """A chain: its rules in order; hook and policy when packets enter it by themselves.

    Attributes:
        name: its name.
        hook: ``input``, ``forward``, ``prerouting``...; empty for one that is only jumped to.
        policy: ``accept`` or ``drop``.
        remedy: the command that sets another policy.
        rules: its rules.
    """

    name: str
    hook: str = ""
    policy: str = "accept"
    remedy: str = ""
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    """A table.

    Attributes:
        family: ``ip``, ``ip6``, ``inet``, ``bridge``.
        name: its name.
        tool: ``iptables``, ``nft``, ...
        chains: by name.
    """

    family: str
    name: str
    tool: str
    chains: dict[str, Chain] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Tool and name, for people."""
        family = f"{self.family} " if self.tool == "nft" else ""
        return f"{self.tool} {family}{self.name}"

    @property
    def families(self) -> tuple[str, ...]:
        """The families of packets that it sees."""
        return ("ip", "ip6") if self.family == "inet" else (self.family,)
