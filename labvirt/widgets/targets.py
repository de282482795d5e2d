"""Targets: what can be given to `charts`, and the driver that each is shown with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from labvirt.errors import Problem, SpecError
from labvirt.history.source import Source
from labvirt.model.arguments import checked
from labvirt.model.spec import Spec
from labvirt.status.sample import Subject
from labvirt.status.series import GROUPS, Group
from labvirt.widgets.boards import PANELS, domain_panels, domains_panels, host_panels
from labvirt.widgets.live import LiveDriver
from labvirt.widgets.replaying import ReplayDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.widgets.boards import Known
    from labvirt.widgets.feed import Driver
    from labvirt.widgets.panels import Panel

    Layout = Callable[[Known], tuple[Panel, ...]]
    Board = Literal["domain", "domains", "host"]

__all__ = ["driver_of"]

#: What each board asks for unless told otherwise. Steal costs a call per guest and is seldom known.
_GROUPS: dict[str, tuple[Group, ...]] = {
    "domain": ("cpu", "memory", "network", "vcpu", "disk", "balloon"),
    "domains": ("cpu", "memory", "network", "disk"),
    "host": ("cpu", "memory", "host"),
}


class _Options(Spec):
    """The options of `charts`."""

    engine: Literal["plotly", "light"]
    window_s: Annotated[float, Field(ge=10, le=86400, allow_inf_nan=False)]
    groups: tuple[Group, ...] | None = None
    panels: tuple[str, ...] | None = None


def driver_of(
    target: Any,
    *,
    engine: str,
    window_s: float,
    groups: Sequence[Group] | None,
    panels: Sequence[str] | None,
    source: Source | None,
) -> tuple[Driver, str]:
    """Return a driver for a target, and a key that stands for the two together.

    Raises:
        SpecError: there is nothing to draw of it, or an option is wrong.
    """
    options = checked(
        _Options,
        "draw charts",
        engine=engine,
        window_s=window_s,
        groups=None if groups is None else tuple(groups),
        panels=None if panels is None else tuple(panels),
    )
    if isinstance(target, Source):
        source, target = target, []
    members = _members(target)
    if source is not None:
        if not isinstance(source, Source):
            raise SpecError(f"draw charts: {source!r} is no source of samples")
        return _recorded(source, members, options)
    board, title, layout, domains = _board(members)
    hosts = tuple(dict.fromkeys(_host_of(member) for member in members))
    chosen = options.groups or _GROUPS[board]
    driver = LiveDriver(
        title,
        hosts,
        _only(layout, board, options.panels),
        chosen,
        domains=domains,
        window_s=options.window_s,
    )
    whom = ",".join(sorted(domains or [host.name for host in hosts]))
    return driver, f"charts {board} {hosts[0].label} {whom}"


def _has(target: Any, *names: str) -> bool:
    return all(name in dir(type(target)) or name in vars(target) for name in names)


def _is_domain(target: Any) -> bool:
    return hasattr(target, "__dict__") and _has(target, "uuid", "host", "name")


def _is_host(target: Any) -> bool:
    return hasattr(target, "__dict__") and _has(target, "sampler", "history", "label")


def _host_of(member: Any) -> Any:
    return member.host if _is_domain(member) else member


def _members(target: Any) -> list[Any]:
    """Return the domains or hosts that a target stands for."""
    if _is_domain(target) or _is_host(target):
        return [target]
    hosts = getattr(target, "hosts", None)
    given = hosts if hosts is not None else target
    if isinstance(given, (list, tuple, set, frozenset)):
        members = list(given)
        if all(map(_is_domain, members)) or all(map(_is_host, members)):
            return members
    raise SpecError(
        f"draw charts: there is nothing to draw of {target!r:.200}",
        hint="give a domain, a host, a lab, a list of domains or of hosts, or a recording",
    )


def _board(members: Sequence[Any]) -> tuple[Board, str, Layout, tuple[str, ...] | None]:
    if not members:
        raise SpecError("draw charts: the list is empty", hint="give at least one domain or host")
    title = ", ".join(member.name for member in members[:6])
    if len(members) > 6:
        title += f" and {len(members) - 6} more"
    if not _is_domain(members[0]):
        names = [member.name for member in members]
        return "host", title, lambda known: host_panels(names, _domains(known), known), None
    whom = [Subject(member.host.name, member.uuid) for member in members]
    uuids = tuple(subject.uuid for subject in whom)
    called = {member.uuid: member.name for member in members}
    if len(members) == 1:
        return "domain", title, lambda known: domain_panels(whom[0], known), uuids

    def compare(known: Known) -> tuple[Panel, ...]:
        return domains_panels(whom, known.renamed(called))

    return "domains", title, compare, uuids


def _domains(known: Known) -> list[Subject]:
    return sorted(
        known.subjects.get("domain", ()), key=lambda each: known.names.get(each.uuid, each.uuid)
    )


def _only(layout: Layout, board: Board, panels: tuple[str, ...] | None) -> Layout:
    if panels is None:
        return layout
    for at, key in enumerate(panels):
        if key not in PANELS[board]:
            known = ", ".join(PANELS[board])
            problem = Problem(f"panels.{at}", key, f"is none of {known}")
            raise SpecError("draw charts: there is no such panel", [problem])

    def chosen(known: Known) -> tuple[Panel, ...]:
        made = {panel.key: panel for panel in layout(known)}
        return tuple(made[key] for key in panels if key in made)

    return chosen


def _recorded(source: Source, members: Sequence[Any], options: _Options) -> tuple[Driver, str]:
    """Return a driver that plays what a source has of some domains, or of all."""
    everybody = source.subjects("domain")
    if members and _is_domain(members[0]):
        uuids = {member.uuid for member in members}
        whom = [each for each in everybody if each.uuid in uuids]
        if not whom:
            names = ", ".join(member.name for member in members)
            raise SpecError(f"draw charts: the recording has nothing of {names}")
    else:
        whom = list(everybody)
    hosts = list(dict.fromkeys(each.host for each in (*whom, *source.subjects("host"))))
    title = ", ".join(source.name(each.uuid) for each in whom[:6]) or ", ".join(hosts)
    board: Board = "domain" if len(whom) == 1 else "domains" if members else "host"
    layouts: dict[Board, Layout] = {
        "domain": lambda known: domain_panels(whom[0], known),
        "domains": lambda known: domains_panels(whom, known),
        "host": lambda known: host_panels(hosts, _domains(known), known),
    }
    # Steal is seldom known: a line of it is drawn when it is asked for.
    groups = options.groups or tuple(each for each in GROUPS if each != "steal")
    layout = _only(layouts[board], board, options.panels)
    driver = ReplayDriver(title, source, layout, groups, domains=[each.uuid for each in whom])
    return driver, f"replay {board} {id(source)} {title}"
