"""The bundle: a report with what belongs to it in one file, for somebody who helps (G0-05)."""

from __future__ import annotations

import json
import os
import platform
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labvirt.doctor.cleaning import Cleaner
from labvirt.doctor.machine import Machine
from labvirt.doctor.settings import settings
from labvirt.errors import HostError, LabvirtError
from labvirt.plan import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labvirt.doctor.report import Report
    from labvirt.host import Host

__all__ = ["write_bundle"]

_TAIL: Final = 65536
_MOST_LOGS: Final = 60
_LAST_PLANS: Final = 200
_SHOWN: Final = ("LABVIRT_", "LIBVIRT_", "XDG_", "LC_", "LANG", "VIRSH_", "QEMU_", "PATH", "SHELL")


def write_bundle(report: Report, path: str | Path, host: Host | None) -> Path:
    """Write a report, versions, XML, logs' ends, journal and settings into a ZIP file.

    Args:
        report: the report.
        path: the file; one that is there is replaced.
        host: the host it is of; None: what only a host can tell is left out.

    Returns:
        The file, readable by its owner only.

    Raises:
        HostError: the file cannot be written.
    """
    texts = dict(_gathered(report, host))
    cleaner = Cleaner()
    for text in texts.values():
        cleaner.learn(text)
    target = Path(path).expanduser()
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with (
            os.fdopen(handle, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made,
        ):
            for name, text in texts.items():
                clean = cleaner.xml(text) if name.endswith(".xml") else cleaner.text(text)
                made.writestr(name, clean)
    except OSError as error:
        raise HostError(
            f"write the bundle {target}", libvirt_text=error.strerror or str(error)
        ) from error
    return target


def _gathered(report: Report, host: Host | None) -> Iterator[tuple[str, str]]:
    yield "report.txt", f"{report}\n"
    yield "report.json", report.json()
    yield "report.html", report.html()
    yield "versions.txt", _versions(host)
    rows = [f"{one.name}\t{one.value}\t{one.source}" for one in settings()]
    yield "settings.txt", "\n".join(rows)
    kept = {k: v for k, v in os.environ.items() if k.startswith(_SHOWN)}
    yield "environment.txt", "\n".join(f"{k}={Cleaner().value(k, v)}" for k, v in kept.items())
    journal = Journal() if host is None else host.journal
    plans = journal.entries(last=_LAST_PLANS)
    yield "journal.jsonl", "\n".join(json.dumps(one, default=str) for one in plans)
    if host is None:
        return
    missing: list[str] = []
    for name, read in _of_host(host):
        try:
            yield name, read()
        except LabvirtError as error:
            missing.append(f"{name}: {error.what}")
    yield "missing.txt", "\n".join(missing)


def _of_host(host: Host) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield what only the host can tell: a name, and what reads it."""
    try:
        for domain in host.domains:
            yield f"domains/{_safe(domain.name)}.xml", domain.xml
        for network in host.networks:
            yield f"networks/{_safe(network.name)}.xml", network.xml
        for pool in host.pools:
            yield f"pools/{_safe(pool.name)}.xml", pool.xml
        machine = Machine.of(host)
    except LabvirtError:
        return
    for path in _logs(machine)[:_MOST_LOGS]:
        yield f"logs/{_safe(path.lstrip('/'))}", lambda path=path: _tail(machine, path)  # type: ignore[misc]


def _logs(machine: Machine) -> list[str]:
    """Return the log files of the daemon and of QEMU."""
    folders = ["/var/log/libvirt", "/var/log/libvirt/qemu"]
    environ = machine.read(f"/proc/{machine.daemon_pid}/environ") if machine.daemon_pid else None
    for pair in (environ or "").split("\0"):
        name, _, value = pair.partition("=")
        if name == "XDG_CACHE_HOME":
            folders += [f"{value}/libvirt/qemu/log", f"{value}/libvirt", str(Path(value).parent)]
    return [
        f"{folder}/{name}"
        for folder in folders
        for name in machine.listdir(folder)
        if name.endswith(".log")
    ]


def _tail(machine: Machine, path: str) -> str:
    ran = machine.run("tail", "-c", str(_TAIL), path)
    return ran.out if ran else ran.err


def _versions(host: Host | None) -> str:
    rows = [f"python {sys.version.split()[0]}", f"system {platform.platform()}"]
    for name in ("labvirt", "libvirt-python", "jupyterlab", "ipywidgets", "papermill"):
        try:
            rows.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            rows.append(f"{name} is not installed")
    if host is not None:
        try:
            seen = host.version()
            rows.append(f"libvirt here {seen.library}, there {seen.daemon}")
            rows.append(f"{seen.hypervisor} {seen.hypervisor_version}")
            rows.append(f"uri {host.label}")
        except LabvirtError as error:
            rows.append(error.what)
    return "\n".join(rows)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
