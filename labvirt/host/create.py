"""Planning a new domain: everything looked at before, every volume and call an action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import network as networks
from labvirt.errors import Problem, SpecError
from labvirt.host.actions import (
    DefineDomain,
    StartDomain,
    StartNetwork,
)
from labvirt.host.domain import Domain
from labvirt.host.networks.hostnet import HostNet
from labvirt.host.networks.linking import missing_device
from labvirt.host.present import Present
from labvirt.host.storage.storing import Storing
from labvirt.host.validate import require_valid
from labvirt.model.interface import InterfaceSpec
from labvirt.model.spec_text import spec_text
from labvirt.model.virtinstall import virt_install_line
from labvirt.plan import Plan

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.model.domain import DomainSpec
    from labvirt.plan import Action

__all__ = ["default_interface", "plan_domain", "wanted_networks"]


def plan_domain(
    host: Host,
    spec: DomainSpec,
    *,
    start: bool = True,
    paused: bool = False,
    transient: bool = False,
) -> Plan[Domain]:
    """Return the plan that makes a domain; see `Host.plan`."""
    host.require_writable(f"create domain {spec.name}")
    asked = spec
    present = Present(host)
    present.refuse_twins(spec)
    storing = Storing(host, spec.name)
    if spec.source is not None and spec.source.needs_media:
        spec = storing.place_media(spec)
    spec = _with_transcript(host, spec).filled(
        present.macs,
        present.uuids,
        virt=host.default_virt(),
        default_interface=default_interface(host),
        default_pool=host.facts.default_pool,
    )
    network_actions, problems = wanted_networks(host, spec)
    spec, disk_problems = storing.place_disks(spec)
    problems += disk_problems + _sizes(host, spec)
    if problems:
        raise SpecError(f"domain {spec.name} cannot be made on {host.name}:", problems)
    xml = spec.to_xml()
    require_valid(xml)
    uuid = str(spec.uuid)
    actions: list[Action[Any]] = [*storing.actions]
    if start or transient:
        actions += network_actions
    log = spec.serial.log_path or "" if spec.serial else ""
    if transient:
        actions.append(StartDomain(spec.name, uuid, paused, transient_xml=xml, serial_log=log))
    else:
        actions.append(DefineDomain(spec.name, uuid, xml))
        if start:
            actions.append(StartDomain(spec.name, uuid, paused, serial_log=log))
    options = "".join(
        f", {word}" for word in _options(start=start, paused=paused, transient=transient)
    )
    return Plan(
        title=f"create domain {spec.name}",
        host=host,
        actions=tuple(actions),
        result=lambda: _made(host, uuid, spec.name),
        warnings=(*storing.warnings, *_warnings(host, spec)),
        python=f"{host.python}.plan({spec_text(asked)}{options}).apply()",
        virt_install=virt_install_line(spec, uri=host.label),
        journal=host.journal,
    )


def _made(host: Host, uuid: str, name: str) -> Domain:
    """Return the new domain with a record that is up to date."""
    domain = Domain(host, uuid, name)
    domain.info()
    return domain


def _options(*, start: bool, paused: bool, transient: bool) -> list[str]:
    return ["start=False"] * (not start) + ["paused=True"] * paused + ["transient=True"] * transient


def _with_transcript(host: Host, spec: DomainSpec) -> DomainSpec:
    """Let QEMU keep a transcript of the serial console where the host has a place for it."""
    folder = host.facts.serial_folder
    if folder is None or spec.serial is None or spec.serial.log_path:
        return spec
    log = str(folder / f"{spec.name}.log")
    return spec.replace(serial=spec.serial.replace(log_path=log))


def default_interface(host: Host) -> InterfaceSpec:
    """Return the interface of a spec that leaves it to the host."""
    if host.facts.default_interface is not None:
        return host.facts.default_interface
    if "default" in {record.name for record in networks.list_all(host.connection)}:
        return InterfaceSpec(kind="network", source="default")
    return InterfaceSpec(kind="user")


def wanted_networks(host: Host, spec: DomainSpec) -> tuple[list[Action[Any]], list[Problem]]:
    """Check the networks that the interfaces want; plan to start those that are not active."""
    actions: list[Action[Any]] = []
    problems: list[Problem] = []
    known = {record.name: record for record in host.networks.records}
    needy = any(interface.kind in ("bridge", "direct") for interface in spec.interfaces)
    net = HostNet.read(host) if needy else None
    for number, interface in enumerate(spec.interfaces):
        why = missing_device(net, interface.kind, interface.source)
        if why and net is not None:
            shown = net.bridges if interface.kind == "bridge" else net.devices - {"lo"}
            hint = f"it has: {', '.join(sorted(shown)) or 'none'}"
            problems.append(
                Problem(f"interfaces[{number}].source", str(interface.source), why, hint)
            )
        if interface.kind != "network":
            continue
        record = known.get(str(interface.source))
        if record is None:
            names = ", ".join(sorted(known)) or "none"
            problems.append(
                Problem(
                    f"interfaces[{number}].source",
                    str(interface.source),
                    f"{host.name} has no such network",
                    f"it has: {names}",
                )
            )
        elif not record.is_active and StartNetwork(record.name) not in actions:
            actions.append(StartNetwork(record.name))
    return actions, problems


def _sizes(host: Host, spec: DomainSpec) -> list[Problem]:
    """Check processors against what the hypervisor can give."""
    limit = host.max_vcpus()
    wanted = spec.max_vcpus or spec.vcpus
    if wanted <= limit:
        return []
    return [Problem("vcpus", str(wanted), f"{host.name} allows {limit} at most")]


def _warnings(host: Host, spec: DomainSpec) -> list[str]:
    """Say what will work and may hurt (G2.2-10, G2.2-11)."""
    machine = host.info()
    found = list(spec.warnings)
    if spec.memory > machine.memory:
        found.append(f"{spec.memory} is more than all memory of {host.name} ({machine.memory})")
    if spec.vcpus > machine.cpus:
        found.append(f"{spec.vcpus} processors on a host with {machine.cpus}: they will wait")
    if spec.virt == "qemu":
        found.append("without KVM the guest runs in software and is many times slower")
    return found
