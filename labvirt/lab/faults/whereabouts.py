"""Which thing of which host a fault is about, found before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.errors import LabError, LabvirtError, Problem, SpecError
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.host import Domain, Host
    from labvirt.lab.faults.registry import Fault
    from labvirt.lab.lab import Lab

__all__ = ["find_where"]


def find_where(
    lab: Lab, fault: Fault, host: str | Host, given: Mapping[str, str], options: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what is broken (host, network, ...) and the options with their defaults.

    Raises:
        SpecError: the fault has no such option.
        LabError: the thing is not there, is of another lab, or the back end cannot have the fault.
    """
    asked = f"lab {lab.name} cannot be broken by {fault.id}"
    name = _host_of(lab, host, asked)
    defaults = dict(fault.options)
    if wrong := sorted(set(options) - set(defaults)):
        hint = f"it takes {', '.join(defaults)}" if defaults else "it takes no options"
        raise SpecError(asked, [Problem(wrong[0], "", "there is no such option", hint)])
    if lab.backend not in fault.backends:
        raise LabError(
            f"{asked}: its hosts are of the {lab.backend} back end, which has nothing to break there",
            hint=f"it works in a lab of the {' or '.join(fault.backends)} back end",
        )
    where = {"host": name}
    if fault.of != "host":
        link = lab.open(name)
        try:
            where |= _thing(link, fault, given, asked)
        except LabvirtError as error:
            if isinstance(error, LabError):
                raise
            raise LabError(f"{asked}: {error}") from error
        finally:
            link.close()
    return where, defaults | dict(options)


def _host_of(lab: Lab, host: str | Host, asked: str) -> str:
    """Return the name of a host, when it belongs to this lab."""
    if not isinstance(host, str):
        # A real host, or one of another lab, is never broken.
        if host.facts.lab != lab.name or host.facts.name not in lab:
            raise LabError(
                f"{asked}: {host.label} is no host of it",
                hint="only what labvirt has started itself is ever broken:"
                f" one of {', '.join(lab.names)}",
            )
        return host.facts.name
    if host and host not in lab:
        raise LabError(
            f"{asked}: it has no host {host!r}", hint=f"its hosts: {', '.join(lab.names)}"
        )
    return host or lab.names[0]


def _thing(host: Host, fault: Fault, given: Mapping[str, str], asked: str) -> dict[str, str]:
    if fault.of in {"network", "pool"}:
        known = host.networks.names if fault.of == "network" else host.pools.names
        name = given[fault.of] or "default"
        if name not in known:
            raise LabError(
                f"{asked}: host {host.name} has no {fault.of} {name}",
                hint=f"it has {', '.join(known) or 'none'}",
            )
        return {fault.of: name}
    domain = _domain(host, fault, given["domain"], asked)
    if fault.of == "domain":
        return {"domain": domain.name}
    document = DomainXml.parse(domain.xml())
    if fault.of == "disk":
        names = [one.target or "" for one in document.disks if one.source_file]
    else:
        names = [one.mac or "" for one in document.interfaces]
    wanted = given[fault.of]
    if not names or (wanted and wanted not in names):
        what = f"{fault.of} {wanted}" if wanted else f"{fault.of} that could be broken"
        raise LabError(
            f"{asked}: domain {domain.name} has no {what}",
            hint=f"it has {', '.join(names) or 'none'}",
        )
    return {"domain": domain.name, fault.of: wanted or names[0]}


def _domain(host: Host, fault: Fault, name: str, asked: str) -> Domain:
    found = list(host.domains)
    active = {one.name for one in found if one.is_active}
    if fault.state != "any":
        wanted = fault.state == "running"
        fit = [one for one in found if (one.name in active) == wanted]
    else:
        fit = sorted(found, key=lambda one: one.name not in active)
    if name:
        for one in found:
            if one.name == name:
                if one not in fit:
                    now = "running" if name in active else "off"
                    raise LabError(
                        f"{asked}: domain {name} is {now}, and it must be {fault.state}",
                        hint=f"virsh {'start' if now == 'off' else 'destroy'} {name}",
                    )
                return one
        raise LabError(
            f"{asked}: host {host.name} has no domain {name}",
            hint=f"it has {', '.join(one.name for one in found) or 'none'}",
        )
    if not fit:
        kind = "" if fault.state == "any" else f" that is {fault.state}"
        raise LabError(f"{asked}: host {host.name} has no domain{kind}", hint="make one first")
    if len(fit) > 1 and not (fault.state == "any" and len(active) == 1):
        names = ", ".join(one.name for one in fit)
        raise LabError(f"{asked}: host {host.name} has several domains", hint=f"domain= {names}")
    return fit[0]
