"""Pre-flight: everything that is looked at before a domain moves, with a verdict for each (12.1)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from labvirt.errors import LabvirtError, PreconditionError
from labvirt.host.migrating.check_capacity import check_memory, check_vcpus
from labvirt.host.migrating.check_hosts import (
    check_clocks,
    check_domain,
    check_driver,
    check_names,
    check_reach,
    check_versions,
    check_way_of_sending,
)
from labvirt.host.migrating.check_machine import (
    check_cpu,
    check_devices,
    check_emulation,
    check_firmware,
    check_kind,
    check_tpm,
)
from labvirt.host.migrating.check_network import check_filters, check_interfaces, check_ways
from labvirt.host.migrating.check_storage import check_cache, check_disks, check_files
from labvirt.host.migrating.estimating import estimated, finding_of
from labvirt.host.migrating.looking import look_at
from labvirt.status.finding import Finding, Findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.host.migrating.sides import Look
    from labvirt.host.migrating.storage_prep import Prepared
    from labvirt.model.migration import MigrationSpec
    from labvirt.model.xml.domain import DomainXml
    from labvirt.status.migration import Estimate

__all__ = ["CHECKS", "Preflight", "examine", "judge", "require_movable"]

#: Every check, in the order in which people ask.
CHECKS: Final[tuple[Callable[[Look], Iterable[Finding]], ...]] = (
    check_reach,
    check_driver,
    check_versions,
    check_clocks,
    check_domain,
    check_names,
    check_kind,
    check_emulation,
    check_cpu,
    check_vcpus,
    check_memory,
    check_firmware,
    check_tpm,
    check_devices,
    check_disks,
    check_files,
    check_cache,
    check_interfaces,
    check_filters,
    check_ways,
    check_way_of_sending,
)
#: Those that make sense of two different hosts that answer.
_FIRST: Final = frozenset({check_reach, check_domain})


@dataclass(frozen=True, repr=False)
class Preflight(Findings):
    """Whether a domain can move to another host, item by item.

    Attributes:
        title: what was looked at.
        findings: a verdict for each item, with evidence, cause and remedy.
        seconds: how long looking took.
        estimate: predicted time and downtime; None when it was not asked for or could not be told.
    """

    seconds: float = field(default=0.0, compare=False)
    estimate: Estimate | None = None

    def __repr__(self) -> str:
        """Return one line."""
        told = f"{len(self.failures)} fail, {len(self.warnings)} warn" if not self.can else "can"
        return f"<Preflight {self.title}: {told}>"

    def __bool__(self) -> bool:
        return self.can

    @property
    def can(self) -> bool:
        """Return True when nothing is known that forbids it."""
        return not self.failures

    @property
    def why(self) -> str:
        """Return every reason why it cannot, in a sentence; empty when it can."""
        return "; ".join(dict.fromkeys(one.reason for one in self.failures))

    @property
    def remedies(self) -> tuple[str, ...]:
        """Return what to do about what forbids it."""
        return tuple(dict.fromkeys(one.remedy for one in self.failures if one.remedy))

    def df(self) -> pd.DataFrame:
        """Return the findings as a table, a row each.

        Columns: question, verdict, evidence, cause, remedy, guide; the index is the id.
        """
        import pandas as pd

        frame = pd.DataFrame([one.as_dict() for one in self.findings])
        return frame.set_index("id")


def judge(look: Look) -> tuple[Finding, ...]:
    """Return what every check finds. Pure."""
    silent = look.source.error or look.destination.error
    checks = [one for one in CHECKS if one in _FIRST] if silent or look.is_same else CHECKS
    return tuple(finding for check in checks for finding in check(look))


def examine(
    domain: DomainHandle,
    document: DomainXml,
    destination: Host,
    spec: MigrationSpec,
    prepared: Prepared,
    *,
    data_uri: str | None = None,
    deep: bool = True,
    measure_s: int = 0,
) -> Preflight:
    """Look at both hosts and judge; changes nothing.

    Args:
        domain: what would move.
        document: its XML.
        destination: where to.
        spec: how.
        prepared: where disks that are copied land, and what speaks against it.
        data_uri: where the data would go; None: the destination says.
        deep: look at files, clocks and ports too.
        measure_s: measure for so long how fast the guest writes, and predict; 0: do not.

    Raises:
        LabvirtError: the domain itself cannot be read.
    """
    began = time.monotonic()
    look = look_at(domain, document, destination, spec, prepared, data_uri=data_uri, deep=deep)
    findings = list(judge(look))
    predicted = None
    if measure_s and look.record.id is not None and not spec.offline and not look.is_same:
        disk_bytes = float(sum(one.allocated for one in prepared.landings))
        try:
            predicted, bandwidth, dirty = estimated(
                domain, spec, disk_bytes=disk_bytes, measure_s=measure_s
            )
        except LabvirtError as error:
            question = "How long will it take?"
            findings.append(Finding("estimate", question, "unknown", error.what))
        else:
            findings.append(finding_of(predicted, bandwidth, dirty, spec))
    return Preflight(
        title=f"migrate domain {domain.name} from {domain.host.name} to {destination.name}",
        findings=tuple(findings),
        seconds=time.monotonic() - began,
        estimate=predicted,
    )


def require_movable(
    domain: DomainHandle,
    document: DomainXml,
    destination: Host,
    spec: MigrationSpec,
    prepared: Prepared,
    *,
    data_uri: str | None = None,
) -> Preflight:
    """Look quickly, by libvirt alone, and refuse what cannot work.

    Raises:
        PreconditionError: it cannot; every reason, and what to do about the first ones.
    """
    found = examine(domain, document, destination, spec, prepared, data_uri=data_uri, deep=False)
    if not found.can:
        raise PreconditionError(f"{found.title}: {found.why}", hint="; ".join(found.remedies[:3]))
    return found
