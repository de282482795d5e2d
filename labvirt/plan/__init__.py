"""Changes to a host: read before, applied as a whole or not at all, written down."""

from labvirt.plan.action import Action, Call, Crash
from labvirt.plan.job import Job, JobControl, Progress
from labvirt.plan.journal import Journal, Recovered, Target
from labvirt.plan.plan import Plan
from labvirt.plan.verb import BoundVerb, Verb, verb

__all__ = [
    "Action",
    "BoundVerb",
    "Call",
    "Crash",
    "Job",
    "JobControl",
    "Journal",
    "Plan",
    "Progress",
    "Recovered",
    "Target",
    "Verb",
    "verb",
]
