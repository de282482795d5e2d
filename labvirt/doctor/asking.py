"""The doctor's calls: a host, a domain or a URI is looked at, and every check is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.doctor.checks import all_checks
from labvirt.doctor.connecting import connection
from labvirt.doctor.examining import examine_host
from labvirt.doctor.report import Report
from labvirt.errors import AccessDeniedError, SpecError
from labvirt.host import Domain, Host
from labvirt.model.arguments import Wait, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from labvirt.status.finding import Finding

__all__ = ["examine", "table"]


def examine(
    target: Host | Domain | str,
    *,
    checks: Sequence[str] = ("*",),
    others: Sequence[Host] = (),
    deep: bool = False,
    timeout_s: float = 30.0,
    progress: Callable[[int, int, Finding], None] | None = None,
) -> Report:
    """Look at a host with everything on it, or at one domain; changes nothing (G19-01).

    Args:
        target: a host, a domain, or a URI: then the way to it is looked at first, and the host
            that is opened stays open for the report's plans and bundle, until ``report.close()``
            or the end of its ``with`` block.
        checks: patterns of ids, ``network.*``; a leading ``!`` leaves out. `table` lists them.
        others: hosts to which its guests might move.
        deep: also what reads whole images or asks guests for long.
        timeout_s: limit for all of it in seconds; what has not answered then is ``unknown``.
        progress: told after each finding: how many are there, how many will be, the finding.

    Returns:
        A report: findings with evidence, cause and remedy; ``report.fix(id)`` is the plan that
        mends one.

    Raises:
        SpecError: a pattern means no check, or the target is none.
    """
    checked(Wait, "examine a host", timeout_s=timeout_s)
    options: dict[str, Any] = {
        "checks": (checks,) if isinstance(checks, str) else tuple(checks),
        "others": tuple(others),
        "deep": deep,
        "limit_s": timeout_s,
        "progress": progress,
    }
    if isinstance(target, Domain):
        return examine_host(target.host, domains=(target.name,), **options)
    if isinstance(target, Host):
        return examine_host(target, **options)
    if not isinstance(target, str):
        raise SpecError(f"examine a {type(target).__name__}", hint="a Host, a Domain or a URI")
    return _of_uri(target, options)


def _of_uri(uri: str, options: dict[str, Any]) -> Report:
    way = connection(uri, timeout_s=min(options["limit_s"], 20.0))
    if way.failures:
        return Report(way.title, way.findings)
    host = _opened(uri)
    try:
        report = examine_host(host, **options)
    except BaseException:
        host.close()
        raise
    found = (*way.findings, *report.findings)
    return Report(report.title, found, report.seconds, host, is_own=True)


def _opened(uri: str) -> Host:
    """Open a host for changes; where that is refused, to look only."""
    try:
        return Host.open(uri)
    except AccessDeniedError:
        return Host.open(uri, readonly=True)


def table() -> pd.DataFrame:
    """Return every check there is, a row each.

    Columns: question, of (what it is asked of), guide, limit (seconds), deep; the index is the id.
    """
    import pandas as pd

    rows = [
        (each.id, each.question, each.subject, each.guide, each.limit_s, each.deep)
        for each in all_checks()
    ]
    columns = ["id", "question", "of", "guide", "limit", "deep"]
    return pd.DataFrame(rows, columns=columns).set_index("id")
