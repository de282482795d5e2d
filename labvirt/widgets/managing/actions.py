"""Actions: what can be done to domains, in which states, why not, and the plan that each makes.

It is pure: a table and functions over facts. Nothing here asks a host before a plan is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import SpecError
from labvirt.host.bulk import Bulk
from labvirt.widgets.i18n import N_, _, ngettext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labvirt.host.domain import Domain
    from labvirt.plan import Plan
    from labvirt.status import DomainRecord

__all__ = ["ACTIONS", "Act", "Facts", "Field", "action_of", "facts_of", "plans_of", "why_not"]

RUNNING: Final = frozenset({"running", "blocked"})
ACTIVE: Final = frozenset({"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed"})
OFF: Final = frozenset({"shutoff"})
ANY: Final = frozenset({*ACTIVE, *OFF, "nostate"})

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
    )


@dataclass(frozen=True, slots=True)
class Field:
    """What an action has to be told.

    Attributes:
        name: keyword of the plan.
        label: what it is called.
        kind: ``text``, ``flag``, ``host`` (one of the other hosts) or ``file`` (files of the
            domain that may go with it).
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
        make: makes the plans, one for each host.
        many: it can be done to several domains at once.
        destroys: something is lost, so that it is always confirmed.
        reads: it changes nothing, so that a read-only host allows it.
        needs: the public name in ``labvirt.widgets`` that it opens; empty when it makes a plan.
        fields: what it has to be told first.
        stops: the other reasons why it cannot be done: text by a test of the facts.
    """

    key: str
    label: str
    tip: str
    states: frozenset[str]
    make: Callable[[Sequence[Domain], Mapping[str, Any]], tuple[Plan[Any], ...]] | None = None
    many: bool = True
    destroys: bool = False
    reads: bool = False
    needs: str = ""
    fields: tuple[Field, ...] = ()
    stops: tuple[tuple[Callable[[Facts], bool], str], ...] = field(default=())


def _each(verb: str) -> Callable[[Sequence[Domain], Mapping[str, Any]], tuple[Plan[Any], ...]]:
    """Return what plans a verb of one domain, or of many as one plan for each host."""

    def make(domains: Sequence[Domain], options: Mapping[str, Any]) -> tuple[Plan[Any], ...]:
        if len(domains) == 1:
            return (getattr(domains[0], verb).plan(**options),)
        hosts = dict.fromkeys(each.host for each in domains)
        return tuple(
            getattr(Bulk(host, "domain", [each for each in domains if each.host == host]), verb)
            .plan(**options)
            for host in hosts
        )  # fmt: skip

    return make


def _delete(domains: Sequence[Domain], options: Mapping[str, Any]) -> tuple[Plan[Any], ...]:
    from labvirt.widgets.managing.deleting import plan_delete

    files = tuple(options.get("files", ()))
    return tuple(plan_delete(each, files) for each in domains)


def _clone(domains: Sequence[Domain], options: Mapping[str, Any]) -> tuple[Plan[Any], ...]:
    domain: Any = domains[0]
    return (domain.clone.plan(options["name"], linked=bool(options.get("linked"))),)


def _migrate(domains: Sequence[Domain], options: Mapping[str, Any]) -> tuple[Plan[Any], ...]:
    destination = options.get("destination")
    if destination is None:
        raise SpecError(
            _("migrate: no destination is chosen"), hint=_("connect another host first")
        )
    live = bool(options.get("live", True))
    return tuple(each.migrate.plan(destination, live=live) for each in domains)


def _snapshot(domains: Sequence[Domain], options: Mapping[str, Any]) -> tuple[Plan[Any], ...]:
    return tuple(each.snapshot.plan(options["name"]) for each in domains)


def _tags(domains: Sequence[Domain], options: Mapping[str, Any]) -> tuple[Plan[Any], ...]:
    tags = tuple(dict.fromkeys(str(options.get("tags", "")).replace(",", " ").split()))
    return tuple(each.set_tags.plan(tags) for each in domains)


_TRANSIENT = (
    (lambda facts: not facts.persistent),
    N_("{name} is transient: nothing of it would remain"),
)

#: In the order of the toolbar.
ACTIONS: Final[tuple[Act, ...]] = (
    Act("run", N_("Run"), N_("Start the VM; one that was saved goes on"), OFF, _each("start")),
    Act(
        "pause",
        N_("Pause"),
        N_("Stop the VM's processors; it keeps its memory"),
        RUNNING,
        _each("suspend"),
    ),
    Act(
        "resume",
        N_("Resume"),
        N_("Let a paused VM go on"),
        frozenset({"paused"}),
        _each("resume"),
    ),
    Act(
        "shutdown",
        N_("Shut down"),
        N_("Ask the guest to shut down, and wait until it has"),
        RUNNING,
        _each("shutdown"),
    ),
    Act("reboot", N_("Reboot"), N_("Ask the guest to reboot"), RUNNING, _each("reboot")),
    Act(
        "reset",
        N_("Force reset"),
        N_("Press the reset button: what is not on disk is lost"),
        frozenset({*RUNNING, "paused", "crashed"}),
        _each("reset"),
        destroys=True,
    ),
    Act(
        "destroy",
        N_("Force off"),
        N_("Pull the power cord: what is not on disk is lost"),
        ACTIVE,
        _each("destroy"),
        destroys=True,
    ),
    Act(
        "save",
        N_("Save"),
        N_("Write the memory to the host's disk and stop; Run goes on from there"),
        frozenset({*RUNNING, "paused"}),
        _each("managed_save"),
        stops=(_TRANSIENT,),
    ),
    Act(
        "snapshot",
        N_("Snapshot"),
        N_("Keep the state of disks and memory under a name"),
        frozenset({*RUNNING, "paused", "shutoff"}),
        _snapshot,
        fields=(Field("name", N_("Snapshot name"), default="snapshot1"),),
        stops=(_TRANSIENT,),
    ),
    Act(
        "clone",
        N_("Clone"),
        N_("Make a VM like this one, with disks and identity of its own"),
        OFF,
        _clone,
        many=False,
        fields=(
            Field("name", N_("Name of the clone"), default="{name}-clone"),
            Field(
                "linked",
                N_("Linked"),
                "flag",
                default=False,
                help=N_("Disks hold only what differs; the first VM must stay off"),
            ),
        ),
    ),
    Act(
        "migrate",
        N_("Migrate"),
        N_("Move the running VM to another host"),
        frozenset({*RUNNING, "paused"}),
        _migrate,
        fields=(
            Field("destination", N_("Destination"), "host"),
            Field(
                "live",
                N_("Live"),
                "flag",
                default=True,
                help=N_("The guest runs while its memory is copied"),
            ),
        ),
    ),
    Act(
        "delete",
        N_("Delete"),
        N_("Remove the definition; files only those that you choose"),
        OFF,
        _delete,
        destroys=True,
        fields=(Field("files", N_("Delete these files too"), "file", default=()),),
    ),
    Act(
        "tags",
        N_("Tags"),
        N_("Words to find and group VMs by"),
        ANY - {"nostate"},
        _tags,
        fields=(Field("tags", N_("Tags"), default="{tags}", help=N_("Words, spaces between them")),),
    ),
    Act(
        "console",
        N_("Open console"),
        N_("Open the serial console"),
        ACTIVE,
        many=False,
        needs="console",
    ),
    Act("screen", N_("Screen"), N_("Open the graphical console"), ACTIVE, many=False, needs="screen"),
    Act(
        "charts",
        N_("Charts"),
        N_("Draw what the VM uses, live"),
        ACTIVE,
        reads=True,
        needs="charts",
    ),
)  # fmt: skip


def action_of(key: str) -> Act:
    """Return an action by its key.

    Raises:
        KeyError: there is none.
    """
    return _KEYS[key]


_KEYS: Final = {each.key: each for each in ACTIONS}


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


def plans_of(
    act: Act, domains: Sequence[Domain], options: Mapping[str, Any] | None = None
) -> tuple[Plan[Any], ...]:
    """Return the plans of an action: one for each host or domain; nothing is changed.

    Raises:
        SpecError: it makes no plan, or an option is wrong.
        LabvirtError: a host refuses to say what is needed for it.
    """
    if act.make is None or not domains:
        raise SpecError(f"{act.key}: there is nothing to plan")
    return act.make(domains, options or {})
