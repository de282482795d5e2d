"""An action: what can be done to domains, in which states, and why not; pure.

Nothing here asks a host before a plan is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from labvirt.host.bulk import WORKERS
from labvirt.widgets.i18n import N_, _, ngettext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labvirt.host.domain import Domain
    from labvirt.plan import Plan
    from labvirt.status import DomainRecord

    Make = Callable[[Domain, Mapping[str, Any]], Plan[Any]]

__all__ = [
    "ACTIVE",
    "ANY",
    "ASKED",
    "OFF",
    "RUNNING",
    "Act",
    "Facts",
    "Field",
    "facts_of",
    "why_not",
]

RUNNING: Final = frozenset({"running", "blocked"})
ACTIVE: Final = frozenset({"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed"})
OFF: Final = frozenset({"shutoff"})
ANY: Final = frozenset({*ACTIVE, *OFF, "nostate"})
#: Of these something is known.
ASKED: Final = ANY - {"nostate"}

#: Why an action is refused in a state it does not allow; braces hold the domain.
_NOT_IN: Final[dict[str, str]] = {
    "running": N_("{name} is running"),
    "blocked": N_("{name} is running"),
    "paused": N_("{name} is paused: resume it first"),
    "pmsuspended": N_("{name} sleeps: it must wake up first"),
    "shutdown": N_("{name} is shutting down"),
    "crashed": N_("{name} has crashed: force it off first"),
    "shutoff": N_("{name} is shut off"),
    "nostate": N_("the state of {name} is not known"),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a selected domain.

    Attributes:
        host: name of its host.
        uuid: the domain.
        name: its name.
        state: libvirt's state in lower case.
        persistent: a definition remains when it stops.
        saved: a start would go on from saved memory.
        readonly: its host was opened without the right to change anything.
        link: state of the link to its host: ``connected``, ``lost`` ...
        tags: labvirt's tags.
        title: its title.
        description: its description.
        autostart: it starts with the host's daemon.
    """

    host: str
    uuid: str
    name: str
    state: str
    persistent: bool = True
    saved: bool = False
    readonly: bool = False
    link: str = "connected"
    tags: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    autostart: bool = False


def facts_of(record: DomainRecord, *, host: str, readonly: bool, link: str) -> Facts:
    """Return the facts of a record."""
    return Facts(
        host,
        record.uuid,
        record.name,
        record.state.value,
        persistent=record.persistent,
        saved=record.has_managed_save,
        readonly=readonly,
        link=link,
        tags=record.tags,
        title=record.title,
        description=record.description,
        autostart=record.autostart,
    )


@dataclass(frozen=True, slots=True)
class Field:
    """What an action has to be told.

    Attributes:
        name: keyword of the plan.
        label: what it is called.
        kind: ``text``, ``long`` (text of many lines), ``flag``, ``host`` (one of the other hosts),
            ``snapshot`` (one of the domain's) or ``file`` (files of the domain that may go with it).
        default: what it is unless told otherwise; braces hold the domain.
        help: one sentence.
    """

    name: str
    label: str
    kind: str = "text"
    default: Any = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that can be done to selected domains.

    Attributes:
        key: name in code and style sheets.
        label: on its button.
        tip: one sentence: what it does.
        states: libvirt's states that allow it.
        make: makes the plan for one domain.
        many: it can be done to several domains at once.
        destroys: something is lost, so that it is always confirmed.
        reads: it changes nothing, so that a read-only host allows it.
        needs: the public name in ``labvirt.widgets`` that it opens; empty when it makes a plan.
        fields: what it has to be told first.
        stops: the other reasons why it cannot be done: text by a test of the facts.
        at_once: to how many it is done at the same time.
        rare: it stands under "More actions".
    """

    key: str
    label: str
    tip: str
    states: frozenset[str]
    make: Make | None = None
    many: bool = True
    destroys: bool = False
    reads: bool = False
    needs: str = ""
    fields: tuple[Field, ...] = ()
    stops: tuple[tuple[Callable[[Facts], bool], str], ...] = field(default=())
    at_once: int = WORKERS
    rare: bool = False


def why_not(
    act: Act,
    chosen: Sequence[Facts],
    *,
    others: int = 0,
    missing: frozenset[str] = frozenset(),
) -> str:
    """Return why an action cannot be done to what is selected; empty when it can.

    Args:
        act: the action.
        chosen: what is selected.
        others: how many further hosts are connected, for what needs a destination.
        missing: public names of ``labvirt.widgets`` that this installation does not have.
    """
    if not chosen:
        return _("no VM is selected")
    if act.needs in missing:
        return _("this installation has no view for it")
    if len(chosen) > 1 and not act.many:
        return ngettext(
            "it is for one VM, and {count} is selected",
            "it is for one VM, and {count} are selected",
            len(chosen),
        ).format(count=len(chosen))
    for each in chosen:
        found = _why_not(act, each)
        if found:
            return found
    if any(each.kind == "host" for each in act.fields) and others < 1:
        return _("there is no other host: connect one first")
    return ""


def _why_not(act: Act, facts: Facts) -> str:
    if facts.link != "connected":
        return _("the link to {host} is {link}").format(host=facts.host, link=_(facts.link))
    if facts.readonly and not act.reads:
        return _("{host} is open read-only").format(host=facts.host)
    if facts.state not in act.states:
        # "Resume" of a VM that runs must not advise to resume it.
        text = _NOT_IN.get(facts.state, _NOT_IN["nostate"])
        return _(text).format(name=facts.name)
    for stops, text in act.stops:
        if stops(facts):
            return _(text).format(name=facts.name)
    return ""
