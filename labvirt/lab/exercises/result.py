"""What a check of an exercise gave: an item for each thing that must hold, points, time."""

from __future__ import annotations

import dis
import sys
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    import pandas as pd

__all__ = ["Hint", "Item", "Result"]

_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "passed": "passed",
        "failed": "not yet",
        "points": "{points} of {possible} points",
        "penalty": "{penalty} for hints",
        "time": "{spent} of {minutes} min",
        "late": "over time",
        "expected": "expected",
        "seen": "seen",
        "hint": "hint",
        "what": "what must hold",
    },
    "ru": {
        "passed": "выполнено",
        "failed": "ещё нет",
        "points": "баллы: {points} из {possible}",
        "penalty": "за подсказки: {penalty}",
        "time": "время: {spent} из {minutes} мин",
        "late": "дольше отведённого",
        "expected": "ожидалось",
        "seen": "обнаружено",
        "hint": "подсказка",
        "what": "что должно быть",
    },
}


@dataclass(frozen=True, slots=True)
class Hint:
    """A hint that was asked for.

    Attributes:
        text: the hint.
        cost: points that it costs.
        left: how many more there are.
    """

    text: str
    cost: int
    left: int

    def __str__(self) -> str:
        """Return the text."""
        return self.text


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that must hold.

    Attributes:
        id: its short name.
        what: what must hold.
        passed: whether it does.
        expected: what should be there.
        seen: what is there.
        hint: where to look, when it does not hold; else empty.
        points: what it gave.
        possible: what it can give.
    """

    id: str
    what: str
    passed: bool
    expected: str
    seen: str
    hint: str
    points: int
    possible: int


@dataclass(frozen=True)
class Result:
    """What a look at an exercise gave; true when all of it holds.

    ``assert exercise.check()`` ends with an AssertionError that tells every item that fails.

    Attributes:
        exercise: name of the exercise.
        title: its title.
        language: ``en`` or ``ru``.
        items: one for each thing that must hold.
        penalty: points that the hints cost so far.
        seconds: time since the exercise began.
        minutes: time that it should take.
    """

    exercise: str
    title: str
    language: str
    items: tuple[Item, ...]
    penalty: int
    seconds: float
    minutes: int

    @property
    def passed(self) -> bool:
        """Return True when everything holds."""
        return all(each.passed for each in self.items)

    @property
    def points(self) -> int:
        """Return the points, hints taken off; never below zero."""
        return max(0, sum(each.points for each in self.items) - self.penalty)

    @property
    def possible(self) -> int:
        """Return the points without a hint when all holds."""
        return sum(each.possible for each in self.items)

    @property
    def late(self) -> bool:
        """Return True when it took longer than it should; that costs nothing."""
        return self.seconds > self.minutes * 60

    @property
    def failures(self) -> tuple[Item, ...]:
        """Return what does not hold."""
        return tuple(each for each in self.items if not each.passed)

    def require(self) -> Result:
        """Return this result when all holds.

        Raises:
            AssertionError: tells every item that fails.
        """
        if not self.passed:
            raise AssertionError(str(self))
        return self

    def __bool__(self) -> bool:
        # An `assert` without a message of its own would end with an empty AssertionError.
        if not self.passed and _is_asserted(sys._getframe(1)):  # noqa: SLF001 - who asks
            raise AssertionError(str(self))
        return self.passed

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def as_dict(self) -> dict[str, Any]:
        """Return everything by name, as numbers and texts."""
        told = {key: getattr(self, key) for key in ("exercise", "title", "passed", "points")}
        more = {key: getattr(self, key) for key in ("possible", "penalty", "seconds", "minutes")}
        return {**told, **more, "late": self.late, "items": [asdict(each) for each in self.items]}

    @property
    def df(self) -> pd.DataFrame:
        """Return the items as a table, a row each; the index is the id."""
        import pandas as pd

        rows = [asdict(each) for each in self.items]
        return pd.DataFrame(rows).set_index("id")

    @property
    def summary(self) -> str:
        """Return one line: passed or not, points, time."""
        words = _WORDS[self.language]
        verdict = words["passed" if self.passed else "failed"]
        points = words["points"].format(points=self.points, possible=self.possible)
        if self.penalty:
            points += f" ({words['penalty'].format(penalty=-self.penalty)})"
        spent = words["time"].format(spent=f"{self.seconds / 60:.0f}", minutes=self.minutes)
        parts = [verdict, points, spent, *([words["late"]] if self.late else [])]
        return f"{self.title}: {'; '.join(parts)}"

    def __str__(self) -> str:
        """Return the summary and every item; of those that fail what was expected and seen."""
        words = _WORDS[self.language]
        lines = [self.summary]
        for each in self.items:
            lines.append(f"{'✓' if each.passed else '✗'} {each.what}")
            if not each.passed:
                told = (("expected", each.expected), ("seen", each.seen), ("hint", each.hint))
                lines += [f"    {words[key]}: {text}" for key, text in told if text]
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return one line, with the first thing that fails."""
        first = next(iter(self.failures), None)
        if first is None:
            return f"<Result {self.summary}>"
        return f"<Result {self.summary} | {first.what}: {first.expected} / {first.seen}>"

    def _repr_html_(self) -> str:
        """Return a table that needs no kernel and no JavaScript."""
        words = _WORDS[self.language]
        columns = ("what", "expected", "seen", "hint")
        head = "".join(f"<th style='text-align:left'>{escape(words[key])}</th>" for key in columns)
        rows = "".join(_row(each) for each in self.items)
        return (
            f"<p><b>{escape(self.summary)}</b></p><table><thead><tr><th></th>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )


def _row(item: Item) -> str:
    mark = f"{'✓' if item.passed else '✗'} {item.points}/{item.possible}"
    cells = (item.what, item.expected, item.seen, item.hint)
    told = "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in cells)
    colour = "#1b6e20" if item.passed else "#b00020"
    return f"<tr><td style='color:{colour};white-space:nowrap'>{mark}</td>{told}</tr>"


def _is_asserted(frame: FrameType) -> bool:
    """Return True when the truth value is wanted by an ``assert`` without a message."""
    code = [one for one in dis.get_instructions(frame.f_code) if one.opname != "CACHE"]
    at = next((i for i, one in enumerate(code) if one.offset == frame.f_lasti), None)
    if at is None:
        return False
    # [TO_BOOL] POP_JUMP_IF_TRUE [NOT_TAKEN] LOAD_ASSERTION_ERROR, as the versions have it.
    next_few = code[at : at + 4]
    jumps = any("JUMP" in one.opname and one.opname.endswith("IF_TRUE") for one in next_few)
    wanted = ("LOAD_ASSERTION_ERROR", "LOAD_COMMON_CONSTANT")
    return jumps and any(
        one.opname == wanted[0] or (one.opname == wanted[1] and "Assertion" in one.argrepr)
        for one in next_few
    )
