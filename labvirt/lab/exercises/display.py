"""An exercise as text and as HTML: title, story, time, points, hints that were taken."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from labvirt.lab.exercises.exercise import Exercise

__all__ = ["as_html", "as_text", "facts_of"]

_FACTS: Final = {
    "en": "{minutes} min, {points} points, chapter {chapter}",
    "ru": "{minutes} мин, баллов: {points}, глава {chapter}",
}
_HINT: Final = {"en": "Hint", "ru": "Подсказка"}


def facts_of(exercise: Exercise) -> str:
    """Return one line: time, points, chapter."""
    return _FACTS[exercise.language].format(
        minutes=exercise.minutes, points=exercise.points, chapter=exercise.spec.chapter
    )


def as_text(exercise: Exercise) -> str:
    """Return title, facts, story and hints."""
    told = [f"{_HINT[exercise.language]} {n}: {one}" for n, one in enumerate(exercise.hints, 1)]
    return "\n\n".join([exercise.title, facts_of(exercise), exercise.story, *told])


def as_html(exercise: Exercise) -> str:
    """Return the same as HTML; paragraphs and ``code`` of the story are kept."""
    story = "".join(f"<p>{_inline(part)}</p>" for part in exercise.story.split("\n\n"))
    hints = "".join(
        f"<p><b>{_HINT[exercise.language]} {number}:</b> {_inline(one.text)}</p>"
        for number, one in enumerate(exercise.hints, 1)
    )
    head = f"<h3>{escape(exercise.title)}</h3><p><i>{escape(facts_of(exercise))}</i></p>"
    return head + story + hints


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text.strip()))
