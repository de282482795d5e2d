"""labvirt: a virtual-machine lab inside a notebook.

Real libvirt machines from cells and forms; every change a plan that can be read, every run a
record that can be kept, on a lab that starts by itself::

    import labvirt as lv

    lab = lv.Lab.start("demo", hosts=2)
    spec = lv.DomainSpec(name="web1", memory="256 MiB", source=lv.TinyGuest())
    web1 = lab["alpha"].plan(spec).apply()
    web1.wait_for("ready")
    web1.migrate(lab["beta"])

Importing this loads nothing heavy: names are looked up when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt import doctor, errors, history, images, model
    from labvirt import widgets as ui
    from labvirt.front import connect
    from labvirt.host import Domain, Host
    from labvirt.lab import Lab
    from labvirt.model import (
        ClockSpec,
        CpuSpec,
        DiskSpec,
        DomainSpec,
        FileSource,
        GraphicsSpec,
        ImportImage,
        InterfaceSpec,
        IsoInstall,
        KernelBoot,
        NetworkBoot,
        SerialSpec,
        Size,
        TinyGuest,
        VolumeSource,
    )
    from labvirt.plan import Job, Plan
    from labvirt.runbook import resume, run, step

__version__ = "0.1.0"

_HOMES = {
    "labvirt.front": ("connect",),
    "labvirt.host": ("Domain", "Host"),
    "labvirt.lab": ("Lab",),
    "labvirt.model": (
        "ClockSpec",
        "CpuSpec",
        "DiskSpec",
        "DomainSpec",
        "FileSource",
        "GraphicsSpec",
        "ImportImage",
        "InterfaceSpec",
        "IsoInstall",
        "KernelBoot",
        "NetworkBoot",
        "SerialSpec",
        "Size",
        "TinyGuest",
        "VolumeSource",
    ),
    "labvirt.plan": ("Job", "Plan"),
    "labvirt.runbook": ("resume", "run", "step"),
}
_ROOMS = {
    "doctor": "doctor",
    "errors": "errors",
    "history": "history",
    "images": "images",
    "model": "model",
    "ui": "widgets",
}

__all__ = [
    "ClockSpec",
    "CpuSpec",
    "DiskSpec",
    "Domain",
    "DomainSpec",
    "FileSource",
    "GraphicsSpec",
    "Host",
    "ImportImage",
    "InterfaceSpec",
    "IsoInstall",
    "Job",
    "KernelBoot",
    "Lab",
    "NetworkBoot",
    "Plan",
    "SerialSpec",
    "Size",
    "TinyGuest",
    "VolumeSource",
    "connect",
    "doctor",
    "errors",
    "history",
    "images",
    "model",
    "resume",
    "run",
    "step",
    "ui",
]


_load, __dir__ = lazily(__name__, _HOMES, more=(*_ROOMS, "__version__"))


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    home = _ROOMS.get(name)
    return importlib.import_module(f"labvirt.{home}") if home else _load(name)
