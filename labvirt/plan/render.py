"""How a plan is shown: plain text, and HTML that survives a saved notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.plan.plan import Plan

__all__ = ["as_html", "as_text"]


def _sections(plan: Plan[Any]) -> Iterator[tuple[str, str]]:
    yield "XML", plan.diff
    yield "virsh" if any(action.virsh for action in plan.actions) else "Shell", plan.virsh
    yield "virt-install", plan.virt_install
    yield "Python", plan.python


def as_text(plan: Plan[Any]) -> str:
    """Return the plan as text."""
    lines = [f"Plan: {plan.title} on {plan.host.name}"]
    lines += [f"  {number}. {action.title}" for number, action in enumerate(plan.actions, 1)]
    lines += [f"  Warning: {warning}" for warning in plan.warnings]
    lines += [f"  Destroys: {loss}" for loss in plan.destroys]
    for heading, body in _sections(plan):
        if body:
            lines += ["", f"{heading}:", *("  " + line for line in body.splitlines())]
    return "\n".join(lines)


def as_html(plan: Plan[Any]) -> str:
    """Return the plan as HTML: the steps open, the other forms folded."""
    steps = "".join(f"<li>{escape(action.title)}</li>" for action in plan.actions)
    notes = "".join(f"<p>⚠ <b>Warning:</b> {escape(text)}</p>" for text in plan.warnings)
    losses = "".join(f"<p>✖ <b>Destroys:</b> {escape(text)}</p>" for text in plan.destroys)
    folds = "".join(
        f"<details><summary>{heading}</summary>"
        f"<pre style='white-space:pre-wrap'>{escape(body)}</pre></details>"
        for heading, body in _sections(plan)
        if body
    )
    return (
        f"<div class='labvirt-plan'><p><b>Plan:</b> {escape(plan.title)} on "
        f"<b>{escape(plan.host.name)}</b></p><ol>{steps}</ol>{notes}{losses}{folds}</div>"
    )
