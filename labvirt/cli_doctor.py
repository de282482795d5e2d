"""The command ``labvirt doctor``, and why a command failed."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labvirt.errors import HostError, LabvirtError, PlanError, SpecError, WaitTimeoutError

if TYPE_CHECKING:
    from labvirt.doctor import Report
    from labvirt.host import Host

__all__ = ["doctor_command", "say_why"]


def doctor_command(
    uri: Annotated[str, typer.Argument(help="Host: a libvirt URI, or lab:NAME/HOST.")] = "",
    domain: Annotated[str, typer.Option(help="Only what concerns this domain.")] = "",
    check: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only these checks: network.*; !disk.* leaves out."),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read whole images too.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --fix: do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Write a ZIP for somebody who helps, without secrets.")
    ] = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Show what labvirt goes by, and why.")
    ] = False,
) -> None:
    """Look whether a host and what is on it is well; says what is not, why, and what to do."""
    if settings:
        _settings(as_json=as_json)
        return
    if yes and not fix:
        raise SpecError("--yes says nothing without --fix", hint="labvirt doctor --fix --yes")
    from labvirt import doctor
    from labvirt.doctor.examining import select
    from labvirt.front import connect

    patterns = tuple(check or ("*",))
    select(patterns, deep=deep)  # a wrong pattern is told before anybody is called
    try:
        host = connect(uri or None, readonly=not fix)
    except (HostError, WaitTimeoutError):
        report = _way(uri)
        if not report.failures:
            raise
        _hand_out(report, html, bundle, as_json=as_json)
        raise typer.Exit(1) from None
    with host:
        target = host.domains[domain] if domain else host
        report = doctor.examine(target, checks=patterns, deep=deep)
        if fix and _mend(report, yes=yes):
            report = doctor.examine(target, checks=patterns, deep=deep)
        _hand_out(report, html, bundle, as_json=as_json)
    raise typer.Exit(1 if report.failures else 0)


def _way(uri: str) -> Report:
    """Return where on the way to a host it fails; nothing for one of a lab."""
    from labvirt.doctor import Report, connection

    if uri.startswith("lab:"):
        return Report(uri, ())
    found = connection(uri or os.environ.get("LIBVIRT_DEFAULT_URI") or "qemu:///system")
    return Report(found.title, found.findings)


def _hand_out(report: Report, html: Path | None, bundle: Path | None, *, as_json: bool) -> None:
    if html is not None:
        _write(html, report.html())
    if bundle is not None:
        report.bundle(bundle)
    if as_json:
        typer.echo(report.json())
    else:
        _show(report)


def _show(report: Report) -> None:
    typer.echo(report.title)
    for one in report:
        if one.verdict not in {"ok", "n/a"}:
            typer.echo(str(one))
    typer.echo(report.summary)


def _mend(report: Report, *, yes: bool) -> bool:
    """Show the plan of each finding that can be mended, and apply what is wanted.

    Returns:
        Whether anything was applied.
    """
    applied = False
    for one in report.fixable:
        try:
            plan = report.fix(one.id)
            # What is shown is standard error's, so that --json stays JSON.
            typer.echo(f"{one.id}: {one.reason}\n{plan}", err=True)
            if yes and plan.destroys:
                lost = ", ".join(plan.destroys)
                typer.echo(f"left out: it destroys {lost}; without --yes you are asked", err=True)
            elif yes or typer.confirm("Apply this plan?", err=True):
                applied = True
                plan.apply(confirm=True)
        except LabvirtError as error:
            typer.echo(f"labvirt: {error}", err=True)
    return applied


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HostError(f"write {path}", libvirt_text=error.strerror or str(error)) from error


def _settings(*, as_json: bool) -> None:
    from dataclasses import asdict

    from labvirt.doctor.settings import settings

    found = [asdict(one) for one in settings()]
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for one in found:
        typer.echo(f"{one['name']} = {one['value'] or '(not set)'}  [{one['source']}]")
        if one["meaning"]:
            typer.echo(f"    {one['meaning']}")


def say_why(error: LabvirtError) -> None:
    """Say below an error of a host what is behind it: cause, what was seen, what to do next."""
    if not isinstance(error, HostError | PlanError):
        return
    from labvirt.doctor import explain

    # An explanation that fails must not hide what it was to explain.
    with contextlib.suppress(Exception), _opened(error) as host:
        found = explain(error, host=host)
        for line in found.lines() if found.is_known else ():
            typer.echo(f"  {line}", err=True)


@contextlib.contextmanager
def _opened(error: LabvirtError) -> Any:
    """Give the host that an error comes from, when it is this machine's and answers at once."""
    from labvirt.host import Host
    from labvirt.model.uri import Uri

    host: Host | None = None
    with contextlib.suppress(LabvirtError):
        uri = Uri.parse(getattr(error, "uri", "") or "")
        if uri.is_local:
            host = Host.open(uri, readonly=True, timeout_s=2.0)
    try:
        yield host
    finally:
        if host is not None:
            host.close()
