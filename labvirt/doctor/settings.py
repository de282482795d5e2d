"""Settings: what labvirt goes by on this machine, each with its value and where that comes from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from labvirt import places
from labvirt.doctor.cleaning import Cleaner
from labvirt.preferences import Preferences

__all__ = ["Setting", "settings"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: ``LABVIRT_HOME``, or that of a preference: ``interval_s``.
        value: what holds now; empty when nothing is set and nothing stands for it.
        source: ``environment``, the file it stands in, or ``default``.
        meaning: what it is for.
    """

    name: str
    value: str
    source: str
    meaning: str


#: What each variable is for; set for a run by labvirt itself where that is said.
_VARIABLES: Final = {
    "LABVIRT_HOME": "folder for labs, journal, runs and settings",
    "LABVIRT_CACHE": "folder for what can be made again: kernels, images",
    "LABVIRT_LANG": "language of the views: en, ru",
    "LABVIRT_STATIC": "1 or 0: still pictures, or live views, whatever runs the book",
    "LABVIRT_LAB": "lab that runbooks and tests take",
    "LABVIRT_MODE": "how a runbook is run (set by the run)",
    "LABVIRT_RUN_ID": "id of the run (set by the run)",
    "LABVIRT_RUN_FOLDER": "folder of the run (set by the run)",
    "LABVIRT_DONE_STEPS": "steps that are done already (set by the run)",
    "LIBVIRT_DEFAULT_URI": "host that is opened when none is named",
    "LIBVIRT_AUTH_FILE": "file with user names and passwords for connections",
    "XDG_RUNTIME_DIR": "folder of the session daemons' sockets",
}


def settings() -> tuple[Setting, ...]:
    """Return every setting: the variables, others that begin with ``LABVIRT_``, the preferences."""
    cleaner = Cleaner()
    defaults = {
        "LABVIRT_HOME": str(places.home()),
        "LABVIRT_CACHE": str(places.cache()),
        "LIBVIRT_DEFAULT_URI": "qemu:///system",
        "XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}",
    }
    found = []
    for name, meaning in _VARIABLES.items():
        value = os.environ.get(name)
        if value is not None:
            found.append(Setting(name, cleaner.value(name, value), "environment", meaning))
        else:
            found.append(Setting(name, defaults.get(name, ""), "default", meaning))
    for name, value in sorted(os.environ.items()):
        if name.startswith("LABVIRT_") and name not in _VARIABLES:
            meaning = "a parameter or secret of runbooks" if "PARAM" in name else ""
            found.append(Setting(name, cleaner.value(name, value), "environment", meaning))
    return (*found, *_preferences(cleaner))


def _preferences(cleaner: Cleaner) -> list[Setting]:
    held, plain = Preferences.load(), Preferences()
    path = Preferences.path()
    found = []
    for name, field in Preferences.model_fields.items():
        value = getattr(held, name)
        source = str(path) if path.exists() and value != getattr(plain, name) else "default"
        meaning = (field.description or "").partition(". ")[0].rstrip(".")
        found.append(Setting(name, cleaner.value(name, str(value)), source, meaning))
    return found
