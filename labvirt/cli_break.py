"""The command line for faults: ``labvirt lab faults``, ``break``, ``mend``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labvirt.errors import LabvirtError, SpecError

__all__ = ["break_commands"]

Lang = Annotated[str, typer.Option("--language", help="en or ru.")]


def break_commands(app: typer.Typer) -> None:
    """Put the commands for faults into the app of labs."""
    app.command("faults")(faults)
    app.command("break")(break_lab)
    app.command("mend")(mend)


def faults(
    name: Annotated[str, typer.Argument(help="A lab: what is broken in it too.")] = "",
) -> None:
    """List what can be broken in a lab, and what is."""
    from labvirt.lab import Lab
    from labvirt.lab.faults import all_faults

    for one in all_faults():
        typer.echo(f"{one.id:22} {one.of:10} {', '.join(one.backends):16} {one.title}")
    if name:
        for planted in Lab.attach(name).planted():
            typer.echo(f"broken: {planted.id}: {planted.place}")


def break_lab(
    name: str,
    fault: str,
    host: str = "",
    domain: str = "",
    network: str = "",
    pool: str = "",
    disk: str = "",
    interface: str = "",
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, again and again.")] = None,
    language: Lang = "en",
) -> None:
    """Break something in a lab for real; ``labvirt lab mend`` brings it back."""
    from labvirt.lab import Lab

    given: dict[str, Any] = {}
    for each in option or ():
        key, equals, value = each.partition("=")
        if not equals:
            raise SpecError(f"{each!r} is no option of a fault", hint="--option seconds=600")
        given[key] = int(value) if value.lstrip("-").isdigit() else value
    planted = Lab.attach(name).inject(
        fault,
        host=host,
        domain=domain,
        network=network,
        pool=pool,
        disk=disk,
        interface=interface,
        language=language,
        **given,
    )
    typer.echo(planted.symptom)


def mend(name: str, fault: Annotated[str, typer.Argument(help="Only this fault.")] = "") -> None:
    """Undo what was broken in a lab, the last first."""
    from labvirt.lab import Lab

    failed = False
    found = [one for one in Lab.attach(name).planted() if fault in {"", one.id}]
    for planted in reversed(found):
        try:
            typer.echo(planted.undo())
        except LabvirtError as error:
            typer.echo(f"{planted.id}: {error}", err=True)
            failed = True
    if not found:
        typer.echo(f"nothing is broken in lab {name}" + (f" by {fault}" if fault else ""))
    if failed:
        raise typer.Exit(1)
