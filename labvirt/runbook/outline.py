"""The outline of a book: which cell belongs to which step, and what part it plays."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEFAULT_TIMEOUT_S", "Block", "CellPlan", "Outline", "sources_hash"]

DEFAULT_TIMEOUT_S: Final = 900.0
"""Limit of a cell that does not set its own by the tag ``timeout:SECONDS``."""

_STEP: Final = re.compile(r"step:([a-z0-9][a-z0-9_-]*)")
_PARTS: Final = ("check", "undo", "remediate")
_HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class CellPlan:
    """The part that one code cell plays.

    Attributes:
        index: its number in the notebook, from 0.
        role: ``parameters``, ``injected``, ``glue``, ``step``, ``check``, ``undo``, ``always``
            or ``remediate``.
        step: the step it belongs to, None for the other roles.
        timeout_s: its limit in seconds, None when it sets none.
        secret: its outputs are not kept.
        source: its code.
    """

    index: int
    role: str
    step: str | None
    timeout_s: float | None
    secret: bool
    source: str


@dataclass(frozen=True)
class Block:
    """Cells that run one after the other: those of one step with its checks, or one glue cell.

    Attributes:
        step: name of the step, None for glue.
        cells: the cells in order; glue that stands between two cells of a step is among them.
    """

    step: str | None
    cells: tuple[CellPlan, ...]


def sources_hash(sources: Iterable[str]) -> str:
    """Return the SHA-256 of some sources, each told apart from the next."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.strip().encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


class Outline:
    """What is to be run, in which order, of a notebook.

    Args:
        notebook: the book (nbformat 4); markdown gives the steps their titles.

    Raises:
        SpecError: a tag that cannot be right, with the number of its cell.
    """

    def __init__(self, notebook: Any) -> None:
        self.cells: tuple[CellPlan, ...] = ()
        self.titles: dict[str, str] = {}
        self._problems: list[Problem] = []
        found, heading = [], ""
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "markdown":
                headings = _HEADING.findall(cell.source)
                heading = headings[-1] if headings else heading
            elif cell.cell_type == "code":
                plan = self._plan(index, cell)
                found.append(plan)
                if plan.step is not None and plan.step not in self.titles:
                    self.titles[plan.step] = heading or plan.step
        self.cells = tuple(found)
        self._check()
        if self._problems:
            raise SpecError("the tags of the runbook cannot be right:", self._problems)

    def _plan(self, index: int, cell: Any) -> CellPlan:
        tags = [str(tag) for tag in cell.metadata.get("tags", [])]
        steps = [tag for tag in tags if tag.startswith("step:")]
        step = None
        if steps:
            match = _STEP.fullmatch(steps[0])
            if match is None or len(steps) > 1:
                self._wrong(index, ", ".join(steps), "one step per cell", "step:define")
            else:
                step = match[1]
        role = self._role(index, tags, step)
        limits = [tag.partition(":")[2] for tag in tags if tag.startswith("timeout:")]
        return CellPlan(
            index,
            role,
            step if role in ("step", *_PARTS) else None,
            self._limit(index, limits),
            "secret" in tags,
            str(cell.source),
        )

    def _role(self, index: int, tags: list[str], step: str | None) -> str:
        for role in ("parameters", "injected-parameters", "always"):
            if role in tags:
                return role.removesuffix("-parameters")
        parts = [part for part in _PARTS if part in tags]
        if len(parts) > 1:
            self._wrong(index, ", ".join(parts), "one of them per cell")
        if parts and step is None and parts[0] != "check":
            self._wrong(index, parts[0], "says not of which step", "step:define")
        if parts and parts[0] != "check" and "skip-execution" not in tags:
            self._wrong(index, parts[0], "would run at once", "tag it skip-execution too")
        if parts and step is not None:
            return parts[0]
        return "step" if step is not None else "glue"

    def _limit(self, index: int, limits: list[str]) -> float | None:
        if not limits:
            return None
        try:
            seconds = float(limits[0])
        except ValueError:
            seconds = -1.0
        if not 0 < seconds < 1e7 or len(limits) > 1:
            self._wrong(index, ", ".join(limits), "is no limit", "timeout:60 (seconds)")
            return None
        return seconds

    def _wrong(self, index: int, value: str, why: str, hint: str = "") -> None:
        self._problems.append(Problem(f"cell {index + 1}", value, why, hint))

    def _check(self) -> None:
        """Look for parts without a step, and for steps that are torn apart."""
        made = {cell.step for cell in self.cells if cell.role in ("step", "check")}
        for cell in self.cells:
            if cell.step is not None and cell.step not in made:
                self._wrong(cell.index, cell.step, f"{cell.role} of a step that has no cell")
        ended: set[str] = set()
        last = None
        for cell in self.cells:
            if cell.role not in ("step", "check"):
                continue
            if cell.step in ended:
                self._wrong(cell.index, str(cell.step), "the cells of a step belong together")
            if last is not None and cell.step != last:
                ended.add(last)
            last = cell.step

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps in order."""
        parts = (c.step for c in self.cells if c.role in ("step", "check"))
        return tuple(dict.fromkeys(step for step in parts if step))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What runs in the normal flow, in order."""
        flow = [
            c for c in self.cells if c.role in ("parameters", "injected", "glue", "step", "check")
        ]
        blocks: list[Block] = []
        at = 0
        while at < len(flow):
            step = flow[at].step
            end = at + 1
            if step is not None:
                end = max(i for i, cell in enumerate(flow) if cell.step == step) + 1
            blocks.append(Block(step, tuple(flow[at:end])))
            at = end
        return tuple(blocks)

    def of(self, step: str | None, role: str) -> tuple[CellPlan, ...]:
        """Return the cells of a step that play one part; None for those of no step."""
        return tuple(c for c in self.cells if c.role == role and c.step == step)

    def step_hash(self, step: str) -> str:
        """Return the SHA-256 of the sources of a step, without its checks."""
        return sources_hash(cell.source for cell in self.of(step, "step"))

    @property
    def parameters_hash(self) -> str:
        """SHA-256 of the source of the parameters cell."""
        return sources_hash(cell.source for cell in self.cells if cell.role == "parameters")

    @property
    def book_hash(self) -> str:
        """SHA-256 of the sources of all code cells but the injected one."""
        return sources_hash(cell.source for cell in self.cells if cell.role != "injected")
