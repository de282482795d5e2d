"""Report: what an examination found, as text, table, JSON and HTML; and the plans that mend it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from labvirt.doctor.bundle import write_bundle
from labvirt.doctor.page import page
from labvirt.errors import ConflictError, NotFoundError, UnsupportedError
from labvirt.status.finding import VERDICTS, Findings

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from labvirt.host import Host
    from labvirt.plan import Plan
    from labvirt.status.finding import Finding, Verdict

__all__ = ["Report"]


@dataclass(frozen=True, repr=False)
class Report(Findings):
    """What was found, question by question.

    Attributes:
        title: what was looked at.
        findings: the answers, in the order of a report.
        seconds: how long looking took.
        host: the host that was looked at; None when it could not be opened.
        is_own: the host was opened for this report, and is closed with it.
    """

    seconds: float = field(default=0.0, compare=False)
    host: Host | None = field(default=None, compare=False)
    is_own: bool = field(default=False, compare=False)

    def __enter__(self) -> Self:
        """Return the report; at the end of the block it is closed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the report."""
        self.close()

    def close(self) -> None:
        """Close the host if it was opened for this report; what was found stays readable."""
        if self.host is not None and self.is_own:
            self.host.close()

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Report {self.title}: {self.summary}>"

    @property
    def counts(self) -> dict[Verdict, int]:
        """Return how many answers there are of each verdict, the worst first."""
        return {each: sum(one.verdict == each for one in self.findings) for each in VERDICTS}

    @property
    def summary(self) -> str:
        """Return the counts in words: ``2 fail, 1 warning, 80 ok``."""
        told = (f"{count} {verdict}" for verdict, count in self.counts.items() if count)
        return ", ".join(told) or "nothing was asked"

    @property
    def fixable(self) -> tuple[Finding, ...]:
        """Return what is not well and labvirt can mend."""
        return tuple(
            one
            for one in self.findings
            if one.fix is not None and one.verdict in {"fail", "warning"}
        )

    def of(self, check: str) -> tuple[Finding, ...]:
        """Return the answers of one check: ``network.active``."""
        return tuple(one for one in self.findings if one.kind == check)

    def fix(self, key: str) -> Plan[Any]:
        """Return the plan that mends a finding; nothing is changed before ``.apply()``.

        Args:
            key: id of the finding: ``network.active:default``.

        Raises:
            NotFoundError: there is no such finding.
            UnsupportedError: labvirt cannot mend it; the remedy says what to do.
            ConflictError: the host of the report is closed.
            LabvirtError: the plan cannot be made now.
        """
        if key not in self:
            known = ", ".join(one.id for one in self.fixable)
            raise NotFoundError(f"mend {key}", hint=known or "nothing here can be mended")
        found = self[key]
        if found.fix is None:
            raise UnsupportedError(f"mend {key}", hint=found.remedy)
        self._check_open(f"mend {key}")
        plan: Plan[Any] = found.fix()
        return plan

    def _check_open(self, asked: str) -> None:
        host = self.host
        if host is not None and host.state == "closed":
            raise ConflictError(
                asked, uri=host.label, libvirt_text="the host of this report was closed",
                hint="examine it again, and close it after mending",
            )  # fmt: skip

    def df(self) -> pd.DataFrame:
        """Return the findings as a table, a row each.

        Columns: question, verdict, evidence, cause, remedy, guide; the index is the id.
        """
        import pandas as pd

        columns = ["id", "question", "verdict", "evidence", "cause", "remedy", "guide"]
        frame = pd.DataFrame([one.as_dict() for one in self.findings], columns=columns)
        return frame.set_index("id")

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "title": self.title,
            "verdict": self.verdict,
            "seconds": round(self.seconds, 2),
            "counts": self.counts,
            "findings": [
                {**one.as_dict(), "fixable": one.fix is not None} for one in self.findings
            ],
        }

    def json(self) -> str:
        """Return everything as JSON text."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def html(self) -> str:
        """Return everything as one HTML page that needs no network, kernel or JavaScript."""
        return page(self)

    def bundle(self, path: str | Path) -> Path:
        """Write everything that somebody who helps needs into a ZIP file, without secrets (G0-05).

        Report, versions, settings, XML of domains, networks and pools, ends of logs, journal.

        Returns:
            The file.

        Raises:
            HostError: it cannot be written.
        """
        return write_bundle(self, path, self.host)
