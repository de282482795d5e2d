"""The plans of actions: of one domain, and of many as one plan for each host."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from labvirt.errors import LabvirtError, SpecError
from labvirt.host.bulk import WORKERS, together
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.host.domain import Domain
    from labvirt.plan import Plan
    from labvirt.widgets.managing.acting import Act, Make

__all__ = [
    "clone",
    "delete",
    "delete_snapshot",
    "describe",
    "each",
    "migrate",
    "plans_of",
    "rename",
    "revert",
    "snapshot",
    "tags",
    "title",
]


def each(verb: str, *args: Any) -> Make:
    """Return what makes the plan of a verb without options."""
    return lambda domain, _options: getattr(domain, verb).plan(*args)


def delete(domain: Domain, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan that removes a domain, with those of its files that were chosen."""
    from labvirt.widgets.managing.deleting import plan_delete

    files = dict(options.get("files", ()))
    return plan_delete(domain, tuple(path for path, of in files.items() if of == domain.uuid))


def clone(domain: Any, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan of a clone."""
    return cast("Plan[Any]", domain.clone.plan(options["name"], linked=bool(options.get("linked"))))


def migrate(domain: Domain, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan of a migration; raises SpecError without a destination."""
    destination = options.get("destination")
    if destination is None:
        raise SpecError(
            _("migrate: no destination is chosen"), hint=_("connect another host first")
        )
    return domain.migrate.plan(destination, live=bool(options.get("live", True)))


def snapshot(domain: Domain, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan of a snapshot."""
    return domain.snapshot.plan(options["name"])


def _chosen_snapshot(domain: Domain, options: Mapping[str, Any]) -> Any:
    if not options.get("snapshot"):
        raise SpecError(_("no snapshot is chosen"), hint=_("make one first"))
    return domain.snapshots[options["snapshot"]]


def revert(domain: Domain, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan that goes back to a snapshot."""
    return cast("Plan[Any]", _chosen_snapshot(domain, options).revert.plan())


def delete_snapshot(domain: Domain, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan that deletes a snapshot."""
    return cast("Plan[Any]", _chosen_snapshot(domain, options).delete.plan())


def tags(domain: Domain, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan of other tags: words with spaces or commas between them."""
    tags = tuple(dict.fromkeys(str(options.get("tags", "")).replace(",", " ").split()))
    return domain.set_tags.plan(tags)


def title(domain: Domain, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan of another title."""
    return domain.set_title.plan(str(options["title"]).strip() or None)


def describe(domain: Domain, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan of another description."""
    return domain.set_description.plan(str(options["description"]).strip() or None)


def rename(domain: Domain, options: Mapping[str, Any]) -> Plan[Any]:
    """Return the plan of another name."""
    return domain.rename.plan(str(options["name"]).strip())


def plans_of(
    act: Act, domains: Sequence[Domain], options: Mapping[str, Any] | None = None
) -> tuple[Plan[Any], ...]:
    """Return the plans of an action: one for each host; nothing is changed.

    Of several domains those that it cannot be planned for are told by the plan of the others.

    Raises:
        SpecError: it makes no plan, or an option is wrong.
        LabvirtError: a host refuses to say what is needed for it.
    """
    make, told = act.make, options or {}
    if make is None or not domains:
        raise SpecError(f"{act.key}: there is nothing to plan")
    if len(domains) == 1:
        return (make(domains[0], told),)

    def one(domain: Domain) -> Plan[Any] | LabvirtError:
        try:
            return make(domain, told)
        except LabvirtError as error:
            return error

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="labvirt-manager-plan") as pool:
        made = list(zip(domains, pool.map(one, domains), strict=True))
    errors = [each for _domain, each in made if isinstance(each, LabvirtError)]
    if len(errors) == len(made):
        raise errors[0]
    return tuple(
        together(
            host,
            # In the plan's own words, which are the same in every language.
            f"{act.key.replace('_', ' ')} {len(own)} domains",
            own,
            workers=act.at_once,
        )
        for host in dict.fromkeys(each.host for each in domains)
        if (own := [(domain.name, plan) for domain, plan in made if domain.host == host])
    )
