"""SSH client settings: one block per host, by way of others, and the program that libvirt runs.

libvirt's transport ``ssh`` has no parameter for known hosts or for a jump host. Both stand in the
client's settings; ``command=`` of the URI names a program that uses settings of its own.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import ConflictError, Problem, SpecError
from labvirt.hostprep import preparing
from labvirt.hostprep.files import read_text

if TYPE_CHECKING:
    from labvirt.plan import Plan

__all__ = ["HostSettings", "program", "settings_of", "write_settings"]

_WORD = re.compile(r"[^\s\"'#]+")
_JUMP = re.compile(r"([^\s@,:/]+@)?(\[[0-9a-fA-F:]+\]|[^\s@,:/\[\]-][^\s@,:/\[\]]*)(:\d{1,5})?")
_BEGIN, _END = "# labvirt: {} begins", "# labvirt: {} ends"


@dataclass(frozen=True)
class HostSettings:
    """What ssh shall do for one host. Empty fields are left to the user's other settings.

    Attributes:
        alias: the name by which it is called, as in the URI; ``*`` for all.
        host: its real name or address.
        user: name to log in with.
        port: its port.
        keyfile: private key; no other is tried then.
        jump: host to go by, ``[user@]host[:port]``; several with commas.
        known_hosts: file with host keys.
        control: keep one connection open for later ones (ControlMaster), so long in seconds.
    """

    alias: str
    host: str = ""
    user: str = ""
    port: int | None = None
    keyfile: str = ""
    jump: str = ""
    known_hosts: str = ""
    control: int = 0

    def __post_init__(self) -> None:
        problems = [
            Problem(name, value, "must be one word without quotes")
            for name in ("alias", "host", "user", "keyfile", "known_hosts")
            if (value := getattr(self, name)) and not _WORD.fullmatch(value)
        ]
        if not self.alias:
            problems.append(Problem("alias", "", "is empty"))
        if self.port is not None and not 1 <= self.port <= 65535:
            problems.append(Problem("port", str(self.port), "is out of range", "1 to 65535"))
        bad = [hop for hop in self.jump.split(",") if self.jump and not _JUMP.fullmatch(hop)]
        if bad:
            problems.append(Problem("jump", self.jump, "is no way by a host", "[user@]host[:port]"))
        if problems:
            raise SpecError("settings for ssh", problems)

    @property
    def text(self) -> str:
        """Return the block of ssh_config."""
        rows = [
            ("HostName", self.host), ("User", self.user), ("Port", str(self.port or "")),
            ("IdentityFile", self.keyfile), ("IdentitiesOnly", "yes" if self.keyfile else ""),
            ("ProxyJump", self.jump), ("UserKnownHostsFile", self.known_hosts),
            ("ControlMaster", "auto" if self.control else ""),
            ("ControlPath", "~/.ssh/labvirt-%C" if self.control else ""),
            ("ControlPersist", str(self.control or "")),
        ]  # fmt: skip
        lines = [f"    {name} {value}" for name, value in rows if value]
        return "\n".join([f"Host {self.alias}", *lines]) + "\n"


def settings_of(text: str) -> dict[str, dict[str, str]]:
    """Return the settings that a text of ssh_config has, by host pattern; the first one counts."""
    found: dict[str, dict[str, str]] = {}
    current = found.setdefault("*", {})
    for raw in text.splitlines():
        words = shlex.split(raw.replace("=", " ", 1), comments=True)
        if not words:
            continue
        if words[0].lower() == "host":
            current = found.setdefault(" ".join(words[1:]), {})
        else:
            current.setdefault(words[0].lower(), " ".join(words[1:]))
    return found


def write_settings(path: str | Path, settings: HostSettings) -> Plan[Path]:
    """Return the plan that puts a block in front of a file of settings (the first one counts there).

    What stands there already stays; a block of ours for the same host is replaced.

    Raises:
        ConflictError: the file has a block for this host that is not ours.
    """
    place = Path(path).expanduser().absolute()
    old = read_text(place)
    begin, end = _BEGIN.format(settings.alias), _END.format(settings.alias)
    rest = re.sub(
        rf"^{re.escape(begin)}\n.*?^{re.escape(end)}\n", "", old, flags=re.MULTILINE | re.DOTALL
    )
    if settings.alias in settings_of(rest) and settings.alias != "*":
        raise ConflictError(
            f"write settings for {settings.alias}",
            libvirt_text=f"{place} has a block for it that is yours",
            hint="choose another alias, or edit it yourself",
        )
    new = f"{begin}\n{settings.text}{end}\n{rest}"
    actions = [*preparing.folder(place.parent, 0o700), *preparing.text(place, new, 0o600)]
    return preparing.preparation(f"ssh settings for {settings.alias}", actions, lambda: place)


def program(path: str | Path, *settings: HostSettings, heed_user: bool = False) -> Plan[Path]:
    """Return the plan that makes a program for ``command=`` of a URI, with settings of its own.

    ``^C`` in a notebook does not reach it.

    Args:
        path: the program; beside it stands ``<path>.config``.
        settings: what holds for which host.
        heed_user: the user's own settings count behind these; else not at all.
    """
    place = Path(path).expanduser().absolute()
    config = place.with_name(f"{place.name}.config")
    text = "".join(each.text for each in settings)
    text += "Host *\n    Include ~/.ssh/config\n" if heed_user else ""
    script = (
        "#!/bin/sh\n# ssh with the settings beside this file, where ^C does not reach it.\n"
        f'exec setsid ssh -F {shlex.quote(str(config))} "$@"\n'
    )
    actions = [
        *preparing.folder(place.parent, 0o700),
        *preparing.text(config, text, 0o600),
        *preparing.text(place, script, 0o700),
    ]
    return preparing.preparation(f"ssh program {place}", actions, lambda: place)
