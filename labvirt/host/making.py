"""Plans that make a domain from XML or from a saved file, after a look at it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.connection import domain as domains
from labvirt.errors import ConflictError, NotFoundError, Problem, SpecError
from labvirt.host.domain import Domain
from labvirt.host.handle import python_call, xml_diff
from labvirt.host.present import twins
from labvirt.host.shell import fed
from labvirt.host.validate import require_valid
from labvirt.model.arguments import HostFile, checked
from labvirt.model.names import check_name
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Call, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host.host import Host
    from labvirt.plan import JobControl

__all__ = ["plan_create", "plan_define", "plan_restore"]


def _existing(host: Host, key: str) -> Domain | None:
    try:
        return Domain(host, domains.find(host.connection, key), key)
    except NotFoundError:
        return None


def _name(document: DomainXml) -> str:
    """Return the name in a definition.

    Raises:
        SpecError: it has none, or one that libvirt cannot keep.
    """
    if not document.name:
        raise SpecError("the XML of a domain", [Problem("name", "", "is missing")])
    return check_name(document.name, mode="libvirt")


def _promises(host: Host, document: DomainXml) -> tuple[str, ...]:
    """Warn of what the definition counts on and the host does not have."""
    if document.type == "kvm" and host.facts.virt == "qemu":
        return ("KVM does not work on this host: the guest will hang, or not start",)
    return ()


def _one(
    host: Host,
    text: str,
    run: Callable[[Host, JobControl], Domain],
    *,
    line: str,
    diff: str,
    python: str,
    warnings: tuple[str, ...] = (),
) -> Plan[Domain]:
    call: Call[Host, Domain] = Call(
        text, run, line=line, change=diff, before=lambda target: target.require_writable(text)
    )
    return Plan(
        title=text,
        host=host,
        actions=(call,),
        result=lambda: call.results[-1],
        warnings=warnings,
        python=f"{host.python}{python}",
        journal=host.journal,
    )


def plan_define(host: Host, xml: str) -> Plan[Domain]:
    """Plan to store a definition; see `Host.define`."""
    document = DomainXml.parse(xml)
    xml = document.text()
    require_valid(xml)
    name = _name(document)
    known = _existing(host, document.uuid or name)
    namesake = _existing(host, name)
    if namesake is not None and known is not None and namesake.uuid != known.uuid:
        raise ConflictError(
            f"define domain {name}",
            uri=host.label,
            libvirt_text=f"the name belongs to the domain with UUID {namesake.uuid}",
            hint="another name, or the UUID of the domain that is to be changed",
        )
    before = known.xml(inactive=True) if known is not None else ""
    waits = known is not None and known.is_active
    return _one(
        host,
        f"{'change the definition of' if known else 'define'} domain {name}",
        lambda target, _: Domain(target, domains.define(target.connection, xml), name),
        line=fed("define --validate", xml),
        diff=xml_diff(before, xml, name),
        python=python_call("", "define", (document.redacted(),), {}),
        warnings=(
            *((f"takes effect at the next start of {name}",) if waits else ()),
            *_promises(host, document),
            *twins(host, document, known.uuid if known else None),
        ),
    )


def plan_create(host: Host, xml: str, *, paused: bool) -> Plan[Domain]:
    """Plan to start a transient domain; see `Host.create`."""
    document = DomainXml.parse(xml)
    xml = document.text()
    require_valid(xml)
    name = _name(document)
    known = _existing(host, document.uuid or name)
    if known is not None and known.is_active:
        raise ConflictError(
            f"create domain {name}",
            uri=host.label,
            libvirt_text=f"domain {name} runs already",
            hint=f"host.domains[{name!r}] is it",
        )
    return _one(
        host,
        f"create transient domain {name}",
        lambda target, _: Domain(
            target, domains.create(target.connection, xml, paused=paused), name
        ),
        line=fed("create --validate" + " --paused" * paused, xml),
        diff=xml_diff("", xml, name),
        python=python_call("", "create", (document.redacted(),), {"paused": paused}),
        warnings=(
            f"{name} is transient: it is gone when it is off",
            *_promises(host, document),
            *twins(host, document, known.uuid if known else None),
        ),
    )


def plan_restore(host: Host, path: str, *, paused: bool | None) -> Plan[Domain]:
    """Plan to bring a saved domain back; see `Host.restore`."""
    path = checked(HostFile, "restore a domain", path=path).path
    try:
        saved = DomainXml.parse(domains.save_image_xml(host.connection, path))
    except SpecError as error:
        raise NotFoundError(
            f"restore {path}",
            uri=host.label,
            libvirt_text=error.what,
            hint="the file is not a domain that was saved",
        ) from error
    name = _name(saved)
    known = _existing(host, saved.uuid or name)
    if known is not None and known.is_active:
        raise ConflictError(
            f"restore domain {name} from {path}",
            uri=host.label,
            libvirt_text=f"domain {name} runs already",
            hint="shut it down first; two of it on one disk would destroy the disk",
        )

    def run(target: Host, control: JobControl) -> Domain:
        control.report(f"restore {name}")
        domains.restore(target.connection, path, paused=paused)
        return Domain(target, domains.find(target.connection, name), name)

    return _one(
        host,
        f"restore domain {name}",
        run,
        line=shlex.join(["restore", path]),
        diff="",
        python=python_call("", "restore", (path,), {"paused": paused}),
        warnings=_age_of_disks(host, saved, path),
    )


def _age_of_disks(host: Host, saved: DomainXml, path: str) -> tuple[str, ...]:
    """Warn when a disk was written after the domain was saved."""
    if not host.is_local:
        return ()
    found = []
    for disk in saved.disks:
        try:
            newer = disk.source_path is not None and _mtime(disk.source_path) > _mtime(path)
        except OSError:
            continue
        if newer:
            found.append(f"{disk.source_path} was written after the domain was saved")
    return tuple(found)


def _mtime(path: str) -> float:
    return Path(path).stat().st_mtime
